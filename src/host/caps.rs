//! XEP-0115 entity capabilities: a hash of what service discovery would say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::Identity;
use sha1::{Digest, Sha1};

use crate::host::about::Form;
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// What our hashes are of (XEP-0115 §4).
pub(crate) const NODE: &str = "https://isthmus.im";

/// The hash of what we say of ourselves.
pub(crate) fn hash(identities: &[Identity], features: &[&str], forms: &[Form]) -> String {
    let identities = identities.iter().map(|identity| {
        let Identity {
            category,
            kind,
            name,
        } = identity;
        format!("{category}/{kind}//{name}")
    });
    let forms = forms.iter().map(|form| {
        let fields = form.fields.iter();
        let fields = fields.map(|field| (field.var.clone(), field.values.clone()));
        (form.about.clone(), fields.collect())
    });
    digest(identities.collect(), features.to_vec(), forms.collect())
}

/// The hash of what somebody else's answer to disco#info says.
pub(crate) fn hash_of(query: &Element) -> String {
    let children = |name: &'static str| query.children().filter(move |it| it.name() == name);
    let identities = children("identity").map(|it| {
        let part = |name| it.attr(name).unwrap_or_default();
        let (category, kind) = (part("category"), part("type"));
        format!("{category}/{kind}/{}/{}", part("xml:lang"), part("name"))
    });
    let features = children("feature").filter_map(|it| it.attr("var"));
    let forms = children("x").filter(|it| it.ns() == ns::DATA_FORMS);
    let forms = forms.filter_map(|form| {
        let fields = form.children().filter(|it| it.name() == "field");
        let mut fields: Vec<(String, Vec<String>)> = fields
            .map(|field| {
                let values = field.children().filter(|it| it.name() == "value");
                let var = field.attr("var").unwrap_or_default().to_owned();
                (var, values.map(|it| it.text().into_owned()).collect())
            })
            .collect();
        // §5.4: a form without FORM_TYPE does not count.
        let about = fields.iter().position(|it| it.0 == "FORM_TYPE")?;
        let (_, about) = fields.remove(about);
        Some((about.into_iter().next()?, fields))
    });
    digest(identities.collect(), features.collect(), forms.collect())
}

/// A form: its `FORM_TYPE`, its fields with their values.
type Said = (String, Vec<(String, Vec<String>)>);

/// The verification string of §5.1, hashed.
fn digest(mut parts: Vec<String>, mut features: Vec<&str>, mut forms: Vec<Said>) -> String {
    parts.sort_unstable();
    features.sort_unstable();
    parts.extend(features.into_iter().map(str::to_owned));
    forms.sort_unstable();
    for (about, mut fields) in forms {
        parts.push(about);
        fields.sort_unstable();
        for (var, mut values) in fields {
            parts.push(var);
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
    fn what_another_says_is_hashed_like_our_own() {
        // XEP-0115 §5.3
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
            <identity xml:lang='el' category='client' name='\u{3a8} 0.11' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/>\
            <feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='http://jabber.org/protocol/muc'/>\
            <x xmlns='jabber:x:data' type='result'>\
            <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
            <field var='ip_version'><value>ipv4</value><value>ipv6</value></field>\
            <field var='os'><value>Mac</value></field>\
            <field var='os_version'><value>10.5.1</value></field>\
            <field var='software'><value>Psi</value></field>\
            <field var='software_version'><value>0.11</value></field></x></query>";
        let query = Element::parse(query.as_bytes()).expect("well-formed");
        assert_eq!(hash_of(&query), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
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
