//! The IRC gateway.
//!
//! `transport` moves bytes, [`translate`] is the state machine between the contract and IRC,
//! [`address`] maps names; `command` has the gateway's own commands and `ledger` what they tell; `setting` says what users may set, `profile` what holds of it; `identity` keeps client certificates, `policy` who has promised TLS, and
//! `identd` tells servers who is who. From the `irc` package only the names of numerics are used.

pub mod address;
mod command;
pub mod config;
mod gateway;
mod identd;
mod identity;
mod ledger;
pub mod line;
mod policy;
mod profile;
mod setting;
#[cfg(test)]
mod testing;
pub mod translate;
mod transport;

pub use config::{Config, KEYS, Key, Problem};
pub use gateway::Irc;
