//! Service discovery (XEP-0030) of the gateway, a network, a room, an occupant; pages (XEP-0059).

use isthmus_test_support::XmppClient;

use super::{COMMANDS, Cast, ECHO, ROMEO, ROOM, RSM, refused, result};
use crate::world::{DISCO_INFO, LOOP, features};

const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const HALL: &str = "#hall%net@loop.localhost";
const VCARD: &str = "<vCard xmlns='vcard-temp'/>";
const VERSION: &str = "<query xmlns='jabber:iq:version'/>";
const NET: &str = "%net@loop.localhost";

fn has(features: &[String], wanted: &[&str]) {
    for feature in wanted {
        assert!(
            features.iter().any(|it| it == feature),
            "{feature}: {features:?}"
        );
    }
}

/// The addresses of one page, and the index of its first and the count of all.
async fn page(client: &XmppClient, of: &str, set: &str) -> (Vec<String>, String, String) {
    let query = format!("<query xmlns='{ITEMS}'><set xmlns='{RSM}'>{set}</set></query>");
    let answer = result(client, "get", of, &query).await;
    let query = answer.child("query").expect("a result has its query");
    let items = query.children_named("item");
    let jids = items.map(|item| item.attr("jid").to_owned()).collect();
    let set = query.child_ns("set", RSM).expect("a page has its set");
    let first = set.child("first").map_or("", |first| first.attr("index"));
    (jids, first.to_owned(), set.text_of("count").to_owned())
}

pub(super) async fn shown(cast: &Cast) {
    let juliet = &cast.juliet;
    let muc = "http://jabber.org/protocol/muc";
    let gateway = [
        "jabber:iq:register",
        "jabber:iq:gateway",
        COMMANDS,
        muc,
        RSM,
    ];
    has(&features(juliet, LOOP).await, &gateway);
    let room = [
        muc,
        "urn:xmpp:sid:0",
        "urn:xmpp:occupant-id:0",
        "urn:xmpp:mam:2",
        "urn:xmpp:mam:2#extended",
        "urn:xmpp:message-moderate:1",
        "urn:xmpp:reactions:0",
        "muc_unmoderated",
        "muc_semianonymous",
    ];
    has(&features(juliet, ROOM).await, &room);
    has(&features(juliet, ECHO).await, &["urn:xmpp:receipts"]);
    items(cast).await;
    let occupant = format!("{ROOM}/romeo");
    result(juliet, "get", &occupant, DISCO_INFO).await;
    refused(&cast.tybalt, "get", &occupant, DISCO_INFO, "bad-request").await;
    people(cast).await;
    let nowhere = "<query xmlns='http://jabber.org/protocol/disco#info' node='nowhere'/>";
    refused(juliet, "get", ROOM, nowhere, "item-not-found").await;
}

/// Occupants for who is in, rooms of the network for everybody, by pages.
async fn items(cast: &Cast) {
    let juliet = &cast.juliet;
    juliet.join(HALL, "juliet").await;
    let (first, index, count) = page(juliet, NET, "<max>1</max>").await;
    assert_eq!((&*index, &*count), ("0", "2"), "{first:?}");
    assert_eq!(first, [ROOM]);
    let after = format!("<max>1</max><after>{ROOM}</after>");
    let (second, index, _) = page(juliet, NET, &after).await;
    assert_eq!((second, &*index), (vec![HALL.to_owned()], "1"));
    let (none, _, count) = page(juliet, NET, "<max>0</max>").await;
    assert_eq!((none.len(), &*count), (0, "2"));
    let nowhere =
        format!("<query xmlns='{ITEMS}'><set xmlns='{RSM}'><after>nowhere</after></set></query>");
    refused(juliet, "get", NET, &nowhere, "item-not-found").await;
    juliet.leave(HALL, "juliet");
    let (last, index, count) = page(juliet, ROOM, "<max>2</max><before/>").await;
    assert_eq!((last.len(), &*index, &*count), (2, "1", "3"), "{last:?}");
    let (others, _, count) = page(&cast.tybalt, ROOM, "<max>5</max>").await;
    assert_eq!(
        (others.len(), &*count),
        (0, "0"),
        "of whom outsiders hear nothing"
    );
}

/// What somebody is called (XEP-0054), by the room and at his own address, and what program he has
/// (XEP-0092); of an occupant only those in the room are told.
async fn people(cast: &Cast) {
    let occupant = format!("{ROOM}/romeo");
    for address in [&*occupant, ROMEO] {
        let card = result(&cast.juliet, "get", address, VCARD).await;
        let nick = card.find("NICKNAME", "vcard-temp").map(|it| &*it.text);
        assert_eq!(nick, Some("romeo"), "{card:?}");
    }
    refused(&cast.tybalt, "get", &occupant, VCARD, "service-unavailable").await;
    let program = result(&cast.juliet, "get", &occupant, VERSION).await;
    let name = program.find("name", "jabber:iq:version");
    assert!(name.is_some_and(|it| it.text.starts_with("Loopback")));
}
