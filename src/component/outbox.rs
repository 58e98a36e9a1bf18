//! The way out to the XMPP server: a bounded, ordered buffer that many tasks push into and one
//! writer empties (XEP-0114 has no acknowledgement, so it also keeps what is not yet confirmed).
//!
//! A push neither waits nor fails. Memory stays bounded by a ladder:
//!
//! | situation                                     | stanzas go to              | [`Level`] |
//! |-----------------------------------------------|----------------------------|-----------|
//! | stream up, server keeps up                    | memory                     | `Live`    |
//! | too much unsent or unconfirmed                | 64 KiB segments on disk    | `Live`    |
//! | stream down (messages only)                   | 64 KiB segments on disk    | `Live`    |
//! | the disk itself is behind, or full            | the same                   | `Hold`    |
//!
//! `Hold` is a request: whoever can, stops producing until [`Outbox::live`]. Order is kept across
//! memory and disk. While the stream is down only messages are kept: presence is derived anew by
//! the host, an iq request is never sent late, an iq result is dropped.
//!
//! Not here: the socket, the pings that prove delivery ([`super::barrier`]), the clock.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tracing::warn;

use crate::xmpp::write::{self, Answerable, ErrorReply, Head, Written, Xml};

use super::{
    ledger::{Chunk, Ledger, Next, Unreadable},
    spool::Spool,
};

/// A handle to the outbox of one component. Cloning is a reference count. The second part counts
/// the bytes that were pushed through this handle and its clones, see [`Outbox::metered`].
#[derive(Clone)]
pub struct Outbox(Arc<Shared>, Arc<AtomicU64>);

/// The sequence number of a pushed stanza, from 1, ascending within the life of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

/// What becomes of a stanza when the stream breaks before the server has confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Sent again, in order, with the same bytes.
    Message,
    /// Dropped: the server has already told the asker that we are away.
    IqResult,
    /// Dropped: never sent twice, never sent late. The asker's deadline ends it.
    IqRequest,
    /// Dropped: the host derives it anew, see [`super::Inbound::up`].
    Presence,
}

impl Class {
    /// The class as kept on disk.
    pub(super) fn to_byte(self) -> u8 {
        match self {
            Self::Message => 1,
            Self::IqResult => 2,
            Self::IqRequest => 3,
            Self::Presence => 4,
        }
    }

    /// Reads what [`Class::to_byte`] gave.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        let all = [
            Self::Message,
            Self::IqResult,
            Self::IqRequest,
            Self::Presence,
        ];
        all.into_iter().find(|class| class.to_byte() == byte)
    }
}

/// What the outbox asks of those who push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Push freely.
    Live,
    /// Stop producing, if possible, until [`Outbox::live`].
    Hold,
}

/// The bounds of an outbox, in bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest stanza; a longer one is cut down by the stanza writer.
    pub stanza_bytes: usize,
    /// A segment closes when it has reached this size: the grain of memory, disk and writing.
    pub segment_bytes: usize,
    /// Closed segments waiting in memory before the disk is used.
    pub unsent_bytes: usize,
    /// Written and unconfirmed bytes kept in memory before writing pauses.
    pub unconfirmed_bytes: usize,
    /// Bytes the spool has accepted and not committed before everybody is asked to hold.
    pub backlog_bytes: usize,
    /// Bytes on disk before everybody is asked to hold.
    pub disk_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stanza_bytes: 64 * 1024,
            segment_bytes: 64 * 1024,
            unsent_bytes: 1024 * 1024,
            unconfirmed_bytes: 16 * 1024 * 1024,
            backlog_bytes: 4 * 1024 * 1024,
            disk_bytes: 1024 * 1024 * 1024,
        }
    }
}

impl Outbox {
    /// An outbox for the component `domain`; nothing leaves it until a driver takes it up. Tests of
    /// a host make theirs with [`super::Tap::new`].
    pub(super) fn new(domain: &str, limits: Limits, spool: Arc<dyn Spool>) -> Self {
        let ledger = Mutex::new(Ledger::new(limits.clone()));
        let shared = Shared {
            domain: domain.to_owned(),
            limits,
            spool,
            ledger,
            writer: Notify::new(),
            level: watch::Sender::new(Level::Hold),
            confirmed: watch::Sender::new(Mark(0)),
        };
        Self(Arc::new(shared), Arc::default())
    }

