//! Durable messages in both directions, for store-and-forward networks.
//!
//! Outward, one recipient's copy of a message:
//!
//! ```text
//!              ┌────────── retry ──────────┐
//!              ▼                           │
//!   add ──▶ Queued ──begin──▶ Begun ───────┤──▶ Accepted ──▶ Delivered ──▶ Read
//!              │                 │         │     │  │
//!              │ recall          │ killed  │     │  └──▶ Failed
//!              ▼                 ▼         │     │ silence
//!           Recalled          (begun again)├──▶ Failed
//!                                          │     ▼
//!                                          └──▶ Unknown ──▶ any of the three others
//! ```
//!
//! Silence is the host's word, not a report: of a copy that the next station took, on a network
//! that confirms deliveries, nothing was heard in time. Its sender is not told, for nothing is
//! known; a receipt that comes later still counts, as long as the foreign ids are remembered.
//!
//! Each copy has its own outcome and its own retries. A message is handed out again when all copies
//! whose turn it was have been reported on and the first of those that wait is due; the others
//! cannot begin then.
//!
//! Only `Queued` and `Begun` are still to be sent; a process that was killed hands out both
//! again, so a copy can reach the network twice only if it was begun and not reported. Within one
//! hand-out a copy begins once. Each
//! change is committed before it is answered. What the sender is told (receipt, error) is written
//! in the same transaction, as an inbound stanza: he is told once, whatever is killed when. Only who
//! got a receipt for what the next station took is told once more if it comes back from there.
//!
//! Inward, a message is acknowledged to the foreign side after `deliver` has resolved, and its row
//! is removed after the XMPP server has proven to have the stanza.

use super::{Later, StoreFault};

/// How much waits behind one gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Copies that are to be sent.
    pub queued: u64,
    /// Copies that are being sent.
    pub begun: u64,
    /// Stanzas from the network that the XMPP server is not known to have.
    pub inbound: u64,
}

/// What is known of one recipient's copy, in the order in which it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyState {
    /// To be sent.
    Queued = 0,
    /// Being sent: beyond recall.
    Begun = 1,
    /// It was handed over and no answer came.
    Unknown = 2,
    /// The next station has it.
    Accepted = 3,
    /// The recipient has it.
    Delivered = 4,
    /// The recipient read it.
    Read = 5,
    /// It will not arrive.
    Failed = 6,
    /// It was taken back in time.
    Recalled = 7,
}

impl CopyState {
    /// All, by number.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Begun,
        Self::Unknown,
        Self::Accepted,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Recalled,
    ];

    /// Whether a report may move a copy from this state to that.
    pub fn may_become(self, to: Self) -> bool {
        match (self, to) {
            (Self::Read | Self::Failed | Self::Recalled, _) | (_, Self::Recalled) => false,
            // Back to the queue only from where it may not have been sent.
            (Self::Queued | Self::Begun, Self::Queued) => true,
            (_, Self::Queued | Self::Begun) => false,
            (Self::Delivered, Self::Failed) => false,
            (from, to) => to > from,
        }
    }
}

/// What a sender has been told of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// That its outcome is not known.
    Unknown = 1,
    /// That it arrived, at the next station at least. From there it may still come back.
    Arrived = 2,
    /// That it will not arrive: nothing follows.
    Failed = 3,
    /// That it was read.
    Read = 4,
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Whose: a bare JID.
    pub user: String,
    /// His number.
    pub number: i64,
    /// The gateway's domain.
    pub gateway: String,
    /// The id of the stanza.
    pub stanza_id: String,
    /// Recipients, opaque here.
    pub to: Vec<String>,
    /// Order is kept within one lane.
    pub lane: String,
    /// Where an answer goes, opaque here.
    pub origin: Vec<u8>,
    /// The message, opaque here.
    pub message: Vec<u8>,
    /// Now; milliseconds since 1970, as all times here.
    pub now: i64,
    /// When to give up.
    pub expires: i64,
}

/// A message that is still to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenJob {
    /// Its number, never given twice.
    pub id: u64,
    /// Whose: a bare JID.
    pub user: String,
    /// Its lane.
    pub lane: String,
    /// The id of the stanza.
    pub stanza_id: String,
    /// Where an answer goes.
    pub origin: Vec<u8>,
    /// The message.
    pub message: Vec<u8>,
    /// Recipients and their copies' states.
    pub copies: Vec<(String, CopyState)>,
    /// How often it was handed out.
    pub attempt: u16,
    /// When it is to be handed out.
    pub due: i64,
    /// When it was taken.
    pub created: i64,
    /// When to give up.
    pub expires: i64,
    /// What the gateway keeps for it.
    pub kept: Option<Vec<u8>>,
    /// What the gateway keeps for the user and the first recipient.
    pub peer_kept: Option<Vec<u8>>,
    /// Copies that were handed out and not reported on since.
    pub turn: Vec<u16>,
    /// Why it waits: what was said when it was last tried.
    pub fault: String,
}

