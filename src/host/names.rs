//! One table of nicknames per network, shared by every session on it.
//!
//! A channel of 5,000 seen by 500 users is 2,500,000 occupant entries. Each entry is four bytes
//! (see `room::occupants`) because the nickname itself stands here once. Entries are counted: a
//! nickname nobody's room holds any more gives its place to the next one, so nick churn on a
//! hostile network does not grow the table.
//!
//! Not for the path of a message: a message carries its sender's nickname, nothing is looked up.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A nickname's number within its network. 24 bits are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NickId(pub(crate) u32);

/// The most nicknames one network can hold at a time.
const CAPACITY: u32 = 1 << 24;

/// The shared table. The lock is held for a chunk of names at most, never across a wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<Table>>);

impl Names {
    /// The table, for a few look-ups in a row.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere leaves the counts at worst too high: the table stays usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Slot {
    name: Arc<str>,
    holders: u32,
}

/// Nicknames by number and numbers by nickname. Spelling counts: folding is the session's matter.
#[derive(Debug, Default)]
pub(crate) struct Table {
    numbers: HashMap<Arc<str>, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Table {
    /// Counts one more holder of `name`; `None` if the network holds no more names.
    pub(crate) fn hold(&mut self, name: &str) -> Option<NickId> {
        if let Some(&number) = self.numbers.get(name) {
            self.slots[number as usize].holders += 1;
            return Some(NickId(number));
        }
        let name: Arc<str> = Arc::from(name);
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = Slot {
                    name: Arc::clone(&name),
                    holders: 1,
                };
                number
            }
            None => {
                let number = u32::try_from(self.slots.len())
                    .ok()
                    .filter(|&n| n < CAPACITY)?;
                self.slots.push(Slot {
                    name: Arc::clone(&name),
                    holders: 1,
                });
                number
            }
        };
        self.numbers.insert(name, number);
        Some(NickId(number))
    }

    /// Counts one holder less.
    pub(crate) fn release(&mut self, id: NickId) {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else {
            return;
        };
        slot.holders = slot.holders.saturating_sub(1);
        if slot.holders > 0 {
            return;
        }
        if let Entry::Occupied(entry) = self.numbers.entry(Arc::clone(&slot.name))
            && *entry.get() == id.0
        {
            entry.remove();
            slot.name = Arc::from("");
            self.free.push(id.0);
        }
    }

    /// The number of a name somebody holds.
    pub(crate) fn find(&self, name: &str) -> Option<NickId> {
        self.numbers.get(name).copied().map(NickId)
    }

    /// The name behind a number that is held.
    pub(crate) fn name(&self, id: NickId) -> &str {
        self.slots.get(id.0 as usize).map_or("", |slot| &slot.name)
    }

    /// The name behind a number that is held, to keep.
    pub(crate) fn shared_name(&self, id: NickId) -> Arc<str> {
        self.slots
            .get(id.0 as usize)
            .map_or_else(|| Arc::from(""), |slot| Arc::clone(&slot.name))
    }

    /// How many names are held.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_its_place_reused_after_the_last_holder_is_gone() {
        let names = Names::default();
        let mut table = names.lock();
        let alice = table.hold("alice").expect("room for one");
        assert_eq!(table.hold("alice"), Some(alice));
        table.release(alice);
        assert_eq!(table.find("alice"), Some(alice));
        table.release(alice);
        assert_eq!(table.find("alice"), None);
        let bob = table.hold("bob").expect("room for one");
        assert_eq!(bob, alice, "the free place is used again");
        assert_eq!(table.name(bob), "bob");
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn churn_does_not_grow_the_table() {
        let names = Names::default();
        let mut table = names.lock();
        for round in 0..10_000 {
            let id = table.hold(&format!("nick{round}")).expect("room for one");
            table.release(id);
        }
        assert_eq!(table.slots.len(), 1);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn releasing_twice_does_no_harm() {
        let names = Names::default();
        let mut table = names.lock();
        let a = table.hold("a").expect("room");
        table.release(a);
        table.release(a);
        let b = table.hold("b").expect("room");
        let c = table.hold("c").expect("room");
        assert_ne!(b, c);
    }
}
