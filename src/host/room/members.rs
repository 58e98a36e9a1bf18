//! Who comes, goes, rises and changes nickname, told to each resource as far as its cursor is.

use std::sync::Arc;

use isthmus_gateway::{Left, RankChange, Ranks, RoomFlags, Who, Why, Words};

use super::exit::is_removal;
use super::occupants::Occupant;
use super::presence::{self, Details, Standing};
use super::told::Anew;
use super::{Cursor, Phase, Resource, Room, code};
use crate::component::{Batch, Class, Mark};
use crate::host::names::NickId;
use crate::host::picture::Portrait;
use crate::host::post::head;
use crate::host::session::Base;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName};

/// Former nicknames of the user that are remembered.
const FORMER: usize = 8;

impl Room {
    /// The resources that have been shown everything.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(|resource| resource.cursor == Cursor::Live)
    }

    fn standing(&self, base: &Base, ranks: Ranks) -> Standing {
        Standing::of(ranks, &base.facts.ranks, self.flags.moderated)
    }

    /// Tells of one occupant, with one stanza for each resource that is `concerned`.
    fn tell(
        &mut self,
        base: &Base,
        nick: &Arc<str>,
        concerned: impl Fn(&&Resource) -> bool,
        write: impl Fn(&mut Batch<'_>, &str, &str) -> Mark,
    ) {
        if self.resources.iter().any(|resource| concerned(&resource)) {
            let mark = base.outbox.push(|batch| {
                for resource in self.resources.iter().filter(|it| concerned(it)) {
                    write(batch, &self.local, &resource.jid);
                }
            });
            self.told.note(nick, mark, base.confirmed);
        }
    }

    /// Tells that an occupant is here, or what he is now.
    pub(super) fn tell_present(&mut self, base: &Base, occupant: Occupant) {
        let nick = base.names.lock().shared_name(occupant.id);
        let standing = self.standing(base, occupant.ranks);
        let face = self.face(base, occupant.id);
        // 170 is only for who enters (XEP-0045 §7.2.13).
        let codes: &[u16] = if base.is_me(&nick) {
            &[code::SELF]
        } else {
            &[]
        };
        let details = Details {
            codes,
            id: Some(face.id),
            about: face.about.as_deref(),
            lang: base.lang(None),
            ..Details::default()
        };
        let passed = |resource: &&Resource| resource.cursor.has_passed(occupant.id);
        self.tell(base, &nick, passed, |batch, room, to| {
            presence::available(batch, room, &nick, to, standing, details)
        });
    }

    fn tell_gone(
        &mut self,
        base: &Base,
        occupant: Occupant,
        nick: &Arc<str>,
        details: Details<'_>,
    ) {
        let standing = self.standing(base, occupant.ranks);
        let details = Details {
            id: Some(self.face(base, occupant.id).id),
            ..details
        };
        let knows = |resource: &&Resource| resource.may_know(occupant.id);
        self.tell(base, nick, knows, |batch, room, to| {
            presence::unavailable(batch, room, nick, to, standing, details)
        });
    }

    /// Somebody came.
    pub(crate) fn came(&mut self, base: &Base, who: &Who<'_>, ranks: Ranks) {
        if let Some(shadow) = &mut self.shadow {
            // The list is still coming: he is part of it.
            shadow.insert(&who.nick, ranks);
            base.names.lock().learn(who);
            return;
        }
        if let Some(occupant) = self.occupants.insert(&who.nick, ranks) {
            base.names.lock().learn(who);
            self.tell_present(base, occupant);
        }
    }

    /// More is known of somebody, who may be here.
    pub(crate) fn known(&mut self, base: &Base, nick: &str) {
        if let Some(occupant) = self.occupants.find(nick, &base.facts.fold) {
            self.tell_present(base, occupant);
        }
    }

    /// Whether somebody is here, or is listed as such.
    pub(crate) fn seats(&self, id: NickId) -> bool {
        let mut lists = [Some(&self.occupants), self.shadow.as_ref()].into_iter();
        lists.any(|list| list.is_some_and(|list| list.get(id).is_some()))
    }

    /// The room's own looks are known now (XEP-0486 §4.2).
    pub(crate) fn pictured(&mut self, base: &Base, portrait: Portrait) {
        if self.portrait != portrait {
            self.portrait = portrait;
            self.tell_reconfigured(base);
        }
    }

    /// Somebody else than the user left.
    pub(crate) fn left(&mut self, base: &Base, nick: &str, left: &Left<'_>) {
        if let Some(shadow) = &mut self.shadow
            && let Some(occupant) = shadow.find(nick, &base.facts.fold)
        {
            shadow.remove(occupant.id);
        }
        let Some(occupant) = self.occupants.find(nick, &base.facts.fold) else {
            return;
        };
        let nick = base.names.lock().shared_name(occupant.id);
        let codes: &[u16] = match left.why {
            Why::Kicked => &[code::KICKED],
            Why::Banned => &[code::BANNED],
            Why::Dismissed => &[code::DISMISSED],
            Why::Closed => &[code::CLOSED],
            Why::Split => &[code::TECHNICAL],
            Why::Parted | Why::Quit => &[],
        };
        let removed = is_removal(left.why);
        let text = left.text.as_deref();
        let details = Details {
            codes,
            actor: left.by.as_deref().filter(|_| removed),
            reason: text.filter(|_| removed),
            status: text.filter(|_| !removed),
            ..Details::default()
        };
        self.tell_gone(base, occupant, &nick, details);
        self.occupants.remove(occupant.id);
    }

    /// Somebody (perhaps the user) has another nickname (XEP-0045 §7.6).
    pub(crate) fn renamed(&mut self, base: &Base, from: &str, to: &str, mine: bool) {
        if let Some(shadow) = &mut self.shadow
            && let Some(old) = shadow.find(from, &base.facts.fold)
        {
            shadow.remove(old.id);
            shadow.insert(to, old.ranks);
        }
        let Some(old) = self.occupants.find(from, &base.facts.fold) else {
            return;
        };
        let nick = base.names.lock().shared_name(old.id);
        if nick.as_ref() == to {
            return;
        }
        let codes: &[u16] = if mine {
            &[code::NICK_CHANGED, code::SELF]
        } else {
            &[code::NICK_CHANGED]
        };
        let details = Details {
            codes,
            new_nick: Some(to),
            ..Details::default()
        };
        self.tell_gone(base, old, &nick, details);
        // He is who he was: what is known of him goes with him.
        let new = self.occupants.insert(to, old.ranks);
        if let Some(new) = new {
            base.names.lock().inherit(old.id, new.id);
        }
        self.occupants.remove(old.id);
        if mine {
            if self.former.len() == FORMER {
                self.former.remove(0);
            }
            self.former.push(nick);
        }
        // The cursor of who is still being shown the room may stand between the two numbers: he
        // is told of the new one here or when the cursor gets there.
        if let Some(new) = new {
            self.tell_present(base, new);
        }
    }

    /// Ranks changed.
    pub(crate) fn ranked(&mut self, base: &Base, changes: &[RankChange<'_>]) {
        for change in changes {
            if let Some(shadow) = &mut self.shadow
                && let Some(occupant) = shadow.find(&change.nick, &base.facts.fold)
            {
                shadow.rank(occupant.id, change.set, change.cleared);
            }
            let found = self.occupants.find(&change.nick, &base.facts.fold);
            let Some(before) = found else { continue };
            let Some(after) = self.occupants.rank(before.id, change.set, change.cleared) else {
                continue;
            };
            if after.ranks != before.ranks {
                self.tell_present(base, after);
            }
        }
    }

    /// Flags changed: moderation changes the role of everybody without a rank.
    pub(crate) fn flagged(&mut self, base: &Base, flags: RoomFlags) {
        let moderated = self.flags.moderated != flags.moderated;
        if self.flags != flags {
            self.tell_reconfigured(base);
        }
        self.flags = flags;
        if !moderated {
            return;
        }
        let silent = |ranks| Standing::of(ranks, &base.facts.ranks, true);
        let heard = |ranks| Standing::of(ranks, &base.facts.ranks, false);
        let concerned: Vec<Occupant> = self
            .occupants
            .chunk(NickId(0), usize::MAX)
            .filter(|occupant| silent(occupant.ranks) != heard(occupant.ranks))
            .collect();
        for occupant in concerned {
            self.tell_present(base, occupant);
        }
    }

    /// Words of the network about the room: a message of the room itself (XEP-0045 §6.7 calls it a
    /// service message). It is of the moment: not to be kept (XEP-0334 `no-store`).
    pub(crate) fn remarked(&self, base: &Base, text: &Words) {
        let from = Sender {
            local: Some(&self.local),
            resource: None,
        };
        let (class, name) = (Class::Message, StanzaName::Message);
        let lang = base.lang(None);
        let inside = self
            .resources
            .iter()
            .filter(|it| it.cursor != Cursor::Waiting);
        base.outbox.push(|batch| {
            for resource in inside {
                let head = head(name, from, &resource.jid, Some("groupchat"), None);
                batch.stanza(class, head, |xml| {
                    xml.text_element("body", lang.pick(text));
                    xml.leaf("no-store", ns::HINTS);
                });
            }
        });
    }

    /// The room's configuration is another now (XEP-0045 §10.2.1, status 104).
    fn tell_reconfigured(&self, base: &Base) {
        let from = Sender {
            local: Some(&self.local),
            resource: None,
        };
        base.outbox.push(|batch| {
            for resource in self.live() {
                let (name, to) = (StanzaName::Message, &resource.jid);
                let head = head(name, from, to, Some("groupchat"), None);
                batch.stanza(Class::Message, head, |xml| {
                    xml.start_ns("x", ns::MUC_USER);
                    xml.start("status").attr("code", "104").end();
                    xml.end();
                });
            }
        });
    }

    /// The list of names is complete: it takes the place of what was known, and only what differs
    /// is told. On a first entrance everybody still waits, and nothing is.
    pub(super) fn names_complete(&mut self, base: &Base) {
        let Some(new) = self.shadow.take() else {
            return;
        };
        let difference = self.occupants.difference(&new);
        let nicks: Vec<_> = {
            let table = base.names.lock();
            difference
                .left
                .iter()
                .map(|gone| table.shared_name(gone.id))
                .collect()
        };
        for (&gone, nick) in difference.left.iter().zip(&nicks) {
            self.tell_gone(base, gone, nick, Details::default());
        }
        self.occupants = new;
        for &occupant in difference.came.iter().chain(&difference.changed) {
            self.tell_present(base, occupant);
        }
        self.phase = Phase::Inside;
        self.entered = true;
    }

    /// The stream is up again: tells anew what may not have arrived.
    pub(crate) fn stream_up(&mut self, base: &Base, confirmed: Mark) {
        let anew = self.told.after(confirmed);
        self.unproven(confirmed);
        for resource in &mut self.resources {
            let shown = match resource.cursor {
                Cursor::Waiting => continue,
                Cursor::Live | Cursor::Loading => resource.shown <= confirmed && anew != Anew::All,
                Cursor::Occupants { .. } => false,
            };
            if shown {
                continue;
            }
            if resource.cursor == Cursor::Live {
                // Messages are sent again by the component. What is said from here on waits in
                // the archive until the occupants have been shown.
                resource.seen = Some(self.archive.map_or(0, |archive| archive.last));
            }
            resource.cursor = Cursor::start();
            resource.again = true;
        }
        let Anew::Names(nicks) = anew else { return };
        for nick in nicks {
            match self.occupants.find(&nick, &isthmus_gateway::Fold::Exact) {
                Some(occupant) => self.tell_present(base, occupant),
                None => self.tell_vanished(base, &nick),
            }
        }
    }

    /// Tells everybody who may have been shown otherwise that a nickname is not here (any more).
    fn tell_vanished(&mut self, base: &Base, nick: &Arc<str>) {
        let standing = self.standing(base, Ranks::default());
        let details = if self.former.contains(nick) {
            Details {
                codes: &[code::NICK_CHANGED, code::SELF],
                new_nick: Some(&base.facts.me),
                id: Some(self.id_of(base, &base.facts.me)),
                ..Details::default()
            }
        } else {
            Details {
                id: Some(self.id_of(base, nick)),
                ..Details::default()
            }
        };
        let mark = base.outbox.push(|batch| {
            // Who is being shown the room anew has perhaps seen him before the stream broke.
            let shown = |resource: &&Resource| resource.cursor != Cursor::Waiting;
            for resource in self.resources.iter().filter(shown) {
                let (room, to) = (&self.local, &resource.jid);
                presence::unavailable(batch, room, nick, to, standing, details);
            }
        });
        self.told.note(nick, mark, base.confirmed);
    }
}
