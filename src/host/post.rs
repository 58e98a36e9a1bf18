//! Heads of stanzas we send. The outbox puts its own domain behind `from`, whatever is said here.

use crate::xmpp::write::{Head, Sender, StanzaName};

/// The head of a stanza from one of our addresses.
pub(crate) fn head<'a>(
    name: StanzaName,
    from: Sender<'a>,
    to: &'a str,
    kind: Option<&'a str>,
    id: Option<&'a str>,
) -> Head<'a> {
    Head {
        name,
        domain: "",
        from,
        to,
        kind,
        id,
    }
}
