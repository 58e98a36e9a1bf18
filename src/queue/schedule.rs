//! When which message is handed out: lanes, windows, retries, and what of it is in memory. Pure;
//! times are arguments.
//!
//! Within a lane messages are handed out in the order they were taken, at most `window` at a time.
//! One that is tried again waits for its own time and lets the others pass: a recipient that
//! cannot be reached must not stop a carrier's line. Lanes take turns.
//!
//! Everything that waits is on disk; in memory is the front of each lane, as far as there is room:
//!
//! ```text
//!                    ┌──▶ ready ──lease──▶ handed out        front known, due, and a place free
//!   unlisted ──▶ lane├──▶ wanting ──read──▶ (again)          front on disk: a page is read
//!    (swept)         ├──▶ later                              front not due yet
//!                    └──▶ full                               no place free
//! ```
//!
//! No step looks at more than one lane, except to make room, which is paid for by what it frees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::store::jobs::{LanePage, Lanes, Sweep, Waits};

/// How much is known at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Messages handed out at a time, per lane, where nothing else is said of it.
    pub(super) window: usize,
    /// Messages, those that are handed out among them.
    pub(super) known: usize,
    /// Lanes.
    pub(super) lanes: usize,
    /// Messages of one lane that are read at a time.
    pub(super) page: usize,
    /// Messages that are read at a time.
    pub(super) read: usize,
    /// Lanes that are looked at in one reading.
    pub(super) sweep: usize,
}

impl Bounds {
    /// What programs use, with that window.
    pub(super) fn new(window: usize) -> Self {
        Self {
            window,
            known: 20_000,
            lanes: 20_000,
            page: 64,
            read: 4_096,
            sweep: 256,
        }
    }
}

/// Messages of one lane handed out at a time, whatever is asked for.
const WIDEST: usize = 1_024;
/// Lanes tried at a time for one that can be left to the disk.
const TRIES: usize = 64;

/// What is to be read from disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Lanes that are not in memory; ends in [`Schedule::listed`].
    Lanes(Sweep),
    /// The fronts of these lanes, that many; ends in [`Schedule::read`] or [`Schedule::unread`].
    Fronts(Vec<(String, usize)>),
}

/// Due time and number: those due first are oldest first.
type Key = (i64, u64);

/// How many messages of a lane are handed out at a time; `None`: as many as of any lane.
pub type Windows = Box<dyn Fn(&str) -> Option<usize> + Send + Sync>;

/// Messages known to be waiting, by lane.
pub(super) struct Schedule {
    bounds: Bounds,
    windows: Windows,
    lanes: HashMap<Arc<str>, Lane>,
    known: HashMap<u64, Entry>,
    ready: BTreeMap<u64, Arc<str>>,
    wanting: BTreeMap<u64, Arc<str>>,
    later: BTreeSet<(i64, Arc<str>)>,
    full: BTreeSet<Arc<str>>,
    /// Turns given so far.
    turns: u64,
    /// The time as it was last told.
    clock: i64,
    /// Where the sweep over all lanes on disk is, while there is one.
    sweep: Option<String>,
    /// When the first of the lanes that are not in memory is due; the highest number: there are
    /// none, except those the sweep has not come to.
    unlisted: i64,
    /// Lanes looked at, for tests that count work.
    pub(super) steps: u64,
}

#[derive(Debug, Default)]
struct Lane {
    window: usize,
    waiting: BTreeSet<Key>,
    leased: usize,
    /// There may be more on disk, none of it before this.
    more: Option<Key>,
    /// Its front is being read: nothing is handed out meanwhile.
    reading: bool,
    place: Place,
}

/// In which of the sets a lane is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Nowhere,
    Ready(u64),
    Wanting(u64),
    Later(i64),
    Full,
}

#[derive(Debug)]
struct Entry {
    lane: Arc<str>,
    due: i64,
    leased: bool,
}

impl Lane {
    /// What comes first, and whether it is to be read from disk.
    fn front(&self) -> Option<(Key, bool)> {
        match (self.waiting.first().copied(), self.more) {
            (Some(head), Some(more)) if more < head => Some((more, true)),
            (Some(head), _) => Some((head, false)),
            (None, more) => more.map(|more| (more, true)),
        }
    }

