//! Who is in a room: four bytes an occupant, sorted by the nickname's number.
//!
//! An entry is the number of the nickname in the network's table (24 bits) and the ranks held
//! (8 bits). The set holds one count of each of its names; `Drop` gives them back.

use isthmus_gateway::{Fold, Ranks};

use crate::host::names::{Names, NickId};

/// One occupant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occupant {
    /// Who.
    pub(crate) id: NickId,
    /// The ranks held.
    pub(crate) ranks: Ranks,
}

impl Occupant {
    fn pack(self) -> u32 {
        (self.id.0 << 8) | u32::from(self.ranks.0)
    }

    fn unpack(entry: u32) -> Self {
        Self {
            id: NickId(entry >> 8),
            ranks: Ranks((entry & 0xff) as u8),
        }
    }
}

/// What differs between two sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Only in the old set.
    pub(crate) left: Vec<Occupant>,
    /// Only in the new set.
    pub(crate) came: Vec<Occupant>,
    /// In both, with other ranks in the new one.
    pub(crate) changed: Vec<Occupant>,
}

/// The occupants of one room.
#[derive(Debug)]
pub(crate) struct Occupants {
    names: Names,
    entries: Vec<u32>,
}

impl Occupants {
    /// Nobody, on the network whose nicknames stand in `names`.
    pub(crate) fn new(names: Names) -> Self {
        Self {
            names,
            entries: Vec::new(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn position(&self, id: NickId) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&id.0, |entry| entry >> 8)
    }

    /// Adds somebody, or replaces his ranks. `None` if the network's table is full.
    pub(crate) fn insert(&mut self, nick: &str, ranks: Ranks) -> Option<Occupant> {
        let id = self.names.lock().hold(nick)?;
        let occupant = Occupant { id, ranks };
        match self.position(id) {
            Ok(at) => {
                self.entries[at] = occupant.pack();
                self.names.lock().release(id);
            }
            Err(at) => self.entries.insert(at, occupant.pack()),
        }
        Some(occupant)
    }

    /// Adds many at once: one lock and one sort, as a list of 5,000 names wants it.
    pub(crate) fn extend<'n>(&mut self, some: impl Iterator<Item = (&'n str, Ranks)>) {
        {
            let mut table = self.names.lock();
            for (nick, ranks) in some {
                if let Some(id) = table.hold(nick) {
                    self.entries.push(Occupant { id, ranks }.pack());
                }
            }
        }
        self.entries.sort_by_key(|entry| entry >> 8);
        let mut table = self.names.lock();
        self.entries.dedup_by(|later, earlier| {
            let double = *later >> 8 == *earlier >> 8;
            if double {
                *earlier = *later;
                table.release(NickId(*later >> 8));
            }
            double
        });
    }

    /// Removes somebody. The name's count is given back: look it up before.
    pub(crate) fn remove(&mut self, id: NickId) -> Option<Occupant> {
        let at = self.position(id).ok()?;
        let occupant = Occupant::unpack(self.entries.remove(at));
        self.names.lock().release(id);
        Some(occupant)
    }

    /// Changes ranks; `None` if he is not here.
    pub(crate) fn rank(&mut self, id: NickId, set: Ranks, cleared: Ranks) -> Option<Occupant> {
        let at = self.position(id).ok()?;
        let mut occupant = Occupant::unpack(self.entries[at]);
        occupant.ranks = occupant.ranks.changed(set, cleared);
        self.entries[at] = occupant.pack();
        Some(occupant)
    }

    /// The occupant behind a number.
    pub(crate) fn get(&self, id: NickId) -> Option<Occupant> {
        self.position(id)
            .ok()
            .map(|at| Occupant::unpack(self.entries[at]))
    }

    /// The occupant of that nickname: by exact spelling at once, else by folding through all.
    pub(crate) fn find(&self, nick: &str, fold: &Fold) -> Option<Occupant> {
        let table = self.names.lock();
        if let Some(occupant) = table.find(nick).and_then(|id| self.get(id)) {
            return Some(occupant);
        }
        if matches!(fold, Fold::Exact) {
            return None;
        }
        self.entries
            .iter()
            .map(|&entry| Occupant::unpack(entry))
            .find(|occupant| fold.same(table.name(occupant.id), nick))
    }

    /// Up to `max` occupants whose numbers are `from` or higher.
    pub(crate) fn chunk(&self, from: NickId, max: usize) -> impl Iterator<Item = Occupant> + '_ {
        let start = self.position(from).unwrap_or_else(|at| at);
        self.entries[start..]
            .iter()
            .take(max)
            .map(|&entry| Occupant::unpack(entry))
    }

    /// What has to be told for `new` to take the place of `self`.
    pub(crate) fn difference(&self, new: &Occupants) -> Difference {
        let mut difference = Difference::default();
        let (mut a, mut b) = (
            self.entries.iter().peekable(),
            new.entries.iter().peekable(),
        );
        loop {
            match (a.peek(), b.peek()) {
                (None, None) => return difference,
                (Some(&&old), None) => {
                    difference.left.push(Occupant::unpack(old));
                    a.next();
                }
                (None, Some(&&now)) => {
                    difference.came.push(Occupant::unpack(now));
                    b.next();
                }
                (Some(&&old), Some(&&now)) => match (old >> 8).cmp(&(now >> 8)) {
                    std::cmp::Ordering::Less => {
                        difference.left.push(Occupant::unpack(old));
                        a.next();
                    }
                    std::cmp::Ordering::Greater => {
                        difference.came.push(Occupant::unpack(now));
                        b.next();
                    }
                    std::cmp::Ordering::Equal => {
                        if old != now {
                            difference.changed.push(Occupant::unpack(now));
                        }
                        a.next();
                        b.next();
                    }
                },
            }
        }
    }
}