    /// A handle that counts by itself what is pushed through it.
    pub fn metered(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::default())
    }

    /// Bytes pushed through this handle and its clones so far.
    pub fn poured(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }

    /// Adds any number of stanzas, next to each other and in order, under one lock. `write` must
    /// not wait, nor push to the same outbox otherwise than through the batch. Returns the mark of
    /// the last stanza pushed by anybody so far.
    pub fn push(&self, write: impl FnOnce(&mut Batch<'_>)) -> Mark {
        let mut ledger = self.ledger();
        let idle = ledger.is_open_empty();
        let mut batch = Batch {
            shared: &self.0,
            ledger: &mut ledger,
            bytes: 0,
        };
        write(&mut batch);
        self.1.fetch_add(batch.bytes, Ordering::Relaxed);
        if idle && !ledger.is_open_empty() {
            self.0.writer.notify_one();
        }
        ledger.last_mark()
    }

    /// Everything up to this mark has been read by the server, or was never to be sent again.
    pub fn confirmed(&self) -> Mark {
        *self.0.confirmed.borrow()
    }

    /// Waits until the stanza with `mark` is confirmed. A message always is one day; see
    /// [`Class`] for the others. Cancel safe.
    pub async fn until_confirmed(&self, mark: Mark) {
        // Fails only when the sender is gone, and we hold it.
        let _ = self
            .0
            .confirmed
            .subscribe()
            .wait_for(|confirmed| *confirmed >= mark)
            .await;
    }

    /// Whether to go on producing. Cheap enough for every line.
    pub fn level(&self) -> Level {
        *self.0.level.borrow()
    }

    /// Waits until the level is [`Level::Live`]. Cancel safe; costs nothing unless awaited.
    pub async fn live(&self) {
        let _ = self
            .0
            .level
            .subscribe()
            .wait_for(|level| *level == Level::Live)
            .await;
    }

    /// A receiver of level changes, for a task that selects over several things.
    pub fn watch_level(&self) -> watch::Receiver<Level> {
        self.0.level.subscribe()
    }

    /// Whether a stream is up: what is pushed now goes out now.
    pub fn is_up(&self) -> bool {
        self.ledger().is_up()
    }

    /// The component's domain, which every stanza is from.
    pub fn domain(&self) -> &str {
        &self.0.domain
    }

    /// The mark of the last stanza that anybody has pushed: how many there were.
    pub fn pushed(&self) -> Mark {
        self.ledger().last_mark()
    }

    /// Bytes held in memory, unsent and unconfirmed.
    pub fn weight(&self) -> usize {
        self.ledger().weight()
    }

    // The writer's side.

    /// Learns what an earlier process left in the spool. Nothing is written before.
    pub(super) async fn survey(&self) -> io::Result<()> {
        let (lane, mut found, mut after) = (&self.0.domain, Vec::new(), 0);
        while let Some((number, blob)) = self.0.spool.next(lane, after).await? {
            found.push((number, blob.len()));
            after = number;
        }
        self.ledger().survey(found);
        self.measure();
        Ok(())
    }

    /// The same for a spool known to be empty.
    pub(super) fn survey_nothing(&self) {
        self.ledger().survey([]);
        self.measure();
    }

    pub(super) fn up(&self) {
        self.ledger().up();
        self.0.writer.notify_one();
    }

    pub(super) fn cut(&self) {
        let mut ledger = self.ledger();
        if ledger.is_up() {
            ledger.cut();
        }
    }

    pub(super) fn take(&self) -> Next {
        self.ledger().take()
    }

    /// Carries out a [`Next::Load`]. Nothing to write means: ask again.
    pub(super) async fn load(&self, after: u64, upto: u64) -> io::Result<Option<Chunk>> {
        let found = self.0.spool.next(&self.0.domain, after).await?;
        let found = found.as_ref().map(|(number, blob)| (*number, &blob[..]));
        match self.ledger().loaded((after, upto), found) {
            Ok(chunk) => Ok(chunk),
            Err(Unreadable(number)) => {
                warn!(
                    domain = self.domain(),
                    number, "the spool returned a blob that is not ours"
                );
                Ok(None)
            }
        }
    }

    pub(super) fn confirm(&self, number: u64) {
        let mut ledger = self.ledger();
        if let Some(upto) = ledger.confirm(number) {
            self.0.spool.remove(&self.0.domain, upto);
        }
        self.0.confirmed.send_if_modified(|mark| {
            std::mem::replace(mark, ledger.confirmed()) != ledger.confirmed()
        });
        drop(ledger);
        self.0.writer.notify_one();
    }

    /// Waits until there may be something new to write. Cancel safe; for one waiter.
    pub(super) async fn stirred(&self) {
        self.0.writer.notified().await;
    }

    pub(super) fn is_settled(&self) -> bool {
        self.ledger().is_settled()
    }

    /// Ends the outbox: messages that memory alone holds go to the spool, for the next process.
    pub(super) fn spill(&self) -> usize {
        let mut ledger = self.ledger();
        let segments = ledger.spill();
        segments
            .iter()
            .inspect(|segment| {
                self.0
                    .spool
                    .put(&self.0.domain, segment.number, segment.encode())
            })
            .map(|segment| segment.index.len())
            .sum()
    }

    /// Keeps lifting a hold once its reason is gone, which nothing else would notice.
    pub(super) async fn ebb(&self) {
        let mut level = self.watch_level();
        loop {
            // Fails only when the sender is gone, and we hold it.
            let _ = level.wait_for(|level| *level == Level::Hold).await;
            tokio::time::sleep(EBB).await;
            self.measure();
        }
    }

    fn measure(&self) {
        let ledger = self.ledger();
        self.0.measure(&ledger);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic in somebody's `write` leaves at worst half a stanza, which the segment drops.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("domain", &self.0.domain)
            .finish_non_exhaustive()
    }
}

