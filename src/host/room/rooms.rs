//! All rooms of one session, found by folded name without allocation.

use isthmus_gateway::{Kind, Left, Who};

use super::{Entrance, Identity, Phase, Room};
use crate::component::Mark;
use crate::host::ids::Ids;
use crate::host::picture::Portrait;
use crate::host::session::{Base, Link};

/// All rooms of one session.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    list: Vec<Room>,
    scratch: Vec<u8>,
}

impl Rooms {
    /// The room of that name.
    pub(crate) fn find(&mut self, base: &Base, name: &str) -> Option<&mut Room> {
        base.facts.fold.fold_into(name, &mut self.scratch);
        let scratch = &self.scratch;
        self.list.iter_mut().find(|room| *room.key == **scratch)
    }

    /// The room of that folded name.
    pub(crate) fn by_key(&mut self, key: &[u8]) -> Option<&mut Room> {
        self.list.iter_mut().find(|room| *room.key == *key)
    }

    /// Whether a room of that name is there.
    pub(crate) fn has(&mut self, base: &Base, name: &str) -> bool {
        self.find(base, name).is_some()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.list.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Room> {
        self.list.iter_mut()
    }

    /// A new room; `None` if its name makes no address.
    pub(crate) fn add(
        &mut self,
        base: &Base,
        name: &str,
        local: Option<&str>,
    ) -> Option<&mut Room> {
        let local = match local {
            Some(local) => local.to_owned(),
            None => {
                let local = base.local(Kind::Room, name);
                local.or_else(|_| base.local(Kind::Group, name)).ok()?
            }
        };
        let key = base.folded(name);
        let conversation = format!("{}@{}", local, base.outbox.domain());
        let ids = Ids::new(&base.shared.message_key, &conversation, base.number);
        let identity = Identity::new(&base.shared.occupant_key, &conversation);
        let room = Room::new(name, key, local, &base.names, (ids, identity));
        isthmus_kit::lean::push(&mut self.list, room);
        self.list.last_mut()
    }

    /// Somebody enters.
    pub(crate) fn enter(&mut self, base: &mut Base, key: &[u8], entrance: Entrance) {
        if let Some(room) = self.by_key(key) {
            room.enter(base, entrance);
        }
    }

    /// The network is there: asks again for every room that is wanted.
    pub(crate) fn online(&mut self, base: &mut Base) {
        // The fold may differ from the one assumed before the network was there.
        for room in &mut self.list {
            let key = base.folded(&room.name);
            base.rekey(&room.key, &key);
            room.key = key;
        }
        for room in &mut self.list {
            if room.phase == Phase::Wanted
                && !(room.resources.is_empty() && room.leave_at.is_none())
            {
                room.ask(base);
            }
        }
    }

    /// The network is gone: what is said in the rooms from here on is missed.
    pub(crate) fn gaps_begin(&mut self, base: &mut Base) {
        for room in &mut self.list {
            room.gap_begins(base);
        }
    }

    /// The network is not there any more: the rooms stay as they are shown.
    pub(crate) fn offline(&mut self) {
        for room in &mut self.list {
            room.phase = Phase::Wanted;
            room.retry = None;
        }
    }

    /// Somebody left, in one room or in all.
    pub(crate) fn left(&mut self, base: &Base, left: &Left<'_>) {
        for nick in left.nicks.iter() {
            let mine = base.is_me(nick);
            if let Some(name) = left.room.as_deref() {
                let Some(room) = self.find(base, name) else {
                    continue;
                };
                if mine {
                    room.removed(base, left)
                } else {
                    room.left(base, nick, left)
                }
            } else {
                for room in &mut self.list {
                    if mine {
                        room.removed(base, left)
                    } else {
                        room.left(base, nick, left)
                    }
                }
            }
        }
    }

    /// More is known of somebody.
    pub(crate) fn known(&mut self, base: &Base, who: &Who<'_>) {
        base.names.lock().learn(who);
        let shown = who.account.is_some()
            || who.away.is_some()
            || who.bot.is_some()
            || who.operator.is_some();
        for room in self.list.iter_mut().filter(|_| shown) {
            room.known(base, &who.nick);
        }
    }

    /// Whether somebody, spelled so, is in one of them.
    pub(crate) fn seat(&self, base: &Base, nick: &str) -> bool {
        let id = base.names.lock().find(nick);
        id.is_some_and(|id| self.list.iter().any(|room| room.seats(id)))
    }

    /// Somebody's looks are known now.
    pub(crate) fn pictured(&mut self, base: &Base, nick: &str, portrait: Portrait) {
        base.names.lock().depict(nick, portrait);
        for room in &mut self.list {
            room.known(base, nick);
        }
    }

    /// The stream is up again.
    pub(crate) fn stream_up(&mut self, base: &Base, confirmed: Mark) {
        for room in &mut self.list {
            room.stream_up(base, confirmed);
        }
    }

    /// The user has set something.
    pub(crate) fn settings(&mut self, base: &mut Base) {
        for room in &mut self.list {
            room.stay(base);
        }
        self.tidy(base);
    }

    /// Moves every cursor; returns whether there is more to do at once.
    pub(crate) fn advance(&mut self, base: &mut Base) -> bool {
        self.list
            .iter_mut()
            .fold(false, |more, room| room.advance(base) | more)
    }

    /// Leaves rooms whose time has come, and forgets those nobody wants any more.
    pub(crate) fn tidy(&mut self, base: &mut Base) {
        for room in &mut self.list {
            if room.gap_deadline().is_some_and(|at| at <= base.now) {
                room.release(base);
            }
            if room.leave_at.is_some_and(|at| at <= base.now) {
                room.leave_network(base, None);
            }
            if room.retry_at().is_some_and(|at| at <= base.now) {
                room.ask(base);
            }
        }
        let online = base.link == Link::Online;
        self.list.retain(|room| {
            !(room.resources.is_empty()
                && room.leave_at.is_none()
                && (room.phase == Phase::Wanted || !online))
        });
    }

    /// Gives memory back that is not in use.
    pub(crate) fn rest(&mut self) {
        self.scratch = Vec::new();
    }

    /// When `tidy` has something to do.
    pub(crate) fn deadline(&self) -> Option<std::time::Instant> {
        let leaves = self.list.iter().filter_map(|room| room.leave_at);
        let gaps = self.list.iter().filter_map(Room::gap_deadline);
        let retries = self.list.iter().filter_map(Room::retry_at);
        leaves.chain(gaps).chain(retries).min()
    }
}
