//! Iq requests to something on the network. Each gets exactly one answer (RFC 6120 §8.2.3).

use isthmus_gateway::{Kind, Place};

use super::Session;
use super::acts::{Asked, What};
use super::inquiry::WHOIS;
use super::listing::answer_page;
use super::stanzas::Incoming;
use crate::host::card::Card;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::rsm::Paging;
use crate::host::words::Denial;
use crate::host::words::{Lang, Text};
use crate::host::{disco, ping, search, service, time};
use crate::xmpp::element::Element;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::write::Xml;

impl Session {
    pub(super) fn iq(&mut self, incoming: Incoming) {
        // Results and errors have no origin, and nothing waits for them here.
        let Some(origin) = incoming.origin.clone() else {
            return;
        };
        let mut payloads = incoming.stanza.children();
        let (Some(payload), None) = (payloads.next(), payloads.next()) else {
            let text = Denial::IqPayload;
            return origin.error(&self.base.outbox, Condition::BadRequest, text);
        };
        let get = incoming.kind.as_deref() == Some("get");
        let payload = payload.clone();
        if self.inquires(&origin, &incoming, get, &payload)
            || self.desk_takes(&origin, &incoming, get, &payload)
        {
            return;
        }
        match (payload.name(), payload.ns()) {
            ("ping", ns::PING) if get => self.ping(&origin, &incoming),
            ("query", ns::DISCO_INFO) if get => self.disco_info(&origin, &incoming),
            ("query", ns::DISCO_ITEMS) if get => {
                let query = payload.clone();
                self.disco_items(origin, &incoming, &query);
            }
            ("search", ns::CHANNEL_SEARCH)
                if get && search::is_search(&payload) && self.lists(&incoming) =>
            {
                self.search_rooms(origin, &payload);
            }
            ("query", ns::MUC_ADMIN | ns::MUC_OWNER) if is_room(incoming.to.kind) => {
                let query = payload.clone();
                self.govern(origin, &incoming, get, &query);
            }
            ("query", ns::REGISTER) if self.takes_requests(&incoming) => {
                let query = payload.clone();
                self.register(origin, &incoming, get, &query);
            }
            ("vCard", ns::VCARD) if get && is_room(incoming.to.kind) => {
                self.room_card(&origin, &incoming, &payload);
            }
            ("query", ns::LAST) if get && incoming.to.kind == Kind::Contact => {
                self.idle_of(&origin);
            }
            ("moderate", ns::MODERATE) if !get && is_room(incoming.to.kind) => {
                let request = payload.clone();
                self.moderate(origin, &incoming, request);
            }
            _ => service::answer(
                &self.base.outbox,
                &*self.base.gateway,
                &origin,
                &incoming.to,
                get,
                &payload,
                disco::Rules::of(&self.base.shared, self.base.outbox.domain()),
            ),
        }
    }

    /// Whether it is sent to a room itself.
    fn takes_requests(&self, incoming: &Incoming) -> bool {
        let rooms = self.base.gateway.manifest().caps.rooms;
        rooms && is_room(incoming.to.kind) && incoming.resource.is_none()
    }

    /// Whether it is sent to what has rooms.
    fn lists(&self, incoming: &Incoming) -> bool {
        let rooms = self.base.gateway.manifest().caps.rooms;
        let service = matches!(incoming.to.kind, Kind::Gateway | Kind::Network);
        rooms && service && incoming.resource.is_none()
    }

    /// Whether the desk answers a request to what has no resource: about commands, or pictures.
    fn desk_takes(
        &self,
        origin: &Origin,
        incoming: &Incoming,
        get: bool,
        payload: &Element,
    ) -> bool {
        let node = matches!(payload.ns(), ns::DISCO_INFO | ns::DISCO_ITEMS)
            && payload.attr("node").is_some();
        let others = matches!(payload.ns(), ns::COMMANDS | ns::PUBSUB);
        if incoming.resource.is_some() || !(node || others) {
            return false;
        }
        let lang = incoming.stanza.attr("xml:lang");
        let desk = self.base.desk.as_ref();
        desk.is_some_and(|desk| {
            let asker = desk.asker(origin, &self.base.user, &incoming.to, lang);
            desk.iq(origin, asker, get, payload)
        })
    }

