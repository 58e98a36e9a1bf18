//! Lanes, windows, retries and memory, against a disk that is a set.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::schedule::{Bounds, Schedule, Wanted};
use super::disk::{self, Waiting};

/// A schedule, and the disk it is the front of.
struct Scene {
    schedule: Schedule,
    disk: Waiting,
    lanes: BTreeMap<u64, (String, i64)>,
    last: u64,
}

impl Scene {
    fn new(bounds: Bounds) -> Self {
        Self {
            schedule: Schedule::new(bounds, Box::new(|_| None)),
            disk: Waiting::new(),
            lanes: BTreeMap::new(),
            last: 0,
        }
    }

    /// A schedule that has seen that the disk is empty.
    fn empty(window: usize) -> Self {
        let mut scene = Self::new(Bounds::new(window));
        scene.read(0);
        scene
    }

    fn keep(&mut self, lane: &str, due: i64) -> u64 {
        self.last += 1;
        self.disk.insert((lane.to_owned(), due, self.last));
        self.lanes.insert(self.last, (lane.to_owned(), due));
        self.last
    }

    fn add(&mut self, lane: &str, due: i64) -> u64 {
        let id = self.keep(lane, due);
        self.schedule.add(id, lane, due);
        id
    }

    fn again(&mut self, id: u64, due: i64) {
        let (lane, before) = self.lanes.remove(&id).expect("on disk");
        self.disk.remove(&(lane.clone(), before, id));
        self.disk.insert((lane.clone(), due, id));
        self.lanes.insert(id, (lane, due));
        self.schedule.again(id, due);
    }

    fn done(&mut self, id: u64) {
        let (lane, due) = self.lanes.remove(&id).expect("on disk");
        self.disk.remove(&(lane, due, id));
        self.schedule.remove(id);
    }

    /// Reads all there is room for.
    fn read(&mut self, now: i64) {
        loop {
            let mut any = false;
            for sweep in [true, false] {
                match self.schedule.wants(now, sweep) {
                    Some(Wanted::Lanes(sweep)) => {
                        self.schedule.listed(disk::sweep(&self.disk, &sweep));
                    }
                    Some(Wanted::Fronts(fronts)) => {
                        self.schedule.read(disk::fronts(&self.disk, &fronts));
                    }
                    None => continue,
                }
                any = true;
            }
            if !any {
                return;
            }
        }
    }

    fn lease_all(&mut self, now: i64) -> Vec<u64> {
        std::iter::from_fn(|| self.schedule.lease(now)).collect()
    }
}

#[test]
fn a_lane_hands_out_in_order_and_no_more_than_its_window_and_lanes_take_turns() {
    let mut scene = Scene::empty(2);
    for lane in ["a", "a", "a", "b"] {
        scene.add(lane, 0);
    }
    assert_eq!(
        scene.lease_all(0),
        [1, 4, 2],
        "three waits for a place in its lane"
    );
    assert_eq!(scene.schedule.deadline(), None);
    scene.done(1);
    assert_eq!(scene.lease_all(0), [3]);
}

#[test]
fn one_that_is_tried_again_lets_others_pass() {
    let mut scene = Scene::empty(1);
    scene.add("a", 0);
    scene.add("a", 0);
    assert_eq!(scene.lease_all(0), [1]);
    scene.again(1, 100);
    assert_eq!(scene.lease_all(0), [2]);
    scene.done(2);
    assert!(scene.lease_all(99).is_empty());
    assert_eq!(scene.schedule.deadline(), Some(100));
    assert_eq!(scene.lease_all(100), [1]);
    scene.done(1);
    assert_eq!((scene.schedule.len(), scene.schedule.lanes()), (0, 0));
}

/// Counts the lanes that are looked at: with ten times the lanes, ten times, not a hundred times.
#[test]
fn the_work_grows_with_the_messages_and_not_with_the_lanes() {
    let steps = |lanes: usize| {
        let mut scene = Scene::empty(32);
        for round in 0..2 {
            for lane in 0..lanes {
                scene.add(&format!("lane {lane}"), round);
            }
        }
        let before = scene.schedule.steps;
        let leased = scene.lease_all(1);
        assert_eq!(leased.len(), 2 * lanes);
        for (n, &id) in leased.iter().enumerate() {
            if n % 2 == 0 {
                scene.again(id, 50);
            } else {
                scene.done(id);
            }
        }
        scene.lease_all(50);
        (scene.schedule.steps - before) as usize / lanes
    };
    let (few, many) = (steps(500), steps(5_000));
    assert!(many <= few + 1, "{few} and {many} steps a lane");
    assert!(few < 16, "{few} steps a lane");
}

/// In one lane, in some, in as many lanes: what is in memory stays small, and all come out.
#[test]
fn a_hundred_thousand_that_wait_take_no_more_memory_than_twenty_thousand() {
    for lanes in [1, 400, 100_000] {
        let mut scene = Scene::new(Bounds::new(32));
        for n in 0..100_000 {
            scene.keep(&format!("{}", n % lanes), 0);
        }
        let mut left = scene.last;
        while left > 0 {
            scene.read(0);
            assert!(scene.schedule.len() <= 20_000 && scene.schedule.lanes() <= 20_000);
            let leased = scene.lease_all(0);
            assert!(!leased.is_empty(), "{left} of {lanes} lanes wait for ever");
            for id in leased {
                scene.done(id);
                left -= 1;
            }
        }
    }
}

