//! Messages between the user and one person, and what all messages have in common.

mod encrypted;
mod private;

pub(crate) use self::encrypted::method as encryption_of;
pub(crate) use self::private::{Peers, received};

use isthmus_gateway::Message;

use crate::host::delay::write_delay;
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// A message older than this bears the time it was sent at; milliseconds.
pub(crate) const LATE_MS: i64 = 30_000;

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

/// Writes what a message from the network holds.
pub(crate) fn write_message(xml: &mut Xml<'_>, message: &Message<'_>, spoken: &Spoken<'_>) {
    if let Some(subject) = &message.subject {
        xml.text_element("subject", subject);
    }
    xml.start("body");
    if message.action {
        // XEP-0245: a client shows it as what the sender does.
        xml.text("/me ");
    }
    xml.text(&message.body).end();
    if let Some(thread) = &message.thread {
        xml.text_element("thread", thread);
    }
    if let Some(at) = spoken.at {
        write_delay(xml, spoken.by, at);
    }
    write_stanza_id(xml, spoken);
}

/// Writes the id the room or contact gave (XEP-0359 §3).
pub(crate) fn write_stanza_id(xml: &mut Xml<'_>, spoken: &Spoken<'_>) {
    xml.start_ns("stanza-id", ns::STANZA_ID)
        .attr("by", spoken.by)
        .attr("id", spoken.id)
        .end();
}

/// What of a message can go to a network: its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The text, without `/me `.
    pub(crate) body: String,
    /// It tells what the sender does (XEP-0245).
    pub(crate) action: bool,
}

/// The text of a message; `None` if it has no body, or an empty one.
pub(crate) fn text_of(stanza: &Element) -> Option<Text> {
    let body = stanza.child("body", ns::COMPONENT)?.text().to_string();
    // An attachment whose link the body does not hold is not lost (XEP-0066 §3).
    let link = stanza
        .child("x", ns::OOB)
        .and_then(|x| x.child("url", ns::OOB))
        .map(|url| url.text().to_string())
        .filter(|url| !url.is_empty() && !body.contains(url.as_str()));
    let body = match link {
        Some(link) if body.is_empty() => link,
        Some(link) => format!("{body}\n{link}"),
        None => body,
    };
    if body.is_empty() {
        return None;
    }
    Some(match body.strip_prefix("/me ") {
        Some(action) => Text {
            body: action.to_owned(),
            action: true,
        },
        None => Text {
            body,
            action: false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &str) -> Option<Text> {
        let stanza = format!("<message>{payload}</message>");
        text_of(&Element::parse(stanza.as_bytes()).expect("well-formed"))
    }

    #[test]
    fn actions_are_told_from_words() {
        let action = text("<body>/me waves</body>").expect("a body");
        assert_eq!((action.body.as_str(), action.action), ("waves", true));
        let words = text("<body>/meow</body>").expect("a body");
        assert_eq!((words.body.as_str(), words.action), ("/meow", false));
        assert_eq!(text("<body/>"), None);
        assert_eq!(
            text("<active xmlns='http://jabber.org/protocol/chatstates'/>"),
            None
        );
    }

    #[test]
    fn a_link_beside_the_text_is_sent_with_it() {
        let oob = "<x xmlns='jabber:x:oob'><url>https://files.example/a.png</url></x>";
        let both = text(&format!("<body>look</body>{oob}")).expect("a body");
        assert_eq!(both.body, "look\nhttps://files.example/a.png");
        let same = text(&format!("<body>https://files.example/a.png</body>{oob}")).expect("a body");
        assert_eq!(same.body, "https://files.example/a.png");
    }
}
