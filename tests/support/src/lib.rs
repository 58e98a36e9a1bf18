//! Real servers, scripted peers and an independent XMPP client for the tests.
//!
//! Everything here is a guard: it starts a process on loopback, on a free port, in a temporary
//! directory of its own, waits until that process is ready, and kills it when dropped. Nothing
//! here uses product code, so a test never proves the product with the product.
//!
//! The servers are found where `cargo run -p xtask -- install` put them ([`paths`]), or in the
//! system. These are tools for tests: they panic, with the server's log, when something does not
//! happen in time. Where a caller wants to go on, there is a `try_` form.

pub mod biboumi;
pub mod dictd;
pub mod https;
pub mod inbox;
pub mod irc_client;
pub mod irc_server;
pub mod isthmus;
pub mod mail;
pub mod node;
pub mod paths;
pub mod port;
pub mod process;
pub mod second_smsc;
pub mod smsc;
pub mod terminal;
pub mod tls;
pub mod xmpp_client;
pub mod xmpp_server;

pub use self::biboumi::Biboumi;
pub use self::dictd::Dictd;
pub use self::https::Https;
pub use self::irc_client::IrcClient;
pub use self::irc_server::{Atheme, Hybrid, Inspircd, IrcServer, Ngircd};
pub use self::isthmus::Isthmus;
pub use self::node::{Node, Stanza};
pub use self::second_smsc::SecondSmsc;
pub use self::smsc::NodeSmsc;
pub use self::terminal::Terminal;
pub use self::xmpp_client::XmppClient;
pub use self::xmpp_server::{Ejabberd, Jabberd2, Prosody, XmppServer};

/// How long a test waits for something that should happen at once. It passes as soon as the
/// thing happens; the length only serves machines that are busy.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);
