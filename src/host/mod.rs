//! XMPP semantics, once for all gateways.
