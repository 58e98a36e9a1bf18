//! The loopback gateway's conversation on every server: the shape for gateways to come.

use isthmus_test_support::{XmppClient, xmpp_server::Kind};

use crate::world::{
    DISCO_INFO, LOOP, LOOP_GATEWAY, PING, World, admin, error_text, features, presence_of,
    standing, times,
};

const ROOM: &str = "#garden%net@loop.localhost";

async fn converse(kind: Kind) {
    let world = World::start(kind, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    let romeo = world.user("romeo").await;
    world.attached(&juliet, LOOP).await;
    discovery(&juliet).await;
    entering(&juliet, &romeo).await;
    room_talk(&juliet, &romeo).await;
    private_talk(&juliet, &romeo).await;
    refusals(&juliet).await;
    another_resource(&world, &romeo).await;
    governing(&juliet, &romeo).await;
    assert_eq!(
        world.isthmus.terminate().code(),
        Some(0),
        "{}",
        world.isthmus.log()
    );
}

#[tokio::test]
async fn loopback_converses_on_prosody() {
    converse(Kind::Prosody).await;
}

#[tokio::test]
async fn loopback_converses_on_ejabberd() {
    converse(Kind::Ejabberd).await;
}

#[tokio::test]
async fn loopback_converses_on_jabberd2() {
    converse(Kind::Jabberd2).await;
}

async fn discovery(juliet: &XmppClient) {
    assert!(
        features(juliet, LOOP)
            .await
            .iter()
            .any(|f| f == "http://jabber.org/protocol/muc")
    );
    let info = juliet.iq("get", ROOM, DISCO_INFO).await;
    let identity = info.find("identity", "http://jabber.org/protocol/disco#info");
    assert_eq!(
        identity.expect("a room has an identity").attr("category"),
        "conference"
    );
}

async fn entering(juliet: &XmppClient, romeo: &XmppClient) {
    let ours = juliet.join(ROOM, "juliet").await;
    assert_eq!(standing(&ours), ("admin".into(), "moderator".into()));
    let echo = juliet
        .expect(presence_of(&format!("{ROOM}/echo"), ""))
        .await;
    assert_eq!(standing(&echo), ("owner".into(), "moderator".into()));
    romeo.join(ROOM, "romeo").await;
    romeo
        .expect(presence_of(&format!("{ROOM}/juliet"), ""))
        .await;
    let came = juliet
        .expect(presence_of(&format!("{ROOM}/romeo"), ""))
        .await;
    assert_eq!(standing(&came), ("none".into(), "participant".into()));
}

async fn room_talk(juliet: &XmppClient, romeo: &XmppClient) {
    for body in ["good <morrow> & so on", "/me waves"] {
        let id = juliet.groupchat(ROOM, body);
        let said = |from: &'static str| {
            move |s: &isthmus_test_support::Stanza| {
                s.is_message("groupchat", body) && s.from() == format!("{ROOM}/{from}")
            }
        };
        assert_eq!(juliet.expect(said("juliet")).await.id(), id);
        romeo.expect(said("juliet")).await;
        juliet.expect(said("echo")).await;
        juliet.collect(&format!("{ROOM}/juliet")).await;
        assert_eq!(times(juliet, &id, body), 1, "reflected once");
    }
    let topic = "<subject>roses</subject>";
    juliet.send(&format!(
        "<message type='groupchat' id='s1' to='{ROOM}'>{topic}</message>"
    ));
    let heard = romeo.expect(|s| s.subject() == Some("roses")).await;
    assert_eq!(heard.from(), format!("{ROOM}/juliet"));
    juliet.expect(|s| s.subject() == Some("roses")).await;
}

async fn private_talk(juliet: &XmppClient, romeo: &XmppClient) {
    juliet.chat("romeo%net@loop.localhost", "between us");
    let heard = romeo.expect(|s| s.is_message("chat", "between us")).await;
    assert_eq!(
        heard.from().split('/').next(),
        Some("juliet%net@loop.localhost")
    );
    romeo.chat("juliet%net@loop.localhost", "for ever");
    juliet.expect(|s| s.is_message("chat", "for ever")).await;
    juliet.chat(&format!("{ROOM}/romeo"), "by the room");
    romeo.expect(|s| s.is_message("chat", "by the room")).await;
    juliet.chat("echo%net@loop.localhost", "who is there?");
    let echo = juliet
        .expect(|s| s.is_message("chat", "who is there?"))
        .await;
    assert_eq!(
        echo.from().split('/').next(),
        Some("echo%net@loop.localhost")
    );
}

