//! What the component asks of durable storage: an ordered lane of opaque blobs.
//!
//! The component puts what the XMPP server cannot take at the moment (stream down, or slower than
//! we write) into the lane named after its domain, reads it back in order and removes it once the
//! server has confirmed it. It does not know how blobs are stored.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A boxed future, for the control plane only (once per 64 KiB segment, never per stanza).
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Number and content of a blob; `None` at the end of the lane.
pub type Found = Option<(u64, Vec<u8>)>;

/// An ordered lane of blobs on disk. Numbers ascend within a lane and are never reused.
///
/// Calls take effect in the order made: a [`Spool::next`] sees every earlier [`Spool::put`].
pub trait Spool: Send + Sync {
    /// Accepts `blob` as number `number` of `lane`. Called under a lock: it must not block, and
    /// cannot fail. A store whose disk is full keeps the blob in its [`Spool::backlog`] and tries
    /// again; the component then asks everybody to hold.
    fn put(&self, lane: &str, number: u64, blob: Vec<u8>);

    /// The first blob of `lane` with a number above `after`, or `None` at the end.
    fn next(&self, lane: &str, after: u64) -> Later<io::Result<Found>>;

    /// Forgets every blob of `lane` up to and including `upto`. Must not block.
    fn remove(&self, lane: &str, upto: u64);

    /// Bytes accepted by [`Spool::put`] and not yet committed, over all lanes.
    fn backlog(&self) -> usize;
}

/// A spool in memory: for tests, and for a component that may lose its backlog with the process.
#[derive(Debug, Default)]
pub struct MemorySpool {
    lanes: Mutex<BTreeMap<(String, u64), Vec<u8>>>,
}

impl MemorySpool {
    /// Numbers and blobs of a lane, in order.
    pub fn lane(&self, lane: &str) -> Vec<(u64, Vec<u8>)> {
        let lanes = self.lanes();
        let range = lanes.range((lane.to_owned(), 0)..=(lane.to_owned(), u64::MAX));
        range
            .map(|((_, number), blob)| (*number, blob.clone()))
            .collect()
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<(String, u64), Vec<u8>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool for MemorySpool {
    fn put(&self, lane: &str, number: u64, blob: Vec<u8>) {
        self.lanes().insert((lane.to_owned(), number), blob);
    }

    fn next(&self, lane: &str, after: u64) -> Later<io::Result<Found>> {
        let first = (lane.to_owned(), after.saturating_add(1));
        let lanes = self.lanes();
        let mut range = lanes.range(first..=(lane.to_owned(), u64::MAX));
        let found = range
            .next()
            .map(|((_, number), blob)| (*number, blob.clone()));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn remove(&self, lane: &str, upto: u64) {
        self.lanes()
            .retain(|(other, number), _| other != lane || *number > upto);
    }

    fn backlog(&self) -> usize {
        0
    }
}
