//! The password of a channel on real IRC servers, set, changed and removed by the form of the room:
//! who comes with the one that holds is let in, who comes with another is not. One server (InspIRCd)
//! sets no key over another (467) and lifts one only for who names it.

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, XmppClient};

use crate::talker::{CHANNEL, ROOM};
use crate::world::{IRC, PATIENCE, World, irc_gateway};

const OWNER: &str = "http://jabber.org/protocol/muc#owner";
const CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";

/// Sets the password by the form; an empty one: none is needed any more.
async fn sets(juliet: &XmppClient, key: &str) {
    let needed = u8::from(!key.is_empty());
    let query = format!(
        "<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>{CONFIG}</value></field>\
         <field var='muc#roomconfig_passwordprotectedroom'><value>{needed}</value></field>\
         <field var='muc#roomconfig_roomsecret'><value>{key}</value></field></x></query>"
    );
    let answer = juliet.iq("set", ROOM, &query).await;
    assert_eq!(answer.type_(), "result", "{key}: {answer:?}");
}

/// Whether the channel lets somebody in with that key.
async fn lets_in(port: u16, nick: &str, key: &str) -> bool {
    let guest = IrcClient::connect(port, nick).await;
    guest.send(&format!("JOIN {CHANNEL} {key}"));
    let answer = guest.try_expect(PATIENCE, |line| {
        line.command == "475" || (line.is("JOIN", &[CHANNEL]) && line.nick() == nick)
    });
    let answer = answer.await.expect("an answer");
    guest.send("QUIT :seen");
    answer.command == "JOIN"
}

async fn changes(kind: Irc) {
    let irc = kind.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let juliet = world.user("juliet").await;
    world.attached(&juliet, IRC).await;
    // Who comes first runs it.
    juliet.join(ROOM, "juliet").await;
    for (n, (key, other)) in [("sesame", "poppy"), ("poppy", "sesame"), ("rose", "poppy")]
        .into_iter()
        .enumerate()
    {
        sets(&juliet, key).await;
        assert!(
            !lets_in(irc.port(), &format!("wrong{n}"), other).await,
            "{other}"
        );
        assert!(
            lets_in(irc.port(), &format!("right{n}"), key).await,
            "{key}"
        );
    }
    sets(&juliet, "").await;
    assert!(lets_in(irc.port(), "anybody", "").await);

    // A key that somebody else has set is known from his line.
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join(CHANNEL).await;
    juliet.groupchat(ROOM, "/mode +o alice");
    let operator = alice.try_expect(PATIENCE, |line| line.is("MODE", &[CHANNEL, "+o"]));
    operator.await.expect("she runs it");
    alice.send(&format!("MODE {CHANNEL} +k hers"));
    // Our server has read her line when juliet reads of it.
    let told = juliet.try_expect(PATIENCE, |stanza| {
        stanza.from() == ROOM && stanza.body() == "mode +k hers by alice"
    });
    told.await.expect("she reads of it");
    sets(&juliet, "ours").await;
    assert!(lets_in(irc.port(), "later", "ours").await);
    assert!(!lets_in(irc.port(), "latest", "hers").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_password_is_changed_on_ngircd() {
    changes(Irc::Ngircd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_password_is_changed_on_inspircd() {
    changes(Irc::Inspircd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_password_is_changed_on_hybrid() {
    changes(Irc::Hybrid).await;
}
