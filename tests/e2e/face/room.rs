//! A room as its occupants see it: the order of an entry, codes, talk, private messages.

use std::collections::BTreeSet;

use isthmus_test_support::{Stanza, XmppClient};

use super::{Cast, JULIET, MUC_USER, ROOM, bounced, occupant, stanza_id};
use crate::world::{PING, presence_of, standing};

const DELAY: &str = "urn:xmpp:delay";
const HINTS: &str = "urn:xmpp:hints";

/// What came from a room, in order: `+nick` for presence, `self`, a body, or `subject`.
fn course(stanzas: &[Stanza]) -> Vec<String> {
    let of_room = |s: &&Stanza| s.from().split('/').next() == Some(ROOM);
    let word = |s: &Stanza| match (s.kind(), s.subject()) {
        ("presence", _) if s.status_codes().contains(&110) => "self".to_owned(),
        ("presence", _) => format!("+{}", s.from().rsplit('/').next().unwrap_or_default()),
        ("message", Some(_)) => "subject".to_owned(),
        ("message", None) => s.body().to_owned(),
        (other, _) => other.to_owned(),
    };
    stanzas.iter().filter(of_room).map(word).collect()
}

/// Juliet finds echo, then Romeo both; the codes and ranks of each.
pub(super) async fn entering(cast: &Cast) {
    let ours = cast.juliet.join(ROOM, "juliet").await;
    assert_eq!(ours.status_codes(), [110, 170], "{ours:?}");
    assert_eq!(standing(&ours), ("admin".into(), "moderator".into()));
    let seen = course(&cast.juliet.log());
    assert_eq!(seen, ["+echo", "self", "subject"]);
    let ours = cast.romeo.join(ROOM, "romeo").await;
    assert_eq!(standing(&ours), ("none".into(), "participant".into()));
    let mut seen = course(&cast.romeo.log());
    seen[..2].sort();
    assert_eq!(seen, ["+echo", "+juliet", "self", "subject"]);
    let came = format!("{ROOM}/romeo");
    cast.juliet.expect(presence_of(&came, "")).await;
}

/// What is said comes to everybody, once, with the room's id; the subject is told.
pub(super) async fn talking(cast: &Cast) {
    let (juliet, romeo) = (&cast.juliet, &cast.romeo);
    let id = juliet.groupchat(ROOM, "a rose");
    let (own, theirs) = (format!("{ROOM}/juliet"), format!("{ROOM}/echo"));
    let said = |from: String| move |s: &Stanza| s.from() == from && s.body() == "a rose";
    let reflected = juliet.expect(said(own.clone())).await;
    assert_eq!(reflected.id(), id);
    stanza_id(&reflected, ROOM);
    stanza_id(&juliet.expect(said(theirs)).await, ROOM);
    stanza_id(&romeo.expect(said(own)).await, ROOM);
    romeo.send(&format!(
        "<message type='groupchat' id='subject' to='{ROOM}'><subject>names</subject></message>"
    ));
    for client in [juliet, romeo] {
        let told = client.expect(|s| s.subject() == Some("names")).await;
        assert_eq!(told.from(), format!("{ROOM}/romeo"));
        assert_eq!(told.body(), "");
    }
}

