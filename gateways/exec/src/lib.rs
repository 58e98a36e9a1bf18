//! Gateways that are programs of their own, in any language.
//!
//! [`Exec`] starts a program and speaks JSON-RPC 2.0 with it, one object a line, over its standard
//! input and output; what it writes to standard error is logged. The values inside are those of
//! `isthmus-gateway`, so a plugin can do what a built-in gateway can. `docs/plugins.md` is the wire
//! for authors of plugins (protocol 1).
//!
//! | file | what it does | may it do I/O or read a clock |
//! | --- | --- | --- |
//! | `config.rs` | what the operator sets | no |
//! | `address.rs` | localparts by the plugin's templates | no |
//! | `translate/` | values of the contract to lines and back: the state machine | no |
//! | `session.rs` | the live face: one end of the machine | yes: wakes |
//! | `transport.rs` | the process, its pipes and its log | yes |
//! | `supervise.rs` | starts, watches, restarts and ends it | yes |
//! | `courier.rs` | the store-and-forward face | no |
//! | `gateway.rs` | the gateway itself | no |
//!
//! Nothing here trusts the plugin: every queue it fills is bounded, every line it writes may be
//! nonsense, and it may end at any time.

mod address;
mod config;
mod courier;
mod gateway;
mod session;
mod supervise;
mod translate;
mod transport;

pub use config::{Config, KEYS, Key, Problem, Secret};
pub use gateway::{Exec, Place};
