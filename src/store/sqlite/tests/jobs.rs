//! Durable messages: each statement, and what a failed one leaves behind.

mod inbound;

use super::*;
use crate::store::jobs::{
    CopyReport, CopyState, Inward, Jobs, NewJob, OpenJob, Recall, Reported, Told,
};

const USER: &str = "juliet@example.org";
const GATEWAY: &str = "sms.example.org";
const NUMBER: i64 = 7;

fn new_job(stanza_id: &str, to: &[&str]) -> NewJob {
    NewJob {
        user: USER.to_owned(),
        number: NUMBER,
        gateway: GATEWAY.to_owned(),
        stanza_id: stanza_id.to_owned(),
        to: to.iter().map(|&to| to.to_owned()).collect(),
        lane: "lane".to_owned(),
        origin: b"origin".to_vec(),
        message: b"hello".to_vec(),
        now: 100,
        expires: 1_000,
    }
}

fn report(job: u64, copy: u16, state: CopyState) -> CopyReport {
    CopyReport {
        job,
        copy,
        state,
        keys: Vec::new(),
        until: 5_000,
        kept: None,
        peer_kept: None,
        now: 200,
        due: 0,
        fault: String::new(),
        tell: None,
    }
}

fn telling(job: u64, state: CopyState, told: Told) -> CopyReport {
    CopyReport {
        tell: Some((told, format!("{state:?}").into_bytes())),
        ..report(job, 0, state)
    }
}

fn inward(dedup: &str) -> Inward {
    Inward {
        number: NUMBER,
        dedup: dedup.to_owned(),
        until: 5_000,
        stanza: format!("<message id='{dedup}'/>").into_bytes(),
        stanza_id: format!("id-{dedup}"),
        key: Some(format!("key-{dedup}")),
        peer: "peer".to_owned(),
        peer_kept: None,
        returns: None,
    }
}

async fn add(store: &SqliteStore, stanza_id: &str, to: &[&str]) -> u64 {
    let added = store.job_add(new_job(stanza_id, to)).await;
    added.expect("taken")
}

async fn begin(store: &SqliteStore, job: u64, copy: u16, keys: &[&str]) -> bool {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    let begun = store.copy_begin(job, copy, keys, 5_000).await;
    begun.expect("an answer")
}

async fn recall(store: &SqliteStore, stanza_id: &str, to: &[&str]) -> Recall {
    let to = to.iter().map(|&to| to.to_owned()).collect();
    let recalled = store.recall(USER, GATEWAY, stanza_id, to).await;
    recalled.expect("an answer")
}

async fn reported(store: &SqliteStore, report: CopyReport) -> Reported {
    store.copy_report(report).await.expect("an answer")
}

async fn the_job(store: &SqliteStore, id: u64) -> OpenJob {
    store.job(id).await.expect("an answer").expect("a message")
}

async fn states(store: &SqliteStore, id: u64) -> Vec<CopyState> {
    let copies = the_job(store, id).await.copies;
    copies.into_iter().map(|(_, state)| state).collect()
}

async fn open(store: &SqliteStore) -> Vec<u64> {
    let jobs = store.jobs_of(USER, GATEWAY, 10).await;
    let jobs = jobs.expect("jobs").into_iter();
    let open = jobs.filter(|job| job.copies.iter().any(|copy| copy.1 <= CopyState::Begun));
    open.map(|job| job.id).collect()
}

async fn lease(store: &SqliteStore, ids: &[u64]) -> Vec<OpenJob> {
    store.jobs_lease(ids.to_vec()).await.expect("an answer")
}

async fn inbound(store: &SqliteStore) -> Vec<String> {
    let rows = store.inbound(GATEWAY, 0, 100).await.expect("rows");
    rows.into_iter()
        .map(|(_, stanza)| String::from_utf8(stanza).expect("text"))
        .collect()
}

