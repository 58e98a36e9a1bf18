//! What becomes of the commands a session gave: each ends once, and who asked is told.

use isthmus_gateway::{Fault, Key, Outcome, Tag};

use super::heard::{filing, refer};
use super::{Pending, Sent, Session};
use crate::host::archive::copy_of;
use crate::host::chat;
use crate::host::reply::Origin;
use crate::host::room::{Echo, answer_bans};
use crate::host::setting::Keeping;

impl Session {
    /// A command has ended. What comes for one that ended before is dropped.
    pub(super) fn ended(&mut self, tag: Tag, result: Result<Outcome, Fault>) {
        let Some(open) = self.base.end(tag) else {
            return;
        };
        if open.doubtful {
            // It had ended as sent: only `Failed` may follow.
            return self.base.doubt(tag, open.pending);
        }
        match (open.pending, result) {
            (Pending::Message(sent), Err(fault)) => self.base.answer_fault(&sent.origin, &fault),
            (Pending::Message(sent), Ok(outcome)) => self.was_sent(tag, sent, outcome),
            (Pending::Join { room }, Err(fault)) => self.not_joined(&room, &fault),
            (Pending::Leave { room }, _) => self.left_room(&room),
            (Pending::Subject { origin, room }, result) => {
                if let Some(room) = self.rooms.by_key(&room) {
                    room.subject_ended(tag);
                }
                if let Err(fault) = result {
                    origin.fault(&self.base.outbox, &fault);
                }
            }
            (Pending::Register(origin), Err(fault)) => self.not_registered(&origin, &fault),
            (
                Pending::Quiet(origin)
                | Pending::Config { origin, .. }
                | Pending::Bans { origin, .. }
                | Pending::Moderate { origin, .. },
                Err(fault),
            ) => origin.fault(&self.base.outbox, &fault),
            (
                Pending::Moderate {
                    origin,
                    room,
                    key,
                    named,
                    reason,
                },
                Ok(_),
            ) => {
                origin.result(&self.base.outbox, |_| {});
                self.moderated_ourselves(&room, key, &named, reason.as_deref());
            }
            (Pending::Share { batch, .. }, result) => self.base.share_ended(batch, result.err()),
            (Pending::Configured(request), result) => self.flags_known(*request, result.err()),
            (Pending::Bans { origin, found }, Ok(_)) => answer_bans(&self.base, &origin, &found),
            (Pending::History { room }, result) => {
                if let Some(room) = self.rooms.by_key(&room) {
                    room.past_ended(&mut self.base, result.err().as_ref());
                }
            }
            (Pending::Missed { whom }, result) => self.past_ended(whom, result.err().as_ref()),
            (Pending::Inquiry(inquiry), result) => {
                inquiry.ended(&mut self.base, result.err().as_ref());
            }
            (Pending::Rooms, result) => self.listing_ended(result.err().as_ref()),
            (Pending::Config { origin, kept }, Ok(_)) => self.room_is_configured(origin, kept),
            (Pending::Register(origin), Ok(_)) => origin.result(&self.base.outbox, |_| {}),
            (Pending::Avatar, result) => self.avatar_ended(tag, result.err().as_ref()),
            (Pending::Watch(contact), Err(fault)) => self.not_watched(&contact, &fault),
            (Pending::Join { .. } | Pending::Quiet(_) | Pending::Watch(_), Ok(_))
            | (Pending::Nothing, _) => {}
        }
    }

    /// The network has taken what holds for a room: answered when the user's own settings are kept.
    fn room_is_configured(&self, origin: Origin, kept: Option<Keeping>) {
        match (&self.base.desk, kept) {
            (Some(desk), Some(kept)) => desk.answer_kept(origin, kept),
            _ => origin.result(&self.base.outbox, |_| {}),
        }
    }

    fn not_joined(&mut self, room: &[u8], fault: &Fault) {
        self.unsettled = true;
        if let Some(room) = self.rooms.by_key(room) {
            room.refused(&self.base, fault);
        }
    }

    /// A message is out: it is shown to all of the user's clients.
    fn was_sent(&mut self, tag: Tag, mut sent: Box<Sent>, outcome: Outcome) {
        self.reflect(&mut sent, &Echo::default());
        if outcome == Outcome::Accepted {
            self.confirm(&sent);
        }
        if outcome == Outcome::Sent {
            self.base.doubt(tag, Pending::Message(sent));
        }
    }

    /// The user has removed somebody's message; `named` is the id he knows it by.
    fn moderated_ourselves(&mut self, room: &[u8], key: String, named: &str, why: Option<&str>) {
        let me = self.base.facts.me.clone();
        if let Some(room) = self.rooms.by_key(room) {
            let of = room.public_id(&Key(key.into()));
            room.moderated(&mut self.base, (of.as_str(), Some(named)), &me, why);
        }
    }

    pub(super) fn failed(&mut self, tag: Tag, fault: &Fault) {
        if let Some(open) = self.base.end(tag)
            && let Pending::Message(sent) = open.pending
        {
            self.base.answer_fault(&sent.origin, fault);
        }
    }

    /// A private message was taken: its sender's receipt, where the network will not tell more
    /// (XEP-0184 §5.3).
    fn confirm(&mut self, sent: &Sent) {
        let Some(of) = sent.origin.id.as_deref().filter(|_| sent.confirm) else {
            return;
        };
        let mut id = String::new();
        self.base.ids.next(None, &mut id);
        sent.origin.tell(&self.base.outbox, &id, |xml| {
            chat::write_received(xml, of);
        });
    }

    pub(super) fn echoed(&mut self, tag: Tag, keys: &[Key<'_>], echo: &Echo<'_>) {
        let Some(Pending::Message(sent)) = self.base.pending(tag) else {
            return;
        };
        let mut sent = sent.clone();
        if let Some(id) = &sent.origin.id {
            for Key(key) in keys {
                refer(&self.base, &sent.peer, key, id, true);
            }
            if let Some(own) = self.recent.find(&sent.peer, id) {
                own.key = echo.key.map(str::to_owned);
            }
        }
        self.reflect(&mut sent, echo);
        if let Some(Pending::Message(kept)) = self.base.pending(tag) {
            kept.reflected = true;
        }
    }

    fn reflect(&mut self, sent: &mut Sent, echo: &Echo<'_>) {
        if std::mem::replace(&mut sent.reflected, true) {
            return;
        }
        match &sent.room {
            Some(key) => {
                if let Some(room) = self.rooms.by_key(key) {
                    room.reflect(&mut self.base, sent, echo);
                }
            }
            None => self.file_own(sent, echo.key),
        }
    }

    /// Archives what the user said privately.
    fn file_own(&mut self, sent: &Sent, key: Option<&str>) {
        let mut id = String::new();
        self.base.ids.next(key, &mut id);
        let mut gone = String::new();
        if let Some(key) = &sent.takes_back {
            self.base.ids.next(Some(key), &mut gone);
        }
        let (user, now) = (self.base.user.to_string(), self.base.now_ms);
        let filing = filing(&self.base, &user, &sent.peer);
        if !gone.is_empty() {
            filing.bury(&gone, sent.origin.id.as_deref().unwrap_or(&id), now);
        }
        if chat::is_kept(&sent.stanza) {
            filing.file(&id, now, copy_of(&sent.stanza));
        }
    }
}
