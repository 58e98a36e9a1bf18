//! The program is killed again and again while messages wait, are on their way and are answered:
//! what was taken ends in one receipt, and what came in arrives.
//!
//! The network is the loopback gateway's own queue, which lives in the program: what it keeps is
//! nothing, so a copy that was begun is sent again. Short by default; `ISTHMUS_ENDURE=1` makes it
//! long and wants each state of a message to have been met at a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isthmus_test_support::{Stanza, XmppClient, xmpp_server};

use crate::world::{LOOP, PATIENCE, PING, World};

const GATEWAY: &str = r#"
[gateway.loop]
kind = "loopback"
domain = "loop.localhost"
allow = ["localhost"]
delay_ms = 40
"#;

const REQUEST: &str = "<request xmlns='urn:xmpp:receipts'/>";
const RECEIPTS: &str = "urn:xmpp:receipts";
/// Recipients, and so the ways a message goes.
const NAMES: [&str; 5] = ["ok", "hold", "late", "echo", "read"];
/// States of a copy, by number; 8 is a row on its way in.
const INBOUND: i64 = 8;

/// What is on disk after a kill: how many copies are in which state, and rows on their way in.
fn states(world: &World) -> BTreeMap<i64, i64> {
    let path = world.isthmus.dir().join("isthmus.db");
    let db = rusqlite::Connection::open(path).expect("the database opens");
    let sql = "SELECT state, count(*) FROM copy GROUP BY state \
               UNION ALL SELECT 8, count(*) FROM inbound";
    let mut rows = db.prepare(sql).expect("a statement");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

/// The ids of messages that were taken: those on disk.
fn taken(world: &World) -> BTreeSet<String> {
    let path = world.isthmus.dir().join("isthmus.db");
    let db = rusqlite::Connection::open(path).expect("the database opens");
    let mut rows = db
        .prepare("SELECT stanza_id FROM job")
        .expect("a statement");
    let rows = rows.query_map([], |row| row.get(0));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn receipt_for(stanza: &Stanza) -> Option<String> {
    let received = stanza.find("received", RECEIPTS)?;
    Some(received.attr("id").to_owned())
}

/// Waits until each of these has its receipt, which may have come long ago.
async fn receipts(juliet: &XmppClient, ids: &BTreeSet<String>) {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let log = juliet.log();
        let got: BTreeSet<String> = log.iter().filter_map(receipt_for).collect();
        let missing: Vec<_> = ids.difference(&got).collect();
        if missing.is_empty() {
            return;
        }
        assert!(
            tokio::time::Instant::now() < end,
            "no receipts for {missing:?}"
        );
        // Something comes, or the deadline passes.
        let _ = juliet
            .try_expect(Duration::from_millis(200), |s| receipt_for(s).is_some())
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_ends_in_one_receipt_however_often_the_program_is_killed() {
    let endures = std::env::var("ISTHMUS_ENDURE").is_ok_and(|value| value == "1");
    let kills = if endures { 300 } else { 36 };
    let world = World::start(xmpp_server::Kind::Prosody, GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    let mut met: BTreeMap<i64, i64> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for kill in 0..kills {
        let mut round = BTreeSet::new();
        for number in 0..20 {
            let to = format!("{}%queue@{LOOP}", NAMES[number % NAMES.len()]);
            let body = format!("{kill}.{number}");
            round.insert(juliet.message_with("chat", &to, &body, REQUEST));
        }
        // The moment of the kill differs: right after the program has read them, or after so many
        // of their receipts.
        juliet.iq("get", LOOP, PING).await;
        for _ in 0..kill % 7 {
            let of_round = |s: &Stanza| receipt_for(s).is_some_and(|of| round.contains(&of));
            let receipt = juliet.try_expect(PATIENCE, of_round).await;
            receipt.expect("a receipt of this round");
        }
        ids.append(&mut round);
        tokio::task::block_in_place(|| world.isthmus.kill_hard());
        for (state, count) in states(&world) {
            *met.entry(state).or_default() += count.min(1);
        }
        world.isthmus.restart();
        world.attached(&juliet, LOOP).await;
    }
    let taken: BTreeSet<String> = taken(&world).intersection(&ids).cloned().collect();
    println!(
        "{} of {} were taken; states met: {met:?}",
        taken.len(),
        ids.len()
    );
    receipts(&juliet, &taken).await;
    juliet.collect(LOOP).await;
    check(&juliet, &ids, &taken);
    // Queued, begun, accepted, delivered, read, and on the way in.
    let least = if endures { 10 } else { 1 };
    for state in [0, 1, 3, 4, 5, INBOUND] {
        let times = met.get(&state).copied().unwrap_or(0);
        assert!(times >= least, "state {state} was met {times} times");
    }
}

/// A restart may tell a thing again, under the same id; nothing else is told.
fn check(juliet: &XmppClient, sent: &BTreeSet<String>, taken: &BTreeSet<String>) {
    let log = juliet.log();
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for stanza in log.iter().filter(|s| s.kind() == "message") {
        // The server itself answers in the program's absence.
        let failed = stanza.type_() == "error" && taken.contains(stanza.id());
        assert!(!failed, "{stanza:?}");
        if let Some(of) = receipt_for(stanza) {
            assert!(
                sent.contains(&of),
                "a receipt for what was never sent: {of}"
            );
            told.entry(of).or_default().insert(stanza.id().to_owned());
        }
    }
    for (of, ids) in told {
        assert_eq!(ids.len(), 1, "{of} has receipts under several ids: {ids:?}");
    }
}
