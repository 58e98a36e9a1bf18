//! `cargo endure`: what takes long. Without a name, all of it, one after the other.
//!
//! The long tests are the end-to-end tests themselves with larger numbers: they read
//! `ISTHMUS_ENDURE=1`.

use std::time::Instant;

use crate::install;
use crate::run::{cargo, run, tee, workspace};
use crate::verify::count;

/// One thing to run, by name.
struct Step {
    name: &'static str,
    what: &'static str,
    work: Work,
}

enum Work {
    /// The end-to-end tests with this in their name.
    EndToEnd(&'static str),
    /// The tests in one process, without servers, with this in their name.
    InProcess(&'static str),
    /// The fuzz target of this name.
    Fuzz(&'static str),
    /// The benchmarks.
    Bench,
}

const STEPS: [Step; 20] = [
    Step {
        name: "soak",
        what: "long conversations",
        work: Work::EndToEnd("soak"),
    },
    Step {
        name: "kill",
        what: "servers and the program killed in the middle of IRC, over and over",
        work: Work::EndToEnd("over_and_over"),
    },
    Step {
        name: "kill-loopback",
        what: "the program killed 300 times with messages in every state",
        work: Work::EndToEnd("kill_loopback"),
    },
    Step {
        name: "kill-email",
        what: "killed 100 times between XMPP and a Postfix, ids compared",
        work: Work::EndToEnd("kill_email"),
    },
    Step {
        name: "kill-sms",
        what: "killed 100 times between XMPP and an SMSC, ids compared",
        work: Work::EndToEnd("kill_sms"),
    },
    Step {
        name: "kill-plugin",
        what: "killed 100 times between XMPP and a plugin's network, ids compared",
        work: Work::EndToEnd("kill_plugin"),
    },
    Step {
        name: "hostile-irc",
        what: "IRC servers that mean harm: a line of 1 GiB, a million names, and the like",
        work: Work::EndToEnd("hostile_irc"),
    },
    Step {
        name: "compared",
        what: "biboumi's defects, probed in biboumi and here",
        work: Work::EndToEnd("compared_"),
    },
    Step {
        name: "converge",
        what: "20,000 histories of cuts, losses and delays, compared with the network",
        work: Work::InProcess("converge::"),
    },
    Step {
        name: "outcomes",
        what: "many lives of one queue, each message with one outcome",
        work: Work::InProcess("outcomes::"),
    },
    Step {
        name: "pump",
        what: "30,000 lines a second from a network, inside the bounds",
        work: Work::InProcess("pump::"),
    },
    Step {
        name: "flood",
        what: "100,000 requests of one user, each answered once",
        work: Work::InProcess("flood::"),
    },
    Step {
        name: "flood-program",
        what: "the same to the whole program, in little memory",
        work: Work::EndToEnd("a_flood_of_requests"),
    },
    Step {
        name: "fuzz-chunking",
        what: "the XML stream in arbitrary pieces",
        work: Work::Fuzz("chunking"),
    },
    Step {
        name: "fuzz-jid",
        what: "addresses there and back",
        work: Work::Fuzz("jid"),
    },
    Step {
        name: "fuzz-irc",
        what: "IRC lines of any bytes",
        work: Work::Fuzz("irc"),
    },
    Step {
        name: "fuzz-smtp-mail",
        what: "mails of any bytes",
        work: Work::Fuzz("smtp_mail"),
    },
    Step {
        name: "fuzz-smtp-server",
        what: "mail connections in arbitrary pieces",
        work: Work::Fuzz("smtp_server"),
    },
    Step {
        name: "fuzz-writer",
        what: "whatever is written parses",
        work: Work::Fuzz("writer"),
    },
    Step {
        name: "bench",
        what: "the benchmarks",
        work: Work::Bench,
    },
];

/// How long one fuzz target runs, in seconds, unless `ISTHMUS_FUZZ_SECONDS` says otherwise.
const FUZZ_SECONDS: &str = "600";

/// Lists the steps, or runs those that are named (none: all).
pub(crate) fn endure(names: &[&str]) -> Result<(), String> {
    if names == ["--list"] {
        for step in &STEPS {
            println!("{:<14} {}", step.name, step.what);
        }
        return Ok(());
    }
    let known = |name: &&str| STEPS.iter().any(|step| step.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(format!(
            "there is no step {unknown}: see cargo endure --list"
        ));
    }
    let mut failed = Vec::new();
    for step in STEPS
        .iter()
        .filter(|step| names.is_empty() || names.contains(&step.name))
    {
        println!("==> {}: {}", step.name, step.what);
        let start = Instant::now();
        let result = step.work.run();
        let seconds = start.elapsed().as_secs_f32();
        match result {
            Ok(()) => println!("==> {} ok after {seconds:.1} s", step.name),
            Err(error) => {
                eprintln!("==> {} FAILED after {seconds:.1} s: {error}", step.name);
                failed.push(step.name);
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

impl Work {
    fn run(&self) -> Result<(), String> {
        match self {
            Self::EndToEnd(filter) => {
                install::servers()?;
                long("e2e", filter)
            }
            Self::InProcess(filter) => long("it", filter),
            Self::Fuzz(target) => {
                install::cargo_fuzz()?;
                let seconds = std::env::var("ISTHMUS_FUZZ_SECONDS");
                let seconds = seconds.unwrap_or_else(|_| FUZZ_SECONDS.to_owned());
                // Without a sanitizer it runs on stable: our code is safe code.
                let mut command = cargo(&["fuzz", "run", "-s", "none", target, "--"]);
                command
                    .arg(format!("-max_total_time={seconds}"))
                    .arg("-timeout=10");
                run(command.current_dir(workspace()))
            }
            Self::Bench => {
                // Postfix and the SMSC are among them.
                install::servers()?;
                install::benchmarks()?;
                run(&mut cargo(&["bench", "--package", "isthmus", "--benches"]))
            }
        }
    }
}

/// Runs the tests of `target` that have `filter` in their name, in their long form.
fn long(target: &str, filter: &str) -> Result<(), String> {
    let mut command = cargo(&["test", "--release", "--package", "isthmus"]);
    command.args(["--test", target, "--", "--nocapture", filter]);
    command.env("ISTHMUS_ENDURE", "1");
    let (lines, result) = tee(&mut command, |line| line.starts_with("test result:"));
    result?;
    // A filter that fits nothing would pass for ever.
    if count(&lines, "passed") > 0 {
        Ok(())
    } else {
        Err(format!("no test is called {filter}"))
    }
}
