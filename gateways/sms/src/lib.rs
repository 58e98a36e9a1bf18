//! The SMS gateway.
//!
//! `transport` moves bytes to and from carriers, [`translate`] speaks SMPP and the encodings of
//! SMS, [`address`] maps numbers. `courier` sends jobs out, `inward` takes messages and receipts
//! in.

pub mod address;
pub mod config;
pub mod translate;


pub use config::{Config, KEYS, Key, Problem};
