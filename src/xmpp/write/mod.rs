//! The only place where XML is written, and it is total: whatever it is given, what it writes is
//! well-formed, within its budget, and from our own domain.
//!
//! A raw control character, U+FFFE or a foreign `from` makes servers close the whole component
//! stream, and IRC colour codes are such characters; so text is escaped, and what XML 1.0 forbids
//! becomes U+FFFD. Beyond the budget text is cut, and attributes and elements are left out.
//! Allocates nothing but room in the buffer.
//!
//! A stanza carries no declaration of its own: the stream's default namespace is the content
//! namespace (XEP-0114). Not done: the stream header and handshake.

mod budget;
mod reply;
mod stanza;

pub use budget::Xml;
pub use reply::{Answerable, ErrorReply, error_reply, write_error};
pub use stanza::{Head, Sender, StanzaName, Written, stanza};

/// Bytes a stanza may have unless configured otherwise.
pub const STANZA_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
