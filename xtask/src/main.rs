//! The commands behind `cargo demo`, `cargo verify` and `cargo endure`.

fn main() {}
