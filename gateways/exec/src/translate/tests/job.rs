//! Jobs, and what becomes of them when the process ends.

use isthmus_gateway::{Address, Job, JobId, Kind, Report, State};

use super::super::Question;
use super::*;

const JOB: JobId = JobId(9);

fn submit(bench: &mut Bench, recipients: usize) {
    let job = Job {
        id: JOB,
        user: juliet(),
        account: None,
        to: vec![Address::new(Kind::Contact, "bob", ""); recipients],
        message: Outgoing::text(Place::Contact("bob".into()), "hello"),
        attempt: 0,
        kept: None,
        peer_kept: None,
    };
    bench.machine.submit(&job, bench.now);
}

fn ask(bench: &mut Bench, method: &str, params: Value) {
    let line = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    bench.write(&line).expect("a sound request");
}

/// The plugin begins a copy and the host agrees.
fn begin(bench: &mut Bench, to: u16) {
    ask(
        bench,
        "host.begin",
        json!({ "job": 9, "to": to, "keys": ["k"] }),
    );
    let question = bench.machine.next_ask().expect("a question");
    bench
        .machine
        .ask_answered(&question.ticket, &Ok("true".into()));
    assert_eq!(bench.read()["result"], true);
}

/// What the host is told of the copies, in order.
fn reports(bench: &mut Bench) -> Vec<(u16, State)> {
    let asks = std::iter::from_fn(|| bench.machine.next_ask());
    asks.filter_map(|ask| match ask.question {
        Question::Report(Report { job, to, state, .. }) if job == JOB => Some((to, state)),
        _ => None,
    })
    .collect()
}

fn is_retry(state: &State) -> bool {
    matches!(state, State::Retry { after, .. } if *after >= 1000)
}

#[test]
fn a_job_crosses_whole_and_its_report_comes_back() {
    let mut bench = Bench::new(10, false);
    submit(&mut bench, 1);
    let request = bench.read();
    assert_eq!(request["method"], "job");
    assert_eq!(request["params"]["id"], 9);
    assert_eq!(request["params"]["to"][0]["id"], "bob");
    bench.answer(&request, json!({}));
    begin(&mut bench, 0);
    let report = json!({ "job": 9, "to": 0, "keys": ["k"], "state": "delivered", "kept": null });
    ask(&mut bench, "report", report);
    assert_eq!(reports(&mut bench), [(0, State::Delivered)]);
    bench.down();
    assert!(reports(&mut bench).is_empty(), "nothing is open");
}

#[test]
fn a_crash_returns_what_has_not_begun_and_leaves_the_rest_unknown() {
    let mut bench = Bench::new(10, false);
    submit(&mut bench, 2);
    bench.read();
    begin(&mut bench, 1);
    bench.down();
    let reports = reports(&mut bench);
    assert!(is_retry(&reports[0].1));
    assert_eq!(reports[1], (1, State::Unknown));
    assert_eq!(reports.len(), 2);
}

#[test]
fn a_crash_returns_everything_of_a_plugin_that_may_be_asked_twice() {
    let mut bench = Bench::new(10, true);
    submit(&mut bench, 2);
    bench.read();
    begin(&mut bench, 1);
    bench.down();
    let reports = reports(&mut bench);
    assert!(reports.len() == 2 && reports.iter().all(|(_, state)| is_retry(state)));
}

#[test]
fn a_crash_while_the_host_is_asked_to_begin_waits_for_its_answer() {
    let mut bench = Bench::new(10, false);
    submit(&mut bench, 1);
    bench.read();
    ask(&mut bench, "host.begin", json!({ "job": 9, "to": 0 }));
    let question = bench.machine.next_ask().expect("a question");
    bench.down();
    assert!(reports(&mut bench).is_empty());
    // The plugin never heard of it, so nothing was sent.
    bench
        .machine
        .ask_answered(&question.ticket, &Ok("true".into()));
    let reports = reports(&mut bench);
    assert!(reports.len() == 1 && is_retry(&reports[0].1));
}

#[test]
fn a_refused_job_fails_or_is_tried_again_as_the_plugin_says() {
    let mut bench = Bench::new(10, false);
    submit(&mut bench, 1);
    let request = bench.read();
    bench.refuse(&request, json!({ "kind": "forbidden" }));
    let failed = reports(&mut bench);
    assert!(matches!(&failed[..], [(0, State::Failed(_))]));
    submit(&mut bench, 1);
    let request = bench.read();
    bench.refuse(&request, json!({ "kind": "too_fast", "after": 2000 }));
    assert!(is_retry(&reports(&mut bench)[0].1));
}

#[test]
fn a_job_without_a_process_is_tried_again_when_there_is_one() {
    let mut bench = Bench::new(10, false);
    bench.down();
    submit(&mut bench, 2);
    let reports = reports(&mut bench);
    assert!(matches!(reports[0].1, State::Retry { after: 2000, .. }));
    assert_eq!(reports.len(), 2);
}

#[test]
fn only_a_job_of_which_nothing_has_begun_can_be_taken_back() {
    let mut bench = Bench::new(10, false);
    assert!(!bench.machine.can_recall(JOB));
    submit(&mut bench, 2);
    bench.read();
    assert!(bench.machine.can_recall(JOB));
    begin(&mut bench, 0);
    assert!(!bench.machine.can_recall(JOB));
}

#[test]
fn a_job_that_is_not_answered_frees_the_window_and_stays() {
    let mut bench = Bench::new(10, false);
    submit(&mut bench, 1);
    bench.read();
    bench.now += TIMEOUT;
    bench.machine.tick(bench.now);
    assert!(reports(&mut bench).is_empty());
    assert!(bench.machine.can_recall(JOB));
}

#[test]
fn a_plugin_that_runs_is_told_of_a_message_that_came_back() {
    let mut bench = Bench::new(10, false);
    let params = json!({ "key": "m1" });
    bench.machine.undeliverable(&params);
    let told = bench.read();
    assert_eq!(
        (&told["method"], &told["params"]),
        (&json!("undeliverable"), &params)
    );
    assert!(
        told.get("id").is_none(),
        "nothing is to be answered: {told}"
    );
    bench.down();
    bench.machine.undeliverable(&params);
    assert!(!bench.machine.has_work());
}

#[test]
fn a_plugin_that_runs_is_told_of_a_message_that_was_read() {
    let mut bench = Bench::new(10, false);
    let params = json!({ "key": "m1" });
    bench.machine.read(&params);
    let told = bench.read();
    let what = (&told["method"], &told["params"], told.get("id"));
    assert_eq!(what, (&json!("read"), &params, None));
    bench.down();
    bench.machine.read(&params);
    assert!(!bench.machine.has_work());
}
