//! What a conversation with one network is to know of its user and of what the operator allows.

use std::time::{Duration, Instant, SystemTime};

use super::{Encodings, Login};
use crate::config::Secret;

/// What holds for the conversation, until it is told otherwise ([`Conversation::set`](super::Conversation::set)).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network's name in addresses.
    pub network: String,
    /// The wished nickname.
    pub nick: String,
    /// The one the user has set for the network: entering rooms does not change it.
    pub set_nick: Option<String>,
    /// The user name (ident).
    pub username: String,
    /// The real name; `None`: the nickname.
    pub realname: Option<String>,
    /// The server password.
    pub password: Option<Secret>,
    /// What is said before anything else (WEBIRC), where the network believes us who we are.
    pub webirc: Option<Secret>,
    /// What the user logs in to the network's services with.
    pub login: Option<Login>,
    /// Lines that are sent when the network can be spoken to, before anything else.
    pub after_connect: Vec<String>,
    /// The user is a bot and says so where the network has a mode for it (IRCv3 bot-mode).
    pub bot: bool,
    /// What of the server's own words is told.
    pub notices: Notices,
    /// How lines are read and written.
    pub encodings: Encodings,
    /// Lines that go out at once.
    pub throttle_burst: u32,
    /// Lines a second after that.
    pub throttle_rate: f64,
    /// Lines that wait to go out, at most.
    pub queue: usize,
    /// Silence after which the server is pinged.
    pub ping_after: Duration,
    /// Time after the ping in which it must have answered.
    pub ping_timeout: Duration,
    /// One moment on both clocks, for telling the time of day from an `Instant`.
    pub epoch: (Instant, SystemTime),
}

/// What of a server's own words the user wants to read: those that answer nothing he did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notices {
    /// All.
    #[default]
    All,
    /// Refusals, and what is said to him alone.
    Important,
    /// None.
    Nothing,
}
