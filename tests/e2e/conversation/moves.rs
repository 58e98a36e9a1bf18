//! What changes in a room: nicknames, topics, ranks, and who is thrown out.

use isthmus_test_support::Stanza;

use super::{CHANNEL, ROOM, Scene};
use crate::world::{admin, presence_of, standing};

const USER: &str = "http://jabber.org/protocol/muc#user";

fn item(presence: &Stanza, attribute: &str) -> String {
    presence
        .find("item", USER)
        .map_or("", |item| item.attr(attribute))
        .to_owned()
}

/// XEP-0045 §7.6, in both directions.
pub(super) async fn nicknames(scene: &Scene) {
    let (juliet, bob) = (&scene.juliet, &scene.bob);
    bob.send("NICK robert");
    let old = juliet
        .expect(presence_of(&Scene::occupant("bob"), "unavailable"))
        .await;
    assert!(old.status_codes().contains(&303), "{old:?}");
    assert_eq!(item(&old, "nick"), "robert");
    let new = juliet
        .expect(presence_of(&Scene::occupant("robert"), ""))
        .await;
    assert_eq!(standing(&new), ("member".into(), "participant".into()));
    bob.send("NICK bob");
    juliet
        .expect(presence_of(&Scene::occupant("bob"), ""))
        .await;

    for (from, to) in [("juliet", "jules"), ("jules", "juliet")] {
        juliet.send(&format!("<presence to='{}'/>", Scene::occupant(to)));
        bob.expect(|line| line.command == "NICK" && line.nick() == from && line.last() == to)
            .await;
        let old = juliet
            .expect(presence_of(&Scene::occupant(from), "unavailable"))
            .await;
        let codes = old.status_codes();
        assert!(codes.contains(&303) && codes.contains(&110), "{old:?}");
        let new = juliet.expect(presence_of(&Scene::occupant(to), "")).await;
        assert!(new.status_codes().contains(&110), "{new:?}");
    }
    juliet.send(&format!(
        "<presence id='taken' to='{}'/>",
        Scene::occupant("alice")
    ));
    let error = juliet
        .expect(|s| s.kind() == "presence" && s.type_() == "error")
        .await;
    assert_eq!(
        (error.error_condition(), error.id()),
        ("conflict", "taken"),
        "{error:?}"
    );
}

/// XEP-0045 §8.1 and §9.6.
pub(super) async fn topics_and_ranks(scene: &Scene) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    alice.send(&format!("TOPIC {CHANNEL} :by alice"));
    let told = juliet.expect(|s| s.subject() == Some("by alice")).await;
    assert_eq!(told.from(), Scene::occupant("alice"));
    alice.send(&format!("MODE {CHANNEL} +o juliet"));
    let ours = juliet
        .expect(|s| {
            presence_of(&Scene::occupant("juliet"), "")(s) && item(s, "role") == "moderator"
        })
        .await;
    assert_eq!(
        standing(&ours),
        ("admin".into(), "moderator".into()),
        "{ours:?}"
    );
    sets_topic(scene, "by juliet").await;
    let moderate = admin("bob", "role='moderator'", "");
    let answer = juliet.iq("set", ROOM, &moderate).await;
    assert_eq!(answer.type_(), "result", "{answer:?}");
    juliet
        .expect(|s| presence_of(&Scene::occupant("bob"), "")(s) && item(s, "role") == "moderator")
        .await;
}

/// A server with others linked takes one topic a second: what it asks to say later is said again.
async fn sets_topic(scene: &Scene, text: &str) {
    let (juliet, alice) = (&scene.juliet, &scene.alice);
    loop {
        let id = juliet.fresh_id();
        juliet.send(&format!(
            "<message type='groupchat' id='{id}' to='{ROOM}'><subject>{text}</subject></message>"
        ));
        let answer = juliet
            .expect(|s| s.subject() == Some(text) || (s.id() == id && s.type_() == "error"))
            .await;
        if answer.type_() != "error" {
            assert_eq!(answer.from(), Scene::occupant("juliet"));
            break;
        }
        let condition = answer.error_condition();
        assert_eq!(condition, "resource-constraint", "{answer:?}");
    }
    alice
        .expect(|line| line.is("TOPIC", &[CHANNEL, text]))
        .await;
}

/// XEP-0045 §8.2, in both directions.
pub(super) async fn kicks(scene: &Scene) {
    let (juliet, alice, bob) = (&scene.juliet, &scene.alice, &scene.bob);
    let kick = admin("bob", "role='none'", "weeds");
    let answer = juliet.iq("set", ROOM, &kick).await;
    assert_eq!(answer.type_(), "result", "{answer:?}");
    let out = bob.expect(|line| line.is("KICK", &[CHANNEL, "bob"])).await;
    assert_eq!((out.nick(), out.last()), ("juliet", "weeds"));
    let gone = juliet
        .expect(presence_of(&Scene::occupant("bob"), "unavailable"))
        .await;
    assert!(gone.status_codes().contains(&307), "{gone:?}");

    alice.send(&format!("KICK {CHANNEL} juliet :enough"));
    let out = juliet
        .expect(presence_of(&Scene::occupant("juliet"), "unavailable"))
        .await;
    let codes = out.status_codes();
    assert!(codes.contains(&307) && codes.contains(&110), "{out:?}");
    let actor = out
        .find("actor", USER)
        .map_or("", |actor| actor.attr("nick"));
    let reason = out
        .find("reason", USER)
        .map_or("", |reason| reason.text.as_str());
    assert_eq!((actor, reason), ("alice", "enough"), "{out:?}");
    let id = juliet.groupchat(ROOM, "am I still in?");
    let error = juliet.expect(|s| s.id() == id).await;
    assert_eq!(error.error_condition(), "not-acceptable", "{error:?}");
    let back = juliet.join(ROOM, "juliet").await;
    assert_eq!(standing(&back), ("none".into(), "participant".into()));
    let weak = admin("alice", "role='none'", "revenge");
    let refused = juliet.iq("set", ROOM, &weak).await;
    assert_eq!(refused.error_condition(), "forbidden", "{refused:?}");
}
