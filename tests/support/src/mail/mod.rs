//! Real mail servers on loopback.

mod postfix;

pub use self::postfix::{Back, LOST, PEER, Postfix, swaks};
