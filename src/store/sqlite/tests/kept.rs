//! What is kept of a message, and what foreign ids tell of it.

use super::*;
use crate::store::jobs::{CopyReport, CopyState, Jobs, NewJob, Reported};

const GATEWAY: &str = "sms.example.org";

fn job() -> NewJob {
    NewJob {
        user: "juliet@example.org".to_owned(),
        number: 7,
        gateway: GATEWAY.to_owned(),
        stanza_id: "a1".to_owned(),
        lane: "one".to_owned(),
        origin: Vec::new(),
        message: Vec::new(),
        to: vec!["romeo".to_owned()],
        now: 1,
        expires: 1000,
    }
}

fn report(job: u64, state: CopyState, kept: &str) -> CopyReport {
    CopyReport {
        job,
        copy: 0,
        state,
        keys: vec!["one:1".to_owned(), "one:2".to_owned()],
        until: 1000,
        kept: Some(kept.as_bytes().to_vec()),
        peer_kept: None,
        tell: None,
        now: 1,
        due: 1,
        fault: String::new(),
    }
}

#[tokio::test]
async fn a_foreign_id_tells_what_was_kept_last_of_its_job() {
    let place = Place::new();
    let store = place.open();
    let id = store.job_add(job()).await.expect("a job");
    let fits = |reported| matches!(reported, Ok(Reported::Changed(_)));
    let first = report(id, CopyState::Accepted, "none");
    assert!(fits(store.copy_report(first).await));
    // One part of two: nothing for the sender, but for the gateway.
    let stale = |reported| matches!(reported, Ok(Reported::Stale));
    let part = report(id, CopyState::Accepted, "one of two");
    assert!(stale(store.copy_report(part).await));
    let last = report(id, CopyState::Delivered, "both");
    for (next, expected) in [(None, "one of two"), (Some(last), "both")] {
        if let Some(next) = next {
            assert!(fits(store.copy_report(next).await));
        }
        let found = store.reference(GATEWAY, "one:2").await;
        let found = found.expect("an answer").expect("a known id");
        assert_eq!((found.job, found.part), (Some(id), 1));
        assert_eq!(found.kept.as_deref(), Some(expected.as_bytes()));
    }
    // What comes late takes nothing back.
    let late = report(id, CopyState::Accepted, "one of two");
    assert!(stale(store.copy_report(late).await));
    let found = store.reference(GATEWAY, "one:1").await;
    let found = found.expect("an answer").expect("a known id");
    assert_eq!(found.kept.as_deref(), Some(&b"both"[..]));
}