/// As many lanes as there is room for hang, or wait for a later time: others go on.
#[test]
fn lanes_that_hang_or_wait_give_room_to_others() {
    let mut scene = Scene::new(Bounds::new(32));
    for n in 0..60_000 {
        scene.keep(&format!("hangs {}", n % 400), 0);
    }
    for n in 0..40_000 {
        scene.keep(&format!("later {n}"), 10_000);
    }
    let quick = scene.keep("quick", 0);
    let mut handed = BTreeSet::new();
    for _ in 0..100 {
        scene.read(0);
        handed.extend(scene.lease_all(0));
    }
    assert!(handed.contains(&quick));
    assert!(scene.schedule.len() <= 20_000);
    let new = scene.add("new", 0);
    scene.read(0);
    assert_eq!(scene.lease_all(0), [new]);
}

#[test]
fn a_lane_whose_network_takes_more_at_a_time_has_a_wider_window() {
    let mut scene = Scene::new(Bounds::new(2));
    let windows = |lane: &str| (lane == "wide").then_some(5);
    scene.schedule = Schedule::new(Bounds::new(2), Box::new(windows));
    // Lanes come to be known from the disk, and by what is added.
    for _ in 0..10 {
        scene.keep("wide", 0);
    }
    scene.read(0);
    for _ in 0..10 {
        scene.add("narrow", 0);
    }
    let handed = scene.lease_all(0);
    let wide = handed.iter().filter(|id| scene.lanes[id].0 == "wide");
    assert_eq!((wide.count(), handed.len()), (5, 7));
}

#[derive(Clone, Debug)]
enum Step {
    Keep(u8),
    Add(u8),
    Lease,
    Done(usize),
    Again(usize, u8),
    Read,
    Time(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..12u8).prop_map(Step::Add),
        1 => (0..12u8).prop_map(Step::Keep),
        4 => Just(Step::Lease),
        2 => any::<usize>().prop_map(Step::Done),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(n, due)| Step::Again(n, due)),
        2 => Just(Step::Read),
        1 => any::<u8>().prop_map(Step::Time),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// With hardly any memory: each message is handed out, once at a time, never before its time,
    /// in order within its lane, within the window.
    #[test]
    fn whatever_happens_nothing_is_lost_doubled_or_overtaken(
        steps in proptest::collection::vec(step(), 1..200),
        before in proptest::collection::vec(0..12u8, 0..60),
    ) {
        let bounds = Bounds { window: 3, known: 12, lanes: 8, page: 2, read: 4, sweep: 2 };
        let mut scene = Scene::new(bounds);
        let (mut now, mut leased) = (0, Vec::new());
        for lane in before {
            scene.keep(&lane.to_string(), 0);
        }
        for step in steps {
            match step {
                // Only before it is looked at: whoever keeps one says so.
                Step::Keep(lane) | Step::Add(lane) => drop(scene.add(&lane.to_string(), now)),
                Step::Read => scene.read(now),
                Step::Time(time) => now += i64::from(time),
                Step::Done(n) if !leased.is_empty() => {
                    scene.done(leased.swap_remove(n % leased.len()));
                }
                Step::Again(n, due) if !leased.is_empty() => {
                    scene.again(leased.swap_remove(n % leased.len()), now + i64::from(due));
                }
                Step::Lease => {
                    if let Some(id) = scene.schedule.lease(now) {
                        check(&scene, id, now, &leased)?;
                        leased.push(id);
                    }
                }
                Step::Done(_) | Step::Again(..) => {}
            }
            prop_assert!(scene.schedule.len() <= bounds.known + bounds.window);
        }
        for _ in 0..10_000 {
            leased.drain(..).for_each(|id| scene.done(id));
            scene.read(now);
            if scene.disk.is_empty() {
                break;
            }
            while let Some(id) = scene.schedule.lease(now) {
                check(&scene, id, now, &leased)?;
                leased.push(id);
            }
            if leased.is_empty() {
                // Nothing is forgotten: there is a time at which it goes on.
                let next = scene.schedule.deadline();
                prop_assert!(next.is_some_and(|next| next > now), "{next:?} at {now}");
                now = next.unwrap_or(now);
            }
        }
        prop_assert!(scene.disk.is_empty());
        prop_assert_eq!((scene.schedule.len(), scene.schedule.lanes()), (0, 0));
    }
}

fn check(scene: &Scene, id: u64, now: i64, leased: &[u64]) -> Result<(), TestCaseError> {
    let (lane, due) = &scene.lanes[&id];
    prop_assert!(!leased.contains(&id), "{id} is handed out twice");
    prop_assert!(*due <= now, "{id} comes too early");
    let mates = leased.iter().filter(|mate| scene.lanes[mate].0 == *lane);
    prop_assert!(mates.count() < 3, "{id} is beyond the window");
    let mut waiting = scene.disk.range((lane.clone(), i64::MIN, 0)..);
    let first = waiting.find(|(_, _, id)| !leased.contains(id));
    prop_assert_eq!(first.map(|&(_, _, id)| id), Some(id), "another comes first");
    Ok(())
}
