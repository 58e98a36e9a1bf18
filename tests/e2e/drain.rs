//! SIGTERM: the networks see a farewell, rooms are told, the stream is closed in order.

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Isthmus, XmppServer};

use crate::tap::Tap;
use crate::world::{LOOP, LOOP_GATEWAY, World, config_at, isthmus, presence_of};

const ROOM: &str = "#garden%net@loop.localhost";

/// The program, attached through a relay.
async fn tapped(xmpp: &dyn XmppServer, gateways: &str) -> (Tap, Isthmus) {
    let tap = Tap::to(xmpp.component_port()).await;
    let isthmus = isthmus(&config_at(tap.port(), xmpp.secret(), "info", gateways));
    (tap, isthmus)
}

async fn drains(kind: Kind) {
    let xmpp = kind.start();
    let (tap, isthmus) = tapped(&*xmpp, LOOP_GATEWAY).await;
    let world = World { isthmus, xmpp };
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    juliet.join(ROOM, "juliet").await;
    world.isthmus.send_term();
    let told = juliet
        .expect(presence_of(&format!("{ROOM}/juliet"), "unavailable"))
        .await;
    assert!(told.status_codes().contains(&110), "{told:?}");
    assert!(told.status_codes().contains(&332), "{told:?}");
    let status = tokio::task::block_in_place(|| world.isthmus.wait_exit());
    assert_eq!(status.code(), Some(0), "{}", world.isthmus.log());
    assert!(
        tap.out().ends_with("</stream:stream>"),
        "the program closes its stream"
    );
    assert!(
        tap.back().trim_end().ends_with("</stream:stream>"),
        "the server closes its own"
    );
    // The server is well: the next run attaches at once.
    world.isthmus.restart();
    world.attached(&juliet, LOOP).await;
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
