//! Real mail servers and clients on loopback.

mod clients;
mod inject;
mod login;
mod postfix;

pub use self::clients::{smtplib, swaks};
pub use self::login::{PASSWORD, USER};
pub use self::postfix::{Back, LOST, PEER, Postfix};
