//! Why something could not be done. A fault carries its own reply: the host turns each
//! [`FaultKind`] into one stanza error, in one table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Address, Words};

/// What went wrong. One kind, one stanza condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The address does not follow the network's form.
    BadAddress,
    /// Nobody and nothing of that name exists.
    NoSuchTarget,
    /// It lives elsewhere now; `Fault::moved` says where.
    Moved,
    /// The network cannot be found.
    NoSuchNetwork,
    /// The network does not answer, or the connection broke.
    NetworkDown,
    /// The recipient exists and cannot take messages now.
    Offline,
    /// Credentials are missing or wrong.
    NotAuthorized,
    /// An account with the network is needed first.
    NotRegistered,
    /// A password is needed to enter, or was wrong.
    WrongPassword,
    /// Banned, or the network's rules forbid it.
    Forbidden,
    /// The user's rank does not suffice.
    NotPrivileged,
    /// The operator of this gateway does not allow it.
    NotAllowed,
    /// Only members or the invited may enter.
    MembersOnly,
    /// No more occupants fit.
    RoomFull,
    /// The user is not in that room.
    NotJoined,
    /// The nickname is in use.
    NickTaken,
    /// The nickname is not acceptable to the network.
    NickRefused,
    /// Too many requests; later will do.
    TooFast,
    /// A queue or quota is full; later may do.
    Full,
    /// The text is too long or the attachment too large.
    TooLarge,
    /// The content cannot be expressed on the network.
    NotExpressible,
    /// The content is encrypted for somebody else.
    Encrypted,
    /// The network or gateway has no such feature.
    Unsupported,
    /// No answer came in time; the outcome is not known.
    TimedOut,
    /// Delivery was given up after all attempts.
    Expired,
    /// The request made no sense.
    BadRequest,
    /// A defect on our side.
    Internal,
    /// Anything else the network said no to.
    Other,
}

impl FaultKind {
    /// Its name in data, such as `no_such_target`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadAddress => "bad_address",
            Self::NoSuchTarget => "no_such_target",
            Self::Moved => "moved",
            Self::NoSuchNetwork => "no_such_network",
            Self::NetworkDown => "network_down",
            Self::Offline => "offline",
            Self::NotAuthorized => "not_authorized",
            Self::NotRegistered => "not_registered",
            Self::WrongPassword => "wrong_password",
            Self::Forbidden => "forbidden",
            Self::NotPrivileged => "not_privileged",
            Self::NotAllowed => "not_allowed",
            Self::MembersOnly => "members_only",
            Self::RoomFull => "room_full",
            Self::NotJoined => "not_joined",
            Self::NickTaken => "nick_taken",
            Self::NickRefused => "nick_refused",
            Self::TooFast => "too_fast",
            Self::Full => "full",
            Self::TooLarge => "too_large",
            Self::NotExpressible => "not_expressible",
            Self::Encrypted => "encrypted",
            Self::Unsupported => "unsupported",
            Self::TimedOut => "timed_out",
            Self::Expired => "expired",
            Self::BadRequest => "bad_request",
            Self::Internal => "internal",
            Self::Other => "other",
        }
    }

    /// Every kind, for tables and their tests.
    pub const ALL: [FaultKind; 28] = [
        Self::BadAddress,
        Self::NoSuchTarget,
        Self::Moved,
        Self::NoSuchNetwork,
        Self::NetworkDown,
        Self::Offline,
        Self::NotAuthorized,
        Self::NotRegistered,
        Self::WrongPassword,
        Self::Forbidden,
        Self::NotPrivileged,
        Self::NotAllowed,
        Self::MembersOnly,
        Self::RoomFull,
        Self::NotJoined,
        Self::NickTaken,
        Self::NickRefused,
        Self::TooFast,
        Self::Full,
        Self::TooLarge,
        Self::NotExpressible,
        Self::Encrypted,
        Self::Unsupported,
        Self::TimedOut,
        Self::Expired,
        Self::BadRequest,
        Self::Internal,
        Self::Other,
    ];
}

/// Why something could not be done, with words for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// The network's own words where it has some, else the gateway's.
    pub text: Words,
    /// Where it lives now, with [`FaultKind::Moved`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Address>,
    /// How many parts of the message had gone out before it failed.
    #[serde(default)]
    pub parts_sent: u16,
}

impl Fault {
    /// A fault of `kind` with these words.
    pub fn new(kind: FaultKind, text: impl Into<Words>) -> Self {
        Self {
            kind,
            text: text.into(),
            moved: None,
            parts_sent: 0,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}