/// What became of a copy.
#[derive(Clone, Debug)]
pub struct CopyReport {
    /// Which job.
    pub job: u64,
    /// Which copy, from 0.
    pub copy: u16,
    /// What is known now.
    pub state: CopyState,
    /// Foreign ids, one a part.
    pub keys: Vec<String>,
    /// Until when they are kept.
    pub until: i64,
    /// What the gateway keeps for the job; `None` leaves it.
    pub kept: Option<Vec<u8>>,
    /// What it keeps for user and recipient; `None` leaves it.
    pub peer_kept: Option<Vec<u8>>,
    /// Now.
    pub now: i64,
    /// With `Queued`: when to try again.
    pub due: i64,
    /// With `Queued`: why, in words.
    pub fault: String,
    /// What its sender is told, unless he has been told as much: a stanza.
    pub tell: Option<(Told, Vec<u8>)>,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It holds; the inbound stanza that tells, if one does.
    Changed(Option<u64>),
    /// It was known before, or contradicts what is known: nothing changed, except what the gateway
    /// keeps if it was known before.
    Stale,
    /// There is no such job or copy.
    Unknown,
}

/// What the queue has to do with a message after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// None of its copies is to be sent any more.
    Over,
    /// It was handed out and no copy is out any more: it waits until then.
    Waits(i64),
    /// Nothing.
    Same,
}

/// Makes a report once it is known how the message stands; `None`: there is nothing to report.
/// Runs between other work of the store: it must be quick, and hold nothing that holds the store.
pub type MakeReport = Box<dyn FnOnce(&OpenJob) -> Option<CopyReport> + Send>;

/// What came of taking a message back, or changing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recall {
    /// In time, for this message.
    Done(u64),
    /// In time for some copies of this message; to these recipients the others had begun.
    Partly(u64, Vec<String>),
    /// It had begun.
    TooLate,
    /// There is no such message.
    Unknown,
}

/// A message for a user.
#[derive(Clone, Debug)]
pub struct Inward {
    /// His number.
    pub number: i64,
    /// The same for the same message.
    pub dedup: String,
    /// Until when a second one is recognised.
    pub until: i64,
    /// The stanza.
    pub stanza: Vec<u8>,
    /// The stanza's id, for references to it.
    pub stanza_id: String,
    /// The foreign id, where there is one.
    pub key: Option<String>,
    /// The peer it is from, for what is kept.
    pub peer: String,
    /// What the gateway keeps for user and peer; `None` leaves it.
    pub peer_kept: Option<Vec<u8>>,
    /// Whom to tell if it comes back; `None`: nobody.
    pub returns: Option<String>,
}

/// Stanzas with their numbers.
pub type Numbered = Vec<(u64, Vec<u8>)>;

/// What a foreign id refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Whose: his number.
    pub number: i64,
    /// The stanza's id.
    pub stanza: String,
    /// The job, if it was sent from here.
    pub job: Option<u64>,
    /// Which copy, from 0.
    pub copy: u16,
    /// Which part, from 0.
    pub part: u16,
    /// What the gateway keeps for the job.
    pub kept: Option<Vec<u8>>,
}

/// A stanza for a user that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The foreign id.
    pub key: String,
    /// Whom to tell, as in [`Inward::returns`].
    pub to: String,
}

/// A message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Its number.
    pub id: u64,
    /// When it is to be handed out.
    pub due: i64,
}

/// What waits first in a lane, those due first in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePage {
    /// Its name.
    pub lane: String,
    /// What waits.
    pub waits: Vec<Waits>,
    /// There may be more.
    pub more: bool,
}

/// A look at lanes, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The first name, or what comes before it.
    pub from: String,
    /// Lanes with something due by now are read.
    pub now: i64,
    /// Lanes that are looked at, at most.
    pub lanes: usize,
    /// Messages that are read of one, at most.
    pub page: usize,
    /// Messages after which no further lane is read.
    pub most: usize,
}

/// A due time that says: changed since it was last handed out. It is due at once, too.
pub(crate) const CHANGED: i64 = -1;

/// What a look at lanes has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Those with something due.
    pub due: Vec<LanePage>,
    /// When the first of the others is due.
    pub later: Option<i64>,
    /// Where the next look begins; `None`: all have been looked at.
    pub next: Option<String>,
}

/// Durable messages. Each call is one transaction, committed before it is answered.
pub trait Jobs: Send + Sync {
    /// Takes a message; resolves to its number.
    fn job_add(&self, job: NewJob) -> Later<Result<u64, StoreFault>>;

