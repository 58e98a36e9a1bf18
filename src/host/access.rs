//! Who may use a gateway, and who runs it.

use std::collections::HashSet;

use crate::xmpp::jid::BareJid;

/// Who may use a gateway, and who runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    domains: HashSet<String>,
    users: HashSet<BareJid>,
    admins: HashSet<BareJid>,
}

impl Access {
    /// Admits `allow`, each a domain or a bare JID, and the `admins`.
    pub fn new(allow: &[BareJid], admins: &[BareJid]) -> Self {
        let (users, domains): (Vec<_>, Vec<_>) =
            allow.iter().cloned().partition(|jid| jid.local().is_some());
        Self {
            domains: domains
                .into_iter()
                .map(|jid| jid.domain().to_owned())
                .collect(),
            users: users.into_iter().collect(),
            admins: admins.iter().cloned().collect(),
        }
    }

    /// Whether this user runs the gateway.
    pub fn is_run_by(&self, user: &BareJid) -> bool {
        self.admins.contains(user)
    }

    /// Whether this user may use the gateway.
    pub fn admits(&self, user: &BareJid) -> bool {
        self.domains.contains(user.domain())
            || self.users.contains(user)
            || self.admins.contains(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> BareJid {
        BareJid::parse(text).expect("a JID")
    }

    #[test]
    fn a_domain_admits_its_users_and_no_subdomain() {
        let access = Access::new(
            &[jid("example.org"), jid("guest@other.example")],
            &[jid("root@far.example")],
        );
        for admitted in [
            "a@example.org",
            "example.org",
            "guest@other.example",
            "root@far.example",
        ] {
            assert!(access.admits(&jid(admitted)), "{admitted}");
        }
        for refused in [
            "a@sub.example.org",
            "b@other.example",
            "example.com",
            "a@far.example",
        ] {
            assert!(!access.admits(&jid(refused)), "{refused}");
        }
    }
}
