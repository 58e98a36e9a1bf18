//! The I/O of the gateway: [`listen`] takes mail, [`send`] hands it to the smarthost.

pub(crate) mod listen;
pub(crate) mod send;
