//! A token bucket, kept as one instant: the time at which it would be full again.

use std::time::{Duration, Instant};

/// Lets a burst through, then a steady rate.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// When all tokens are back; `None`: now.
    full_at: Option<Instant>,
    /// Time in which one token comes back.
    each: Duration,
    burst: u32,
}

impl Bucket {
    /// A full bucket of `burst` tokens (at least one) that regains `rate` tokens a second.
    pub fn new(burst: u32, rate: f64) -> Self {
        let rate = if rate.is_finite() { rate } else { 1.0 };
        Self {
            full_at: None,
            each: Duration::from_secs_f64(1.0 / rate.clamp(0.001, 1_000_000.0)),
            burst: burst.max(1),
        }
    }

    /// From now on so many tokens (at least one) fill it; what was taken stays taken.
    pub fn resize(&mut self, burst: u32) {
        self.burst = burst.max(1);
    }

    /// Takes one token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.ready(now) > now {
            return false;
        }
        self.debit(now);
        true
    }

    /// Takes one token even if there is none: later takers wait for it.
    pub fn debit(&mut self, now: Instant) {
        let from = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(from + self.each);
    }

    /// When the next token can be taken: `now`, or later.
    pub fn ready(&self, now: Instant) -> Instant {
        let Some(full_at) = self.full_at else {
            return now;
        };
        let slack = self.each.saturating_mul(self.burst - 1);
        full_at.checked_sub(slack).map_or(now, |at| at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_size_gives_no_token_back() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3, 1.0);
        assert_eq!((0..5).filter(|_| bucket.take(start)).count(), 3);
        bucket.resize(2);
        bucket.resize(4);
        assert_eq!((0..5).filter(|_| bucket.take(start)).count(), 1);
        bucket.resize(1);
        assert_eq!(bucket.ready(start), start + Duration::from_secs(4));
    }

    #[test]
    fn a_burst_passes_and_the_rest_comes_one_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 1.0);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 10);
        assert_eq!(bucket.ready(start), start + Duration::from_secs(1));
        assert!(!bucket.take(start + Duration::from_millis(999)));
        assert!(bucket.take(start + Duration::from_secs(1)));
        assert!(!bucket.take(start + Duration::from_secs(1)));
        let rested = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| bucket.take(rested)).count(), 10);
    }

    #[test]
    fn a_debit_is_paid_back_before_the_next_token() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1, 1.0);
        assert!(bucket.take(start));
        bucket.debit(start);
        assert_eq!(bucket.ready(start), start + Duration::from_secs(2));
    }
}
