//! What the host asks of a session. Each command ends in exactly one `Event::Done` with its tag.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Blob, Key, Place, Ranks, Reply, RoomFlags, Span, Text, Time};

/// A message to the foreign network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing<'a> {
    /// Where it goes.
    #[serde(borrow)]
    pub to: Place<'a>,
    /// The text; may hold newlines whatever the network can do.
    pub body: Text<'a>,
    /// It tells what the sender does (`/me`).
    #[serde(default)]
    pub action: bool,
    /// How stretches of the text look.
    #[serde(default)]
    pub style: Cow<'a, [Span]>,
    /// What it answers.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply<'a>>,
    /// The thread it belongs to.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Text<'a>>,
    /// Its subject.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Text<'a>>,
    /// What is attached.
    #[serde(default)]
    pub blobs: Vec<Blob<'a>>,
}

impl<'a> Outgoing<'a> {
    /// A plain message.
    pub fn text(to: Place<'a>, body: impl Into<Text<'a>>) -> Self {
        Self {
            to,
            body: body.into(),
            action: false,
            style: Cow::Borrowed(&[]),
            reply: None,
            thread: None,
            subject: None,
            blobs: Vec::new(),
        }
    }
}

impl Outgoing<'_> {
    /// The same message, owning what it says.
    pub fn into_owned(self) -> Outgoing<'static> {
        let own = |text: Text<'_>| Text::Owned(text.into_owned());
        Outgoing {
            to: self.to.into_owned(),
            body: own(self.body),
            action: self.action,
            style: Cow::Owned(self.style.into_owned()),
            reply: self.reply.map(|reply| Reply {
                key: Key(own(reply.key.0)),
                who: own(reply.who),
            }),
            thread: self.thread.map(own),
            subject: self.subject.map(own),
            blobs: self.blobs.into_iter().map(Blob::into_owned).collect(),
        }
    }
}

