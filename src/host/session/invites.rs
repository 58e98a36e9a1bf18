//! Messages to a room that are not talk: invitations both ways (XEP-0045 §7.8, XEP-0249), requests
//! for a voice (§7.13) and to be let in, and what those who run the room make of them (§8.6, §9.9).

use isthmus_gateway::{Command, Fault, FaultKind, Kind, Outgoing, Place, Role, Text, Who};

use super::messages::not_inside;
use super::stanzas::Incoming;
use super::{Pending, Session};
use crate::component::{Class, Outbox};
use crate::host::form;
use crate::host::post::head;
use crate::host::reply::Origin;
use crate::host::room::{is_room, person, voice};
use crate::host::words::{self, Denial, Phrase};
use crate::xmpp::element::Element;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::write::{Sender, StanzaName, Xml};

/// Invitations in one message.
const MOST: usize = 16;

impl Session {
    /// A message to a room that is no groupchat message.
    pub(super) fn room_message(&mut self, origin: &Origin, incoming: &Incoming) {
        let stanza = &incoming.stanza;
        if let Some(x) = stanza.child("x", ns::MUC_USER) {
            let invites = x.children().filter(|it| it.is("invite", ns::MUC_USER));
            let invites: Vec<Element> = invites.take(MOST).cloned().collect();
            for invite in &invites {
                self.invite(origin, incoming, invite);
            }
            if let Some(decline) = x.child("decline", ns::MUC_USER) {
                return self.decline(incoming, decline);
            }
            if !invites.is_empty() {
                return;
            }
        }
        if let Some(answers) = stanza.child("x", ns::DATA_FORMS).map(form::answers) {
            match answers.get("FORM_TYPE").map(String::as_str) {
                Some(ns::MUC_REQUEST) => return self.voice_form(origin, incoming, &answers),
                Some(ns::MUC_REGISTER) => return self.entry_form(origin, incoming, &answers),
                _ => {}
            }
        }
        if stanza.child("body", ns::COMPONENT).is_some() {
            let text = Denial::RoomFirst;
            origin.error(&self.base.outbox, Condition::NotAcceptable, text);
        }
    }

    /// §7.8.2: an occupant invites somebody, of the network or of XMPP.
    fn invite(&mut self, origin: &Origin, incoming: &Incoming, invite: &Element) {
        let base = &mut self.base;
        let room = self.rooms.find(base, &incoming.to.id);
        let Some(room) = room.filter(|room| room.has_entered(&incoming.from)) else {
            return not_inside(&base.outbox, origin);
        };
        let to = invite.attr("to").unwrap_or_default();
        let reason = invite.child("reason", ns::MUC_USER);
        let reason = reason.map(|reason| reason.text().into_owned());
        let jid = match Jid::parse(to) {
            // Nobody invites a server: a word alone is a nickname, as people type it.
            _ if !to.is_empty() && !to.contains(['@', '.', '/']) => None,
            Ok(jid) => Some(jid),
            Err(_) => {
                return origin.error(&base.outbox, Condition::JidMalformed, Denial::AddressNoJid);
            }
        };
        let Some(stranger) = jid
            .as_ref()
            .filter(|it| it.domain() != base.outbox.domain())
        else {
            let contact = match jid {
                Some(_) => person(base, to),
                None => Ok(to.to_owned()),
            };
            let contact = match contact {
                Ok(contact) => contact.into(),
                Err((condition, text)) => return origin.error(&base.outbox, condition, text),
            };
            let command = Command::Invite {
                room: room.name.clone().into(),
                contact,
                reason: reason.map(Into::into),
            };
            base.issue(command, Pending::Quiet(origin.clone()));
            return;
        };
        let address = room.jid(base);
        let invitation = Invitation {
            room: &address,
            by: Some(base.user.as_str()),
            reason: reason.as_deref(),
            password: room.password.as_deref(),
        };
        invitation.send(&base.outbox, &room.local, stranger.as_str());
    }

    /// A direct invitation (XEP-0249 §2) in the network's name.
    pub(super) fn invited(&mut self, room: &str, by: &str, reason: Option<&str>) {
        let blocked = |kind, id| self.base.is_blocked(kind, id);
        if blocked(Kind::Contact, by) || blocked(Kind::Room, room) || blocked(Kind::Group, room) {
            return;
        }
        let local = self.base.local(Kind::Room, room);
        let local = local.or_else(|_| self.base.local(Kind::Group, room));
        let Ok(local) = local else {
            return;
        };
        let jid = format!("{local}@{}", self.base.outbox.domain());
        let inviter = self
            .base
            .local(Kind::Contact, by)
            .ok()
            .filter(|_| !by.is_empty());
        let inviter = inviter.map(|local| format!("{local}@{}", self.base.outbox.domain()));
        let invitation = Invitation {
            room: &jid,
            by: inviter.as_deref(),
            reason,
            password: None,
        };
        invitation.send(&self.base.outbox, &local, self.base.user.as_str());
    }

