//! The thread that owns the connection: takes jobs in order, commits in groups, then answers.
//!
//! A group ends after 1024 jobs, after 10 ms, or when nothing waits. When a group fails, all
//! questions that wait are answered with the fault, all writes stay in order, and the next try
//! comes after a pause. A write that the schema refuses is dropped alone, and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::queue::{Ask, Job, Queue, Write};
use super::sql;
use crate::store::StoreFault;

const GROUP_JOBS: usize = 1024;
const GROUP_TIME: Duration = Duration::from_millis(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Tries after the store was closed, before what is queued is given up.
const LAST_TRIES: u32 = 5;

pub(super) fn start(db: Connection, queue: Arc<Queue>) -> Result<JoinHandle<()>, StoreFault> {
    thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || {
            Writer {
                db,
                queue,
                ready: VecDeque::new(),
            }
            .run()
        })
        .map_err(|e| StoreFault::Database {
            what: format!("no thread for the store: {e}"),
            advice: "raise the limit of threads of the user that isthmus runs as",
        })
}

struct Writer {
    db: Connection,
    queue: Arc<Queue>,
    /// Taken from the queue and not yet done.
    ready: VecDeque<Job>,
}

/// What one transaction holds until it is committed.
#[derive(Default)]
struct Group {
    writes: Vec<Write>,
    asks: Vec<Box<dyn Ask>>,
    /// Bytes of the writes, and of those dropped, which leave the backlog with the commit.
    bytes: usize,
}

impl Writer {
    fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut last_tries = 0;
        loop {
            if self.ready.is_empty() {
                self.ready = self.queue.take(true);
                if self.ready.is_empty() {
                    break;
                }
            }
            match self.group() {
                Ok(()) => pause = FIRST_PAUSE,
                Err(fault) => {
                    tracing::error!(
                        %fault,
                        backlog = self.queue.backlog(),
                        "the store could not write; what is queued is kept and tried again"
                    );
                    if self.queue.pause(pause) {
                        last_tries += 1;
                        thread::sleep(FIRST_PAUSE);
                    }
                    if last_tries > LAST_TRIES {
                        break;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.finish();
    }

    /// One transaction.
    fn group(&mut self) -> Result<(), StoreFault> {
        let mut group = Group::default();
        match self.fill(&mut group) {
            Ok(()) => {
                self.queue.committed();
                self.queue.settle(group.bytes);
                group.asks.into_iter().for_each(|ask| ask.answer(Ok(())));
                Ok(())
            }
            Err(error) => {
                let fault = sql::fault(&error);
                if !self.db.is_autocommit()
                    && let Err(error) = self.db.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "rollback refused");
                }
                self.set_back(group, &fault);
                Err(fault)
            }
        }
    }

    /// Keeps every write, in order, and answers every question: those behind a write that does
    /// not get through would wait as long as it does.
    fn set_back(&mut self, group: Group, fault: &StoreFault) {
        let waiting = std::mem::take(&mut self.ready)
            .into_iter()
            .chain(self.queue.take(false));
        self.ready = group.writes.into_iter().map(Job::Write).collect();
        let mut asks = group.asks;
        for job in waiting {
            match job {
                Job::Write(_) => self.ready.push_back(job),
                Job::Ask(ask) => asks.push(ask),
            }
        }
        asks.into_iter()
            .for_each(|ask| ask.answer(Err(fault.clone())));
    }

    fn fill(&mut self, group: &mut Group) -> rusqlite::Result<()> {
        let began = Instant::now();
        self.db.execute_batch("BEGIN")?;
        for _ in 0..GROUP_JOBS {
            match self.next() {
                Some(Job::Write(write)) => self.write(group, write)?,
                Some(Job::Ask(mut ask)) => {
                    ask.work(&self.db);
                    group.asks.push(ask);
                }
                None => break,
            }
            // Some errors, a full disk among them, make SQLite roll back on its own; what was
            // answered inside that transaction must not count.
            if self.db.is_autocommit() || began.elapsed() >= GROUP_TIME {
                break;
            }
        }
        self.db.execute_batch("COMMIT")
    }

    fn write(&mut self, group: &mut Group, write: Write) -> rusqlite::Result<()> {
        match sql::write(&self.db, &write) {
            Ok(()) => {}
            Err(error) if sql::is_hopeless(&error) => {
                let lost = self.queue.lose();
                tracing::error!(kind = write.kind(), %error, lost, "the store refused a write");
                self.queue.settle(write.bytes());
                return Ok(());
            }
            Err(error) => {
                group.writes.push(write);
                return Err(error);
            }
        }
        group.bytes += write.bytes();
        group.writes.push(write);
        Ok(())
    }

    fn next(&mut self) -> Option<Job> {
        if self.ready.is_empty() {
            self.ready = self.queue.take(false);
        }
        self.ready.pop_front()
    }

    /// After the close: nothing waits, or it could not be written.
    fn finish(mut self) {
        let mut lost = 0;
        self.ready.append(&mut self.queue.take(false));
        for job in self.ready.drain(..) {
            match job {
                Job::Write(_) => lost = self.queue.lose(),
                Job::Ask(ask) => ask.answer(Err(StoreFault::Closed)),
            }
        }
        if lost > 0 {
            tracing::error!(
                lost,
                "the store was closed with writes that the disk refused"
            );
        }
        if let Err((_, error)) = self.db.close() {
            tracing::warn!(%error, "the database did not close");
        }
    }
}
