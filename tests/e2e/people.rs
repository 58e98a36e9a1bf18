//! People on real servers: how they look, what appears in rosters and bookmarks. The client takes
//! suggestions and tells what it can do by slixmpp's own code.

use isthmus_test_support::xmpp_server::{Ejabberd, Kind, Prosody};
use isthmus_test_support::{Stanza, XmppClient, XmppServer};
use tokio::time::Instant;

use crate::world::{LOOP, LOOP_GATEWAY, PATIENCE, World};

const NETWORK: &str = "%net@loop.localhost";
const RED: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";
const HASH: &str = "58a8ca82092f68cfa7768eb2c097879aa6bdc556";
const NOTIFY: &str = "urn:xmpp:avatar:metadata+notify";
const ROSTERX: &str = "http://jabber.org/protocol/rosterx";
const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
/// What clients want of that node (XEP-0402 §4).
const OPTIONS: &str = "<publish-options><x xmlns='jabber:x:data' type='submit'>\
    <field var='FORM_TYPE' type='hidden'>\
    <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
    <field var='pubsub#persist_items'><value>true</value></field>\
    <field var='pubsub#max_items'><value>max</value></field>\
    <field var='pubsub#send_last_published_item'><value>never</value></field>\
    <field var='pubsub#access_model'><value>whitelist</value></field></x></publish-options>";

fn presence<'a>(from: &'a str, kind: &'a str) -> impl FnMut(&Stanza) -> bool + 'a {
    move |it| {
        it.kind() == "presence" && it.from().split('/').next() == Some(from) && it.type_() == kind
    }
}

/// Subscribes to an address and lets it have one's own presence.
async fn befriend(juliet: &XmppClient, jid: &str) {
    juliet.send(&format!("<presence to='{jid}' type='subscribe'/>"));
    juliet.expect(presence(jid, "subscribe")).await;
    juliet.send(&format!("<presence to='{jid}' type='subscribed'/>"));
}

/// Romeo shows himself on the network; Juliet, who has him as a contact, sees him.
async fn looks(kind: Kind) {
    let world = World::start(kind, LOOP_GATEWAY);
    let (juliet, romeo) = (world.user("juliet").await, world.user("romeo").await);
    let contact = "romeo%net@loop.localhost";
    juliet.present(&[NOTIFY]);
    world.attached(&juliet, LOOP).await;
    world.attached(&romeo, LOOP).await;
    // He is on the network with his first line.
    romeo.chat(NETWORK, &format!("picture {RED}"));
    befriend(&juliet, contact).await;
    let shows = |it: &Stanza| {
        let update = it.node.child_ns("x", "vcard-temp:x:update");
        presence(contact, "")(it) && update.is_some_and(|x| x.text_of("photo") == HASH)
    };
    let seen = juliet.expect(shows).await;
    assert!(seen.node.child("c").is_some(), "what he can do: {seen:?}");

    // COMPAT(jabberd2 2.7): it answers disco#info in its users' names, and knows no features.
    if kind != Kind::Jabberd2 {
        let told = juliet
            .expect(|it| it.kind() == "message" && it.from() == contact)
            .await;
        let info = told.node.find("info", "urn:xmpp:avatar:metadata");
        let info = info.unwrap_or_else(|| panic!("no metadata: {told:?}"));
        assert_eq!((info.attr("id"), info.attr("type")), (HASH, "image/png"));
    }

    let card = juliet
        .iq("get", contact, "<vCard xmlns='vcard-temp'/>")
        .await;
    let photo = card.node.find("PHOTO", "vcard-temp").expect("a photo");
    assert_eq!(photo.text_of("BINVAL"), RED);
    let items = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <items node='urn:xmpp:avatar:data'><item id='{HASH}'/></items></pubsub>"
    );
    let answer = juliet.iq("get", contact, &items).await;
    let data = answer.node.find("data", "urn:xmpp:avatar:data");
    assert_eq!(data.map(|it| it.text.as_str()), Some(RED), "{answer:?}");
}

#[tokio::test]
async fn contacts_look_like_something_on_prosody() {
    looks(Kind::Prosody).await;
}

#[tokio::test]
async fn contacts_look_like_something_on_ejabberd() {
    looks(Kind::Ejabberd).await;
}

#[tokio::test]
async fn contacts_look_like_something_on_jabberd2() {
    looks(Kind::Jabberd2).await;
}

/// The subscription and groups of an address in the user's roster.
async fn in_roster(juliet: &XmppClient, jid: &str) -> Option<(String, Vec<String>)> {
    let own = juliet.bare_jid().to_owned();
    let roster = juliet.iq("get", &own, "<query xmlns='jabber:iq:roster'/>");
    let roster = roster.await;
    let query = roster.child("query").expect("a roster");
    let mut items = query.children_named("item");
    let item = items.find(|it| it.attr("jid") == jid)?;
    let groups = item.children_named("group").map(|it| it.text.clone());
    Some((item.attr("subscription").to_owned(), groups.collect()))
}

