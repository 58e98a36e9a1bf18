//! Who stays in a room (`persistent`) is in it again after the program was killed and started: what
//! an IRC client says meanwhile is shown to him when he comes back.

use isthmus_test_support::IrcClient;
use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;

use crate::talker::{CHANNEL, ROOM};
use crate::world::{IRC, PATIENCE, World, irc_gateway};

async fn stays(kind: Irc) {
    let irc = kind.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let juliet = world.user("juliet").await;
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join(CHANNEL).await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    juliet.chat(ROOM, "set persistent true");
    let set =
        juliet.expect(|s| s.kind() == "message" && s.type_() != "groupchat" && s.from() == ROOM);
    assert_ne!(set.await.type_(), "error");
    juliet.leave(ROOM, "juliet");
    juliet
        .expect(|s| s.kind() == "presence" && s.type_() == "unavailable")
        .await;
    alice.privmsg(CHANNEL, "she has left, and hears it");

    tokio::task::block_in_place(|| world.isthmus.kill_hard());
    let quit = alice.try_expect(PATIENCE, |line| {
        line.command == "QUIT" && line.nick() == "juliet"
    });
    quit.await.expect("the connection is gone");
    tokio::task::block_in_place(|| world.isthmus.restart());
    let back = alice.try_expect(PATIENCE, |line| {
        line.is("JOIN", &[CHANNEL]) && line.nick() == "juliet"
    });
    back.await.expect("she is in the room by herself");
    alice.privmsg(CHANNEL, "nobody is there, and she hears it");

    world.attached(&juliet, IRC).await;
    juliet.send_join(ROOM, "juliet", "");
    for said in [
        "she has left, and hears it",
        "nobody is there, and she hears it",
    ] {
        let heard = juliet.try_expect(PATIENCE, |s| s.is_message("groupchat", said));
        heard.await.expect("what was said meanwhile");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_rooms_over_a_restart_ngircd() {
    stays(Irc::Ngircd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_rooms_over_a_restart_inspircd() {
    stays(Irc::Inspircd).await;
}
