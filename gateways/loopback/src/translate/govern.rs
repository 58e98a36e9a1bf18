//! Who runs a room: kicks, bans, ranks, subjects, what the room is like, who is let in.

use isthmus_gateway::{Event, Fault, FaultKind, Left, RankChange, Ranks, RoomFlags, Tag, Who, Why};

use super::room::{Ban, KNOWN, OWNER, no_such_occupant, not_privileged};
use super::{Answer, ClientId, Ended, FINISHED, World, fold, magic};

impl World {
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
            password: None,
        };
        let all = found.clients().collect();
        self.tell(&all, &event);
        FINISHED
    }

    pub(super) fn flags(&mut self, me: ClientId, room: &str) -> Ended {
        let found = self.joined(me, room)?;
        let event = Event::Flags {
            room: found.name.clone().into(),
            flags: found.flags,
            password: None,
        };
        self.push(me, event);
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
}
