//! `cargo verify`: everything that has to hold before a change goes in.
//!
//! All steps run even when one fails, so that one run tells everything. The last line is the
//! number of tests that passed and failed.

use std::time::Instant;

use crate::install;
use crate::run::{cargo, run, tee, workspace};

/// Runs all steps.
pub(crate) fn verify() -> Result<(), String> {
    let mut steps = Steps::default();
    steps.step("install", || {
        install::toolchain()?;
        install::servers()?;
        install::clients()
    });
    steps.step("format", || run(&mut cargo(&["fmt", "--all", "--check"])));
    steps.step("clippy", || clippy(&["--workspace", "--all-targets"]));
    // Nothing else builds a program without gateways, or what is fuzzed.
    steps.step("bare", || {
        clippy(&["--package", "isthmus", "--no-default-features"])
    });
    steps.step("fuzz", || {
        clippy(&["--manifest-path", "fuzz/Cargo.toml", "--locked"])
    });
    steps.step("doc", || {
        run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    let mut closing = Vec::new();
    steps.step("test", || {
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
        let (lines, result) = tee(&mut command, |line| line.starts_with("test result:"));
        closing = lines;
        result
    });
    // Last, because getting the tool takes minutes where it is missing.
    steps.step("deny", || {
        install::cargo_deny()?;
        run(&mut cargo(&[
            "deny", "check", "bans", "licenses", "sources",
        ]))
    });
    steps.finish(&closing)
}

/// Warnings are errors.
fn clippy(of: &[&str]) -> Result<(), String> {
    // A package outside of the workspace shares its target.
    let target = workspace().join("target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(target, Into::into);
    let mut command = cargo(&["clippy"]);
    command.args(of).args(["--", "-D", "warnings"]);
    run(command
        .env("CARGO_TARGET_DIR", target)
        .current_dir(workspace()))
}

/// What has been run so far, and how it went.
#[derive(Default)]
struct Steps {
    done: Vec<String>,
    failed: Vec<String>,
}

impl Steps {
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<(), String>) {
        println!("==> {name}");
        let start = Instant::now();
        let result = work();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        self.done.push(format!(
            "{name:<8} {word:<6} {:6.1} s",
            start.elapsed().as_secs_f32()
        ));
        if let Err(error) = result {
            eprintln!("==> {name} FAILED: {error}");
            self.failed.push(name.to_owned());
        }
    }

    fn finish(self, closing: &[String]) -> Result<(), String> {
        println!("\n{}\n\n{}", self.done.join("\n"), closing.join("\n"));
        let (passed, failed) = (count(closing, "passed"), count(closing, "failed"));
        let result = match self.failed.as_slice() {
            // A runner that ran nothing has proved nothing.
            [] if passed == 0 => Err("no test ran".to_owned()),
            [] => Ok(()),
            names => Err(format!("failed: {}", names.join(", "))),
        };
        if let Err(error) = &result {
            println!("{error}");
        }
        // The last line of all; so what is wrong has been said before.
        println!("{passed} passed, {failed} failed");
        result.map_err(|_| String::new())
    }
}

/// Adds up the number before `word` in the closing lines of the test runners.
pub(crate) fn count(closing: &[String], word: &str) -> u64 {
    let of_line = |line: &String| -> Option<u64> {
        let before = line
            .split(&format!(" {word}"))
            .next()
            .filter(|start| *start != line)?;
        before.rsplit(' ').next()?.parse().ok()
    };
    closing.iter().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_closing_lines_are_added_up() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured".to_owned(),
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured".to_owned(),
        ];
        assert_eq!((count(&lines, "passed"), count(&lines, "failed")), (15, 2));
        assert_eq!(count(&[], "passed"), 0);
    }
}
