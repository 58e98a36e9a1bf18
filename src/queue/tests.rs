//! The queue on a paused clock, with messages in memory; and the way in, with the real store.

mod disk;
mod dispatch;
mod inward;
mod schedule;
