//! Who did something lately: users who are online are active or idle (XEP-0133 §4.18 to 4.21).
//!
//! Something is a message or a presence; questions are asked by clients of themselves. Who did
//! nothing for [`WINDOW`] is forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::xmpp::jid::BareJid;

/// How long who did something counts as active.
pub(crate) const WINDOW: Duration = Duration::from_secs(600);

/// When each user last did something.
#[derive(Default)]
pub(crate) struct Activity(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    at: HashMap<BareJid, Instant>,
    /// From so many on, those who are idle by now are removed.
    tidy: usize,
}

impl Activity {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Nothing leaves the table half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user does something.
    pub(crate) fn note(&self, user: &BareJid, now: Instant) {
        let mut seen = self.lock();
        if let Some(at) = seen.at.get_mut(user) {
            *at = now;
            return;
        }
        if seen.at.len() >= seen.tidy {
            seen.at.retain(|_, at| now < *at + WINDOW);
            seen.tidy = 64.max(seen.at.len() * 2);
        }
        seen.at.insert(user.clone(), now);
    }

    /// Whether he did something lately.
    pub(crate) fn is_active(&self, user: &BareJid, now: Instant) -> bool {
        self.lock()
            .at
            .get(user)
            .is_some_and(|at| now < *at + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> BareJid {
        BareJid::parse(&format!("u{number}@example.org")).expect("a JID")
    }

    #[test]
    fn who_does_nothing_for_a_while_is_idle_and_forgotten() {
        let (activity, now) = (Activity::default(), Instant::now());
        for number in 0..1000 {
            activity.note(&user(number), now);
        }
        assert!(activity.is_active(&user(7), now + WINDOW - Duration::from_millis(1)));
        let later = now + WINDOW;
        assert!(!activity.is_active(&user(7), later));
        assert!(!activity.is_active(&user(1000), now), "never did anything");
        for number in 1000..2100 {
            activity.note(&user(number), later);
        }
        assert!(activity.lock().at.len() <= 1100, "the idle are kept");
        assert!(activity.is_active(&user(1000), later));
    }
}
