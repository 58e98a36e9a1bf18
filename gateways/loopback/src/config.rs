//! What the operator, or a test, sets.

use isthmus_gateway::Caps;
use serde::{Deserialize, Serialize};

/// Settings of one loopback network. Every field has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What can be expressed. A table given in a file replaces all of it: what it leaves out is
    /// off. By default everything is on but history and receipts.
    pub caps: Caps,
    /// A resident `echo` sits in every room and answers.
    pub echo: bool,
    /// Names that stand for a broken gateway (contact `twice`) break the contract.
    pub misbehave: bool,
    /// Users can register: a nickname, a line, a password.
    pub register: bool,
    /// It has settings and commands of its own.
    pub settings: bool,
    /// Milliseconds until what is late comes.
    pub delay_ms: u64,
    /// Milliseconds until a broken connection is tried again.
    pub retry_ms: u64,
    /// Events that may wait in one session; one more breaks its connection.
    pub backlog: usize,
    /// Rooms on one network.
    pub rooms: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            caps: Caps {
                rooms: true,
                typing: true,
                edit: true,
                retract: true,
                moderate: true,
                react: true,
                react_max: 0,
                react_with: Vec::new(),
                reply: true,
                receipts: false,
                read: true,
                attachments: true,
                multiline: true,
                style: true,
                subject: true,
                watch: true,
                pictures: true,
                avatar: true,
                lookup: true,
                history: false,
                max_text: 0,
            },
            echo: true,
            misbehave: false,
            register: false,
            settings: false,
            delay_ms: 1_000,
            retry_ms: 1_000,
            backlog: 100_000,
            rooms: 10_000,
        }
    }
}
