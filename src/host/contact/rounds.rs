//! Telling everybody: at start and whenever the stream is up again who is there, and at the end
//! that nobody is (XEP-0100 §4.4, §4.5; "startup" and "shutdown").
//!
//! It is paced, so that a gateway of many users does not flood its server.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::book::{Entry, Everything};
use super::device::Device;
use super::hub::Hub;
use crate::store::contacts::Contact;
use crate::xmpp::jid::{BareJid, Jid};

/// Users who are told at once, and the pause behind them.
const SOME: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Presence that waits for the contacts to be read; more is as if it had not been sent.
const EARLY: usize = 10_000;

/// How long servers have to tell who is there, before who said nothing counts as gone.
const GRACE: Duration = Duration::from_secs(30);

/// Who is still to be told.
#[derive(Default)]
pub(super) struct Rounds {
    /// What is on disk has been read.
    loaded: bool,
    /// The stream has been up.
    up: bool,
    waiting: Vec<Everything>,
    /// What came before that.
    early: Vec<Early>,
}

/// Presence that came before it could be understood: `type`, from whom, to whom, from what client.
type Early = (Option<String>, Jid, Jid, Option<Arc<Device>>);

impl Hub {
    /// Reads what is on disk and then tells everybody each time the stream is up. Ends with the
    /// hub.
    pub(super) fn live(hub: &Arc<Self>) {
        let (hub, wake) = (Arc::downgrade(hub), Arc::clone(&hub.wake));
        tokio::spawn(async move {
            let Some(rows) = hub.upgrade().map(|hub| hub.rows()) else {
                return;
            };
            let rows = rows.await.unwrap_or_else(|fault| {
                tracing::error!(%fault, "contacts cannot be read");
                Vec::new()
            });
            if let Some(hub) = hub.upgrade() {
                let early = hub.remember(rows);
                for early in early {
                    hub.take(early);
                }
            }
            loop {
                wake.notified().await;
                let Some(hub) = hub.upgrade() else { return };
                hub.announce().await;
            }
        });
    }

    /// Puts presence aside that came before the contacts were read; false: they are.
    pub(super) fn is_early(
        &self,
        kind: Option<&str>,
        from: &Jid,
        to: &Jid,
        device: Option<&Arc<Device>>,
    ) -> bool {
        let mut rounds = self.rounds();
        if rounds.loaded {
            return false;
        }
        if rounds.early.len() < EARLY {
            let kind = kind.map(str::to_owned);
            let (from, to) = (from.clone(), to.clone());
            rounds.early.push((kind, from, to, device.cloned()));
        }
        true
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream is up again: who was told anything is told anew, and who is there is not known.
    pub(crate) fn up(&self) {
        let mut rounds = self.rounds();
        rounds.up = true;
        let mut book = self.book();
        book.doubt_all();
        rounds.waiting = book.everybody();
        if rounds.loaded {
            self.wake.notify_one();
        }
    }

    fn rows(&self) -> crate::store::Later<Result<Vec<Contact>, crate::store::StoreFault>> {
        self.shared.store.contacts(self.outbox.domain())
    }

    fn take(self: &Arc<Self>, (kind, from, to, device): Early) {
        match kind.as_deref() {
            None => self.shown(&from, &to, device),
            kind @ Some("unavailable") => self.presence(&from, &to, kind, || None),
            Some(asked) => self.subscription(asked, &from, &to),
        }
    }

    /// What came meanwhile is returned.
    fn remember(&self, rows: Vec<Contact>) -> Vec<Early> {
        let mut people: HashMap<BareJid, Vec<(Box<str>, Entry)>> = HashMap::new();
        let mut rounds = self.rounds();
        let mut book = self.book();
        for row in rows {
            let (Ok(user), Ok(address)) = (BareJid::parse(&row.user), self.address(&row.local))
            else {
                // The configuration is another one: the address names nothing now.
                continue;
            };
            if book.entry(&user, &row.local).is_none() {
                let fresh = Entry {
                    standing: row.standing,
                    ..self.fresh(&row.local, &address)
                };
                book.add(&user, &row.local, fresh.clone());
                let contacts = people.entry(user).or_default();
                contacts.push((row.local.into(), fresh));
            }
        }
        rounds.loaded = true;
        rounds.waiting.extend(people);
        if rounds.up {
            self.wake.notify_one();
        }
        std::mem::take(&mut rounds.early)
    }

    async fn announce(self: &Arc<Self>) {
        let people = std::mem::take(&mut self.rounds().waiting);
        if people.is_empty() {
            return;
        }
        for some in people.chunks(SOME) {
            for person in some {
                self.tell(person);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let hub = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            if let Some(domain) = hub.upgrade().and_then(|hub| hub.domain.upgrade()) {
                domain.all_contacts_changed();
            }
        });
    }

    /// Who is there, and whether the user is.
    fn tell(&self, (user, contacts): &Everything) {
        for (local, entry) in contacts {
            if entry.standing.to {
                self.show(local, user, entry);
            }
        }
        // COMPAT(Prosody 0.12): a probe while a request is pending deletes the request.
        let answers = contacts.iter().find(|(_, it)| it.standing.from);
        if let Some((local, _)) = answers {
            self.say(local, user, Some("probe"));
        }
    }

    /// Nobody is there any more.
    pub(crate) fn shut_down(&self) {
        let people = self.book().everybody();
        for (user, contacts) in &people {
            for (local, entry) in contacts {
                if entry.standing.to && self.is_there(local, user, entry) {
                    self.say(local, user, Some("unavailable"));
                }
            }
        }
        // Sessions that end now have nothing more to tell.
        self.book().unlink_all();
        for (user, contacts) in people {
            let mut book = self.book();
            for (local, _) in contacts {
                if let Some(entry) = book.entry_mut(&user, &local) {
                    entry.mood = None;
                }
            }
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}