#[tokio::test]
async fn a_message_is_read_back_as_it_was_taken_after_a_restart() {
    let place = Place::new();
    let id = add(&place.open(), "a", &["one", "two"]).await;
    let store = place.open();
    let expected = OpenJob {
        id,
        user: USER.to_owned(),
        lane: "lane".to_owned(),
        stanza_id: "a".to_owned(),
        origin: b"origin".to_vec(),
        message: b"hello".to_vec(),
        copies: vec![
            ("one".to_owned(), CopyState::Queued),
            ("two".to_owned(), CopyState::Queued),
        ],
        attempt: 0,
        due: 100,
        created: 100,
        expires: 1_000,
        kept: None,
        peer_kept: None,
        turn: Vec::new(),
        fault: String::new(),
    };
    assert_eq!(the_job(&store, id).await, expected);
    assert_eq!(store.job(id + 1).await.expect("an answer"), None);
}

#[tokio::test]
async fn messages_of_a_user_go_by_number_and_leave_out_what_has_ended() {
    let place = Place::new();
    let store = place.open();
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(add(&store, &format!("m{number}"), &["one", "two"]).await);
    }
    // One copy of two is still to be sent: the message is.
    reported(&store, report(ids[1], 0, CopyState::Delivered)).await;
    for copy in [0, 1] {
        reported(&store, report(ids[2], copy, CopyState::Delivered)).await;
    }
    assert!(begin(&store, ids[3], 0, &[]).await);
    let of_user = store.jobs_of(USER, GATEWAY, 3).await.expect("jobs");
    let of_user: Vec<u64> = of_user.iter().map(|job| job.id).collect();
    assert_eq!(of_user, [ids[0], ids[1], ids[3]]);
    let of_other = store.jobs_of("romeo@example.org", GATEWAY, 2).await;
    assert_eq!(of_other.expect("jobs"), []);
}

#[tokio::test]
async fn a_number_is_never_given_twice() {
    let place = Place::new();
    let first = {
        let store = place.open();
        let id = add(&store, "a", &["one"]).await;
        reported(&store, report(id, 0, CopyState::Delivered)).await;
        store.forget_past(1_001).await.expect("forgotten");
        assert_eq!(store.job(id).await.expect("an answer"), None);
        id
    };
    assert!(add(&place.open(), "b", &["one"]).await > first);
}

#[tokio::test]
async fn a_lease_counts_attempts_as_long_as_there_is_something_to_send() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    for attempt in 1..=3 {
        assert_eq!(lease(&store, &[id]).await[0].attempt, attempt);
    }
    reported(&store, report(id, 0, CopyState::Accepted)).await;
    assert_eq!(lease(&store, &[id]).await, []);
    assert_eq!(the_job(&store, id).await.attempt, 3);
}

#[tokio::test]
async fn begin_is_refused_to_a_copy_that_was_taken_back_or_has_ended() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one", "two"]).await;
    assert!(begin(&store, id, 0, &["k"]).await);
    assert!(!begin(&store, id, 0, &["k"]).await, "it is on its way");
    // A process that was killed is handed it out again, and begins again.
    for _ in 0..2 {
        lease(&store, &[id]).await;
        assert!(begin(&store, id, 0, &["k"]).await);
        assert!(!begin(&store, id, 0, &["k"]).await);
    }
    assert_eq!(the_job(&store, id).await.turn, [0, 1], "both are out");
    let both = ["one", "two"];
    let late = vec!["one".to_owned()];
    let recalled = recall(&store, "a", &both).await;
    assert_eq!(recalled, Recall::Partly(id, late), "the second was in time");
    assert!(!begin(&store, id, 1, &["never"]).await);
    assert_eq!(store.reference(GATEWAY, "never").await, Ok(None));
    reported(&store, report(id, 0, CopyState::Accepted)).await;
    assert!(!begin(&store, id, 0, &["k"]).await);
    assert!(!begin(&store, id, 2, &["k"]).await, "there is no third");
    assert_eq!(
        states(&store, id).await,
        [CopyState::Accepted, CopyState::Recalled]
    );
    assert_eq!(recall(&store, "a", &both).await, Recall::TooLate);
}

