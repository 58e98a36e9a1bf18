//! The answer to what arrives while we drain: nobody is left to take it.

use crate::xmpp::{
    Condition, ErrorType,
    stream::{Stanza, StanzaKind},
    write::ErrorReply,
};

use super::outbox::{Class, Outbox};

/// Refuses a stanza that asks for something. False if it does not: answers still have takers.
pub(super) fn stanza(outbox: &Outbox, stanza: &Stanza) -> bool {
    let kind = stanza.kind_attr();
    let class = match (stanza.kind(), kind.as_deref()) {
        (_, Some("error" | "result")) => return false,
        (StanzaKind::Message, _) => Class::Message,
        (StanzaKind::Iq, _) => Class::IqResult,
        // Presence asks for nothing that outlives us.
        _ => return true,
    };
    // RFC 6120 §8.3.3.20: worth trying again in a while.
    let mut error = ErrorReply::from(Condition::ServiceUnavailable);
    error.kind = Some(ErrorType::Wait);
    outbox.push(|batch| {
        batch.error(class, stanza, &error);
    });
    true
}
