//! What a gateway is to its user, as XEP-0100 has it.
//!
//! * `registration`: accounts on the foreign network (XEP-0077).
//! * `prompt`: a typed address becomes a JID (XEP-0100 §6).
//! * `steps`: dialogs of several steps, as the host keeps them.
//! * `subscription`: presence of the gateway and of contacts (RFC 6121 §3).

mod prompt;
mod registration;
mod steps;
mod subscription;

#[cfg(all(test, feature = "loopback"))]
mod tests;

pub(crate) use self::registration::{account_of, tell};
pub(crate) use self::steps::{Outcome, Steps, Way};
pub(crate) use self::subscription::subscription;