    /// Whether leaving it to the disk frees anything.
    fn gives(&self) -> bool {
        !self.reading && (self.leased == 0 || !self.waiting.is_empty())
    }

    fn leave_on_disk(&mut self, key: Key) {
        self.more = Some(self.more.map_or(key, |more| more.min(key)));
    }
}

impl Schedule {
    /// Nothing is known yet, whatever is on disk.
    pub(super) fn new(bounds: Bounds, windows: Windows) -> Self {
        Self {
            bounds,
            windows,
            lanes: HashMap::new(),
            known: HashMap::new(),
            ready: BTreeMap::new(),
            wanting: BTreeMap::new(),
            later: BTreeSet::new(),
            full: BTreeSet::new(),
            turns: 0,
            clock: i64::MIN,
            sweep: Some(String::new()),
            unlisted: i64::MAX,
            steps: 0,
        }
    }

    /// How many messages it knows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many lanes it knows.
    #[cfg(test)]
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// A message is on disk and waits from `due` on.
    pub(super) fn add(&mut self, id: u64, lane: &str, due: i64) {
        if self.known.contains_key(&id) {
            return;
        }
        let (key, room) = ((due, id), self.known.len() < self.bounds.known);
        let name = match self.lanes.get_key_value(lane) {
            Some((name, _)) => Arc::clone(name),
            None if !room || self.lanes.len() >= self.bounds.lanes => {
                self.unlisted = self.unlisted.min(due);
                return;
            }
            None => {
                let name: Arc<str> = lane.into();
                let mut new = self.lane(lane);
                if self.has_unlisted() {
                    // Older ones of this lane may be on disk: they come first.
                    new.more = Some((i64::MIN, 0));
                }
                self.lanes.insert(Arc::clone(&name), new);
                name
            }
        };
        let most = self.most_in_lane();
        let Some(lane) = self.lanes.get_mut(&name) else {
            return;
        };
        let behind = lane.more.is_some_and(|more| more < key);
        if behind || !room || lane.waiting.len() >= most {
            lane.leave_on_disk(key);
        } else {
            self.insert(&name, key);
        }
        self.settle(&name);
    }

    /// The next message to hand out, if one is due and its lane has a place.
    pub(super) fn lease(&mut self, now: i64) -> Option<u64> {
        self.tell_time(now);
        let (_, name) = self.ready.pop_first()?;
        let lane = self.lanes.get_mut(&name)?;
        lane.place = Place::Nowhere;
        let (_, id) = lane.waiting.pop_first()?;
        lane.leased += 1;
        self.known.get_mut(&id)?.leased = true;
        self.settle(&name);
        Some(id)
    }

    /// A leased message waits again.
    pub(super) fn again(&mut self, id: u64, due: i64) {
        let most = self.most_in_lane();
        let Some(entry) = self.known.get_mut(&id) else {
            return;
        };
        let name = Arc::clone(&entry.lane);
        let Some(lane) = self.lanes.get_mut(&name) else {
            return;
        };
        if std::mem::replace(&mut entry.leased, false) {
            lane.leased -= 1;
        } else {
            lane.waiting.remove(&(entry.due, id));
        }
        entry.due = due;
        lane.waiting.insert((due, id));
        if lane.waiting.len() > most
            && !lane.reading
            && let Some(last) = lane.waiting.pop_last()
        {
            lane.leave_on_disk(last);
            self.known.remove(&last.1);
        }
        self.settle(&name);
    }

