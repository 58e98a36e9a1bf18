//! What several gateways need and the contract must not hold.
//!
//! Connections ([`dial`], [`tls`]), patience ([`backoff`], [`bucket`]) and cutting text to a
//! network's size ([`split`]), styled text ([`style`]), reading settings ([`settings`]), lists without
//! air ([`lean`]), why I/O failed in words ([`reason`]), what store and forward has at hand
//! ([`Recalls`]). Nothing of one network is in here.

pub mod backoff;
pub mod bucket;
pub mod dial;
pub mod lean;
pub mod reason;
mod recalls;
pub mod settings;
pub mod socks;
pub mod split;
pub mod style;
pub mod tls;
mod unserved;

pub use backoff::Backoff;
pub use bucket::Bucket;
pub use dial::{BoxedStream, Dial, Path, Reach, Stream, Tcp};
pub use recalls::Recalls;
pub use settings::{HostPort, Key, Problem, Secret};
pub use split::pieces;
pub use tls::{Identity, Tls, Trust};
pub use unserved::Unserved;
