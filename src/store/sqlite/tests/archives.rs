//! Archives as they are asked, and kept small.

use super::*;
use crate::store::archives::{Archives, Bounds, Filed, Stretch};

const JULIET: &str = "juliet@example.org";
const GATEWAY: &str = "irc.example.org";
const ALICE: &str = "alice%net@irc.example.org";

fn filed(number: i64) -> Filed {
    Filed {
        user: JULIET.to_owned(),
        gateway: GATEWAY.to_owned(),
        peer: ALICE.to_owned(),
        row: Row {
            number: 0,
            ..row(number)
        },
    }
}

/// Ten messages, said a second apart.
async fn ten(store: &SqliteStore) -> ConversationId {
    (1..=10).for_each(|number| store.file(filed(number)));
    let kept = store.archives(JULIET, GATEWAY, Some(ALICE)).await;
    kept.expect("an answer").first().expect("an archive").id
}

async fn numbers(store: &SqliteStore, id: ConversationId) -> Vec<i64> {
    let rows = store.stretch(id, Stretch::ALL, false, 100).await;
    rows.expect("rows").iter().map(|row| row.number).collect()
}

#[tokio::test]
async fn what_is_filed_is_numbered_in_its_order() {
    let place = Place::new();
    let store = place.open();
    let id = ten(&store).await;
    let rows = store.stretch(id, Stretch::ALL, false, 100).await;
    let rows = rows.expect("rows");
    assert_eq!(rows, (1..=10).map(row).collect::<Vec<_>>());
    let nobody = store.archives("romeo@example.org", GATEWAY, Some(ALICE));
    assert!(nobody.await.expect("an answer").is_empty());
}

#[tokio::test]
async fn a_stretch_is_between_numbers_and_times_from_either_end() {
    let place = Place::new();
    let store = place.open();
    let id = ten(&store).await;
    let stretch = Stretch {
        after: 2,
        before: 9,
        since: Some(4000),
        until: Some(7000),
    };
    for (newest, expected) in [(false, [4, 5]), (true, [6, 7])] {
        let rows = store.stretch(id, stretch, newest, 2).await.expect("rows");
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, expected);
    }
    assert_eq!(store.count(id, stretch).await, Ok(4));
    assert_eq!(store.count(id, Stretch::ALL).await, Ok(10));
    let none = Stretch {
        since: Some(11_000),
        ..Stretch::ALL
    };
    assert_eq!(store.stretch(id, none, true, 2).await, Ok(vec![]));
}

#[tokio::test]
async fn ids_are_looked_for_from_the_newest_on() {
    let place = Place::new();
    let store = place.open();
    let id = ten(&store).await;
    let ids = vec!["id-9".to_owned(), "id-3".to_owned()];
    let first = store
        .look(id, ids.clone(), i64::MAX, 4)
        .await
        .expect("a look");
    assert_eq!(first.found, [(9, "id-9".to_owned())]);
    let second = store.look(id, ids, first.below.expect("more"), 40).await;
    let second = second.expect("a look");
    assert_eq!(second.found, [(3, "id-3".to_owned())]);
    assert_eq!(second.below, None);
}

#[tokio::test]
async fn pruning_takes_the_old_and_the_many_step_by_step() {
    let place = Place::new();
    let store = place.open();
    let id = ten(&store).await;
    let bounds = Bounds {
        before: Some(3000),
        rows: Some(6),
        step: 3,
    };
    let mut from = Some(0);
    let mut steps = 0;
    while let Some(at) = from {
        from = store.prune(GATEWAY, at, bounds).await.expect("a step");
        steps += 1;
    }
    assert_eq!(numbers(&store, id).await, [5, 6, 7, 8, 9, 10]);
    assert!(steps > 1, "in one step");
    let other = store.prune(
        "sms.example.org",
        0,
        Bounds {
            rows: Some(1),
            ..bounds
        },
    );
    assert_eq!(other.await, Ok(None));
    assert_eq!(numbers(&store, id).await.len(), 6, "another gateway's");
}

#[tokio::test]
async fn a_tombstone_lies_where_the_message_was_and_what_is_erased_is_gone() {
    let place = Place::new();
    let store = place.open();
    let id = ten(&store).await;
    store.bury(JULIET, GATEWAY, ALICE, "id-4", b"<gone/>".to_vec());
    let one = Stretch {
        after: 3,
        before: 5,
        ..Stretch::ALL
    };
    let rows = store.stretch(id, one, false, 9).await.expect("rows");
    let stone = String::from_utf8(rows[0].stanza.clone()).expect("text");
    assert!(rows.len() == 1 && stone.contains("<gone"), "{stone}");
    assert_eq!(store.erase(id, 8).await, Ok(8));
    assert_eq!(numbers(&store, id).await, [9, 10]);
    assert_eq!(store.erase(id, 8).await, Ok(2));
    store.file(filed(1));
    assert_eq!(numbers(&store, id).await, [1]);
}

#[tokio::test]
async fn every_question_is_answered_from_an_index() {
    let place = Place::new();
    let store = place.open();
    ten(&store).await;
    let witness = place.witness();
    for query in [
        "SELECT number FROM message INDEXED BY message_number WHERE conversation = 1 \
         AND number > 1 AND number < 9 ORDER BY number DESC LIMIT 3",
        "SELECT min(number) FROM message INDEXED BY message_at WHERE conversation = 1 AND at >= 1",
    ] {
        let mut plan = witness
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .expect("a plan");
        let steps: Vec<String> = plan
            .query_map([], |row| row.get(3))
            .expect("steps")
            .collect::<rusqlite::Result<_>>()
            .expect("steps");
        let plan = steps.join("; ");
        assert!(
            plan.contains("SEARCH") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn conversations_come_by_their_last_messages_and_no_message_is_read_for_it() {
    let place = Place::new();
    let store = place.open();
    let said = |peer: &str, number: i64| {
        let filed = filed(number);
        let peer = peer.to_owned();
        store.file(Filed { peer, ..filed });
    };
    let others = ["bob%net@irc.example.org", "carol%net@irc.example.org"];
    for (peer, number) in [(ALICE, 1), (others[0], 2), (others[1], 3), (ALICE, 4)] {
        said(peer, number);
    }
    let kept = store.lately(JULIET, GATEWAY).await.expect("an answer");
    let peers: Vec<&str> = kept.iter().map(|kept| &*kept.peer).collect();
    assert_eq!(peers, [ALICE, others[1], others[0]]);
    let witness = place.witness();
    let query = crate::store::sqlite::archives::LATELY;
    let query = query.replace("?1", "1").replace("?2", "1");
    let mut plan = witness
        .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
        .expect("a plan");
    let steps = plan.query_map([], |row| row.get(3)).expect("steps");
    let steps = steps.collect::<rusqlite::Result<Vec<String>>>();
    let plan = steps.expect("steps").join("; ");
    assert!(
        plan.contains("SEARCH message USING COVERING INDEX message_at") && !plan.contains("SCAN m"),
        "{plan}"
    );
}
