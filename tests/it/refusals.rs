//! Every error an IRC server can answer (400 to 599), to an entrance and to a message: on the whole
//! program each is one stanza error, on the very stanza, with the right condition and the network's
//! words.
//!
//! 465 ends the connection besides, and is played by itself.

use crate::scenario::run_text;

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const PHONE: &str = "juliet@example.org/phone";

/// Numbers that one run goes through.
const SOME: usize = 25;
/// Banned from the server: the connection is over.
const BANNED: u16 = 465;

/// The condition and its type: what XEP-0045 §7.2 and RFC 6120 §8.3.3 have a word for, and
/// `not-allowed` for all else.
fn condition(number: u16) -> (&'static str, &'static str) {
    match number {
        401 | 403 | 441 | 476 => ("item-not-found", "cancel"),
        405 | 471 => ("service-unavailable", "wait"),
        407 | 437 | 438 | 478 => ("resource-constraint", "wait"),
        411 | 412 | 461 => ("bad-request", "modify"),
        421 | 472 => ("feature-not-implemented", "cancel"),
        404 | 465 | 474 | 481 | 482 | 484 | 485 | 494 | 531 => ("forbidden", "auth"),
        431 | 432 | 447 => ("not-acceptable", "modify"),
        433 | 436 => ("conflict", "cancel"),
        442 => ("not-acceptable", "cancel"),
        470 => ("gone", "cancel"),
        473 | 477 | 480 | 486 => ("registration-required", "auth"),
        475 => ("not-authorized", "auth"),
        _ => ("not-allowed", "cancel"),
    }
}

/// The answer of the server: names, the new one too where it forwards, and words.
fn refusal(number: u16, target: &str) -> String {
    let also = if number == 470 { " ##new" } else { "" };
    format!("irc> :irc.net.example {number} juliet {target}{also} :No {number} here\n")
}

fn error(number: u16) -> String {
    let (name, kind) = condition(number);
    let (uri, words) = match number {
        470 => {
            let proper = "##new%net@irc.example.org";
            (
                format!("xmpp:{proper}"),
                format!("the proper address is {proper}"),
            )
        }
        _ => (String::new(), format!("No {number} here")),
    };
    format!(
        "<error type='{kind}'><{name} xmlns='{STANZAS}'>{uri}</{name}>\
         <text xmlns='{STANZAS}' xml:lang='en'>{words}</text></error>"
    )
}

fn entrance(number: u16) -> String {
    let room = format!("#r{number}");
    let jid = format!("{room}%net@irc.example.org/juliet");
    let muc = "<x xmlns='http://jabber.org/protocol/muc'/>";
    format!(
        "xmpp> <presence from='{PHONE}' id='e{number}' to='{jid}'>{muc}</presence>\n\
         irc< JOIN {room}\n{}\
         xmpp< <presence from='{jid}' to='{PHONE}' type='error' id='e{number}'>{muc}{}</presence>\n",
        refusal(number, &room),
        error(number),
    )
}

fn message(number: u16, sort: &str, target: &str) -> String {
    let jid = format!("{target}%net@irc.example.org");
    let body = format!("<body>m{number}</body>");
    format!(
        "xmpp> <message from='{PHONE}' id='e{number}' type='{sort}' to='{jid}'>{body}</message>\n\
         irc< PRIVMSG {target} :m{number}\n{}\
         xmpp< <message from='{jid}' to='{PHONE}' type='error' id='e{number}'>{body}{}</message>\n\
         irc< (proof)\n",
        refusal(number, target),
        error(number),
    )
}

/// Plays what `ask` writes for each number; nothing else may come.
fn play(name: &str, ask: impl Fn(u16) -> String) {
    let numbers: Vec<u16> = (400..=599).filter(|it| *it != BANNED).collect();
    let mut faults = Vec::new();
    for some in numbers.chunks(SOME) {
        let asked: String = some.iter().map(|it| ask(*it)).collect();
        let text = format!("include joined\n{asked}silence\n");
        if let Err(fault) = run_text(name, &text) {
            faults.push(format!("{} to {}: {fault}", some[0], some[some.len() - 1]));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_number_ends_an_entrance_in_one_presence_error() {
    play("entrance", entrance);
}

#[test]
fn every_number_ends_a_message_to_a_room_in_one_message_error() {
    play("groupchat", |number| {
        message(number, "groupchat", "#garden")
    });
}

#[test]
fn every_number_ends_a_private_message_in_one_message_error() {
    play("chat", |number| message(number, "chat", "alice"));
}

#[test]
fn a_ban_from_the_server_ends_what_is_open_once_and_all_rooms() {
    let gone = format!(
        "irc< (close)\n\
         xmpp< <presence from='#garden%net@irc.example.org/juliet' to='{PHONE}' \
         type='unavailable'>{{...}}</presence>\n"
    );
    for (name, asked) in [
        ("entrance", entrance(BANNED)),
        ("groupchat", message(BANNED, "groupchat", "#garden")),
    ] {
        let text = format!("include joined\n{asked}{gone}silence\n");
        run_text(name, &text).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
