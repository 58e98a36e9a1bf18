//! Messages that are known on both sides.

use super::*;
use crate::store::{Conversation, Known, NewReference};

const GATEWAY: &str = "irc.example.org";
const ROOM: &str = "#garden@irc.example.org";
const JULIET: &str = "juliet@example.org";

fn refer(store: &SqliteStore, user: &str, key: &str, stanza: &str, mine: bool) {
    store.refer(NewReference {
        user: user.to_owned(),
        gateway: GATEWAY.to_owned(),
        peer: ROOM.to_owned(),
        key: key.to_owned(),
        stanza: stanza.to_owned(),
        mine,
        until: 1000,
    });
}

async fn garden(store: &SqliteStore) -> Conversation {
    let room = store.conversation(JULIET, GATEWAY, ROOM);
    room.await.expect("one")
}

async fn known(store: &SqliteStore, user: &str, id: &str) -> Option<Known> {
    store
        .known(user, GATEWAY, ROOM, id)
        .await
        .expect("an answer")
}

#[tokio::test]
async fn what_others_say_in_a_room_is_known_by_its_public_id() {
    let place = Place::new();
    let store = place.open();
    let room = garden(&store).await;
    let key = Some("k1".to_owned());
    store.append(room.id, Row { key, ..row(1) });
    store.append(room.id, row(2));
    let found = known(&store, JULIET, "id-1").await.expect("it is known");
    assert_eq!((found.key.as_str(), found.mine), ("k1", false));
    assert_eq!(found.nick.as_deref(), Some("ferris"));
    assert_eq!(known(&store, JULIET, "id-2").await, None, "it has no key");
    assert_eq!(known(&store, "romeo@example.org", "id-1").await, None);
}

#[tokio::test]
async fn what_the_user_says_is_known_by_his_own_id_and_by_the_public_one() {
    let place = Place::new();
    let store = place.open();
    let room = garden(&store).await;
    let key = Some("k1".to_owned());
    store.append(room.id, Row { key, ..row(1) });
    refer(&store, JULIET, "k1", "m1", true);
    // Another user of the same network knows the same message by other ids.
    refer(&store, "romeo@example.org", "k1", "id-9", false);
    for id in ["id-1", "m1"] {
        let found = known(&store, JULIET, id).await.expect("it is known");
        assert_eq!((found.key.as_str(), found.stanza.as_str()), ("k1", "m1"));
        assert!(found.mine);
    }
    let by_key = store.known_by_key(JULIET, GATEWAY, ROOM, "k1").await;
    assert_eq!(by_key.expect("an answer").expect("known").stanza, "m1");
    let elsewhere = store.known_by_key(JULIET, GATEWAY, "alice", "k1").await;
    assert_eq!(elsewhere.expect("an answer"), None);
}

#[tokio::test]
async fn a_rewritten_message_says_nothing_of_what_it_said() {
    let place = Place::new();
    let store = place.open();
    let room = garden(&store).await;
    store.append(room.id, row(1));
    store.append(room.id, row(2));
    store.rewrite(room.id, "id-1", b"<gone/>".to_vec());
    let rows = store.rows(room.id, ALL).await.expect("rows");
    let stone = String::from_utf8(rows[0].stanza.clone()).expect("text");
    assert!(
        stone.contains("<gone") && !stone.contains("body"),
        "{stone}"
    );
    assert_eq!(rows[1], row(2));
}
