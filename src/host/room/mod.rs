//! XEP-0045 (1.35) as a service: one room of one user.
//!
//! A room is what this user's own connection sees of a foreign room: its occupants, subject and
//! messages. All resources of the user share it and each has a cursor: how much of the room it
//! has been shown.
//!
//! ```text
//!   Waiting ──joined, names complete──▶ Occupants(from) ──all shown──▶ History ──loaded──▶ Live
//!      ▲  the network has not let us        │  own presence last          │  subject last
//!      │  in yet                            ▼                             ▼
//!      └──── the network is gone; the stream broke in the middle: shown again from the start
//! ```
//!
//! A change is told at once to whom the cursor has passed; whom it has not passed will see the
//! outcome when it gets there. So joining, catching up after a broken stream and resuming are one
//! thing, and a room of 5,000 is never one burst under one lock.

mod acts;
mod admin;
mod config;
mod cursor;
mod entrance;
mod exit;
mod gap;
mod identity;
mod lasting;
mod lists;
mod members;
mod occupants;
mod presence;
mod rooms;
mod subject;
mod talk;
mod told;
pub(crate) mod voice;

#[cfg(all(test, feature = "loopback"))]
mod tests;

use std::sync::Arc;

use isthmus_gateway::{Kind, RoomFlags, Tag};

pub(crate) use self::admin::person;
pub(crate) use self::cursor::{Cursor, HistoryWish};
pub(crate) use self::entrance::Entrance;
pub(crate) use self::identity::{Identity, OccupantId};
use self::lasting::Restored;
pub(crate) use self::lists::{Ban, answer_bans};
use self::occupants::Occupants;
pub(crate) use self::presence::{code, turn_stranger_out};
pub(crate) use self::rooms::Rooms;
pub(crate) use self::subject::Subject;
pub(crate) use self::talk::Echo;
use self::told::Told;
use crate::component::Mark;
use crate::host::ids::Ids;
use crate::host::names::{Names, NickId};
use crate::host::picture::Portrait;
use crate::host::words::Lang;
use crate::store::{Conversation, ConversationId};

/// Whether one of that kind can be entered.
pub(crate) fn is_room(kind: Kind) -> bool {
    matches!(kind, Kind::Room | Kind::Group)
}

/// How far the user's connection is in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Wanted; the network is not there, or not any more.
    Wanted,
    /// Asked for.
    Entering(Tag),
    /// In; the names are still being listed.
    Listing,
    /// In.
    Inside,
    /// Leaving.
    Leaving,
}

/// One resource of the user in the room.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Its full JID.
    pub(crate) jid: String,
    /// The nickname it asked for.
    pub(crate) wished: String,
    /// The id of its entrance, for an error, until it is in.
    pub(crate) entrance: Option<String>,
    /// In which language it is answered.
    pub(crate) lang: Lang,
    /// What it wants to see of the past.
    pub(crate) history: HistoryWish,
    /// The archive's row up to which it has been shown what was said; `None`: nothing yet.
    pub(crate) seen: Option<i64>,
    /// It may know occupants its cursor has not passed: it is being shown the room once more.
    pub(crate) again: bool,
    /// It has not been shown the subject, or not the present one.
    pub(crate) subject_owed: bool,
    /// How much of the room it has been shown.
    pub(crate) cursor: Cursor,
    /// Behind which its entrance was told; unconfirmed at a cut, it is told anew.
    pub(crate) shown: Mark,
    /// The stream was cut and it has given no sign of life since: what it is sent may go nowhere,
    /// and not every server says so.
    pub(crate) doubtful: bool,
}

/// The archive of a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Archive {
    /// Which conversation.
    pub(crate) id: ConversationId,
    /// The highest row.
    pub(crate) last: i64,
    /// The highest row some resource has been shown and did not bounce.
    pub(crate) heard: i64,
}

impl Archive {
    fn new(conversation: &Conversation) -> Self {
        let (id, last) = (conversation.id, conversation.last);
        let heard = last;
        Self { id, last, heard }
    }
}

