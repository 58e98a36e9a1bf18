//! Rooms: who is in them, and who may do what.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use isthmus_gateway::{
    Caps, Event, Fault, FaultKind, Left, Message, Name, Ranks, RoomFlags, Tag, Time, Who, Why,
};

use super::{ClientId, Ended, FINISHED, World, fold, magic};

/// The rank of the resident `echo`.
pub(super) const OWNER: Ranks = Ranks(1);
/// The rank of who enters an empty room.
pub(super) const ADMIN: Ranks = Ranks(1 << 1);
/// The ranks that may govern a room.
pub(super) const GOVERNS: u8 = OWNER.0 | ADMIN.0;
/// Ranks that exist.
pub(super) const KNOWN: u8 = 0b111;
/// Occupants told in one `Names`.
const NAMES: usize = 100;

/// Messages a room remembers.
const RECENT: usize = 100;

/// One occupant.
pub(super) struct Member {
    pub(super) nick: String,
    pub(super) ranks: Ranks,
    /// `None`: a resident.
    pub(super) client: Option<ClientId>,
}

/// One ban.
pub(super) struct Ban {
    /// The nickname or pattern as it was written.
    pub(super) whom: String,
    pub(super) by: String,
    pub(super) time: Time,
    pub(super) reason: Option<String>,
}

/// One room; occupants by folded nickname.
#[derive(Default)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) subject: Option<(String, String, Time)>,
    pub(super) flags: RoomFlags,
    /// What is asked for at the door, where the flags say so.
    pub(super) password: Option<String>,
    /// Bans by folded nickname or pattern.
    pub(super) bans: BTreeMap<String, Ban>,
    pub(super) invited: BTreeSet<String>,
    /// The last messages, oldest first.
    pub(super) recent: VecDeque<Message<'static>>,
    /// A test put something here: it stays when all have left.
    pub(super) kept: bool,
}

impl Room {
    pub(super) fn new(name: &str, echo: bool) -> Self {
        let mut room = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        if echo {
            room.settle(magic::ECHO, OWNER, None);
        }
        // A group is made of its members.
        for member in name.split(',').filter(|_| is_group(name)) {
            room.settle(member, Ranks::default(), None);
        }
        for n in 1..=magic::residents(name) {
            room.settle(&format!("m{n:04}"), Ranks::default(), None);
        }
        room
    }

    /// Puts somebody into the room.
    pub(super) fn settle(&mut self, nick: &str, ranks: Ranks, client: Option<ClientId>) {
        let member = Member {
            nick: nick.to_owned(),
            ranks,
            client,
        };
        self.members.insert(fold(nick), member);
    }

    /// The clients in the room.
    pub(super) fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.members.values().filter_map(|member| member.client)
    }

    pub(super) fn has(&self, client: ClientId) -> bool {
        self.clients().any(|id| id == client)
    }

    /// Whether the room is more than a name.
    pub(super) fn is_used(&self) -> bool {
        self.kept || self.clients().next().is_some()
    }

    /// Keeps a message for those who ask later.
    pub(super) fn remember(&mut self, said: Message<'static>) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(said);
    }

    /// Whether a nickname is banned: by itself, or by the beginning before a `*`.
    fn bans(&self, nick: &str) -> bool {
        self.bans.keys().any(|ban| match ban.split_once('*') {
            Some((beginning, _)) => nick.starts_with(beginning),
            None => ban == nick,
        })
    }

    /// The clients who run the room.
    pub(super) fn governors(&self) -> BTreeSet<ClientId> {
        let members = self.members.values();
        let governors = members.filter(|member| member.ranks.0 & GOVERNS != 0);
        governors.filter_map(|member| member.client).collect()
    }

    pub(super) fn names(&self) -> Vec<Name<'static>> {
        let name = |member: &Member| Name {
            who: Who::nick(member.nick.clone()),
            ranks: member.ranks,
        };
        self.members.values().map(name).collect()
    }

    /// Takes a subject; returns what to tell of it.
    pub(super) fn set_subject(
        &mut self,
        text: &str,
        by: &str,
        time: Time,
    ) -> Option<Event<'static>> {
        self.subject = Some((text.to_owned(), by.to_owned(), time));
        self.subject_event(true)
    }

    pub(super) fn subject_text(&self) -> Option<&str> {
        self.subject.as_ref().map(|(text, ..)| text.as_str())
    }

    pub(super) fn subject_event(&self, live: bool) -> Option<Event<'static>> {
        let (text, by, time) = self.subject.clone()?;
        Some(Event::Subject {
            room: self.name.clone().into(),
            text: text.into(),
            by: Some(by.into()),
            time: Some(time),
            live,
        })
    }
}

