//! Store-and-forward: hands durable messages to a gateway's courier, and durable stanzas to the
//! component. The states of a message are drawn in [`crate::store::jobs`].
//!
//! ```text
//!   host ──submit──▶ store ──lease──▶ courier ──begin, report──▶ store ──┐
//!                                                                        ├─▶ inbound ──▶ outbox
//!   courier ──deliver──────────────▶ store ──────────────────────────────┘      (proven: removed)
//! ```
//!
//! What is in memory is numbers: which message waits in which lane until when. Contents are read
//! when a message is handed out. A crash loses nothing but leases.
//!
//! Not here: what a message means, what its sender is told (`host::courier`).

mod dispatch;
mod inward;
mod schedule;

#[cfg(test)]
mod tests;

pub use self::dispatch::{Courier, Dispatch};
pub use self::inward::Inwards;
pub use self::schedule::Windows;

/// How the queue works; times in milliseconds.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Messages handed out at a time, per lane, where the gateway does not say otherwise.
    pub window: usize,
    /// The first wait before a message is tried again; it doubles each time.
    pub retry: i64,
    /// The longest such wait.
    pub retry_max: i64,
    /// When a message that cannot be sent is given up.
    pub expiry: i64,
    /// How long the courier may keep a message without a beginning or a report of any copy.
    pub lease: i64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            window: 32,
            retry: 5_000,
            retry_max: 3_600_000,
            expiry: 2 * 24 * 3_600_000,
            lease: 15 * 60_000,
        }
    }
}

impl Tuning {
    /// How long to wait after so many attempts.
    pub fn wait(&self, attempt: u16) -> i64 {
        let doubled = self
            .retry
            .saturating_mul(1 << u32::from(attempt.saturating_sub(1)).min(20));
        doubled.min(self.retry_max)
    }
}
