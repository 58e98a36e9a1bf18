//! The people on the foreign side, played by a test.

use std::collections::BTreeSet;

use isthmus_gateway::{Event, Key, Left, Message, Place, RankChange, Ranks, RoomFlags, Who, Why};

use super::{ClientId, Link, World, down, fold};
use crate::control::Look;

/// Whispers of a network that are kept.
const WHISPERS: usize = 100;

impl World {
    /// Every client on the network that is in a room with one of these nicknames.
    fn who_sees(&self, network: &str, nicks: &[&str]) -> BTreeSet<ClientId> {
        let rooms = self.networks.get(network).into_iter();
        rooms
            .flat_map(|network| network.rooms.values())
            .filter(|room| nicks.iter().any(|n| room.members.contains_key(&fold(n))))
            .flat_map(|room| room.clients())
            .collect()
    }

    /// The clients in a room, which comes to be and stays.
    fn stage(&mut self, network: &str, room: &str) -> BTreeSet<ClientId> {
        let Ok(room) = self.make_room(network, room) else {
            return BTreeSet::new();
        };
        room.kept = true;
        room.clients().collect()
    }

    pub(crate) fn foreign_offline(&mut self, network: &str) {
        let entry = self.networks.entry(network.to_owned()).or_default();
        entry.offline = true;
        let up: Vec<_> = self.on(network, |link| link == Link::Up);
        for id in up {
            self.disconnect(id, down());
        }
    }

    pub(crate) fn foreign_online(&mut self, network: &str) {
        let entry = self.networks.entry(network.to_owned()).or_default();
        entry.offline = false;
        for id in self.on(network, |link| matches!(link, Link::Waiting(_))) {
            self.connect(id);
        }
    }

