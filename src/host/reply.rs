//! Where an answer goes, and how it is written.
//!
//! An [`Origin`] is what must be kept of a stanza to answer it later: errors find their way to the
//! very stanza that caused them, under its own id (RFC 6120 §8.3.1). An error is never answered
//! with an error (RFC 6120 §8.3.1), which is why an error or a result has no origin.

use isthmus_gateway::Fault;
use serde::{Deserialize, Serialize};

use crate::component::{Class, Outbox};
use crate::host::fault;
use crate::host::post::head;
use crate::xmpp::ns;
use crate::xmpp::stanza::{Condition, ErrorType};
use crate::xmpp::stream::{OwnedPeek, Stanza, StanzaKind};
use crate::xmpp::write::{Head, Sender, StanzaName, Xml};

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
}

impl Origin {
    /// The origin of a stanza that may be answered: not an error, not a result, not a stanza
    /// without a sender.
    pub(crate) fn of(stanza: &Stanza) -> Option<Self> {
        Self::of_peek(stanza.to_peek())
    }

    /// The same, of a stanza that was refused before anybody read it.
    pub(crate) fn of_peek(peek: OwnedPeek) -> Option<Self> {
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
        })
    }

    /// The origin a full JID had when it entered a room, to answer by presence.
    pub(crate) fn entrance(peer: &str, local: &str, nick: &str, id: Option<String>) -> Self {
        Self {
            name: StanzaName::Presence,
            peer: peer.to_owned(),
            local: Some(local.to_owned()),
            resource: Some(nick.to_owned()),
            id,
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
        let (condition, kind) = fault::stanza_error(fault.kind);
        self.error_as(outbox, condition, kind, fault::words(fault));
    }

    /// Answers with a stanza error of the condition's usual type (RFC 6120 §8.3.3).
    pub(crate) fn error(&self, outbox: &Outbox, condition: Condition, text: &str) {
        self.error_as(outbox, condition, condition.default_type(), text);
    }

    /// Answers that the address has moved (RFC 6120 §8.3.3.5): the proper one is a bare JID.
    pub(crate) fn moved(&self, outbox: &Outbox, proper: &str) {
        let text = format!("the proper address is {proper}");
        outbox.push(|batch| {
            batch.stanza(self.class(), self.head("error"), |xml| {
                self.write_muc(xml);
                xml.start("error").attr("type", ErrorType::Cancel.name());
                xml.start_ns("gone", ns::STANZA_ERRORS)
                    .text("xmpp:")
                    .text(proper)
                    .end();
                write_text(xml, &text);
                xml.end();
            });
        });
    }

    /// XEP-0045 §7.2: a refused entrance bears the namespace of the protocol.
    fn write_muc(&self, xml: &mut Xml<'_>) {
        if self.name == StanzaName::Presence && self.resource.is_some() {
            xml.leaf("x", ns::MUC);
        }
    }

    /// How an answer is kept.
    fn class(&self) -> Class {
        match self.name {
            // A presence error answers a request to enter: lost, the client waits for ever.
            StanzaName::Message | StanzaName::Presence => Class::Message,
            StanzaName::Iq => Class::IqResult,
        }
    }

    fn error_as(&self, outbox: &Outbox, condition: Condition, kind: ErrorType, text: &str) {
        outbox.push(|batch| {
            batch.stanza(self.class(), self.head("error"), |xml| {
                self.write_muc(xml);
                write_error(xml, condition, kind, text);
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

/// Writes `<error/>` (RFC 6120 §8.3.2).
pub(crate) fn write_error(xml: &mut Xml<'_>, condition: Condition, kind: ErrorType, text: &str) {
    xml.start("error").attr("type", kind.name());
    xml.leaf(condition.name(), ns::STANZA_ERRORS);
    write_text(xml, text);
    xml.end();
}

fn write_text(xml: &mut Xml<'_>, text: &str) {
    if !text.is_empty() {
        let xml = xml.start_ns("text", ns::STANZA_ERRORS);
        xml.attr("xml:lang", "en").text(text).end();
    }
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