/// The stanzas of one [`Outbox::push`].
pub struct Batch<'a> {
    shared: &'a Shared,
    ledger: &'a mut Ledger,
    bytes: u64,
}

impl Batch<'_> {
    /// Writes one stanza: the head, then what `body` writes inside. The sender's domain is the
    /// component's, whatever the head says. While the stream is down `body` runs for messages only.
    pub fn stanza(
        &mut self,
        class: Class,
        head: Head<'_>,
        body: impl FnOnce(&mut Xml<'_>),
    ) -> Mark {
        let shared = self.shared;
        let head = Head {
            domain: &shared.domain,
            ..head
        };
        self.write(class, |buf| {
            write::stanza(buf, shared.limits.stanza_bytes, head, body)
        })
    }

    /// Answers a stanza with an error, if it may be answered. The answer to a message counts as
    /// a message.
    pub fn error(
        &mut self,
        class: Class,
        answered: &impl Answerable,
        error: &ErrorReply<'_>,
    ) -> Mark {
        let Shared { limits, domain, .. } = self.shared;
        self.write(class, |buf| {
            write::error_reply(buf, limits.stanza_bytes, domain, answered, error)
        })
    }

    fn write(&mut self, class: Class, write: impl FnOnce(&mut Vec<u8>) -> Written) -> Mark {
        let bytes = &mut self.bytes;
        let mark = self.ledger.add(class, |buf| {
            let before = buf.len();
            // Cut or not, what is there is well-formed; what became of it is the caller's to see.
            let _ = write(buf);
            *bytes += buf.len().saturating_sub(before) as u64;
        });
        if let Some(segment) = self.ledger.overflow() {
            let blob = segment.encode();
            self.ledger.spooled(segment.number, blob.len());
            self.shared
                .spool
                .put(&self.shared.domain, segment.number, blob);
            self.shared.measure(self.ledger);
        }
        mark
    }

    /// The component's domain, which every stanza is from.
    pub fn domain(&self) -> &str {
        &self.shared.domain
    }
}

struct Shared {
    domain: String,
    limits: Limits,
    spool: Arc<dyn Spool>,
    ledger: Mutex<Ledger>,
    writer: Notify,
    level: watch::Sender<Level>,
    confirmed: watch::Sender<Mark>,
}

impl Shared {
    /// Sets the level. Called with the ledger locked, so that levels change in one order.
    fn measure(&self, ledger: &Ledger) {
        self.level.send_if_modified(|level| {
            // Let go at half of what made us hold: no flutter.
            let (tenths, backlog) = match *level {
                Level::Live => (10, self.limits.backlog_bytes),
                Level::Hold => (9, self.limits.backlog_bytes / 2),
            };
            let hold = !ledger.is_surveyed()
                || self.spool.backlog() > backlog
                || ledger.disk_bytes() > self.limits.disk_bytes / 10 * tenths;
            let new = if hold { Level::Hold } else { Level::Live };
            std::mem::replace(level, new) != new
        });
    }
}

/// How often a hold is looked at again.
const EBB: Duration = Duration::from_millis(50);
