//! The texts of a component stream's beginning and end (XEP-0114 1.6 §3). Pure.

use sha1::{Digest, Sha1};

use crate::xmpp::StreamCondition;

/// Opens the stream for `domain`, which needs no escaping: the configuration has checked it.
pub(super) fn header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
    )
}

/// Proves that we know the secret: SHA-1 of stream id and secret, in lower-case hex.
pub(super) fn handshake(id: &str, secret: &str) -> String {
    // XEP-0114 §3: the id is the value after XML un-escaping, the secret is UTF-8.
    let digest = Sha1::new().chain_update(id).chain_update(secret).finalize();
    format!("<handshake>{}</handshake>", hex::encode(digest))
}

/// Closes the stream with an error of ours (RFC 6120 §4.9.1.1: the close follows).
pub(super) fn error(condition: StreamCondition) -> String {
    let condition = condition.name();
    format!(
        "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         </stream:error>{CLOSE}"
    )
}

/// Closes the stream.
pub(super) const CLOSE: &str = "</stream:stream>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_lower_case_hex_of_id_and_secret() {
        // sha1sum of "3BF96D32test"
        assert_eq!(
            handshake("3BF96D32", "test"),
            "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>"
        );
    }

    #[test]
    fn header_names_the_domain_in_the_component_namespace() {
        let header = header("irc.example.org");
        assert!(
            header.contains("xmlns='jabber:component:accept'"),
            "{header}"
        );
        assert!(header.ends_with(" to='irc.example.org'>"), "{header}");
    }
}
