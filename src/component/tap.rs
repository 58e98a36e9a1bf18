//! An outbox without a server behind it: what a test of a host reads its stanzas from.

use std::sync::Arc;

use super::{
    ledger::Next,
    outbox::{Limits, Outbox},
    spool::MemorySpool,
};

/// The writer's end of an outbox, in the place of a stream.
#[derive(Debug)]
pub struct Tap {
    outbox: Outbox,
    last: u64,
}

impl Tap {
    /// An outbox for `domain` whose stream is up, and its tap. Nothing is confirmed by itself.
    pub fn new(domain: &str) -> (Outbox, Self) {
        let outbox = Outbox::new(domain, Limits::default(), Arc::new(MemorySpool::default()));
        outbox.survey_nothing();
        outbox.up();
        (outbox.clone(), Self { outbox, last: 0 })
    }

    /// The XML of everything pushed since the last call, as far as it is in memory.
    pub fn read(&mut self) -> String {
        let mut text = Vec::new();
        while let Next::Write(chunk) = self.outbox.take() {
            text.extend_from_slice(&chunk.bytes);
            self.last = chunk.number;
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until something may have been pushed since the last read.
    pub async fn stirred(&self) {
        self.outbox.stirred().await;
    }

    /// Confirms everything read so far, as a server would.
    pub fn confirm(&self) {
        self.outbox.confirm(self.last);
    }

    /// Breaks the stream.
    pub fn cut(&self) {
        self.outbox.cut();
    }

    /// Brings the stream up again: the next read begins with what was not confirmed.
    pub fn up(&self) {
        self.outbox.up();
    }
}
