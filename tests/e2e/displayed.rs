//! What a user has read, as his clients publish it (XEP-0490), reaches the network from a server
//! that lets the gateway listen in his name (XEP-0356).

use isthmus_test_support::Stanza;
use isthmus_test_support::xmpp_server::Prosody;

use crate::world::{LOOP, LOOP_GATEWAY, World, config_at, isthmus};

const ROOM: &str = "#garden@loop.localhost";

/// What the occupant of that nickname sends with this content.
fn from<'a>(nick: &'a str, child: &'a str) -> impl FnMut(&Stanza) -> bool + 'a {
    move |stanza| stanza.from() == format!("{ROOM}/{nick}") && stanza.child(child).is_some()
}

#[tokio::test]
async fn what_is_read_here_is_told_there_on_prosody() {
    let xmpp: Box<dyn isthmus_test_support::XmppServer> =
        Box::new(Prosody::start_privileged(&[LOOP]));
    let config = config_at(xmpp.component_port(), xmpp.secret(), "debug", LOOP_GATEWAY);
    let isthmus = isthmus(&config);
    let world = World { isthmus, xmpp };
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    world.isthmus.wait_for_log("the server grants privileges");
    let romeo = world.user("romeo").await;
    juliet.join(ROOM, "juliet").await;
    romeo.join(ROOM, "romeo").await;
    romeo.groupchat(ROOM, "one");
    let one = juliet.expect(from("romeo", "body")).await;
    let id = one.child("stanza-id").expect("each message has one");
    let id = id.attr("id").to_owned();
    world.isthmus.wait_for_log("subscribed to what he reads");

    let publish = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <publish node='urn:xmpp:mds:displayed:0'><item id='{ROOM}'>\
         <displayed xmlns='urn:xmpp:mds:displayed:0'>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{id}'/></displayed></item></publish>\
         <publish-options><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
         <field var='pubsub#access_model'><value>whitelist</value></field>\
         <field var='pubsub#max_items'><value>max</value></field></x></publish-options></pubsub>"
    );
    let done = juliet.iq("set", juliet.bare_jid(), &publish).await;
    assert_eq!(done.type_(), "result", "{done:?}");
    let read = romeo.expect(from("juliet", "displayed")).await;
    let displayed = read.child("displayed").expect("it was waited for");
    let heard = romeo.expect(from("romeo", "body")).await;
    let own = heard.child("stanza-id").expect("each message has one");
    assert_eq!(displayed.attr("id"), own.attr("id"), "the same for all");
}
