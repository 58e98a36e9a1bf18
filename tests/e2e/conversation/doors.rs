//! Channels that do not let everybody in.

use isthmus_test_support::DEADLINE;

use super::Scene;
use crate::world::{error_text, presence_of};

fn room(channel: &str) -> String {
    format!("{channel}%local@irc.localhost")
}

/// The very presence comes back, with the condition of XEP-0045 §7.2.
pub(super) async fn refuse(scene: &Scene) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    for (channel, mode, condition) in [
        ("#locked", "+k sesame", "not-authorized"),
        ("#closed", "+i", "registration-required"),
        ("#banning", "+b juliet!*@*", "forbidden"),
        ("#narrow", "+l 1", "service-unavailable"),
    ] {
        alice.join(channel).await;
        alice.send(&format!("MODE {channel} {mode}"));
        alice
            .expect(|line| line.is("MODE", &[channel]) && line.nick() == "alice")
            .await;
        let to = format!("{}/juliet", room(channel));
        let id = juliet.fresh_id();
        juliet.send(&format!(
            "<presence id='{id}' to='{to}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        let error = juliet.expect(presence_of(&to, "error")).await;
        assert_eq!(
            (error.error_condition(), error.id()),
            (condition, id.as_str()),
            "{error:?}"
        );
        assert!(!error_text(&error).is_empty(), "{error:?}");
    }
    let locked = room("#locked");
    juliet.send_join(&locked, "juliet", "<password>sesame</password>");
    juliet
        .try_entered(&locked, DEADLINE)
        .await
        .expect("the key fits");
    juliet.leave(&locked, "juliet");
    juliet
        .expect(presence_of(&format!("{locked}/juliet"), "unavailable"))
        .await;
}

/// An invitation comes from the room, says who invites, and opens the door.
pub(super) async fn invite(scene: &Scene) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    alice.send("INVITE juliet #closed");
    let invitation = juliet
        .expect(|s| s.find("x", "jabber:x:conference").is_some())
        .await;
    let x = invitation
        .find("x", "jabber:x:conference")
        .expect("it was just found");
    let closed = room("#closed");
    assert_eq!((x.attr("jid"), invitation.from()), (&*closed, &*closed));
    let invite = invitation.find("invite", "http://jabber.org/protocol/muc#user");
    let by = invite.and_then(|it| it.attr("from").strip_prefix("alice%local@"));
    assert!(by.is_some(), "{invitation:?}");
    juliet.join(&closed, "juliet").await;
    juliet
        .expect(presence_of(&format!("{closed}/alice"), ""))
        .await;
    juliet.leave(&closed, "juliet");
    juliet
        .expect(presence_of(&format!("{closed}/juliet"), "unavailable"))
        .await;
}
