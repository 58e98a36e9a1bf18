//! Every file of `tests/scenarios` is a test; `tests/scenarios/README.md` says how to read them.

use crate::scenario::run_folder;

#[test]
fn irc_does_what_its_scenarios_tell() {
    run_folder("irc");
}

#[test]
fn loopback_does_what_its_scenarios_tell() {
    run_folder("loopback");
}
