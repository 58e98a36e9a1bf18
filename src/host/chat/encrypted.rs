//! End-to-end encrypted bodies: no gateway can read them, so none is ever sent.
//!
//! Recognised by the payload itself, and by XEP-0380 for methods not known here. Files that are
//! encrypted (XEP-0448, XEP-0454) are of no use to who has not the key, and do not pass either.

use isthmus_gateway::{Fault, FaultKind};

use crate::host::attachment::is_encrypted;
use crate::host::fault;
use crate::host::words::{Denial, Phrase};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// Why a message cannot cross, if it is encrypted.
pub(crate) fn refusal(stanza: &Element) -> Option<Fault> {
    let method = method(stanza)?;
    let text = Denial::Encrypted.with(&[&method]);
    Some(fault::of(FaultKind::Encrypted, text))
}

/// The name of the encryption a message is wrapped in, if it is.
fn method(stanza: &Element) -> Option<String> {
    if is_encrypted(stanza) {
        return Some("file encryption (aesgcm, XEP-0448)".to_owned());
    }
    stanza
        .children()
        .find_map(|child| match (child.name(), child.ns()) {
            ("encrypted", ns::OMEMO_LEGACY | ns::OMEMO_1 | ns::OMEMO) => Some("OMEMO".to_owned()),
            ("openpgp", ns::OPENPGP) | ("x", ns::OPENPGP_LEGACY) => Some("OpenPGP".to_owned()),
            ("encryption", ns::EME) => {
                let name = child.attr("name").or_else(|| child.attr("namespace"));
                Some(name.unwrap_or("end-to-end encryption").to_owned())
            }
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_is_recognised_and_plain_messages_pass() {
        let of = |payload: &str| {
            let stanza =
                format!("<message><body>I sent an encrypted message</body>{payload}</message>");
            method(&Element::parse(stanza.as_bytes()).expect("well-formed"))
        };
        assert_eq!(
            of("<encrypted xmlns='eu.siacs.conversations.axolotl'/>").as_deref(),
            Some("OMEMO")
        );
        assert_eq!(
            of("<encrypted xmlns='urn:xmpp:omemo:2'/>").as_deref(),
            Some("OMEMO")
        );
        assert_eq!(
            of("<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>").as_deref(),
            Some("OpenPGP")
        );
        assert_eq!(
            of("<x xmlns='jabber:x:encrypted'>x</x>").as_deref(),
            Some("OpenPGP")
        );
        assert_eq!(
            of("<encryption xmlns='urn:xmpp:eme:0' namespace='urn:new'/>").as_deref(),
            Some("urn:new")
        );
        assert_eq!(of("<encrypted xmlns='urn:other'/>"), None);
        assert_eq!(of(""), None);
    }
}
