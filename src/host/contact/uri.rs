//! Addresses of networks that people paste as URIs (RFC 3986): `mailto:` (RFC 6068), `tel:`
//! (RFC 3966), `sms:` (RFC 5724), `xmpp:` (RFC 5122), `irc:`.
//!
//! Only what is the same for all of them is done here: what does not belong to the address goes,
//! and what stands for other characters becomes them. What a scheme says beyond that is read by
//! the gateway it belongs to.

use percent_encoding::percent_decode_str;

/// Schemes of what people write to.
const SCHEMES: [&str; 8] = [
    "xmpp", "mailto", "tel", "sms", "smsto", "irc", "ircs", "irc6",
];
/// Those that say nothing the address does not say.
const BARE: [&str; 2] = ["xmpp", "mailto"];

/// What was pasted as an address; what is no URI of a known scheme stays as it is, and so does
/// one whose escapes are not UTF-8.
pub(super) fn address(typed: &str) -> String {
    let Some((scheme, rest)) = typed.split_once(':') else {
        return typed.to_owned();
    };
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        return typed.to_owned();
    }
    let rest = rest.split('?').next().unwrap_or_default();
    let Ok(rest) = percent_decode_str(rest).decode_utf8() else {
        return typed.to_owned();
    };
    match BARE.contains(&scheme.as_str()) {
        true => rest.into_owned(),
        false => format!("{scheme}:{rest}"),
    }
}

/// The JID an `xmpp:` URI names, without what is to be done with it.
pub(super) fn jid(typed: &str) -> Option<String> {
    let (scheme, _) = typed.split_once(':')?;
    scheme.eq_ignore_ascii_case("xmpp").then(|| address(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_address_stays() {
        for (typed, expected) in [
            ("alice@peer.example", "alice@peer.example"),
            (
                "mailto:alice@peer.example?subject=a%20b",
                "alice@peer.example",
            ),
            ("MAILTO:o%27hara@peer.example", "o'hara@peer.example"),
            ("sms:%2B14169938000?body=hello", "sms:+14169938000"),
            (
                "tel:9938000;phone-context=+1416",
                "tel:9938000;phone-context=+1416",
            ),
            (
                "irc://irc.a.example/%23rust?key",
                "irc://irc.a.example/#rust",
            ),
            ("xmpp:a@b.example?join", "a@b.example"),
            ("mailto:%ff@peer.example", "mailto:%ff@peer.example"),
            ("http://peer.example/?q", "http://peer.example/?q"),
            ("%23rust%irc", "%23rust%irc"),
        ] {
            assert_eq!(address(typed), expected, "{typed}");
        }
    }

    #[test]
    fn only_xmpp_names_a_jid() {
        assert_eq!(
            jid("XMPP:a@b.example?message;body=x").as_deref(),
            Some("a@b.example")
        );
        assert_eq!(jid("mailto:a@b.example"), None);
        assert_eq!(jid("a@b.example"), None);
    }
}
