//! What becomes of a command's end: one entry for each open command.

use crate::host::reply::Origin;
use crate::host::room::Ban;
use crate::host::setting::Keeping;
use crate::xmpp::element::Element;

/// A message of the user's that the network has not shown yet.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Where an error goes.
    pub(crate) origin: Origin,
    /// The stanza as it came, to reflect.
    pub(crate) stanza: Element,
    /// The folded name of the room it is for; `None`: private.
    pub(crate) room: Option<Box<[u8]>>,
    /// The conversation's address.
    pub(crate) peer: String,
    /// Its sender gets a receipt when the network has taken it.
    pub(crate) confirm: bool,
    /// The foreign id of the message it takes back, if it does.
    pub(crate) takes_back: Option<String>,
    /// It was reflected.
    pub(crate) reflected: bool,
}

/// What becomes of a command's end.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// A message: reflect it, or tell its sender that it failed.
    Message(Box<Sent>),
    /// An entrance: on failure everybody who waits at the door is told.
    Join {
        /// The room's folded name.
        room: Box<[u8]>,
    },
    /// A leave: somebody may have come back meanwhile.
    Leave {
        /// The room's folded name.
        room: Box<[u8]>,
    },
    /// A subject: told to its sender if it fails.
    Subject {
        /// Where an error goes.
        origin: Origin,
        /// The room's folded name.
        room: Box<[u8]>,
    },
    /// Something that is told to its sender only if it fails.
    Quiet(Origin),
    /// What holds for a room, by a form; answered either way, and after the user's settings that
    /// stood in it are `kept`.
    Config {
        origin: Origin,
        kept: Option<Keeping>,
    },
    /// The same, for who registers with a room (XEP-0045 §7.10).
    Register(Origin),
    /// The same, for somebody's message that is taken back (XEP-0425).
    Moderate {
        /// Where the answer goes.
        origin: Origin,
        /// The room's folded name.
        room: Box<[u8]>,
        /// The message's id on the network.
        key: String,
        /// The id it was named by: its own, or one of what corrects it.
        named: String,
        /// Why.
        reason: Option<String>,
    },
    /// What holds for a room, which a request about its configuration waits for.
    Configured(Box<super::govern::Configured>),
    /// One of the commands of a request; the last is answered.
    Share {
        /// Which request.
        batch: u32,
        /// The room's folded name.
        room: Box<[u8]>,
        /// The folded name of whom it is about.
        whom: Box<[u8]>,
    },
    /// A list of bans.
    Bans {
        /// Who asks.
        origin: Origin,
        /// What was found so far.
        found: Vec<Ban>,
    },
    /// What was said in a room while the network was away.
    History {
        /// The room's folded name.
        room: Box<[u8]>,
    },
    /// What was said privately while the network was away.
    Missed {
        /// By whom; `None`: who wrote at all.
        whom: Option<Box<str>>,
    },
    /// A question about a person.
    Inquiry(Box<super::inquiry::Inquiry>),
    /// A list of rooms.
    Rooms,
    /// A contact to be watched, by name.
    Watch(Box<str>),
    /// How the user looks to others (`avatar`).
    Avatar,
    /// Nobody waits for it.
    Nothing,
}

/// An open command.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// What becomes of its end.
    pub(crate) pending: Pending,
    /// It ended as sent, and is kept only in case it fails after all.
    pub(crate) doubtful: bool,
}
