//! The one table of faults, walked from the network to the user: every kind refuses an entrance and
//! a message, and comes back on that very stanza.

use isthmus_gateway::FaultKind;

use super::run_text;

/// Kind, condition and type of the stanza error (RFC 6120 §8.3; for entrances XEP-0045 §7.2).
const TABLE: [(FaultKind, &str, &str); 28] = [
    (FaultKind::BadAddress, "jid-malformed", "modify"),
    (FaultKind::NoSuchTarget, "item-not-found", "cancel"),
    (FaultKind::Moved, "gone", "cancel"),
    (
        FaultKind::NoSuchNetwork,
        "remote-server-not-found",
        "cancel",
    ),
    (FaultKind::NetworkDown, "remote-server-timeout", "wait"),
    (FaultKind::Offline, "recipient-unavailable", "wait"),
    (FaultKind::NotAuthorized, "not-authorized", "auth"),
    (FaultKind::NotRegistered, "registration-required", "auth"),
    (FaultKind::WrongPassword, "not-authorized", "auth"),
    (FaultKind::Forbidden, "forbidden", "auth"),
    (FaultKind::NotPrivileged, "forbidden", "auth"),
    (FaultKind::NotAllowed, "not-allowed", "cancel"),
    (FaultKind::MembersOnly, "registration-required", "auth"),
    (FaultKind::RoomFull, "service-unavailable", "wait"),
    (FaultKind::NotJoined, "not-acceptable", "cancel"),
    (FaultKind::NickTaken, "conflict", "cancel"),
    (FaultKind::NickRefused, "not-acceptable", "modify"),
    (FaultKind::TooFast, "resource-constraint", "wait"),
    (FaultKind::Full, "resource-constraint", "wait"),
    (FaultKind::TooLarge, "policy-violation", "modify"),
    (FaultKind::NotExpressible, "not-acceptable", "modify"),
    (FaultKind::Encrypted, "not-acceptable", "modify"),
    (FaultKind::Unsupported, "feature-not-implemented", "cancel"),
    (FaultKind::TimedOut, "remote-server-timeout", "wait"),
    (FaultKind::Expired, "remote-server-timeout", "wait"),
    (FaultKind::BadRequest, "bad-request", "modify"),
    (FaultKind::Internal, "internal-server-error", "wait"),
    (FaultKind::Other, "not-allowed", "cancel"),
];

/// Who has moved is not only told so: RFC 6120 §8.3.3.5 has the new address in the condition.
const MOVED: &str = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>\
     xmpp:{new}</gone><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' \
     xml:lang='en'>the proper address is {new}</text></error>";

fn walk(scenario: impl Fn(&str, &str) -> String) {
    for kind in FaultKind::ALL {
        let row = TABLE.iter().find(|row| row.0 == kind);
        let (_, condition, error) = row.expect("every kind has a row");
        let json = serde_json::to_string(&kind).expect("a kind has a name");
        let name = json.trim_matches('"');
        let error = if kind == FaultKind::Moved {
            MOVED.to_owned()
        } else {
            format!(
                "<error type='{error}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' \
             xml:lang='en'>{{*}}{kind:?}</text></error>"
            )
        };
        let text = scenario(name, &error);
        run_text(name, &text).unwrap_or_else(|fault| panic!("{kind:?}\n{text}\n{fault}"));
    }
}

#[test]
fn every_fault_refuses_an_entrance_with_its_condition() {
    walk(|name, error| {
        let room = format!("#fault-{name}@loopback.example.org/juliet");
        let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
        format!(
            "gateway loopback\n\
             xmpp> <presence from='juliet@example.org/phone' to='{room}' id='j1'>{x}</presence>\n\
             xmpp< <presence from='{room}' to='juliet@example.org/phone' type='error' id='j1'>\
             {x}{error}</presence>\n"
        )
    });
}

#[test]
fn every_fault_refuses_a_message_with_its_condition() {
    walk(|name, error| {
        let contact = format!("fault-{name}@loopback.example.org");
        format!(
            "gateway loopback\n\
             xmpp> <message from='juliet@example.org/phone' to='{contact}' type='chat' id='m1'>\
             <body>hello</body></message>\n\
             xmpp< <message from='{contact}' to='juliet@example.org/phone' type='error' id='m1'>\
             <body>hello</body>{error}</message>\n"
        )
    });
}