    /// XEP-0486 §4.4: what a room's card has is its picture.
    fn room_card(&mut self, origin: &Origin, incoming: &Incoming, payload: &Element) {
        let outbox = self.base.outbox.clone();
        let pictures = self.base.facts.caps.pictures && incoming.resource.is_none();
        let room = self.rooms.find(&self.base, &incoming.to.id);
        match room.filter(|_| pictures) {
            Some(room) => origin.result(&outbox, |xml| {
                let photo = room.portrait.image().map(|image| &**image);
                let card = Card {
                    name: &room.name,
                    photo,
                    ..Card::default()
                };
                card.write(xml, false);
            }),
            None => {
                let gateway = &*self.base.gateway;
                let rules = disco::Rules::of(&self.base.shared, self.base.outbox.domain());
                let to = &incoming.to;
                service::answer(&outbox, gateway, origin, to, true, payload, rules);
            }
        }
    }

    /// XEP-0012 §4: for how long a contact has done nothing, to whom he shows his presence.
    fn idle_of(&self, origin: &Origin) {
        let outbox = &self.base.outbox;
        let local = origin.local.as_deref().unwrap_or_default();
        match self.base.hub.idle(&self.base.user, local) {
            Some(Some(seconds)) => time::last(outbox, origin, seconds),
            Some(None) => {
                origin.error(outbox, Condition::ServiceUnavailable, Denial::IdleUnknown);
            }
            None => {
                origin.error(outbox, Condition::Forbidden, Denial::IdleHidden);
            }
        }
    }

