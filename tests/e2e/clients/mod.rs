//! Clients that people use, each in a terminal: what they type, and what the screen shows them.
//!
//! Each registers with a gateway in a chat, gives a command, and talks in a room: on the loopback
//! network, and on a real IRC server with somebody there. Clients are strict in ways of their own,
//! which no test of stanzas shows. The user's phone is in both rooms before, so there is a history.

mod finch;
mod mcabber;
mod profanity;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, IrcServer, Terminal, XmppClient, XmppServer};

use crate::world::{IRC, LOOP, LOOP_GATEWAY, PASSWORD, World, irc_gateway, presence_of};

/// The loopback network's room. Not on a network whose name begins with `n`: profanity 0.13.1
/// takes the address for a format and ends at an error from one with `%n`.
const GARDEN: &str = "#garden%verona@loop.localhost";
/// The IRC network's, and its channel.
const ORCHARD: &str = "#orchard%local@irc.localhost";
const CHANNEL: &str = "#orchard";
/// Who uses the client: the account, and the nickname in rooms.
const USER: &str = "juliet";
/// A channel that takes who is invited.
const CLOSED: &str = "#closed%local@irc.localhost";
const CLOSED_CHANNEL: &str = "#closed";
/// The network, to which one talks about it.
const NETWORK: &str = "local@irc.localhost";
/// Somebody on IRC.
const ALICE: &str = "alice%local@irc.localhost";

/// What differs from client to client.
trait Client: Sized {
    /// Starts it, as [`USER`], and sees that it is logged in.
    async fn start(xmpp: &dyn XmppServer) -> Self;

    /// Its screen and keys.
    fn terminal(&self) -> &Terminal;

    /// How a room shows that somebody said something.
    fn said(who: &str, text: &str) -> String {
        format!("{who}: {text}")
    }

    /// Goes to the chat with this address and says something there.
    async fn chats(&self, address: &str, text: &str);

    /// Lets the gateway, which has just asked for it, see the user's presence, and sees its own.
    async fn befriends(&self);

    /// Enters a room under this nickname, and shows it.
    async fn joins(&self, room: &str, nick: &str);

    /// Is refused at the door of a room nobody let the user in to, and sees why.
    async fn is_refused(&self, room: &str, nick: &str);

    /// Sees this subject of the room, which is shown.
    async fn sees_subject(&self, text: &str);

    /// Sees these words of an error.
    async fn sees_refusal(&self, words: &str) {
        self.terminal().sees(words).await;
    }

    /// Sets the subject of the room that is shown.
    fn sets_subject(&self, text: &str);

    /// Says something as an action to the room that is shown.
    fn acts(&self, what: &str);

    /// Runs a command of the gateway and sees what comes of it.
    async fn commands(&self);
}

/// Everybody there is.
struct Scene<C> {
    client: C,
    world: World,
    irc: Box<dyn IrcServer>,
    romeo: XmppClient,
    alice: IrcClient,
    phone: XmppClient,
}

impl<C: Client> Scene<C> {
    async fn set(irc: Irc) -> Self {
        let irc = irc.start();
        let gateways = format!("{LOOP_GATEWAY}register = true\n{}", irc_gateway(&*irc));
        let world = World::start(Xmpp::Prosody, &gateways);
        let romeo = world.user("romeo").await;
        world.xmpp.add_user(USER, PASSWORD);
        let phone = world.resource(USER, "phone").await;
        world.attached(&romeo, LOOP).await;
        world.attached(&phone, IRC).await;
        let alice = IrcClient::connect(irc.port(), "alice").await;
        before(&romeo, &alice, &phone).await;
        let client = C::start(&*world.xmpp).await;
        Self {
            client,
            world,
            irc,
            romeo,
            alice,
            phone,
        }
    }

    async fn sees_said(&self, who: &str, text: &str) {
        self.client.terminal().sees(&C::said(who, text)).await;
    }
}

