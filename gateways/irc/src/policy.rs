//! Which servers have promised TLS, and until when (IRCv3 sts, persistence).
//!
//! One policy for a host, whoever of the users learnt it; kept over restarts. A host with a policy
//! is never met in plain text.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use isthmus_gateway::Uplink;

/// The policies. Times are seconds since 1970.
#[derive(Default)]
pub(crate) struct Policies {
    up: OnceLock<Arc<dyn Uplink>>,
    known: Mutex<BTreeMap<String, (u16, u64)>>,
}

/// The name under which they are kept.
const NAME: &str = "sts";
/// Hosts that are remembered; users may name any.
const MOST_HOSTS: usize = 4096;

impl Policies {
    /// From now on there is somewhere to keep them; what was kept holds again.
    pub(crate) async fn attach(&self, up: Arc<dyn Uplink>) {
        if let Ok(Some(kept)) = up.kept(NAME).await {
            let kept: BTreeMap<String, (u16, u64)> =
                serde_json::from_slice(&kept).unwrap_or_default();
            // What was learnt since the start is newer.
            let mut known = self.known();
            for (host, policy) in kept {
                known.entry(host).or_insert(policy);
            }
        }
        let _ = self.up.set(up);
    }

    /// Where this host is to be met over TLS.
    pub(crate) fn port(&self, host: &str, now: u64) -> Option<u16> {
        let known = self.known();
        let policy = known.get(&host.to_ascii_lowercase());
        policy
            .filter(|(_, until)| now < *until)
            .map(|&(port, _)| port)
    }

    /// The host, met over TLS at this port, promises it for so many seconds; 0 ends it.
    pub(crate) fn learn(&self, host: &str, port: u16, seconds: u64, now: u64) {
        let kept = {
            let mut known = self.known();
            known.retain(|_, (_, until)| now < *until);
            let host = host.to_ascii_lowercase();
            if seconds == 0 {
                known.remove(&host);
            } else if known.len() < MOST_HOSTS || known.contains_key(&host) {
                known.insert(host, (port, now.saturating_add(seconds)));
            }
            serde_json::to_vec(&*known).ok()
        };
        if let Some(up) = self.up.get() {
            // Queued when it is called: what comes of it can wait.
            drop(up.keep(NAME, kept));
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, (u16, u64)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Shelf;

    #[tokio::test]
    async fn a_promise_holds_for_its_time_and_over_a_restart() {
        let shelf = Arc::new(Shelf::default());
        let policies = Policies::default();
        policies.attach(Arc::clone(&shelf) as _).await;
        policies.learn("IRC.example", 6697, 100, 1000);
        assert_eq!(policies.port("irc.Example", 1099), Some(6697));
        assert_eq!(policies.port("irc.example", 1100), None);
        assert_eq!(policies.port("other.example", 1000), None);
        let restarted = Policies::default();
        restarted.attach(Arc::clone(&shelf) as _).await;
        assert_eq!(restarted.port("irc.example", 1050), Some(6697));
        restarted.learn("irc.example", 6697, 0, 1050);
        assert_eq!(restarted.port("irc.example", 1050), None);
        let restarted = Policies::default();
        restarted.attach(shelf as _).await;
        assert_eq!(restarted.port("irc.example", 1050), None);
    }
}
