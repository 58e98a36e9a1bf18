//! XEP-0144 1.1.1 roster item exchange: where the user's server lets nobody change his roster, a
//! client of his that takes suggestions is asked to (§4; by iq to its full JID, §5.1).
//!
//! One request of a user at a time, of at most a hundred items of one action (§5.2, §5.4): what a
//! network names meanwhile waits for the next. What no client takes is asked for by presence.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device::Device;
use super::hub::Hub;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// Items of one request.
const AT_ONCE: usize = 100;
/// Items of one user that wait; more are asked for by presence.
const MOST: usize = 10_000;

/// A change of a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The localpart; empty: the gateway.
    pub(super) local: String,
    /// What it is called; `None`: it is to be removed.
    pub(super) name: Option<String>,
}

/// What waits for one user.
#[derive(Debug, Default)]
struct Waiting {
    devices: Vec<Arc<Device>>,
    changes: VecDeque<Change>,
}

/// What waits, by user: who is in it is being worked for.
#[derive(Debug, Default)]
pub(super) struct Suggestions(Mutex<HashMap<BareJid, Waiting>>);

impl Suggestions {
    /// Takes changes; what there is no room for comes back. The second: nobody works for him yet.
    fn push(
        &self,
        user: &BareJid,
        devices: Vec<Arc<Device>>,
        mut changes: Vec<Change>,
    ) -> (Vec<Change>, bool) {
        let mut all = self.lock();
        let first = !all.contains_key(user);
        let waiting = all.entry(user.clone()).or_default();
        waiting.devices = devices;
        let room = MOST.saturating_sub(waiting.changes.len());
        let rest = changes.split_off(room.min(changes.len()));
        waiting.changes.extend(changes);
        (rest, first)
    }

    /// The next of one action, and who may take them; `None`: nothing waits, and nobody works for
    /// him any more.
    fn next(&self, user: &BareJid) -> Option<(Vec<Arc<Device>>, Vec<Change>)> {
        let mut all = self.lock();
        let waiting = all.get_mut(user)?;
        let adds = waiting.changes.front().map(|it| it.name.is_some());
        let Some(adds) = adds else {
            all.remove(user);
            return None;
        };
        let same = waiting.changes.iter();
        let same = same.take_while(|it| it.name.is_some() == adds).count();
        let some = waiting.changes.drain(..same.min(AT_ONCE)).collect();
        Some((waiting.devices.clone(), some))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BareJid, Waiting>> {
        // No code that holds the lock leaves anybody half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Has these changes suggested to one of a user's clients.
    pub(super) fn suggest(
        self: &Arc<Self>,
        user: &BareJid,
        devices: Vec<Arc<Device>>,
        changes: Vec<Change>,
    ) {
        // Also while it is open: who agrees may subscribe before he has answered.
        self.are_suggested(user, &changes, true);
        let (rest, first) = self.suggestions.push(user, devices, changes);
        self.not_taken(user, rest);
        if !first {
            return;
        }
        let (hub, user) = (Arc::clone(self), user.clone());
        tokio::spawn(async move {
            // Never closed.
            let _place = Arc::clone(&hub.places).acquire_owned().await;
            while let Some((devices, changes)) = hub.suggestions.next(&user) {
                if !hub.taken(&devices, &changes).await {
                    hub.not_taken(&user, changes);
                }
            }
        });
    }

    /// Whether one of these clients takes them.
    async fn taken(&self, devices: &[Arc<Device>], changes: &[Change]) -> bool {
        let x = self.as_items(changes);
        for device in devices {
            if !self.devices.able(&self.asker, device).await.roster {
                continue;
            }
            let answer = self.asker.ask(&device.jid, "set", |xml| {
                xml.element(&x);
            });
            let answer = answer.await;
            if answer.is_some_and(|it| it.attr("type") == Some("result")) {
                return true;
            }
        }
        false
    }

    /// §3.
    fn as_items(&self, changes: &[Change]) -> Element {
        let title = self.title();
        let x = Element::new("x", ns::ROSTERX);
        changes.iter().fold(x, |x, Change { local, name }| {
            let item = Element::new("item", ns::ROSTERX)
                .with_attr("action", if name.is_some() { "add" } else { "delete" })
                .with_attr("jid", &self.jid(local));
            let item = match name {
                Some(name) => {
                    let group = Element::new("group", ns::ROSTERX).with_text(&title);
                    item.with_attr("name", name).with_child(group)
                }
                None => item,
            };
            x.with_child(item)
        })
    }

    /// What is added subscribes by itself; only then the address asks back.
    fn are_suggested(&self, user: &BareJid, changes: &[Change], are: bool) {
        let mut book = self.book();
        for change in changes.iter().filter(|it| it.name.is_some()) {
            if let Some(entry) = book.entry_mut(user, &change.local) {
                entry.suggested = are;
            }
        }
    }

    /// What no client adds asks for itself; what was to be removed has said good-bye by presence.
    fn not_taken(&self, user: &BareJid, changes: Vec<Change>) {
        self.are_suggested(user, &changes, false);
        for Change { local, name } in changes {
            if let Some(name) = name {
                self.request(user, &local, &name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(local: &str, add: bool) -> Change {
        Change {
            local: local.to_owned(),
            name: add.then(|| local.to_owned()),
        }
    }

    #[test]
    fn one_request_has_one_action_and_a_hundred_items() {
        let user = BareJid::parse("juliet@example.org").expect("a JID");
        let all = Suggestions::default();
        let adds = (0..150).map(|n| change(&n.to_string(), true)).collect();
        assert_eq!(all.push(&user, Vec::new(), adds), (Vec::new(), true));
        let gone = vec![change("0", false)];
        assert_eq!(all.push(&user, Vec::new(), gone), (Vec::new(), false));
        let next = || all.next(&user).map(|(_, changes)| changes.len());
        assert_eq!(next(), Some(100));
        assert_eq!(next(), Some(50));
        assert_eq!(next(), Some(1));
        assert_eq!(next(), None);
        let again = vec![change("0", true)];
        assert_eq!(all.push(&user, Vec::new(), again), (Vec::new(), true));
    }

    #[test]
    fn what_there_is_no_room_for_comes_back() {
        let user = BareJid::parse("juliet@example.org").expect("a JID");
        let all = Suggestions::default();
        let many = (0..=MOST).map(|n| change(&n.to_string(), true)).collect();
        let (rest, _) = all.push(&user, Vec::new(), many);
        assert_eq!(rest, [change(&MOST.to_string(), true)]);
    }
}
