//! The store in one SQLite file.
//!
//! One thread owns the connection (`writer`), one queue feeds it (`queue`), the statements are
//! in `sql`, the tables in `schema`. Callers only put jobs into the queue.

mod archives;
mod contacts;
mod jobs;
mod lanes;
mod queue;
mod recalls;
mod references;
mod reports;
mod schema;
mod sql;
mod takeover;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use self::queue::{Ask, Asked, Queue, Write};
use super::seal::{Key, Owner, key_path};
use super::{
    Conversation, ConversationId, Known, Later, NewReference, Page, Row, SpoolEntry, Store,
    StoreFault,
};
use crate::secret::Secret;

pub use takeover::{TakeOver, TakeRow, TakenOver, Tell};

/// A store in one SQLite file, in WAL mode with `synchronous=FULL`.
///
/// Dropping it writes what is queued (blocking for that long) and closes the file.
pub struct SqliteStore {
    queue: Arc<Queue>,
    key: Arc<Key>,
    writer: Option<JoinHandle<()>>,
}

/// What tests turn and operators do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    /// How long SQLite waits for another program's lock.
    pub(super) busy: Duration,
    /// Bytes that may wait in the queue before writes are refused.
    pub(super) ceiling: usize,
    /// Whether no other program may have the database open.
    pub(super) alone: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            busy: Duration::from_secs(5),
            ceiling: 256 << 20,
            alone: false,
        }
    }
}

impl SqliteStore {
    /// Opens the database, or makes it (mode 600), brings its tables up to date, and opens or
    /// makes the key file `<path>.key`. Blocks; call it before serving.
    ///
    /// # Errors
    ///
    /// A database of a newer program, a key file that is missing, unsafe or not a key, and
    /// whatever SQLite refuses.
    pub fn open(path: &Path) -> Result<Self, StoreFault> {
        Self::open_tuned(path, Tuning::default())
    }

    pub(super) fn open_tuned(path: &Path, tuning: Tuning) -> Result<Self, StoreFault> {
        let mut db = schema::open(path, tuning)?;
        schema::upgrade(&mut db, path)?;
        let sealed = sql::sealed_count(&db).map_err(|e| sql::fault(&e))?;
        let key = Arc::new(Key::open(&key_path(path), sealed == 0)?);
        let queue = Arc::new(Queue::new(tuning.ceiling));
        let writer = writer::start(db, Arc::clone(&queue))?;
        Ok(Self {
            queue,
            key,
            writer: Some(writer),
        })
    }

    /// Transactions committed since it was opened; each is one wait for the disk at most.
    pub fn commits(&self) -> u64 {
        self.queue.commits()
    }

    fn ask<T, F>(&self, work: F) -> Later<Result<T, StoreFault>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreFault> + Send + 'static,
    {
        let (to, answer) = oneshot::channel();
        let ask: Box<dyn Ask> = Box::new(Asked::new(work, to));
        self.queue.ask(ask);
        Box::pin(async move { answer.await.unwrap_or(Err(StoreFault::Closed)) })
    }
}

impl Store for SqliteStore {
    fn conversation(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
    ) -> Later<Result<Conversation, StoreFault>> {
        let (user, gateway, peer) = (user.to_owned(), gateway.to_owned(), peer.to_owned());
        self.ask(move |db| {
            sql::conversation(db, &user, &gateway, &peer).map_err(|e| sql::fault(&e))
        })
    }

    fn append(&self, id: ConversationId, row: Row) {
        self.queue.write(Write::Append {
            conversation: id,
            row,
        });
    }

    fn rows(&self, id: ConversationId, page: Page) -> Later<Result<Vec<Row>, StoreFault>> {
        self.ask(move |db| sql::rows(db, id, page).map_err(|e| sql::fault(&e)))
    }

    fn rewrite(&self, id: ConversationId, stanza_id: &str, stanza: Vec<u8>) {
        self.queue.write(Write::Rewrite {
            conversation: id,
            id: stanza_id.to_owned(),
            stanza,
        });
    }

