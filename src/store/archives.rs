//! What an archive is asked for, and how it is kept small (XEP-0313).
//!
//! Ids have no index: each message would pay for it, and few are ever asked for. Who looks for one
//! walks back from the newest, a stretch at a time, so that writers wait for a stretch at most.

use super::{ConversationId, Later, Row, StoreFault};

/// Rows that are counted at most; beyond it a count is not worth its time.
pub const COUNTED: usize = 20_000;

/// A message for the archive of a conversation; the store gives it its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Whose archive: a bare JID.
    pub user: String,
    /// The gateway's domain.
    pub gateway: String,
    /// The conversation's address.
    pub peer: String,
    /// The message; its number is not looked at.
    pub row: Row,
}

/// Rows of a conversation, between two numbers and two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Only rows with a higher number.
    pub after: i64,
    /// Only rows with a lower number.
    pub before: i64,
    /// Only rows said at or after this time, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Only rows said at or before this time.
    pub until: Option<i64>,
}

impl Stretch {
    /// Everything.
    pub const ALL: Self = Self {
        after: 0,
        before: i64::MAX,
        since: None,
        until: None,
    };
}

/// What one look for ids has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Numbers of rows and their ids.
    pub found: Vec<(i64, String)>,
    /// The next look goes on below this number; `None`: there is nothing below.
    pub below: Option<i64>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows said before this time go; milliseconds since the Unix epoch.
    pub before: Option<i64>,
    /// Rows of a conversation beyond these go, the oldest first.
    pub rows: Option<i64>,
    /// Rows that go in one step, at most.
    pub step: usize,
}

/// A conversation of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The peer's address.
    pub peer: String,
    /// Its number.
    pub id: ConversationId,
}

/// Archives, as they are asked. Addresses are compared byte by byte: prepare them.
pub trait Archives: Send + Sync {
    /// Queues a message; never waits.
    fn file(&self, filed: Filed);

    /// Queues other XML for an archived message: what it said is gone then.
    fn bury(&self, user: &str, gateway: &str, peer: &str, stanza_id: &str, stanza: Vec<u8>);

    /// Conversations of a user that have an archive; with `peer`, that one alone.
    fn archives(
        &self,
        user: &str,
        gateway: &str,
        peer: Option<&str>,
    ) -> Later<Result<Vec<Kept>, StoreFault>>;

    /// The same, all of them, those of the latest messages first.
    fn lately(&self, user: &str, gateway: &str) -> Later<Result<Vec<Kept>, StoreFault>>;

    /// Rows of a stretch, at most so many: the newest or the oldest, in ascending order.
    fn stretch(
        &self,
        id: ConversationId,
        stretch: Stretch,
        newest: bool,
        most: usize,
    ) -> Later<Result<Vec<Row>, StoreFault>>;

    /// How many rows a stretch has; no more than [`COUNTED`] and one are counted.
    fn count(&self, id: ConversationId, stretch: Stretch) -> Later<Result<usize, StoreFault>>;

    /// Looks for ids among so many rows below a number.
    fn look(
        &self,
        id: ConversationId,
        ids: Vec<String>,
        below: i64,
        most: usize,
    ) -> Later<Result<Looked, StoreFault>>;

    /// One step of keeping a gateway's archives within bounds, from a conversation on; where the
    /// next step begins, `None`: all have been seen.
    fn prune(
        &self,
        gateway: &str,
        from: i64,
        bounds: Bounds,
    ) -> Later<Result<Option<i64>, StoreFault>>;

    /// Removes rows of a conversation, at most so many; how many it were.
    fn erase(&self, id: ConversationId, most: usize) -> Later<Result<usize, StoreFault>>;
}
