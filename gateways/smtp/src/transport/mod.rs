//! The I/O of the gateway: [`listen`] takes mail, `keep` gives its files to the host, [`send`] hands it to the smarthost.

mod keep;
pub(crate) mod listen;
pub(crate) mod send;
