//! Events of the gateway. The dispatcher only matches; rooms and chats do the work.

use isthmus_gateway::{
    Event, Facts, Fault, FaultKind, Key, Message, Place, Sink, Tag, Text, Words,
};

use super::heard::{Private, nick_at};
use super::{Base, Link, Pending, Session};
use crate::component::Class;
use crate::host::fault;
use crate::host::post::head;
use crate::host::room::{Ban, Echo, Phase, Room, Subject};
use crate::host::words::Said;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName};

/// The most bans that are listed.
const MOST_BANS: usize = 1000;

impl Sink for Session {
    fn event(&mut self, event: Event<'_>) {
        if let Some(event) = self.behind_a_file(event) {
            self.heard(event);
        }
    }
}

impl Session {
    /// Takes an event in its turn.
    pub(super) fn heard(&mut self, event: Event<'_>) {
        match event {
            Event::Message(message) => self.said(&message),
            Event::Online(facts) => self.online(facts),
            Event::Offline { fault, retry } => self.offline(&fault, retry.is_some()),
            Event::Caps { at, caps } => self.capable(at, caps),
            Event::Done { tag, result } => self.ended(tag, result),
            Event::Failed { tag, fault } => self.failed(tag, &fault),
            Event::Echo {
                tag, keys, altered, ..
            } => {
                let key = keys.first().map(|Key(key)| key.as_ref());
                let altered = altered.as_deref();
                self.echoed(tag, &keys, &Echo { key, altered });
            }
            Event::Found { tag, fields } => self.found(tag, &fields),
            Event::Past { tag, message } => self.told_of_the_past(tag, message),
            Event::Known { who } => self.rooms.known(&self.base, &who),
            Event::Notice { room, text } => self.notice(room.as_deref(), &text),
            event @ (Event::Joined { .. }
            | Event::Names { .. }
            | Event::Came { .. }
            | Event::Left(_)
            | Event::Renamed { .. }
            | Event::Ranks { .. }
            | Event::Subject { .. }
            | Event::Flags { .. }
            | Event::Invited { .. }
            | Event::Knocked { .. }) => self.about_a_room(event),
            event @ (Event::Edit { .. }
            | Event::Retract { .. }
            | Event::React { .. }
            | Event::Delivered { .. }
            | Event::Read { .. }
            | Event::Typing { .. }) => self.about_a_message(event),
            Event::Contact {
                contact,
                online,
                away,
                since,
            } => {
                let since = since.map(|time| time.0);
                self.contact_seen(&contact, online, away.map(Into::into), since);
            }
            Event::Picture { at, picture } => self.pictured(&at, picture.as_ref()),
            Event::PictureLink { at, url } => self.linked(&at, url.as_deref()),
            Event::Ask(dialog) => self.asked(dialog),
            Event::Keep { state } => self.keep(state),
        }
    }

    /// One answer to something that was asked.
    fn found(&mut self, tag: Tag, fields: &[(Text<'_>, Text<'_>)]) {
        match self.base.pending(tag) {
            Some(Pending::Bans { found, .. }) if found.len() < MOST_BANS => {
                found.push(Ban::of(fields));
            }
            Some(Pending::Inquiry(inquiry)) => inquiry.found(fields),
            Some(Pending::Rooms) => self.room_found(tag, fields),
            Some(Pending::Missed { whom: None }) => self.wrote_meanwhile(fields),
            _ => {}
        }
    }

