//! Stanzas of the user: read, and handed to who deals with their kind. This file only matches.

use isthmus_gateway::{Address, Parsed};

use super::Session;
use crate::host::reply::Origin;
use crate::xmpp::element::Element;
use crate::xmpp::escape::{escape, unescape};
use crate::xmpp::jid::Jid;
use crate::xmpp::stanza::Condition;
use crate::xmpp::stream::{Stanza, StanzaKind};

/// A stanza whose addresses and payload have been read.
pub(super) struct Incoming {
    /// Where an answer goes; none for errors and results.
    pub(super) origin: Option<Origin>,
    /// The sender's full JID as it was given.
    pub(super) from: String,
    /// What the localpart names.
    pub(super) to: Address,
    /// The escaped, prepared localpart.
    pub(super) local: String,
    /// The resourcepart it was sent to.
    pub(super) resource: Option<String>,
    /// The `type`.
    pub(super) kind: Option<String>,
    /// The stanza.
    pub(super) stanza: Element,
}

impl Session {
    /// Deals with one stanza.
    pub(crate) fn stanza(&mut self, stanza: &Stanza) {
        self.base.active = self.base.now;
        let Some(incoming) = self.read(stanza) else {
            return;
        };
        if incoming.origin.is_some()
            && let Some(room) = self.rooms.find(&self.base, &incoming.to.id)
        {
            room.is_alive(&incoming.from);
        }
        match stanza.kind() {
            StanzaKind::Message => self.message(incoming),
            StanzaKind::Presence => {
                self.unsettled = true;
                self.presence(incoming);
            }
            StanzaKind::Iq => self.iq(incoming),
            _ => {}
        }
    }

    /// Reads a stanza; one that cannot be read is answered.
    fn read(&self, stanza: &Stanza) -> Option<Incoming> {
        let origin = Origin::of(stanza);
        let answer = |condition, text: &str| {
            if let Some(origin) = &origin {
                origin.error(&self.base.outbox, condition, text);
            }
        };
        let element = match stanza.element() {
            Ok(element) => element,
            Err(fault) => {
                answer(fault.condition(), &fault.to_string());
                return None;
            }
        };
        let to = match Jid::parse(&stanza.to()?) {
            Ok(to) => to,
            Err(fault) => {
                answer(Condition::JidMalformed, &fault.to_string());
                return None;
            }
        };
        let local = to.local().unwrap_or_default().to_owned();
        let address = match self.base.gateway.parse(&unescape(&local), "") {
            Ok(Parsed::Canonical(address)) => address,
            Ok(Parsed::Moved(proper)) => {
                if let Some(origin) = &origin {
                    let domain = self.base.outbox.domain();
                    let proper = format!("{}@{domain}", escape(&proper));
                    origin.moved(&self.base.outbox, &proper);
                }
                return None;
            }
            Err(fault) => {
                answer(Condition::JidMalformed, &fault.text);
                return None;
            }
        };
        Some(Incoming {
            from: stanza.from()?.into_owned(),
            to: address,
            local,
            resource: to.resource().map(str::to_owned),
            kind: stanza.kind_attr().map(Into::into),
            stanza: element,
            origin,
        })
    }
}