#[tokio::test]
async fn a_report_holds_once_and_never_goes_back() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    let retry = CopyReport {
        due: 700,
        kept: Some(b"kept".to_vec()),
        ..report(id, 0, CopyState::Queued)
    };
    assert_eq!(reported(&store, retry).await, Reported::Changed(None));
    let job = the_job(&store, id).await;
    assert_eq!((job.due, job.kept.as_deref()), (700, Some(&b"kept"[..])));
    for state in [CopyState::Unknown, CopyState::Accepted, CopyState::Read] {
        let first = reported(&store, report(id, 0, state)).await;
        assert_eq!(first, Reported::Changed(None), "{state:?}");
        let again = reported(&store, report(id, 0, state)).await;
        assert_eq!(again, Reported::Stale, "{state:?}");
    }
    for state in CopyState::ALL {
        let late = reported(&store, report(id, 0, state)).await;
        assert_eq!(late, Reported::Stale, "{state:?}");
    }
    let nobody = reported(&store, report(id + 1, 0, CopyState::Read)).await;
    assert_eq!(nobody, Reported::Unknown);
    let nobody = reported(&store, report(id, 1, CopyState::Read)).await;
    assert_eq!(nobody, Reported::Unknown);
}

#[tokio::test]
async fn a_sender_is_told_once_and_an_unknown_outcome_may_become_known() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    let told = |reported: &Reported| matches!(reported, Reported::Changed(Some(_)));
    let unknown = telling(id, CopyState::Unknown, Told::Unknown);
    assert!(told(&reported(&store, unknown).await));
    let delivered = telling(id, CopyState::Delivered, Told::Arrived);
    assert!(told(&reported(&store, delivered).await));
    let read = telling(id, CopyState::Read, Told::Arrived);
    assert_eq!(reported(&store, read).await, Reported::Changed(None));
    let failed = telling(id, CopyState::Failed, Told::Failed);
    assert_eq!(reported(&store, failed).await, Reported::Stale);
    assert_eq!(inbound(&store).await, ["Unknown", "Delivered"]);
}

#[tokio::test]
async fn who_got_a_receipt_is_told_when_the_message_comes_back_and_nobody_a_second_receipt() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    let accepted = telling(id, CopyState::Accepted, Told::Arrived);
    reported(&store, accepted).await;
    let failed = telling(id, CopyState::Failed, Told::Failed);
    reported(&store, failed).await;
    assert_eq!(inbound(&store).await, ["Accepted", "Failed"]);
    let id = add(&store, "b", &["one"]).await;
    let accepted = telling(id, CopyState::Accepted, Told::Arrived);
    reported(&store, accepted).await;
    let delivered = telling(id, CopyState::Delivered, Told::Arrived);
    assert_eq!(reported(&store, delivered).await, Reported::Changed(None));
}

#[tokio::test]
async fn who_took_a_message_back_is_told_nothing_more() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    assert_eq!(recall(&store, "a", &["one"]).await, Recall::Done(id));
    for state in CopyState::ALL {
        let late = reported(&store, telling(id, state, Told::Failed)).await;
        assert_eq!(late, Reported::Stale, "{state:?}");
    }
    assert_eq!(inbound(&store).await, Vec::<String>::new());
    assert_eq!(open(&store).await, Vec::<u64>::new());
}

#[tokio::test]
async fn a_message_can_be_changed_until_it_begins() {
    let place = Place::new();
    let store = place.open();
    let one = || vec!["one".to_owned()];
    let change = |text: &str| store.change(USER, GATEWAY, "a", one(), text.into());
    assert_eq!(change("early").await, Ok(Recall::Unknown));
    let id = add(&store, "a", &["one"]).await;
    assert_eq!(change("second").await, Ok(Recall::Done(id)));
    assert_eq!(the_job(&store, id).await.message, b"second");
    let other = store.change("romeo@example.org", GATEWAY, "a", one(), b"his".to_vec());
    assert_eq!(other.await, Ok(Recall::Unknown), "it is not his");
    assert_eq!(lease(&store, &[id]).await.len(), 1);
    assert!(begin(&store, id, 0, &[]).await);
    assert_eq!(change("third").await, Ok(Recall::TooLate));
    assert_eq!(the_job(&store, id).await.message, b"second");
}

#[tokio::test]
async fn what_was_handed_out_before_a_change_must_not_begin() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    lease(&store, &[id]).await;
    let one = vec!["one".to_owned()];
    let changed = store.change(USER, GATEWAY, "a", one, b"second".to_vec());
    assert_eq!(changed.await, Ok(Recall::Done(id)));
    assert!(
        !begin(&store, id, 0, &["k"]).await,
        "the first text is not to be sent"
    );
    assert_eq!(lease(&store, &[id]).await[0].message, b"second");
    assert!(begin(&store, id, 0, &["k"]).await);
}

