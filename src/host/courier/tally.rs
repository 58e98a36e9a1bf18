//! How many messages went which way, since the program started.

use std::sync::atomic::{AtomicU64, Ordering};

use isthmus_gateway::State;

use crate::host::domain::figures::Figures;

/// What can become of a message that is handed out.
pub(crate) const OUTCOMES: [&str; 6] = [
    "retried",
    "accepted",
    "delivered",
    "read",
    "failed",
    "unknown",
];

/// Counts, each for itself: a reader may see one a moment before another.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    taken: AtomicU64,
    deliveries: AtomicU64,
    outcomes: [AtomicU64; OUTCOMES.len()],
}

impl Tally {
    /// A message is on disk, to be delivered.
    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// So many came from the network and are on disk.
    pub(super) fn delivered(&self, count: usize) {
        self.deliveries.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Something became of a message.
    pub(super) fn outcome(&self, outcome: usize) {
        if let Some(count) = self.outcomes.get(outcome) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells them.
    pub(crate) fn into(&self, figures: &mut Figures) {
        figures.taken = self.taken.load(Ordering::Relaxed);
        figures.deliveries = self.deliveries.load(Ordering::Relaxed);
        let counts = OUTCOMES.iter().zip(&self.outcomes);
        for ((name, count), told) in counts.zip(&mut figures.outcomes) {
            *told = (name, count.load(Ordering::Relaxed));
        }
    }
}

/// Where a state stands in [`OUTCOMES`].
pub(super) fn outcome_of(state: &State) -> usize {
    match state {
        State::Retry { .. } => 0,
        State::Accepted => 1,
        State::Delivered => 2,
        State::Read => 3,
        State::Failed(_) => 4,
        State::Unknown => 5,
    }
}
