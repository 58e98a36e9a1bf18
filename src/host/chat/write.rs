//! What a message from the network holds: text with its looks, and references to other messages.
//!
//! Styled text becomes XEP-0393 1.1 signs where they say all of it, else XEP-0394 0.3 markup beside
//! the plain text. The user's nickname in a room is marked as a mention (XEP-0372 0.5). A reply
//! in a room begins with the name of who is answered, marked as what clients that show replies
//! leave out (XEP-0461 0.2, XEP-0428 0.2).

use std::fmt::Write as _;

use isthmus_gateway::{Message, Span, Style};
use isthmus_kit::style::{markup, parse, render};

use super::text::shifted;
use crate::host::attachment::write_file;
use crate::host::delay::write_delay;
use crate::host::words::{Lang, Notice};
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// How a message from the network is known on this side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken<'a> {
    /// Its public id.
    pub(crate) id: &'a str,
    /// The JID that gave the id.
    pub(crate) by: &'a str,
    /// When it was said, if that is long ago; milliseconds since 1970.
    pub(crate) at: Option<i64>,
}

/// What stands beside the text of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    /// What it answers.
    pub(crate) reply: Option<Quoted<'a>>,
    /// The user's nickname, where it would be a mention of him.
    pub(crate) me: Option<&'a str>,
    /// The network is told when it is read (XEP-0333 §4.1).
    pub(crate) markable: bool,
    /// SHA-256 of the file whose link the body is, where that is known.
    pub(crate) sha256: Option<&'a [u8; 32]>,
}

/// A message that is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// Its author's address; empty: not known.
    pub(crate) to: &'a str,
    /// Its author's name, if the text is to begin with it.
    pub(crate) who: Option<&'a str>,
}

/// Writes what a message from the network holds.
pub(crate) fn write_message(
    xml: &mut Xml<'_>,
    message: &Message<'_>,
    spoken: &Spoken<'_>,
    beside: &Beside<'_>,
) {
    write_said(xml, message, spoken, beside);
    write_stanza_id(xml, spoken);
}

/// The same without the id that only who archives it gives.
pub(crate) fn write_said(
    xml: &mut Xml<'_>,
    message: &Message<'_>,
    spoken: &Spoken<'_>,
    beside: &Beside<'_>,
) {
    if let Some(subject) = &message.subject {
        xml.text_element("subject", subject);
    }
    write_text(xml, message, spoken, beside);
    if let Some(thread) = &message.thread {
        xml.text_element("thread", thread);
    }
    if let [file] = message.blobs.as_slice()
        && file.url == message.body
    {
        write_file(xml, file, beside.sha256);
    }
    if message.confirm {
        xml.leaf("request", ns::RECEIPTS);
    }
    if beside.markable {
        xml.leaf("markable", ns::CHAT_MARKERS);
    }
    if let Some(at) = spoken.at {
        write_delay(xml, spoken.by, at);
    }
}

/// Writes the text, and what counts its characters.
fn write_text(xml: &mut Xml<'_>, message: &Message<'_>, spoken: &Spoken<'_>, beside: &Beside<'_>) {
    if message.style.is_empty() && beside.reply.is_none() {
        // The usual message: nothing is copied.
        xml.start("body");
        if message.action {
            // XEP-0245: a client shows it as what the sender does.
            xml.text("/me ");
        }
        xml.text(&message.body).end();
        let before = if message.action { 4 } else { 0 };
        return write_mention(xml, &message.body, before, spoken, beside.me);
    }
    let (mut body, mut style) = (message.body.to_string(), message.style.to_vec());
    let mut named = 0;
    if let Some(Quoted { who: Some(who), .. }) = beside.reply
        && !message.action
    {
        named = address(&mut body, &mut style, who);
    }
    if message.action {
        body.insert_str(0, "/me ");
        style = shifted(&style, 4);
    }
    let (shown, beside_it) = signed(&body, &style);
    xml.text_element("body", &shown);
    if beside_it {
        write_markup(xml, &body, &style);
    }
    if let Some(reply) = beside.reply {
        xml.start_ns("reply", ns::REPLY);
        // Not every network says whom an answer is to.
        if !reply.to.is_empty() {
            xml.attr("to", reply.to);
        }
        xml.attr("id", reply.id).end();
        if named > 0 {
            xml.start_ns("fallback", ns::FALLBACK)
                .attr("for", ns::REPLY);
            xml.start("body")
                .attr("start", "0")
                .attr("end", &named.to_string())
                .end();
            xml.end();
        }
    }
    write_mention(xml, &shown, 0, spoken, beside.me);
}

