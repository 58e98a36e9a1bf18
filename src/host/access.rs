//! Who may use a gateway, and who runs it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::xmpp::jid::BareJid;

/// Who may use a gateway, and who runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    domains: HashSet<String>,
    users: HashSet<BareJid>,
    admins: HashSet<BareJid>,
    rules: Arc<Rules>,
}

/// What those who run a gateway have ruled while it ran (XEP-0133), beside its configuration.
/// Entries are bare JIDs; in the lists also domains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    /// Users who are locked out for now.
    pub(crate) disabled: BTreeSet<String>,
    /// Who may not use it.
    pub(crate) black: BTreeSet<String>,
    /// Who may, beside those whom the configuration admits.
    pub(crate) white: BTreeSet<String>,
}

impl Rules {
    /// The name under which they are kept.
    pub(crate) const NAME: &str = "access rules";

    fn lists(list: &BTreeSet<String>, user: &BareJid) -> bool {
        list.contains(user.as_str()) || list.contains(user.domain())
    }
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
            rules: Arc::default(),
        }
    }

    /// With rules beside the configuration.
    pub(crate) fn with_rules(&self, rules: Arc<Rules>) -> Self {
        Self {
            rules,
            ..self.clone()
        }
    }

    /// The rules beside the configuration.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules)
    }

    /// Whether this user runs the gateway.
    pub fn is_run_by(&self, user: &BareJid) -> bool {
        self.admins.contains(user)
    }

    /// Whether this user may use the gateway.
    pub fn admits(&self, user: &BareJid) -> bool {
        if self.admins.contains(user) {
            // They cannot lock themselves out.
            return true;
        }
        let rules = &self.rules;
        if rules.disabled.contains(user.as_str()) || Rules::lists(&rules.black, user) {
            return false;
        }
        self.domains.contains(user.domain())
            || self.users.contains(user)
            || Rules::lists(&rules.white, user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> BareJid {
        BareJid::parse(text).expect("a JID")
    }

    #[test]
    fn rules_come_before_the_configuration_but_bar_nobody_who_runs_the_gateway() {
        let list = |entries: &[&str]| entries.iter().map(|&it| it.to_owned()).collect();
        let rules = Rules {
            disabled: list(&["a@example.org", "root@far.example"]),
            black: list(&["b@example.org"]),
            white: list(&["other.example"]),
        };
        let access = Access::new(&[jid("example.org")], &[jid("root@far.example")]);
        let access = access.with_rules(Arc::new(rules));
        for admitted in ["c@example.org", "x@other.example", "root@far.example"] {
            assert!(access.admits(&jid(admitted)), "{admitted}");
        }
        for refused in ["a@example.org", "b@example.org", "x@far.example"] {
            assert!(!access.admits(&jid(refused)), "{refused}");
        }
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