impl Drop for Occupants {
    fn drop(&mut self) {
        let mut table = self.names.lock();
        for entry in self.entries.drain(..) {
            table.release(NickId(entry >> 8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(names: &Names, nicks: &[(&str, u8)]) -> Occupants {
        let mut room = Occupants::new(names.clone());
        room.extend(nicks.iter().map(|&(nick, ranks)| (nick, Ranks(ranks))));
        room
    }

    #[test]
    fn a_list_of_names_and_single_arrivals_make_the_same_room() {
        let names = Names::default();
        let listed = room(&names, &[("a", 0), ("b", 1), ("c", 0), ("b", 2)]);
        let mut single = Occupants::new(names.clone());
        for (nick, ranks) in [("c", 0), ("b", 2), ("a", 0)] {
            single.insert(nick, Ranks(ranks)).expect("room for three");
        }
        assert_eq!(listed.entries, single.entries);
    }

    #[test]
    fn the_difference_names_who_left_came_and_changed() {
        let names = Names::default();
        let old = room(&names, &[("stays", 0), ("leaves", 0), ("rises", 0)]);
        let new = room(&names, &[("stays", 0), ("comes", 0), ("rises", 1)]);
        let difference = old.difference(&new);
        let table = names.lock();
        let of = |list: &[Occupant]| -> Vec<String> {
            list.iter().map(|o| table.name(o.id).to_owned()).collect()
        };
        assert_eq!(of(&difference.left), ["leaves"]);
        assert_eq!(of(&difference.came), ["comes"]);
        assert_eq!(of(&difference.changed), ["rises"]);
    }

    #[test]
    fn somebody_is_found_by_another_spelling() {
        let names = Names::default();
        let room = room(&names, &[("Ferris", 0)]);
        assert!(room.find("fERRIS", &Fold::ascii()).is_some());
        assert!(room.find("fERRIS", &Fold::Exact).is_none());
    }

    #[test]
    fn a_dropped_room_gives_its_names_back() {
        let names = Names::default();
        let one = room(&names, &[("a", 0), ("b", 0)]);
        let two = room(&names, &[("b", 0)]);
        drop(one);
        assert!(names.lock().find("a").is_none());
        assert!(names.lock().find("b").is_some());
        drop(two);
        assert!(names.lock().find("b").is_none());
    }
}
