//! The XMPP server is killed in the middle of a conversation: the IRC side does not notice, and
//! nothing that was said is lost.
//!
//! Every line comes live, sent again, or from the room's history. What comes twice has the same
//! id, and was said around the cut: before it and not yet confirmed, or after it.

use std::sync::Arc;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, Stanza, XmppClient};

use crate::talker::{CHANNEL, ROOM, Talker, hears, ids};
use crate::world::{IRC, PATIENCE, World, irc_gateway};

async fn survives(kind: Xmpp) {
    let irc = Irc::Ngircd.start();
    let mut world = World::keeping(kind, &["juliet"], &irc_gateway(&*irc));
    let mut juliet = world.user("juliet").await;
    let alice = Arc::new(IrcClient::connect(irc.port(), "alice").await);
    alice.join(CHANNEL).await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    let talker = Talker::start(Arc::clone(&alice), 0);
    hears(&juliet, 50).await;
    let early = speaks(&juliet, 0..10);
    let reflected = |s: &Stanza| s.type_() == "groupchat" && s.id() == early[9];
    juliet.expect(reflected).await;
    let late = speaks(&juliet, 10..20);

    tokio::task::block_in_place(|| world.xmpp.kill_hard());
    let cut = talker.said();
    juliet.disconnected().await;
    while talker.said() < cut + 50 {
        tokio::task::yield_now().await;
    }
    alice.privmsg("juliet", "while you were away");
    tokio::task::block_in_place(|| world.xmpp.restart());
    // Everybody reconnects in his own time.
    juliet.reconnect().await;
    juliet.available();
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    let rejoined = talker.said();
    hears(&juliet, rejoined + 50).await;
    let last = talker.finish().await;
    hears(&juliet, last).await;
    let private = |s: &Stanza| s.is_message("chat", "while you were away");
    let private = juliet.try_expect(PATIENCE, private).await;
    private.expect("a private message waits for its receiver");

    let ids = ids(&juliet.log());
    let missing: Vec<u32> = (1..=last).filter(|n| !ids.contains_key(n)).collect();
    assert!(
        missing.is_empty(),
        "of {last} lines, cut at {cut}, these never came: {missing:?}"
    );
    let twice: Vec<u32> = ids
        .iter()
        .filter(|(_, ids)| ids.len() > 1)
        .map(|(n, _)| *n)
        .collect();
    println!("{kind:?}: {last} lines, cut at {cut}, back at {rejoined}, twice: {twice:?}");
    assert!(
        ids.values().all(|ids| ids.iter().all(|id| *id == ids[0])),
        "one id a line: {ids:?}"
    );
    // The window that was open: what no ping had confirmed (a quarter of a second apart), and
    // the twenty lines of history that a room shows who comes.
    let window = (cut.saturating_sub(60))..=(rejoined + 20);
    assert!(
        twice.iter().all(|n| window.contains(n)),
        "{twice:?} not all in {window:?}"
    );
    outward(&juliet, &alice, &[early, late].concat()).await;
    lived_on(&alice).await;
}

/// Says something outward for each number; returns the ids.
fn speaks(juliet: &XmppClient, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers
        .map(|n| juliet.groupchat(ROOM, &format!("out {n}")))
        .collect()
}

/// What was reflected is on IRC. The rest arrived, came back as an error, or died with the server
/// before it reached the gateway. Nothing arrives twice.
async fn outward(juliet: &XmppClient, alice: &IrcClient, sent: &[String]) {
    alice.send("PING outward");
    alice
        .expect(|line| line.command == "PONG" && line.last() == "outward")
        .await;
    let (heard, log) = (alice.log(), juliet.log());
    let (mut arrived, mut failed) = (0, 0);
    for (number, id) in sent.iter().enumerate() {
        let body = format!("out {number}");
        let times = heard
            .iter()
            .filter(|line| line.is("PRIVMSG", &[CHANNEL, &body]))
            .count();
        let error = log.iter().any(|s| s.id() == id && s.type_() == "error");
        let reflected = log.iter().any(|s| s.id() == id && s.type_() == "groupchat");
        assert!(times <= 1, "{body} was said {times} times");
        assert!(
            !reflected || times == 1,
            "{body} was reflected and not said"
        );
        assert!(!(error && times == 1), "{body} was said and came back");
        arrived += times;
        failed += usize::from(error);
    }
    assert!(arrived >= 10, "half of it was reflected before the cut");
    println!(
        "outward: {arrived} of {} arrived, {failed} came back",
        sent.len()
    );
}

/// On IRC nobody has seen juliet go.
async fn lived_on(alice: &IrcClient) {
    let log = alice.log();
    let moves = |command: &str| {
        log.iter()
            .filter(|line| line.command == command && line.nick() == "juliet")
            .count()
    };
    assert_eq!(
        (moves("JOIN"), moves("PART"), moves("QUIT")),
        (1, 0, 0),
        "the session lives on"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_xmpp_prosody() {
    survives(Xmpp::Prosody).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_xmpp_ejabberd() {
    survives(Xmpp::Ejabberd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_xmpp_jabberd2() {
    survives(Xmpp::Jabberd2).await;
}