#[tokio::test]
async fn a_message_without_an_id_is_not_taken_back_by_a_retraction_without_one() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "", &["one"]).await;
    assert_eq!(recall(&store, "", &["one"]).await, Recall::Unknown);
    let one = vec!["one".to_owned()];
    let changed = store.change(USER, GATEWAY, "", one, b"other".to_vec());
    assert_eq!(changed.await, Ok(Recall::Unknown));
    assert_eq!(states(&store, id).await, [CopyState::Queued]);
}

#[tokio::test]
async fn a_message_is_changed_and_taken_back_by_what_goes_to_all_its_recipients() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one", "two"]).await;
    let others = [
        &["one"][..],
        &["two"],
        &["one", "three"],
        &["one", "two", "three"],
    ];
    for others in others {
        assert_eq!(recall(&store, "a", others).await, Recall::Unknown);
        let to = others.iter().map(|&to| to.to_owned()).collect();
        let changed = store.change(USER, GATEWAY, "a", to, b"other".to_vec());
        assert_eq!(changed.await, Ok(Recall::Unknown), "{others:?}");
    }
    // A later one of that id to somebody else does not stand before it.
    let other = add(&store, "a", &["one"]).await;
    assert_eq!(recall(&store, "a", &["two", "one"]).await, Recall::Done(id));
    assert_eq!(recall(&store, "a", &["one"]).await, Recall::Done(other));
    assert_eq!(the_job(&store, id).await.message, b"hello");
}

#[tokio::test]
async fn foreign_ids_point_to_their_part_and_the_newest_wins() {
    let place = Place::new();
    let store = place.open();
    let first = add(&store, "a", &["one", "two"]).await;
    assert!(begin(&store, first, 1, &["k0", "k1"]).await);
    let found = store.reference(GATEWAY, "k1").await.expect("an answer");
    let found = found.expect("a reference");
    assert_eq!(
        (found.number, found.stanza.as_str(), found.job),
        (NUMBER, "a", Some(first))
    );
    assert_eq!((found.copy, found.part), (1, 1));
    assert_eq!(
        store.keys_of(USER, GATEWAY, "a").await,
        Ok(vec!["k0".to_owned(), "k1".to_owned()])
    );
    // Carriers count anew.
    let second = add(&store, "b", &["one"]).await;
    let with_key = CopyReport {
        keys: vec!["k1".to_owned()],
        ..report(second, 0, CopyState::Accepted)
    };
    reported(&store, with_key.clone()).await;
    let found = store.reference(GATEWAY, "k1").await.expect("an answer");
    assert_eq!(found.and_then(|found| found.job), Some(second));
    let elsewhere = store.reference("other.example.org", "k1").await;
    assert_eq!(elsewhere, Ok(None));
    // A report that tells nothing new may still bring ids.
    let late = CopyReport {
        keys: vec!["k2".to_owned()],
        ..with_key
    };
    assert_eq!(reported(&store, late).await, Reported::Stale);
    let found = store.reference(GATEWAY, "k2").await.expect("an answer");
    assert_eq!(found.and_then(|found| found.job), Some(second));
}

#[tokio::test]
async fn only_what_nobody_can_ask_for_any_more_is_forgotten() {
    let place = Place::new();
    let store = place.open();
    let waiting = add(&store, "waiting", &["one"]).await;
    let referred = add(&store, "referred", &["one"]).await;
    let ended = add(&store, "ended", &["one"]).await;
    for job in [referred, ended] {
        reported(&store, report(job, 0, CopyState::Accepted)).await;
    }
    assert!(begin(&store, waiting, 0, &[]).await);
    let with_key = CopyReport {
        keys: vec!["k".to_owned()],
        ..report(referred, 0, CopyState::Delivered)
    };
    reported(&store, with_key).await;
    store
        .deliver(GATEWAY, vec![inward("a")])
        .await
        .expect("taken");
    let known = async |job| store.job(job).await.expect("an answer").is_some();

    store.forget_past(1_000).await.expect("done");
    assert!(known(ended).await, "not past its time");
    store.forget_past(1_001).await.expect("done");
    assert!(!known(ended).await);
    assert!(known(waiting).await && known(referred).await);
    store.forget_past(5_001).await.expect("done");
    assert!(known(waiting).await, "it was not given up yet");
    assert!(!known(referred).await);
    let db = place.witness();
    for (table, left) in [("reference", 0), ("taken", 0), ("job", 1), ("copy", 1)] {
        assert_eq!(count(&db, table), left, "{table}");
    }
    assert_eq!(count(&db, "inbound"), 1, "what has not arrived stays");
}

