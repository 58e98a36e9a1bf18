//! How one gateway does, in numbers.

use std::sync::atomic::Ordering;

use super::Domain;
use crate::host::courier::OUTCOMES;
use crate::store::jobs::Depth;

/// How one gateway does. What is a total counts from the start of the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Its domain.
    pub(crate) domain: String,
    /// It is attached to the XMPP server.
    pub(crate) up: bool,
    /// Streams to it so far.
    pub(crate) streams: u64,
    /// Stanzas received so far.
    pub(crate) received: u64,
    /// Stanzas made for it so far.
    pub(crate) sent: u64,
    /// Bytes in memory that are unsent or unconfirmed.
    pub(crate) outbox_bytes: u64,
    /// Sessions.
    pub(crate) sessions: u64,
    /// Users who are there.
    pub(crate) users: u64,
    /// Rooms of all sessions.
    pub(crate) rooms: u64,
    /// Messages taken by the queue so far.
    pub(crate) taken: u64,
    /// Messages taken from the network so far.
    pub(crate) deliveries: u64,
    /// What became of those that were handed out.
    pub(crate) outcomes: [(&'static str, u64); OUTCOMES.len()],
    /// What waits on disk; `None`: it has no queue, or the store does not answer.
    pub(crate) queue: Option<Depth>,
}

impl Domain {
    /// The domain's name; empty before it is attached.
    pub(crate) fn name(&self) -> &str {
        self.outbox.get().map_or("", |outbox| outbox.domain())
    }

    /// Whether it is attached to the XMPP server now.
    pub(crate) fn is_up(&self) -> bool {
        self.outbox.get().is_some_and(|outbox| outbox.is_up())
    }

    /// How it does.
    pub(crate) async fn figures(&self) -> Figures {
        let Some(outbox) = self.outbox.get() else {
            return Figures::default();
        };
        let mut figures = Figures {
            domain: outbox.domain().to_owned(),
            up: outbox.is_up(),
            streams: self.streams.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            sent: outbox.pushed().0,
            outbox_bytes: outbox.weight() as u64,
            sessions: self.sessions() as u64,
            users: self.users().len() as u64,
            rooms: self.table().live().map(|(_, inbox)| inbox.rooms()).sum(),
            ..Figures::default()
        };
        if let Some(courier) = self.courier.get() {
            courier.tally().into(&mut figures);
            let depth = self.shared.store.queue_depth(outbox.domain()).await;
            let depth = depth.inspect_err(|fault| tracing::warn!(%fault, "no depth of the queue"));
            figures.queue = depth.ok();
        }
        figures
    }
}
