//! What a session tells the host. Events are passed by reference while the session's buffers still
//! hold the bytes: the host copies what it keeps.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Caps, Dialog, Facts, Fault, Key, Message, Picture, Place, Ranks, RoomFlags, Tag, Text, Time,
    Who, Words,
};

/// How a command ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was handed to the network, which may still refuse: `Event::Failed` can follow.
    Sent,
    /// The network took it.
    Accepted,
    /// The command was not a message and is done.
    Finished,
}

/// One occupant in a list of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name<'a> {
    /// Who.
    #[serde(borrow)]
    pub who: Who<'a>,
    /// The ranks held.
    #[serde(default)]
    pub ranks: Ranks,
}

/// A change of one occupant's ranks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankChange<'a> {
    /// Whose.
    #[serde(borrow)]
    pub nick: Text<'a>,
    /// Given.
    pub set: Ranks,
    /// Taken.
    pub cleared: Ranks,
}

/// Why somebody left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// By his own will.
    Parted,
    /// He left the network.
    Quit,
    /// Somebody removed him.
    Kicked,
    /// Somebody banned him.
    Banned,
    /// Servers of the network lost each other: he will be back.
    Split,
    /// He lost the standing that being here takes.
    Dismissed,
    /// The room is for members only now, and he is none.
    Closed,
}

/// Somebody left: one event, however many rooms and people it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left<'a> {
    /// The room; `None`: every room he is in.
    #[serde(borrow)]
    pub room: Option<Text<'a>>,
    /// Who left.
    pub nicks: Cow<'a, [Text<'a>]>,
    /// Why.
    pub why: Why,
    /// Who removed him.
    #[serde(default, borrow)]
    pub by: Option<Text<'a>>,
    /// Parting words or the reason.
    #[serde(default, borrow)]
    pub text: Option<Text<'a>>,
}

