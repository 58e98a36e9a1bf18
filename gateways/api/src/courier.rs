//! The store-and-forward face: durable jobs and what became of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Account, Address, Fault, Gateway, Key, Later, Outgoing, Uplink, User};

/// A durable row of the host's queue; an idempotency key for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

/// A message that waits on disk, leased to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job<'a> {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub user: User,
    /// His credentials and settings, where he has registered.
    pub account: Option<Account>,
    /// The recipients; reports count from 0 in this order.
    pub to: Vec<Address>,
    /// The message.
    #[serde(borrow)]
    pub message: Outgoing<'a>,
    /// How often it was handed out before.
    pub attempt: u16,
    /// What the gateway kept for this job.
    pub kept: Option<Vec<u8>>,
    /// What the gateway kept for this user and the first recipient.
    pub peer_kept: Option<Vec<u8>>,
}

/// What is known of one recipient's copy. Only ever moves forward, except from `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not sent; try again after so many milliseconds.
    Retry {
        /// Milliseconds.
        after: u64,
        /// Why.
        fault: Fault,
    },
    /// The next station took it.
    Accepted,
    /// The recipient has it.
    Delivered,
    /// The recipient read it.
    Read,
    /// It will not arrive.
    Failed(Fault),
    /// It was handed over and no answer came.
    Unknown,
}

/// What became of one recipient's copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which job.
    pub job: JobId,
    /// Which recipient, from 0.
    pub to: u16,
    /// The network's ids of it, one a part.
    pub keys: Vec<String>,
    /// What is known.
    pub state: State,
    /// What the gateway keeps for this job; `None` leaves it as it is. Taken with a state that is
    /// known already, too, and not with one that is too late.
    pub kept: Option<Vec<u8>>,
    /// What it keeps for this user and this recipient; `None` leaves it as it is.
    pub peer_kept: Option<Vec<u8>>,
}

impl Report {
    /// What is known of the copy of recipient `to`, without ids and without anything to keep.
    pub fn new(job: JobId, to: u16, state: State) -> Self {
        Self {
            job,
            to,
            keys: Vec::new(),
            state,
            kept: None,
            peer_kept: None,
        }
    }
}

/// What sending would mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Into how many parts it is cut.
    pub parts: u16,
    /// The encoding, for people.
    pub encoding: String,
    /// The price, for people, where known.
    pub price: Option<String>,
}

/// A gateway that takes durable jobs.
pub trait Courier: Gateway {
    /// Whether messages to that address are jobs; a gateway may have both faces.
    fn serves(&self, to: &Address) -> bool {
        let _ = to;
        true
    }

    /// The lane of a job: order is kept and concurrency bounded within one (an MX domain, a
    /// carrier and line). Pure.
    fn lane(&self, job: &Job<'_>) -> String;

    /// Jobs of a lane that are worth having at once; `None`: as many as the host gives. Pure.
    fn window(&self, lane: &str) -> Option<usize> {
        let _ = lane;
        None
    }

    /// What sending would mean. Pure.
    fn preview(&self, job: &Job<'_>) -> Result<Preview, Fault>;

    /// Takes a leased job. Calls [`Uplink::begin`] before the first byte that cannot be taken
    /// back, and [`Uplink::report`] for every recipient.
    fn submit(&self, job: Job<'static>, up: Arc<dyn Uplink>);

    /// Takes a job back that has not begun; true: it will not be sent.
    fn recall(&self, job: JobId) -> Later<bool>;

    /// The user's server has returned a message that was delivered inward, for good. `peer` is
    /// whom the delivery named for that, `key` the message's, `fault` begins with the XMPP
    /// condition. Called at most once for a message and user, and never for one with
    /// [`crate::Message::auto`]. `user.lang` is the operator's language: the sender's nobody knows.
    /// The default tells nobody.
    fn undeliverable(
        &self,
        user: User,
        peer: &Address,
        key: Key<'static>,
        fault: Fault,
        up: Arc<dyn Uplink>,
    ) {
        let _ = (user, peer, key, fault, up);
    }

    /// The user has read everything up to a message that was delivered inward: `key` is its, `peer`
    /// whom he read it from. Only called with [`crate::Caps::read`]. The default tells nobody.
    fn read(&self, user: User, peer: &Address, key: Key<'static>, up: Arc<dyn Uplink>) {
        let _ = (user, peer, key, up);
    }
}