/// What is said and set before the client comes, and who is the user's contact.
async fn before(romeo: &XmppClient, alice: &IrcClient, phone: &XmppClient) {
    let (user, friend) = (phone.bare_jid(), romeo.bare_jid());
    phone.send(&format!("<presence to='{friend}' type='subscribe'/>"));
    romeo.expect(|s| s.type_() == "subscribe").await;
    romeo.send(&format!("<presence to='{user}' type='subscribed'/>"));
    phone
        .expect(|s| s.kind() == "presence" && s.from() == romeo.jid())
        .await;
    phone.join(GARDEN, USER).await;
    romeo.join(GARDEN, "romeo").await;
    phone.send(&format!(
        "<message type='groupchat' id='s1' to='{GARDEN}'><subject>roses</subject></message>"
    ));
    romeo.groupchat(GARDEN, "but soft");
    phone
        .expect(|s| s.is_message("groupchat", "but soft"))
        .await;
    alice.join(CHANNEL).await;
    alice.send(&format!("TOPIC {CHANNEL} :a rose by any name"));
    phone.join(ORCHARD, USER).await;
    alice.privmsg(CHANNEL, "who is there");
    phone
        .expect(|s| s.is_message("groupchat", "who is there"))
        .await;
}

async fn use_it<C: Client>(irc: Irc) {
    let scene = Scene::<C>::set(irc).await;
    register(&scene).await;
    scene.client.commands().await;
    in_a_room(&scene).await;
    in_a_channel(&scene).await;
    with_somebody_on_irc(&scene).await;
    with_the_network(&scene).await;
    at_a_closed_door(&scene).await;
    let status = scene.world.isthmus.terminate();
    assert_eq!(status.code(), Some(0), "{}", scene.world.isthmus.log());
    drop((scene.irc, scene.phone));
}

async fn register<C: Client>(scene: &Scene<C>) {
    let client = &scene.client;
    client.chats(LOOP, "register").await;
    for (question, answer) in [("Nickname?", "jule"), ("Line [", "-"), ("Password [", "-")] {
        client.terminal().sees(question).await;
        client.terminal().enters(answer);
    }
    client.terminal().sees("you are jule").await;
    client.befriends().await;
}

async fn in_a_room<C: Client>(scene: &Scene<C>) {
    let (client, romeo) = (&scene.client, &scene.romeo);
    client.joins(GARDEN, USER).await;
    scene.sees_said("romeo", "but soft").await;
    client.sees_subject("roses").await;
    client.terminal().enters("good morrow");
    let ours = format!("{GARDEN}/{USER}");
    romeo
        .expect(|s| s.is_message("groupchat", "good morrow") && s.from() == ours)
        .await;
    scene.sees_said(USER, "good morrow").await;
    scene.sees_said("echo", "good morrow").await;
    romeo.groupchat(GARDEN, "I take thee");
    scene.sees_said("romeo", "I take thee").await;
    client.terminal().enters("!fault-forbidden");
    client.sees_refusal("refuses with Forbidden").await;
    client.sets_subject("tulips");
    romeo.expect(|s| s.subject() == Some("tulips")).await;
    romeo.leave(GARDEN, "romeo");
    let gone = format!("{GARDEN}/romeo");
    romeo.expect(presence_of(&gone, "unavailable")).await;
}

async fn in_a_channel<C: Client>(scene: &Scene<C>) {
    let (client, alice) = (&scene.client, &scene.alice);
    client.joins(ORCHARD, USER).await;
    scene.sees_said("alice", "who is there").await;
    client.sees_subject("a rose by any name").await;
    client.terminal().enters("it is I");
    alice
        .expect(|line| line.nick() == USER && line.is("PRIVMSG", &[CHANNEL, "it is I"]))
        .await;
    scene.sees_said(USER, "it is I").await;
    alice.privmsg(CHANNEL, "hail");
    scene.sees_said("alice", "hail").await;
    client.acts("waves");
    alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, "\x01ACTION waves\x01"]))
        .await;
}

async fn with_somebody_on_irc<C: Client>(scene: &Scene<C>) {
    let (client, alice) = (&scene.client, &scene.alice);
    client.chats(ALICE, "for ever").await;
    alice
        .expect(|line| line.nick() == USER && line.is("PRIVMSG", &["alice", "for ever"]))
        .await;
    alice.privmsg(USER, "between us");
    client.terminal().sees("between us").await;
}

async fn at_a_closed_door<C: Client>(scene: &Scene<C>) {
    let (client, alice) = (&scene.client, &scene.alice);
    alice.join(CLOSED_CHANNEL).await;
    alice.send(&format!("MODE {CLOSED_CHANNEL} +i"));
    alice
        .expect(|line| line.is("MODE", &[CLOSED_CHANNEL, "+i"]))
        .await;
    client.is_refused(CLOSED, USER).await;
}

/// A setting by chat: a form is not needed.
async fn with_the_network<C: Client>(scene: &Scene<C>) {
    let client = &scene.client;
    client.chats(NETWORK, "set realname Capulet").await;
    client.terminal().sees("realname = Capulet").await;
}