/// Has the text begin with the name of who is answered; returns how many code points that are.
fn address(body: &mut String, style: &mut Vec<Span>, who: &str) -> usize {
    let named = body
        .strip_prefix(who)
        .is_some_and(|rest| rest.starts_with(": ") || rest.starts_with(", "));
    if !named {
        let prefix = format!("{who}: ");
        body.insert_str(0, &prefix);
        *style = shifted(style, i64::try_from(prefix.len()).unwrap_or(0));
    }
    who.chars().count() + 2
}

/// The text with signs if they say what the spans say, else without and `true`.
fn signed(body: &str, style: &[Span]) -> (String, bool) {
    if style.is_empty() {
        return (body.to_owned(), false);
    }
    let shown = render(body, style);
    let again = parse(&shown).plain();
    let order = |spans: &[Span]| {
        let mut spans: Vec<_> = spans
            .iter()
            .map(|it| (it.start, it.end, it.style as u8))
            .collect();
        spans.sort_unstable();
        spans
    };
    match again.text == body && order(&again.style) == order(style) {
        true => (shown, false),
        false => (body.to_owned(), true),
    }
}

/// Spans beside a text whose signs mean nothing (XEP-0393 §4, XEP-0394 §4.1).
fn write_markup(xml: &mut Xml<'_>, body: &str, style: &[Span]) {
    xml.leaf("unstyled", ns::STYLING);
    xml.start_ns("markup", ns::MARKUP);
    for (start, end, style) in markup(body, style) {
        let name = match style {
            Style::Bold => "strong",
            // There is no underlining; it stresses, too.
            Style::Italic | Style::Underline => "emphasis",
            Style::Strike => "deleted",
            Style::Monospace => "code",
        };
        xml.start("span")
            .attr("start", &start.to_string())
            .attr("end", &end.to_string());
        xml.start(name).end();
        xml.end();
    }
    xml.end();
}

/// Marks the user's nickname where it stands as a word (XEP-0372 §3.2).
fn write_mention(
    xml: &mut Xml<'_>,
    body: &str,
    before: usize,
    spoken: &Spoken<'_>,
    me: Option<&str>,
) {
    let Some(me) = me.filter(|me| !me.is_empty()) else {
        return;
    };
    let word = |at: &usize| {
        let part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !part(body[..*at].chars().next_back()) && !part(body[at + me.len()..].chars().next())
    };
    let Some(at) = body.match_indices(me).map(|(at, _)| at).find(word) else {
        return;
    };
    let begin = before + body[..at].chars().count();
    let end = begin + me.chars().count();
    let mut uri = String::from("xmpp:");
    encode(&mut uri, spoken.by);
    uri.push('/');
    encode(&mut uri, me);
    xml.start_ns("reference", ns::REFERENCE)
        .attr("type", "mention")
        .attr("begin", &begin.to_string())
        .attr("end", &end.to_string())
        .attr("uri", &uri)
        .end();
}

/// Part of an `xmpp:` address (RFC 5122 §2.2).
fn encode(to: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                to.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(to, "%{byte:02X}")),
        }
    }
}

/// Writes the id the room or contact gave (XEP-0359 §3).
pub(crate) fn write_stanza_id(xml: &mut Xml<'_>, spoken: &Spoken<'_>) {
    xml.start_ns("stanza-id", ns::STANZA_ID)
        .attr("by", spoken.by)
        .attr("id", spoken.id)
        .end();
}

/// Writes that a message takes the place of another (XEP-0308 §4).
pub(crate) fn write_replaced(xml: &mut Xml<'_>, id: &str) {
    xml.start_ns("replace", ns::CORRECT).attr("id", id).end();
}

/// Writes all reactions of one person to a message (XEP-0444 §3).
pub(crate) fn write_reactions<'t>(
    xml: &mut Xml<'_>,
    id: &str,
    with: impl Iterator<Item = &'t str>,
) {
    xml.start_ns("reactions", ns::REACTIONS).attr("id", id);
    for reaction in with {
        xml.text_element("reaction", reaction);
    }
    xml.end();
    xml.leaf("store", ns::HINTS);
}

/// Writes that everything up to a message was read (XEP-0333 §4.2).
pub(crate) fn write_displayed(xml: &mut Xml<'_>, id: &str) {
    xml.start_ns("displayed", ns::CHAT_MARKERS)
        .attr("id", id)
        .end();
    xml.leaf("store", ns::HINTS);
}

