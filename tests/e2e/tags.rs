//! Client tags (IRCv3) on a real InspIRCd: typing, replies and reactions cross both ways between an
//! XMPP client and a plain IRC client that has asked for `message-tags`.

use isthmus_test_support::irc_client::Line;
use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, Stanza};

use crate::talker::{CHANNEL, ROOM};
use crate::world::{IRC, World, irc_gateway};

/// A client that hears tags.
async fn tagged(port: u16, nick: &str) -> IrcClient {
    let client = IrcClient::connect_raw(port, nick).await;
    client.send("CAP REQ :message-tags");
    client.send(&format!("NICK {nick}"));
    client.send(&format!("USER {nick} 0 * :{nick}"));
    client.expect(|line| line.is("CAP", &["*", "ACK"])).await;
    client.send("CAP END");
    client
        .expect(|line| matches!(line.command.as_str(), "376" | "422"))
        .await;
    client
}

/// The value of a tag.
fn tag<'a>(line: &'a Line, name: &str) -> Option<&'a str> {
    let mut tags = line.tags.split(';').filter_map(|it| it.split_once('='));
    tags.find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// What a message of `nick` in the room holds under this name.
fn from<'a>(nick: &'a str, child: &'a str) -> impl FnMut(&Stanza) -> bool + 'a {
    move |stanza| stanza.from() == format!("{ROOM}/{nick}") && stanza.child(child).is_some()
}

#[tokio::test]
async fn tags_cross_both_ways_on_inspircd() {
    let irc = Irc::Inspircd.start();
    let world = World::start(Xmpp::Prosody, &irc_gateway(&*irc));
    let juliet = world.user("juliet").await;
    let alice = tagged(irc.port(), "alice").await;
    alice.join(CHANNEL).await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;

    // Out: what she types, answers and feels.
    let send = |id: &str, content: &str| {
        juliet.send(&format!(
            "<message to='{ROOM}' type='groupchat' id='{id}'>{content}</message>"
        ));
    };
    alice.send(&format!("PRIVMSG {CHANNEL} :roses"));
    let roses = juliet.expect(from("alice", "body")).await;
    let id = roses.child("stanza-id").expect("each message has one");
    let id = id.attr("id").to_owned();
    send(
        "t1",
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
    );
    alice
        .expect(|line| line.is("TAGMSG", &[CHANNEL]) && tag(line, "+typing") == Some("active"))
        .await;
    let reply = format!("<body>indeed</body><reply xmlns='urn:xmpp:reply:0' id='{id}'/>");
    send("r1", &reply);
    let answer = alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, "indeed"]))
        .await;
    let key = tag(&answer, "+draft/reply")
        .expect("it says what it answers")
        .to_owned();
    let reaction = format!(
        "<reactions xmlns='urn:xmpp:reactions:0' id='{id}'><reaction>🌹</reaction></reactions>"
    );
    send("f1", &reaction);
    let felt = alice
        .expect(|line| line.is("TAGMSG", &[CHANNEL]) && tag(line, "+draft/react").is_some())
        .await;
    assert_eq!(tag(&felt, "+draft/react"), Some("🌹"));
    assert_eq!(tag(&felt, "+draft/reply"), Some(key.as_str()));

    // In: the same of hers.
    let own = tag(&answer, "msgid")
        .expect("InspIRCd gives ids")
        .to_owned();
    alice.send(&format!("@+typing=active TAGMSG {CHANNEL}"));
    juliet.expect(from("alice", "composing")).await;
    alice.send(&format!("@+draft/reply={own} PRIVMSG {CHANNEL} :truly"));
    let truly = juliet.expect(from("alice", "reply")).await;
    assert_eq!(truly.body(), "truly");
    alice.send(&format!(
        "@+draft/reply={own};+draft/react=👍 TAGMSG {CHANNEL}"
    ));
    let felt = juliet.expect(from("alice", "reactions")).await;
    let felt = felt.child("reactions").expect("they were waited for");
    assert_eq!(felt.text_of("reaction"), "👍");
}