    /// Who is in a room and what holds there has changed.
    fn about_a_room(&mut self, event: Event<'_>) {
        match event {
            Event::Joined { room, asked, .. } => {
                self.unsettled = true;
                self.joined(&room, asked);
            }
            Event::Names { room, some, last } => {
                self.in_room(&room, |room, base| {
                    room.named(base, &some, last);
                    if last {
                        room.fill_gap(base);
                    }
                });
                self.unsettled |= last;
                if last {
                    self.forget_strangers();
                }
            }
            Event::Came { room, who, ranks } => {
                self.in_room(&room, |room, base| room.came(base, &who, ranks));
            }
            Event::Left(left) => {
                self.answer_for(left.room.as_deref(), left.by.as_deref(), &left.nicks);
                self.unsettled |= left.nicks.iter().any(|nick| self.base.is_me(nick));
                self.rooms.left(&self.base, &left);
                self.looks_of_left(&left);
            }
            Event::Renamed { from, to } => self.renamed(&from, &to),
            Event::Ranks { room, changes, by } => {
                let nicks: Vec<_> = changes.iter().map(|it| it.nick.clone()).collect();
                self.answer_for(Some(&room), by.as_deref(), &nicks);
                self.in_room(&room, |room, base| room.ranked(base, &changes));
            }
            Event::Subject {
                room,
                text,
                by,
                time,
                live,
            } => {
                let subject = Subject {
                    text: text.into_owned(),
                    by: by.map(Into::into),
                    time,
                    ..Subject::default()
                };
                self.in_room(&room, |room, base| room.set_subject(base, subject, live));
            }
            Event::Flags {
                room,
                flags,
                password,
            } => {
                self.unsettled = true;
                self.in_room(&room, |room, base| {
                    room.has_password(flags.password, password.as_deref());
                    room.flagged(base, flags);
                });
            }
            Event::Invited { room, by, reason } => {
                self.invited(&room, &by.nick, reason.as_deref());
            }
            Event::Knocked { room, who, reason } => {
                self.knocked(&room, &who, reason.as_deref());
            }
            _ => {}
        }
    }

    /// What happens in a room the user has no part in is nobody's business here.
    fn in_room(&mut self, name: &str, act: impl FnOnce(&mut Room, &mut Base)) {
        if let Some(room) = self.rooms.find(&self.base, name) {
            act(room, &mut self.base);
        }
    }

