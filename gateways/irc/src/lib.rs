//! The IRC gateway.
//!
//! `transport` moves bytes, [`translate`] is the state machine between the contract and IRC,
//! [`address`] maps names. From the `irc` package only the names of numerics are used.

pub mod address;
pub mod config;
mod gateway;
pub mod line;
pub mod translate;
mod transport;

pub use config::{Config, KEYS, Key, Problem};
pub use gateway::Irc;