/// What the host asks of a session.
///
/// What the user does to a message (`Edit`, `Retract`, `React`) is shown to him by the host when the
/// command ends well: no event follows for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command<'a> {
    /// Send a message. Where the network tells, `Event::Echo` comes before `Done`: the host shows
    /// the message to its sender then.
    Send(#[serde(borrow)] Outgoing<'a>),
    /// Change a sent message.
    Edit {
        /// Where it was sent.
        #[serde(borrow)]
        to: Place<'a>,
        /// Which one.
        key: Key<'a>,
        /// The new text.
        body: Text<'a>,
        /// It tells what the sender does (`/me`).
        #[serde(default)]
        action: bool,
        /// How stretches of the new text look.
        #[serde(default)]
        style: Cow<'a, [Span]>,
    },
    /// Take a message back: the user's own, or with `Caps::moderate` anybody's.
    Retract {
        /// Where it was sent.
        #[serde(borrow)]
        to: Place<'a>,
        /// Which one.
        key: Key<'a>,
        /// Why.
        #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
        reason: Option<Text<'a>>,
    },
    /// Replace the user's reactions to a message.
    React {
        /// Where the message stands.
        #[serde(borrow)]
        to: Place<'a>,
        /// Which one.
        key: Key<'a>,
        /// All reactions that now hold.
        with: Vec<Text<'a>>,
    },
    /// Tell that a message that asked for it (`Message::confirm`) has arrived.
    Delivered {
        /// Where it stands.
        #[serde(borrow)]
        to: Place<'a>,
        /// Which one.
        key: Key<'a>,
    },
    /// Tell that everything up to a message was read.
    Read {
        /// Where it stands.
        #[serde(borrow)]
        to: Place<'a>,
        /// The last one read.
        key: Key<'a>,
    },
    /// Tell whether the user is typing.
    Typing {
        /// Where.
        #[serde(borrow)]
        to: Place<'a>,
        /// Typing, or no longer.
        on: bool,
    },
    /// The user is away with this text, or back.
    Away {
        /// Why; `None` is back.
        #[serde(borrow)]
        text: Option<Text<'a>>,
    },
    /// The user looks so to others from now on (`Caps::avatar`). Told anew after each
    /// `Event::Online`, where he wants it.
    Avatar {
        /// Where anybody can fetch the picture; `None`: he has none.
        #[serde(borrow)]
        url: Option<Text<'a>>,
    },
    /// Begin or end watching a contact's presence.
    Watch {
        /// Whom.
        #[serde(borrow)]
        contact: Text<'a>,
        /// Begin, or end.
        on: bool,
    },
    /// Enter a room.
    Join {
        /// Which.
        #[serde(borrow)]
        room: Text<'a>,
        /// The wished nickname; where a network has one nickname for all rooms, the first counts.
        nick: Text<'a>,
        /// The room's password.
        #[serde(borrow)]
        password: Option<Text<'a>>,
    },
    /// Leave a room.
    Leave {
        /// Which.
        #[serde(borrow)]
        room: Text<'a>,
        /// Parting words.
        #[serde(borrow)]
        reason: Option<Text<'a>>,
    },
    /// Take another nickname.
    Nick {
        /// The wished one.
        #[serde(borrow)]
        nick: Text<'a>,
    },
    /// Set a room's subject.
    Subject {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// The new subject; empty removes it.
        text: Text<'a>,
    },
    /// Remove an occupant.
    Kick {
        /// From which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Whom.
        nick: Text<'a>,
        /// Why.
        #[serde(borrow)]
        reason: Option<Text<'a>>,
    },
    /// Give and take ranks.
    Rank {
        /// In which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Whose.
        nick: Text<'a>,
        /// Ranks to give.
        set: Ranks,
        /// Ranks to take.
        cleared: Ranks,
    },
    /// Ban, or lift a ban.
    Ban {
        /// In which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// A nickname or a pattern.
        whom: Text<'a>,
        /// Ban, or lift.
        on: bool,
        /// Why.
        #[serde(borrow)]
        reason: Option<Text<'a>>,
    },
    /// List the bans of a room.
    Bans {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
    },
    /// Invite somebody.
    Invite {
        /// To which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Whom.
        contact: Text<'a>,
        /// Why.
        #[serde(borrow)]
        reason: Option<Text<'a>>,
    },
    /// Ask to be let in, or to be given a voice.
    Knock {
        /// To which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Why.
        #[serde(borrow)]
        reason: Option<Text<'a>>,
    },
    /// Change a room's flags.
    Config {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// What shall hold.
        flags: RoomFlags,
        /// The password from now on, where `flags.password` is set; `None`: the one there is.
        #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
        password: Option<Text<'a>>,
    },
    /// Tell what holds for a room: `Event::Flags`, before `Done`. Asked where all of it must be
    /// known; who knows it answers at once.
    Flags {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
    },
    /// List rooms of the network.
    ListRooms {
        /// Words to search for.
        #[serde(borrow)]
        search: Option<Text<'a>>,
    },
    /// Look up what is known of a contact.
    Lookup {
        /// Whom.
        #[serde(borrow)]
        contact: Text<'a>,
    },
    /// Ask a contact's program something. `Event::Found` tells the answer under the label
    /// `answer`; who stays silent ends it in `FaultKind::TimedOut`.
    Query {
        /// Whom.
        #[serde(borrow)]
        contact: Text<'a>,
        /// What: `version`, `ping`, `time`, or a word of the network's own.
        what: Text<'a>,
    },
    /// Fetch missed messages. `Event::Past` tells each, the oldest first.
    History {
        /// Where. `Place::Network`: which people wrote privately or were written to; `Event::Found`
        /// tells each under the label `contact`.
        #[serde(borrow)]
        at: Place<'a>,
        /// After this time.
        after: Time,
        /// At most so many.
        max: u32,
    },
    /// Block a contact, or no longer.
    Block {
        /// Whom.
        #[serde(borrow)]
        contact: Text<'a>,
        /// Block, or no longer.
        on: bool,
    },
    /// A line in the network's own language.
    Raw {
        /// The line, without its end.
        #[serde(borrow)]
        line: Text<'a>,
    },
}

impl<'a> Command<'a> {
    /// Changes a message into plain text.
    pub fn edit(to: Place<'a>, key: Key<'a>, body: impl Into<Text<'a>>) -> Self {
        Self::Edit {
            to,
            key,
            body: body.into(),
            action: false,
            style: Cow::Borrowed(&[]),
        }
    }
}
