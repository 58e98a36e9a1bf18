//! Whether a message from a carrier is a new one or one that came before.
//!
//! Short messages bear no id. A carrier sends one again when it was told to, or when the
//! connection broke before it had read the answer; a person who writes "ok" twice sends two. So a
//! message is the same as an earlier one if that was refused for now, or came over an earlier
//! bind that ended before or soon after the answer, and comes soon over the next one.
//!
//! Of what may still come again there are records that can be kept over a restart, which is an end
//! of the bind as well.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long before the end of a bind an answer may have been lost.
const DOUBT: Duration = Duration::from_secs(60);
/// How long after a new bind what came over an earlier one may come again.
const SOON: Duration = Duration::from_secs(600);
/// Messages remembered, at most.
const MOST: usize = 10_000;
/// Over how many values records are spread.
pub const BUCKETS: u64 = 64;
/// Records of one value, at most.
const MOST_RECORDS: usize = 256;

/// What makes two messages look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// From.
    pub source: String,
    /// To.
    pub destination: String,
    /// The reference of a message in several parts.
    pub reference: Option<u16>,
    /// The text.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// None yet.
    Open,
    /// Taken, at this time.
    Taken(Instant),
    /// To be sent again.
    Again,
}

/// A message that may come again after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    hash: u64,
    key: String,
}

/// Records of one value, with the value's number.
pub type Bucket = (u64, Vec<Record>);

#[derive(Debug)]
struct Seen {
    key: String,
    bind: u64,
    answer: Answer,
}

/// What came before, of one carrier.
#[derive(Debug)]
pub struct Repeats {
    /// Different in every run, so that keys of different runs never meet.
    run: u64,
    count: u64,
    seen: HashMap<u64, Seen>,
    order: VecDeque<u64>,
    /// When the bind before the present one ended.
    ended: Option<Instant>,
    /// The present bind, and when it was first heard of.
    present: Option<(u64, Instant)>,
    /// What is in the records.
    recorded: BTreeMap<u64, Vec<u64>>,
    changed: BTreeSet<u64>,
}

impl Repeats {
    /// Nothing came before.
    pub fn new(run: u64) -> Self {
        Self {
            run,
            count: 0,
            seen: HashMap::new(),
            order: VecDeque::new(),
            ended: None,
            present: None,
            recorded: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// What an earlier run has recorded. Binds are counted from 1.
    pub fn restore(&mut self, records: Vec<Record>, now: Instant) {
        self.ended = Some(now);
        for record in records {
            let seen = Seen {
                key: record.key,
                bind: 0,
                answer: Answer::Taken(now),
            };
            self.insert(record.hash, seen);
        }
        self.changed.clear();
    }

    /// The records that have changed since they were asked for.
    pub fn changed(&mut self, now: Instant) -> Vec<Bucket> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|at| self.bucket(at, now)).collect()
    }

    /// The records from which something can go.
    pub fn past(&mut self, now: Instant) -> Vec<Bucket> {
        let before: Vec<(u64, usize)> =
            self.recorded.iter().map(|it| (*it.0, it.1.len())).collect();
        let all = before
            .into_iter()
            .map(|(at, len)| (len, self.bucket(at, now)));
        let less = all.filter(|(len, (_, records))| records.len() < *len);
        less.map(|(_, bucket)| bucket).collect()
    }

    /// Whether anything is in the records.
    pub fn is_recorded(&self) -> bool {
        !self.recorded.is_empty()
    }

    fn bucket(&mut self, at: u64, now: Instant) -> Bucket {
        let mut hashes = self.recorded.remove(&at).unwrap_or_default();
        hashes.retain(|hash| {
            self.seen.get(hash).is_some_and(|seen| match seen.answer {
                Answer::Open | Answer::Again => true,
                Answer::Taken(at) => now.saturating_duration_since(at) < DOUBT,
            })
        });
        let surplus = hashes.len().saturating_sub(MOST_RECORDS);
        hashes.drain(..surplus);
        let record = |hash: &u64| {
            let key = self.seen.get(hash)?.key.clone();
            Some(Record { hash: *hash, key })
        };
        let records = hashes.iter().filter_map(record).collect();
        if !hashes.is_empty() {
            self.recorded.insert(at, hashes);
        }
        (at, records)
    }

