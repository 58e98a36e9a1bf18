//! Subscriptions to our addresses (RFC 6121 §3, XEP-0100 §4.2).
//!
//! The gateway and its networks are there as long as the component is; of a contact's presence
//! nothing is known yet, so a subscription to one is granted and stays silent.

use isthmus_gateway::{Gateway, Kind};

use crate::component::{Class, Outbox};
use crate::host::post::head;
use crate::host::{caps, disco};
use crate::xmpp::write::{Sender, StanzaName};

/// Answers a subscription or a probe to `local` (the gateway itself if `None`), which is a `kind`.
pub(crate) fn subscription(
    outbox: &Outbox,
    gateway: &dyn Gateway,
    asked: &str,
    local: Option<&str>,
    kind: Kind,
    user: &str,
) {
    let says = |class, kind| {
        let from = Sender {
            local,
            resource: None,
        };
        outbox.push(|batch| {
            batch.stanza(
                class,
                head(StanzaName::Presence, from, user, Some(kind), None),
                |_| {},
            );
        });
    };
    let there = matches!(kind, Kind::Gateway | Kind::Network);
    match asked {
        "subscribe" => {
            // The user waits for this word: it is kept like a message.
            says(Class::Message, "subscribed");
            if there {
                present(outbox, gateway, local, user);
            }
        }
        "unsubscribe" => {
            says(Class::Message, "unsubscribed");
            says(Class::Presence, "unavailable");
        }
        "probe" if there => present(outbox, gateway, local, user),
        // RFC 6121 §4.3.2: who has no presence to tell says so.
        "probe" => says(Class::Presence, "unavailable"),
        _ => {}
    }
}

fn present(outbox: &Outbox, gateway: &dyn Gateway, local: Option<&str>, user: &str) {
    let (identities, features) = disco::of_gateway(gateway);
    let hash = caps::hash(&identities, &features);
    let from = Sender {
        local,
        resource: None,
    };
    outbox.push(|batch| {
        let head = head(StanzaName::Presence, from, user, None, None);
        batch.stanza(Class::Presence, head, |xml| {
            if local.is_none() {
                caps::write(xml, &hash);
            }
        });
    });
}