impl World {
    /// A fault unless the network can express it.
    pub(super) fn must(&self, cap: impl Fn(&Caps) -> bool) -> Result<(), Fault> {
        match cap(&self.config.caps) {
            true => Ok(()),
            false => Err(Fault::new(
                FaultKind::Unsupported,
                "the network has no such feature",
            )),
        }
    }

    /// A room the client is in.
    pub(super) fn joined(&mut self, me: ClientId, room: &str) -> Result<&mut Room, Fault> {
        let network = self.network_of(me);
        self.room_mut(&network, room)
            .filter(|room| room.has(me))
            .ok_or_else(|| Fault::new(FaultKind::NotJoined, "you are not in that room"))
    }

    /// A room the client is in and governs.
    pub(super) fn governed(&mut self, me: ClientId, room: &str) -> Result<&mut Room, Fault> {
        let nick = fold(&self.nick_of(me));
        let room = self.joined(me, room)?;
        match room.members.get(&nick) {
            Some(member) if member.ranks.0 & GOVERNS != 0 => Ok(room),
            _ => Err(not_privileged()),
        }
    }

    pub(super) fn room_mut(&mut self, network: &str, room: &str) -> Option<&mut Room> {
        self.networks.get_mut(network)?.rooms.get_mut(&fold(room))
    }

    /// The room, which comes to be if it must.
    pub(super) fn make_room(&mut self, network: &str, name: &str) -> Result<&mut Room, Fault> {
        let (most, echo) = (self.config.rooms, self.config.echo);
        let rooms = &mut self.networks.entry(network.to_owned()).or_default().rooms;
        if rooms.len() >= most && !rooms.contains_key(&fold(name)) {
            return Err(Fault::new(FaultKind::Full, "there are too many rooms"));
        }
        Ok(rooms
            .entry(fold(name))
            .or_insert_with(|| Room::new(name, echo)))
    }

    pub(super) fn rename_member(&mut self, network: &str, from: &str, to: &str) {
        let Some(network) = self.networks.get_mut(network) else {
            return;
        };
        for room in network.rooms.values_mut() {
            if let Some(mut member) = room.members.remove(&fold(from)) {
                member.nick = to.to_owned();
                room.members.insert(fold(to), member);
            }
        }
    }

    pub(super) fn join(
        &mut self,
        me: ClientId,
        tag: Tag,
        name: &str,
        nick: &str,
        password: Option<&str>,
    ) -> Ended {
        self.must(|caps| caps.rooms)?;
        if (!name.starts_with('#') || name.len() < 2) && !is_group(name) {
            return Err(Fault::new(FaultKind::BadAddress, "a room begins with #"));
        }
        let network = self.network_of(me);
        self.admit(me, &network, name, (nick, password))?;
        // One nickname for all rooms: the first room decides.
        let roams = self.networks.get(&network);
        if !roams.is_some_and(|net| net.rooms.values().any(|room| room.has(me))) {
            self.rename(me, nick)?;
        }
        let nick = self.nick_of(me);
        let room = self.make_room(&network, name)?;
        if !room.has(me) {
            let ranks = match room.clients().next() {
                None => ADMIN,
                Some(_) => Ranks::default(),
            };
            let others: BTreeSet<_> = room.clients().collect();
            room.settle(&nick, ranks, Some(me));
            room.invited.remove(&fold(&nick));
            let came = Event::Came {
                room: room.name.clone().into(),
                who: Who::nick(nick.clone()),
                ranks,
            };
            self.tell(&others, &came);
        }
        self.welcome(me, Some(tag), &network, name, &nick);
        FINISHED
    }

    /// The raw lines by which the network does something by itself: `PUT #room` has the client in a
    /// room, `NAME nick` tells of a contact; false: it is another line.
    pub(super) fn pushes(&mut self, me: ClientId, line: &str) -> bool {
        if let Some(contact) = line.strip_prefix("NAME ") {
            let contact = contact.trim().to_owned().into();
            let (online, away, since) = (true, None, None);
            let event = Event::Contact {
                contact,
                online,
                away,
                since,
            };
            self.push(me, event);
            return true;
        }
        let (network, nick) = (self.network_of(me), self.nick_of(me));
        let name = line.strip_prefix("PUT ").map(str::trim);
        let Some(name) = name.filter(|name| name.starts_with('#') && name.len() > 1) else {
            return false;
        };
        if let Ok(room) = self.make_room(&network, name) {
            room.settle(&nick, Ranks::default(), Some(me));
            self.welcome(me, None, &network, name, &nick);
        }
        true
    }