/// A contact that the network names is put into the roster by the client, and goes with the
/// registration.
async fn suggests(kind: Kind) {
    let gateway = LOOP_GATEWAY.to_owned() + "register = true\n";
    let world = World::start(kind, &gateway);
    let juliet = world.user("juliet").await;
    let alice = "alice%net@loop.localhost";
    juliet.present(&[ROSTERX]);
    world.attached(&juliet, LOOP).await;
    let form = "<query xmlns='jabber:iq:register'><nick>juliet</nick></query>";
    let answer = juliet.iq("set", LOOP, form).await;
    assert_eq!(answer.type_(), "result", "{answer:?}");
    // The gateway knows of no client yet: it asks itself.
    befriend(&juliet, LOOP).await;
    juliet.expect(presence(LOOP, "")).await;
    juliet.collect(LOOP).await;

    juliet.chat(NETWORK, "NAME alice");
    // Subscribed to by the client, she asks back.
    juliet.expect(presence(alice, "")).await;
    juliet.expect(presence(alice, "subscribe")).await;
    let (subscription, groups) = in_roster(&juliet, alice).await.expect("she is there");
    assert_eq!(
        (subscription.as_str(), groups),
        ("to", vec!["Loopback".to_owned()])
    );

    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    let answer = juliet.iq("set", LOOP, remove).await;
    assert_eq!(answer.type_(), "result", "{answer:?}");
    until(async || in_roster(&juliet, alice).await.is_none()).await;
    until(async || in_roster(&juliet, LOOP).await.is_none()).await;
}

/// Waits until it is so: what a client or server does by itself answers nobody.
async fn until(so: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < end, "it never was so");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn clients_take_suggestions_on_prosody() {
    suggests(Kind::Prosody).await;
}

#[tokio::test]
async fn clients_take_suggestions_on_ejabberd() {
    suggests(Kind::Ejabberd).await;
}

#[tokio::test]
async fn on_jabberd2_contacts_ask_for_themselves() {
    // It answers disco#info in its users' names: what they take cannot be known.
    let world = World::start(Kind::Jabberd2, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    juliet.present(&[ROSTERX]);
    world.attached(&juliet, LOOP).await;
    befriend(&juliet, LOOP).await;
    juliet.collect(LOOP).await;
    juliet.chat(NETWORK, "NAME alice");
    juliet
        .expect(presence("alice%net@loop.localhost", "subscribe"))
        .await;
}

/// A room's bookmark, as any client of hers reads it from her own account.
async fn bookmark(juliet: &XmppClient, room: &str) -> Option<isthmus_test_support::Node> {
    let own = juliet.bare_jid().to_owned();
    let request = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{BOOKMARKS}'/></pubsub>"
    );
    let answer = juliet.iq("get", &own, &request).await;
    let items = answer
        .node
        .find("items", "http://jabber.org/protocol/pubsub")?;
    let mut items = items.children_named("item");
    let item = items.find(|it| it.attr("id") == room)?;
    item.child_ns("conference", BOOKMARKS).cloned()
}

#[tokio::test]
async fn rooms_are_bookmarked_on_prosody_and_bookmarks_keep_what_they_have() {
    let world = World::around(Box::new(Prosody::start_privileged(&[LOOP])), LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    let (hall, cellar, yard) = (
        "#hall%net@loop.localhost",
        "#cellar%net@loop.localhost",
        "#yard%net@loop.localhost",
    );
    let mine = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{BOOKMARKS}'>\
         <item id='{cellar}'><conference xmlns='{BOOKMARKS}' name='Wine' autojoin='false'>\
         <extensions><notes xmlns='urn:example:notes'>mind the step</notes></extensions>\
         </conference></item></publish>{OPTIONS}</pubsub>"
    );
    let own = juliet.bare_jid().to_owned();
    let published = juliet.iq("set", &own, &mine).await;
    assert_eq!(published.type_(), "result", "{published:?}");

    // The network puts her into rooms.
    juliet.chat(NETWORK, "PUT #cellar");
    juliet.chat(NETWORK, "PUT #hall");
    // Another device of hers, which knows nothing of the gateway.
    let desk = world.resource("juliet", "desk").await;
    until(async || bookmark(&desk, hall).await.is_some()).await;
    let found = bookmark(&desk, hall).await.expect("as above");
    assert_eq!(
        (found.attr("name"), found.attr("autojoin")),
        ("#hall", "true")
    );
    assert_eq!(found.text_of("nick"), "juliet");

    // One in which she stays.
    juliet.join(yard, "juliet").await;
    juliet.chat(yard, "set persistent true");
    until(async || bookmark(&desk, yard).await.is_some()).await;

    let kept = bookmark(&desk, cellar).await.expect("her own");
    assert_eq!(
        (kept.attr("name"), kept.attr("autojoin")),
        ("Wine", "false")
    );
    let notes = kept.find("notes", "urn:example:notes");
    assert_eq!(notes.map(|it| it.text.as_str()), Some("mind the step"));
    let invited = |it: &Stanza| it.node.child_ns("x", "jabber:x:conference").is_some();
    assert!(!juliet.log().iter().any(invited), "nobody has to be asked");
}

/// Where nobody may publish in her name she is invited.
async fn invites(xmpp: Box<dyn XmppServer>) {
    let world = World::around(xmpp, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    juliet.chat(NETWORK, "PUT #hall");
    let hall = "#hall%net@loop.localhost";
    let invitation = juliet
        .expect(|it| it.node.child_ns("x", "jabber:x:conference").is_some())
        .await;
    let x = invitation.node.child_ns("x", "jabber:x:conference");
    assert_eq!(x.map(|x| x.attr("jid")), Some(hall), "{invitation:?}");
    assert_eq!(invitation.from(), hall);
    assert!(bookmark(&juliet, hall).await.is_none());
}

#[tokio::test]
async fn rooms_invite_on_ejabberd_which_grants_rosters_but_no_requests() {
    invites(Box::new(Ejabberd::start_privileged(&[LOOP]))).await;
}

#[tokio::test]
async fn rooms_invite_on_jabberd2_which_grants_nothing() {
    invites(Kind::Jabberd2.start()).await;
}
