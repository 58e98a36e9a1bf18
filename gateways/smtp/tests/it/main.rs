//! The email gateway against a scripted mail server, clients and a real Postfix, with a host of
//! its own.

mod courier;
mod double;
mod host;
mod listen;
mod postfix;
