//! What clients do with messages besides writing them, to a contact and in the room.

use isthmus_test_support::{Stanza, XmppClient};

use super::{
    Cast, ECHO, JULIET, ROMEO, ROOM, bounced, is_error, refused, result, stanza_id, value,
};
use crate::world::{DISCO_INFO, RECEIPT, is_receipt};

const STATES: &str = "http://jabber.org/protocol/chatstates";
const MARKERS: &str = "urn:xmpp:chat-markers:0";
const CORRECT: &str = "urn:xmpp:message-correct:0";
const RETRACT: &str = "urn:xmpp:message-retract:1";
const MODERATE: &str = "urn:xmpp:message-moderate:1";
const REACTIONS: &str = "urn:xmpp:reactions:0";
const REPLY: &str = "urn:xmpp:reply:0";

/// To a contact who answers, and between two users of the network.
pub(super) async fn private(cast: &Cast) {
    let juliet = &cast.juliet;
    let id = juliet.message_with("chat", ECHO, "teh cat", RECEIPT);
    juliet
        .expect(|s| s.from() == ECHO && is_receipt(s, &id))
        .await;
    let echoed = juliet.expect(|s| s.is_message("chat", "teh cat")).await;
    assert_eq!(stanza_id(&echoed, ECHO), echoed.id(), "{echoed:?}");
    for (sent, seen) in [("composing", "composing"), ("gone", "paused")] {
        juliet.send(&format!(
            "<message type='chat' to='{ECHO}'><{sent} xmlns='{STATES}'/></message>"
        ));
        let state = juliet.expect(|s| s.child_ns(seen, STATES).is_some()).await;
        assert_eq!(state.from(), ECHO);
        assert!(
            state.child_ns("no-store", "urn:xmpp:hints").is_some(),
            "{state:?}"
        );
    }
    let replace = format!("<replace xmlns='{CORRECT}' id='{id}'/>");
    juliet.message_with("chat", ECHO, "the cat", &replace);
    let edited = juliet.expect(|s| s.is_message("chat", "the cat")).await;
    let replaced = edited.child_ns("replace", CORRECT).expect("a correction");
    assert_eq!(replaced.attr("id"), echoed.id());
    juliet.send(&format!(
        "<message type='chat' id='back' to='{ECHO}'><retract xmlns='{RETRACT}' id='{id}'/></message>"
    ));
    let back = juliet
        .expect(|s| s.child_ns("retract", RETRACT).is_some())
        .await;
    let retracted = back.child_ns("retract", RETRACT).map(|it| it.attr("id"));
    assert_eq!(retracted, Some(echoed.id()), "{back:?}");
    juliet.send(&format!(
        "<message type='chat' id='theirs' to='{ECHO}'><retract xmlns='{RETRACT}' id='{}'/></message>",
        echoed.id()
    ));
    bounced(juliet, "theirs", "forbidden").await;
    read_and_answered(juliet, &cast.romeo).await;
}

/// Romeo reads a message and answers it; Juliet sees both under the id that she gave it.
async fn read_and_answered(juliet: &XmppClient, romeo: &XmppClient) {
    let id = juliet.chat(ROMEO, "one");
    let heard = romeo.expect(|s| s.is_message("chat", "one")).await;
    assert_eq!(heard.from(), JULIET);
    romeo.send(&format!(
        "<message type='chat' id='read' to='{JULIET}'><displayed xmlns='{MARKERS}' id='{}'/></message>",
        heard.id()
    ));
    let read = juliet
        .expect(|s| s.child_ns("displayed", MARKERS).is_some())
        .await;
    let shown = read.child_ns("displayed", MARKERS).map(|it| it.attr("id"));
    assert_eq!((read.from(), shown), (ROMEO, Some(&*id)), "{read:?}");
    let quote = format!(
        "<reply xmlns='{REPLY}' to='{JULIET}' id='{}'/>\
         <fallback xmlns='urn:xmpp:fallback:0' for='{REPLY}'><body start='0' end='6'/></fallback>",
        heard.id()
    );
    romeo.message_with("chat", JULIET, "> one\ntwo", &quote);
    let answer = juliet
        .expect(|s| s.child_ns("reply", REPLY).is_some())
        .await;
    let reply = answer.child_ns("reply", REPLY).expect("just found");
    assert_eq!(
        (answer.body(), reply.attr("id")),
        ("two", &*id),
        "{answer:?}"
    );
    assert_eq!(reply.attr("to"), juliet.bare_jid());
}

/// The stanza ids that Juliet and Romeo know a message by, which Romeo says.
async fn said(cast: &Cast, body: &str) -> (String, String) {
    cast.romeo.groupchat(ROOM, body);
    let from = format!("{ROOM}/romeo");
    let fits = |s: &Stanza| s.from() == from && s.body() == body;
    let juliets = stanza_id(&cast.juliet.expect(fits).await, ROOM);
    let romeos = stanza_id(&cast.romeo.expect(fits).await, ROOM);
    (juliets, romeos)
}

