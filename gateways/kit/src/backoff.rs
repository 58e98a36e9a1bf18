//! How long to wait before another try: doubling from one second to five minutes, with jitter.
//!
//! The seed is passed in, so that a test sees the same waits every time and two sessions do not.

use std::time::Duration;

/// Shortest wait.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// Longest wait.
pub const LONGEST: Duration = Duration::from_secs(300);

/// A series of growing waits.
#[derive(Clone, Debug)]
pub struct Backoff {
    random: u64,
    tries: u32,
}

impl Backoff {
    /// A series whose jitter follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            random: seed,
            tries: 0,
        }
    }

    /// The next wait: between half of and the whole of a ceiling that starts at two seconds,
    /// doubles with each call and ends at five minutes.
    pub fn wait(&mut self) -> Duration {
        let ceiling = SHORTEST
            .saturating_mul(2u32.saturating_pow(self.tries.saturating_add(1)))
            .min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        let half = ceiling / 2;
        let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
        half + Duration::from_millis(self.random() % spread.saturating_add(1))
    }

    /// Begins again with the shortest wait: the last try succeeded.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): spread is all that is asked of it, not secrecy.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_one_second_to_five_minutes() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<_> = (0..40).map(|_| backoff.wait()).collect();
        assert!(waits[0] >= SHORTEST && waits[0] <= SHORTEST * 2);
        assert!(waits.iter().all(|wait| (SHORTEST..=LONGEST).contains(wait)));
        assert!(waits[39] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.wait() <= SHORTEST * 2);
    }

    #[test]
    fn two_seeds_do_not_wait_alike() {
        let series = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..8).map(|_| backoff.wait()).collect::<Vec<_>>()
        };
        assert_eq!(series(1), series(1));
        assert_ne!(series(1), series(2));
    }
}
