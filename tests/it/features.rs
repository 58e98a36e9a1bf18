//! Nothing is advertised that is not shown to work: each feature in any answer to disco#info has a
//! scenario that uses it.

use std::collections::BTreeSet;
use std::path::Path;

use isthmus::xmpp::Element;

use crate::scenario::hear_text;

const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";

/// Feature, and the scenario that uses it, below `tests/scenarios`.
const USED: &[(&str, &str)] = &[
    (
        "http://jabber.org/protocol/address",
        "loopback/several/mail.txt",
    ),
    ("http://jabber.org/protocol/caps", "irc/disco/caps.txt"),
    (
        "http://jabber.org/protocol/chatstates",
        "loopback/chat/0085-typing.txt",
    ),
    (
        "http://jabber.org/protocol/commands",
        "loopback/register/queue.txt",
    ),
    (DISCO_INFO, "irc/disco/gateway.txt"),
    (
        "http://jabber.org/protocol/disco#items",
        "irc/disco/gateway-items.txt",
    ),
    ("http://jabber.org/protocol/muc", "loopback/room/enter.txt"),
    (
        "http://jabber.org/protocol/muc#self-ping-optimization",
        "irc/ping/self-joined.txt",
    ),
    (
        "http://jabber.org/protocol/muc#stable_id",
        "irc/talk/groupchat-out.txt",
    ),
    (
        "http://jabber.org/protocol/muc#request",
        "loopback/voice/request.txt",
    ),
    ("http://jabber.org/protocol/rsm", "loopback/disco/rooms.txt"),
    (
        "http://jabber.org/protocol/rosterx",
        "loopback/contact/0144-add.txt",
    ),
    ("vcard-temp", "loopback/picture/room.txt"),
    (
        "urn:ietf:params:xml:ns:vcard-4.0",
        "loopback/inquiry/card.txt",
    ),
    ("jabber:iq:last", "loopback/disco/last.txt"),
    ("urn:xmpp:time", "loopback/disco/last.txt"),
    ("jabber:iq:gateway", "loopback/register/prompt.txt"),
    (r"jid\20escaping", "loopback/register/prompt-escaped.txt"),
    ("jabber:iq:register", "loopback/register/form.txt"),
    ("jabber:iq:version", "irc/disco/version.txt"),
    ("jabber:x:oob", "loopback/chat/0066-links.txt"),
    (
        "urn:xmpp:chat-markers:0",
        "loopback/chat/0333-displayed.txt",
    ),
    (
        "urn:xmpp:channel-search:0:search",
        "loopback/disco/search.txt",
    ),
    ("urn:xmpp:fallback:0", "loopback/chat/0461-room.txt"),
    ("urn:xmpp:hats:0", "loopback/room/hats.txt"),
    ("urn:xmpp:hints", "loopback/chat/0334-no-store.txt"),
    ("urn:xmpp:mam:2", "loopback/archive/room.txt"),
    ("urn:xmpp:mam:2#extended", "loopback/archive/pages.txt"),
    ("urn:xmpp:message-correct:0", "loopback/chat/0308-edit.txt"),
    (
        "urn:xmpp:message-moderate:1",
        "loopback/chat/0425-moderate.txt",
    ),
    (
        "urn:xmpp:message-retract:1",
        "loopback/chat/0424-retract.txt",
    ),
    (
        "urn:xmpp:message-retract:1#tombstone",
        "loopback/archive/tombstone.txt",
    ),
    ("urn:xmpp:noreply:0", "loopback/disco/deaf.txt"),
    ("urn:xmpp:occupant-id:0", "loopback/room/occupant-id.txt"),
    ("urn:xmpp:ping", "irc/ping/everywhere.txt"),
    ("urn:xmpp:reactions:0", "loopback/chat/0444-room.txt"),
    ("urn:xmpp:receipts", "loopback/chat/0184-taken.txt"),
    ("urn:xmpp:reply:0", "loopback/chat/0461-room.txt"),
    ("urn:xmpp:sid:0", "irc/talk/groupchat-out.txt"),
    ("urn:xmpp:styling:0", "loopback/chat/0393-styles.txt"),
];

/// Words of XEP-0045 §15.3 about a room: a scenario shows each, where it holds.
const ROOM_WORDS: &str = "muc_";

/// What every kind of address answers, on networks with all capabilities and with none.
fn advertised() -> BTreeSet<String> {
    let all = "gateway loopback {\"register\": true, \"echo\": false}\n";
    let bare = "gateway loopback {\"echo\": false, \"caps\": {\"rooms\": true}}\n";
    let irc = "gateway irc\n";
    let mut features = BTreeSet::new();
    for (gateway, domain) in [
        (all, "loopback.example.org"),
        (bare, "loopback.example.org"),
        (irc, "irc.example.org"),
    ] {
        let mut text = gateway.to_owned();
        let network = if domain.starts_with("irc") {
            "%net"
        } else {
            ""
        };
        if network.is_empty() {
            text.push_str(&format!(
                "xmpp> <presence from='juliet@example.org/phone' to='#garden@{domain}/juliet'>\
                 <x xmlns='http://jabber.org/protocol/muc'/></presence>\nsilence_after_all\n"
            ));
        }
        let bare = format!("{network}@{domain}");
        for (n, to) in [
            domain.to_owned(),
            format!("%net@{domain}"),
            format!("#garden{bare}"),
            format!("#garden{bare}/juliet"),
            format!("#elsewhere{bare}"),
            format!("alice{bare}"),
            format!("deaf{bare}"),
        ]
        .iter()
        .enumerate()
        {
            text.push_str(&format!(
                "xmpp> <iq from='juliet@example.org/phone' to='{to}' type='get' id='q{n}'>\
                 <query xmlns='{DISCO_INFO}'/></iq>\n"
            ));
        }
        let text = text.replace("silence_after_all\n", "");
        let heard = hear_text("features", &text).expect("it plays");
        let answers = heard.iter().filter(|it| it.name() == "iq");
        let queries: Vec<&Element> = answers
            .filter_map(|iq| iq.child("query", DISCO_INFO))
            .collect();
        assert!(queries.len() >= 5, "only {} answers", queries.len());
        for feature in queries.iter().flat_map(|query| query.children()) {
            features.extend(feature.attr("var").map(str::to_owned));
        }
    }
    features
}

#[test]
fn every_feature_that_is_advertised_has_a_scenario_that_uses_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut missing = Vec::new();
    let advertised = advertised();
    for feature in &advertised {
        if feature.starts_with(ROOM_WORDS) {
            continue;
        }
        let Some((_, file)) = USED.iter().find(|(used, _)| used == feature) else {
            missing.push(format!(
                "{feature}: name a scenario in tests/it/features.rs"
            ));
            continue;
        };
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        // A feature whose use shows in no namespace of its own is named in the file's first line.
        if !text.contains(feature.as_str()) {
            missing.push(format!("{feature}: {file} does not mention it"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let stale = USED.iter().filter(|(used, _)| !advertised.contains(*used));
    let stale: Vec<_> = stale.collect();
    assert!(stale.is_empty(), "no longer advertised: {stale:?}");
}
