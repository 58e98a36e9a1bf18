//! Those who run a gateway read the configuration again and shut it down from where they chat.

use std::fs;

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Ngircd, XmppClient};

use crate::world::{IRC, LOOP, PATIENCE, World, answers, irc_gateway, presence_of};

const ROOM: &str = "#garden%net@loop.localhost";
const CHANNEL: &str = "#garden%local@irc.localhost";

/// The loopback gateway, run by juliet.
const GATEWAY: &str = r#"
[gateway.loop]
kind = "loopback"
domain = "loop.localhost"
allow = ["localhost"]
admins = ["juliet@localhost"]
"#;

fn rewrite(world: &World, from: &str, to: &str) {
    let file = world.isthmus.config_file();
    let text = fs::read_to_string(&file).expect("our own file");
    assert!(text.contains(from), "{from} stands in the file");
    fs::write(&file, text.replace(from, to)).expect("our own file");
}

/// Waits until juliet is told that a room closes with its gateway.
async fn shown_out(juliet: &XmppClient, room: &str) {
    let own = format!("{room}/juliet");
    let left = juliet
        .try_expect(PATIENCE, presence_of(&own, "unavailable"))
        .await
        .expect("the time has come");
    assert!(left.status_codes().contains(&332), "{left:?}");
}

/// Says something to the gateway; its answer.
async fn said(client: &XmppClient, gateway: &str, words: &str) -> String {
    let id = client.chat(gateway, words);
    let answer = client
        .expect(|s| s.kind() == "message" && s.from() == gateway && s.id() != id)
        .await;
    answer.body().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_by_command_tells_what_holds_and_what_waits_and_a_bad_file_changes_nothing() {
    let world = World::start(Kind::Prosody, GATEWAY);
    let juliet = world.user("juliet").await;
    let romeo = world.user("romeo").await;
    world.attached(&juliet, LOOP).await;
    romeo.join(ROOM, "romeo").await;
    let nothing = said(&juliet, LOOP, "reload").await;
    assert!(
        nothing.contains("changed: nothing; waits for a restart: nothing"),
        "{nothing}"
    );
    rewrite(&world, "allow = [\"localhost\"]", "allow = []");
    rewrite(&world, "isthmus.db", "other.db");
    let told = said(&juliet, LOOP, "reload").await;
    assert!(told.contains("changed: gateway.loop.allow;"), "{told}");
    assert!(told.contains("restart: store.path"), "{told}");
    // It holds when it is told.
    romeo
        .expect(presence_of(&format!("{ROOM}/romeo"), "unavailable"))
        .await;
    romeo.send_join(ROOM, "romeo", "");
    let refused = romeo
        .expect(presence_of(&format!("{ROOM}/romeo"), "error"))
        .await;
    assert_eq!(refused.error_condition(), "not-allowed", "{refused:?}");

    rewrite(
        &world,
        "allow = []",
        "allow = [\"not a jid@\"]\nallowed = 1",
    );
    let wrong = said(&juliet, LOOP, "reload").await;
    for key in ["gateway.loop.allow", "gateway.loop.allowed"] {
        assert!(wrong.contains(key), "{wrong}");
    }
    romeo.send_join(ROOM, "romeo", "");
    romeo
        .expect(presence_of(&format!("{ROOM}/romeo"), "error"))
        .await;
    let still = said(&juliet, LOOP, "count online").await;
    assert!(still.contains("users"), "she still runs it: {still}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_shut_down_alone_and_the_program_ends_with_the_last() {
    let irc = Ngircd::start();
    let admins = "allow = [\"localhost\"]\nadmins = [\"juliet@localhost\"]";
    let second = irc_gateway(&irc).replace("allow = [\"localhost\"]", admins);
    let world = World::start(Kind::Prosody, &[GATEWAY, &second].concat());
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    world.attached(&juliet, IRC).await;
    for room in [ROOM, CHANNEL] {
        juliet.join(room, "juliet").await;
    }
    let told = said(&juliet, IRC, "shutdown 60").await;
    assert_eq!(told, "shutting down in 60 seconds");
    let told = said(&juliet, LOOP, "shutdown").await;
    assert_eq!(told, "shutting down in 30 seconds");
    shown_out(&juliet, ROOM).await;
    assert!(answers(&juliet, IRC).await, "the other goes on");
    assert!(!answers(&juliet, LOOP).await);
    shown_out(&juliet, CHANNEL).await;
    let status = tokio::task::block_in_place(|| world.isthmus.wait_exit());
    assert_eq!(status.code(), Some(0), "{}", world.isthmus.log());
}
