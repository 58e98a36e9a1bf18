//! Messages inward that come back: the user's server answers a delivery with an error (RFC 6120
//! §8.3), as it does where there is no such account (RFC 6121 §8.5.1).
//!
//! Only what the server says for the account counts, from the bare JID: one device may refuse what
//! another has shown. What may pass (`type='wait'`, and conditions that mean as much) is logged and
//! no more: the server has the message no longer than we do, but saying that it will never arrive
//! would be a guess.

use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Key, Uplink, User};

use super::CourierHost;
use super::uplink::HostUplink;
use crate::store::jobs::Returned;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;
use crate::xmpp::stanza::{Condition, ErrorType};
use crate::xmpp::stream::{Stanza, StanzaKind};

/// Longest words of a server that are passed on, in characters.
const LONGEST: usize = 300;

impl CourierHost {
    /// Takes an error, if it is one about a delivery: the gateway is told, once.
    pub(crate) fn returned(self: &Arc<Self>, user: &BareJid, stanza: &Stanza) {
        let of_account = stanza.from().is_some_and(|from| !from.contains('/'));
        if stanza.kind() != StanzaKind::Message || !of_account {
            return;
        }
        let (Some(id), Ok(element)) = (stanza.id(), stanza.element()) else {
            return;
        };
        let (condition, fault) = why(&element);
        if passes(&element, condition) {
            let why = fault.text.as_str();
            tracing::warn!(%user, %id, why, "the user's server does not take a message for now");
            return;
        }
        let domain = self.outbox.domain();
        let found = self.shared.store.returned(user.as_str(), domain, &id);
        let (host, user) = (Arc::clone(self), user.clone());
        tokio::spawn(async move {
            match found.await {
                Ok(Some(returned)) => host.tell_undeliverable(&user, returned, fault),
                // Nobody waits for that: it was written by a machine, is known, or is not ours.
                Ok(None) => {
                    tracing::info!(%user, why = fault.text.as_str(), "a stanza came back; nobody is told");
                }
                Err(error) => tracing::error!(%error, %user, "a message came back unseen"),
            }
        });
    }

    fn tell_undeliverable(self: &Arc<Self>, user: &BareJid, returned: Returned, fault: Fault) {
        let peer = match serde_json::from_str::<Address>(&returned.to) {
            Ok(peer) => peer,
            Err(error) => return tracing::error!(%error, "nobody can be told what came back"),
        };
        tracing::info!(%user, why = fault.text.as_str(), "a message came back from the user's server");
        if let Some(courier) = self.gateway.courier() {
            let up: Arc<dyn Uplink> = Arc::new(HostUplink(Arc::clone(self)));
            let key = Key(returned.key.into());
            // Who sent it is a stranger, whose language nobody knows: the operator's it is.
            let user = User {
                lang: self.shared.language().tag().to_owned(),
                ..self.shared.user(user)
            };
            courier.undeliverable(user, &peer, key, fault, up);
        }
    }
}

/// The condition, and the fault it means: its name, and the server's words.
fn why(stanza: &Element) -> (Condition, Fault) {
    let error = stanza.child("error", ns::COMPONENT);
    let mut children = error.into_iter().flat_map(Element::children);
    let known = children.find_map(|child| {
        let named = child.ns() == ns::STANZA_ERRORS;
        named.then(|| Condition::parse(child.name())).flatten()
    });
    let condition = known.unwrap_or(Condition::UndefinedCondition);
    let words = error.and_then(|error| error.child("text", ns::STANZA_ERRORS));
    let words: String = words
        .map(|words| words.text().chars().take(LONGEST).collect())
        .unwrap_or_default();
    let text = match words.trim() {
        "" => condition.name().to_owned(),
        words => format!("{}: {words}", condition.name()),
    };
    (condition, Fault::new(kind(condition), text))
}

fn kind(condition: Condition) -> FaultKind {
    match condition {
        Condition::ItemNotFound | Condition::Gone | Condition::JidMalformed => {
            FaultKind::NoSuchTarget
        }
        Condition::RemoteServerNotFound => FaultKind::NoSuchNetwork,
        // No such account, or one without offline storage: servers do not tell which.
        Condition::ServiceUnavailable => FaultKind::Offline,
        Condition::Forbidden
        | Condition::NotAllowed
        | Condition::NotAcceptable
        | Condition::NotAuthorized
        | Condition::PolicyViolation
        | Condition::RegistrationRequired
        | Condition::SubscriptionRequired => FaultKind::Forbidden,
        _ => FaultKind::Other,
    }
}

/// Whether the same message might be taken later.
fn passes(stanza: &Element, condition: Condition) -> bool {
    let error = stanza.child("error", ns::COMPONENT);
    let kind = error.and_then(|error| error.attr("type"));
    kind.and_then(ErrorType::parse) == Some(ErrorType::Wait)
        || matches!(
            condition,
            Condition::RecipientUnavailable
                | Condition::RemoteServerTimeout
                | Condition::ResourceConstraint
        )
}
