//! One table of nicknames per network, shared by every session on it.
//!
//! A channel of 5,000 seen by 500 users is 2,500,000 occupant entries. Each entry is four bytes
//! (see `room::occupants`) because the nickname itself stands here once. Entries are counted: a
//! nickname nobody's room holds any more gives its place to the next one, so nick churn on a
//! hostile network does not grow the table.
//!
//! What the network tells of a person (account, away, ...) stands beside his nickname as long as
//! somebody's room holds it. On the path of a message there is one look-up, for the sender's id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isthmus_gateway::Who;

use crate::host::picture::Portrait;

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

/// What a network tells of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// By what he was known when he was first shown, if not by his nickname.
    source: Option<Box<str>>,
    /// The services account he is logged in to.
    pub(crate) account: Option<Box<str>>,
    /// `user@host` or the like.
    handle: Option<Box<str>>,
    /// Why he is away.
    pub(crate) away: Option<Box<str>>,
    /// He is a machine.
    pub(crate) bot: bool,
    /// He runs the network.
    pub(crate) operator: bool,
    /// How he looks.
    pub(crate) portrait: Portrait,
}

impl About {
    /// Takes what has become known.
    fn learn(&mut self, who: &Who<'_>) {
        let take = |to: &mut Option<Box<str>>, from: Option<&str>| {
            if let Some(text) = from {
                *to = Some(text).filter(|text| !text.is_empty()).map(Into::into);
            }
        };
        take(&mut self.account, who.account.as_deref());
        take(&mut self.handle, who.handle.as_deref());
        take(&mut self.away, who.away.as_deref());
        self.bot = who.bot.unwrap_or(self.bot);
        self.operator = who.operator.unwrap_or(self.operator);
    }
}

/// By what a person is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// A services account, `user@host`, or an earlier nickname.
    Known(&'a str),
    /// His nickname.
    Nick(&'a str),
}

impl Source<'_> {
    /// What serves best of what is known besides the nickname.
    pub(crate) fn known(account: Option<&str>, handle: Option<&str>) -> Option<String> {
        let account = account.filter(|account| !account.is_empty());
        let handle = handle.filter(|handle| !handle.is_empty());
        match (account, handle) {
            (Some(account), _) => Some(format!("a:{account}")),
            (None, Some(handle)) => Some(format!("h:{handle}")),
            (None, None) => None,
        }
    }
}

#[derive(Debug)]
struct Slot {
    name: Arc<str>,
    holders: u32,
    /// He has been shown to somebody: by what he is known is fixed.
    shown: bool,
    about: Option<Box<About>>,
}

impl Slot {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            holders: 1,
            shown: false,
            about: None,
        }
    }

    fn fix_source(&mut self) {
        if std::mem::replace(&mut self.shown, true) {
            return;
        }
        if let Some(about) = &mut self.about
            && about.source.is_none()
        {
            let known = Source::known(about.account.as_deref(), about.handle.as_deref());
            about.source = known.map(Into::into);
        }
    }
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
                self.slots[number as usize] = Slot::new(Arc::clone(&name));
                number
            }
            None => {
                let number = u32::try_from(self.slots.len())
                    .ok()
                    .filter(|&n| n < CAPACITY)?;
                self.slots.push(Slot::new(Arc::clone(&name)));
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
            slot.about = None;
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

    /// Takes what has become known of a person whose name somebody holds.
    pub(crate) fn learn(&mut self, who: &Who<'_>) {
        let nothing = who.account.is_none()
            && who.handle.is_none()
            && who.away.is_none()
            && who.bot.is_none()
            && who.operator.is_none();
        if nothing {
            return;
        }
        let Some(&number) = self.numbers.get(who.nick.as_ref()) else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.about.get_or_insert_default().learn(who);
        }
    }

    /// Takes how a person looks whose name somebody holds.
    pub(crate) fn depict(&mut self, nick: &str, portrait: Portrait) {
        if let Some(&number) = self.numbers.get(nick)
            && let Some(slot) = self.slots.get_mut(number as usize)
        {
            slot.about.get_or_insert_default().portrait = portrait;
        }
    }

    /// What is known of the person behind a number that is held.
    pub(crate) fn about(&self, id: NickId) -> Option<&About> {
        self.slots.get(id.0 as usize)?.about.as_deref()
    }

    /// By what the person behind a number that is held is known; the same from now on.
    pub(crate) fn source(&mut self, id: NickId) -> Source<'_> {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else {
            return Source::Nick("");
        };
        slot.fix_source();
        match slot
            .about
            .as_ref()
            .and_then(|about| about.source.as_deref())
        {
            Some(source) => Source::Known(source),
            None => Source::Nick(&slot.name),
        }
    }

    /// A person has another nickname: he is who he was.
    pub(crate) fn inherit(&mut self, from: NickId, to: NickId) {
        let source = match self.source(from) {
            Source::Known(source) => source.to_owned(),
            Source::Nick(nick) => format!("n:{}", nick.to_ascii_lowercase()),
        };
        let about = self.about(from).cloned().unwrap_or_default();
        if let Some(slot) = self.slots.get_mut(to.0 as usize) {
            let source = Some(source.into());
            slot.about = Some(Box::new(About { source, ..about }));
            slot.shown = true;
        }
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
    fn a_person_stays_who_he_was_when_first_shown() {
        let names = Names::default();
        let mut table = names.lock();
        let a = table.hold("Alice").expect("room");
        assert_eq!(table.source(a), Source::Nick("Alice"));
        let who = Who {
            account: Some("alice".into()),
            ..Who::nick("Alice")
        };
        table.learn(&who);
        assert_eq!(table.source(a), Source::Nick("Alice"), "shown before");
        let b = table.hold("alice_away").expect("room");
        table.inherit(a, b);
        assert_eq!(table.source(b), Source::Known("n:alice"));
        assert_eq!(
            table.about(b).and_then(|it| it.account.as_deref()),
            Some("alice")
        );
        let c = table.hold("carol").expect("room");
        table.learn(&Who {
            handle: Some("c@host".into()),
            ..Who::nick("carol")
        });
        assert_eq!(table.source(c), Source::Known("h:c@host"));
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