/// One of the newest messages.
#[derive(Clone, Copy, Debug)]
struct Recent {
    /// A hash of its id.
    id: u64,
    /// A hash of its public id.
    public: u64,
    /// A hash of its author's occupant id.
    author: u64,
    /// Its row in the archive.
    row: i64,
    /// Behind what it was shown, if it was.
    shown: Option<Mark>,
}

/// One room of one user.
#[derive(Debug)]
pub(crate) struct Room {
    /// The network's spelling of its name.
    pub(crate) name: String,
    /// Its folded name.
    pub(crate) key: Box<[u8]>,
    /// Its escaped localpart.
    pub(crate) local: String,
    pub(crate) phase: Phase,
    pub(crate) password: Option<String>,
    pub(crate) occupants: Occupants,
    /// Names while they are being listed.
    shadow: Option<Occupants>,
    pub(crate) subject: Subject,
    pub(crate) flags: RoomFlags,
    /// How it looks.
    pub(crate) portrait: Portrait,
    pub(crate) resources: Vec<Resource>,
    pub(crate) archive: Option<Archive>,
    /// Whether it has an archive is known by now.
    archive_known: bool,
    /// What was said before that.
    early: Vec<(crate::store::Row, Recent)>,
    told: Told,
    /// The user's own former nicknames, the newest last: one may have to be told anew.
    former: Vec<Arc<str>>,
    ids: Ids,
    pub(crate) identity: Identity,
    /// Subjects the user has set that the network has not shown yet, oldest first.
    asked_subjects: Vec<subject::Asked>,
    /// The newest messages, to find what bounced and what had arrived when the stream was cut.
    recent: std::collections::VecDeque<Recent>,
    /// The network has let the user in and nobody put him out.
    entered: bool,
    /// It did not let him in again for now.
    retry: Option<lasting::Retry>,
    /// What of its archive was shown before the program was started.
    restored: Option<Restored>,
    /// When the last message was said, in milliseconds since 1970; 0: none is known of.
    last_said: i64,
    /// The public id of the message up to which the user was last said to have read.
    read_up_to: Option<Box<str>>,
    /// The network was away: what was said since this time was missed.
    missed_since: Option<i64>,
    /// Up to when the last gap was filled before nobody answered any more: if the network turns out
    /// to be gone, what was missed since then still is.
    unanswered: Option<i64>,
    /// It is being fetched.
    gap: Option<gap::Gap>,
    /// When a room nobody sits in any more is left.
    pub(crate) leave_at: Option<std::time::Instant>,
}

impl Resource {
    /// Whether it may think that this occupant is here.
    fn may_know(&self, id: NickId) -> bool {
        self.cursor.has_passed(id) || (self.again && self.cursor != Cursor::Waiting)
    }
}

impl Room {
    pub(crate) fn new(
        name: &str,
        key: Box<[u8]>,
        local: String,
        names: &Names,
        (ids, identity): (Ids, Identity),
    ) -> Self {
        Self {
            name: name.to_owned(),
            key,
            local,
            phase: Phase::Wanted,
            password: None,
            occupants: Occupants::new(names.clone()),
            shadow: None,
            subject: Subject::default(),
            flags: RoomFlags::default(),
            portrait: Portrait::Unknown,
            resources: Vec::new(),
            archive: None,
            archive_known: false,
            early: Vec::new(),
            told: Told::default(),
            former: Vec::new(),
            ids,
            identity,
            asked_subjects: Vec::new(),
            recent: std::collections::VecDeque::new(),
            entered: false,
            retry: None,
            restored: None,
            last_said: 0,
            read_up_to: None,
            missed_since: None,
            unanswered: None,
            gap: None,
            leave_at: None,
        }
    }

    /// Whether that full JID has been let in.
    pub(crate) fn has_entered(&self, jid: &str) -> bool {
        self.resources
            .iter()
            .any(|r| r.jid == jid && r.cursor != Cursor::Waiting)
    }
}
