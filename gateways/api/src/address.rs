//! Names on the foreign network, and the result of reading one from a JID's localpart.
//!
//! The JID itself never crosses the contract: a gateway reads an unescaped, prepared localpart and
//! writes one; the host does XEP-0106 escaping and adds the domain.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Text, Words};

/// What kind of thing a foreign address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The gateway itself (the bare domain).
    Gateway,
    /// One network behind the gateway (an IRC network).
    Network,
    /// A person or device.
    Contact,
    /// A room with occupants.
    Room,
    /// A conversation of several contacts that can be shown as a room or as a contact.
    Group,
    /// A pattern that matches addresses (a ban mask).
    Pattern,
}

/// A foreign address in the network's own spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// What it names.
    pub kind: Kind,
    /// The name on the network; empty for [`Kind::Gateway`] and [`Kind::Network`].
    pub id: String,
    /// The network it lives on; empty where the gateway has only one.
    pub network: String,
    /// The line or mailbox it is reached through, where a user has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

impl Address {
    /// An address of `kind` named `id` on `network`.
    pub fn new(kind: Kind, id: impl Into<String>, network: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            network: network.into(),
            via: None,
        }
    }
}

/// A localpart that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// It names this address.
    Canonical(Address),
    /// It names something whose proper localpart is this one; the host answers `<gone/>` with it.
    Moved(String),
}

/// A localpart or an address that names nothing on this network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFault {
    /// What is wrong, in words for the user.
    pub text: Words,
}

impl AddressFault {
    /// A fault with these words.
    pub fn new(text: impl Into<Words>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for AddressFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for AddressFault {}

/// Where a message stands or goes, within the session's network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place<'a> {
    /// A room, seen by all in it.
    Room(#[serde(borrow)] Text<'a>),
    /// One occupant of a room, privately.
    Occupant {
        /// The room.
        #[serde(borrow)]
        room: Text<'a>,
        /// The occupant's nickname.
        nick: Text<'a>,
    },
    /// A contact, privately.
    Contact(#[serde(borrow)] Text<'a>),
    /// The network itself: status lines, raw commands.
    Network,
}

impl Place<'_> {
    /// The same place, owning its names.
    pub fn into_owned(self) -> Place<'static> {
        let own = |text: Text<'_>| Text::Owned(text.into_owned());
        match self {
            Self::Room(room) => Place::Room(own(room)),
            Self::Occupant { room, nick } => Place::Occupant {
                room: own(room),
                nick: own(nick),
            },
            Self::Contact(contact) => Place::Contact(own(contact)),
            Self::Network => Place::Network,
        }
    }
}
