//! How long to wait before connecting again. Pure; chance is an argument.

use std::time::Duration;

/// The ladder from 1 s to 60 s, with jitter so that many components do not come back as one.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

/// How soon trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The fault is likely to pass.
    Soon,
    /// The server may take a while to notice that our former stream is dead.
    Later,
    /// Somebody has to change a configuration first.
    Slow,
}

impl Backoff {
    /// The wait before the next attempt; `chance` is evenly spread over `0.0..1.0`.
    pub(super) fn next(&mut self, pace: Pace, chance: f64) -> Duration {
        let ceiling = 2f64.powi(1 + self.attempts.min(5) as i32).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let (low, high) = match pace {
            Pace::Soon => (SHORTEST, ceiling),
            Pace::Later => (CONFLICT, ceiling.max(2.0 * CONFLICT)),
            Pace::Slow => (LONGEST / 2.0, LONGEST),
        };
        Duration::from_secs_f64(low + (high - low) * chance)
    }

    /// The stream proved good: begin at the bottom again.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

const SHORTEST: f64 = 1.0;
const CONFLICT: f64 = 5.0;
const LONGEST: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_one_second_to_one_minute_and_no_further() {
        let mut backoff = Backoff::default();
        let most: Vec<u64> = (0..8)
            .map(|_| backoff.next(Pace::Soon, 0.9999).as_secs_f64().round() as u64)
            .collect();
        assert_eq!(most, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.next(Pace::Soon, 0.0), Duration::from_secs(1));
        backoff.reset();
        assert!(backoff.next(Pace::Soon, 0.9999) <= Duration::from_secs(2));
    }

    #[test]
    fn what_needs_a_person_is_tried_slowly_from_the_start() {
        assert!(Backoff::default().next(Pace::Slow, 0.0) >= Duration::from_secs(30));
        assert!(Backoff::default().next(Pace::Later, 0.0) >= Duration::from_secs(5));
    }
}
