//! Configuration: typed, checked as a whole, with secrets redacted.
//!
//! Defaults, then the file, then the environment (`ISTHMUS__COMPONENT__SECRET`), the later one
//! winning. [`load`] tells everything that is wrong at once and opens no socket. The keys are
//! documented once, in `keys` and by each gateway kind; the sample is printed from there.

mod address;
mod check;
mod keys;
mod kind;
mod load;
mod problem;
mod reader;
mod reload;
mod sample;
mod summary;
mod told;
mod web;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use isthmus_gateway::Picture;

use crate::secret::Secret;
use crate::xmpp::BareJid;

pub use address::Allowed;
pub use kind::{Built, GatewayKind, Key, Place};
pub use load::load;
pub use problem::{Problem, Problems};
pub use reload::{Change, applied, changes};
pub use sample::sample;
pub use summary::summary;

/// Everything the operator decides, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The XMPP server's own domain.
    pub server_domain: String,
    /// Where state is kept.
    pub store: StoreConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// How corrections are told where a network has none.
    pub corrections: Corrections,
    /// The language of who asks for none and has set none.
    pub language: Language,
    /// Where those who run it can be reached.
    pub contact: ContactConfig,
    /// How much of the archives is kept.
    pub archive: ArchiveConfig,
    /// Bounds on what a peer can make us hold.
    pub limits: Limits,
    /// How files are carried.
    pub attachments: AttachmentsConfig,
    /// Where figures and the state of the program can be read; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// The gateways, ordered by name; at least one.
    pub gateways: Vec<GatewayConfig>,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The database file; a relative one was resolved against the configuration file's folder.
    pub path: PathBuf,
}

/// `[archive]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// How long a message is kept; zero: whatever its age.
    pub age: Duration,
    /// Messages of one user's conversation that are kept; 0: all.
    pub rows: u64,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// A filter as `tracing` reads it, such as `info,isthmus::component=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[contact]`: URIs by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactConfig(pub BTreeMap<&'static str, Vec<String>>);

/// `transmission` of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmission {
    /// Not encrypted.
    Plain,
    /// Encrypted to the network's servers.
    Encrypted,
    /// Encrypted to who receives it.
    EndToEnd,
}

/// What users are told of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How its network is reached.
    pub transmission: Option<Transmission>,
    /// What it is called.
    pub title: Option<String>,
    /// How it looks; checked to be a picture of a kind and size that are shown.
    pub avatar: Option<Picture<'static>>,
}

/// `messages.language`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    English,
    /// `zh`.
    Chinese,
}

/// `messages.corrections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrections {
    /// By the words that changed, where that is short.
    Short,
    /// By the whole text.
    Text,
    /// Not at all.
    Refuse,
}

/// `[limits]`. Each bounds what one peer can make us hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Networks one user may be connected to at once, per gateway.
    pub networks_per_user: usize,
    /// Rooms one user may be in at once, per network.
    pub rooms_per_user: usize,
    /// Sessions of all users.
    pub sessions: usize,
    /// Largest stanza accepted from the server, bytes.
    pub received_stanza: usize,
    /// Messages shown to who joins a room and does not say how many.
    pub history: usize,
    /// Stanzas that may wait for one session.
    pub inbox: usize,
    /// Stanzas accepted from one user each second, over time.
    pub stanzas_per_second: u32,
    /// Stanzas accepted from one user at once.
    pub stanzas_burst: u32,
    /// Largest attachment that is kept, bytes.
    pub attachment: u64,
    /// Disk that all kept attachments may take, bytes.
    pub attachments_total: u64,
    /// Disk that the attachments of one user behind one gateway may take, bytes; 0: no bound.
    pub attachments_per_user: u64,
    /// How long an attachment is kept; zero: for ever.
    pub attachment_age: Duration,
    /// How long a receipt is waited for after a message was accepted.
    pub receipt_timeout: Duration,
}

/// `[attachments]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentsConfig {
    /// Media types that are carried; empty: all.
    pub types: Vec<String>,
    /// What users share by a link is fetched.
    pub fetch: bool,
    /// Pictures that networks tell by a link are fetched.
    pub fetch_pictures: bool,
    /// Hosts that may be reached at private addresses and without TLS.
    pub trusted: Vec<String>,
    /// Where our own file server listens, and what its URLs begin with (no slash at the end).
    pub server: Option<(SocketAddr, String)>,
    /// Lines beyond which a room message becomes a file; 0: never.
    pub paste_lines: usize,
}

/// `[gateway.NAME]` with what it takes over from `[component]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The table's name.
    pub name: String,
    /// The kind of gateway; names one of the registry's.
    pub kind: String,
    /// The domain it serves, in lower case.
    pub domain: String,
    /// Who may use it.
    pub allow: Vec<Allowed>,
    /// Who may administer it.
    pub admins: Vec<BareJid>,
    /// What is said is archived.
    pub archive: bool,
    /// Users stay in rooms when all their devices have left, unless they say otherwise.
    pub persistent: bool,
    /// Users' pictures are shown to others on the network, unless they say otherwise.
    pub show_avatar: bool,
    /// What users are told of it.
    pub told: Told,
    /// Its connection to the XMPP server.
    pub component: ServerConfig,
    /// The kind's own keys, already checked by the kind.
    pub settings: Settings,
}

/// One XEP-0114 connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Host name or address of the server's listener for components.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The secret shared with the server.
    pub secret: Secret,
    /// Direct TLS, when the listener has it.
    pub tls: Option<ServerTls>,
    /// Largest stanza we send, bytes.
    pub stanza_limit: usize,
}

/// TLS to the server's listener for components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The name the certificate must have.
    pub name: String,
    /// A PEM file of further authorities, checked to be readable.
    pub ca_file: Option<PathBuf>,
}

/// A gateway kind's own keys. They may hold passwords: `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Settings(pub serde_json::Value);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
