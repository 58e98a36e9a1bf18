//! Stanzas of the user: read, and handed to who deals with their kind. This file only matches.

use isthmus_gateway::{Address, Kind, Parsed};

use super::Session;
use crate::host::reply::Origin;
use crate::host::words::{Denial, Said};
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
        if stanza.kind() == StanzaKind::Message && stanza.kind_attr().as_deref() == Some("headline")
        {
            return self.read_here(stanza);
        }
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
        let outbox = &self.base.outbox;
        let origin = Origin::of(stanza, self.base.lang(None));
        let answer = |origin: Option<Origin>, condition, text: Said| {
            if let Some(origin) = origin {
                origin.error(outbox, condition, text);
            }
            None
        };
        let element = match stanza.element() {
            Ok(element) => element,
            Err(fault) => return answer(origin, fault.condition(), Denial::StanzaMalformed.into()),
        };
        let to = match Jid::parse(&stanza.to()?) {
            Ok(to) => to,
            Err(_) => return answer(origin, Condition::JidMalformed, Denial::AddressNoJid.into()),
        };
        let local = to.local().unwrap_or_default().to_owned();
        let gateway = &*self.base.gateway;
        let named = unescape(&local);
        let said = |it: Origin| it.saying_at(gateway, &named, &element);
        let address = match gateway.parse(&named, "") {
            Ok(Parsed::Canonical(address)) => address,
            Ok(Parsed::Moved(proper)) => {
                if let Some(origin) = origin.map(said) {
                    let proper = format!("{}@{}", escape(&proper), outbox.domain());
                    origin.moved(outbox, &proper);
                }
                return None;
            }
            Err(fault) => {
                return answer(
                    origin.map(said),
                    Condition::JidMalformed,
                    Said::theirs(fault.text),
                );
            }
        };
        let mut address = address;
        if let (Kind::Contact, "", Some(name)) = (address.kind, &*address.id, to.resource()) {
            // A name that fits no localpart.
            name.clone_into(&mut address.id);
        }
        let origin = origin.map(|it| it.saying(Some(address.kind), &element));
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
