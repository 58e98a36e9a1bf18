//! SIGTERM: the networks see a farewell, rooms are told, the stream is closed in order.

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{IrcClient, IrcServer, Isthmus, Ngircd, XmppServer};

use crate::tap::Tap;
use crate::world::{IRC, LOOP, LOOP_GATEWAY, World, config_at, irc_gateway, isthmus, presence_of};

const ROOMS: [&str; 2] = ["#garden%net@loop.localhost", "#garden%local@irc.localhost"];

/// The program, attached through a relay.
async fn tapped(xmpp: &dyn XmppServer, gateways: &str) -> (Tap, Isthmus) {
    let tap = Tap::to(xmpp.component_port()).await;
    let isthmus = isthmus(&config_at(tap.port(), xmpp.secret(), "info", gateways));
    (tap, isthmus)
}

async fn drains(kind: Kind) {
    let (xmpp, irc) = (kind.start(), Ngircd::start());
    let gateways = [LOOP_GATEWAY, &irc_gateway(&irc)].concat();
    let (tap, isthmus) = tapped(&*xmpp, &gateways).await;
    let world = World { isthmus, xmpp };
    let juliet = world.user("juliet").await;
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join("#garden").await;
    world.attached(&juliet, LOOP).await;
    world.attached(&juliet, IRC).await;
    for room in ROOMS {
        juliet.join(room, "juliet").await;
    }
    world.isthmus.send_term();
    alice
        .expect(|line| line.command == "QUIT" && line.nick() == "juliet")
        .await;
    for room in ROOMS {
        let told = juliet
            .expect(presence_of(&format!("{room}/juliet"), "unavailable"))
            .await;
        assert!(told.status_codes().contains(&110), "{told:?}");
        assert!(told.status_codes().contains(&332), "{told:?}");
    }
    let status = tokio::task::block_in_place(|| world.isthmus.wait_exit());
    assert_eq!(status.code(), Some(0), "{}", world.isthmus.log());
    let closed = |bytes: String| bytes.matches("</stream:stream>").count();
    assert_eq!(closed(tap.out()), 2, "the program closes its streams");
    assert_eq!(closed(tap.back()), 2, "the server closes its own");
    // The server is well: the next run attaches at once.
    world.isthmus.restart();
    world.attached(&juliet, LOOP).await;
    world.attached(&juliet, IRC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_on_prosody() {
    drains(Kind::Prosody).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_on_ejabberd() {
    drains(Kind::Ejabberd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_on_jabberd2() {
    drains(Kind::Jabberd2).await;
}
