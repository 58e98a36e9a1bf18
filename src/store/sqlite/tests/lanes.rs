//! What waits in which lane, and how often the disk is waited for.

use std::sync::mpsc;

use super::*;
use crate::store::jobs::{
    CopyReport, CopyState, Depth, Jobs, LanePage, Lanes, NewJob, Sweep, Waits,
};

const GATEWAY: &str = "sms.example.org";

fn new_job(lane: &str, now: i64) -> NewJob {
    NewJob {
        user: "juliet@example.org".to_owned(),
        number: 7,
        gateway: GATEWAY.to_owned(),
        stanza_id: String::new(),
        to: vec!["one".to_owned(), "two".to_owned()],
        lane: lane.to_owned(),
        origin: Vec::new(),
        message: b"hello".to_vec(),
        now,
        expires: 1_000,
    }
}

fn report(job: u64, copy: u16, state: CopyState) -> CopyReport {
    CopyReport {
        job,
        copy,
        state,
        keys: vec![format!("key {job} {copy}")],
        until: 5_000,
        kept: None,
        peer_kept: None,
        now: 200,
        due: 500,
        fault: String::new(),
        tell: None,
    }
}

async fn add(store: &SqliteStore, lane: &str, now: i64) -> u64 {
    let added = store.job_add(new_job(lane, now)).await;
    added.expect("taken")
}

async fn look(store: &SqliteStore, from: &str, now: i64, lanes: usize, page: usize) -> Lanes {
    let from = from.to_owned();
    let sweep = Sweep {
        from,
        now,
        lanes,
        page,
        most: 100,
    };
    let lanes = store.lanes_open(GATEWAY, sweep).await;
    lanes.expect("an answer")
}

fn page(lane: &str, waits: &[(u64, i64)], more: bool) -> LanePage {
    LanePage {
        lane: lane.to_owned(),
        waits: waits.iter().map(|&(id, due)| Waits { id, due }).collect(),
        more,
    }
}

#[tokio::test]
async fn lanes_are_looked_at_by_name_and_a_busy_one_does_not_hide_the_others() {
    let place = Place::new();
    let store = place.open();
    let mut busy = Vec::new();
    for _ in 0..5 {
        busy.push(add(&store, "busy", 100).await);
    }
    let (nameless, late) = (add(&store, "", 50).await, add(&store, "late", 900).await);
    let last = add(&store, "x", 100).await;
    let first = look(&store, "", 100, 3, 2).await;
    let due = [
        page("", &[(nameless, 50)], false),
        page("busy", &[(busy[0], 100), (busy[1], 100)], true),
    ];
    assert_eq!(first.due, due);
    assert_eq!(first.later, Some(900), "of the third, which is not read");
    let next = first.next.expect("there are more");
    let second = look(&store, &next, 100, 3, 2).await;
    assert_eq!(second.due, [page("x", &[(last, 100)], false)]);
    assert_eq!((second.later, second.next), (None, None));
    let late_now = look(&store, &next, 900, 3, 2).await;
    assert_eq!(late_now.due.len(), 1, "the late one is before this");
    assert_eq!(
        look(&store, "late", 900, 1, 2).await.due[0].waits[0].id,
        late
    );
    let other = store.lane_fronts("other.example.org", vec![("busy".to_owned(), 9)]);
    assert_eq!(other.await.expect("an answer"), [page("busy", &[], false)]);
}

#[tokio::test]
async fn a_lane_goes_by_due_time_and_leaves_out_what_has_ended() {
    let place = Place::new();
    let store = place.open();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(add(&store, "a", 100).await);
    }
    // One copy of two is still to be sent: the message is.
    for (id, copy, state) in [
        (ids[0], 0, CopyState::Delivered),
        (ids[1], 0, CopyState::Delivered),
        (ids[1], 1, CopyState::Failed),
        (ids[2], 0, CopyState::Queued),
        (ids[2], 1, CopyState::Queued),
    ] {
        let reported = store.copy_report(report(id, copy, state)).await;
        reported.expect("an answer");
    }
    let user = "juliet@example.org";
    let recalled = store.recall_job(user, GATEWAY, ids[3]).await;
    recalled.expect("an answer");
    let fronts = || store.lane_fronts(GATEWAY, vec![("a".to_owned(), 10)]);
    let waits = [(ids[0], 100), (ids[4], 100), (ids[2], 500)];
    assert_eq!(fronts().await, Ok(vec![page("a", &waits, false)]));
    let leased = store.jobs_lease(ids.clone()).await.expect("an answer");
    let leased: Vec<u64> = leased.iter().map(|job| job.id).collect();
    assert_eq!(leased, [ids[0], ids[2], ids[4]], "in the order asked for");
}

