//! Administration and configuration of a room (XEP-0045 §9, §10).
//!
//! What holds for a room is asked of the network before its form is shown or taken: a network may
//! tell it late, and what is not known would look as if it were off.

use std::time::Duration;

use isthmus_gateway::{Address, Command, Fault, FaultKind};

use super::stanzas::Incoming;
use super::{Pending, Session};
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::words::{Denial, Lang};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// How long the network may take to say what holds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request about a room's configuration.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    origin: Origin,
    /// The full JID that asks.
    from: String,
    at: Address,
    lang: Lang,
    /// What is to hold; `None`: the form is to be shown.
    query: Option<Element>,
}

impl Session {
    /// Takes a request about who may what in a room, or what holds there.
    pub(super) fn govern(
        &mut self,
        origin: Origin,
        incoming: &Incoming,
        get: bool,
        query: &Element,
    ) {
        let room = self.rooms.find(&self.base, &incoming.to.id);
        let Some(room) = room.filter(|room| room.has_entered(&incoming.from)) else {
            let text = Denial::OccupantDoes;
            return origin.error(&self.base.outbox, Condition::Forbidden, text);
        };
        let base = &mut self.base;
        match (query.ns(), get) {
            (ns::MUC_ADMIN, true) => return room.list(base, origin, query),
            (ns::MUC_ADMIN, false) => return room.administer(base, origin, query),
            _ => {}
        }
        let request = Configured {
            origin,
            from: incoming.from.clone(),
            at: incoming.to.clone(),
            lang: base.lang(incoming.stanza.attr("xml:lang")),
            query: (!get).then(|| query.clone()),
        };
        if !room.must_know_flags(base, request.query.as_ref()) {
            return self.configure(request);
        }
        let room = room.name.clone().into();
        let pending = Pending::Configured(Box::new(request));
        base.issue_within(Command::Flags { room }, pending, PATIENCE);
    }

    /// The network has told what holds for a room, or cannot.
    pub(super) fn flags_known(&mut self, request: Configured, fault: Option<Fault>) {
        let outbox = &self.base.outbox;
        match fault {
            // What was told so far is all there is.
            Some(fault) if fault.kind == FaultKind::Unsupported => self.configure(request),
            Some(fault) if fault.kind == FaultKind::TimedOut => {
                let late = fault::of(FaultKind::TimedOut, Denial::RoomFlagsLate);
                request.origin.fault(outbox, &late);
            }
            Some(fault) => request.origin.fault(outbox, &fault),
            None => self.configure(request),
        }
    }

    fn configure(&mut self, request: Configured) {
        let Configured {
            origin,
            from,
            at,
            lang,
            query,
        } = request;
        let room = self.rooms.find(&self.base, &at.id);
        let Some(room) = room.filter(|room| room.has_entered(&from)) else {
            let text = Denial::OccupantDoes;
            return origin.error(&self.base.outbox, Condition::Forbidden, text);
        };
        match query {
            None => room.show_config(&self.base, &origin, &at, lang),
            Some(query) => room.configure(&mut self.base, origin, (&at, lang), &query),
        }
    }
}
