//! When to give a process up, and when to start the next. Pure.

use std::time::Duration;

use isthmus_kit::Backoff;

/// Pings in a row that may go unheard.
const MISSES: u32 = 2;
/// A process that ran so long was no failure.
const STABLE: Duration = Duration::from_secs(60);

/// When to start again.
#[derive(Debug)]
pub(crate) struct Restart {
    backoff: Backoff,
    failures: u32,
    limit: u32,
    pause: Duration,
}

impl Restart {
    pub(crate) fn new(seed: u64, limit: u32, pause: Duration) -> Self {
        Self {
            backoff: Backoff::new(seed),
            failures: 0,
            limit,
            pause,
        }
    }

    /// The process ended after running so long: how long to wait, and whether it fails so often
    /// that it is given a rest.
    pub(crate) fn wait(&mut self, ran: Duration) -> (Duration, bool) {
        if ran >= STABLE {
            self.failures = 0;
            self.backoff.reset();
        }
        self.failures = self.failures.saturating_add(1);
        let wait = self.backoff.wait();
        match self.failures >= self.limit {
            true => (wait.max(self.pause), true),
            false => (wait, false),
        }
    }
}

/// Whether the plugin is heard of.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) heard: bool,
    asked: bool,
    misses: u32,
}

impl Pulse {
    /// Time for a ping; true: it is dead.
    pub(super) fn beat(&mut self) -> bool {
        let heard = std::mem::take(&mut self.heard);
        self.misses = match self.asked && !heard {
            true => self.misses + 1,
            false => 0,
        };
        self.asked = true;
        self.misses >= MISSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pings_that_go_unheard_are_the_end() {
        let mut pulse = Pulse::default();
        assert!(!pulse.beat(), "nothing was asked before");
        assert!(!pulse.beat());
        pulse.heard = true;
        assert!(!pulse.beat(), "whatever it says is a sign of life");
        assert!(!pulse.beat());
        assert!(pulse.beat());
    }

    #[test]
    fn failures_in_a_row_lead_to_a_rest_and_a_long_run_forgives_them() {
        let pause = Duration::from_secs(3600);
        let mut restart = Restart::new(7, 3, pause);
        let soon = Duration::from_secs(1);
        let (first, rests) = restart.wait(soon);
        assert!(!rests && first >= soon && first <= soon * 2);
        assert!(!restart.wait(soon).1);
        assert_eq!(restart.wait(soon), (pause, true));
        assert_eq!(
            restart.wait(soon),
            (pause, true),
            "one try, and it rests again"
        );
        let (again, rests) = restart.wait(STABLE);
        assert!(!rests && again <= soon * 2);
    }
}
