//! Addresses as operators write them: domains, bare JIDs, host:port.
//!
//! Stricter than what is accepted from the wire, because a typing mistake here is found by
//! nobody else.

use crate::xmpp::BareJid;

/// Who may use a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All users of a domain.
    Domain(String),
    /// One user.
    Jid(BareJid),
}

impl Allowed {
    /// The domain or the address.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Domain(domain) => domain,
            Self::Jid(jid) => jid.as_str(),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains('@') {
            return bare_jid(text).map(Self::Jid);
        }
        domain(text).map(Self::Domain)
    }
}

/// A domain name in lower case (RFC 1035 §2.3.4 for the lengths); letters of any script.
pub(super) fn domain(text: &str) -> Option<String> {
    let name = name(text).filter(|name| !name.contains('_'))?;
    Some(BareJid::new(None, &name).ok()?.domain().to_owned())
}

/// A host name: a domain in which container networks also put underscores.
fn name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    (name.len() <= 253 && name.split('.').all(is_label)).then(|| name.to_lowercase())
}

/// A JID with a localpart and without resourcepart.
pub(super) fn bare_jid(text: &str) -> Option<BareJid> {
    let (local, rest) = text.split_once('@')?;
    let domain = domain(rest)?;
    BareJid::new(Some(local), &domain).ok()
}

/// `host:port`, the host a name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn endpoint(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => {
            let inner = rest.strip_suffix(']')?;
            inner.parse::<std::net::Ipv6Addr>().ok()?;
            inner.to_owned()
        }
        None => name(host)?,
    };
    Some((host, port))
}

/// A domain less its first label, when something is left.
pub(super) fn parent(domain: &str) -> Option<String> {
    let (_, rest) = domain.split_once('.')?;
    Some(rest.to_owned())
}

/// A URI: a scheme (RFC 3986 §3.1) and something behind it.
pub(super) fn uri(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let good = |c: char| !c.is_whitespace() && !c.is_control();
    (named && !rest.is_empty() && rest.chars().all(good)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Access;

    #[test]
    fn domains_are_checked_and_lowered() {
        for (text, expected) in [
            ("irc.example.org", Some("irc.example.org")),
            ("IRC.Example.ORG.", Some("irc.example.org")),
            ("localhost", Some("localhost")),
            ("bücher.example", Some("bücher.example")),
            ("", None),
            ("irc..org", None),
            ("irc example.org", None),
            ("-irc.org", None),
            ("irc_1.org", None),
            ("a@b", None),
            ("irc.org/x", None),
        ] {
            assert_eq!(domain(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(domain(&"a".repeat(64)), None);
        assert_eq!(
            domain(&"a.".repeat(127)),
            Some("a.".repeat(127).trim_end_matches('.').into())
        );
        assert_eq!(domain(&"a.".repeat(128)), None);
    }

    #[test]
    fn endpoints_need_a_host_and_a_port() {
        for (text, expected) in [
            ("127.0.0.1:5347", Some(("127.0.0.1", 5347))),
            ("[::1]:5347", Some(("::1", 5347))),
            ("Xmpp.example.org:1", Some(("xmpp.example.org", 1))),
            ("xmpp_server:5347", Some(("xmpp_server", 5347))),
            ("localhost", None),
            ("localhost:0", None),
            ("localhost:65536", None),
            ("::1:5347", None),
            (":5347", None),
        ] {
            let expected = expected.map(|(host, port): (&str, u16)| (host.to_owned(), port));
            assert_eq!(endpoint(text), expected, "{text:?}");
        }
    }

    fn jid(text: &str) -> BareJid {
        BareJid::parse(text).expect("a JID")
    }

    #[test]
    fn who_is_allowed_is_a_domain_or_a_bare_jid() {
        let allowed = |text| {
            let allowed = Allowed::parse(text).expect("a domain or a JID");
            Access::new(&[jid(allowed.as_str())], &[])
        };
        let ann = allowed("Ann@Example.org");
        assert!(ann.admits(&jid("ann@example.org")));
        assert!(!ann.admits(&jid("bob@example.org")));
        let all = allowed("example.org");
        assert!(all.admits(&jid("ann@example.org")) && all.admits(&jid("example.org")));
        assert!(
            !all.admits(&jid("ann@sub.example.org")) && !all.admits(&jid("example.org@evil.org"))
        );
        for bad in [
            "ann@",
            "@example.org",
            "ann@example.org/home",
            "a b@c.org",
            "a@b@c",
        ] {
            assert_eq!(Allowed::parse(bad), None, "{bad:?}");
        }
    }
}
