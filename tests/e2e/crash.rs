//! The program itself is killed while it holds what the XMPP server has not got: once restarted,
//! it delivers what it had on disk, under the same ids.

use std::sync::Arc;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, Stanza};

use crate::world::{IRC, PATIENCE, World, irc_gateway};

const CHANNEL: &str = "#garden";
const ROOM: &str = "#garden%local@irc.localhost";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_keeps_what_was_spooled() {
    let irc = Irc::Ngircd.start();
    let mut world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let mut juliet = world.user("juliet").await;
    let alice = Arc::new(IrcClient::connect(irc.port(), "alice").await);
    alice.join(CHANNEL).await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    alice.privmsg("juliet", "before");
    juliet.expect(|s| s.is_message("chat", "before")).await;

    tokio::task::block_in_place(|| world.xmpp.kill_hard());
    juliet.disconnected().await;
    // Enough to fill several segments on disk; the answer to VERSION shows that they were read.
    let words = "x".repeat(300);
    for number in 0..1000 {
        alice.privmsg("juliet", &format!("word {number} {words}"));
    }
    alice.send("PING all-read");
    alice
        .expect(|line| line.command == "PONG" && line.last() == "all-read")
        .await;
    alice.privmsg("juliet", "\u{1}VERSION\u{1}");
    let answered = |line: &isthmus_test_support::irc_client::Line| {
        line.command == "NOTICE" && line.nick() == "juliet" && line.raw.contains("VERSION")
    };
    let answered = alice.try_expect(PATIENCE, answered).await;
    answered.expect("the gateway has read it all");
    tokio::task::block_in_place(|| world.isthmus.kill_hard());
    alice
        .expect(|line| line.command == "QUIT" && line.nick() == "juliet")
        .await;

    tokio::task::block_in_place(|| world.xmpp.restart());
    world.isthmus.restart();
    juliet.reconnect().await;
    juliet.available();
    world.attached(&juliet, IRC).await;
    juliet.collect(IRC).await;
    let log = juliet.log();
    let of = |number: usize| {
        let start = format!("word {number} ");
        log.iter()
            .filter(move |s| s.type_() == "chat" && s.body().starts_with(&start))
    };
    let arrived: Vec<usize> = (0..1000).filter(|n| of(*n).next().is_some()).collect();
    println!("{} of 1000 were on disk when it was killed", arrived.len());
    assert!(
        arrived.len() >= 500,
        "most of it had been written long before"
    );
    // What was on disk is all that came before; the order is kept.
    assert_eq!(
        arrived,
        (0..arrived.len()).collect::<Vec<_>>(),
        "without a gap"
    );
    for number in arrived {
        let ids: Vec<&str> = of(number).map(Stanza::id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "one id: {ids:?}");
    }
}