/// Reactions with their restrictions, a reply, a correction, a retraction, moderation.
pub(super) async fn in_the_room(cast: &Cast) {
    let (juliet, romeo) = (&cast.juliet, &cast.romeo);
    let (juliets, romeos) = said(cast, "potions").await;
    reactions(cast, &juliets, &romeos).await;
    let reply = format!("<reply xmlns='{REPLY}' to='{ROOM}/romeo' id='{juliets}'/>");
    juliet.message_with("groupchat", ROOM, "no, thank you", &reply);
    let heard = romeo.expect(|s| s.body().ends_with("no, thank you")).await;
    let reply = heard.child_ns("reply", REPLY).expect("a reply");
    assert_eq!(reply.attr("id"), romeos, "{heard:?}");
    let id = juliet.groupchat(ROOM, "teh rose");
    let heard = romeo
        .expect(|s| s.is_message("groupchat", "teh rose"))
        .await;
    let replace = format!("<replace xmlns='{CORRECT}' id='{id}'/>");
    juliet.message_with("groupchat", ROOM, "the rose", &replace);
    let edited = romeo
        .expect(|s| s.is_message("groupchat", "the rose"))
        .await;
    let replaced = edited.child_ns("replace", CORRECT).map(|it| it.attr("id"));
    assert_eq!(replaced, Some(heard.id()), "{edited:?}");
    let (_, mine) = said(cast, "oops").await;
    romeo.send(&format!(
        "<message type='groupchat' id='oops' to='{ROOM}'><retract xmlns='{RETRACT}' id='{mine}'/></message>"
    ));
    let gone = juliet
        .expect(|s| s.child_ns("retract", RETRACT).is_some())
        .await;
    assert_eq!(gone.from(), format!("{ROOM}/romeo"), "{gone:?}");
    romeo.expect(|s| s.id() == "oops" && !is_error(s)).await;
    moderation(cast, &juliets, &romeos).await;
}

async fn reactions(cast: &Cast, juliets: &str, romeos: &str) {
    let juliet = &cast.juliet;
    let info = result(juliet, "get", ROOM, DISCO_INFO).await;
    assert_eq!(value(&info, "max_reactions_per_user"), "1", "{info:?}");
    assert_eq!(
        value(&info, "allowlist"),
        "👋",
        "the first of two: {info:?}"
    );
    let react = |id: &str, with: &[&str]| {
        let with: String = with
            .iter()
            .map(|it| format!("<reaction>{it}</reaction>"))
            .collect();
        juliet.send(&format!(
            "<message type='groupchat' id='{id}' to='{ROOM}'>\
             <reactions xmlns='{REACTIONS}' id='{juliets}'>{with}</reactions></message>"
        ));
    };
    react("two", &["👋", "💜"]);
    bounced(juliet, "two", "not-acceptable").await;
    react("other", &["🐢"]);
    bounced(juliet, "other", "not-acceptable").await;
    react("one", &["💜"]);
    let fits = |s: &Stanza| s.child_ns("reactions", REACTIONS).is_some();
    let seen = cast.romeo.expect(fits).await;
    let reactions = seen.child_ns("reactions", REACTIONS).expect("just found");
    assert_eq!(reactions.text_of("reaction"), "💜");
    assert_eq!(reactions.attr("id"), romeos, "{seen:?}");
}

async fn moderation(cast: &Cast, juliets: &str, romeos: &str) {
    let moderate = |id: &str| {
        format!(
            "<moderate xmlns='{MODERATE}' id='{id}'><retract xmlns='{RETRACT}'/>\
             <reason>spam</reason></moderate>"
        )
    };
    let log = cast.romeo.log();
    let hers = log.iter().find(|s| s.body() == "teh rose");
    let hers = stanza_id(hers.expect("it was heard"), ROOM);
    refused(&cast.romeo, "set", ROOM, &moderate(&hers), "forbidden").await;
    refused(
        &cast.juliet,
        "set",
        ROOM,
        &moderate("lost"),
        "item-not-found",
    )
    .await;
    result(&cast.juliet, "set", ROOM, &moderate(juliets)).await;
    for (client, id) in [(&cast.juliet, juliets), (&cast.romeo, romeos)] {
        let told = client
            .expect(|s| s.find("moderated", MODERATE).is_some())
            .await;
        assert_eq!(told.from(), ROOM);
        let retract = told.child_ns("retract", RETRACT).expect("what is gone");
        assert_eq!(
            (retract.attr("id"), retract.text_of("reason")),
            (id, "spam")
        );
        let by = retract
            .child_ns("moderated", MODERATE)
            .map(|it| it.attr("by"));
        assert_eq!(by, Some(&*format!("{ROOM}/juliet")), "{told:?}");
    }
}
