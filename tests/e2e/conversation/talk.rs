//! What is said: in the room, in private, as an action, and what cannot be said.

use super::{CHANNEL, ROOM, Scene};
use crate::world::{error_text, times};

/// Out to the channel and reflected once under the sender's id; in with the network's nickname.
pub(super) async fn in_the_room(scene: &Scene) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    let body = "what's in a <name> & so on? ünïcödé";
    let id = juliet.groupchat(ROOM, body);
    let heard = alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, body]))
        .await;
    assert_eq!(heard.nick(), "juliet");
    let ours = juliet.expect(|s| s.is_message("groupchat", body)).await;
    assert_eq!(
        (ours.id(), ours.from()),
        (id.as_str(), &*Scene::occupant("juliet"))
    );

    let lines = "first line\nsecond line";
    let many = juliet.groupchat(ROOM, lines);
    alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, "first line"]))
        .await;
    alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, "second line"]))
        .await;
    juliet.expect(|s| s.is_message("groupchat", lines)).await;

    alice.privmsg(CHANNEL, "a rose <would> smell & sweet");
    let said = |s: &isthmus_test_support::Stanza| {
        s.is_message("groupchat", "a rose <would> smell & sweet")
    };
    let heard = juliet.expect(said).await;
    assert_eq!(heard.from(), Scene::occupant("alice"));
    assert!(
        heard.child_ns("stanza-id", "urn:xmpp:sid:0").is_some(),
        "{heard:?}"
    );
    scene.settle().await;
    assert_eq!(
        (times(juliet, &id, body), times(juliet, &many, lines)),
        (1, 1)
    );
}

/// By the contact's address, and by the room.
pub(super) async fn in_private(scene: &Scene) {
    let (juliet, alice, bob) = (&scene.juliet, &scene.alice, &scene.bob);
    juliet.chat("bob%local@irc.localhost", "between us?");
    let heard = bob
        .expect(|line| {
            line.is("PRIVMSG", &["juliet", "between us?"])
                || line.is("PRIVMSG", &["bob", "between us?"])
        })
        .await;
    assert_eq!(heard.nick(), "juliet");
    bob.privmsg("juliet", "for ever");
    let heard = juliet.expect(|s| s.is_message("chat", "for ever")).await;
    assert_eq!(
        heard.from().split('/').next(),
        Some("bob%local@irc.localhost")
    );
    juliet.chat(&Scene::occupant("alice"), "by the room");
    alice
        .expect(|line| line.is("PRIVMSG", &["alice", "by the room"]))
        .await;
    alice.privmsg("juliet", "back by the room");
    let heard = juliet
        .expect(|s| s.is_message("chat", "back by the room"))
        .await;
    assert_eq!(heard.from(), Scene::occupant("alice"));
    // Private words stay private.
    let all = alice.collect().await;
    assert!(
        !all.iter().any(|line| line.last().contains("between us")),
        "{all:?}"
    );
}

/// XEP-0245 and CTCP ACTION.
pub(super) async fn actions(scene: &Scene) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    juliet.groupchat(ROOM, "/me waves");
    alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, "\u{1}ACTION waves\u{1}"]))
        .await;
    juliet
        .expect(|s| s.is_message("groupchat", "/me waves"))
        .await;
    alice.privmsg(CHANNEL, "\u{1}ACTION bows\u{1}");
    let heard = juliet
        .expect(|s| s.is_message("groupchat", "/me bows"))
        .await;
    assert_eq!(heard.from(), Scene::occupant("alice"));
    juliet.chat("bob%local@irc.localhost", "/me nods");
    scene
        .bob
        .expect(|line| line.is("PRIVMSG", &["bob", "\u{1}ACTION nods\u{1}"]))
        .await;
}

/// The very message comes back, with the network's words.
pub(super) async fn that_fails(scene: &Scene) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    alice.send(&format!("MODE {CHANNEL} +m"));
    scene
        .bob
        .expect(|line| line.is("MODE", &[CHANNEL, "+m"]))
        .await;
    let id = juliet.groupchat(ROOM, "may I speak?");
    let error = juliet.expect(|s| s.id() == id).await;
    assert_eq!(
        (error.type_(), error.error_condition()),
        ("error", "forbidden"),
        "{error:?}"
    );
    assert!(!error_text(&error).is_empty(), "{error:?}");
    alice.send(&format!("MODE {CHANNEL} -m"));
    scene
        .bob
        .expect(|line| line.is("MODE", &[CHANNEL, "-m"]))
        .await;
    let id = juliet.groupchat(ROOM, "and now?");
    let ours = juliet.expect(|s| s.id() == id).await;
    assert_eq!(ours.type_(), "groupchat", "{ours:?}");

    let id = juliet.chat("nobody%local@irc.localhost", "is there anybody?");
    let error = juliet.expect(|s| s.id() == id).await;
    assert_eq!(error.error_condition(), "item-not-found", "{error:?}");
    assert_eq!(
        error.from().split('/').next(),
        Some("nobody%local@irc.localhost")
    );
    let id = juliet.chat(&Scene::occupant("nobody"), "is there anybody here?");
    let error = juliet.expect(|s| s.id() == id).await;
    assert_eq!(error.error_condition(), "item-not-found", "{error:?}");
    let id = juliet.groupchat("#elsewhere%local@irc.localhost", "am I in?");
    let error = juliet.expect(|s| s.id() == id).await;
    assert_eq!(error.error_condition(), "not-acceptable", "{error:?}");

    let omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>";
    let id = juliet.message_with("groupchat", ROOM, "you cannot read this", omemo);
    let error = juliet.expect(|s| s.id() == id).await;
    assert_eq!(error.error_condition(), "not-acceptable", "{error:?}");
    assert!(error_text(&error).contains("OMEMO"), "{error:?}");
    scene.settle().await;
    let heard = alice.collect().await;
    assert!(
        !heard
            .iter()
            .any(|line| line.raw.contains("cannot read this")),
        "{heard:?}"
    );
}
