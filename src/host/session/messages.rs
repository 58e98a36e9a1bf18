//! Messages of the user: to a room, to somebody in it, to a contact, to the network.

use isthmus_gateway::{Caps, Command, FaultKind, Kind, Place};

use super::acts::{Asked, What};
use super::heard::private_peer;
use super::stanzas::Incoming;
use super::{Link, Pending, Session};
use crate::host::chat::{self, Act, body_of, text_of};
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::words::{Denial, Phrase};
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// Messages of one user that wait for the network's answer. Beyond it his inbox fills, and then
/// his client is told.
pub(super) const IN_FLIGHT: usize = 128;

impl Session {
    pub(super) fn message(&mut self, incoming: Incoming) {
        if incoming.kind.as_deref() == Some("error") {
            return self.bounced(&incoming);
        }
        let Some(origin) = incoming.origin.clone() else {
            return;
        };
        if let Some(fault) = chat::encrypted(&incoming.stanza) {
            return origin.fault(&self.base.outbox, &fault);
        }
        if self.calls(&origin, &incoming) {
            return;
        }
        match (
            incoming.to.kind,
            incoming.kind.as_deref(),
            incoming.resource.is_some(),
        ) {
            (Kind::Room | Kind::Group, Some("groupchat"), false) => {
                self.groupchat(origin, incoming)
            }
            (Kind::Room | Kind::Group, Some("groupchat"), true) => {
                // XEP-0045 §7.5
                let text = Denial::GroupchatToRoom;
                origin.error(&self.base.outbox, Condition::BadRequest, text);
            }
            (Kind::Room | Kind::Group, _, true) => self.occupant_message(origin, incoming),
            (Kind::Room, _, false) => self.room_message(&origin, &incoming),
            (Kind::Contact, Some("groupchat"), _) => {
                let text = Denial::Person;
                origin.error(&self.base.outbox, Condition::ServiceUnavailable, text);
            }
            (Kind::Contact | Kind::Group, ..) => self.contact_message(origin, incoming),
            (Kind::Network, ..) => self.raw_lines(origin, incoming),
            (Kind::Gateway | Kind::Pattern, ..) => {
                origin.error(
                    &self.base.outbox,
                    Condition::ServiceUnavailable,
                    Denial::NobodyReads,
                );
            }
        }
    }

    /// Whether a message calls a command of the network or the room it is sent to.
    fn calls(&self, origin: &Origin, incoming: &Incoming) -> bool {
        let may = matches!(incoming.to.kind, Kind::Network | Kind::Room)
            && incoming.kind.as_deref() != Some("groupchat")
            && incoming.resource.is_none();
        let body = body_of(&incoming.stanza);
        let (true, Some(body), Some(desk)) = (may, body, &self.base.desk) else {
            return false;
        };
        let lang = incoming.stanza.attr("xml:lang");
        let asker = desk.asker(origin, &self.base.user, &incoming.to, lang);
        desk.chat(origin, asker, &body.text())
    }

    fn groupchat(&mut self, origin: Origin, mut incoming: Incoming) {
        let link = self.base.link;
        let Some(room) = self.rooms.find(&self.base, &incoming.to.id) else {
            return not_inside(&self.base.outbox, &origin);
        };
        if !room.has_entered(&incoming.from) {
            return not_inside(&self.base.outbox, &origin);
        }
        let (name, key) = (room.name.clone(), room.key.clone());
        if link != Link::Online || room.phase != crate::host::room::Phase::Inside {
            return self.not_online(&origin);
        }
        if self.typed(&origin, &mut incoming, Some((&key, &name))) {
            return;
        }
        // XEP-0045 §8.1: a subject and no body. An empty one beside it says nothing, and there are
        // clients that send it: mcabber.
        let subject = incoming.stanza.child("subject", ns::COMPONENT);
        let body = body_of(&incoming.stanza);
        let body = body.filter(|body| !body.text().is_empty());
        if let (Some(subject), None) = (subject, body) {
            let text = subject.text().to_string().into();
            let command = Command::Subject {
                room: name.into(),
                text,
            };
            let id = origin.id.clone();
            let (room, pending) = (key.clone(), Pending::Subject { origin, room: key });
            let tag = self.base.issue(command, pending);
            if let Some(room) = self.rooms.by_key(&room) {
                room.subject_asked(tag, id);
            }
            return;
        }
        self.send(origin, incoming, Place::Room(name.into()), Some(key));
    }