    /// What the user did to somebody is shown: whoever asked for it is answered first.
    fn answer_for(&mut self, room: Option<&str>, by: Option<&str>, nicks: &[Text<'_>]) {
        let Some(room) = room.filter(|_| by.is_some_and(|by| self.base.is_me(by))) else {
            return;
        };
        let room = self.base.folded(room);
        for nick in nicks {
            let nick = self.base.folded(nick);
            self.base.answer_before(&room, &nick);
        }
    }

    fn said(&mut self, message: &Message<'_>) {
        match message.blobs.is_empty() {
            true => self.said_plainly(message),
            false => self.said_with_files(message),
        }
    }

    pub(super) fn said_plainly(&mut self, message: &Message<'_>) {
        match &message.at {
            Place::Room(name) => {
                self.typing.heard(&message.who.nick);
                self.in_room(name, |room, base| room.said(base, message));
                if !self.follows_read && self.base.caps_at(&message.at).read {
                    // From now on there is something to be read.
                    self.follows_read = true;
                    self.base.hub.follow_read(&self.base.user);
                }
            }
            Place::Contact(_) | Place::Occupant { .. } => {
                self.converses();
                self.base.active = self.base.now;
                let said = Private::Said(Box::new(message.clone().into_owned()));
                self.private(&message.at, said);
            }
            Place::Network => self.notice(None, &message.body.clone().into()),
        }
    }

    /// Somebody changes, takes back, reacts to, gets or reads a message; or types one.
    fn about_a_message(&mut self, event: Event<'_>) {
        match event {
            Event::Edit { key, message } => self.edited(&key, &message),
            Event::Retract { at, key, by, text } => {
                let others = self.other_parts(&key);
                for key in std::iter::once(key.into_owned()).chain(others) {
                    match &at {
                        Place::Room(name) => self.in_room(name, |room, base| {
                            room.retracted(base, &key, &by.nick, text.as_deref());
                        }),
                        _ => {
                            self.private(&at, Private::Retracted(key, by.clone().into_owned()));
                        }
                    }
                }
            }
            Event::React { at, key, who, with } => match &at {
                Place::Room(name) => {
                    self.in_room(name, |room, base| {
                        room.reacted(base, &key, &who.nick, &with)
                    });
                }
                _ => {
                    let with = with.into_iter().map(|it| it.into_owned().into()).collect();
                    let (key, who) = (key.into_owned(), who.into_owned());
                    self.private(&at, Private::Reacted(key, who, with));
                }
            },
            Event::Delivered { at, key } => {
                // XEP-0184 §5.3: never for what was said to a whole room.
                let nick = nick_at(&at).to_owned();
                if !nick.is_empty() {
                    self.private(&at, Private::Delivered(key.into_owned(), nick));
                }
            }
            Event::Read { at, key, who } => match &at {
                Place::Room(name) if self.base.is_me(&who.nick) => self.read_there(name, &key),
                Place::Room(name) => {
                    self.in_room(name, |room, base| room.displayed(base, &key, &who.nick));
                }
                _ => self.private(&at, Private::Read(key.into_owned(), who.into_owned())),
            },
            Event::Typing { at, who, on } => self.typing(&at, &who.nick, on),
            _ => {}
        }
    }

    /// Somebody changed what he said.
    fn edited(&mut self, key: &Key<'_>, message: &Message<'_>) {
        let Place::Room(name) = &message.at else {
            let edited = Box::new(message.clone().into_owned());
            let edited = Private::Edited(key.clone().into_owned(), edited);
            return self.private(&message.at, edited);
        };
        let Some(room) = self.rooms.find(&self.base, name) else {
            return;
        };
        // The user's own message, changed from another connection, is known by the id he gave it.
        let peer = room.jid(&self.base);
        let own = self.recent.by_key(&peer, &key.0);
        let own = own.map(|own| own.first.clone());
        room.edited(&mut self.base, key, message, own);
    }

    /// Somebody types, or no longer.
    fn typing(&mut self, at: &Place<'_>, nick: &str, on: bool) {
        match at {
            Place::Room(name) => {
                if !self.base.is_me(nick) && self.typing.other(name, nick, on) {
                    self.in_room(name, |room, base| room.typing(base, nick, on));
                }
            }
            // That he types elsewhere is no news to him.
            _ if self.base.is_me(nick) => {}
            _ => self.typing_privately(nick, on),
        }
    }

    fn online(&mut self, facts: Facts) {
        self.nothing_told_of_moods();
        self.nothing_told_of_avatar();
        self.unsettled = true;
        let before = std::mem::replace(&mut self.base.facts, facts);
        self.base.link = Link::Online;
        self.base.network_found();
        let me = self.base.facts.me.clone();
        if !before.me.is_empty() && before.me != me {
            // Until he is told of it he is who he was.
            self.base.facts.me.clone_from(&before.me);
            self.renamed(&before.me, &me);
        }
        self.rooms.online(&mut self.base);
        self.fill_private_gap();
        self.follows_read = false;
        self.watch_anew();
    }

    fn offline(&mut self, fault: &Fault, again: bool) {
        self.unsettled = true;
        // Before commands end: what they have not fetched is missed.
        self.private_gap_begins();
        self.rooms.gaps_begin(&mut self.base);
        // Where he stays in rooms it is not the first time.
        let lasts = self.stays() || self.rooms.iter().any(|room| room.lasts(&self.base));
        let first = self.base.link == Link::Connecting && !(lasts && again);
        self.base.link = if again { Link::Away } else { Link::Over };
        for tag in self.base.all_open() {
            let entrance = matches!(self.base.pending(tag), Some(Pending::Join { .. }));
            if entrance && again && !first {
                // Asked again when the network is back.
                self.base.end(tag);
            } else {
                self.ended(tag, Err(fault.clone()));
            }
        }
        if first || !again {
            // Nobody was let in yet, or nobody will be again.
            for room in self.rooms.iter_mut() {
                room.turned_down(&self.base, fault);
                room.leave_at = None;
            }
        } else if fault.kind == FaultKind::NotAuthorized {
            // A login that cannot be had now: who was in a room waits for it, who comes is told.
            for room in self.rooms.iter_mut().filter(|room| !room.was_entered()) {
                room.refused(&self.base, fault);
            }
        }
        self.nothing_watched(fault, again, first);
        if first && !self.watching.wanted {
            // The user asks again if he wants to: a network that never answered is not tried for
            // ever on his behalf.
            self.base.link = Link::Over;
        }
        self.looks.forget_all();
        self.rooms.offline();
    }

    fn joined(&mut self, name: &str, asked: Option<Tag>) {
        if !self.rooms.has(&self.base, name) {
            if self.rooms.len() >= self.base.shared.limits().rooms_per_user {
                let room = name.to_owned().into();
                let command = isthmus_gateway::Command::Leave { room, reason: None };
                self.base.issue(command, Pending::Nothing);
                return;
            }
            let Some(room) = self.rooms.add(&self.base, name, None) else {
                return;
            };
            let local = room.local.clone();
            self.open_archive(name, &local);
        }
        let Some(room) = self.rooms.find(&self.base, name) else {
            return;
        };
        let awaited = asked.is_some() && room.phase == Phase::Leaving;
        let unasked = room.resources.is_empty() && room.leave_at.is_none() && !awaited;
        room.joined(&self.base, name);
        if unasked {
            // The network put the user there: it is shown to him. The room is kept for him as long
            // as one he vanished from. So it is where it let him in when nobody waited any more.
            room.vanished_at_entry(&self.base);
            let base = &self.base;
            base.hub
                .room_appears(&base.user, &room.local, &base.facts.me);
        }
    }

    pub(super) fn left_room(&mut self, key: &[u8]) {
        self.unsettled = true;
        let Some(room) = self.rooms.by_key(key) else {
            return;
        };
        room.phase = Phase::Wanted;
        if !room.resources.is_empty() {
            // Somebody came back while we were leaving.
            room.ask(&mut self.base);
        }
    }

    fn renamed(&mut self, from: &str, to: &str) {
        let mine = self.base.is_me(from);
        if mine {
            self.unsettled = true;
            to.clone_into(&mut self.base.facts.me);
            self.base.wish.is_called(to);
        }
        self.looks.renamed(&self.base, from, to);
        for room in self.rooms.iter_mut() {
            room.renamed(&self.base, from, to, mine);
        }
    }

    /// Words of the network itself, from the network's JID, or the gateway's where there is but one;
    /// about a room from that. They are of the moment: not to be kept for a user who is away
    /// (XEP-0334 `no-store`).
    fn notice(&mut self, room: Option<&str>, text: &Words) {
        if let Some(room) = room
            && let Some(room) = self.rooms.find(&self.base, room)
        {
            return room.remarked(&self.base, text);
        }
        let text = self.base.lang(None).pick(text);
        let local = self.base.own_local();
        let from = Sender {
            local: local.as_deref(),
            resource: None,
        };
        let (class, name) = (Class::Message, StanzaName::Message);
        let to = self.base.user.to_string();
        self.base.outbox.push(|batch| {
            batch.stanza(class, head(name, from, &to, Some("chat"), None), |xml| {
                xml.start("body");
                if let Some(room) = room {
                    xml.text(room).text(": ");
                }
                xml.text(text).end();
                xml.leaf("no-store", ns::HINTS);
            });
        });
    }

    /// A fault of the host's own for everything that is open.
    pub(crate) fn abandon(&mut self, text: &Said) {
        let fault = || fault::of(FaultKind::NetworkDown, text.clone());
        self.show_at_once();
        // Nothing that is held is left behind.
        self.private_gap_begins();
        if self.fetching.is_busy() {
            self.fetching.refuse(&self.base.outbox, &fault());
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.refuse(&self.base.outbox, &fault());
        }
        for tag in self.base.all_open() {
            self.ended(tag, Err(fault()));
        }
    }
}