    /// §7.8.2: the user declines what somebody of XMPP invited him to. A foreign network has no
    /// word for it.
    fn decline(&self, incoming: &Incoming, decline: &Element) {
        let base = &self.base;
        let to = decline.attr("to").and_then(|to| Jid::parse(to).ok());
        let Some(to) = to.filter(|to| to.domain() != base.outbox.domain()) else {
            return;
        };
        let reason = decline.child("reason", ns::MUC_USER);
        let reason = reason.map(|reason| reason.text().into_owned());
        let from = Sender {
            local: Some(&incoming.local),
            resource: None,
        };
        base.outbox.push(|batch| {
            let head = head(StanzaName::Message, from, to.as_str(), None, None);
            batch.stanza(Class::Message, head, |xml| {
                xml.start_ns("x", ns::MUC_USER);
                xml.start("decline").attr("from", base.user.as_str());
                if let Some(reason) = &reason {
                    xml.text_element("reason", reason);
                }
                xml.end().end();
            });
        });
    }

    /// XEP-0249 §2: the user invites a person of the network to a room. True: that was all.
    pub(super) fn direct_invite(
        &mut self,
        origin: &Origin,
        incoming: &Incoming,
        contact: &str,
    ) -> bool {
        let Some(x) = incoming.stanza.child("x", ns::MUC_DIRECT_INVITE) else {
            return false;
        };
        let room = x.attr("jid").and_then(|jid| Jid::parse(jid).ok());
        let Some(room) = room else {
            let text = Denial::InvitationNamesRoom;
            origin.error(&self.base.outbox, Condition::BadRequest, text);
            return true;
        };
        let reason: Option<Text<'static>> = x.attr("reason").map(|it| it.to_owned().into());
        let command = match self.room_here(&room) {
            Some(room) => Command::Invite {
                room: room.into(),
                contact: contact.to_owned().into(),
                reason,
            },
            // The words beside it say what there is to say.
            None if incoming.stanza.child("body", ns::COMPONENT).is_some() => return false,
            None => {
                let to = Place::Contact(contact.to_owned().into());
                let reason = reason
                    .map(|reason| format!("{reason} "))
                    .unwrap_or_default();
                Command::Send(Outgoing::text(to, format!("{reason}xmpp:{room}?join")))
            }
        };
        self.base.issue(command, Pending::Quiet(origin.clone()));
        true
    }

    /// The name of a room on this network.
    fn room_here(&self, jid: &Jid) -> Option<String> {
        if jid.domain() != self.base.outbox.domain() {
            return None;
        }
        let local = crate::xmpp::escape::unescape(jid.local()?);
        match self.base.gateway.parse(&local, "") {
            Ok(isthmus_gateway::Parsed::Canonical(address)) => (is_room(address.kind)
                && address.network == *self.base.network)
                .then_some(address.id),
            _ => None,
        }
    }

    /// §7.13: the user asks for a voice, or to be let in; §8.6: he grants it to somebody.
    fn voice_form(&mut self, origin: &Origin, incoming: &Incoming, answers: &form::Answers) {
        let room = self.rooms.find(&self.base, &incoming.to.id);
        let room = room.filter(|room| room.has_entered(&incoming.from));
        let Some(allow) = answers.get("muc#request_allow") else {
            let name = room.map_or_else(|| incoming.to.id.clone(), |room| room.name.clone());
            let command = Command::Knock {
                room: name.into(),
                reason: None,
            };
            self.base.issue(command, Pending::Quiet(origin.clone()));
            return;
        };
        let Some(room) = room else {
            return not_inside(&self.base.outbox, origin);
        };
        if !matches!(allow.as_str(), "1" | "true") {
            return;
        }
        let nick = answers.get("muc#roomnick").map_or("", String::as_str);
        match room.give_voice(&self.base, nick) {
            Some(command) => {
                self.base.issue(command, Pending::Quiet(origin.clone()));
            }
            None => {
                let text = Denial::NotHereOrVoiced.with(&[nick]);
                origin.error(&self.base.outbox, Condition::ItemNotFound, text);
            }
        }
    }

