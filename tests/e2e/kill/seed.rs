//! Random numbers that can be had again.

/// A generator (SplitMix64) whose seed is told, and taken from `ISTHMUS_SEED` where that is set.
#[derive(Debug)]
pub(super) struct Seed {
    first: u64,
    state: u64,
}

impl Seed {
    pub(super) fn new() -> Self {
        let told = std::env::var("ISTHMUS_SEED").ok();
        let first = told.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(0, |now| now.as_secs())
        });
        Self {
            first,
            state: first,
        }
    }

    /// What it began with.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = usize::try_from((mixed ^ (mixed >> 31)) >> 33).expect("31 bits");
        mixed % end
    }
}
