//! Contacts on real servers: where the server grants privileges (XEP-0356) they and rooms appear by
//! themselves; elsewhere the user subscribes.

use isthmus_test_support::xmpp_server::{Ejabberd, Jabberd2, Prosody};
use isthmus_test_support::{Stanza, XmppClient, XmppServer};

use crate::world::{LOOP, LOOP_GATEWAY, World, config, isthmus};

const ECHO: &str = "echo%net@loop.localhost";
const ROSTER: &str = "<query xmlns='jabber:iq:roster'/>";

/// A gateway whose users register.
const REGISTERING: &str = r#"
[gateway.loop]
kind = "loopback"
domain = "loop.localhost"
allow = ["localhost"]
register = true
"#;

fn world(xmpp: Box<dyn XmppServer>, gateways: &str) -> World {
    let isthmus = isthmus(&config(&*xmpp, gateways));
    World { isthmus, xmpp }
}

fn is_presence<'a>(from: &'a str, kind: &'a str) -> impl FnMut(&Stanza) -> bool + 'a {
    move |stanza| {
        stanza.kind() == "presence"
            && stanza.from().split('/').next() == Some(from)
            && stanza.type_() == kind
    }
}

/// Subscribes to a contact and lets him have one's own presence, as a client does.
async fn befriend(juliet: &XmppClient) {
    juliet.send(&format!("<presence to='{ECHO}' type='subscribe'/>"));
    juliet.expect(is_presence(ECHO, "subscribe")).await;
    juliet.send(&format!("<presence to='{ECHO}' type='subscribed'/>"));
    juliet.expect(is_presence(ECHO, "")).await;
}

/// The subscription of an address in the user's roster; empty: it is not there.
async fn in_roster(juliet: &XmppClient, jid: &str) -> String {
    let own = juliet.bare_jid().to_owned();
    let roster = juliet.iq("get", &own, ROSTER).await;
    let query = roster.child("query").expect("a roster");
    let item = query
        .children_named("item")
        .find(|it| it.attr("jid") == jid);
    item.map(|item| item.attr("subscription").to_owned())
        .unwrap_or_default()
}

/// Subscribes, goes, comes back and ends the subscription.
async fn subscribe(xmpp: Box<dyn XmppServer>) {
    let world = world(xmpp, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    befriend(&juliet).await;
    assert_eq!(in_roster(&juliet, ECHO).await, "both");
    juliet.disconnect().await;
    let again = world.resource("juliet", "two").await;
    again.expect(is_presence(ECHO, "")).await;
    again.send(&format!("<presence to='{ECHO}' type='unsubscribe'/>"));
    again.expect(is_presence(ECHO, "unavailable")).await;
}

#[tokio::test]
async fn contacts_are_subscribed_to_on_prosody() {
    subscribe(Box::new(Prosody::start_with(&[LOOP]))).await;
}

#[tokio::test]
async fn contacts_are_subscribed_to_on_ejabberd() {
    subscribe(Box::new(Ejabberd::start_with(&[LOOP]))).await;
}

#[tokio::test]
async fn contacts_are_subscribed_to_on_jabberd2() {
    subscribe(Box::new(Jabberd2::start_with(&[LOOP]))).await;
}

async fn register(world: &World) -> XmppClient {
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    let form = "<query xmlns='jabber:iq:register'><nick>jules</nick></query>";
    let answer = juliet.iq("set", LOOP, form).await;
    assert_eq!(answer.type_(), "result", "{answer:?}");
    juliet
}

#[tokio::test]
async fn what_prosody_grants_puts_the_gateway_into_the_roster() {
    let xmpp = Box::new(Prosody::start_privileged(&[LOOP]));
    let world = world(xmpp, REGISTERING);
    let juliet = register(&world).await;
    juliet.expect(is_presence(LOOP, "")).await;
    assert_eq!(in_roster(&juliet, LOOP).await, "both");
    let asked = juliet
        .log()
        .iter()
        .any(|it| is_presence(LOOP, "subscribe")(it));
    assert!(!asked, "nobody has to be asked");
}

#[tokio::test]
async fn what_ejabberd_grants_and_refuses_is_asked_for_instead() {
    let xmpp = Box::new(Ejabberd::start_privileged(&[LOOP]));
    let world = world(xmpp, REGISTERING);
    let juliet = register(&world).await;
    // 23.01 refuses; later versions do it.
    juliet
        .expect(|it| is_presence(LOOP, "subscribe")(it) || is_presence(LOOP, "")(it))
        .await;
}