    fn on(&self, network: &str, link: impl Fn(Link) -> bool) -> Vec<ClientId> {
        self.clients
            .iter()
            .filter(|(_, client)| client.network == network && link(client.link))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(crate) fn foreign_say(&mut self, network: &str, room: &str, nick: &str, text: &str) {
        let all = self.stage(network, room);
        let key = self.next_key();
        let at = Place::Room(room.to_owned().into());
        let mut said = Message::text(at, Who::nick(nick.to_owned()), text.to_owned());
        said.key = Some(Key(key.into()));
        self.tell(&all, &Event::Message(said.clone()));
        said.time = Some(self.time());
        if let Some(room) = self.room_mut(network, room) {
            room.remember(said);
        }
    }

    pub(crate) fn foreign_whisper(&mut self, network: &str, to: &str, nick: &str, text: &str) {
        let key = self.next_key();
        let at = Place::Contact(nick.to_owned().into());
        let mut said = Message::text(at, Who::nick(nick.to_owned()), text.to_owned());
        said.key = Some(Key(key.into()));
        self.tell(&self.named(network, to), &Event::Message(said.clone()));
        said.time = Some(self.time());
        let entry = self.networks.entry(network.to_owned()).or_default();
        if entry.whispers.len() >= WHISPERS {
            entry.whispers.pop_front();
        }
        entry.whispers.push_back((fold(to), said));
    }

    pub(crate) fn foreign_come(&mut self, network: &str, room: &str, nick: &str, ranks: Ranks) {
        let all = self.stage(network, room);
        let mine = all
            .iter()
            .any(|id| self.nick_of(*id).eq_ignore_ascii_case(nick));
        match self.room_mut(network, room) {
            // A user comes by himself.
            Some(room) if !mine => room.settle(nick, ranks, None),
            _ => return,
        }
        let came = Event::Came {
            room: room.to_owned().into(),
            who: Who::nick(nick.to_owned()),
            ranks,
        };
        self.tell(&all, &came);
    }

    pub(crate) fn foreign_tell(&mut self, network: &str, to: &str, event: &Event<'static>) {
        self.tell(&self.named(network, to), event);
    }

    /// The client with this nickname.
    fn named(&self, network: &str, nick: &str) -> BTreeSet<ClientId> {
        let mut all = self.on(network, |link| link == Link::Up);
        all.retain(|id| self.nick_of(*id).eq_ignore_ascii_case(nick));
        all.into_iter().collect()
    }

    pub(crate) fn foreign_leave(
        &mut self,
        network: &str,
        room: &str,
        nick: &str,
        kicked_by: Option<&str>,
    ) {
        let all = self.stage(network, room);
        if let Some(room) = self.room_mut(network, room) {
            room.members.remove(&fold(nick));
        }
        let left = Left {
            room: Some(room.to_owned().into()),
            nicks: vec![nick.to_owned().into()].into(),
            why: match kicked_by {
                Some(_) => Why::Kicked,
                None => Why::Parted,
            },
            by: kicked_by.map(|by| by.to_owned().into()),
            text: None,
        };
        self.tell(&all, &Event::Left(left));
    }

    pub(crate) fn foreign_rank(
        &mut self,
        network: &str,
        room: &str,
        nick: &str,
        set: Ranks,
        cleared: Ranks,
    ) {
        let all = self.stage(network, room);
        let member = self
            .room_mut(network, room)
            .and_then(|room| room.members.get_mut(&fold(nick)));
        let Some(member) = member else { return };
        member.ranks = member.ranks.changed(set, cleared);
        let change = RankChange {
            nick: member.nick.clone().into(),
            set,
            cleared,
        };
        let event = Event::Ranks {
            room: room.to_owned().into(),
            changes: vec![change].into(),
            by: None,
        };
        self.tell(&all, &event);
    }

    pub(crate) fn foreign_flags(&mut self, network: &str, room: &str, flags: RoomFlags) {
        let all = self.stage(network, room);
        if let Some(room) = self.room_mut(network, room) {
            room.flags = flags;
        }
        let flags = Event::Flags {
            room: room.to_owned().into(),
            flags,
            password: None,
        };
        self.tell(&all, &flags);
    }

    pub(crate) fn foreign_subject(&mut self, network: &str, room: &str, by: &str, text: &str) {
        let (all, time) = (self.stage(network, room), self.time());
        let room = self.room_mut(network, room);
        let event = room.and_then(|room| room.set_subject(text, by, time));
        if let Some(event) = event {
            self.tell(&all, &event);
        }
    }

    pub(crate) fn look(&mut self, network: &str, room: &str) -> Option<Look> {
        let room = self.room_mut(network, room)?;
        let text = |message: &Message<'_>| {
            let who = message.who.nick.clone().into_owned();
            (who, message.body.clone().into_owned())
        };
        Some(Look {
            occupants: room
                .members
                .values()
                .map(|member| (member.nick.clone(), member.ranks))
                .collect(),
            subject: room.subject_text().map(str::to_owned),
            flags: room.flags,
            said: room.recent.iter().map(text).collect(),
        })
    }

    pub(crate) fn foreign_split(&mut self, network: &str, nicks: &[&str], why: Why) {
        let all = self.who_sees(network, nicks);
        if let Some(network) = self.networks.get_mut(network) {
            for room in network.rooms.values_mut() {
                for nick in nicks {
                    room.members.remove(&fold(nick));
                }
            }
        }
        let left = Left {
            room: None,
            nicks: nicks.iter().map(|nick| (*nick).to_owned().into()).collect(),
            why,
            by: None,
            text: None,
        };
        self.tell(&all, &Event::Left(left));
    }

    pub(crate) fn foreign_rename(&mut self, network: &str, from: &str, to: &str) {
        let mut all = self.who_sees(network, &[from]);
        self.rename_member(network, from, to);
        // A network may rename a user, too.
        for id in self.named(network, from) {
            all.insert(id);
            if let Some(client) = self.clients.get_mut(&id) {
                client.nick = to.to_owned();
            }
        }
        let event = Event::Renamed {
            from: from.to_owned().into(),
            to: to.to_owned().into(),
        };
        self.tell(&all, &event);
    }

    pub(crate) fn foreign_flood(&mut self, network: &str, room: &str, lines: usize) {
        for n in 1..=lines {
            self.foreign_say(network, room, "flood", &format!("line {n}"));
        }
    }
}
