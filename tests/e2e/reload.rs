//! SIGHUP applies what is live, a bad file changes nothing, and no secret is ever logged.

use std::fs;

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Inspircd, IrcClient, IrcServer, XmppClient};

use crate::world::{
    IRC, LOOP, LOOP_GATEWAY, PASSWORD, World, config_at, error_text, irc_gateway_at, isthmus,
    presence_of,
};

const ROOM: &str = "#garden%net@loop.localhost";

fn rewrite(world: &World, from: &str, to: &str) {
    let file = world.isthmus.config_file();
    let text = fs::read_to_string(&file).expect("our own file");
    assert!(text.contains(from), "{from} stands in the file");
    fs::write(&file, text.replace(from, to)).expect("our own file");
}

fn reload(world: &World, says: &str) {
    let before = world
        .isthmus
        .log()
        .lines()
        .filter(|line| line.contains(says))
        .count();
    world.isthmus.hangup();
    tokio::task::block_in_place(|| world.isthmus.wait_for_log_count(says, before + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_excludes_a_user_and_lets_him_back() {
    let world = World::start(Kind::Prosody, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    let romeo = world.user("romeo").await;
    world.attached(&juliet, LOOP).await;
    juliet.join(ROOM, "juliet").await;
    romeo.join(ROOM, "romeo").await;

    rewrite(
        &world,
        "allow = [\"localhost\"]",
        "allow = [\"romeo@localhost\"]",
    );
    reload(&world, "configuration read again");
    let out = juliet
        .expect(presence_of(&format!("{ROOM}/juliet"), "unavailable"))
        .await;
    assert!(out.status_codes().contains(&110), "{out:?}");
    assert!(
        out.text_of("status").contains("does not serve you"),
        "{out:?}"
    );
    romeo
        .expect(presence_of(&format!("{ROOM}/juliet"), "unavailable"))
        .await;
    juliet.send_join(ROOM, "juliet", "");
    let refused = juliet
        .expect(presence_of(&format!("{ROOM}/juliet"), "error"))
        .await;
    assert_eq!(refused.error_condition(), "not-allowed", "{refused:?}");
    assert!(
        error_text(&refused).contains("does not admit you"),
        "{refused:?}"
    );

    rewrite(
        &world,
        "allow = [\"romeo@localhost\"]",
        "allow = [\"localhost\"]",
    );
    reload(&world, "configuration read again");
    juliet.join(ROOM, "juliet").await;
    romeo.groupchat(ROOM, "welcome back");
    juliet
        .expect(|s| s.is_message("groupchat", "welcome back"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_of_a_bad_file_keeps_the_old_configuration() {
    let world = World::start(Kind::Prosody, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    juliet.join(ROOM, "juliet").await;
    rewrite(
        &world,
        "allow = [\"localhost\"]",
        "allow = [\"not a jid@\"]\nallowed = 1",
    );
    reload(&world, "configuration not reloaded");
    let id = juliet.groupchat(ROOM, "still here");
    juliet
        .expect(|s| s.id() == id && s.type_() == "groupchat")
        .await;
    rewrite(
        &world,
        "allow = [\"not a jid@\"]\nallowed = 1",
        "allow = [\"localhost\"]",
    );
    rewrite(&world, "level = \"info\"", "level = \"debug\"");
    reload(&world, "configuration read again");
    juliet.groupchat(ROOM, "and after it");
    juliet
        .expect(|s| s.is_message("groupchat", "and after it"))
        .await;
}

/// What people say and what opens doors, on the loopback network.
async fn confide(juliet: &XmppClient) {
    juliet.join(ROOM, "juliet").await;
    for (to, words) in [
        ("echo%net", "confidential-chat"),
        ("nobody%net", "confidential-lost"),
    ] {
        let id = juliet.chat(&format!("{to}@{LOOP}"), words);
        juliet
            .expect(|s| s.kind() == "message" && (s.body() == words || s.id() == id))
            .await;
    }
    juliet.groupchat(ROOM, "confidential-room");
    juliet
        .expect(|s| s.is_message("groupchat", "confidential-room"))
        .await;
    let key = "<password>confidential-key</password>";
    juliet.send_join("#key%net@loop.localhost", "juliet", key);
    juliet
        .expect(|s| s.kind() == "presence" && s.type_() == "error")
        .await;
}

/// The same on IRC, with refusals, and a topic that nobody else has to read either.
async fn confide_on_irc(juliet: &XmppClient, alice: &IrcClient) {
    let (channel, room) = ("#garden", "#garden%local@irc.localhost");
    alice.join(channel).await;
    alice.send(&format!("MODE {channel} +k confidential-key"));
    alice.send(&format!("TOPIC {channel} :confidential-topic"));
    alice.expect(|line| line.command == "TOPIC").await;
    juliet.send_join(room, "juliet", "<password>confidential-guess</password>");
    juliet
        .expect(presence_of(&format!("{room}/juliet"), "error"))
        .await;
    juliet.send_join(room, "juliet", "<password>confidential-key</password>");
    juliet
        .try_entered(room, isthmus_test_support::DEADLINE)
        .await
        .expect("the key fits");
    juliet.groupchat(room, "confidential-out");
    alice.expect(|line| line.last() == "confidential-out").await;
    alice.privmsg(channel, "confidential-in");
    juliet
        .expect(|s| s.is_message("groupchat", "confidential-in"))
        .await;
    let id = juliet.chat("nobody%local@irc.localhost", "confidential-lost");
    juliet
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    // As people log in to services: a raw line.
    juliet.chat(
        "local@irc.localhost",
        "PRIVMSG alice :IDENTIFY confidential-services",
    );
    alice
        .expect(|line| line.last() == "IDENTIFY confidential-services")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reload_and_all_else_never_logs_secrets_or_words() {
    // InspIRCd takes a password where it has none set.
    let (xmpp, irc) = (Kind::Prosody.start(), Inspircd::start());
    let address = format!("127.0.0.1:{}", irc.port());
    let keys = "tls = \"off\"\npassword = \"confidential-server-password\"";
    let gateways = [LOOP_GATEWAY, &irc_gateway_at(&address, keys)].concat();
    let config = config_at(xmpp.component_port(), xmpp.secret(), "trace", &gateways);
    let world = World {
        isthmus: isthmus(&config),
        xmpp,
    };
    let juliet = world.user("juliet").await;
    let alice = IrcClient::connect(irc.port(), "alice").await;
    world.attached(&juliet, LOOP).await;
    world.attached(&juliet, IRC).await;
    confide(&juliet).await;
    confide_on_irc(&juliet, &alice).await;
    reload(&world, "configuration read again");
    let status = tokio::task::block_in_place(|| world.isthmus.terminate());
    assert_eq!(status.code(), Some(0));
    let log = world.isthmus.log();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the run was told to log everything"
    );
    for secret in [world.xmpp.secret(), PASSWORD, "confidential"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "logged");
    }
}
