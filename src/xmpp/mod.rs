//! The XMPP wire: bytes, stanzas, addresses. Pure: no sockets, no clock, no tasks.
//!
//! In: [`stream::Splitter`] cuts the component stream into stanzas and peeks at their addresses;
//! [`element::Element`] is the tree of one stanza, built when somebody needs it.
//! Out: [`mod@write`] is the only place where XML is written.

pub mod element;
pub mod escape;
pub mod jid;
pub mod ns;
pub mod stanza;
pub mod stream;
pub(crate) mod tombstone;
pub mod write;

mod wellformed;

pub use element::{Element, XmlFault};
pub use jid::{BareJid, FullJid, Jid, JidFault};
pub use stanza::{Condition, ErrorType, StreamCondition};
pub use stream::{Frame, Limits, Splitter, Stanza, StanzaKind, StreamFault};
pub use write::{Head, Sender, StanzaName, Xml};
