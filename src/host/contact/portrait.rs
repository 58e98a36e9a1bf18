//! How contacts and the gateway look, to their user: presence tells it to every client (XEP-0153),
//! a notification to those that want it (XEP-0084 §3.2): when it changes, and to each once when it
//! comes (XEP-0163 §4.3.3).

use std::sync::Arc;

use super::book::Entry;
use super::device::Device;
use super::hub::Hub;
use crate::host::picture::{self, Portrait};
use crate::host::shared::now_ms;
use crate::xmpp::jid::BareJid;

impl Hub {
    /// How an address looks to a user.
    pub(crate) fn portrait(&self, user: &BareJid, local: &str) -> Portrait {
        if local.is_empty() {
            return self.own_portrait();
        }
        let book = self.book();
        let entry = book.entry(user, local);
        entry.map(|it| it.portrait.clone()).unwrap_or_default()
    }

    /// Whether a user has something to do with an address.
    pub(crate) fn knows(&self, user: &BareJid, local: &str) -> bool {
        self.book().entry(user, local).is_some()
    }

    /// For how many seconds a contact has done nothing; `Some(None)`: nobody knows, `None`: the
    /// user does not see his presence.
    pub(crate) fn idle(&self, user: &BareJid, local: &str) -> Option<Option<u64>> {
        let book = self.book();
        let mood = book.entry(user, local)?.mood.as_ref();
        Some(mood.and_then(|mood| match mood.since {
            Some(since) => u64::try_from((now_ms() - since) / 1000).ok(),
            None => mood.online.then_some(0),
        }))
    }

    fn own_portrait(&self) -> Portrait {
        self.shared.portrait(self.outbox.domain())
    }

    pub(super) fn portrait_in(&self, local: &str, entry: &Entry) -> Portrait {
        match local {
            "" => self.own_portrait(),
            _ => entry.portrait.clone(),
        }
    }

    /// A session hears how a contact looks. Only of whom the user has something to do with it is
    /// kept.
    pub(crate) fn pictured(self: &Arc<Self>, user: &BareJid, local: &str, portrait: Portrait) {
        let mut book = self.book();
        let Some(entry) = book.entry_mut(user, local) else {
            return;
        };
        if entry.portrait == portrait {
            return;
        }
        let before = std::mem::replace(&mut entry.portrait, portrait);
        let entry = entry.clone();
        let devices = book.devices(user);
        drop(book);
        if !entry.standing.to {
            return;
        }
        if entry.mood.as_ref().is_some_and(|mood| mood.online) {
            self.show(local, user, &entry);
        }
        let after = entry.portrait.avatar().cloned();
        if before.avatar().is_none() && after.is_none() {
            return;
        }
        let (hub, local) = (Arc::clone(self), local.to_owned());
        tokio::spawn(async move {
            for device in devices {
                if hub.devices.able(&hub.asker, &device).await.avatars {
                    picture::tell(&hub.outbox, &local, &device.jid, after.as_deref());
                }
            }
        });
    }

    /// A client has come: it is told how everybody looks, if it wants to hear.
    pub(super) fn greet(self: &Arc<Self>, user: &BareJid, device: Arc<Device>) {
        let looks: Vec<_> = {
            let book = self.book();
            let contacts = book.entries(user).filter(|(_, it)| it.standing.to);
            let looks = contacts.filter_map(|(local, entry)| {
                let image = self.portrait_in(local, entry).avatar().cloned()?;
                Some((local.to_owned(), image))
            });
            looks.collect()
        };
        if looks.is_empty() {
            return;
        }
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            if hub.devices.able(&hub.asker, &device).await.avatars {
                for (local, image) in looks {
                    picture::tell(&hub.outbox, &local, &device.jid, Some(&image));
                }
            }
        });
    }
}
