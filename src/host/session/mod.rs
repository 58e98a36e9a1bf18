//! One session: one user on one network, behind one gateway.
//!
//! The session's state is owned by one task (`task`), which feeds it three things in turn: stanzas
//! from the component (`stanzas`), events of the gateway (`events`), and the passing of time
//! (`clock`). What it has to say goes to the outbox; what it wants of the gateway is queued as
//! commands. Nothing here waits, reads a clock or opens a socket.
//!
//! What the user wants (his rooms and nickname) is kept here and asked for again after every
//! `Online`: a lost connection, a restart and a first start are one path.

mod acts;
mod asking;
mod avatar;
mod away;
mod base;
mod batch;
mod clock;
mod contacts;
mod displayed;
mod elsewhere;
mod ended;
mod events;
mod files;
mod gap;
mod govern;
mod heard;
mod inquiry;
mod invites;
mod iq;
pub(crate) mod lasting;
mod listing;
mod lookback;
mod looks;
mod messages;
mod pending;
mod person;
mod presences;
mod reads;
mod stanzas;
mod task;
mod typed;
mod wish;

pub(crate) use self::base::{Base, Link, Load, Origins};
use self::listing::Listing;
pub(crate) use self::pending::{Pending, Sent};
pub(crate) use self::task::SessionTask;
pub(crate) use self::wish::Wish;

use std::time::Duration;

use isthmus_gateway::Settings;

use crate::component::Mark;
use crate::host::chat::{Peers, Recent, Typing};
use crate::host::room::{Rooms, code};
use crate::host::words::Said;

/// How long a session without rooms is kept after the user last did something, for answers to
/// private messages.
const LINGER: Duration = Duration::from_secs(600);

/// How long it is kept after the last room was left.
const AFTER_ROOMS: Duration = Duration::from_secs(2);

/// The state of one session.
pub(crate) struct Session {
    pub(crate) base: Base,
    pub(crate) rooms: Rooms,
    pub(crate) peers: Peers,
    /// What the user said last.
    recent: Recent,
    /// Who types.
    typing: Typing,
    /// What the user asks for and the store has to be asked about.
    pub(crate) waiting: Option<acts::Waiting>,
    /// What the user says and waits for a file.
    pub(crate) fetching: files::Fetching,
    /// What others say and waits for a file.
    showing: files::Showing,
    /// What others do and the store has to be asked about.
    held: heard::Held,
    listing: Listing,
    /// Pictures that are fetched.
    looks: looks::Looks,
    /// How the user looks himself.
    own: avatar::Own,
    /// Whom the gateway watches.
    watching: contacts::Watching,
    /// What lasts, as it is on disk; `None`: not read yet.
    lasting: Option<lasting::Wanted>,
    /// What the gateway wants to find again, until it is sealed.
    keeping: Option<Vec<u8>>,
    /// What lasts, or whether the user is away, may have changed.
    unsettled: bool,
    moods: away::Moods,
    /// What is known of private messages, to miss none while the network is away.
    missed: gap::Missed,
    /// What the user's clients say that he has read is listened for (XEP-0490).
    follows_read: bool,
    /// Private messages were exchanged: the session outlives its rooms.
    private: bool,
    /// When the session had a room last.
    roomless: Option<std::time::Instant>,
}

impl Session {
    /// A session that knows nothing yet.
    pub(crate) fn new(base: Base) -> Self {
        Self {
            base,
            rooms: Rooms::default(),
            peers: Peers::default(),
            recent: Recent::default(),
            typing: Typing::default(),
            waiting: None,
            fetching: files::Fetching::default(),
            showing: files::Showing::default(),
            held: heard::Held::default(),
            listing: Listing::default(),
            looks: looks::Looks::default(),
            own: avatar::Own::default(),
            watching: contacts::Watching::default(),
            lasting: None,
            keeping: None,
            unsettled: false,
            moods: away::Moods::default(),
            missed: gap::Missed::default(),
            private: false,
            follows_read: false,
            roomless: None,
        }
    }

    /// The user has set something, or what he has set was read.
    fn settings(&mut self, settings: Settings) {
        let nothing = settings == Settings::default();
        self.base.settings = (!nothing).then(|| Box::new(settings));
        self.rooms.settings(&mut self.base);
        self.unsettled = true;
    }

    /// The stream is up again: what may not have arrived is told anew.
    pub(crate) fn stream_up(&mut self, confirmed: Mark) {
        self.rooms.stream_up(&self.base, confirmed);
    }

    /// Does what follows from who is in which room now. Whether anything did.
    fn settle(&mut self) -> bool {
        let unsettled = std::mem::take(&mut self.unsettled);
        if unsettled {
            self.keep_wanted();
            self.tell_mood();
            self.tell_avatar();
        }
        unsettled
    }

    /// Gives memory back that is not in use: the session waits.
    fn rest(&mut self) {
        self.base.rest();
        self.rooms.rest();
    }

    /// Everybody is told that it ends (XEP-0045 §17.3, status 332 for a shutdown).
    pub(crate) fn farewell(&mut self, shutdown: bool, text: &Said) {
        let text = text.within(self.base.lang(None));
        let code = if shutdown {
            code::SHUTDOWN
        } else {
            code::TECHNICAL
        };
        for room in self.rooms.iter_mut() {
            room.close(&self.base, code, text);
        }
    }
}
