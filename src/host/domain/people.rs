//! Who is there behind one gateway, as those who run it see it (XEP-0133), and its end at their
//! wish.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Domain;
use crate::host::shared::now_ms;
use crate::host::words::Said;
use crate::xmpp::jid::BareJid;

/// The name under which the time of a user's last log-in is kept: milliseconds since 1970.
pub(crate) const LAST_LOGIN: &str = "last login";

impl Domain {
    /// Users who have sessions or have told that they are there, as bare JIDs in order.
    pub(crate) fn users(&self) -> BTreeSet<BareJid> {
        let mut users: BTreeSet<BareJid> = {
            let table = self.table();
            table.live().map(|(key, _)| key.user.clone()).collect()
        };
        if let Some(hub) = self.hub.get() {
            users.extend(hub.present());
        }
        users
    }

    /// Those of them who did something lately, or the others.
    pub(crate) fn users_who_are(&self, active: bool) -> BTreeSet<BareJid> {
        let (mut users, now) = (self.users(), Instant::now());
        users.retain(|user| self.activity.is_active(user, now) == active);
        users
    }

    /// The networks on which a user has sessions.
    pub(crate) fn networks_of(&self, user: &BareJid) -> Vec<String> {
        let table = self.table();
        let mut networks: Vec<String> = table
            .live()
            .filter(|(key, _)| key.user == *user)
            .map(|(key, _)| key.network.to_string())
            .collect();
        networks.sort_unstable();
        networks
    }

    /// Ends the sessions of a user, with parting words; he may open others. False: he has none.
    pub(crate) fn end_sessions(&self, user: &BareJid, words: &Said) -> bool {
        let mut any = false;
        for (key, inbox) in self.table().live() {
            if key.user == *user {
                inbox.notify(|notices| notices.ended = Some(words.clone()));
                any = true;
            }
        }
        any
    }

    /// A user was not there and comes.
    pub(crate) fn logged_in(&self, user: &BareJid) {
        if let Some(outbox) = self.outbox.get() {
            let now = now_ms().to_string().into_bytes();
            let store = &self.shared.store;
            store.keep(user.as_str(), outbox.domain(), LAST_LOGIN, Some(now));
        }
    }

    /// Asks whoever serves this domain to end it, after a while. What was asked before is off.
    pub(crate) fn end_after(self: &Arc<Self>, delay: Duration) {
        let domain = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(domain) = domain.upgrade() {
                domain.ending.send_replace(true);
            }
        });
        let earlier = self.end_task.lock();
        let mut earlier = earlier.unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(earlier) = earlier.replace(task.abort_handle()) {
            earlier.abort();
        }
    }

    /// Becomes true when those who run the gateway want it to end.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }
}
