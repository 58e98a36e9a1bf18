//! A gateway: one kind of foreign network, served under one domain.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{
    Account, Address, AddressFault, Caps, Courier, Dialog, Fault, Field, Later, Offered, Parsed,
    Session, SettingTables, Settings, Step, Uplink, User, Words,
};

/// What a gateway shows itself as in service discovery (XEP-0030 identities).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Category, such as `gateway` or `conference`.
    pub category: String,
    /// Type, such as `irc`, `smtp` or `sms`.
    pub kind: String,
    /// Name for people.
    pub name: String,
}

/// What a gateway says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its kind, such as `irc`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How it shows itself.
    pub identities: Vec<Identity>,
    /// What can be expressed before a network has said more.
    pub caps: Caps,
    /// What registration asks for; empty: none is needed.
    pub register: Vec<Field>,
    /// How to ask for an address (XEP-0100 §6.1), in words.
    pub prompt: Words,
    /// Jobs may be handed out twice without harm.
    pub idempotent: bool,
    /// What users may set.
    #[serde(default)]
    pub settings: SettingTables,
    /// Its own commands.
    #[serde(default)]
    pub commands: Vec<Offered>,
}

/// One kind of foreign network.
///
/// Addresses are pure: [`parse`](Gateway::parse) and [`format`](Gateway::format) round-trip.
pub trait Gateway: Send + Sync {
    /// What it says of itself.
    fn manifest(&self) -> &Manifest;

    /// The part of a localpart that names the network; empty where there is only one, or where the
    /// localpart names none. A slice and nothing more: it is called for every stanza.
    fn network<'a>(&self, localpart: &'a str) -> &'a str;

    /// The network whose rooms the gateway's own address lists; `None`: each network lists its own.
    fn home(&self) -> Option<&str> {
        None
    }

    /// Reads an unescaped, prepared localpart. `region` is the user's (ISO 3166), for national
    /// forms.
    fn parse(&self, localpart: &str, region: &str) -> Result<Parsed, AddressFault>;

    /// Writes the unescaped localpart of an address.
    fn format(&self, address: &Address) -> Result<String, AddressFault>;

    /// What can be set of an address, each field with its default as value. Pure, and the same
    /// fields for every address of a kind.
    fn settings(&self, at: &Address) -> Vec<Field> {
        self.manifest().settings.of(at.kind).to_vec()
    }

    /// The usual spelling of a value somebody sets, where people have several for it; `None`: as it
    /// is. Pure.
    fn spell(&self, field: &str, value: &str) -> Option<String> {
        let _ = (field, value);
        None
    }

    /// Whether nobody reads what is written to that address, such as a sender that is only a name.
    /// Pure.
    fn is_deaf(&self, to: &Address) -> bool {
        let _ = to;
        false
    }

    /// Starts what runs beside sessions (listeners, binds). Ends when drained.
    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>>;

    /// Opens a session. It connects by itself and tells of failure by `Event::Offline`. `settings`
    /// is what the user has set, defaults left out.
    fn open(
        &self,
        user: &User,
        account: Option<&Account>,
        network: &str,
        settings: &Settings,
        kept: Option<&[u8]>,
    ) -> Box<dyn Session>;

    /// The store-and-forward face, where there is one.
    fn courier(&self) -> Option<&dyn Courier> {
        None
    }

    /// Takes one step of a dialog.
    fn dialog(&self, user: &User, step: Dialog) -> Later<Result<Step, Fault>>;

    /// Forgets everything of a user.
    fn forget(&self, user: &User) -> Later<Result<(), Fault>>;

    /// Ends what `start` began, by `until` at the latest.
    fn drain(&self, until: Instant);
}
