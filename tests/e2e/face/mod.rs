//! What a client sees of the gateway, by themes: one run of all of them for each XMPP server,
//! through a client library that nobody here wrote. The other side is the loopback gateway.
//!
//! What a server does not have is asked of it, and what is seen then is asserted, too.

mod archive;
mod bad;
mod chat;
mod commands;
mod contacts;
mod converse;
mod disco;
mod flood;
mod govern;
mod room;

use std::time::Instant;

use isthmus_test_support::node::Node;
use isthmus_test_support::{Stanza, XmppClient, xmpp_server::Kind};

use crate::world::{LOOP, World};

/// The room that most of it happens in.
const ROOM: &str = "#garden%net@loop.localhost";
/// Who answers everything.
const ECHO: &str = "echo%net@loop.localhost";
/// Romeo and Juliet, as people of the network.
const ROMEO: &str = "romeo%net@loop.localhost";
const JULIET: &str = "juliet%net@loop.localhost";

/// A network that can do all but history, and knows two reactions, one at a time.
const FACE: &str = r#"
[gateway.loop]
kind = "loopback"
domain = "loop.localhost"
allow = ["localhost"]
register = true

[gateway.loop.caps]
lookup = true
rooms = true
typing = true
edit = true
retract = true
moderate = true
react = true
react_max = 1
react_with = ["👋", "💜"]
reply = true
receipts = true
read = true
attachments = true
multiline = true
style = true
subject = true
watch = true
"#;

const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
const DATA: &str = "jabber:x:data";
const RSM: &str = "http://jabber.org/protocol/rsm";

/// Who takes part: each logged in once, Juliet and Romeo in the room.
struct Cast {
    world: World,
    juliet: XmppClient,
    romeo: XmppClient,
    /// In no room.
    tybalt: XmppClient,
}

async fn show(kind: Kind) {
    let world = World::start(kind, FACE);
    let (juliet, romeo) = tokio::join!(world.user("juliet"), world.user("romeo"));
    let tybalt = world.user("tybalt").await;
    world.attached(&juliet, LOOP).await;
    let cast = Cast {
        world,
        juliet,
        romeo,
        tybalt,
    };
    let begun = Instant::now();
    room::entering(&cast).await;
    room::talking(&cast).await;
    room::coming_later(&cast).await;
    disco::shown(&cast).await;
    archive::read(&cast).await;
    chat::private(&cast).await;
    chat::in_the_room(&cast).await;
    bad::forged(&cast).await;
    govern::lists_and_ranks(&cast).await;
    govern::out_and_in(&cast).await;
    govern::voice(&cast).await;
    room::by_the_room(&cast).await;
    commands::run(&cast).await;
    contacts::registered(&cast).await;
    contacts::carbons(&cast, kind).await;
    flood::pipelined(&cast).await;
    for client in [&cast.juliet, &cast.romeo] {
        room::occupants_are_named(client);
    }
    println!("{kind:?}: {:?}", begun.elapsed());
    let isthmus = cast.world.isthmus;
    assert_eq!(isthmus.terminate().code(), Some(0), "{}", isthmus.log());
}

#[tokio::test]
async fn what_clients_see_on_prosody() {
    show(Kind::Prosody).await;
}

#[tokio::test]
async fn what_clients_see_on_ejabberd() {
    show(Kind::Ejabberd).await;
}

#[tokio::test]
async fn what_clients_see_on_jabberd2() {
    show(Kind::Jabberd2).await;
}

/// Asks, and wants a result.
#[track_caller]
fn result<'a>(
    client: &'a XmppClient,
    kind: &'a str,
    to: &'a str,
    payload: &'a str,
) -> impl Future<Output = Stanza> + 'a {
    let caller = std::panic::Location::caller();
    let answer = client.iq(kind, to, payload);
    async move {
        let answer = answer.await;
        assert_eq!(answer.type_(), "result", "at {caller}: {answer:?}");
        answer
    }
}

/// Asks, and wants to be refused with this condition.
#[track_caller]
fn refused<'a>(
    client: &'a XmppClient,
    kind: &'a str,
    to: &'a str,
    payload: &'a str,
    condition: &'a str,
) -> impl Future<Output = Stanza> + 'a {
    let caller = std::panic::Location::caller();
    let answer = client.iq(kind, to, payload);
    async move {
        let answer = answer.await;
        assert_eq!(
            answer.error_condition(),
            condition,
            "at {caller}: {answer:?}"
        );
        answer
    }
}

/// Waits for the error of the message with this id.
#[track_caller]
fn bounced<'a>(
    client: &'a XmppClient,
    id: &'a str,
    condition: &'a str,
) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    let error = client.expect(move |s| s.kind() == "message" && s.id() == id && is_error(s));
    async move {
        let error = error.await;
        assert_eq!(error.error_condition(), condition, "at {caller}: {error:?}");
    }
}

fn is_error(stanza: &Stanza) -> bool {
    stanza.type_() == "error"
}

/// The id that a room or a contact gave to a message (XEP-0359): one, and by that address.
#[track_caller]
fn stanza_id(message: &Stanza, by: &str) -> String {
    let ids: Vec<&Node> = message
        .children_named("stanza-id")
        .filter(|id| id.ns == "urn:xmpp:sid:0" && id.attr("by") == by)
        .collect();
    assert_eq!(ids.len(), 1, "one id by {by}: {message:?}");
    assert!(!ids[0].attr("id").is_empty(), "{message:?}");
    ids[0].attr("id").to_owned()
}

/// The id of who is behind a nickname (XEP-0421); empty: none is told.
fn occupant(stanza: &Stanza) -> &str {
    let id = stanza.child_ns("occupant-id", "urn:xmpp:occupant-id:0");
    id.map_or("", |id| id.attr("id"))
}

/// A submitted form with these fields.
fn form(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!("<field var='{name}'><value>{value}</value></field>")
    };
    let fields: String = fields.iter().map(field).collect();
    format!("<x xmlns='{DATA}' type='submit'>{fields}</x>")
}

/// The fields of the first form in a stanza, by name.
fn fields(stanza: &Stanza) -> Vec<&Node> {
    let form = stanza.find("x", DATA);
    form.map(|form| form.children_named("field").collect())
        .unwrap_or_default()
}

/// The names of the fields of the first form in a stanza.
fn names(stanza: &Stanza) -> Vec<&str> {
    fields(stanza)
        .iter()
        .map(|field| field.attr("var"))
        .collect()
}

/// The value of a field of the first form in a stanza; empty: there is none.
fn value<'a>(stanza: &'a Stanza, name: &str) -> &'a str {
    let field = fields(stanza)
        .into_iter()
        .find(|field| field.attr("var") == name);
    field.map_or("", |field| field.text_of("value"))
}
