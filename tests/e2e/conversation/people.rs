//! Who is there: entering, being found, another resource, leaving.

use isthmus_test_support::irc_client::Line;

use super::{CHANNEL, ROOM, Scene};
use crate::world::{DISCO_INFO, IRC, PING, features, presence_of, standing};

/// XEP-0045 §7.2: the others with their ranks, oneself, the subject.
pub(super) async fn enter(scene: &Scene) {
    let juliet = &scene.juliet;
    let ours = juliet.join(ROOM, "juliet").await;
    assert_eq!(ours.from(), Scene::occupant("juliet"));
    assert_eq!(standing(&ours), ("none".into(), "participant".into()));
    let log = juliet.log();
    let order: Vec<&str> = log
        .iter()
        .filter(|s| s.from().starts_with(ROOM))
        .map(|s| {
            if s.subject().is_some() {
                "subject"
            } else {
                s.from().rsplit('/').next().unwrap_or_default()
            }
        })
        .collect();
    // What comes behind the subject is of the moment already.
    let subject = order.iter().position(|&it| it == "subject");
    let before = subject.map(|at| &order[at - 1..at]);
    assert_eq!(before, Some(&["juliet"][..]), "{order:?}");
    let alice = juliet
        .expect(presence_of(&Scene::occupant("alice"), ""))
        .await;
    assert_eq!(standing(&alice), ("admin".into(), "moderator".into()));
    let bob = juliet
        .expect(presence_of(&Scene::occupant("bob"), ""))
        .await;
    assert_eq!(standing(&bob), ("member".into(), "participant".into()));
    let subject = log.iter().find_map(|s| s.subject());
    assert_eq!(subject, Some("a rose by any name"));
    scene
        .alice
        .expect(|line| line.is("JOIN", &[CHANNEL]) && line.nick() == "juliet")
        .await;
}

/// Service discovery, and the self-ping of XEP-0410.
pub(super) async fn discover(scene: &Scene) {
    let juliet = &scene.juliet;
    let muc = "http://jabber.org/protocol/muc";
    assert!(features(juliet, IRC).await.iter().any(|f| f == muc));
    let room = features(juliet, ROOM).await;
    assert!(room.iter().any(|f| f == muc), "{room:?}");
    let stable = "http://jabber.org/protocol/muc#stable_id";
    assert!(room.iter().any(|f| f == stable), "{room:?}");
    let info = juliet.iq("get", ROOM, DISCO_INFO).await;
    let query = info.child("query").expect("an answer");
    let count = query
        .children_named("x")
        .flat_map(|form| form.children_named("field"))
        .find(|f| f.attr("var") == "muc#roominfo_occupants");
    assert_eq!(count.map(|f| f.text_of("value")), Some("3"));
    let pong = juliet.iq("get", &Scene::occupant("juliet"), PING).await;
    assert_eq!(pong.type_(), "result", "{pong:?}");
    let stranger = juliet
        .iq("get", "#elsewhere%local@irc.localhost/juliet", PING)
        .await;
    assert_eq!(stranger.error_condition(), "not-acceptable", "{stranger:?}");
}

/// A second resource enters from the gateway's own state and leaves without anybody noticing.
pub(super) async fn second_resource(scene: &Scene) {
    scene.alice.collect().await;
    let two = scene.world.resource("juliet", "two").await;
    let ours = two.join(ROOM, "juliet").await;
    assert_eq!(ours.from(), Scene::occupant("juliet"));
    two.expect(presence_of(&Scene::occupant("alice"), "")).await;
    scene.alice.privmsg(CHANNEL, "to both");
    two.expect(|s| s.is_message("groupchat", "to both")).await;
    scene
        .juliet
        .expect(|s| s.is_message("groupchat", "to both"))
        .await;
    let id = two.groupchat(ROOM, "from the second");
    let ours = two
        .expect(|s| s.is_message("groupchat", "from the second"))
        .await;
    assert_eq!(ours.id(), id);
    scene
        .juliet
        .expect(|s| s.is_message("groupchat", "from the second"))
        .await;
    two.leave(ROOM, "juliet");
    two.expect(presence_of(&Scene::occupant("juliet"), "unavailable"))
        .await;
    scene.settle().await;
    let seen = scene.alice.collect().await;
    let moved = |line: &&Line| line.is("PART", &[CHANNEL]) || line.is("JOIN", &[CHANNEL]);
    let moved: Vec<_> = seen.iter().filter(moved).collect();
    assert!(
        moved.is_empty(),
        "one of two resources came and left, the user did not: {moved:?}"
    );
}

/// Bob comes and parts; the words of it that the channel, and juliet, were told.
async fn parted(scene: &Scene) -> String {
    let (juliet, bob) = (&scene.juliet, &scene.bob);
    bob.join(CHANNEL).await;
    juliet
        .expect(presence_of(&Scene::occupant("bob"), ""))
        .await;
    bob.send(&format!("PART {CHANNEL} :to the orchard"));
    let parted = juliet
        .expect(presence_of(&Scene::occupant("bob"), "unavailable"))
        .await;
    let told = |line: &Line| line.is("PART", &[CHANNEL]) && line.nick() == "bob";
    let told = scene.alice.expect(told).await;
    let words = told.params.get(1).cloned().unwrap_or_default();
    assert_eq!(parted.text_of("status"), words, "{parted:?}");
    words
}

/// Somebody parts, somebody quits, and we leave.
pub(super) async fn leave(scene: &Scene) {
    let (juliet, bob) = (&scene.juliet, &scene.bob);
    // ircd-hybrid keeps to itself what somebody says on leaving in the second he came in.
    let mut words = String::new();
    while words.is_empty() {
        words = parted(scene).await;
    }
    assert_eq!(words, "to the orchard");
    bob.join(CHANNEL).await;
    juliet
        .expect(presence_of(&Scene::occupant("bob"), ""))
        .await;
    bob.send("QUIT :to bed");
    let quit = juliet
        .expect(presence_of(&Scene::occupant("bob"), "unavailable"))
        .await;
    let told = |line: &Line| line.command == "QUIT" && line.nick() == "bob";
    let told = scene.alice.expect(told).await;
    assert_eq!(quit.text_of("status"), told.last(), "{quit:?}");
    let hidden = told.last() == "Quit: ";
    assert!(hidden || told.last().contains("to bed"), "{told:?}");
    juliet.send(&format!(
        "<presence to='{}' type='unavailable'><status>parting</status></presence>",
        Scene::occupant("juliet")
    ));
    let gone = juliet
        .expect(presence_of(&Scene::occupant("juliet"), "unavailable"))
        .await;
    assert!(gone.status_codes().contains(&110), "{gone:?}");
    let left =
        |line: &Line| matches!(line.command.as_str(), "PART" | "QUIT") && line.nick() == "juliet";
    let left = scene.alice.expect(left).await;
    assert!(
        left.raw.contains("parting") || left.command == "QUIT",
        "{left:?}"
    );
}