#[tokio::test]
async fn a_database_of_version_two_is_upgraded_and_takes_messages() {
    let place = Place::new();
    let old = place.witness();
    for migration in &schema::MIGRATIONS[..2] {
        old.execute_batch(migration).expect("an old database");
    }
    old.execute_batch(&format!(
        "PRAGMA user_version = 2;
         INSERT INTO user (id, jid) VALUES (41, '{USER}');
         INSERT INTO gateway (id, domain) VALUES (5, '{GATEWAY}');
         INSERT INTO kept (user, gateway, name, value) VALUES (41, 5, 'nick', x'6a');"
    ))
    .expect("rows");
    drop(old);
    let store = place.open();
    assert_eq!(
        store.kept(USER, GATEWAY, "nick").await,
        Ok(Some(b"j".to_vec()))
    );
    let id = add(&store, "a", &["one"]).await;
    assert_eq!(open(&store).await, [id]);
    let user: i64 = place
        .witness()
        .query_row("SELECT user FROM job", [], |row| row.get(0))
        .expect("a row");
    assert_eq!(user, 41, "the user that was known");
}

#[tokio::test]
async fn silence_ends_in_unknown_and_a_receipt_that_comes_later_still_counts() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one"]).await;
    reported(&store, report(id, 0, CopyState::Accepted)).await;
    // Accepted at 200.
    let elsewhere = store.end_silence("other.example.org", 900, 900).await;
    assert_eq!(elsewhere, Ok(0));
    assert_eq!(store.end_silence(GATEWAY, 200, 900).await, Ok(0));
    assert_eq!(store.end_silence(GATEWAY, 201, 900).await, Ok(1));
    assert_eq!(states(&store, id).await, [CopyState::Unknown]);
    assert_eq!(inbound(&store).await, Vec::<String>::new());
    assert_eq!(open(&store).await, Vec::<u64>::new());
    let known = store.jobs_of(USER, GATEWAY, 10).await.expect("jobs");
    assert_eq!(known.len(), 1, "it can be looked at");
    let delivered = telling(id, CopyState::Delivered, Told::Arrived);
    let told = reported(&store, delivered).await;
    assert!(matches!(told, Reported::Changed(Some(_))), "{told:?}");
    assert_eq!(inbound(&store).await, ["Delivered"]);
    assert_eq!(store.jobs_of(USER, GATEWAY, 10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn each_copy_waits_for_its_own_time() {
    let place = Place::new();
    let store = place.open();
    let id = add(&store, "a", &["one", "two", "three"]).await;
    let lease = || async { lease(&store, &[id]).await.remove(0) };
    assert_eq!(lease().await.turn, [0, 1, 2]);
    let retry = |copy, due| CopyReport {
        due,
        fault: format!("busy {copy}"),
        ..report(id, copy, CopyState::Queued)
    };
    reported(&store, retry(0, 700)).await;
    let job = the_job(&store, id).await;
    assert_eq!((job.turn, job.due), (vec![1, 2], 100), "two are still out");
    assert!(!begin(&store, id, 0, &[]).await, "it is not its turn");
    assert!(begin(&store, id, 1, &[]).await);
    reported(&store, report(id, 1, CopyState::Accepted)).await;
    reported(&store, retry(2, 500)).await;
    let job = the_job(&store, id).await;
    assert_eq!((job.turn, job.due), (vec![], 500));
    assert_eq!(job.fault, "busy 2");
    let second = lease().await;
    assert_eq!((second.turn, second.attempt), (vec![2], 2));
    assert!(!begin(&store, id, 0, &[]).await, "it is due later");
    assert!(!begin(&store, id, 1, &[]).await, "it is done with");
    assert!(begin(&store, id, 2, &[]).await);
    reported(&store, report(id, 2, CopyState::Failed)).await;
    assert_eq!(the_job(&store, id).await.due, 700);
    assert_eq!(lease().await.turn, [0]);
}
