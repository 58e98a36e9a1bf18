//! The one table that turns a fault into a stanza error (RFC 6120 §8.3.3).

use std::sync::atomic::{AtomicU64, Ordering};

use isthmus_gateway::{Fault, FaultKind};

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

/// Words for a fault that came without any.
pub(crate) fn words(fault: &Fault) -> &str {
    if !fault.text.is_empty() {
        return &fault.text;
    }
    match fault.kind {
        FaultKind::BadAddress => "this address does not follow the network's form",
        FaultKind::NoSuchTarget => "there is nobody and nothing of that name",
        FaultKind::Moved => "this address has moved",
        FaultKind::NoSuchNetwork => "that network cannot be found",
        FaultKind::NetworkDown => "the network does not answer; please try again later",
        FaultKind::Offline => "the recipient cannot be reached now",
        FaultKind::NotAuthorized => "the network did not accept the credentials",
        FaultKind::NotRegistered => "the network asks for an account first",
        FaultKind::WrongPassword => "a password is needed, or the one given was wrong",
        FaultKind::Forbidden => "the network forbids this",
        FaultKind::NotPrivileged => "you need a higher rank for this",
        FaultKind::NotAllowed => "this gateway does not allow it",
        FaultKind::MembersOnly => "only members and the invited may enter",
        FaultKind::RoomFull => "no more occupants fit",
        FaultKind::NotJoined => "you are not in that room",
        FaultKind::NickTaken => "that nickname is in use",
        FaultKind::NickRefused => "the network does not accept that nickname",
        FaultKind::TooFast => "too many requests; please try again later",
        FaultKind::Full => "too much is waiting; please try again later",
        FaultKind::TooLarge => "this is too long or too large",
        FaultKind::NotExpressible => "this cannot be expressed on the network",
        FaultKind::Encrypted => "encrypted messages cannot cross to this network",
        FaultKind::Unsupported => "this network has no such feature",
        FaultKind::TimedOut => "no answer came in time; whether it was done is not known",
        FaultKind::Expired => "delivery was given up after all attempts",
        FaultKind::BadRequest => "the request made no sense",
        FaultKind::Internal => "something went wrong in the gateway",
        FaultKind::Other => "the network refused",
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
            assert!(!words(&fault).is_empty(), "{kind:?} has no words");
            assert_ne!(condition, Condition::UndefinedCondition, "{kind:?}");
        }
    }

    #[test]
    fn the_networks_own_words_win() {
        let fault = Fault::new(FaultKind::Forbidden, "Cannot join channel (+b)");
        assert_eq!(words(&fault), "Cannot join channel (+b)");
    }
}
