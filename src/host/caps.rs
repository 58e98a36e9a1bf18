//! XEP-0115 entity capabilities: a hash of what service discovery would say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::Identity;
use sha1::{Digest, Sha1};

use crate::host::about::Form;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// What our hashes are of (XEP-0115 §4).
pub(crate) const NODE: &str = "https://isthmus.im";

/// The verification string of §5.1.
pub(crate) fn hash(identities: &[Identity], features: &[&str], forms: &[Form]) -> String {
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
    let mut forms: Vec<&Form> = forms.iter().collect();
    forms.sort_unstable_by_key(|form| &form.about);
    for form in forms {
        parts.push(form.about.clone());
        let mut fields: Vec<_> = form.fields.iter().collect();
        fields.sort_unstable_by_key(|field| &field.var);
        for field in fields {
            parts.push(field.var.clone());
            let mut values = field.values.clone();
            values.sort_unstable();
            parts.extend(values);
        }
    }
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
    use crate::host::about::FormField;

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
        assert_eq!(
            hash(&[identity], &features, &[]),
            "QgayPKawpkPSDYmwT/WM94uAlu0="
        );
    }

    #[test]
    fn forms_are_in_the_hash_whatever_their_order_and_that_of_their_fields() {
        // XEP-0115 §5.3, without its two names in two languages.
        let field = |var: &str, values: &[&str]| FormField {
            var: var.to_owned(),
            kind: "text-multi",
            values: values.iter().map(|&it| it.to_owned()).collect(),
        };
        let form = |about: &str, fields: &[FormField]| Form {
            about: about.to_owned(),
            fields: fields.to_vec(),
        };
        let (os, ip) = (
            field("os", &["Mac"]),
            field("ip_version", &["ipv4", "ipv6"]),
        );
        let pi = field("ip_version", &["ipv6", "ipv4"]);
        let one = [form("b", &[os.clone(), ip.clone()]), form("a", &[])];
        let other = [form("a", &[]), form("b", &[pi, os])];
        assert_eq!(hash(&[], &[], &one), hash(&[], &[], &other));
        assert_eq!(
            hash(&[], &[], &[form("b", &[ip])]),
            STANDARD.encode(Sha1::digest("b<ip_version<ipv4<ipv6<"))
        );
    }
}