    /// What waits in the lanes of a gateway, lane by lane; without contents.
    fn lanes_open(&self, gateway: &str, sweep: Sweep) -> Later<Result<Lanes, StoreFault>>;

    /// What waits first in each of these lanes, at most so many each, those due first in front;
    /// what is handed out is among it.
    fn lane_fronts(
        &self,
        gateway: &str,
        lanes: Vec<(String, usize)>,
    ) -> Later<Result<Vec<LanePage>, StoreFault>>;

    /// One message, whether it is still to be sent or not.
    fn job(&self, id: u64) -> Later<Result<Option<OpenJob>, StoreFault>>;

    /// Those of these messages that are still to be sent, in that order, with one more attempt
    /// counted; one commit for all.
    fn jobs_lease(&self, ids: Vec<u64>) -> Later<Result<Vec<OpenJob>, StoreFault>>;

    /// The point of no return of a copy, with its foreign ids; false: it was taken back, or has
    /// begun since it was handed out last.
    fn copy_begin(
        &self,
        job: u64,
        copy: u16,
        keys: Vec<String>,
        until: i64,
    ) -> Later<Result<bool, StoreFault>>;

    /// Takes a report on a copy of this message.
    fn report_on(&self, job: u64, make: MakeReport) -> Later<Result<(Reported, Next), StoreFault>>;

    /// Takes back the message of a stanza to these recipients, in whatever order, and no others.
    fn recall(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
        to: Vec<String>,
    ) -> Later<Result<Recall, StoreFault>>;

    /// Takes back the message with that number, if it is that user's.
    fn recall_job(&self, user: &str, gateway: &str, job: u64) -> Later<Result<Recall, StoreFault>>;

    /// Changes the message of a stanza to these recipients that has not begun.
    fn change(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
        to: Vec<String>,
        message: Vec<u8>,
    ) -> Later<Result<Recall, StoreFault>>;

    /// Messages of one user that are still to be sent, oldest first; behind them those of which
    /// it is not known whether they arrived.
    fn jobs_of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> Later<Result<Vec<OpenJob>, StoreFault>>;

    /// Takes messages for users; for each the number of the inbound stanza, `None` if it had been
    /// taken before.
    fn deliver(
        &self,
        gateway: &str,
        batch: Vec<Inward>,
    ) -> Later<Result<Vec<Option<u64>>, StoreFault>>;

    /// Inbound stanzas with numbers above `after`, by number.
    fn inbound(
        &self,
        gateway: &str,
        after: u64,
        most: usize,
    ) -> Later<Result<Numbered, StoreFault>>;

    /// Inbound stanzas that have arrived.
    fn inbound_done(&self, ids: Vec<u64>) -> Later<Result<(), StoreFault>>;

    /// What a foreign id refers to.
    fn reference(&self, gateway: &str, key: &str) -> Later<Result<Option<Reference>, StoreFault>>;

    /// The foreign ids of a stanza of that user.
    fn keys_of(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
    ) -> Later<Result<Vec<String>, StoreFault>>;

    /// Whom to tell that this stanza for a user came back, and its foreign id: told once, then
    /// forgotten.
    fn returned(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
    ) -> Later<Result<Option<Returned>, StoreFault>>;

    /// Makes a user's number known; the number is derived from the JID by the caller.
    fn user_add(&self, user: &str, number: i64) -> Later<Result<(), StoreFault>>;

    /// The user behind a number.
    fn user_of(&self, number: i64) -> Later<Result<Option<String>, StoreFault>>;

    /// How much of a gateway's waits. A store that cannot tell says nothing waits.
    fn queue_depth(&self, gateway: &str) -> Later<Result<Depth, StoreFault>> {
        let _ = gateway;
        Box::pin(std::future::ready(Ok(Depth::default())))
    }

    /// Ends the waiting for news of copies that were accepted before that time; how many.
    fn end_silence(&self, gateway: &str, before: i64, now: i64)
    -> Later<Result<usize, StoreFault>>;

    /// Forgets what is past its time.
    fn forget_past(&self, now: i64) -> Later<Result<(), StoreFault>>;
}

#[cfg(test)]
mod tests {
    use super::CopyState::*;
    use super::*;

    #[test]
    fn a_copy_only_moves_forward() {
        for from in CopyState::ALL {
            for to in CopyState::ALL {
                let may = from.may_become(to);
                let expected = match from {
                    Queued | Begun => to != Recalled && to != Begun,
                    Unknown => to > Unknown && to != Recalled,
                    Accepted => matches!(to, Delivered | Read | Failed),
                    Delivered => to == Read,
                    Read | Failed | Recalled => false,
                };
                assert_eq!(may, expected, "{from:?} to {to:?}");
            }
        }
    }
}
