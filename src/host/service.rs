//! Iq requests that are answered from what is known without a session, and the answer to those
//! nobody understands.

use isthmus_gateway::{Address, Gateway, Kind};

use crate::component::Outbox;
use crate::host::card::Card;
use crate::host::picture::Portrait;
use crate::host::reply::Origin;
use crate::host::room::{is_room, voice};
use crate::host::words::Denial;
use crate::host::{card, disco, ping, search, time, version};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// What nobody understands.
const NOT_UNDERSTOOD: Denial = Denial::NotUnderstood;

/// What can be searched for (XEP-0433 §3.1).
fn search_form(outbox: &Outbox, origin: &Origin) {
    origin.result(outbox, |xml| {
        xml.start_ns("search", ns::CHANNEL_SEARCH);
        xml.element(&search::blank(origin.lang)).end();
    });
}

/// Answers one iq request. `get`: it is a get, not a set.
pub(crate) fn answer(
    outbox: &Outbox,
    gateway: &dyn Gateway,
    origin: &Origin,
    to: &Address,
    get: bool,
    payload: &Element,
    rules: disco::Rules,
) {
    let node = payload.attr("node");
    let full = origin.resource.is_some();
    if get && to.kind == Kind::Contact && card::asked(payload).is_some() {
        let (card, portrait) = (Card::of_address(&to.id), &Portrait::Unknown);
        return card::answer(outbox, origin, payload, card, portrait);
    }
    match (payload.name(), payload.ns()) {
        ("ping", ns::PING) if get && full && is_room(to.kind) => {
            ping::occupant(outbox, origin, None, false);
        }
        ("ping", ns::PING) if get => origin.result(outbox, |_| {}),
        ("query", ns::DISCO_INFO) if get => {
            disco::info(outbox, gateway, origin, to, rules, node, None);
        }
        ("query", ns::DISCO_ITEMS) if get && full && is_room(to.kind) => {
            let text = Denial::OccupantAsks;
            origin.error(outbox, Condition::BadRequest, text);
        }
        ("query", ns::DISCO_ITEMS) if get => disco::items(outbox, origin, payload),
        ("search", ns::CHANNEL_SEARCH) if get && disco::searches(gateway, to) && !full => {
            match search::is_search(payload) {
                // It goes to a session, which is not there: as with a network that has no rooms.
                true => origin.error(outbox, Condition::ServiceUnavailable, NOT_UNDERSTOOD),
                false => search_form(outbox, origin),
            }
        }
        ("query", ns::VERSION) if get && matches!(to.kind, Kind::Gateway | Kind::Network) => {
            version::answer(outbox, origin);
        }
        ("time", ns::TIME) if get && to.kind != Kind::Contact && !full => {
            time::answer(outbox, origin);
        }
        ("query", ns::LAST) if get && matches!(to.kind, Kind::Gateway | Kind::Network) => {
            time::uptime(outbox, origin);
        }
        ("query", ns::REGISTER)
            if get && !full && is_room(to.kind) && gateway.manifest().caps.rooms =>
        {
            let query = voice::registration(None, origin.lang);
            origin.result(outbox, |xml| {
                xml.element(&query);
            });
        }
        ("query", ns::MUC_ADMIN | ns::MUC_OWNER) if is_room(to.kind) => {
            let text = Denial::OccupantDoes;
            origin.error(outbox, Condition::Forbidden, text);
        }
        // RFC 6120 §8.4
        _ => origin.error(outbox, Condition::ServiceUnavailable, Denial::NotUnderstood),
    }
}
