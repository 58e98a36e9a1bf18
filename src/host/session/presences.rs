//! Presence of the user: entering, leaving, another nickname (XEP-0045 §7.2, §7.14, §7.6).

use isthmus_gateway::{Command, FaultKind};

use super::stanzas::Incoming;
use super::{Link, Pending, Session};
use crate::host::fault;
use crate::host::room::{Entrance, HistoryWish, is_room, turn_stranger_out};
use crate::host::words::{Denial, Phrase};
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

impl Session {
    pub(super) fn presence(&mut self, incoming: Incoming) {
        match incoming.kind.as_deref() {
            None => self.presence_available(incoming),
            Some("unavailable") => {
                let status = incoming.stanza.child("status", ns::COMPONENT);
                let status = status.map(|status| status.text().to_string());
                if let Some(room) = self.rooms.find(&self.base, &incoming.to.id) {
                    room.leave(&mut self.base, &incoming.from, status.as_deref());
                }
            }
            // A bounce: whoever it was sent to is not there any more.
            Some("error") => {
                if let Some(room) = self.rooms.find(&self.base, &incoming.to.id) {
                    room.vanish(&self.base, &incoming.from, None);
                }
            }
            Some(_) => {}
        }
    }

    fn presence_available(&mut self, incoming: Incoming) {
        let Some(origin) = &incoming.origin else {
            return;
        };
        let refuse = |condition, text| origin.error(&self.base.outbox, condition, text);
        if !is_room(incoming.to.kind) {
            // Presence to a contact asks for nothing a gateway without presence could give.
            return;
        }
        if !incoming.from.contains('/') {
            return refuse(Condition::JidMalformed, Denial::FullJidNeeded);
        }
        let Some(nick) = incoming.resource.clone().filter(|nick| !nick.is_empty()) else {
            // XEP-0045 §7.2.1
            return refuse(Condition::JidMalformed, Denial::NicknameNeeded);
        };
        self.shows(&incoming);
        self.wears(&incoming);
        let entrance = incoming.stanza.child("x", ns::MUC);
        let inside = self
            .rooms
            .find(&self.base, &incoming.to.id)
            .is_some_and(|room| room.has_entered(&incoming.from));
        match entrance {
            Some(x) => {
                let password = x.child("password", ns::MUC).map(|p| p.text().to_string());
                let history = HistoryWish::of(x, self.base.now_ms);
                self.enter(&incoming, nick, password, history);
            }
            None if inside => self.change_nick(&incoming, nick),
            None => {
                // Not an occupant (any more), and thinks he is. An entrance without `<x/>` is that
                // of XEP-0045's forerunner, which nobody speaks.
                let (local, to) = (&incoming.local, &incoming.from);
                turn_stranger_out(&self.base, local, &nick, to);
            }
        }
    }

    fn enter(
        &mut self,
        incoming: &Incoming,
        nick: String,
        password: Option<String>,
        history: HistoryWish,
    ) {
        let Some(origin) = &incoming.origin else {
            return;
        };
        if self.base.link == Link::Over {
            // This session is about to end, and will not be on the network again.
            return origin.fault(&self.base.outbox, &fault::bare(FaultKind::NetworkDown));
        }
        self.base.wish.comes_as(&nick);
        let name = &incoming.to.id;
        if !self.rooms.has(&self.base, name) {
            let most = self.base.shared.limits().rooms_per_user;
            if self.rooms.len() >= most {
                let text = Denial::RoomsMost.with(&[&most.to_string()]);
                return origin.fault(&self.base.outbox, &fault::of(FaultKind::Full, text));
            }
            if self
                .rooms
                .add(&self.base, name, Some(&incoming.local))
                .is_none()
            {
                return origin.error(&self.base.outbox, Condition::JidMalformed, Denial::NoRoom);
            }
            self.open_archive(name, &incoming.local);
        }
        let key = self.base.folded(name);
        let (jid, id) = (incoming.from.clone(), origin.id.clone());
        let entrance = Entrance {
            jid,
            nick,
            id,
            lang: origin.lang,
            password,
            history,
        };
        self.rooms.enter(&mut self.base, &key, entrance);
    }

    /// Another nickname is asked for, unless the presence only tells that the user is away.
    fn change_nick(&mut self, incoming: &Incoming, nick: String) {
        let Some(origin) = &incoming.origin else {
            return;
        };
        if nick == self.base.facts.me {
            return;
        }
        self.base.wish.asks_for(&nick);
        let command = Command::Nick { nick: nick.into() };
        self.base.issue(command, Pending::Quiet(origin.clone()));
    }
}
