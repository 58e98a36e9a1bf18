//! Who answers a stanza: a pure table.
//!
//! It looks at the envelope only (kind, `type`, whom it is sent to) and never at a payload. The
//! one thing it asks of a gateway is which network a localpart names, and that is a slice.

use crate::xmpp::stream::StanzaKind;

/// Who deals with a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Nobody: it asks for nothing, and answering would start a loop.
    Drop,
    /// The session of that user and network, which is opened if there is none.
    Open,
    /// The session, if there is one; else nobody.
    Tell,
    /// The session, if there is one, with the queue places kept for what ends things.
    End,
    /// The session, if there is one; else the host, which answers without it.
    Ask,
    /// The host, which answers for the gateway.
    Host,
    /// The host: a subscription or a probe (RFC 6121 §3).
    Subscription,
    /// The host: the user's own coming and going.
    Presence,
    /// The sender gets `bad-request`: not a stanza of RFC 6120.
    BadRequest,
}

/// Whom a stanza is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// The bare domain.
    Gateway,
    /// Something on a network: a bare JID.
    Bare,
    /// A full JID: an occupant, or a contact with a resource it never had.
    Full,
}

/// The table. `kind` is the `type` attribute.
pub(crate) fn route(stanza: StanzaKind, kind: Option<&str>, to: Addressee) -> Route {
    match stanza {
        StanzaKind::Message => route_message(kind, to),
        StanzaKind::Presence => route_presence(kind, to),
        StanzaKind::Iq => match (kind, to) {
            // RFC 6120 §8.2.3: a result or an error is never answered.
            (Some("result" | "error"), Addressee::Gateway) => Route::Drop,
            (Some("result" | "error"), _) => Route::Tell,
            (Some("get" | "set"), Addressee::Gateway) => Route::Host,
            (Some("get" | "set"), _) => Route::Ask,
            _ => Route::BadRequest,
        },
        _ => Route::Drop,
    }
}

fn route_message(kind: Option<&str>, to: Addressee) -> Route {
    match (kind, to) {
        (Some("error"), Addressee::Gateway) => Route::Drop,
        // A bounce takes a vanished resource out of its rooms.
        (Some("error"), _) => Route::End,
        // RFC 6121 §5.2.2: a headline expects no answer and comes from machines.
        (Some("headline"), _) => Route::Drop,
        (_, Addressee::Gateway) => Route::Host,
        // RFC 6121 §5.2.2: an unknown type is `normal`.
        _ => Route::Open,
    }
}

fn route_presence(kind: Option<&str>, to: Addressee) -> Route {
    match (kind, to) {
        (Some("subscribe" | "subscribed" | "unsubscribe" | "unsubscribed" | "probe"), _) => {
            Route::Subscription
        }
        (None | Some("unavailable" | "error"), Addressee::Gateway) => Route::Presence,
        (Some("unavailable" | "error"), _) => Route::End,
        // Directed presence to a room without a nickname is an entrance without one: the session
        // answers it (XEP-0045 §7.2.1 wants `jid-malformed`).
        (None, _) => Route::Open,
        (Some(_), _) => Route::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Option<&str>; 16] = [
        None,
        Some("error"),
        Some("result"),
        Some("get"),
        Some("set"),
        Some("chat"),
        Some("normal"),
        Some("groupchat"),
        Some("headline"),
        Some("unavailable"),
        Some("subscribe"),
        Some("subscribed"),
        Some("unsubscribe"),
        Some("unsubscribed"),
        Some("probe"),
        Some("nonsense"),
    ];

    #[test]
    fn an_error_is_never_answered_and_never_opens_a_session() {
        for stanza in [StanzaKind::Message, StanzaKind::Presence, StanzaKind::Iq] {
            for to in [Addressee::Gateway, Addressee::Bare, Addressee::Full] {
                let route = route(stanza, Some("error"), to);
                assert!(
                    matches!(
                        route,
                        Route::Drop | Route::End | Route::Tell | Route::Presence
                    ),
                    "{route:?}"
                );
            }
        }
    }

    #[test]
    fn every_iq_request_has_somebody_who_answers() {
        for kind in ["get", "set"] {
            for to in [Addressee::Gateway, Addressee::Bare, Addressee::Full] {
                let route = route(StanzaKind::Iq, Some(kind), to);
                assert!(matches!(route, Route::Host | Route::Ask), "{route:?}");
            }
        }
    }

    #[test]
    fn only_messages_and_available_presence_open_sessions() {
        for stanza in [StanzaKind::Message, StanzaKind::Presence, StanzaKind::Iq] {
            for kind in KINDS {
                let opens = route(stanza, kind, Addressee::Full) == Route::Open;
                let may = match stanza {
                    StanzaKind::Message => !matches!(kind, Some("error" | "headline")),
                    StanzaKind::Presence => kind.is_none(),
                    _ => false,
                };
                assert_eq!(opens, may, "{stanza:?} {kind:?}");
            }
        }
    }
}
