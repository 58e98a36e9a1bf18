//! Where an answer goes, and how it is written.
//!
//! An [`Origin`] is what must be kept of a stanza to answer it later: errors find their way to the
//! very stanza that caused them, under its own id (RFC 6120 §8.3.1). An error is never answered
//! with an error (RFC 6120 §8.3.1), which is why an error or a result has no origin.
//!
//! Errors repeat what was said (RFC 6120 §8.3.1): clients show it beside the error. What may hold a
//! password is not repeated.

use isthmus_gateway::{Fault, Gateway, Kind, Parsed};
use serde::{Deserialize, Serialize};

use crate::component::{Class, Outbox};
use crate::host::fault;
use crate::host::post::head;
use crate::host::words::{Denial, Lang, Phrase, Said};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::{Condition, ErrorType};
use crate::xmpp::stream::{OwnedPeek, Stanza, StanzaKind};
use crate::xmpp::write::{self, ErrorReply, Head, Sender, StanzaName, Xml};

/// Longest text that errors repeat, in bytes.
const REPEATED: usize = 1024;

/// What is kept of a stanza to answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    #[serde(with = "stanza_name")]
    name: StanzaName,
    /// Who sent it: the answer's `to`.
    pub(crate) peer: String,
    /// The localpart it was sent to, escaped as it came: the answer's `from`.
    pub(crate) local: Option<String>,
    /// The resourcepart it was sent to.
    pub(crate) resource: Option<String>,
    /// Its id.
    pub(crate) id: Option<String>,
    /// The language of the answer.
    #[serde(default, skip_serializing_if = "Lang::is_first")]
    pub(crate) lang: Lang,
    /// What it said, as far as errors repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl Origin {
    /// The origin of a stanza that may be answered: not an error, not a result, not a stanza
    /// without a sender. `otherwise`: the language of the answer, where the stanza says none that
    /// we speak.
    pub(crate) fn of(stanza: &Stanza, otherwise: Lang) -> Option<Self> {
        Self::of_peek(stanza.to_peek(), otherwise)
    }

    /// The same, of a stanza that was refused before anybody read it.
    pub(crate) fn of_peek(peek: OwnedPeek, otherwise: Lang) -> Option<Self> {
        let name = match peek.kind {
            StanzaKind::Message => StanzaName::Message,
            StanzaKind::Presence => StanzaName::Presence,
            StanzaKind::Iq => StanzaName::Iq,
            _ => return None,
        };
        if matches!(peek.type_.as_deref(), Some("error" | "result")) {
            return None;
        }
        let to = peek.to?;
        let (bare, resource) = match to.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource.to_owned())),
            None => (to.as_ref(), None),
        };
        let local = bare.split_once('@').map(|(local, _)| local.to_owned());
        Some(Self {
            name,
            peer: peek.from?,
            local,
            resource,
            id: peek.id,
            // RFC 6120 §8.1.5
            lang: peek.lang.as_deref().and_then(Lang::of).unwrap_or(otherwise),
            body: None,
        })
    }

    /// With what was said, for errors to repeat, if it went to a person or to those in a room: with
    /// a gateway, a network or a room itself one talks about passwords. `to`: what the address
    /// names, if anything.
    #[must_use]
    pub(crate) fn saying(mut self, to: Option<Kind>, stanza: &Element) -> Self {
        let heard = match to {
            Some(Kind::Contact | Kind::Group) => true,
            Some(Kind::Room) => self.resource.is_some() || stanza.attr("type") == Some("groupchat"),
            Some(Kind::Gateway | Kind::Network | Kind::Pattern) | None => false,
        };
        if self.name == StanzaName::Message && heard {
            let body = stanza.child("body", ns::COMPONENT).map(Element::text);
            // XEP-0454: such a link holds the key of a file.
            let body = body.filter(|body| !body.contains("aesgcm://"));
            self.body = body.map(|body| start_of(&body).to_owned());
        }
        self
    }

    /// The same, of an address that has not been read, or cannot be.
    #[must_use]
    pub(crate) fn saying_at(self, gateway: &dyn Gateway, local: &str, stanza: &Element) -> Self {
        let parse = |local: &str| gateway.parse(local, "");
        let parsed = match parse(local) {
            Ok(Parsed::Moved(proper)) => parse(&proper),
            parsed => parsed,
        };
        let kind = match parsed {
            Ok(Parsed::Canonical(to)) => to.kind,
            // What takes messages for later has people only; else a network may be meant.
            _ if gateway.courier().is_some() => Kind::Contact,
            _ => Kind::Room,
        };
        let kind = (!local.is_empty()).then_some(kind);
        self.saying(kind, stanza)
    }

    /// Without what was said: errors do not repeat it.
    #[must_use]
    pub(crate) fn silent(mut self) -> Self {
        self.body = None;
        self
    }

    /// The origin a full JID had when it entered a room, to answer by presence.
    pub(crate) fn entrance(
        peer: &str,
        local: &str,
        nick: &str,
        (id, lang): (Option<String>, Lang),
    ) -> Self {
        Self {
            name: StanzaName::Presence,
            peer: peer.to_owned(),
            local: Some(local.to_owned()),
            resource: Some(nick.to_owned()),
            id,
            lang,
            body: None,
        }
    }

    /// Who answers: the address the stanza was sent to.
    pub(crate) fn sender(&self) -> Sender<'_> {
        Sender {
            local: self.local.as_deref(),
            resource: self.resource.as_deref(),
        }
    }

    /// The head of an answer.
    pub(crate) fn head<'a>(&'a self, kind: &'a str) -> Head<'a> {
        let id = self.id.as_deref();
        head(self.name, self.sender(), &self.peer, Some(kind), id)
    }

    /// Answers with the stanza error of a fault.
    pub(crate) fn fault(&self, outbox: &Outbox, fault: &Fault) {
        let (condition, kind) = fault::told(fault.kind);
        self.error_as(outbox, condition, kind, fault::said(fault, self.lang));
    }

    /// Answers with a stanza error of the condition's usual type (RFC 6120 §8.3.3).
    pub(crate) fn error(&self, outbox: &Outbox, condition: Condition, text: impl Into<Said>) {
        let kind = condition.default_type();
        self.error_as(outbox, condition, kind, text.into().told_in(self.lang));
    }

    /// Answers that the address has moved (RFC 6120 §8.3.3.5): the proper one is a bare JID.
    pub(crate) fn moved(&self, outbox: &Outbox, proper: &str) {
        let text = Denial::AddressIs.with(&[proper]);
        let uri = format!("xmpp:{proper}");
        let mut error = error_of(
            Condition::Gone,
            Condition::Gone.default_type(),
            text.told_in(self.lang),
        );
        error.uri = Some(&uri);
        self.send_error(outbox, &error);
    }

    /// What stands before the error.
    fn write_repeated(&self, xml: &mut Xml<'_>) {
        // XEP-0045 §7.2: a refused entrance bears the namespace of the protocol.
        if self.name == StanzaName::Presence && self.resource.is_some() {
            xml.leaf("x", ns::MUC);
        }
        if let Some(body) = &self.body {
            xml.text_element("body", body);
        }
    }

    /// Writes the content of an answer that is an error.
    pub(crate) fn write_error(&self, xml: &mut Xml<'_>, error: &ErrorReply<'_>) {
        self.write_repeated(xml);
        write::write_error(xml, error);
    }

    /// How an answer is kept.
    fn class(&self) -> Class {
        match self.name {
            // A presence error answers a request to enter: lost, the client waits for ever.
            StanzaName::Message | StanzaName::Presence => Class::Message,
            StanzaName::Iq => Class::IqResult,
        }
    }

    fn error_as(&self, outbox: &Outbox, condition: Condition, kind: ErrorType, text: (&str, &str)) {
        self.send_error(outbox, &error_of(condition, kind, text));
    }

    fn send_error(&self, outbox: &Outbox, error: &ErrorReply<'_>) {
        outbox.push(|batch| {
            batch.stanza(self.class(), self.head("error"), |xml| {
                self.write_error(xml, error);
            });
        });
    }

    /// Answers with a stanza error that bears a condition of its application (RFC 6120 §8.3.4).
    pub(crate) fn refuse(
        &self,
        outbox: &Outbox,
        (condition, kind): (Condition, ErrorType),
        text: impl Into<Said>,
        specific: impl FnOnce(&mut Xml<'_>),
    ) {
        let text = text.into();
        let (lang, text) = text.told_in(self.lang);
        outbox.push(|batch| {
            batch.stanza(self.class(), self.head("error"), |xml| {
                self.write_repeated(xml);
                xml.start("error").attr("type", kind.name());
                xml.leaf(condition.name(), ns::STANZA_ERRORS);
                xml.start_ns("text", ns::STANZA_ERRORS)
                    .attr("xml:lang", lang)
                    .text(text)
                    .end();
                specific(xml);
                xml.end();
            });
        });
    }

    /// Sends the user a message from where his went, to his bare JID: the device that sent it may
    /// be gone. Who wrote through a room is answered in it.
    pub(crate) fn tell(&self, outbox: &Outbox, id: &str, payload: impl FnOnce(&mut Xml<'_>)) {
        let bare = self.peer.split('/').next().unwrap_or_default();
        let to = match &self.resource {
            Some(_) => self.peer.as_str(),
            None => bare,
        };
        let head = head(
            StanzaName::Message,
            self.sender(),
            to,
            Some("chat"),
            Some(id),
        );
        outbox.push(|batch| {
            batch.stanza(Class::Message, head, |xml| {
                payload(xml);
                if self.resource.is_some() {
                    xml.leaf("x", ns::MUC_USER);
                }
            });
        });
    }

    /// Answers an iq with a result.
    pub(crate) fn result(&self, outbox: &Outbox, payload: impl FnOnce(&mut Xml<'_>)) {
        outbox.push(|batch| {
            let class = Class::IqResult;
            batch.stanza(class, self.head("result"), payload);
        });
    }
}

/// An error that says `text` (its language and its words), if it is not empty.
pub(crate) fn error_of<'a>(
    condition: Condition,
    kind: ErrorType,
    text: (&'a str, &'a str),
) -> ErrorReply<'a> {
    ErrorReply {
        kind: Some(kind),
        text: (!text.1.is_empty()).then_some(text),
        ..condition.into()
    }
}

