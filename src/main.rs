//! The program: arguments, configuration, signals, exit codes.

fn main() {}