    fn refer(&self, reference: NewReference) {
        self.queue.write(Write::Refer(reference));
    }

    fn known(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
        id: &str,
    ) -> Later<Result<Option<Known>, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        let (peer, id) = (peer.to_owned(), id.to_owned());
        self.ask(move |db| {
            references::known(db, &user, &gateway, &peer, &id).map_err(|e| sql::fault(&e))
        })
    }

    fn known_by_key(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
        key: &str,
    ) -> Later<Result<Option<Known>, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        let (peer, key) = (peer.to_owned(), key.to_owned());
        self.ask(move |db| {
            references::known_by_key(db, &user, &gateway, &peer, &key).map_err(|e| sql::fault(&e))
        })
    }

    fn backlog(&self) -> usize {
        self.queue.backlog()
    }

    fn lost(&self) -> u64 {
        self.queue.lost()
    }

    fn synced(&self) -> Later<Result<(), StoreFault>> {
        self.ask(|_| Ok(()))
    }

    fn spool_put(&self, lane: &str, number: u64, blob: Vec<u8>) {
        self.queue.write(Write::SpoolPut {
            lane: lane.to_owned(),
            number,
            blob,
        });
    }

    fn spool_next(&self, lane: &str, after: u64) -> Later<SpoolEntry> {
        let lane = lane.to_owned();
        self.ask(move |db| sql::spool_next(db, &lane, after).map_err(|e| sql::fault(&e)))
    }

    fn spool_remove(&self, lane: &str, upto: u64) {
        self.queue.write(Write::SpoolRemove {
            lane: lane.to_owned(),
            upto,
        });
    }

    fn keep(&self, user: &str, gateway: &str, name: &str, value: Option<Vec<u8>>) {
        self.queue.write(Write::Keep {
            owner: owner(user, gateway, name),
            value,
        });
    }

    fn kept(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Vec<u8>>, StoreFault>> {
        let owner = owner(user, gateway, name);
        self.ask(move |db| sql::kept(db, &owner).map_err(|e| sql::fault(&e)))
    }

    fn users(&self, gateway: &str) -> Later<Result<Vec<String>, StoreFault>> {
        let gateway = gateway.to_owned();
        self.ask(move |db| sql::users(db, &gateway).map_err(|e| sql::fault(&e)))
    }

    fn kept_under(
        &self,
        gateway: &str,
        prefix: &str,
    ) -> Later<Result<Vec<super::KeptValue>, StoreFault>> {
        let (gateway, prefix) = (gateway.to_owned(), prefix.to_owned());
        self.ask(move |db| sql::kept_under(db, &gateway, &prefix).map_err(|e| sql::fault(&e)))
    }

    fn seal(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
        secret: &Secret,
    ) -> Later<Result<(), StoreFault>> {
        let owner = owner(user, gateway, name);
        let sealed = match secret.is_empty() {
            true => Ok(None),
            false => self.key.seal(&owner, secret).map(Some),
        };
        self.ask(move |db| {
            sql::set_sealed(db, &owner, sealed?.as_deref()).map_err(|e| sql::fault(&e))
        })
    }

    fn unseal(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Secret>, StoreFault>> {
        let owner = owner(user, gateway, name);
        let key = Arc::clone(&self.key);
        self.ask(
            move |db| match sql::sealed(db, &owner).map_err(|e| sql::fault(&e))? {
                Some(sealed) => key.open_box(&owner, &sealed).map(Some),
                None => Ok(None),
            },
        )
    }

    fn instance_key(&self, label: &str) -> [u8; 32] {
        self.key.derive(label)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's thread ended by a panic");
        }
    }
}

fn owner(user: &str, gateway: &str, name: &str) -> Owner {
    Owner {
        user: user.to_owned(),
        gateway: gateway.to_owned(),
        name: name.to_owned(),
    }
}
