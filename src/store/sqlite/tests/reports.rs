//! Reports that are made of how a message stands, and what the queue has to do then.

use super::*;
use crate::store::jobs::*;

const GATEWAY: &str = "sms.example.org";

async fn add(store: &SqliteStore, to: &[&str]) -> u64 {
    let job = NewJob {
        user: "juliet@example.org".to_owned(),
        number: 7,
        gateway: GATEWAY.to_owned(),
        stanza_id: String::new(),
        to: to.iter().map(|&to| to.to_owned()).collect(),
        lane: "lane".to_owned(),
        origin: b"origin".to_vec(),
        message: b"hello".to_vec(),
        now: 100,
        expires: 1_000,
    };
    store.job_add(job).await.expect("taken")
}

/// Reports on a copy; `due` counts where it is to be tried again.
async fn reported(
    store: &SqliteStore,
    job: u64,
    copy: u16,
    state: CopyState,
    due: i64,
) -> (Reported, Next) {
    let make = move |stands: &OpenJob| {
        assert_eq!((stands.id, stands.origin.as_slice()), (job, &b"origin"[..]));
        Some(CopyReport {
            job,
            copy,
            state,
            keys: Vec::new(),
            until: 5_000,
            kept: None,
            peer_kept: None,
            now: 200,
            due,
            fault: String::new(),
            tell: None,
        })
    };
    let answer = store.report_on(job, Box::new(make)).await;
    answer.expect("an answer")
}

#[tokio::test]
async fn a_report_tells_whether_the_message_is_over_waits_or_has_copies_out() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, &["one", "two"]).await;
    store.jobs_lease(vec![id]).await.expect("an answer");
    let changed = Reported::Changed(None);
    let first = reported(&store, id, 0, CopyState::Queued, 700).await;
    assert_eq!(
        first,
        (changed.clone(), Next::Same),
        "the other copy is out"
    );
    let last = reported(&store, id, 1, CopyState::Accepted, 0).await;
    assert_eq!(last, (changed.clone(), Next::Waits(700)));
    // A receipt of the second while the first waits: it is in the queue already.
    let receipt = reported(&store, id, 1, CopyState::Delivered, 0).await;
    assert_eq!(receipt, (changed.clone(), Next::Same));
    let again = reported(&store, id, 1, CopyState::Accepted, 0).await;
    assert_eq!(again, (Reported::Stale, Next::Same));
    store.jobs_lease(vec![id]).await.expect("an answer");
    let over = reported(&store, id, 0, CopyState::Failed, 0).await;
    assert_eq!(over, (changed, Next::Over));
}

#[tokio::test]
async fn a_report_on_nothing_and_one_that_is_not_made_change_nothing() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, &["one"]).await;
    let before = store.job(id).await;
    let unknown = Ok((Reported::Unknown, Next::Same));
    assert_eq!(store.report_on(id, Box::new(|_| None)).await, unknown);
    let nobody = store.report_on(id + 1, Box::new(|_| panic!("there is no such message")));
    assert_eq!(nobody.await, unknown);
    assert_eq!(store.job(id).await, before);
}

#[tokio::test]
async fn a_report_is_one_wait_for_the_disk() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, &["one"]).await;
    store.jobs_lease(vec![id]).await.expect("an answer");
    let before = store.commits();
    reported(&store, id, 0, CopyState::Accepted, 0).await;
    assert_eq!(store.commits() - before, 1);
}