/// Holds the writer until all have asked: what they ask shares one commit.
#[tokio::test]
async fn what_waits_is_counted_by_state_and_what_has_ended_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(&dir.path().join("db")).expect("a store");
    let depth = async || store.queue_depth(GATEWAY).await.expect("an answer");
    assert_eq!(depth().await, Depth::default());
    let first = add(&store, "a", 100).await;
    add(&store, "b", 100).await;
    let queued = |queued, begun| Depth {
        queued,
        begun,
        ..Depth::default()
    };
    assert_eq!(depth().await, queued(4, 0));
    let begun = store.copy_begin(first, 0, Vec::new(), 5_000).await;
    assert_eq!(begun, Ok(true));
    assert_eq!(depth().await, queued(3, 1));
    let ends = move |_: &crate::store::jobs::OpenJob| Some(report(first, 0, CopyState::Delivered));
    store.report_on(first, Box::new(ends)).await.expect("taken");
    assert_eq!(depth().await, queued(3, 0));
    let other = store.queue_depth("email.example.org").await;
    assert_eq!(other, Ok(Depth::default()));
}

async fn commits<T: Send + 'static>(
    store: &SqliteStore,
    asks: impl Fn(u64) -> Later<Result<T, StoreFault>>,
    count: u64,
) -> u64 {
    let (go, hold) = mpsc::channel::<()>();
    let (begun, holds) = mpsc::channel();
    let held = store.ask(move |_| {
        let _ = begun.send(());
        hold.recv().map_err(|_| StoreFault::Closed)
    });
    holds.recv().expect("the writer has come to it");
    let before = store.commits();
    let asked: Vec<_> = (0..count).map(asks).collect();
    go.send(()).expect("the writer waits");
    held.await.expect("released");
    for answer in asked {
        assert!(answer.await.is_ok());
    }
    store.commits() - before
}

#[tokio::test]
async fn what_is_asked_at_the_same_time_shares_a_commit() {
    let place = Place::new();
    let store = place.open();
    let mut ids = Vec::new();
    for _ in 0..200 {
        ids.push(add(&store, "a", 1).await);
    }
    let id = |n: u64| ids[usize::try_from(n).expect("small")];
    // A group ends after 256 or after 10 ms, so a slow machine may need some more; never 200.
    let adds = commits(&store, |_| store.job_add(new_job("b", 1)), 200).await;
    let begins = commits(
        &store,
        |n| store.copy_begin(id(n), 0, vec![format!("k{n}")], 9),
        200,
    );
    let begins = begins.await;
    let reports = commits(
        &store,
        |n| store.copy_report(report(id(n), 0, CopyState::Accepted)),
        200,
    );
    let reports = reports.await;
    let removals = commits(&store, |n| store.inbound_done(vec![n]), 200).await;
    for (what, commits) in [
        ("add", adds),
        ("begin", begins),
        ("report", reports),
        ("remove", removals),
    ] {
        assert!((1..=40).contains(&commits), "{what}: {commits} commits");
    }
    let before = store.commits();
    let leased = store.jobs_lease(ids.clone()).await.expect("an answer");
    assert_eq!((leased.len(), store.commits() - before), (200, 1));
}

#[tokio::test]
async fn finished_messages_of_an_older_program_are_not_looked_for() {
    let place = Place::new();
    {
        let old = place.witness();
        for migration in &schema::MIGRATIONS[..3] {
            old.execute_batch(migration).expect("tables");
        }
        old.execute_batch(
            "PRAGMA user_version = 3;
             INSERT INTO user VALUES (1, 'juliet@example.org');
             INSERT INTO gateway VALUES (1, 'sms.example.org');
             INSERT INTO job VALUES (1, 1, 1, '', 'a', x'', x'', 0, 1, 1, 9, NULL),
                                    (2, 1, 1, '', 'a', x'', x'', 0, 1, 1, 9, NULL);
             INSERT INTO copy VALUES (1, 0, 'x', 4, 0), (2, 0, 'x', 1, 0);",
        )
        .expect("rows");
    }
    let store = place.open();
    let lanes = look(&store, "", 100, 9, 9).await;
    assert_eq!(lanes.due, [page("a", &[(2, 1)], false)]);
}

/// Looking for what waits must not take the longer the more is kept.
#[tokio::test]
async fn what_waits_is_found_in_an_index() {
    let place = Place::new();
    drop(place.open());
    let witness = place.witness();
    for sql in [
        "SELECT lane, due FROM job WHERE open = 1 AND gateway = 1 AND lane >= 'a' \
         ORDER BY lane, due LIMIT 1",
        "SELECT id, due FROM job WHERE open = 1 AND gateway = 1 AND lane = 'a' \
         ORDER BY due, id LIMIT 9",
    ] {
        let plan: Vec<String> = witness
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .and_then(|mut plan| plan.query_map([], |row| row.get(3))?.collect())
            .expect("a plan");
        assert_eq!(plan.len(), 1, "{plan:?}");
        assert!(plan[0].contains("COVERING INDEX job_open"), "{plan:?}");
    }
}
