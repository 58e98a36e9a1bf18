//! What waits for the writer thread: writes that must not be lost and questions with an answer.
//!
//! Putting a job in never waits. The bound is in bytes for writes, by their producers, who slow
//! down by `backlog`; beyond the ceiling a write is refused, logged and counted, because running
//! out of memory would lose all of them. Questions are bounded by number and refused as busy.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::archives::Filed;
use crate::store::contacts::Contact;
use crate::store::seal::Owner;
use crate::store::{ConversationId, NewReference, Row, StoreFault};

/// Questions that may wait at once.
const QUESTIONS: usize = 65_536;

/// What the thread does, in order.
pub(super) enum Job {
    Write(Write),
    Ask(Box<dyn Ask>),
}

/// A write without an answer; kept until it is committed.
#[derive(Debug)]
pub(super) enum Write {
    Append {
        conversation: ConversationId,
        row: Row,
    },
    SpoolPut {
        lane: String,
        number: u64,
        blob: Vec<u8>,
    },
    SpoolRemove {
        lane: String,
        upto: u64,
    },
    Keep {
        owner: Owner,
        value: Option<Vec<u8>>,
    },
    Rewrite {
        conversation: ConversationId,
        id: String,
        stanza: Vec<u8>,
    },
    Refer(NewReference),
    File(Filed),
    Bury {
        /// User, gateway and peer.
        of: [String; 3],
        id: String,
        stanza: Vec<u8>,
    },
    Contact(Contact),
}

impl Write {
    /// Bytes it holds in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let held = match self {
            Self::Append { row, .. } => row_bytes(row),
            Self::SpoolPut { lane, blob, .. } => lane.len() + blob.len(),
            Self::SpoolRemove { lane, .. } => lane.len(),
            Self::Keep { owner, value } => {
                owner.user.len()
                    + owner.gateway.len()
                    + owner.name.len()
                    + value.as_ref().map_or(0, Vec::len)
            }
            Self::Rewrite { id, stanza, .. } => id.len() + stanza.len(),
            Self::File(it) => it.user.len() + it.gateway.len() + it.peer.len() + row_bytes(&it.row),
            Self::Bury { of, id, stanza } => {
                of.iter().map(String::len).sum::<usize>() + id.len() + stanza.len()
            }
            Self::Refer(it) => {
                it.user.len() + it.gateway.len() + it.peer.len() + it.key.len() + it.stanza.len()
            }
            Self::Contact(it) => it.user.len() + it.gateway.len() + it.local.len(),
        };
        held + size_of::<Job>()
    }

    /// A word for logs; never the content.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Append { .. } => "archive row",
            Self::SpoolPut { .. } => "spool entry",
            Self::SpoolRemove { .. } => "spool removal",
            Self::Keep { .. } => "kept value",
            Self::Rewrite { .. } => "rewritten row",
            Self::Refer(_) => "reference",
            Self::File(_) => "filed message",
            Self::Bury { .. } => "tombstone",
            Self::Contact(_) => "contact",
        }
    }
}

fn row_bytes(row: &Row) -> usize {
    let key = row.key.as_ref().map_or(0, String::len);
    row.id.len() + row.nick.len() + row.stanza.len() + key
}

/// A question: worked on inside the transaction, answered when the transaction has ended.
pub(super) trait Ask: Send {
    fn work(&mut self, db: &Connection);
    fn answer(self: Box<Self>, outcome: Result<(), StoreFault>);
}

/// A question whose work is a closure and whose asker waits on a oneshot.
pub(super) struct Asked<T, F> {
    state: State<T, F>,
    to: oneshot::Sender<Result<T, StoreFault>>,
}

enum State<T, F> {
    Waiting(F),
    Worked(Result<T, StoreFault>),
    Taken,
}

impl<T, F> Asked<T, F> {
    pub(super) fn new(work: F, to: oneshot::Sender<Result<T, StoreFault>>) -> Self {
        Self {
            state: State::Waiting(work),
            to,
        }
    }
}

impl<T, F> Ask for Asked<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreFault> + Send,
{
    fn work(&mut self, db: &Connection) {
        if let State::Waiting(work) = std::mem::replace(&mut self.state, State::Taken) {
            self.state = State::Worked(work(db));
        }
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreFault>) {
        let result = match (outcome, self.state) {
            (Err(fault), _) => Err(fault),
            (Ok(()), State::Worked(result)) => result,
            (Ok(()), _) => Err(StoreFault::Closed),
        };
        // An asker that went away needs no answer.
        let _ = self.to.send(result);
    }
}

/// The queue between all callers and the one thread.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    backlog: AtomicUsize,
    lost: AtomicU64,
    commits: AtomicU64,
    ceiling: usize,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    questions: usize,
    closed: bool,
    /// True while writes are refused, so that the log says it once.
    refusing: bool,
}

impl Queue {
    pub(super) fn new(ceiling: usize) -> Self {
        Self {
            inner: Mutex::default(),
            wake: Condvar::new(),
            backlog: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            ceiling,
        }
    }

    pub(super) fn write(&self, write: Write) {
        let bytes = write.bytes();
        let mut inner = self.lock();
        let full = self.backlog() + bytes > self.ceiling;
        if full || inner.closed {
            let first = !std::mem::replace(&mut inner.refusing, true);
            drop(inner);
            let lost = self.lose();
            if first {
                tracing::error!(
                    kind = write.kind(),
                    lost,
                    backlog = self.backlog(),
                    "the store's queue is full or closed and a write was lost: \
                     see the fault logged before and free the disk"
                );
            }
            return;
        }
        inner.refusing = false;
        self.backlog.fetch_add(bytes, Ordering::Relaxed);
        inner.jobs.push_back(Job::Write(write));
        drop(inner);
        self.wake.notify_one();
    }

    pub(super) fn ask(&self, ask: Box<dyn Ask>) {
        let mut inner = self.lock();
        let refusal = match (inner.closed, inner.questions >= QUESTIONS) {
            (true, _) => Some(StoreFault::Closed),
            (_, true) => Some(StoreFault::Busy),
            _ => None,
        };
        if let Some(fault) = refusal {
            drop(inner);
            return ask.answer(Err(fault));
        }
        inner.questions += 1;
        inner.jobs.push_back(Job::Ask(ask));
        drop(inner);
        self.wake.notify_one();
    }

    /// Takes all that waits; waits for it when `block`. Empty and blocking means closed.
    pub(super) fn take(&self, block: bool) -> VecDeque<Job> {
        let mut inner = self.lock();
        while block && inner.jobs.is_empty() && !inner.closed {
            inner = self
                .wake
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inner.questions = 0;
        std::mem::take(&mut inner.jobs)
    }

    /// Waits before another try, less when the store is being closed. True when it is.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let inner = self.lock();
        let (inner, _) = self
            .wake
            .wait_timeout_while(inner, time, |inner| !inner.closed)
            .unwrap_or_else(PoisonError::into_inner);
        inner.closed
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Bytes of a write that is committed or given up leave the backlog.
    pub(super) fn settle(&self, bytes: usize) {
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn lose(&self) -> u64 {
        self.lost.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// One more transaction is committed.
    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding it; were it so, the data is whole all the same.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
