//! The IRC server is killed and comes back: so do the rooms, and nobody is shown leaving.

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, Stanza};

use crate::world::{IRC, PATIENCE, World, irc_gateway, times};

const CHANNELS: [&str; 2] = ["#garden", "#orchard"];

fn room(channel: &str) -> String {
    format!("{channel}%local@irc.localhost")
}

fn is_own_exit(stanza: &Stanza) -> bool {
    stanza.kind() == "presence" && stanza.type_() != "" && stanza.from().ends_with("/juliet")
}

async fn comes_back(kind: Irc) {
    let mut irc = kind.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let juliet = world.user("juliet").await;
    let alice = IrcClient::connect(irc.port(), "alice").await;
    let carol = IrcClient::connect(irc.port(), "carol").await;
    world.attached(&juliet, IRC).await;
    for channel in CHANNELS {
        alice.join(channel).await;
        carol.join(channel).await;
        juliet.join(&room(channel), "juliet").await;
    }
    juliet.collect(&format!("{}/juliet", room("#garden"))).await;
    let before = juliet.log().len();

    tokio::task::block_in_place(|| irc.kill_hard());
    alice
        .try_expect(PATIENCE, |_| false)
        .await
        .expect_err("the connection is gone");
    // What is said meanwhile comes back as an error; nothing is swallowed.
    let id = juliet.groupchat(&room("#garden"), "is anybody there?");
    let answer = juliet
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    assert_eq!(
        answer.error_condition(),
        "remote-server-timeout",
        "{answer:?}"
    );

    tokio::task::block_in_place(|| irc.restart());
    // Alice returns, carol does not.
    let alice = IrcClient::connect(irc.port(), "alice").await;
    for channel in CHANNELS {
        alice.join(channel).await;
    }
    for channel in CHANNELS {
        let here = |line: &isthmus_test_support::irc_client::Line| {
            (line.is("JOIN", &[channel]) && line.nick() == "juliet")
                || (line.command == "353"
                    && line.raw.contains(channel)
                    && line.last().contains("juliet"))
        };
        alice
            .try_expect(PATIENCE, here)
            .await
            .expect("the rooms come back by themselves");
        let gone = format!("{}/carol", room(channel));
        juliet
            .expect(|s| s.from() == gone && s.type_() == "unavailable")
            .await;
        let out = format!("after it, in {channel}");
        let id = says_until_heard(&juliet, &room(channel), &out).await;
        alice
            .expect(|line| line.is("PRIVMSG", &[channel, &out]))
            .await;
        assert_eq!(times(&juliet, &id, &out), 1);
        alice.privmsg(channel, "welcome back");
        let from = format!("{}/alice", room(channel));
        juliet
            .expect(|s| s.is_message("groupchat", "welcome back") && s.from() == from)
            .await;
    }
    juliet.collect(&format!("{}/juliet", room("#garden"))).await;
    let log = juliet.log();
    let since = &log[before..];
    assert!(
        !since.iter().any(is_own_exit),
        "she was never shown leaving: {since:?}"
    );
    let entered = since
        .iter()
        .any(|s| s.status_codes().contains(&110) && s.type_().is_empty());
    let presences = since.iter().filter(|s| s.kind() == "presence").count();
    println!("{kind:?}: {presences} presences after the restart, own presence again: {entered}");
    // Carol left two rooms; alice came back to them, with or without her rank.
    assert!(presences <= 8, "only what changed: {since:#?}");
    assert_eq!(world.xmpp.kind(), Xmpp::Prosody);
}

/// Until the room is back a message is answered with an error, and sent again.
async fn says_until_heard(
    juliet: &isthmus_test_support::XmppClient,
    room: &str,
    body: &str,
) -> String {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let id = juliet.groupchat(room, body);
        let answer = juliet
            .expect(|s| s.kind() == "message" && s.id() == id)
            .await;
        if answer.type_() == "groupchat" {
            return id;
        }
        assert!(tokio::time::Instant::now() < end, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_irc_ngircd() {
    comes_back(Irc::Ngircd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_irc_inspircd() {
    comes_back(Irc::Inspircd).await;
}
