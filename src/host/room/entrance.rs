//! Entering a room (XEP-0045 §7.2): somebody asks, the network lets in or refuses.

use isthmus_gateway::{Command, Fault, Name};

use super::lasting::Retry;
use super::occupants::Occupants;
use super::presence::{self, Details, Standing};
use super::{Archive, Cursor, HistoryWish, Phase, Resource, Room, code};
use crate::component::Mark;
use crate::host::reply::Origin;
use crate::host::session::{Base, Pending};
use crate::host::words::Lang;
use crate::store::Conversation;

/// What an entrance asks for.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The full JID that wants in.
    pub(crate) jid: String,
    /// The wished nickname.
    pub(crate) nick: String,
    /// The id of the stanza.
    pub(crate) id: Option<String>,
    /// In which language it is answered.
    pub(crate) lang: Lang,
    /// The room's password.
    pub(crate) password: Option<String>,
    /// What it wants to see of the past.
    pub(crate) history: HistoryWish,
}

impl Room {
    /// Somebody asks to enter; if he is in already he is shown everything again, as on a first
    /// entrance (XEP-0045 §7.2).
    pub(crate) fn enter(&mut self, base: &mut Base, entrance: Entrance) {
        let Entrance {
            jid,
            nick,
            id,
            lang,
            password,
            history,
        } = entrance;
        self.leave_at = None;
        let before = self.resources.iter().position(|it| it.jid == jid);
        let before = before.map(|at| self.resources.remove(at));
        let mut resource = Resource {
            jid,
            wished: nick,
            entrance: id,
            lang,
            history,
            seen: None,
            again: before.is_some_and(|it| it.again || it.cursor != Cursor::Waiting),
            subject_owed: true,
            cursor: Cursor::Waiting,
            shown: Mark(0),
            doubtful: false,
        };
        if self.phase == Phase::Inside && self.archive_known {
            resource.begin(self.archive);
        }
        isthmus_kit::lean::push(&mut self.resources, resource);
        if password.is_some() {
            self.password = password;
        }
        if self.phase == Phase::Wanted {
            self.ask(base);
        }
    }

    /// Asks the network to be let in, once it is there and what is said can be archived.
    pub(crate) fn ask(&mut self, base: &mut Base) {
        if !self.archive_known || base.link != crate::host::session::Link::Online {
            return;
        }
        self.retry = self.retry.map(|retry| Retry { at: None, ..retry });
        let wished = self.restored.as_ref().map(|it| it.nick.as_str());
        let wished = wished.filter(|nick| !nick.is_empty());
        let wished = wished.unwrap_or(base.facts.me.as_str());
        let nick = self.resources.first();
        let nick = nick.map_or(wished, |r| r.wished.as_str());
        let command = Command::Join {
            room: self.name.clone().into(),
            nick: nick.to_owned().into(),
            password: self.password.clone().map(Into::into),
        };
        let tag = base.issue(
            command,
            Pending::Join {
                room: self.key.clone(),
            },
        );
        self.phase = Phase::Entering(tag);
    }

    /// The network let us in; names follow.
    pub(crate) fn joined(&mut self, base: &Base, name: &str) {
        name.clone_into(&mut self.name);
        self.retry = None;
        if self.phase == Phase::Leaving {
            // The PART is on its way.
            return;
        }
        self.phase = Phase::Listing;
        self.shadow = Some(Occupants::new(base.names.clone()));
    }

