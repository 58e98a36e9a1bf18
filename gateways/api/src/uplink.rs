//! What a gateway asks of the host.

use std::io;

use serde::{Deserialize, Serialize};

use crate::{Address, JobId, Key, Later, Message, Report, UserId};

/// By what a foreign sender knows a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handle {
    /// His name and server.
    Jid {
        /// Name, unescaped.
        local: String,
        /// Server.
        domain: String,
    },
    /// A claimed alias.
    Alias(String),
    /// A line (a phone number) he may share with others.
    Line(String),
}

/// A message inward, for one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery<'a> {
    /// For whom.
    pub user: UserId,
    /// The same for the same message, however often the network hands it over.
    pub dedup: String,
    /// The conversation it belongs to.
    pub peer: Address,
    /// The message.
    #[serde(borrow)]
    pub message: Message<'a>,
    /// What the gateway keeps for this user and peer, in the same transaction; `None` leaves it as
    /// it is.
    pub peer_kept: Option<Vec<u8>>,
    /// Whom [`crate::Courier::undeliverable`] names if the user's server does not take it; `None`:
    /// the peer. Of a message without a key or with `auto` nobody is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Address>,
}

/// The message is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// For the first time.
    Fresh,
    /// It was there before.
    Again,
}

/// Why the host will not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such user, job or thing.
    Unknown,
    /// The user or the operator does not want it.
    Unwanted(String),
    /// Full or overloaded: later may do.
    Later(String),
}

/// What a foreign id refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// Whose it is.
    pub user: UserId,
    /// The job it was sent by; `None`: it came from the network.
    pub job: Option<JobId>,
    /// The stanza's id.
    pub stanza: String,
    /// Which part, from 0.
    pub part: u16,
    /// Which recipient, from 0.
    pub recipient: u16,
    /// What the gateway keeps for the job.
    #[serde(default)]
    pub kept: Option<Vec<u8>>,
}

/// Writes an attachment into the host's store.
pub trait BlobWriter: Send {
    /// Adds bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Ends it and tells its URL.
    fn finish(self: Box<Self>) -> Later<io::Result<String>>;
}

/// What a gateway asks of the host.
pub trait Uplink: Send + Sync {
    /// The users behind a handle, for a message from `from`.
    fn find(&self, handle: Handle, from: &Address) -> Later<Result<Vec<UserId>, Refusal>>;

    /// Takes messages inward; resolves after they are on disk, one result a delivery. With
    /// `all_or_none` one refusal refuses all.
    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>>;

    /// The durable point of no return of one recipient's copy, with the ids it will bear; false:
    /// it was taken back in time, or has begun since it was handed out, and must not be sent.
    fn begin(&self, job: JobId, to: u16, keys: Vec<String>) -> Later<bool>;

    /// Tells what became of one recipient's copy.
    fn report(&self, report: Report) -> Later<Result<(), Refusal>>;

    /// What a foreign id refers to: of this user, or of any where the network's word names none (a
    /// carrier's receipt, a bounce).
    fn resolve(&self, user: Option<UserId>, key: Key<'_>) -> Later<Option<Ref>>;

    /// Keeps a value of the gateway's own under a name, over restarts; `None` removes it.
    /// Resolves when it is on disk. Calls take effect in their order, whenever they are waited
    /// for: what is asked for later is not on disk before it.
    fn keep(&self, name: &str, value: Option<Vec<u8>>) -> Later<Result<(), Refusal>>;

    /// The value kept under a name.
    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>>;

    /// Opens an attachment for writing.
    fn store_blob(&self, name: &str, mime: &str) -> Box<dyn BlobWriter>;

    /// The bytes of an attachment of a job, by its URL. The default knows of none.
    ///
    /// # Errors
    ///
    /// `Unsupported`: it is a link, which is not the host's. `NotFound`: it is kept no longer.
    fn read_blob(&self, url: &str) -> Later<io::Result<Vec<u8>>> {
        let _ = url;
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    /// A key of this deployment that never changes, for tokens and ids.
    fn secret(&self, label: &str) -> [u8; 32];
}
