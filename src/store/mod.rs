//! What is kept on disk: archives, the outbound spool, settings, sealed secrets.
//!
//! Everything goes through [`Store`], which knows conversations, rows and blobs, never XML or
//! networks. [`SqliteStore`] is the implementation; the trait is object-safe and its futures
//! are boxed so that a database server can stand behind it as well.
//!
//! Calls take effect in the order in which they are made (not in the order in which their
//! futures are polled): a read sees every write that was queued before it, and an answer is
//! given only after everything before it is on disk.

pub mod archives;
pub mod contacts;
pub mod jobs;
mod seal;
mod sqlite;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use crate::secret::Secret;

pub use sqlite::{SqliteStore, TakeOver, TakeRow, TakenOver, Tell};

/// An answer that comes when it is on disk. Dropping it does not undo the call.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A conversation's number in this store; small, so that hot paths carry no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId(pub i64);

/// One user's conversation with one peer (a room or a person) on one gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// What [`Store::append`] and [`Store::rows`] take.
    pub id: ConversationId,
    /// The highest row number, 0 when it has no rows.
    pub last: i64,
}

/// One archived message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Assigned by the host; rises within a conversation, starts at 1.
    pub number: i64,
    /// The public stanza-id (XEP-0359) under which clients know it.
    pub id: String,
    /// When it was said, in milliseconds since the Unix epoch, UTC.
    pub at: i64,
    /// Who said it, as shown in the room.
    pub nick: String,
    /// The message's XML as it was sent, without `to`.
    pub stanza: Vec<u8>,
    /// Its id on the foreign network, where it has one.
    pub key: Option<String>,
}

/// What a foreign id refers to, for a message that passed a live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReference {
    /// Whose message: a bare JID.
    pub user: String,
    /// The gateway's domain.
    pub gateway: String,
    /// The conversation's address.
    pub peer: String,
    /// The foreign id.
    pub key: String,
    /// The id under which the user's clients know it.
    pub stanza: String,
    /// The user wrote it.
    pub mine: bool,
    /// When it may be forgotten, in milliseconds since the Unix epoch.
    pub until: i64,
}

/// A message that is known on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id on the foreign network.
    pub key: String,
    /// The id under which the user's clients know it.
    pub stanza: String,
    /// The user wrote it.
    pub mine: bool,
    /// Who said it, where it was said in a room.
    pub nick: Option<String>,
}

/// Which rows to read: the newest `newest` of those that the other three let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only rows with a higher number; 0 for all.
    pub after: i64,
    /// How many rows at most.
    pub newest: usize,
    /// Only rows said at or after this time, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Only rows up to this number, including it.
    pub until: Option<i64>,
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// The database refused: a full disk, a lock, a read error. Queued writes are kept.
    #[error("the database said: {what} ({advice})")]
    Database {
        /// SQLite's words.
        what: String,
        /// What an operator can do about it.
        advice: &'static str,
    },
    /// The database was written by a newer version of the program.
    #[error(
        "{path} has schema version {found}, this program knows versions up to {known}: \
         run the newer version, or restore the copy made before the upgrade"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The key file is missing, unsafe or not a key.
    #[error("key file {path}: {problem}")]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A sealed secret does not open: another key, or a changed row.
    #[error(
        "the sealed secret {name:?} does not open: the key file is another one, or the row was changed"
    )]
    Sealed {
        /// The secret's name.
        name: String,
    },
    /// Too many questions wait for answers.
    #[error("the store has too many requests waiting")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What the host keeps. See the module's words on order and durability.
pub trait Store: archives::Archives + contacts::Contacts + jobs::Jobs + Send + Sync {
    /// Finds a conversation, or makes it. Addresses are compared byte by byte: prepare them.
    fn conversation(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
    ) -> Later<Result<Conversation, StoreFault>>;

    /// Queues a row; never waits. A number that the conversation already has is dropped.
    fn append(&self, id: ConversationId, row: Row);

    /// Reads a page of rows, in ascending order of their numbers.
    fn rows(&self, id: ConversationId, page: Page) -> Later<Result<Vec<Row>, StoreFault>>;

    /// Queues what stands for a message that is archived, an element: what it said is gone then.
    fn rewrite(&self, id: ConversationId, stanza_id: &str, stone: Vec<u8>);

    /// Queues what a foreign id refers to, for a message that passed a live session.
    fn refer(&self, reference: NewReference);

    /// The message that a user's clients know by this id, in one conversation of his.
    fn known(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
        id: &str,
    ) -> Later<Result<Option<Known>, StoreFault>>;

    /// The stanza of a user that a foreign id refers to, in one conversation of his.
    fn known_by_key(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
        key: &str,
    ) -> Later<Result<Option<Known>, StoreFault>>;

    /// Bytes queued and not yet committed. A producer slows down by it: it stays high while
    /// the disk refuses.
    fn backlog(&self) -> usize;

    /// Writes that could not be kept since the start: refused by the schema, or queued beyond
    /// the ceiling while the disk refused. Each one was logged.
    fn lost(&self) -> u64;

    /// Resolves when everything queued before it is on disk, or with the fault that holds it up
    /// (what was queued is kept and tried again).
    fn synced(&self) -> Later<Result<(), StoreFault>>;

    /// Queues a blob in a lane (a component's domain). Numbers start at 1; the same number
    /// again replaces the blob.
    fn spool_put(&self, lane: &str, number: u64, blob: Vec<u8>);

    /// The blob with the lowest number above `after`.
    fn spool_next(&self, lane: &str, after: u64) -> Later<SpoolEntry>;

    /// Queues the removal of all blobs up to `upto`, including it.
    fn spool_remove(&self, lane: &str, upto: u64);

    /// Queues a value under a name; `None` removes it.
    fn keep(&self, user: &str, gateway: &str, name: &str, value: Option<Vec<u8>>);

    /// The value kept under a name.
    fn kept(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Vec<u8>>, StoreFault>>;

    /// Everything kept behind a gateway under a name that begins like this, with whose it is:
    /// user, name, value.
    fn kept_under(&self, gateway: &str, prefix: &str) -> Later<Result<Vec<KeptValue>, StoreFault>>;

    /// Keeps a secret, encrypted (ChaCha20-Poly1305, bound to user, gateway and name). An empty
    /// secret removes it.
    fn seal(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
        secret: &Secret,
    ) -> Later<Result<(), StoreFault>>;

    /// The secret kept under a name. A row that does not open is [`StoreFault::Sealed`].
    fn unseal(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Secret>, StoreFault>>;

    /// Users of whom a gateway has sealed an `account` or `settings`, in order.
    fn users(&self, gateway: &str) -> Later<Result<Vec<String>, StoreFault>> {
        let _ = gateway;
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// A key of this installation for one purpose: HKDF-SHA256 of the key file, the same for
    /// the same label as long as the key file lives.
    fn instance_key(&self, label: &str) -> [u8; 32];
}

/// A user, a name, and the value he keeps under it.
pub type KeptValue = (String, String, Vec<u8>);

/// What [`Store::spool_next`] answers: a number and its blob, or that there is none.
pub type SpoolEntry = Result<Option<(u64, Vec<u8>)>, StoreFault>;
