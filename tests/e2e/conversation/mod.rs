//! The whole IRC conversation on every pair of an XMPP server and an IRC server.

mod doors;
mod moves;
mod people;
mod talk;
mod tls;

pub(crate) use self::tls::trusting;
use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, IrcServer, XmppClient};

use crate::world::{IRC, World, irc_gateway};

/// The channel.
const CHANNEL: &str = "#garden";
/// The same as a room.
const ROOM: &str = "#garden%local@irc.localhost";

/// How the program speaks to the IRC server.
#[derive(Clone, Copy)]
enum Wire {
    Plain,
    /// The server's authority is one of the system's.
    Tls,
}

/// Everybody there is.
struct Scene {
    world: World,
    irc: Box<dyn IrcServer>,
    juliet: XmppClient,
    alice: IrcClient,
    bob: IrcClient,
}

impl Scene {
    /// Alice governs the channel, bob has a voice, juliet is at the door.
    async fn set(xmpp: Xmpp, irc: Irc, wire: Wire) -> Self {
        let irc = irc.start();
        let world = match wire {
            Wire::Plain => World::start(xmpp, &irc_gateway(&*irc)),
            Wire::Tls => tls::trusting(xmpp, &*irc),
        };
        let juliet = world.user("juliet").await;
        let alice = IrcClient::connect(irc.port(), "alice").await;
        let bob = IrcClient::connect(irc.port(), "bob").await;
        alice.join(CHANNEL).await;
        bob.join(CHANNEL).await;
        alice.send(&format!("MODE {CHANNEL} +v bob"));
        alice.send(&format!("TOPIC {CHANNEL} :a rose by any name"));
        bob.expect(|line| line.command == "TOPIC").await;
        world.attached(&juliet, IRC).await;
        Self {
            world,
            irc,
            juliet,
            alice,
            bob,
        }
    }

    /// The room's occupant of that nickname.
    fn occupant(nick: &str) -> String {
        format!("{ROOM}/{nick}")
    }

    /// Whatever juliet has sent before is on the IRC server, and its answers are with her.
    async fn settle(&self) {
        self.juliet.collect(&Self::occupant("juliet")).await;
    }
}

async fn converse(xmpp: Xmpp, irc: Irc, wire: Wire) {
    let scene = Scene::set(xmpp, irc, wire).await;
    people::enter(&scene).await;
    people::discover(&scene).await;
    talk::in_the_room(&scene).await;
    talk::in_private(&scene).await;
    talk::actions(&scene).await;
    talk::that_fails(&scene).await;
    moves::nicknames(&scene).await;
    moves::topics_and_ranks(&scene).await;
    moves::kicks(&scene).await;
    doors::refuse(&scene).await;
    doors::invite(&scene).await;
    people::second_resource(&scene).await;
    people::leave(&scene).await;
    let status = scene.world.isthmus.terminate();
    assert_eq!(status.code(), Some(0), "{}", scene.world.isthmus.log());
    drop(scene.irc);
}

macro_rules! pairs {
    ($($name:ident: $xmpp:ident, $irc:ident, $wire:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            converse(Xmpp::$xmpp, Irc::$irc, Wire::$wire).await;
        }
    )*};
}

pairs! {
    conversation_on_prosody_and_ngircd: Prosody, Ngircd, Plain;
    conversation_on_prosody_and_inspircd: Prosody, Inspircd, Plain;
    conversation_on_prosody_and_atheme: Prosody, Atheme, Plain;
    conversation_on_prosody_and_hybrid: Prosody, Hybrid, Plain;
    conversation_on_prosody_and_hybrid_over_tls: Prosody, Hybrid, Tls;
    conversation_on_ejabberd_and_ngircd: Ejabberd, Ngircd, Plain;
    conversation_on_ejabberd_and_inspircd: Ejabberd, Inspircd, Plain;
    conversation_on_ejabberd_and_ngircd_over_tls: Ejabberd, Ngircd, Tls;
    conversation_on_ejabberd_and_hybrid: Ejabberd, Hybrid, Plain;
    conversation_on_ejabberd_and_atheme: Ejabberd, Atheme, Plain;
    conversation_on_jabberd2_and_ngircd: Jabberd2, Ngircd, Plain;
    conversation_on_jabberd2_and_inspircd: Jabberd2, Inspircd, Plain;
    conversation_on_jabberd2_and_hybrid: Jabberd2, Hybrid, Plain;
    conversation_on_jabberd2_and_atheme_over_tls: Jabberd2, Atheme, Tls;
}
