//! Rooms: who is in them, and who may do what.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use isthmus_gateway::{
    Caps, Event, Fault, FaultKind, Left, Message, Name, RankChange, Ranks, RoomFlags, Tag, Time,
    Who, Why,
};

use super::{Answer, ClientId, Ended, FINISHED, World, fold, magic};

/// The rank of the resident `echo`.
const OWNER: Ranks = Ranks(1);
/// The rank of who enters an empty room.
const ADMIN: Ranks = Ranks(1 << 1);
/// The ranks that may govern a room.
const GOVERNS: u8 = OWNER.0 | ADMIN.0;
/// Ranks that exist.
const KNOWN: u8 = 0b111;
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
struct Ban {
    /// The nickname or pattern as it was written.
    whom: String,
    by: String,
    time: Time,
    reason: Option<String>,
}

/// One room; occupants by folded nickname.
#[derive(Default)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) members: BTreeMap<String, Member>,
    subject: Option<(String, String, Time)>,
    pub(super) flags: RoomFlags,
    /// What is asked for at the door, where the flags say so.
    password: Option<String>,
    /// Bans by folded nickname or pattern.
    bans: BTreeMap<String, Ban>,
    invited: BTreeSet<String>,
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
    fn governors(&self) -> BTreeSet<ClientId> {
        let members = self.members.values();
        let governors = members.filter(|member| member.ranks.0 & GOVERNS != 0);
        governors.filter_map(|member| member.client).collect()
    }

    fn names(&self) -> Vec<Name<'static>> {
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

    fn subject_event(&self, live: bool) -> Option<Event<'static>> {
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
        self.welcome(me, tag, &network, name, &nick);
        FINISHED
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
    fn welcome(&mut self, me: ClientId, tag: Tag, network: &str, name: &str, nick: &str) {
        let Some(room) = self.room_mut(network, name) else {
            return;
        };
        let title: Cow<'static, str> = room.name.clone().into();
        let names = room.names();
        // Also where none is set: they may have been when the client was here last.
        let flags = Event::Flags {
            room: title.clone(),
            flags: room.flags,
        };
        let subject = room.subject_event(false);
        self.push(
            me,
            Event::Joined {
                room: title.clone(),
                nick: nick.to_owned().into(),
                asked: Some(tag),
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
    fn part(
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

    /// Kicks or bans an occupant.
    pub(super) fn remove(
        &mut self,
        me: ClientId,
        room: &str,
        nick: &str,
        why: Why,
        reason: Option<&str>,
    ) -> Ended {
        let by = self.nick_of(me);
        let found = self.governed(me, room)?;
        let Some(member) = found.members.get(&fold(nick)) else {
            return Err(no_such_occupant());
        };
        if member.ranks.0 & OWNER.0 != 0 {
            return Err(not_privileged());
        }
        let left = Left {
            room: None,
            nicks: vec![member.nick.clone().into()].into(),
            why,
            by: Some(by.into()),
            text: reason.map(|text| text.to_owned().into()),
        };
        let all = found.clients().collect();
        self.part(me, room, left, &all);
        FINISHED
    }

    pub(super) fn ban(
        &mut self,
        me: ClientId,
        room: &str,
        whom: &str,
        on: bool,
        reason: Option<&str>,
    ) -> Ended {
        let (by, time) = (self.nick_of(me), self.time());
        let found = self.governed(me, room)?;
        if !on {
            return match found.bans.remove(&fold(whom)) {
                Some(_) => FINISHED,
                None => Err(Fault::new(FaultKind::NoSuchTarget, "there is no such ban")),
            };
        }
        match found.members.get(&fold(whom)) {
            Some(member) if member.ranks.0 & OWNER.0 != 0 => return Err(not_privileged()),
            present => {
                let present = present.is_some();
                let ban = Ban {
                    whom: whom.to_owned(),
                    by,
                    time,
                    reason: reason.map(str::to_owned),
                };
                found.bans.insert(fold(whom), ban);
                if present {
                    return self.remove(me, room, whom, Why::Banned, reason);
                }
            }
        }
        FINISHED
    }

    pub(super) fn bans(&mut self, me: ClientId, tag: Tag, room: &str) -> Ended {
        let fields = |ban: &Ban| {
            let mut fields = vec![
                ("whom".into(), ban.whom.clone().into()),
                ("by".into(), ban.by.clone().into()),
                ("time".into(), ban.time.0.to_string().into()),
            ];
            fields.extend(ban.reason.clone().map(|it| ("reason".into(), it.into())));
            fields
        };
        let found: Vec<_> = self.joined(me, room)?.bans.values().map(fields).collect();
        for fields in found {
            self.push(me, Event::Found { tag, fields });
        }
        FINISHED
    }

    pub(super) fn rank(
        &mut self,
        me: ClientId,
        room: &str,
        nick: &str,
        set: Ranks,
        cleared: Ranks,
    ) -> Ended {
        let by = self.nick_of(me);
        let found = self.governed(me, room)?;
        let mine = found.members.get(&fold(&by)).map_or(0, |me| me.ranks.0);
        let touched = set.0 | cleared.0;
        if touched & !KNOWN != 0 {
            return Err(Fault::new(FaultKind::BadRequest, "there is no such rank"));
        }
        // Nobody touches a rank above his own: bit 0 is the highest.
        if touched != 0 && touched.trailing_zeros() < mine.trailing_zeros() {
            return Err(not_privileged());
        }
        let Some(member) = found.members.get_mut(&fold(nick)) else {
            return Err(no_such_occupant());
        };
        let before = member.ranks;
        member.ranks = before.changed(set, cleared);
        let change = RankChange {
            nick: member.nick.clone().into(),
            set: Ranks(member.ranks.0 & !before.0),
            cleared: Ranks(before.0 & !member.ranks.0),
        };
        if member.ranks == before {
            return FINISHED;
        }
        let event = Event::Ranks {
            room: found.name.clone().into(),
            changes: vec![change].into(),
            by: Some(by.into()),
        };
        let all = found.clients().collect();
        self.tell(&all, &event);
        FINISHED
    }

    pub(super) fn subject(&mut self, me: ClientId, room: &str, text: &str) -> Ended {
        let (by, time) = (self.nick_of(me), self.time());
        let locked = self.joined(me, room)?.flags.subject_locked;
        let found = match locked {
            true => self.governed(me, room)?,
            false => self.joined(me, room)?,
        };
        let event = found.set_subject(text, &by, time);
        let all = found.clients().collect();
        if let Some(event) = event {
            self.tell(&all, &event);
        }
        FINISHED
    }

    pub(super) fn configure(
        &mut self,
        me: ClientId,
        room: &str,
        flags: RoomFlags,
        password: Option<&str>,
    ) -> Ended {
        let found = self.governed(me, room)?;
        if flags.password && found.password.is_none() && password.is_none() {
            return Err(Fault::new(FaultKind::BadRequest, "which password?"));
        }
        found.flags = flags;
        found.password = match flags.password {
            true => password.map(str::to_owned).or(found.password.take()),
            false => None,
        };
        let event = Event::Flags {
            room: found.name.clone().into(),
            flags,
        };
        let all = found.clients().collect();
        self.tell(&all, &event);
        FINISHED
    }

    pub(super) fn invite(
        &mut self,
        me: ClientId,
        room: &str,
        contact: &str,
        reason: Option<&str>,
    ) -> Ended {
        if let Some(fault) = magic::named(contact) {
            return Err(fault);
        }
        let closed = self.joined(me, room)?.flags.members_only;
        if closed {
            self.governed(me, room)?;
        }
        let peer = self.peer(me, contact);
        if peer.is_none() && !self.is_resident(me, contact) {
            return Err(Fault::new(FaultKind::NoSuchTarget, "nobody of that name"));
        }
        let found = self.joined(me, room)?;
        found.invited.insert(fold(contact));
        let name = found.name.clone();
        if let Some(peer) = peer {
            let by = self.nick_of(me);
            self.push_invitation(peer, &name, &by, reason);
        }
        FINISHED
    }

    /// Asks those who run the room to be let in, or for a voice. Where no user runs it `echo`
    /// opens every door that takes an invitation.
    pub(super) fn knock(&mut self, me: ClientId, room: &str, reason: Option<&str>) -> Ended {
        if let Some(fault) = magic::named(room) {
            return Err(fault);
        }
        let (network, nick) = (self.network_of(me), self.nick_of(me));
        let governors = self.room_mut(&network, room).map(|it| it.governors());
        if let Some(governors) = governors.filter(|it| !it.is_empty()) {
            let knocked = Event::Knocked {
                room: room.to_owned().into(),
                who: Who::nick(nick),
                reason: reason.map(|text| text.to_owned().into()),
            };
            self.tell(&governors, &knocked);
            return FINISHED;
        }
        let found = self.make_room(&network, room)?;
        found.invited.insert(fold(&nick));
        // The invitation must outlive the empty room it is for.
        found.kept = true;
        let name = found.name.clone();
        self.push_invitation(me, &name, magic::ECHO, None);
        Ok(Answer::Now(isthmus_gateway::Outcome::Finished))
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

fn not_privileged() -> Fault {
    Fault::new(FaultKind::NotPrivileged, "your rank does not suffice")
}

fn no_such_occupant() -> Fault {
    Fault::new(
        FaultKind::NoSuchTarget,
        "nobody of that name is in the room",
    )
}