/// Another resource of Juliet's finds others, herself, what was said, the subject, in this order.
pub(super) async fn coming_later(cast: &Cast) {
    let two = cast.world.resource("juliet", "two").await;
    let ours = two.join(ROOM, "another").await;
    assert_eq!(ours.from(), format!("{ROOM}/juliet"), "one user, one name");
    assert_eq!(ours.status_codes(), [110, 170, 210], "{ours:?}");
    let log = two.log();
    let mut seen = course(&log);
    seen[..2].sort();
    let order = ["+echo", "+romeo", "self", "a rose", "a rose", "subject"];
    assert_eq!(seen, order);
    for past in log.iter().filter(|s| s.body() == "a rose") {
        let delay = past.child_ns("delay", DELAY);
        assert!(delay.is_some_and(|it| !it.attr("stamp").is_empty()));
        stanza_id(past, ROOM);
    }
    let subject = log.iter().rfind(|s| s.subject().is_some());
    assert_eq!(subject.and_then(|it| it.subject()), Some("names"));
    // Self-ping (XEP-0410): by who is in, and by who is not.
    let own = format!("{ROOM}/juliet");
    assert_eq!(two.iq("get", &own, PING).await.type_(), "result");
    two.leave(ROOM, "juliet");
    let gone = two.expect(presence_of(&own, "unavailable")).await;
    assert_eq!(gone.status_codes(), [110], "{gone:?}");
    let pong = two.iq("get", &own, PING).await;
    assert_eq!(pong.error_condition(), "not-acceptable", "{pong:?}");
    two.disconnect().await;
}

/// Private messages by the room, once each has written there, and to nobody.
pub(super) async fn by_the_room(cast: &Cast) {
    let (juliet, romeo) = (&cast.juliet, &cast.romeo);
    juliet.chat(&format!("{ROOM}/romeo"), "first");
    romeo.expect(|s| s.is_message("chat", "first")).await;
    romeo.chat(&format!("{ROOM}/juliet"), "second");
    let heard = juliet.expect(|s| s.is_message("chat", "second")).await;
    assert_eq!(heard.from(), format!("{ROOM}/romeo"), "{heard:?}");
    assert!(heard.child_ns("x", MUC_USER).is_some(), "{heard:?}");
    assert!(!occupant(&heard).is_empty(), "{heard:?}");
    let id = juliet.chat(&format!("{ROOM}/nobody"), "anybody?");
    bounced(juliet, &id, "item-not-found").await;
    // Romeo writes to the person now, and is answered there.
    romeo.chat(JULIET, "out of the room");
    juliet.expect(|s| s.body() == "out of the room").await;
    juliet.chat(&format!("{ROOM}/romeo"), "third");
    let heard = romeo.expect(|s| s.is_message("chat", "third")).await;
    assert_eq!(heard.from(), JULIET, "{heard:?}");
}

/// Everything that ever came from an occupant names him by one id (XEP-0421), different for each;
/// what he said to all has the room's id, the same when it is shown again, and no other's.
pub(super) fn occupants_are_named(client: &XmppClient) {
    let (mut known, mut said) = (Vec::<(String, String)>::new(), BTreeSet::new());
    for stanza in client.log() {
        let occupied = stanza.from().strip_prefix(ROOM);
        let Some(nick) = occupied.and_then(|rest| rest.strip_prefix('/')) else {
            continue;
        };
        if stanza.kind() == "iq" || stanza.type_() == "error" {
            continue;
        }
        // Typing is of the moment, and the subject at an entrance is no message of its own.
        let again = stanza.child_ns("delay", DELAY).is_some();
        let typing = stanza.child_ns("no-store", HINTS).is_some();
        if stanza.type_() == "groupchat" && !typing && !(again && stanza.subject().is_some()) {
            let new = said.insert(stanza_id(&stanza, ROOM));
            assert_ne!(new, again, "{stanza:?}");
        }
        let id = occupant(&stanza);
        assert!(!id.is_empty(), "{}: no id: {stanza:?}", client.jid());
        match known.iter().find(|(of, _)| of == nick) {
            Some((_, before)) => assert_eq!(before, id, "{stanza:?}"),
            None => {
                assert!(known.iter().all(|(_, other)| other != id), "{stanza:?}");
                known.push((nick.to_owned(), id.to_owned()));
            }
        }
    }
    assert!(said.len() > 5, "{said:?}");
    for nick in ["juliet", "romeo", "echo"] {
        assert!(known.iter().any(|(of, _)| of == nick), "{nick}: {known:?}");
    }
}
