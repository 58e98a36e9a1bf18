//! One bench per gateway, each with the smallest peer that it needs.

mod exec;
mod irc;
mod loopback;
mod sms;
mod smtp;

pub(super) use self::exec::{Dict, Echo, Exec};
pub(super) use self::irc::{Irc, IrcFixed};
pub(super) use self::loopback::{Bare, Loopback};
pub(super) use self::sms::Sms;
pub(super) use self::smtp::Smtp;
