//! XEP-0115 entity capabilities: a hash of what service discovery would say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::Identity;
use sha1::{Digest, Sha1};

use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// What our hashes are of (XEP-0115 §4).
pub(crate) const NODE: &str = "https://isthmus.im";

/// The verification string of §5.1, for entities without extended forms.
pub(crate) fn hash(identities: &[Identity], features: &[&str]) -> String {
    let mut parts: Vec<String> = identities
        .iter()
        .map(|identity| {
            let Identity {
                category,
                kind,
                name,
            } = identity;
            format!("{category}/{kind}//{name}")
        })
        .collect();
    parts.sort_unstable();
    let mut features = features.to_vec();
    features.sort_unstable();
    parts.extend(features.into_iter().map(str::to_owned));
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update(b"<");
    }
    STANDARD.encode(hasher.finalize())
}

/// Writes `<c/>` into a presence.
pub(crate) fn write(xml: &mut Xml<'_>, hash: &str) {
    xml.start_ns("c", ns::CAPS);
    xml.attr("hash", "sha-1")
        .attr("node", NODE)
        .attr("ver", hash)
        .end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_xep_hashes_as_it_says() {
        // XEP-0115 §5.2
        let identity = Identity {
            category: "client".into(),
            kind: "pc".into(),
            name: "Exodus 0.9.1".into(),
        };
        let features = [
            "http://jabber.org/protocol/muc",
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "http://jabber.org/protocol/caps",
        ];
        assert_eq!(hash(&[identity], &features), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }
}