async fn refusals(juliet: &XmppClient) {
    let id = juliet.chat("nobody%net@loop.localhost", "hello?");
    let error = juliet
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    assert_eq!(error.error_condition(), "item-not-found", "{error:?}");
    let id = juliet.groupchat(ROOM, "!fault-forbidden");
    let error = juliet
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    assert_eq!(error.error_condition(), "forbidden", "{error:?}");
    let omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'/>";
    let id = juliet.message_with("groupchat", ROOM, "I sent an encrypted message", omemo);
    let error = juliet
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    assert_eq!(error.error_condition(), "not-acceptable", "{error:?}");
    assert!(error_text(&error).contains("OMEMO"), "{error:?}");
    for (room, condition) in [
        ("#full", "service-unavailable"),
        ("#banned", "forbidden"),
        ("#key", "not-authorized"),
        ("#invite", "registration-required"),
    ] {
        let room = format!("{room}%net@loop.localhost");
        juliet.send_join(&room, "juliet", "");
        let from = format!("{room}/juliet");
        let error = juliet.expect(presence_of(&from, "error")).await;
        assert_eq!(error.error_condition(), condition, "{error:?}");
    }
    let locked = "#key%net@loop.localhost";
    juliet.send_join(locked, "juliet", "<password>key</password>");
    juliet
        .try_entered(locked, isthmus_test_support::DEADLINE)
        .await
        .expect("the key fits");
    juliet.leave(locked, "juliet");
    juliet
        .expect(presence_of(&format!("{locked}/juliet"), "unavailable"))
        .await;
}

async fn another_resource(world: &World, romeo: &XmppClient) {
    let two = world.resource("juliet", "two").await;
    two.join(ROOM, "juliet").await;
    two.expect(presence_of(&format!("{ROOM}/romeo"), "")).await;
    romeo.groupchat(ROOM, "both of you");
    two.expect(|s| s.is_message("groupchat", "both of you"))
        .await;
    let pong = two.iq("get", &format!("{ROOM}/juliet"), PING).await;
    assert_eq!(pong.type_(), "result");
    two.leave(ROOM, "juliet");
    let gone = two
        .expect(presence_of(&format!("{ROOM}/juliet"), "unavailable"))
        .await;
    assert!(gone.status_codes().contains(&110));
    let pong = two.iq("get", &format!("{ROOM}/juliet"), PING).await;
    assert_eq!(pong.error_condition(), "not-acceptable");
    let seen = romeo.collect(&format!("{ROOM}/romeo")).await;
    let left = seen
        .iter()
        .any(|s| s.from().ends_with("/juliet") && s.type_() == "unavailable");
    assert!(!left, "one of two resources left, the user did not");
}

async fn governing(juliet: &XmppClient, romeo: &XmppClient) {
    romeo.send(&format!("<presence to='{ROOM}/montague'/>"));
    let renamed = juliet
        .expect(presence_of(&format!("{ROOM}/romeo"), "unavailable"))
        .await;
    assert!(renamed.status_codes().contains(&303));
    juliet
        .expect(presence_of(&format!("{ROOM}/montague"), ""))
        .await;
    let kick = admin("montague", "role='none'", "weeds");
    let refused = romeo
        .iq("set", ROOM, &admin("juliet", "role='none'", "no"))
        .await;
    assert_eq!(refused.error_condition(), "forbidden");
    assert_eq!(juliet.iq("set", ROOM, &kick).await.type_(), "result");
    let out = romeo
        .expect(|s| {
            presence_of(&format!("{ROOM}/montague"), "unavailable")(s)
                && s.status_codes().contains(&307)
        })
        .await;
    assert!(out.status_codes().contains(&110), "{out:?}");
    juliet.leave(ROOM, "juliet");
    juliet
        .expect(presence_of(&format!("{ROOM}/juliet"), "unavailable"))
        .await;
}
