//! What a network, a room or a peer can do, and the rules a network plays by, as data.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What can be expressed. The host derives from it both what it advertises and the fallback it
/// uses where something cannot be expressed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caps {
    /// Rooms with occupants exist.
    pub rooms: bool,
    /// Typing notices are carried.
    pub typing: bool,
    /// A sent message can be changed.
    pub edit: bool,
    /// A sent message can be taken back.
    pub retract: bool,
    /// Somebody else's message can be taken back by who may (`Command::Retract`).
    pub moderate: bool,
    /// Reactions are carried.
    pub react: bool,
    /// Reactions of one user to one message, at most; 0: as many as he likes.
    pub react_max: u32,
    /// The only reactions there are; empty: any.
    pub react_with: Vec<String>,
    /// Replies keep a reference to what they answer.
    pub reply: bool,
    /// The network confirms that the recipient got a message: `Event::Delivered` from a session,
    /// `State::Delivered` from a courier.
    pub receipts: bool,
    /// The network says that the recipient read a message.
    pub read: bool,
    /// Attachments are carried as such, not as links.
    pub attachments: bool,
    /// One message may hold several lines.
    pub multiline: bool,
    /// Stretches of a text can look different: signs such as `*` leave a body that is sent, and
    /// its `style` tells what they meant.
    pub style: bool,
    /// Messages have a subject.
    pub subject: bool,
    /// Presence of contacts can be watched.
    pub watch: bool,
    /// Pictures of people or rooms are told (`Event::Picture`, `Event::PictureLink`).
    pub pictures: bool,
    /// The user's own picture is shown to others (`Command::Avatar`).
    pub avatar: bool,
    /// The network tells more of a person (`Command::Lookup`).
    pub lookup: bool,
    /// Missed messages can be fetched from the network.
    pub history: bool,
    /// Longest text in bytes that goes out as one piece; 0: no limit known.
    pub max_text: u32,
}

/// How two spellings of a name are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// Byte by byte.
    #[default]
    Exact,
    /// Each byte through this table of 256 entries; a shorter table leaves other bytes alone.
    Bytes(Cow<'static, [u8]>),
    /// Unicode lower case.
    Unicode,
}

static ASCII: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        table[at] = (at as u8).to_ascii_lowercase();
        at += 1;
    }
    table
};

impl Fold {
    /// The fold that equates ASCII letters only.
    pub fn ascii() -> Self {
        Self::Bytes(Cow::Borrowed(&ASCII))
    }

    /// Writes the folded spelling of `name` over `to`, which is cleared first. No allocation where
    /// `to` has the room.
    pub fn fold_into(&self, name: &str, to: &mut Vec<u8>) {
        to.clear();
        match self {
            Self::Exact => to.extend_from_slice(name.as_bytes()),
            Self::Bytes(table) => to.extend(
                name.bytes()
                    .map(|b| table.get(usize::from(b)).copied().unwrap_or(b)),
            ),
            Self::Unicode => {
                let mut utf8 = [0; 4];
                for lower in name.chars().flat_map(char::to_lowercase) {
                    to.extend_from_slice(lower.encode_utf8(&mut utf8).as_bytes());
                }
            }
        }
    }

    /// Whether two spellings name the same thing.
    pub fn same(&self, one: &str, other: &str) -> bool {
        match self {
            Self::Exact => one == other,
            Self::Bytes(table) => {
                let fold = |b: u8| table.get(usize::from(b)).copied().unwrap_or(b);
                one.len() == other.len()
                    && one
                        .bytes()
                        .zip(other.bytes())
                        .all(|(a, b)| fold(a) == fold(b))
            }
            Self::Unicode => one
                .chars()
                .flat_map(char::to_lowercase)
                .eq(other.chars().flat_map(char::to_lowercase)),
        }
    }
}

/// Standing in a room beyond the visit; the words of XEP-0045 §5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affiliation {
    /// May not enter.
    Outcast,
    /// No standing.
    None,
    /// Known to the room.
    Member,
    /// Runs the room.
    Admin,
    /// Owns the room.
    Owner,
}

/// What an occupant may do now; the words of XEP-0045 §5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Not in the room.
    None,
    /// May listen.
    Visitor,
    /// May speak.
    Participant,
    /// May remove others.
    Moderator,
}

/// One rank of a network: a mode that is shown as a sign before a nickname.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// The sign shown before a nickname.
    pub sign: char,
    /// The letter that gives or takes it.
    pub letter: char,
    /// What it means for the affiliation.
    pub affiliation: Affiliation,
    /// What it means for the role.
    pub role: Role,
}

/// The ranks one occupant holds: bit `n` stands for `Facts::ranks[n]`, bit 0 is the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ranks(pub u8);

impl Ranks {
    /// With `set` given and `cleared` taken.
    pub fn changed(self, set: Ranks, cleared: Ranks) -> Ranks {
        Ranks((self.0 | set.0) & !cleared.0)
    }
}

/// What is true of a room as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomFlags {
    /// Only who has a rank may speak.
    pub moderated: bool,
    /// Only who is invited may enter.
    pub members_only: bool,
    /// A password is asked for.
    pub password: bool,
    /// Not shown in lists.
    pub hidden: bool,
    /// Only the ranked may change the subject.
    pub subject_locked: bool,
    /// Only who is in the room may speak in it.
    pub closed: bool,
    /// At most so many occupants; 0: no limit.
    pub limit: u32,
}

/// What the host must know of a network to speak for it; sent with every `Online`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The network's name for people.
    pub network: String,
    /// How names are compared.
    pub fold: Fold,
    /// Ranks, highest first; at most eight.
    pub ranks: Vec<Rank>,
    /// What can be expressed.
    pub caps: Caps,
    /// The user's own nickname.
    pub me: String,
}