    /// XEP-0425 §4: a moderator takes somebody's message back. Who may is the network's to say.
    fn moderate(&mut self, origin: Origin, incoming: &Incoming, request: Element) {
        let id = request.attr("id").unwrap_or_default().to_owned();
        let refuse = |condition, text| origin.error(&self.base.outbox, condition, text);
        if id.is_empty() || request.child("retract", ns::RETRACT).is_none() {
            let text = Denial::ModerationWhat;
            return refuse(Condition::BadRequest, text);
        }
        let Some(room) = self.rooms.find(&self.base, &incoming.to.id) else {
            return refuse(Condition::Forbidden, Denial::OccupantDoes);
        };
        if !room.has_entered(&incoming.from) {
            return refuse(Condition::Forbidden, Denial::OccupantDoes);
        }
        let to = Place::Room(room.name.clone().into());
        if !self.base.caps_at(&to).moderate {
            let text = Denial::NoTakingBackOthers;
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

    /// XEP-0030 items: of a service its rooms, of a room its occupants (XEP-0045 §6.3, §6.5), of a
    /// person the rooms he is seen in (§6.7).
    fn disco_items(&mut self, origin: Origin, incoming: &Incoming, query: &Element) {
        let outbox = self.base.outbox.clone();
        let (kind, full) = (incoming.to.kind, incoming.resource.is_some());
        let node = query.attr("node");
        if matches!(kind, Kind::Gateway | Kind::Network) && node.is_none() {
            return self.list_rooms(origin, query);
        }
        let Some(paging) = Paging::of(query) else {
            let text = Denial::PageSenseless;
            return origin.error(&outbox, Condition::BadRequest, text);
        };
        let entered = {
            let room = self.rooms.find(&self.base, &incoming.to.id);
            room.is_some_and(|room| room.has_entered(&incoming.from))
        };
        if is_room(kind) && full && !entered {
            let text = Denial::OccupantAsks;
            return origin.error(&outbox, Condition::BadRequest, text);
        }
        let domain = outbox.domain();
        match (node, is_room(kind) && !full) {
            (None, true) if entered => {
                let items = self.occupants_of(incoming);
                answer_page(
                    &outbox,
                    &origin,
                    &paging,
                    &items,
                    |it| &it.0,
                    |it| it.1.clone(),
                );
            }
            (Some(ns::COMMANDS), false) if is_room(kind) && self.base.facts.caps.lookup => {
                let nick = incoming.resource.as_deref().unwrap_or_default();
                let jid = format!("{}@{domain}/{nick}", incoming.local);
                origin.result(&outbox, |xml| write_whois(xml, &jid, origin.lang));
            }
            (Some(ns::MUC_ROOMS), false) => {
                let items = self.rooms_shared(incoming);
                answer_page(
                    &outbox,
                    &origin,
                    &paging,
                    &items,
                    |it| &it.0,
                    |it| it.1.clone(),
                );
            }
            _ => disco::items(&outbox, &origin, query),
        }
    }

    /// Who is in the room: JID and nickname of each.
    fn occupants_of(&mut self, incoming: &Incoming) -> Vec<(String, String)> {
        let base = &self.base;
        let Some(room) = self.rooms.find(base, &incoming.to.id) else {
            return Vec::new();
        };
        let domain = base.outbox.domain();
        let nicks = room.nicks(base).into_iter();
        let items = nicks.map(|nick| {
            let resource = resource_from_nick(&nick);
            let jid = format!("{}@{domain}/{resource}", room.local);
            (jid, nick.to_string())
        });
        items.collect()
    }

    /// The rooms in which the asker sees a person: JID and name of each.
    fn rooms_shared(&self, incoming: &Incoming) -> Vec<(String, String)> {
        let nick = incoming.resource.as_deref().unwrap_or(&incoming.to.id);
        let base = &self.base;
        let rooms = self.rooms.iter();
        let rooms = rooms
            .filter(|room| room.has_entered(&incoming.from))
            .filter(|room| room.occupants.find(nick, &base.facts.fold).is_some());
        rooms
            .map(|room| (room.jid(base), room.name.clone()))
            .collect()
    }

    /// XEP-0410 §3.2: a ping to one's own occupant is answered from what is known here.
    fn ping(&mut self, origin: &Origin, incoming: &Incoming) {
        let Some(nick) = &incoming.resource else {
            return origin.result(&self.base.outbox, |_| {});
        };
        if !is_room(incoming.to.kind) {
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
        let name = incoming.to.id.as_str();
        let place = match is_room(incoming.to.kind) {
            true => Place::Room(name.into()),
            false => Place::Contact(name.into()),
        };
        let own = self.base.caps_at(&place).clone();
        let base = &self.base;
        let room = self.rooms.find(base, &incoming.to.id);
        let mut seen = room.filter(|_| is_room(incoming.to.kind)).map(|room| {
            let entered = room.has_entered(&incoming.from);
            disco::Seen {
                occupants: room.occupants.len(),
                subject: room.subject.text.clone(),
                contacts: room.owners(base),
                flags: room.flags,
                portrait: room.portrait.clone(),
                nick: entered.then(|| base.facts.me.clone()),
                entered,
                caps: None,
            }
        });
        if let Some(seen) = &mut seen {
            seen.caps = Some(own);
        } else if incoming.to.kind == Kind::Contact {
            seen = Some(disco::Seen {
                caps: Some(own),
                ..disco::Seen::default()
            });
        }
        let gateway = &*self.base.gateway;
        disco::info(
            &self.base.outbox,
            gateway,
            origin,
            &incoming.to,
            disco::Rules::of(&self.base.shared, self.base.outbox.domain()),
            node,
            seen.as_ref(),
        );
    }
}

/// The one command that an occupant has (XEP-0050 §2.1).
fn write_whois(xml: &mut Xml<'_>, jid: &str, lang: Lang) {
    xml.start_ns("query", ns::DISCO_ITEMS);
    xml.attr("node", ns::COMMANDS);
    xml.start("item").attr("jid", jid).attr("node", WHOIS);
    xml.attr("name", lang.say(Text::Whois)).end();
    xml.end();
}
