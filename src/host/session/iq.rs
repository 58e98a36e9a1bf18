//! Iq requests to something on the network. Each gets exactly one answer (RFC 6120 §8.2.3).

use isthmus_gateway::{Kind, Place};

use super::Session;
use super::acts::{Asked, What};
use super::stanzas::Incoming;
use crate::host::reply::Origin;
use crate::host::{disco, ping, service};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

impl Session {
    pub(super) fn iq(&mut self, incoming: Incoming) {
        // Results and errors have no origin, and nothing waits for them here.
        let Some(origin) = incoming.origin.clone() else {
            return;
        };
        let mut payloads = incoming.stanza.children();
        let (Some(payload), None) = (payloads.next(), payloads.next()) else {
            let text = "an iq request has exactly one payload";
            return origin.error(&self.base.outbox, Condition::BadRequest, text);
        };
        let get = incoming.kind.as_deref() == Some("get");
        match (payload.name(), payload.ns()) {
            ("ping", ns::PING) if get => self.ping(&origin, &incoming),
            ("query", ns::DISCO_INFO) if get => self.disco_info(&origin, &incoming),
            ("query", ns::MUC_ADMIN) if !get && incoming.to.kind == Kind::Room => {
                let query = payload.clone();
                match self.rooms.find(&self.base, &incoming.to.id) {
                    Some(room) if room.has_entered(&incoming.from) => {
                        room.administer(&mut self.base, origin, &query);
                    }
                    _ => {
                        let text = "only an occupant may do this";
                        origin.error(&self.base.outbox, Condition::Forbidden, text);
                    }
                }
            }
            ("moderate", ns::MODERATE) if !get && incoming.to.kind == Kind::Room => {
                let request = payload.clone();
                self.moderate(origin, &incoming, request);
            }
            _ => service::answer(
                &self.base.outbox,
                &*self.base.gateway,
                &origin,
                &incoming.to,
                get,
                payload,
            ),
        }
    }

    /// XEP-0425 §4: a moderator takes somebody's message back. Who may is the network's to say.
    fn moderate(&mut self, origin: Origin, incoming: &Incoming, request: Element) {
        let id = request.attr("id").unwrap_or_default().to_owned();
        let refuse = |condition, text| origin.error(&self.base.outbox, condition, text);
        if id.is_empty() || request.child("retract", ns::RETRACT).is_none() {
            let text = "a moderation names a message and takes it back";
            return refuse(Condition::BadRequest, text);
        }
        let Some(room) = self.rooms.find(&self.base, &incoming.to.id) else {
            return refuse(Condition::Forbidden, "only an occupant may do this");
        };
        if !room.has_entered(&incoming.from) {
            return refuse(Condition::Forbidden, "only an occupant may do this");
        }
        let to = Place::Room(room.name.clone().into());
        if !self.base.caps_at(&to).moderate {
            let text = "this network cannot take back what somebody else said";
            return refuse(Condition::FeatureNotImplemented, text);
        }
        let reason = request.child("reason", ns::MODERATE);
        let reason = reason.map(|reason| reason.text().to_string());
        let (room, peer) = (Some(room.key.clone()), room.jid(&self.base));
        self.consider(Asked {
            origin,
            stanza: request,
            to,
            room,
            peer,
            what: What::Moderate { id, reason },
        });
    }

    /// XEP-0410 §3.2: a ping to one's own occupant is answered from what is known here.
    fn ping(&mut self, origin: &Origin, incoming: &Incoming) {
        let Some(nick) = &incoming.resource else {
            return origin.result(&self.base.outbox, |_| {});
        };
        if incoming.to.kind != Kind::Room {
            return origin.result(&self.base.outbox, |_| {});
        }
        let mine = self.base.is_me(nick);
        let present = self.rooms.find(&self.base, &incoming.to.id).map(|room| {
            let entered = room.has_entered(&incoming.from);
            (
                entered,
                room.occupants.find(nick, &self.base.facts.fold).is_some(),
            )
        });
        ping::occupant(&self.base.outbox, origin, present, mine);
    }

    /// XEP-0045 §6.4: a room one is in tells more than one that is only named.
    fn disco_info(&mut self, origin: &Origin, incoming: &Incoming) {
        let query = incoming.stanza.child("query", ns::DISCO_INFO);
        let node = query.and_then(|query| query.attr("node"));
        let seen = match self.rooms.find(&self.base, &incoming.to.id) {
            Some(room) if incoming.to.kind == Kind::Room => Some(disco::Seen {
                occupants: room.occupants.len(),
                subject: room.subject.text.clone(),
                flags: room.flags,
                entered: room.has_entered(&incoming.from),
                caps: None,
            }),
            _ => None,
        };
        let place = match incoming.to.kind {
            Kind::Room => Place::Room(incoming.to.id.as_str().into()),
            _ => Place::Contact(incoming.to.id.as_str().into()),
        };
        let own = self.base.caps_at(&place).clone();
        let mut seen = seen;
        if let Some(seen) = &mut seen {
            seen.caps = Some(own);
        } else if incoming.to.kind == Kind::Contact {
            seen = Some(disco::Seen {
                caps: Some(own),
                ..disco::Seen::default()
            });
        }
        let full = incoming.resource.is_some();
        let gateway = &*self.base.gateway;
        disco::info(
            &self.base.outbox,
            gateway,
            origin,
            &incoming.to,
            full,
            node,
            seen.as_ref(),
        );
    }
}