    /// §7.10: who registers with a room asks to be let in. Who is in it is registered.
    pub(super) fn register(
        &mut self,
        origin: Origin,
        incoming: &Incoming,
        get: bool,
        query: &Element,
    ) {
        let room = self.rooms.find(&self.base, &incoming.to.id);
        let room = room.filter(|room| room.has_entered(&incoming.from));
        let outbox = &self.base.outbox;
        if get {
            let nick = room.map(|_| self.base.facts.me.as_str());
            let answer = voice::registration(nick, origin.lang);
            return origin.result(outbox, |xml| {
                xml.element(&answer);
            });
        }
        if query.child("remove", ns::REGISTER).is_some() {
            // XEP-0077 §3.2: who may be in a room is the network's to say.
            let text = Denial::NotUnderstood;
            return origin.error(outbox, Condition::FeatureNotImplemented, text);
        }
        let form = query.child("x", ns::DATA_FORMS);
        let cancelled = form.is_some_and(|form| form.attr("type") == Some("cancel"));
        if room.is_some() || cancelled {
            return origin.result(outbox, |_| {});
        }
        if form.is_some_and(|form| !form::is_of(form, Some(ns::MUC_REGISTER))) {
            return origin.error(outbox, Condition::BadRequest, words::Text::BadForm);
        }
        let command = Command::Knock {
            room: incoming.to.id.clone().into(),
            reason: None,
        };
        self.base.issue(command, Pending::Register(origin));
    }

    /// A room does not take it. Where the network has no such requests nothing understands it.
    pub(super) fn not_registered(&self, origin: &Origin, fault: &Fault) {
        let outbox = &self.base.outbox;
        match fault.kind {
            FaultKind::Unsupported => {
                let text = Denial::NotUnderstood;
                origin.error(outbox, Condition::ServiceUnavailable, text);
            }
            _ => origin.fault(outbox, fault),
        }
    }

    /// §9.9: the user lets somebody in who asked for it.
    fn entry_form(&mut self, origin: &Origin, incoming: &Incoming, answers: &form::Answers) {
        let room = self.rooms.find(&self.base, &incoming.to.id);
        let Some(room) = room.filter(|room| room.has_entered(&incoming.from)) else {
            return not_inside(&self.base.outbox, origin);
        };
        let allow = answers.get("muc#register_allow").map(String::as_str);
        let nick = answers.get("muc#register_roomnick");
        if let (Some("1" | "true"), Some(nick)) = (allow, nick) {
            let command = Command::Invite {
                room: room.name.clone().into(),
                contact: nick.clone().into(),
                reason: None,
            };
            self.base.issue(command, Pending::Quiet(origin.clone()));
        }
    }

    /// Somebody asks to be let in or for a voice: the user's resources are asked, if he runs the
    /// room.
    pub(super) fn knocked(&mut self, room: &str, who: &Who<'_>, reason: Option<&str>) {
        if self.base.is_blocked(Kind::Contact, &who.nick) {
            return;
        }
        let contact = self.base.local(Kind::Contact, &who.nick).ok();
        let domain = self.base.outbox.domain();
        let jid = contact.map(|local| format!("{local}@{domain}"));
        let base = &self.base;
        let Some(room) = self.rooms.find(base, room) else {
            return;
        };
        if room
            .my_standing(base)
            .is_none_or(|me| me.role != Role::Moderator)
        {
            return;
        }
        let inside = room.occupants.find(&who.nick, &base.facts.fold).is_some();
        let form = voice::form(inside, &who.nick, jid.as_deref(), reason, base.lang(None));
        let from = Sender {
            local: Some(&room.local),
            resource: None,
        };
        base.outbox.push(|batch| {
            for resource in room.live() {
                let head = head(StanzaName::Message, from, &resource.jid, None, None);
                batch.stanza(Class::Message, head, |xml| {
                    xml.element(&form);
                });
            }
        });
    }
}

/// Somebody is invited to a room, in both ways there are: clients know one or the other.
struct Invitation<'a> {
    /// Its JID.
    room: &'a str,
    /// Whose JID, if it is known.
    by: Option<&'a str>,
    reason: Option<&'a str>,
    password: Option<&'a str>,
}

impl Invitation<'_> {
    /// Sends it from the room.
    fn send(&self, outbox: &Outbox, room: &str, to: &str) {
        let from = Sender {
            local: Some(room),
            resource: None,
        };
        outbox.push(|batch| {
            let head = head(StanzaName::Message, from, to, None, None);
            batch.stanza(Class::Message, head, |xml| self.write(xml));
        });
    }

    fn write(&self, xml: &mut Xml<'_>) {
        // XEP-0045 §7.8.2
        xml.start_ns("x", ns::MUC_USER);
        xml.start("invite")
            .attr("from", self.by.unwrap_or(self.room));
        if let Some(reason) = self.reason {
            xml.text_element("reason", reason);
        }
        xml.end();
        if let Some(password) = self.password {
            xml.text_element("password", password);
        }
        xml.end();
        // XEP-0249 §2
        xml.start_ns("x", ns::MUC_DIRECT_INVITE);
        xml.attr("jid", self.room);
        if let Some(password) = self.password {
            xml.attr("password", password);
        }
        if let Some(reason) = self.reason {
            xml.attr("reason", reason);
        }
        xml.end();
    }
}