    /// Some names. At the last everybody at the door is let in.
    pub(crate) fn named(&mut self, base: &Base, some: &[Name<'_>], last: bool) {
        // Names nobody asked for (a user's own request) do not change who is here.
        let Some(shadow) = &mut self.shadow else {
            return;
        };
        shadow.extend(some.iter().map(|name| (name.who.nick.as_ref(), name.ranks)));
        {
            let mut table = base.names.lock();
            some.iter().for_each(|name| table.learn(&name.who));
        }
        if !last {
            return;
        }
        self.names_complete(base);
        self.open_door();
    }

    /// Lets in who waits, once the room is complete and its archive known.
    fn open_door(&mut self) {
        if self.phase != Phase::Inside || !self.archive_known {
            return;
        }
        for resource in &mut self.resources {
            if resource.cursor == Cursor::Waiting {
                resource.begin(self.archive);
            }
        }
    }

    /// The archive of this room is known now; `None`: it has none.
    pub(crate) fn archived(&mut self, base: &mut Base, conversation: Option<&Conversation>) {
        self.archive_known = true;
        self.archive = conversation.map(Archive::new);
        match self.archive {
            Some(_) => self.append_early(base),
            None => self.early = Vec::new(),
        }
        self.open_door();
        self.look_back(base);
        let wanted = !self.resources.is_empty() || self.leave_at.is_some();
        if self.phase == Phase::Wanted && wanted {
            self.ask(base);
        }
    }

    /// The network refused. Who waits is told by an error; who had been in before the connection
    /// was lost stays for a while, where it may be another matter later.
    pub(crate) fn refused(&mut self, base: &Base, fault: &Fault) {
        self.phase = Phase::Wanted;
        if !self.is_tried_again(base, fault) {
            return self.turned_down(base, fault);
        }
        let (waiting, inside) = std::mem::take(&mut self.resources)
            .into_iter()
            .partition(|resource| resource.cursor == Cursor::Waiting);
        self.resources = inside;
        let waiting: Vec<Resource> = waiting;
        for resource in waiting {
            self.turn_away(base, resource, fault);
        }
    }

    /// The network refused, and is not asked again. Who waits is told by an error; who had been in
    /// before the connection was lost is told that he is out.
    pub(crate) fn turned_down(&mut self, base: &Base, fault: &Fault) {
        self.phase = Phase::Wanted;
        self.not_let_in(base, fault);
        for resource in std::mem::take(&mut self.resources) {
            self.put_out(base, resource, fault);
        }
    }

    /// A resource is not in here any more, or never was.
    pub(super) fn put_out(&self, base: &Base, resource: Resource, fault: &Fault) {
        match resource.cursor == Cursor::Waiting {
            true => self.turn_away(base, resource, fault),
            false => self.turn_out(base, &resource.jid, code::TECHNICAL, &fault.text),
        }
    }

    /// Who waits at the door is refused.
    pub(super) fn turn_away(&self, base: &Base, resource: Resource, fault: &Fault) {
        let Resource {
            jid,
            wished,
            entrance,
            lang,
            ..
        } = resource;
        let origin = Origin::entrance(&jid, &self.local, &wished, (entrance, lang));
        base.answer_fault(&origin, fault);
    }

    /// A resource has given a sign of life.
    pub(crate) fn is_alive(&mut self, jid: &str) {
        if let Some(resource) = self.resources.iter_mut().find(|it| it.jid == jid) {
            resource.doubtful = false;
        }
    }

    /// Everybody is out: the service ends or the network is gone for good (XEP-0045 §17.3).
    pub(crate) fn close(&mut self, base: &Base, code: u16, text: &str) {
        for resource in std::mem::take(&mut self.resources) {
            if resource.cursor != Cursor::Waiting {
                self.turn_out(base, &resource.jid, code, text);
            }
        }
    }

    fn turn_out(&self, base: &Base, jid: &str, code: u16, text: &str) {
        let standing = Standing::of(isthmus_gateway::Ranks::default(), &[], false);
        let codes = [code::SELF, code];
        let details = Details {
            codes: &codes,
            status: Some(text),
            id: Some(self.id_of(base, &base.facts.me)),
            kept: true,
            ..Details::default()
        };
        base.outbox.push(|batch| {
            let (local, me) = (&self.local, &base.facts.me);
            presence::unavailable(batch, local, me, jid, standing, details);
        });
    }
}
