//! Who may use a gateway, and who runs it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::store::Store;
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
    /// Who runs the gateway, beside those whom the configuration names: users, no domains.
    pub(crate) admins: BTreeSet<String>,
}

impl Rules {
    /// The name under which they are kept.
    pub(crate) const NAME: &str = "access rules";

    fn lists(list: &BTreeSet<String>, user: &BareJid) -> bool {
        list.contains(user.as_str()) || list.contains(user.domain())
    }

    fn bar(&self, user: &BareJid) -> bool {
        self.disabled.contains(user.as_str()) || Self::lists(&self.black, user)
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

    /// With the rules that were kept for the gateway of this domain. They are read before it
    /// serves, so that nobody who is locked out slips in with the first stanzas.
    ///
    /// # Errors
    ///
    /// In words, where they cannot be read: without them it would serve whom it must not.
    pub async fn ruled(self, store: &dyn Store, domain: &str) -> Result<Self, String> {
        let kept = store.kept("", domain, Rules::NAME).await;
        let kept = kept.map_err(|fault| format!("the rules of access cannot be read: {fault}"))?;
        let Some(kept) = kept else {
            return Ok(self);
        };
        let rules = serde_json::from_slice(&kept)
            .map_err(|error| format!("the rules of access cannot be read: {error}"))?;
        Ok(self.with_rules(Arc::new(rules)))
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

    /// Those who run the gateway by its configuration, in order.
    pub(crate) fn configured_admins(&self) -> BTreeSet<String> {
        self.admins.iter().map(BareJid::to_string).collect()
    }

    /// Whether this user runs the gateway: the configuration names him, or the rules do and do not
    /// lock him out.
    pub fn is_run_by(&self, user: &BareJid) -> bool {
        let ruled = self.rules.admins.contains(user.as_str()) && !self.rules.bar(user);
        self.admins.contains(user) || ruled
    }

    /// Whether this user may use the gateway.
    pub fn admits(&self, user: &BareJid) -> bool {
        if self.is_run_by(user) {
            // Those of the configuration cannot lock themselves out.
            return true;
        }
        let rules = &self.rules;
        if rules.bar(user) {
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

    #[tokio::test]
    async fn rules_that_were_kept_hold_from_the_first_stanza_on_and_broken_ones_are_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = crate::store::SqliteStore::open(&dir.path().join("db")).expect("a store");
        let access = Access::new(&[jid("example.org")], &[]);
        let without = access.clone().ruled(&store, "irc.example.org").await;
        assert_eq!(without, Ok(access.clone()));
        let kept = br#"{"black":["b@example.org"]}"#.to_vec();
        store.keep("", "irc.example.org", Rules::NAME, Some(kept));
        let ruled = access.clone().ruled(&store, "irc.example.org").await;
        assert!(!ruled.expect("readable").admits(&jid("b@example.org")));
        let elsewhere = access.clone().ruled(&store, "sms.example.org").await;
        assert!(elsewhere.expect("none").admits(&jid("b@example.org")));
        store.keep("", "irc.example.org", Rules::NAME, Some(b"{".to_vec()));
        assert!(access.ruled(&store, "irc.example.org").await.is_err());
    }

    #[test]
    fn rules_come_before_the_configuration_but_bar_nobody_who_runs_the_gateway() {
        let list = |entries: &[&str]| entries.iter().map(|&it| it.to_owned()).collect();
        let rules = Rules {
            disabled: list(&["a@example.org", "root@far.example"]),
            black: list(&["b@example.org"]),
            white: list(&["other.example"]),
            admins: list(&["deputy@far.example", "a@example.org"]),
        };
        let access = Access::new(&[jid("example.org")], &[jid("root@far.example")]);
        let access = access.with_rules(Arc::new(rules));
        for (user, runs) in [
            ("root@far.example", true),
            ("deputy@far.example", true),
            ("a@example.org", false),
            ("c@example.org", false),
        ] {
            assert_eq!(access.is_run_by(&jid(user)), runs, "{user}");
        }
        for admitted in [
            "c@example.org",
            "x@other.example",
            "root@far.example",
            "deputy@far.example",
        ] {
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
