//! When which message is handed out: lanes, windows, retries. Pure; times are arguments.
//!
//! Within a lane messages are handed out in the order they were taken, at most `window` at a time.
//! One that is tried again waits for its own time and lets the others pass: a recipient that
//! cannot be reached must not stop a carrier's line.

use std::collections::{BTreeSet, HashMap};

/// Messages known to be waiting, by lane.
#[derive(Debug)]
pub(super) struct Schedule {
    window: usize,
    lanes: HashMap<String, Lane>,
    known: HashMap<u64, Entry>,
}

#[derive(Debug, Default)]
struct Lane {
    /// Due time and number: those due first are oldest first.
    waiting: BTreeSet<(i64, u64)>,
    leased: usize,
}

#[derive(Debug)]
struct Entry {
    lane: String,
    due: i64,
    leased: bool,
}

impl Schedule {
    /// Nothing waits yet; a lane hands out `window` at a time.
    pub(super) fn new(window: usize) -> Self {
        Self {
            window,
            lanes: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// How many messages it knows.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// A message waits from `due` on.
    pub(super) fn add(&mut self, id: u64, lane: &str, due: i64) {
        if self.known.contains_key(&id) {
            return;
        }
        self.lanes
            .entry(lane.to_owned())
            .or_default()
            .waiting
            .insert((due, id));
        self.known.insert(
            id,
            Entry {
                lane: lane.to_owned(),
                due,
                leased: false,
            },
        );
    }

    /// The next message to hand out, if one is due and its lane has a place.
    pub(super) fn lease(&mut self, now: i64) -> Option<u64> {
        let window = self.window;
        let (due, id) = self
            .lanes
            .values()
            .filter(|lane| lane.leased < window)
            .filter_map(|lane| lane.waiting.first().copied())
            .filter(|&(due, _)| due <= now)
            .min()?;
        let entry = self.known.get_mut(&id)?;
        entry.leased = true;
        let lane = self.lanes.get_mut(&entry.lane)?;
        lane.waiting.remove(&(due, id));
        lane.leased += 1;
        Some(id)
    }

    /// A leased message waits again.
    pub(super) fn again(&mut self, id: u64, due: i64) {
        let Some(entry) = self.known.get_mut(&id) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&entry.lane) else {
            return;
        };
        if std::mem::replace(&mut entry.leased, false) {
            lane.leased -= 1;
        } else {
            lane.waiting.remove(&(entry.due, id));
        }
        entry.due = due;
        lane.waiting.insert((due, id));
    }

    /// A message needs no more handing out.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(entry) = self.known.remove(&id) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&entry.lane) else {
            return;
        };
        if entry.leased {
            lane.leased -= 1;
        } else {
            lane.waiting.remove(&(entry.due, id));
        }
        if lane.leased == 0 && lane.waiting.is_empty() {
            self.lanes.remove(&entry.lane);
        }
    }

    /// When `lease` has something next, as far as lanes with a place go.
    pub(super) fn deadline(&self) -> Option<i64> {
        self.lanes
            .values()
            .filter(|lane| lane.leased < self.window)
            .filter_map(|lane| lane.waiting.first().map(|&(due, _)| due))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_hands_out_in_order_and_no_more_than_its_window() {
        let mut schedule = Schedule::new(2);
        for id in [1, 2, 3] {
            schedule.add(id, "a", 0);
        }
        schedule.add(4, "b", 0);
        let leased: Vec<_> = std::iter::from_fn(|| schedule.lease(0)).collect();
        assert_eq!(leased, [1, 2, 4], "three waits for a place in its lane");
        assert_eq!(schedule.deadline(), None);
        schedule.remove(1);
        assert_eq!(schedule.lease(0), Some(3));
    }

    #[test]
    fn one_that_is_tried_again_lets_others_pass() {
        let mut schedule = Schedule::new(1);
        schedule.add(1, "a", 0);
        schedule.add(2, "a", 0);
        assert_eq!(schedule.lease(0), Some(1));
        schedule.again(1, 100);
        assert_eq!(schedule.lease(0), Some(2));
        schedule.remove(2);
        assert_eq!(schedule.lease(99), None);
        assert_eq!(schedule.deadline(), Some(100));
        assert_eq!(schedule.lease(100), Some(1));
        schedule.remove(1);
        assert_eq!((schedule.len(), schedule.lanes.len()), (0, 0));
    }
}
