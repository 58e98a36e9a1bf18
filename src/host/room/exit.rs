//! Leaving a room (XEP-0045 §7.14), being removed from it (§8.2), and vanishing from it.

use std::time::Duration;

use isthmus_gateway::{Command, Fault, FaultKind, Left, Ranks, Why};

use super::cursor::PAGE;
use super::presence::{self, Details, Standing};
use super::{Cursor, Phase, Room, code};
use crate::host::session::{Base, Pending};

/// How long a room is kept for a user whose resources vanished without leaving: his server was
/// restarted, his connection broke. What is said meanwhile is archived, and shown when he returns.
const VANISHED: Duration = Duration::from_secs(300);

/// How long a room is kept in which the user wants to stay without any resource: for good.
pub(super) const STAYS: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The most of what was missed is as much as is shown.
const MOST_MISSED: i64 = PAGE as i64;

impl Room {
    /// A resource leaves by its own will. The last one takes the user out of the foreign room.
    pub(crate) fn leave(&mut self, base: &mut Base, jid: &str, reason: Option<&str>) {
        let Some(at) = self
            .resources
            .iter()
            .position(|resource| resource.jid == jid)
        else {
            return;
        };
        let resource = self.resources.remove(at);
        if resource.cursor != Cursor::Waiting {
            let me = self.occupants.find(&base.facts.me, &base.facts.fold);
            let ranks = me.map(|me| me.ranks).unwrap_or_default();
            let standing = Standing::of(ranks, &base.facts.ranks, false);
            let details = Details {
                codes: &[code::SELF],
                status: reason,
                id: Some(self.id_of(base, &base.facts.me)),
                kept: true,
                ..Details::default()
            };
            let (local, nick) = (&self.local, &base.facts.me);
            base.outbox.push(|batch| {
                presence::unavailable(batch, local, nick, jid, standing, details);
            });
        }
        if self.resources.is_empty() {
            match base.stays_in(&self.name) {
                true => self.leave_at = Some(base.now + STAYS),
                false => self.leave_network(base, reason),
            }
        }
    }

    /// The user leaves with all his resources, whatever else would have kept him here.
    pub(crate) fn part(&mut self, base: &mut Base, reason: Option<&str>) {
        let all: Vec<String> = self.resources.iter().map(|it| it.jid.clone()).collect();
        for jid in all {
            self.leave(base, &jid, reason);
        }
        self.leave_network(base, reason);
    }

    /// Takes the user out of the foreign room.
    pub(crate) fn leave_network(&mut self, base: &mut Base, reason: Option<&str>) {
        self.leave_at = None;
        if matches!(self.phase, Phase::Wanted | Phase::Leaving) {
            return;
        }
        let command = Command::Leave {
            room: self.name.clone().into(),
            reason: reason.map(|reason| reason.to_owned().into()),
        };
        self.phase = Phase::Leaving;
        self.entered = false;
        base.issue(
            command,
            Pending::Leave {
                room: self.key.clone(),
            },
        );
    }

    /// A resource bounced what it was sent: it is not there any more. The room is kept for a
    /// while after the last one. `bounced` is the id of what came back.
    pub(crate) fn vanish(&mut self, base: &Base, jid: &str, bounced: Option<&str>) {
        // Not only the first of many: a server may return what it was sent in any order, and
        // presence before messages.
        if let Some(id) = bounced {
            self.unheard(id);
        }
        let before = self.resources.len();
        self.resources.retain(|resource| resource.jid != jid);
        if self.resources.len() == before {
            return;
        }
        if self.resources.is_empty() {
            self.leave_at = Some(base.now + self.kept_for(base));
        }
    }

    /// The message of this id came back: what was said from it on is shown to who enters.
    fn unheard(&mut self, id: &str) {
        let row = self.row_of(id);
        let forgets = self.forgets_rows();
        let Some(archive) = &mut self.archive else {
            return;
        };
        let heard = match row {
            Some(row) => row - 1,
            // Said so long ago that its row is not known any more.
            None if forgets => archive.last - MOST_MISSED,
            None => return,
        };
        archive.heard = archive.heard.min(heard.max(0));
    }

    /// The user is in the foreign room and nobody sits here: the room is kept for a while.
    pub(crate) fn vanished_at_entry(&mut self, base: &Base) {
        self.leave_at = Some(base.now + self.kept_for(base));
    }

    /// How long the room is kept without anybody in it.
    fn kept_for(&self, base: &Base) -> Duration {
        match base.stays_in(&self.name) {
            true => STAYS,
            false => VANISHED,
        }
    }

    /// The user may have said that he stays here without a device, or that he does not any more.
    pub(crate) fn stay(&mut self, base: &Base) {
        let kept = self.kept_for(base);
        if let Some(at) = self.leave_at.filter(|_| self.resources.is_empty()) {
            let stayed = at > base.now + VANISHED;
            match kept {
                STAYS => self.leave_at = Some(base.now + STAYS),
                _ if stayed => self.leave_at = Some(base.now),
                _ => {}
            }
        }
    }

    /// The user himself left the foreign room: by another connection's will or his own.
    pub(crate) fn removed(&mut self, base: &Base, left: &Left<'_>) {
        let codes: &[u16] = match left.why {
            Why::Kicked => &[code::SELF, code::KICKED],
            Why::Banned => &[code::SELF, code::BANNED],
            Why::Dismissed => &[code::SELF, code::DISMISSED],
            Why::Closed => &[code::SELF, code::CLOSED],
            Why::Split | Why::Quit => &[code::SELF, code::TECHNICAL],
            Why::Parted => &[code::SELF],
        };
        let removed = is_removal(left.why);
        let text = left.text.as_deref();
        let details = Details {
            codes,
            actor: left.by.as_deref().filter(|_| removed),
            reason: text.filter(|_| removed),
            status: text.filter(|_| !removed),
            id: Some(self.id_of(base, &base.facts.me)),
            kept: true,
            ..Details::default()
        };
        let standing = Standing::of(Ranks::default(), &base.facts.ranks, false);
        let (local, nick) = (&self.local, &base.facts.me);
        base.outbox.push(|batch| {
            for resource in self
                .resources
                .iter()
                .filter(|r| r.cursor != Cursor::Waiting)
            {
                presence::unavailable(batch, local, nick, &resource.jid, standing, details);
            }
        });
        self.resources
            .retain(|resource| resource.cursor == Cursor::Waiting);
        if self.phase != Phase::Leaving {
            let kind = match left.why {
                Why::Kicked | Why::Banned => FaultKind::Forbidden,
                Why::Dismissed | Why::Closed => FaultKind::MembersOnly,
                Why::Parted | Why::Quit | Why::Split => FaultKind::NetworkDown,
            };
            let fault = Fault::new(kind, text.unwrap_or_default());
            for resource in std::mem::take(&mut self.resources) {
                self.turn_away(base, resource, &fault);
            }
        }
        // Else they came back while we were leaving: they are asked for again.
        self.phase = Phase::Wanted;
        self.entered &= matches!(left.why, Why::Quit | Why::Split);
        self.shadow = None;
        self.occupants = super::occupants::Occupants::new(base.names.clone());
    }
}

/// Whether somebody is put out, rather than leaving by his own will or an accident.
pub(super) fn is_removal(why: Why) -> bool {
    match why {
        Why::Kicked | Why::Banned | Why::Dismissed | Why::Closed => true,
        Why::Parted | Why::Quit | Why::Split => false,
    }
}
