//! Chance that is the same for the same seed.

use std::time::Duration;

/// A small generator (xorshift, 64 bits).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The generator of one run.
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Seeds that are close together are to differ from the first roll on.
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    /// Evenly from `0..sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// True once in `sides` times.
    pub(crate) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    /// One of them.
    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        let at = self.roll(of.len() as u64);
        &of[usize::try_from(at).expect("below a length")]
    }

    /// Up to so many milliseconds.
    pub(crate) fn up_to_ms(&mut self, ms: u64) -> Duration {
        Duration::from_millis(self.roll(ms + 1))
    }

    /// A generator whose rolls do not depend on how often this one is rolled later.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.roll(1 << 50))
    }
}

/// Whether the long form of a test was asked for (`ISTHMUS_ENDURE=1`).
pub(crate) fn endures() -> bool {
    std::env::var("ISTHMUS_ENDURE").is_ok_and(|value| value == "1")
}
