//! Isthmus: an XMPP gateway that attaches to any XMPP server as an external component
//! (XEP-0114) and hosts gateways to other networks.
//!
//! This file is the table of contents; `docs/architecture.md` is the map.

pub mod component;
pub mod config;
pub mod host;
mod http;
pub mod import;
mod ops;
pub mod queue;
pub mod registry;
mod reload;
mod run;
pub mod secret;
mod serve;
pub mod store;
pub mod xeps;
pub mod xmpp;

pub use self::ops::Notifier;
pub use self::reload::{Reloader, Reloads};
pub use self::run::{RunFault, run};
pub use self::serve::{Served, Service};