fn start_of(text: &str) -> &str {
    let mut end = text.len().min(REPEATED);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Names of stanzas as they are kept on disk.
mod stanza_name {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::xmpp::write::StanzaName;

    pub(super) fn serialize<S: Serializer>(name: &StanzaName, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<StanzaName, D::Error> {
        match String::deserialize(from)?.as_str() {
            "message" => Ok(StanzaName::Message),
            "presence" => Ok(StanzaName::Presence),
            "iq" => Ok(StanzaName::Iq),
            other => Err(serde::de::Error::custom(format!(
                "no stanza is called {other}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(to: &str, kind: &str, at: Kind, body: &str) -> Option<String> {
        let stanza = format!("<message type='{kind}'><body>{body}</body></message>");
        let peek = OwnedPeek {
            kind: StanzaKind::Message,
            to: Some(to.to_owned()),
            from: Some("u@h/r".to_owned()),
            type_: Some(kind.to_owned()),
            id: None,
            lang: None,
        };
        let stanza = Element::parse(stanza.as_bytes()).unwrap();
        Origin::of_peek(peek, Lang::En)
            .unwrap()
            .saying(Some(at), &stanza)
            .body
    }

    #[test]
    fn what_may_be_a_password_is_not_repeated() {
        for (to, kind, at, repeated) in [
            ("bob@h", "chat", Kind::Contact, true),
            ("#a@h", "groupchat", Kind::Room, true),
            ("#a@h/bob", "chat", Kind::Room, true),
            ("#a@h", "chat", Kind::Room, false),
            ("net@h", "chat", Kind::Network, false),
            ("h", "chat", Kind::Gateway, false),
        ] {
            let body = said(to, kind, at, "hunter2");
            assert_eq!(body.is_some(), repeated, "{kind} to {to}");
        }
    }

    #[test]
    fn a_long_text_is_repeated_as_far_as_whole_characters_go() {
        let body = said("bob@h", "chat", Kind::Contact, &"\u{20ac}".repeat(400));
        assert_eq!(body, Some("\u{20ac}".repeat(341)));
    }

    #[test]
    fn what_was_kept_before_errors_repeated_anything_can_be_read() {
        let kept = r#"{"name":"message","peer":"u@h","local":"b","resource":null,"id":"1"}"#;
        let origin: Origin = serde_json::from_str(kept).unwrap();
        assert_eq!(serde_json::to_string(&origin).unwrap(), kept);
    }
}
