//! Contacts, and everything of one user.

use super::*;
use crate::store::contacts::{Contact, Contacts, Standing};
use crate::store::{NewReference, Store};

const GATEWAY: &str = "irc.example.org";
const TABLES: [&str; 7] = [
    "message",
    "conversation",
    "reference",
    "kept",
    "sealed",
    "contact",
    "taken",
];

fn contact(user: &str, local: &str, standing: Standing) -> Contact {
    Contact {
        user: user.to_owned(),
        gateway: GATEWAY.to_owned(),
        local: local.to_owned(),
        standing,
    }
}

/// Something of everything that a user may have.
async fn fill(store: &SqliteStore, user: &str) {
    let to = Standing {
        to: true,
        ..Standing::default()
    };
    store.stand(contact(user, "alice%net", to));
    store.keep(user, GATEWAY, "setting", Some(b"on".to_vec()));
    let secret = Secret::new("s3cret".to_owned());
    let sealed = store.seal(user, GATEWAY, "account", &secret).await;
    sealed.expect("sealed");
    let peer = "#garden@irc.example.org";
    let room = store.conversation(user, GATEWAY, peer).await.expect("one");
    store.append(room.id, row(1));
    store.refer(NewReference {
        user: user.to_owned(),
        gateway: GATEWAY.to_owned(),
        peer: peer.to_owned(),
        key: format!("k-{user}"),
        stanza: "m1".to_owned(),
        mine: true,
        until: i64::MAX,
    });
    store.synced().await.expect("on disk");
}

fn counts(place: &Place) -> Vec<i64> {
    let db = place.witness();
    let count = |table| {
        let query = format!("SELECT count(*) FROM {table}");
        db.query_row(&query, [], |row| row.get(0)).expect("a count")
    };
    TABLES.iter().map(count).collect()
}

#[tokio::test]
async fn a_standing_is_kept_until_there_is_none() {
    let place = Place::new();
    let store = place.open();
    let both = Standing {
        to: true,
        from: true,
        ..Standing::default()
    };
    let kept = contact("juliet@example.org", "alice%net", both);
    store.stand(kept.clone());
    store.stand(contact("juliet@example.org", "", both));
    store.stand(contact("juliet@example.org", "", Standing::default()));
    assert_eq!(store.contacts(GATEWAY).await, Ok(vec![kept]));
    assert_eq!(store.contacts("sms.example.org").await, Ok(vec![]));
    for number in 0..16 {
        assert_eq!(Standing::from_number(number).to_number(), number);
    }
}

#[tokio::test]
async fn of_a_forgotten_user_nothing_is_left_but_what_others_have() {
    let place = Place::new();
    let store = place.open();
    fill(&store, "romeo@example.org").await;
    let his = counts(&place);
    fill(&store, "juliet@example.org").await;
    assert!(counts(&place).iter().zip(&his).all(|(all, his)| all >= his));
    assert_ne!(counts(&place), his);
    let all = store.all_of("juliet@example.org", GATEWAY, 10).await;
    let shown = format!("{:?}", all.expect("an answer"));
    for what in [
        "alice%net",
        "setting",
        "#garden@irc.example.org",
        "<message>1",
    ] {
        assert!(shown.contains(what), "{what} in {shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    let forgotten = store.forget("juliet@example.org", GATEWAY).await;
    assert_eq!(forgotten, Ok(()));
    assert_eq!(counts(&place), his);
}
