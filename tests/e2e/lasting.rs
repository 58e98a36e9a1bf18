//! Who stays in a room (`persistent`) is in it again after the program has ended, by a signal or by
//! being killed: what an IRC client says meanwhile is shown to him when he comes back, however much
//! it is.

use std::time::Duration;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, XmppClient};

use crate::talker::{CHANNEL, ROOM};
use crate::world::{IRC, PATIENCE, World, irc_gateway};

/// More than the lines that anybody is shown who enters.
const LINES: usize = 30;

#[derive(Clone, Copy, Debug)]
enum End {
    Killed,
    Terminated,
}

/// The archive holds it: what is told to nobody shows nowhere else.
async fn archived(juliet: &XmppClient, body: &str) {
    let holds = async {
        while !juliet
            .archive(ROOM, 100)
            .await
            .iter()
            .any(|it| it.body == body)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let holds = tokio::time::timeout(PATIENCE, holds).await;
    holds.unwrap_or_else(|_| panic!("the archive does not get {body:?}"));
}

async fn comes(alice: &IrcClient) {
    let comes = alice.try_expect(PATIENCE, |line| {
        line.is("JOIN", &[CHANNEL]) && line.nick() == "juliet"
    });
    comes.await.expect("she is in the channel");
}

async fn ends(world: &World, alice: &IrcClient, end: End) {
    match end {
        End::Killed => tokio::task::block_in_place(|| world.isthmus.kill_hard()),
        End::Terminated => {
            let ended = tokio::task::block_in_place(|| world.isthmus.terminate());
            assert_eq!(ended.code(), Some(0));
        }
    }
    let quit = alice.try_expect(PATIENCE, |line| {
        line.command == "QUIT" && line.nick() == "juliet"
    });
    quit.await.expect("the connection is gone");
}

/// She leaves the room, the program ends and starts, she comes back.
async fn leaves_and_returns(world: &World, alice: &IrcClient, juliet: &XmppClient, end: End) {
    juliet.leave(ROOM, "juliet");
    juliet
        .expect(|s| s.kind() == "presence" && s.type_() == "unavailable")
        .await;
    let before: Vec<String> = (0..LINES)
        .map(|n| format!("{end:?}: she has left, line {n}"))
        .collect();
    for line in &before {
        alice.privmsg(CHANNEL, line);
    }
    archived(juliet, &before[LINES - 1]).await;

    ends(world, alice, end).await;
    tokio::task::block_in_place(|| world.isthmus.restart());
    comes(alice).await;
    let after = format!("{end:?}: she is there by herself");
    alice.privmsg(CHANNEL, &after);

    world.attached(juliet, IRC).await;
    archived(juliet, &after).await;
    juliet.send_join(ROOM, "juliet", "");
    for said in before.iter().chain([&after]) {
        let heard = juliet.try_expect(PATIENCE, |s| s.is_message("groupchat", said));
        heard.await.expect("what was said meanwhile");
    }
}

async fn stays(kind: Irc) {
    let irc = kind.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let juliet = world.user("juliet").await;
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join(CHANNEL).await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    comes(&alice).await;
    juliet.chat(ROOM, "set persistent true");
    let set =
        juliet.expect(|s| s.kind() == "message" && s.type_() != "groupchat" && s.from() == ROOM);
    assert_ne!(set.await.type_(), "error");
    leaves_and_returns(&world, &alice, &juliet, End::Killed).await;
    leaves_and_returns(&world, &alice, &juliet, End::Terminated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_rooms_over_a_restart_ngircd() {
    stays(Irc::Ngircd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_rooms_over_a_restart_inspircd() {
    stays(Irc::Inspircd).await;
}
