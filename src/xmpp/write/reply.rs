//! Errors: what they say (RFC 6120 §8.3.2), and the answer to a stanza of which nothing but the
//! envelope is kept, to its sender, with the same id (RFC 6120 §8.3.1).

use super::super::jid::Jid;
use super::super::ns;
use super::super::stanza::{Condition, ErrorType};
use super::super::stream::{OwnedPeek, Stanza, StanzaKind};
use super::budget::Xml;
use super::stanza::{Head, Sender, StanzaName, Written, stanza};

/// What an error answer says.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    /// The condition.
    pub condition: Condition,
    /// The type; that of the condition if `None`.
    pub kind: Option<ErrorType>,
    /// Language (RFC 5646) and text for the user.
    pub text: Option<(&'a str, &'a str)>,
    /// The new address of `<gone/>` and `<redirect/>` (RFC 6120 §8.3.3.5 and §8.3.3.14).
    pub uri: Option<&'a str>,
}

impl From<Condition> for ErrorReply<'_> {
    fn from(condition: Condition) -> Self {
        ErrorReply {
            condition,
            kind: None,
            text: None,
            uri: None,
        }
    }
}

/// What an answer needs of the stanza it answers: implemented for stanzas and refusals.
pub trait Answerable {
    /// Copies of the addresses.
    fn peek(&self) -> OwnedPeek;
}

impl Answerable for Stanza {
    fn peek(&self) -> OwnedPeek {
        self.to_peek()
    }
}

impl Answerable for OwnedPeek {
    fn peek(&self) -> OwnedPeek {
        self.clone()
    }
}

/// Appends the error that answers a stanza.
///
/// Writes nothing for what must not be answered: errors and results (RFC 6120 §8.3.1), what is no
/// stanza, and stanzas without sender. `domain` is ours; if the stanza was to an address of
/// another domain, the answer comes from the domain itself.
pub fn error_reply(
    buffer: &mut Vec<u8>,
    max: usize,
    domain: &str,
    answered: &impl Answerable,
    error: &ErrorReply<'_>,
) -> Written {
    let peek = answered.peek();
    if matches!(peek.type_.as_deref(), Some("error")) {
        return Written::Nothing;
    }
    if peek.kind == StanzaKind::Iq && peek.type_.as_deref() == Some("result") {
        return Written::Nothing;
    }
    let name = match peek.kind {
        StanzaKind::Message => StanzaName::Message,
        StanzaKind::Presence => StanzaName::Presence,
        StanzaKind::Iq => StanzaName::Iq,
        StanzaKind::Handshake | StanzaKind::Other => return Written::Nothing,
    };
    let Some(to) = peek.from.as_deref() else {
        return Written::Nothing;
    };
    let ours = peek.to.as_deref().and_then(|to| Jid::parse(to).ok());
    let ours = ours.as_ref().filter(|ours| ours.domain() == domain);
    let from = Sender {
        local: ours.and_then(Jid::local),
        resource: ours.and_then(Jid::resource),
    };
    let head = Head {
        name,
        domain,
        from,
        to,
        kind: Some("error"),
        id: peek.id.as_deref(),
    };
    stanza(buffer, max, head, |xml| write_error(xml, error))
}

/// Writes `<error/>` (RFC 6120 §8.3.2).
pub fn write_error(xml: &mut Xml<'_>, error: &ErrorReply<'_>) {
    let kind = error.kind.unwrap_or(error.condition.default_type());
    xml.start("error").attr("type", kind.name());
    xml.start_ns(error.condition.name(), ns::STANZA_ERRORS);
    if let (Condition::Gone | Condition::Redirect, Some(uri)) = (error.condition, error.uri) {
        xml.text(uri);
    }
    xml.end();
    if let Some((lang, text)) = error.text {
        xml.start_ns("text", ns::STANZA_ERRORS)
            .attr("xml:lang", lang)
            .text(text)
            .end();
    }
    xml.end();
}
