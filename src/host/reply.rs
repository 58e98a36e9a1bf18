//! Where an answer goes, and how it is written.
//!
//! An [`Origin`] is what must be kept of a stanza to answer it later: errors find their way to the
//! very stanza that caused them, under its own id (RFC 6120 §8.3.1). An error is never answered
//! with an error (RFC 6120 §8.3.1), which is why an error or a result has no origin.

use isthmus_gateway::Fault;

use crate::component::{Class, Outbox};
use crate::host::fault;
use crate::host::post::head;
use crate::xmpp::ns;
use crate::xmpp::stanza::{Condition, ErrorType};
use crate::xmpp::stream::{OwnedPeek, Stanza, StanzaKind};
use crate::xmpp::write::{Head, Sender, StanzaName, Xml};

/// What is kept of a stanza to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
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

    fn head<'a>(&'a self, kind: &'a str) -> Head<'a> {
        let from = Sender {
            local: self.local.as_deref(),
            resource: self.resource.as_deref(),
        };
        head(self.name, from, &self.peer, Some(kind), self.id.as_deref())
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

    fn error_as(&self, outbox: &Outbox, condition: Condition, kind: ErrorType, text: &str) {
        // A presence error answers a request to enter: lost, the client waits for ever.
        let class = match self.name {
            StanzaName::Message => Class::Message,
            StanzaName::Presence | StanzaName::Iq => Class::IqResult,
        };
        outbox.push(|batch| {
            batch.stanza(class, self.head("error"), |xml| {
                if self.name == StanzaName::Presence && self.resource.is_some() {
                    xml.leaf("x", ns::MUC);
                }
                write_error(xml, condition, kind, text);
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
fn write_error(xml: &mut Xml<'_>, condition: Condition, kind: ErrorType, text: &str) {
    xml.start("error").attr("type", kind.name());
    xml.leaf(condition.name(), ns::STANZA_ERRORS);
    if !text.is_empty() {
        xml.start_ns("text", ns::STANZA_ERRORS)
            .attr("xml:lang", "en")
            .text(text)
            .end();
    }
    xml.end();
}
