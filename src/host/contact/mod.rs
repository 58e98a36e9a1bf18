//! What a gateway is to its user, as XEP-0100 has it.
//!
//! * `registration`: accounts on the foreign network (XEP-0077).
//! * `prompt`, with `uri`: a typed or pasted address becomes a JID (XEP-0100 §6).
//! * `steps`: dialogs of several steps, as the host keeps them.
//! * `hub`, with `book`, `subscription`, `rounds`: presence of the gateway and of contacts, and of
//!   their users (RFC 6121 §3, XEP-0100 §4.4 to 4.7).
//! * `roster`, `bookmark`: things that appear by themselves where clients look for them, and
//!   `voice`: what the user says elsewhere; with `privilege` and `pep` (XEP-0356), or `suggest`
//!   (XEP-0144) to a `device`, the user's client.
//! * `displayed`: how far the user has read (XEP-0490).
//! * `portrait`: how contacts look.

mod book;
mod bookmark;
mod device;
mod displayed;
mod hub;
mod pep;
mod portrait;
mod privilege;
mod prompt;
mod registration;
mod roster;
mod rounds;
mod steps;
mod subscription;
mod suggest;
mod uri;
mod voice;

#[cfg(all(test, feature = "loopback"))]
mod tests;

pub(crate) use self::book::Mood;
pub(crate) use self::displayed::read_in;
pub(crate) use self::hub::Hub;
pub(crate) use self::registration::account_of;
pub(crate) use self::steps::{Outcome, Questions, Steps, Way};
