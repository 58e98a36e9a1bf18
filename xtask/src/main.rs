//! The commands behind `cargo demo`, `cargo verify` and `cargo endure`.
//!
//! * `install`: unpack the servers and clients of the tests; done by the others when needed.
//! * `install bench`: what only the benchmarks compare with.
//! * `verify`: everything that has to hold before a change goes in.
//! * `endure [--list | NAME...]`: what takes long.
//! * `demo [--once]`: a conversation through each gateway, live.

mod demo;
mod endure;
mod install;
mod run;
mod verify;

use std::env;
use std::process::ExitCode;

const USAGE: &str =
    "usage: xtask install [bench] | verify | endure [--list | NAME...] | demo [--once]";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["install"] => install::servers()
            .and_then(|()| install::clients())
            .and_then(|()| install::cargo_deny()),
        ["install", "bench"] => install::benchmarks(),
        ["verify"] => verify::verify(),
        ["endure", names @ ..] => endure::endure(names),
        ["demo"] => demo::demo(false),
        ["demo", "--once"] => demo::demo(true),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // An empty one has been told already.
            if !error.is_empty() {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