/// What a session tells the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The network can be spoken to. The host issues again what the user wants.
    Online(Facts),
    /// The network cannot be spoken to. Open commands have been ended before this.
    Offline {
        /// Why.
        fault: Fault,
        /// Milliseconds until the session tries again by itself; `None`: never.
        retry: Option<u64>,
    },
    /// What can be expressed at a place (or on the whole network) has changed.
    Caps {
        /// Where; `None`: everywhere.
        #[serde(borrow)]
        at: Option<Place<'a>>,
        /// What.
        caps: Caps,
    },
    /// A command has ended.
    Done {
        /// Which.
        tag: Tag,
        /// How.
        result: Result<Outcome, Fault>,
    },
    /// A command that ended in [`Outcome::Sent`] failed after all.
    Failed {
        /// Which.
        tag: Tag,
        /// Why.
        fault: Fault,
    },
    /// The network shows the user's own message in its place: it is reflected now.
    Echo {
        /// The command that sent it.
        tag: Tag,
        /// The network's ids of it, one a part.
        #[serde(borrow)]
        keys: Cow<'a, [Key<'a>]>,
        /// The network's time of it.
        time: Option<Time>,
        /// The text as the network changed it.
        #[serde(borrow)]
        altered: Option<Text<'a>>,
    },
    /// Somebody says something.
    Message(#[serde(borrow)] Message<'a>),
    /// Somebody changed what he said.
    Edit {
        /// The changed message.
        #[serde(borrow)]
        key: Key<'a>,
        /// The message as it is now.
        message: Message<'a>,
    },
    /// Somebody took a message back.
    Retract {
        /// Where it stood.
        #[serde(borrow)]
        at: Place<'a>,
        /// Which.
        key: Key<'a>,
        /// Who took it back.
        by: Who<'a>,
        /// Why.
        text: Option<Text<'a>>,
    },
    /// Somebody's reactions to a message are now these.
    React {
        /// Where it stands.
        #[serde(borrow)]
        at: Place<'a>,
        /// Which.
        key: Key<'a>,
        /// Who reacts.
        who: Who<'a>,
        /// All reactions that now hold.
        with: Vec<Text<'a>>,
    },
    /// The user's message has reached who it was for.
    Delivered {
        /// Where it was sent.
        #[serde(borrow)]
        at: Place<'a>,
        /// Which.
        key: Key<'a>,
    },
    /// Somebody has read everything up to a message.
    Read {
        /// Where it stands.
        #[serde(borrow)]
        at: Place<'a>,
        /// Which.
        key: Key<'a>,
        /// Who.
        who: Who<'a>,
    },
    /// Somebody types, or no longer.
    Typing {
        /// Where.
        #[serde(borrow)]
        at: Place<'a>,
        /// Who.
        who: Who<'a>,
        /// Types, or no longer.
        on: bool,
    },
    /// A watched contact's presence.
    Contact {
        /// Whose.
        #[serde(borrow)]
        contact: Text<'a>,
        /// Reachable.
        online: bool,
        /// Away, with this text.
        away: Option<Text<'a>>,
        /// When he last did something, where the network tells and it was not just now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Time>,
    },
    /// How somebody or something looks: a watched contact, an occupant of a room the user is in, or
    /// such a room. Told behind what makes him known (`Contact`, `Names`, `Joined`), anew after each
    /// `Online`, and when it changes.
    Picture {
        /// Whose.
        #[serde(borrow)]
        at: Place<'a>,
        /// The picture; `None`: there is none.
        picture: Option<Picture<'a>>,
    },
    /// The same, as a link: the host fetches the picture, each link once for all users, by `https`
    /// from the public internet, if the operator lets it. A contact stands for that person
    /// everywhere: as a contact and as an occupant of that nickname.
    PictureLink {
        /// Whose.
        #[serde(borrow)]
        at: Place<'a>,
        /// Where the picture is, of a size that `Picture` may have; `None`: there is none.
        url: Option<Text<'a>>,
    },
    /// The user is in a room. `Names` follow, the last of them completes the join.
    Joined {
        /// Which.
        #[serde(borrow)]
        room: Text<'a>,
        /// His nickname there.
        nick: Text<'a>,
        /// The command that asked; `None`: the network put him there.
        asked: Option<Tag>,
    },
    /// Some of a room's occupants, the user among them. The host swaps them in at the last.
    Names {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Some of them.
        some: Cow<'a, [Name<'a>]>,
        /// These were the last.
        last: bool,
    },
    /// Somebody entered a room.
    Came {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Who.
        who: Who<'a>,
        /// With which ranks.
        ranks: Ranks,
    },
    /// Somebody left.
    Left(#[serde(borrow)] Left<'a>),
    /// Somebody (the user too) has another nickname, in every room.
    Renamed {
        /// Before.
        #[serde(borrow)]
        from: Text<'a>,
        /// Now.
        to: Text<'a>,
    },
    /// More is known of somebody.
    Known {
        /// Who, with what is known.
        #[serde(borrow)]
        who: Who<'a>,
    },
    /// Ranks changed in a room.
    Ranks {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Whose and how.
        changes: Cow<'a, [RankChange<'a>]>,
        /// Who did it.
        by: Option<Text<'a>>,
    },
    /// A room's subject.
    Subject {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// The subject; empty: none.
        text: Text<'a>,
        /// Who set it.
        by: Option<Text<'a>>,
        /// When it was set.
        time: Option<Time>,
        /// It has just been changed, rather than told on entry.
        live: bool,
    },
    /// A room's flags.
    Flags {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// What holds.
        flags: RoomFlags,
        /// The password, where the network has shown it.
        #[serde(default)]
        password: Option<Text<'a>>,
    },
    /// One result of a listing or look-up; `Done` ends them. For `ListRooms` the labels are `room`,
    /// `occupants` and `subject`; for `Bans` `whom`, `by`, `time` (milliseconds since 1970) and
    /// `reason`, each but the first where it is known; for `Query` it is `answer`.
    Found {
        /// The command that asked.
        tag: Tag,
        /// Labels and values.
        #[serde(borrow)]
        fields: Vec<(Text<'a>, Text<'a>)>,
    },
    /// Old messages the host asked for; `Done` ends them.
    Past {
        /// The command that asked.
        tag: Tag,
        /// One of them.
        #[serde(borrow)]
        message: Message<'a>,
    },
    /// Somebody asks those who run a room to be let in or, being in it, to be given a voice.
    Knocked {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Who asks.
        who: Who<'a>,
        /// Why.
        reason: Option<Text<'a>>,
    },
    /// Somebody invites the user to a room.
    Invited {
        /// Which room.
        #[serde(borrow)]
        room: Text<'a>,
        /// Who invites.
        by: Who<'a>,
        /// Why.
        reason: Option<Text<'a>>,
    },
    /// The network itself says something, or the gateway about it.
    Notice {
        /// The room it is about, if one.
        #[serde(borrow)]
        room: Option<Text<'a>>,
        /// What the network says as it is; what the gateway says in the languages it can.
        text: Words,
    },
    /// The network asks the user something.
    Ask(Dialog),
    /// What the gateway wants to find again when this session is opened anew.
    Keep {
        /// Opaque to the host.
        state: Vec<u8>,
    },
}

impl Event<'_> {
    /// The command it is about, if one.
    pub fn tag(&self) -> Option<Tag> {
        match self {
            Self::Done { tag, .. }
            | Self::Failed { tag, .. }
            | Self::Echo { tag, .. }
            | Self::Found { tag, .. }
            | Self::Past { tag, .. } => Some(*tag),
            Self::Joined { asked, .. } => *asked,
            _ => None,
        }
    }
}
