//! Whether a message from a carrier is a new one or one that came before.
//!
//! Short messages bear no id. A carrier sends one again when it was told to, or when the
//! connection broke before it had read the answer; a person who writes "ok" twice sends two. So a
//! message is the same as an earlier one if that was refused for now, or came over an earlier
//! bind that ended before or soon after the answer.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// How long before the end of a bind an answer may have been lost.
const DOUBT: Duration = Duration::from_secs(60);
/// Messages remembered, at most.
const MOST: usize = 10_000;

/// What makes two messages look alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
        }
    }

    /// A bind ended.
    pub fn ended(&mut self, now: Instant) {
        self.ended = Some(now);
    }

    /// The key of a message that came over the bind of this number: that of the earlier message
    /// it repeats, or a new one.
    pub fn key(&mut self, looks: &Looks, bind: u64) -> String {
        let hash = hash(looks);
        if let Some(seen) = self.seen.get_mut(&hash) {
            let again = match seen.answer {
                Answer::Again => true,
                Answer::Open => seen.bind != bind,
                Answer::Taken(at) => {
                    let doubtful = |ended: Instant| ended.saturating_duration_since(at) < DOUBT;
                    seen.bind != bind && self.ended.is_some_and(doubtful)
                }
            };
            if again {
                (seen.bind, seen.answer) = (bind, Answer::Open);
                return seen.key.clone();
            }
        }
        self.count += 1;
        let key = format!("{hash:016x}-{:x}-{:x}", self.run, self.count);
        let seen = Seen {
            key: key.clone(),
            bind,
            answer: Answer::Open,
        };
        if self.seen.insert(hash, seen).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
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

/// The same in every run of one build.
fn hash(looks: &Looks) -> u64 {
    let mut hasher = DefaultHasher::new();
    looks.hash(&mut hasher);
    hasher.finish()
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
        let first = repeats.key(&looks("ok"), 1);
        let pending = repeats.key(&looks("ok"), 1);
        assert_ne!(first, pending);
        repeats.answered(&looks("ok"), true, now);
        assert_ne!(repeats.key(&looks("ok"), 1), pending);
    }

    #[test]
    fn what_was_refused_for_now_is_the_same_when_it_comes_again() {
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1);
        repeats.answered(&looks("ok"), false, Instant::now());
        assert_eq!(repeats.key(&looks("ok"), 1), first);
    }

    #[test]
    fn an_answer_that_may_not_have_arrived_makes_the_next_the_same() {
        let start = Instant::now();
        let mut repeats = Repeats::new(1);
        let first = repeats.key(&looks("ok"), 1);
        repeats.answered(&looks("ok"), true, start);
        repeats.ended(start + Duration::from_secs(1));
        assert_eq!(repeats.key(&looks("ok"), 2), first);

        repeats.answered(&looks("ok"), true, start);
        repeats.ended(start + DOUBT);
        assert_ne!(repeats.key(&looks("ok"), 3), first);
    }

    #[test]
    fn another_run_has_other_keys() {
        let key = |run| Repeats::new(run).key(&looks("ok"), 1);
        assert_ne!(key(1), key(2));
    }
}
