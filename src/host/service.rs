//! Iq requests that are answered from what is known without a session, and the answer to those
//! nobody understands.

use isthmus_gateway::{Address, Gateway, Kind};

use crate::component::Outbox;
use crate::host::reply::Origin;
use crate::host::{disco, ping, version};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// Answers one iq request. `get`: it is a get, not a set.
pub(crate) fn answer(
    outbox: &Outbox,
    gateway: &dyn Gateway,
    origin: &Origin,
    to: &Address,
    get: bool,
    payload: &Element,
) {
    let node = payload.attr("node");
    let full = origin.resource.is_some();
    match (payload.name(), payload.ns()) {
        ("ping", ns::PING) if get && full && to.kind == Kind::Room => {
            ping::occupant(outbox, origin, None, false);
        }
        ("ping", ns::PING) if get => origin.result(outbox, |_| {}),
        ("query", ns::DISCO_INFO) if get => {
            disco::info(outbox, gateway, origin, to, full, node, None);
        }
        ("query", ns::DISCO_ITEMS) if get => disco::items(outbox, origin, node),
        ("query", ns::VERSION) if get && matches!(to.kind, Kind::Gateway | Kind::Network) => {
            version::answer(outbox, origin);
        }
        ("query", ns::MUC_ADMIN | ns::MUC_OWNER) if to.kind == Kind::Room => {
            let text = "this cannot be asked of a room here";
            origin.error(outbox, Condition::FeatureNotImplemented, text);
        }
        // RFC 6120 §8.4
        _ => origin.error(
            outbox,
            Condition::ServiceUnavailable,
            "nothing here understands this",
        ),
    }
}