    fn insert(&mut self, hash: u64, seen: Seen) {
        let bucket = hash % BUCKETS;
        let recorded = self.recorded.entry(bucket).or_default();
        recorded.retain(|other| *other != hash);
        recorded.push(hash);
        self.changed.insert(bucket);
        if self.seen.insert(hash, seen).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// A bind ended.
    pub fn ended(&mut self, now: Instant) {
        self.ended = Some(now);
    }

    /// The key of a message that came over the bind of this number, or `None` if that was in an
    /// earlier run: that of the earlier message it repeats, or a new one.
    pub fn key(&mut self, looks: &Looks, bind: impl Into<Option<u64>>, now: Instant) -> String {
        let hash = hash(looks);
        let bind = bind.into();
        let soon = bind.is_none_or(|bind| {
            let (_, since) = *match &mut self.present {
                Some(present) if present.0 == bind => present,
                present => present.insert((bind, now)),
            };
            now.saturating_duration_since(since) < SOON
        });
        if let Some(seen) = self.seen.get_mut(&hash) {
            let other = bind != Some(seen.bind);
            let again = match seen.answer {
                Answer::Again => true,
                Answer::Open => other,
                Answer::Taken(at) => {
                    let doubtful = |ended: Instant| ended.saturating_duration_since(at) < DOUBT;
                    soon && other && self.ended.is_some_and(doubtful)
                }
            };
            if again {
                (seen.bind, seen.answer) = (bind.unwrap_or(0), Answer::Open);
                return seen.key.clone();
            }
        }
        self.count += 1;
        let key = format!("{hash:016x}-{:x}-{:x}", self.run, self.count);
        let seen = Seen {
            key: key.clone(),
            bind: bind.unwrap_or(0),
            answer: Answer::Open,
        };
        self.insert(hash, seen);
        key
    }

    /// A message was answered: taken, or to be sent again.
    pub fn answered(&mut self, looks: &Looks, taken: bool, now: Instant) {
        if let Some(seen) = self.seen.get_mut(&hash(looks)) {
            seen.answer = if taken {
                Answer::Taken(now)
            } else {
                Answer::Again
            };
        }
    }
}

fn hash(looks: &Looks) -> u64 {
    let reference = looks.reference.map(u16::to_be_bytes);
    fingerprint(&[
        looks.source.as_bytes(),
        looks.destination.as_bytes(),
        reference.as_ref().map_or(&[], |bytes| &bytes[..]),
        looks.text.as_bytes(),
    ])
}

/// A hash (FNV-1a) that is the same in every run and build.
pub fn fingerprint(fields: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for field in fields {
        field.iter().copied().for_each(&mut eat);
        // No field runs into the next.
        field.len().to_be_bytes().into_iter().for_each(&mut eat);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(text: &str) -> Looks {
        Looks {
            source: "+15551230000".into(),
            destination: "+15557654321".into(),
            reference: None,
            text: text.into(),
        }
    }

    #[test]
    fn the_same_words_twice_are_two_messages() {
        let now = Instant::now();
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1, now);
        let pending = repeats.key(&looks("ok"), 1, now);
        assert_ne!(first, pending);
        repeats.answered(&looks("ok"), true, now);
        assert_ne!(repeats.key(&looks("ok"), 1, now), pending);
    }

    #[test]
    fn what_was_refused_for_now_is_the_same_when_it_comes_again() {
        let now = Instant::now();
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1, now);
        repeats.answered(&looks("ok"), false, now);
        assert_eq!(repeats.key(&looks("ok"), 1, now), first);
    }

    #[test]
    fn an_answer_that_may_not_have_arrived_makes_the_next_the_same() {
        let start = Instant::now();
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1, start);
        repeats.answered(&looks("ok"), true, start);
        repeats.ended(start + Duration::from_secs(1));
        assert_eq!(repeats.key(&looks("ok"), 2, start), first);

        repeats.answered(&looks("ok"), true, start);
        repeats.ended(start + DOUBT);
        assert_ne!(repeats.key(&looks("ok"), 3, start), first);
    }

    #[test]
    fn another_run_has_other_keys() {
        let now = Instant::now();
        let key = |run| Repeats::new(run).key(&looks("ok"), 1, now);
        assert_ne!(key(1), key(2));
    }

    #[test]
    fn long_after_the_bind_the_same_words_are_new_ones() {
        let start = Instant::now();
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1, start);
        repeats.answered(&looks("ok"), true, start);
        repeats.ended(start);
        repeats.key(&looks("other"), 2, start);
        assert_ne!(repeats.key(&looks("ok"), 2, start + SOON), first);
    }

    #[test]
    fn a_restart_is_the_end_of_a_bind() {
        let start = Instant::now();
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1, start);
        let mut records = repeats.changed(start);
        assert!(repeats.changed(start).is_empty());
        repeats.answered(&looks("ok"), true, start);

        let mut next = Repeats::new(2);
        next.restore(records.remove(0).1, start);
        assert_eq!(next.key(&looks("ok"), 1, start), first);

        // A minute of the bind after the answer, and it is not recorded any more.
        assert!(repeats.past(start).is_empty() && repeats.is_recorded());
        let past = repeats.past(start + DOUBT);
        assert_eq!(past.len(), 1);
        assert!(past.iter().all(|(_, records)| records.is_empty()));
        assert!(!repeats.is_recorded());
    }
}