    /// A fault unless the room lets the client in.
    fn admit(
        &mut self,
        me: ClientId,
        network: &str,
        name: &str,
        (wished, password): (&str, Option<&str>),
    ) -> Result<(), Fault> {
        let nick = fold(&self.nick_of(me));
        let room = self.room_mut(network, name);
        if room.as_ref().is_some_and(|room| room.has(me)) {
            return Ok(());
        }
        let names = [nick.clone(), fold(wished)];
        let banned = room
            .as_ref()
            .is_some_and(|room| names.iter().any(|name| room.bans(name)));
        let locked = room.as_ref().is_some_and(|room| {
            room.flags.password && room.password.is_some() && room.password.as_deref() != password
        });
        let full = room.as_ref().is_some_and(|room| {
            let limit = usize::try_from(room.flags.limit).unwrap_or(usize::MAX);
            limit > 0 && room.members.len() >= limit
        });
        let closed = room.as_ref().is_some_and(|room| room.flags.members_only);
        let invited = room.is_some_and(|room| room.invited.contains(&nick));
        if let Some(fault) = magic::refuses(name, password, invited) {
            return Err(fault);
        }
        if banned {
            return Err(Fault::new(FaultKind::Forbidden, "you are banned"));
        }
        if locked {
            let text = "the room has a password";
            return Err(Fault::new(FaultKind::WrongPassword, text));
        }
        if full {
            return Err(Fault::new(FaultKind::RoomFull, "the room is full"));
        }
        if closed && !invited {
            let text = "only the invited may enter";
            return Err(Fault::new(FaultKind::MembersOnly, text));
        }
        Ok(())
    }

    /// Tells who enters what there is: occupants in portions, flags, subject.
    fn welcome(&mut self, me: ClientId, asked: Option<Tag>, network: &str, name: &str, nick: &str) {
        let Some(room) = self.room_mut(network, name) else {
            return;
        };
        let title: Cow<'static, str> = room.name.clone().into();
        let names = room.names();
        // Also where none is set: they may have been when the client was here last.
        let flags = Event::Flags {
            room: title.clone(),
            flags: room.flags,
            password: None,
        };
        let subject = room.subject_event(false);
        self.push(
            me,
            Event::Joined {
                room: title.clone(),
                nick: nick.to_owned().into(),
                asked,
            },
        );
        let portions = names.chunks(NAMES).count();
        for (n, some) in names.chunks(NAMES).enumerate() {
            let event = Event::Names {
                room: title.clone(),
                some: some.to_vec().into(),
                last: n + 1 == portions,
            };
            self.push(me, event);
        }
        for event in [flags].into_iter().chain(subject) {
            self.push(me, event);
        }
        self.show_room(me, network, &title);
    }

    pub(super) fn leave(&mut self, me: ClientId, room: &str, reason: Option<&str>) -> Ended {
        let nick = self.nick_of(me);
        let all: BTreeSet<_> = self.joined(me, room)?.clients().collect();
        let left = Left {
            room: None,
            nicks: vec![nick.into()].into(),
            why: Why::Parted,
            by: None,
            text: reason.map(|text| text.to_owned().into()),
        };
        self.part(me, room, left, &all);
        FINISHED
    }

    /// Takes one occupant out of the room and tells everybody given.
    pub(super) fn part(
        &mut self,
        me: ClientId,
        room: &str,
        mut left: Left<'static>,
        all: &BTreeSet<ClientId>,
    ) {
        let network = self.network_of(me);
        if let Some(room) = self.room_mut(&network, room) {
            left.room = Some(room.name.clone().into());
            for nick in left.nicks.iter() {
                room.members.remove(&fold(nick));
            }
        }
        if let Some(network) = self.networks.get_mut(&network) {
            network.rooms.retain(|_, room| room.is_used());
        }
        self.tell(all, &Event::Left(left));
    }

    pub(super) fn list(&mut self, me: ClientId, tag: Tag, search: Option<&str>) -> Ended {
        self.must(|caps| caps.rooms)?;
        let search = search.map(fold).unwrap_or_default();
        let network = self.network_of(me);
        let found: Vec<_> = self
            .networks
            .get(&network)
            .into_iter()
            .flat_map(|network| network.rooms.iter())
            .filter(|(key, room)| key.contains(&search) && (!room.flags.hidden || room.has(me)))
            .map(|(_, room)| {
                let subject = room.subject.as_ref().map(|it| it.0.clone());
                vec![
                    ("room".into(), room.name.clone().into()),
                    ("occupants".into(), room.members.len().to_string().into()),
                    ("subject".into(), subject.unwrap_or_default().into()),
                ]
            })
            .collect();
        for fields in found {
            self.push(me, Event::Found { tag, fields });
        }
        FINISHED
    }
}

/// Whether a name is that of a group: its members, divided by commas.
fn is_group(name: &str) -> bool {
    name.contains(',') && !name.starts_with('#')
}

pub(super) fn not_privileged() -> Fault {
    Fault::new(FaultKind::NotPrivileged, "your rank does not suffice")
}

pub(super) fn no_such_occupant() -> Fault {
    Fault::new(
        FaultKind::NoSuchTarget,
        "nobody of that name is in the room",
    )
}