/// Writes a receipt (XEP-0184 §5.2).
pub(crate) fn write_received(xml: &mut Xml<'_>, id: &str) {
    xml.start_ns("received", ns::RECEIPTS).attr("id", id).end();
    xml.leaf("store", ns::HINTS);
}

/// Writes a chat state (XEP-0085 §5.1): of the moment, not to be kept.
pub(crate) fn write_state(xml: &mut Xml<'_>, on: bool) {
    xml.leaf(if on { "composing" } else { "paused" }, ns::CHAT_STATES);
    xml.leaf("no-store", ns::HINTS);
}

/// Writes that a message is taken back by its author (XEP-0424 §4), with words for who cannot show
/// that.
pub(crate) fn write_retracted(xml: &mut Xml<'_>, id: &str, lang: Lang) {
    xml.start_ns("retract", ns::RETRACT).attr("id", id).end();
    xml.start_ns("fallback", ns::FALLBACK)
        .attr("for", ns::RETRACT)
        .end();
    xml.text_element("body", lang.say(Notice::TookBack));
    xml.leaf("store", ns::HINTS);
}

#[cfg(test)]
mod tests {
    use isthmus_gateway::{Place, Who};

    use super::*;
    use crate::xmpp::element::Element;

    fn written(message: &Message<'_>, beside: &Beside<'_>) -> Element {
        let mut bytes = Vec::new();
        let spoken = Spoken {
            id: "s1",
            by: "#a%net@irc.example.org",
            at: None,
        };
        {
            let mut xml = Xml::new(&mut bytes, 10_000);
            xml.start_ns("message", ns::COMPONENT);
            write_message(&mut xml, message, &spoken, beside);
            xml.end();
        }
        Element::parse(&bytes).expect("well-formed")
    }

    fn said(body: &'static str) -> Message<'static> {
        Message::text(Place::Room("#a".into()), Who::nick("alice"), body)
    }

    fn body(stanza: &Element) -> String {
        let body = stanza.child("body", ns::COMPONENT).expect("a body");
        body.text().into_owned()
    }

    #[test]
    fn a_mention_counts_code_points_of_the_body_that_is_sent() {
        let me = Some("ju liet");
        let beside = Beside {
            me,
            ..Beside::default()
        };
        let stanza = written(&said("\u{1f980} hi ju liet!"), &beside);
        let mention = stanza.child("reference", ns::REFERENCE).expect("a mention");
        assert_eq!(
            (mention.attr("begin"), mention.attr("end")),
            (Some("5"), Some("12"))
        );
        let uri = "xmpp:%23a%25net@irc.example.org/ju%20liet";
        assert_eq!(mention.attr("uri"), Some(uri));
        let none = written(&said("nobody is ju lieta"), &beside);
        assert!(none.child("reference", ns::REFERENCE).is_none());
    }

    #[test]
    fn a_reply_begins_with_a_name_once() {
        let reply = Some(Quoted {
            id: "r1",
            to: "#a%net@irc.example.org/bob",
            who: Some("bob"),
        });
        let beside = Beside {
            reply,
            ..Beside::default()
        };
        for text in ["yes", "bob: yes"] {
            let stanza = written(&said(text), &beside);
            assert_eq!(body(&stanza), "bob: yes");
            let fallback = stanza.child("fallback", ns::FALLBACK).expect("a fallback");
            let part = fallback.children().next().expect("a part");
            assert_eq!(
                (part.attr("start"), part.attr("end")),
                (Some("0"), Some("5"))
            );
        }
    }

    #[test]
    fn what_signs_cannot_say_is_said_beside_the_text() {
        let mut message = said("abc");
        let span = |start, end, style| Span { start, end, style };
        message.style = vec![span(0, 3, Style::Bold)].into();
        let signs = written(&message, &Beside::default());
        assert_eq!(body(&signs), "*abc*");
        assert!(signs.child("markup", ns::MARKUP).is_none());
        message.style = vec![span(1, 2, Style::Bold)].into();
        let beside = written(&message, &Beside::default());
        assert_eq!(body(&beside), "abc");
        assert!(beside.child("unstyled", ns::STYLING).is_some());
        let span = beside.child("markup", ns::MARKUP).expect("markup");
        let span = span.children().next().expect("a span");
        assert_eq!(
            (span.attr("start"), span.attr("end")),
            (Some("1"), Some("2"))
        );
    }
}
