//! The SMS gateway.
//!
//! `transport` moves bytes to and from carriers, [`translate`] speaks SMPP and the encodings of
//! SMS, [`address`] maps numbers. `courier` sends jobs out, `inward` takes messages and receipts
//! in, `track` knows which receipt belongs to which job.

pub mod address;
pub mod config;
mod courier;
mod gateway;
mod inward;
mod line;
mod track;
pub mod translate;
mod transport;

pub use config::{Config, KEYS, Key, Problem};
pub use gateway::Sms;