    fn occupant_message(&mut self, origin: Origin, incoming: Incoming) {
        let nick = incoming.resource.clone().unwrap_or_default();
        let Some(room) = self.rooms.find(&self.base, &incoming.to.id) else {
            return not_inside(&self.base.outbox, &origin);
        };
        if !room.has_entered(&incoming.from) {
            return not_inside(&self.base.outbox, &origin);
        }
        let (name, key) = (room.name.clone(), room.key.clone());
        let Some(occupant) = room.occupants.find(&nick, &self.base.facts.fold) else {
            let text = Denial::NotHere.with(&[&nick]);
            return origin.error(&self.base.outbox, Condition::ItemNotFound, text);
        };
        let nick = self.base.names.lock().shared_name(occupant.id).to_string();
        if self.direct_invite(&origin, &incoming, &nick) {
            return;
        }
        self.peers.wrote(&self.base, &nick, Some(&key));
        let to = Place::Occupant {
            room: name.into(),
            nick: nick.into(),
        };
        self.send(origin, incoming, to, None);
    }

    fn contact_message(&mut self, origin: Origin, incoming: Incoming) {
        let nick = incoming.to.id.clone();
        if self.direct_invite(&origin, &incoming, &nick) {
            return;
        }
        self.converses();
        self.peers.wrote(&self.base, &nick, None);
        self.send(origin, incoming, Place::Contact(nick.into()), None);
    }

    fn raw_lines(&mut self, origin: Origin, mut incoming: Incoming) {
        if self.typed(&origin, &mut incoming, None) {
            return;
        }
        let Some(text) = text_of(&incoming.stanza, &Caps::default(), false, origin.lang) else {
            return;
        };
        self.converses();
        for line in text.body.lines().filter(|line| !line.is_empty()) {
            self.base.wish.asks_by(line);
            let command = Command::Raw {
                line: line.to_owned().into(),
            };
            self.base.issue(command, Pending::Quiet(origin.clone()));
        }
    }

    fn send(
        &mut self,
        origin: Origin,
        incoming: Incoming,
        to: Place<'static>,
        room: Option<Box<[u8]>>,
    ) {
        // What a network cannot carry of chat states, receipts and the like is not an error
        // (XEP-0085 §5.1).
        let act = Act::of(&incoming.stanza, room.is_some());
        if act == Act::Nothing {
            return;
        }
        if self.base.link == Link::Over {
            let fault = fault::bare(FaultKind::NetworkDown);
            return origin.fault(&self.base.outbox, &fault);
        }
        let peer = match &to {
            Place::Occupant { nick, .. } => private_peer(&self.base, nick),
            _ => format!("{}@{}", incoming.local, self.base.outbox.domain()),
        };
        self.consider(Asked {
            origin,
            stanza: incoming.stanza,
            to,
            room,
            peer,
            what: What::Act(act),
        });
    }

    /// What we sent came back. A room message that cannot be delivered means that the resource is
    /// gone without a word (XEP-0045 §18.1.2 and its list of conditions).
    fn bounced(&mut self, incoming: &Incoming) {
        let gone = incoming
            .stanza
            .child("error", ns::COMPONENT)
            .is_none_or(|error| {
                error.children().any(|child| {
                    child.ns() == ns::STANZA_ERRORS
                        && matches!(
                            child.name(),
                            "gone"
                                | "item-not-found"
                                | "recipient-unavailable"
                                | "redirect"
                                | "remote-server-not-found"
                                | "remote-server-timeout"
                                | "service-unavailable"
                                | "jid-malformed"
                        )
                })
            });
        if !is_room(incoming.to.kind) || !gone {
            return;
        }
        let id = incoming.stanza.attr("id");
        if let Some(room) = self.rooms.find(&self.base, &incoming.to.id) {
            room.vanish(&self.base, &incoming.from, id);
        }
    }
}

pub(super) fn not_inside(outbox: &crate::component::Outbox, origin: &Origin) {
    // XEP-0045 §7.4
    origin.error(outbox, Condition::NotAcceptable, Denial::NotInRoomJoin);
}