    /// A message needs no more handing out.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(entry) = self.known.remove(&id) else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&entry.lane) {
            if entry.leased {
                lane.leased -= 1;
            } else {
                lane.waiting.remove(&(entry.due, id));
            }
        }
        self.settle(&entry.lane);
    }

    /// When there is something to do next that nobody calls for: to hand out, or to read.
    pub(super) fn deadline(&mut self) -> Option<i64> {
        let later = self.later.first().map(|&(due, _)| due);
        if !self.ready.is_empty() {
            return Some(self.clock);
        }
        // Without room, whoever makes some will call.
        let reads = self.has_unlisted() || !self.wanting.is_empty();
        if !reads || !self.has_room() {
            return later;
        }
        let read = match self.sweep.is_some() || !self.wanting.is_empty() {
            true => self.clock,
            false => self.unlisted,
        };
        Some(later.map_or(read, |later| later.min(read)))
    }

    /// What is to be read now: lanes that are not in memory, if `sweep`, else fronts of those that
    /// are.
    pub(super) fn wants(&mut self, now: i64, sweep: bool) -> Option<Wanted> {
        self.tell_time(now);
        if sweep {
            if self.sweep.is_none() && self.unlisted <= now && self.has_room() {
                self.sweep = Some(String::new());
                self.unlisted = i64::MAX;
            }
            let from = self.sweep.clone()?;
            return self.has_room().then_some(Wanted::Lanes(Sweep {
                from,
                now,
                lanes: self.bounds.sweep,
                page: self.bounds.page,
                most: self.bounds.read,
            }));
        }
        if self.wanting.is_empty() || !self.has_room() {
            return None;
        }
        let mut fronts = Vec::new();
        let Bounds { read, page, .. } = self.bounds;
        // Few lanes have more each: a lane that waits alone does not read for every few.
        let most = (read / page).min(self.wanting.len()).max(1);
        let page = (read / most).clamp(page, 4 * page);
        for _ in 0..most {
            let Some((_, name)) = self.wanting.pop_first() else {
                break;
            };
            let Some(lane) = self.lanes.get_mut(&name) else {
                continue;
            };
            lane.place = Place::Nowhere;
            lane.reading = true;
            lane.more = None;
            // Those that are known are found there once more.
            let known = lane.waiting.len() + lane.leased;
            fronts.push((name.to_string(), known + page));
        }
        (!fronts.is_empty()).then_some(Wanted::Fronts(fronts))
    }

    /// A part of the lanes on disk has been looked at.
    pub(super) fn listed(&mut self, found: Lanes) {
        for page in found.due {
            // Of a lane that is known, what is not known is known to be there.
            if self.lanes.contains_key(page.lane.as_str()) {
                continue;
            }
            let name: Arc<str> = page.lane.as_str().into();
            let lane = self.lane(&name);
            self.lanes.insert(Arc::clone(&name), lane);
            self.take_in(&name, page);
        }
        self.unlisted = self.unlisted.min(found.later.unwrap_or(i64::MAX));
        self.sweep = found.next;
    }

    /// The fronts of lanes have been read.
    pub(super) fn read(&mut self, pages: Vec<LanePage>) {
        for page in pages {
            if let Some((name, _)) = self.lanes.get_key_value(page.lane.as_str()) {
                let name = Arc::clone(name);
                self.take_in(&name, page);
            }
        }
    }

    /// The fronts of these lanes could not be read.
    pub(super) fn unread(&mut self, fronts: Vec<(String, usize)>) {
        for (lane, _) in fronts {
            let Some((name, _)) = self.lanes.get_key_value(lane.as_str()) else {
                continue;
            };
            let name = Arc::clone(name);
            if let Some(lane) = self.lanes.get_mut(&name) {
                lane.reading = false;
                lane.leave_on_disk((i64::MIN, 0));
            }
            self.settle(&name);
        }
    }

    fn take_in(&mut self, name: &Arc<str>, page: LanePage) {
        for &Waits { id, due } in &page.waits {
            if !self.known.contains_key(&id) {
                self.insert(name, (due, id));
            }
        }
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.reading = false;
            if page.more
                && let Some(last) = page.waits.last()
            {
                lane.leave_on_disk((last.due, last.id));
            }
        }
        self.settle(name);
    }

    fn insert(&mut self, name: &Arc<str>, key: Key) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.waiting.insert(key);
            let entry = Entry {
                lane: Arc::clone(name),
                due: key.0,
                leased: false,
            };
            self.known.insert(key.1, entry);
        }
    }

    /// A lane of which nothing is known yet.
    fn lane(&self, name: &str) -> Lane {
        let window = (self.windows)(name).unwrap_or(self.bounds.window);
        Lane {
            window: window.clamp(1, WIDEST),
            ..Lane::default()
        }
    }

    fn most_in_lane(&self) -> usize {
        4 * self.bounds.page
    }

    fn has_unlisted(&self) -> bool {
        self.sweep.is_some() || self.unlisted < i64::MAX
    }

    /// Lanes whose time has come get their turns.
    fn tell_time(&mut self, now: i64) {
        self.clock = now;
        while let Some((due, name)) = self.later.first()
            && *due <= now
        {
            let name = Arc::clone(name);
            self.settle(&name);
        }
    }

    /// Puts a lane where it belongs. One that stays where it was keeps its turn.
    fn settle(&mut self, name: &Arc<str>) {
        self.steps += 1;
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        let has_place = lane.leased < lane.window;
        let turn = self.turns;
        let place = match (lane.front(), lane.place) {
            _ if lane.reading => Place::Nowhere,
            (None, _) => Place::Nowhere,
            (Some(_), _) if !has_place => match lane.waiting.is_empty() {
                true => Place::Nowhere,
                false => Place::Full,
            },
            (Some(((due, _), _)), _) if due > self.clock => Place::Later(due),
            (Some((_, false)), Place::Ready(turn)) => Place::Ready(turn),
            (Some((_, true)), Place::Wanting(turn)) => Place::Wanting(turn),
            (Some((_, false)), _) => Place::Ready(turn),
            (Some((_, true)), _) => Place::Wanting(turn),
        };
        let is_over = lane.leased == 0 && lane.front().is_none() && !lane.reading;
        if matches!(place, Place::Wanting(_)) {
            // What is read holds these too: none of them may keep the room that reading needs.
            for (_, id) in std::mem::take(&mut lane.waiting) {
                self.known.remove(&id);
            }
        }
        let before = std::mem::replace(&mut lane.place, place);
        if before != place {
            self.turns += 1;
            self.unplace(before, name);
            match place {
                Place::Nowhere => {}
                Place::Ready(turn) => drop(self.ready.insert(turn, Arc::clone(name))),
                Place::Wanting(turn) => drop(self.wanting.insert(turn, Arc::clone(name))),
                Place::Later(due) => drop(self.later.insert((due, Arc::clone(name)))),
                Place::Full => drop(self.full.insert(Arc::clone(name))),
            }
        }
        if is_over {
            self.lanes.remove(name);
        }
    }

    fn unplace(&mut self, place: Place, name: &Arc<str>) {
        match place {
            Place::Nowhere => {}
            Place::Ready(turn) => drop(self.ready.remove(&turn)),
            Place::Wanting(turn) => drop(self.wanting.remove(&turn)),
            Place::Later(due) => drop(self.later.remove(&(due, Arc::clone(name)))),
            Place::Full => drop(self.full.remove(name)),
        }
    }

    /// Makes room for what is read next: what is due last, or has no place free, is left to the
    /// disk. False if there is none to be had.
    fn has_room(&mut self) -> bool {
        let fits = |this: &Self| {
            this.known.len() + this.bounds.read <= this.bounds.known
                && this.lanes.len() + this.bounds.sweep <= this.bounds.lanes
        };
        while !fits(self) {
            let crowded = self.lanes.len() + self.bounds.sweep > self.bounds.lanes;
            let mut last = self.later.iter().rev().take(TRIES).map(|(_, name)| name);
            let last = last.find(|name| self.lanes.get(*name).is_some_and(Lane::gives));
            let last = last.cloned();
            let wanting = self.wanting.last_key_value().filter(|_| crowded);
            let wanting = wanting.map(|(_, name)| Arc::clone(name));
            let full = self.full.first().filter(|_| !crowded).cloned();
            let gave = [full, last, wanting].into_iter().flatten();
            if !gave.into_iter().any(|name| self.forget(&name)) {
                return false;
            }
        }
        true
    }

    /// Leaves what waits in a lane to the disk. False if that frees nothing.
    fn forget(&mut self, name: &Arc<str>) -> bool {
        self.steps += 1;
        let Some(lane) = self.lanes.get_mut(name) else {
            return false;
        };
        let Some((front, _)) = lane.front() else {
            return false;
        };
        if !lane.gives() {
            return false;
        }
        for (_, id) in std::mem::take(&mut lane.waiting) {
            self.known.remove(&id);
        }
        if lane.leased > 0 {
            lane.leave_on_disk(front);
            self.settle(name);
            return true;
        }
        let place = lane.place;
        self.unplace(place, name);
        self.lanes.remove(name);
        self.unlisted = self.unlisted.min(front.0);
        true
    }
}
