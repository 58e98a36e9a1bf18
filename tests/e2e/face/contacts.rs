//! Registration and contacts (XEP-0077, XEP-0100), and what the server does beside us: carbons.

use isthmus_test_support::{Stanza, XmppClient, xmpp_server::Kind};

use super::{Cast, ECHO, refused, result, value};
use crate::world::{LOOP, error_text, register_form};

const REGISTER: &str = "<query xmlns='jabber:iq:register'/>";
const ROSTER: &str = "<query xmlns='jabber:iq:roster'/>";
const CARBONS: &str = "urn:xmpp:carbons:2";

fn presence<'a>(from: &'a str, kind: &'a str) -> impl FnMut(&Stanza) -> bool + 'a {
    move |s| s.kind() == "presence" && s.type_() == kind && s.from().split('/').next() == Some(from)
}

async fn subscription(client: &XmppClient, jid: &str) -> String {
    let roster = result(client, "get", client.bare_jid(), ROSTER).await;
    let query = roster.child("query").expect("a roster");
    let item = query
        .children_named("item")
        .find(|it| it.attr("jid") == jid);
    item.map_or("", |item| item.attr("subscription")).to_owned()
}

/// Tybalt registers, has a contact, types an address, and goes.
pub(super) async fn registered(cast: &Cast) {
    let tybalt = &cast.tybalt;
    // The end of an earlier registration must not be taken for the end of this one.
    tybalt.collect(LOOP).await;
    let form = result(tybalt, "get", LOOP, REGISTER).await;
    assert!(
        form.find("registered", "jabber:iq:register").is_none(),
        "{form:?}"
    );
    let missing = register_form(&[("line", "1")]);
    let error = refused(tybalt, "set", LOOP, &missing, "not-acceptable").await;
    assert!(error_text(&error).contains("(nick)"), "{error:?}");
    result(tybalt, "set", LOOP, &register_form(&[("nick", "tybalt")])).await;
    befriend(tybalt, LOOP, true).await;
    let form = result(tybalt, "get", LOOP, REGISTER).await;
    assert!(
        form.find("registered", "jabber:iq:register").is_some(),
        "{form:?}"
    );
    assert_eq!(value(&form, "nick"), "tybalt");
    let how = result(tybalt, "get", LOOP, "<query xmlns='jabber:iq:gateway'/>").await;
    assert!(how.find("prompt", "jabber:iq:gateway").is_some(), "{how:?}");
    let typed = "<query xmlns='jabber:iq:gateway'><prompt> echo%net </prompt></query>";
    let jid = result(tybalt, "set", LOOP, typed).await;
    assert_eq!(
        jid.find("jid", "jabber:iq:gateway").map(|it| &*it.text),
        Some(ECHO)
    );
    befriend(tybalt, ECHO, false).await;
    assert_eq!(subscription(tybalt, ECHO).await, "both");
    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    result(tybalt, "set", LOOP, remove).await;
    for gone in [LOOP, ECHO] {
        tybalt.expect(presence(gone, "unsubscribe")).await;
    }
    let form = result(tybalt, "get", LOOP, REGISTER).await;
    assert!(
        form.find("registered", "jabber:iq:register").is_none(),
        "{form:?}"
    );
}

/// Both subscribe to each other; who asks first differs.
async fn befriend(tybalt: &XmppClient, jid: &str, asked: bool) {
    if asked {
        tybalt.expect(presence(jid, "subscribe")).await;
        tybalt.send(&format!("<presence to='{jid}' type='subscribed'/>"));
    }
    tybalt.send(&format!("<presence to='{jid}' type='subscribe'/>"));
    if !asked {
        tybalt.expect(presence(jid, "subscribe")).await;
        tybalt.send(&format!("<presence to='{jid}' type='subscribed'/>"));
    }
    tybalt.expect(presence(jid, "")).await;
}

/// Where the server has carbons (XEP-0280), another resource sees what is written to a contact;
/// jabberd2 refuses, and then it does not. What is said to all of Juliet comes to both.
pub(super) async fn carbons(cast: &Cast, kind: Kind) {
    let two = cast.world.resource("juliet", "carbon").await;
    let enable = format!("<enable xmlns='{CARBONS}'/>");
    let own = two.bare_jid().to_owned();
    let enabled = two.iq("set", &own, &enable).await;
    let has = kind != Kind::Jabberd2;
    assert_eq!(enabled.type_() == "result", has, "{enabled:?}");
    cast.juliet.chat(ECHO, "to echo");
    cast.juliet
        .expect(|s| s.is_message("chat", "to echo"))
        .await;
    let seen = |s: &Stanza| s.kind() == "message" && s.xml.contains("to echo");
    two.expect(|s| seen(s) && s.xml.contains(ECHO)).await;
    two.collect(LOOP).await;
    let log = two.log();
    let sent = |s: &&Stanza| s.child_ns("sent", CARBONS).is_some();
    assert_eq!(log.iter().filter(sent).count(), usize::from(has), "{log:?}");
    two.disconnect().await;
}
