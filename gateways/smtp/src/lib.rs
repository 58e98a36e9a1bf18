//! The email gateway.
//!
//! `transport` moves bytes (a listener for SMTP and LMTP, connections to the smarthost),
//! [`translate`] is everything between mail and the contract without I/O, [`address`] maps names,
//! `courier` takes the host's jobs. Not here: MX look-up, signing, checks of authenticity
//! (SPF, DKIM, DMARC), delivery notices asked for.

pub mod address;
pub mod config;
mod courier;
mod gateway;
mod returns;
pub mod translate;
mod transport;

pub use config::{Config, KEYS, Key, Problem};
pub use gateway::Smtp;
