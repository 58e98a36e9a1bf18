//! Every error an IRC server can answer (400 to 599), to an entrance and to a message: on the whole
//! program each is one stanza error, on the very stanza, with the right condition and the network's
//! words.

use std::fmt::Write as _;

use isthmus::xmpp::Element;

use crate::scenario::hear_many;

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// Numbers that one run goes through.
const SOME: usize = 25;

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

/// Plays what `ask` writes for each number and looks at what came: one error for each id.
fn play(name: &str, ask: impl Fn(&mut String, u16), words: impl Fn(u16) -> String) {
    let numbers: Vec<u16> = (400..=599).collect();
    for some in numbers.chunks(SOME) {
        let mut text = "include joined\n".to_owned();
        for &number in some {
            ask(&mut text, number);
        }
        let heard = hear_many(name, &text, some.len());
        let heard = heard.unwrap_or_else(|fault| panic!("from {}: {fault}", some[0]));
        assert_eq!(heard.len(), some.len(), "from {}: {heard:?}", some[0]);
        for &number in some {
            let id = format!("e{number}");
            let mut its = heard.iter().filter(|it| it.attr("id") == Some(&id));
            let (Some(answer), None) = (its.next(), its.next()) else {
                panic!("{number} is not one answer: {heard:?}");
            };
            check(number, answer, &words(number));
        }
    }
}

fn check(number: u16, answer: &Element, words: &str) {
    assert_eq!(answer.attr("type"), Some("error"), "{number}: {answer:?}");
    let error = answer.children().find(|it| it.name() == "error");
    let error = error.unwrap_or_else(|| panic!("{number}: {answer:?}"));
    let (name, kind) = condition(number);
    assert!(error.child(name, STANZAS).is_some(), "{number}: {error:?}");
    assert_eq!(error.attr("type"), Some(kind), "{number}");
    let text = error
        .child("text", STANZAS)
        .map(|it| it.text().into_owned());
    assert_eq!(text.as_deref(), Some(words), "{number}");
}

#[test]
fn every_number_ends_an_entrance_in_one_presence_error() {
    let ask = |text: &mut String, number: u16| {
        let room = format!("#r{number}");
        // 470 tells where the channel is now.
        let names = if number == 470 {
            format!("{room} ##new")
        } else {
            room.clone()
        };
        let _ = writeln!(
            text,
            "xmpp> <presence from='juliet@example.org/phone' id='e{number}' \
             to='{room}%net@irc.example.org/juliet'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>\n\
             irc< JOIN {room}\n\
             irc> :irc.net.example {number} juliet {names} :No {number} here"
        );
    };
    play("entrances", ask, |number| match number {
        470 => "the proper address is ##new%net@irc.example.org".to_owned(),
        _ => format!("No {number} here"),
    });
}

#[test]
fn every_number_ends_a_message_in_one_message_error() {
    for (sort, to, target) in [
        ("groupchat", "#garden", "#garden"),
        ("chat", "alice", "alice"),
    ] {
        let ask = |text: &mut String, number: u16| {
            let names = if number == 470 {
                format!("{target} ##new")
            } else {
                target.to_owned()
            };
            let _ = writeln!(
                text,
                "xmpp> <message from='juliet@example.org/phone' id='e{number}' type='{sort}' \
                 to='{to}%net@irc.example.org'><body>m{number}</body></message>\n\
                 irc< PRIVMSG {target} :m{number}\n\
                 irc> :irc.net.example {number} juliet {names} :No {number} here\n\
                 irc< (proof)"
            );
        };
        play(sort, ask, |number| match number {
            470 => "the proper address is ##new%net@irc.example.org".to_owned(),
            _ => format!("No {number} here"),
        });
    }
}
