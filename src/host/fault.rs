//! The one table that turns a fault into a stanza error (RFC 6120 §8.3.3).

use std::sync::atomic::{AtomicU64, Ordering};

use isthmus_gateway::{AddressFault, Fault, FaultKind, Words};

use crate::host::words::{Lang, Said};
use crate::xmpp::stanza::{Condition, ErrorType};

/// The stanza error that answers a fault of this kind.
///
/// For a refused entrance XEP-0045 §7.2 names the conditions; for gateways XEP-0100 §4.
pub(crate) fn stanza_error(kind: FaultKind) -> (Condition, ErrorType) {
    use ErrorType::{Auth, Cancel, Modify, Wait};
    match kind {
        FaultKind::BadAddress => (Condition::JidMalformed, Modify),
        FaultKind::NoSuchTarget => (Condition::ItemNotFound, Cancel),
        FaultKind::Moved => (Condition::Gone, Cancel),
        FaultKind::NoSuchNetwork => (Condition::RemoteServerNotFound, Cancel),
        FaultKind::NetworkDown => (Condition::RemoteServerTimeout, Wait),
        FaultKind::Offline => (Condition::RecipientUnavailable, Wait),
        FaultKind::NotAuthorized => (Condition::NotAuthorized, Auth),
        FaultKind::NotRegistered => (Condition::RegistrationRequired, Auth),
        FaultKind::WrongPassword => (Condition::NotAuthorized, Auth),
        FaultKind::Forbidden => (Condition::Forbidden, Auth),
        FaultKind::NotPrivileged => (Condition::Forbidden, Auth),
        FaultKind::NotAllowed => (Condition::NotAllowed, Cancel),
        FaultKind::MembersOnly => (Condition::RegistrationRequired, Auth),
        FaultKind::RoomFull => (Condition::ServiceUnavailable, Wait),
        FaultKind::NotJoined => (Condition::NotAcceptable, Cancel),
        FaultKind::NickTaken => (Condition::Conflict, Cancel),
        FaultKind::NickRefused => (Condition::NotAcceptable, Modify),
        FaultKind::TooFast => (Condition::ResourceConstraint, Wait),
        FaultKind::Full => (Condition::ResourceConstraint, Wait),
        FaultKind::TooLarge => (Condition::PolicyViolation, Modify),
        FaultKind::NotExpressible => (Condition::NotAcceptable, Modify),
        FaultKind::Encrypted => (Condition::NotAcceptable, Modify),
        FaultKind::Unsupported => (Condition::FeatureNotImplemented, Cancel),
        FaultKind::TimedOut => (Condition::RemoteServerTimeout, Wait),
        FaultKind::Expired => (Condition::RemoteServerTimeout, Wait),
        FaultKind::BadRequest => (Condition::BadRequest, Modify),
        FaultKind::Internal => (Condition::InternalServerError, Wait),
        // `undefined-condition` is for applications with a condition of their own (RFC 6120
        // §8.3.3.21); the network did not allow it.
        FaultKind::Other => (Condition::NotAllowed, Cancel),
    }
}

/// How many faults of each kind users were told of, since the program started.
static TOLD: [AtomicU64; FaultKind::ALL.len()] =
    [const { AtomicU64::new(0) }; FaultKind::ALL.len()];

/// The stanza error for a fault that a user is told of now.
pub(crate) fn told(kind: FaultKind) -> (Condition, ErrorType) {
    if let Some(at) = FaultKind::ALL.iter().position(|it| *it == kind) {
        TOLD[at].fetch_add(1, Ordering::Relaxed);
    }
    stanza_error(kind)
}

/// How many faults of each kind users were told of: kinds by the names of the contract.
pub(crate) fn faults_told() -> Vec<(&'static str, u64)> {
    let counts = FaultKind::ALL.iter().zip(&TOLD);
    counts
        .map(|(kind, count)| (kind.name(), count.load(Ordering::Relaxed)))
        .collect()
}

/// A fault of ours, for who asked.
pub(crate) fn of(kind: FaultKind, text: impl Into<Said>) -> Fault {
    Fault::new(kind, Words::from(text.into()))
}

/// The fault of an address that the gateway does not take, in its words.
pub(crate) fn address(fault: AddressFault) -> Fault {
    Fault::new(FaultKind::BadAddress, fault.text)
}

/// A fault of ours that needs no more words than its kind has.
pub(crate) fn bare(kind: FaultKind) -> Fault {
    Fault::new(kind, "")
}

/// A fault of ours that nobody but us can mend: it is logged, and its words are the log's.
pub(crate) fn ours(error: &dyn std::error::Error) -> Fault {
    tracing::error!(%error, "what was asked for cannot be done");
    bare(FaultKind::Internal)
}

/// What a fault says in a language: its own words, else those of its kind.
pub(crate) fn words(fault: &Fault, lang: Lang) -> &str {
    said(fault, lang).1
}

/// The same, with the language it is said in.
pub(crate) fn said(fault: &Fault, lang: Lang) -> (&str, &str) {
    match fault.text.is_empty() {
        true => (lang.tag(), lang.say(fault.kind)),
        false => fault.text.told_in(lang.tag()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_stanza_error_and_words() {
        for kind in FaultKind::ALL {
            let (condition, _) = stanza_error(kind);
            let fault = Fault::new(kind, "");
            assert!(!words(&fault, Lang::Zh).is_empty(), "{kind:?} has no words");
            assert_ne!(condition, Condition::UndefinedCondition, "{kind:?}");
        }
    }

    #[test]
    fn the_networks_own_words_win() {
        let fault = Fault::new(FaultKind::Forbidden, "Cannot join channel (+b)");
        assert_eq!(said(&fault, Lang::Zh), ("en", "Cannot join channel (+b)"));
    }
}
