//! One served domain: what its component delivers, and the sessions behind it.
//!
//! The table of sessions stands under a lock that is held for a look-up; nobody waits with it in
//! hand.

mod contacts;
pub(crate) mod figures;
mod lasting;
pub(crate) mod people;
mod routing;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use std::time::Duration;

use isthmus_gateway::Gateway;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::access::{Access, Rules};
use super::activity::Activity;
use super::archive;
use super::asker::Asker;
use super::contact::Hub;
use super::courier::CourierHost;
use super::desk::Desk;
use super::inbox::Inbox;
use super::names::Names;
use super::own::OwnUplink;
use super::reply::Origin;
use super::session::{Base, Origins, Session, SessionTask};
use super::shared::{Shared, now_ms};
use super::table::{Key, Offer, Table, Want};
use crate::component::{Inbound, Level, Mark, Outbox};
use crate::host::words::Denial;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::stream::{OwnedPeek, Refusal, Stanza};

/// How long a gateway's own tasks may take to end.
const FAREWELL: Duration = Duration::from_secs(3);

/// One served domain.
pub struct Domain {
    gateway: Arc<dyn Gateway>,
    shared: Arc<Shared>,
    access: RwLock<Arc<Access>>,
    outbox: OnceLock<Outbox>,
    asker: OnceLock<Arc<Asker>>,
    courier: OnceLock<Arc<CourierHost>>,
    desk: OnceLock<Arc<Desk>>,
    hub: OnceLock<Arc<Hub>>,
    table: Mutex<Table>,
    sessions: watch::Sender<usize>,
    activity: Activity,
    /// Streams so far.
    streams: AtomicU64,
    /// Stanzas received so far.
    received: AtomicU64,
    /// Those who run the gateway want it to end.
    ending: watch::Sender<bool>,
    /// What waits to say so.
    end_task: Mutex<Option<AbortHandle>>,
}

/// A session's place in the table.
pub(crate) struct Place {
    domain: Arc<Domain>,
    key: Key,
    generation: u64,
}

impl Place {
    /// Marks the session as closing if nothing is queued for it; false: it goes on.
    pub(crate) fn close_if(&self, inbox: &Inbox) -> bool {
        let mut table = self.domain.table();
        if !inbox.is_empty() {
            return false;
        }
        table.close(&self.key, self.generation);
        true
    }

    /// Marks the session as closing.
    pub(crate) fn close(&self) {
        self.domain.table().close(&self.key, self.generation);
    }
}

impl Domain {
    /// A domain served by `gateway` to whom `access` admits.
    pub fn new(gateway: Arc<dyn Gateway>, shared: Arc<Shared>, access: Access) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            shared,
            access: RwLock::new(Arc::new(access)),
            outbox: OnceLock::new(),
            asker: OnceLock::new(),
            courier: OnceLock::new(),
            desk: OnceLock::new(),
            hub: OnceLock::new(),
            table: Mutex::default(),
            sessions: watch::Sender::new(0),
            activity: Activity::default(),
            streams: AtomicU64::new(0),
            received: AtomicU64::new(0),
            ending: watch::Sender::new(false),
            end_task: Mutex::default(),
        })
    }

    /// Attaches the domain to its component. Until then it drops what it is given.
    pub fn attach(self: &Arc<Self>, outbox: Outbox) {
        let mut level = outbox.watch_level();
        let asker = Asker::new(outbox.clone());
        let _ = self.asker.set(Arc::clone(&asker));
        if self.gateway.courier().is_some() {
            let (gateway, shared) = (Arc::clone(&self.gateway), Arc::clone(&self.shared));
            let courier = CourierHost::start(
                gateway,
                shared,
                self.access(),
                outbox.clone(),
                Arc::clone(&asker),
            );
            let _ = self.courier.set(courier);
        } else {
            self.start_gateway(&outbox);
        }
        let (gateway, shared) = (Arc::clone(&self.gateway), Arc::clone(&self.shared));
        let domain = Arc::downgrade(self);
        let hub = Hub::start(gateway, shared, outbox.clone(), asker, domain.clone());
        let _ = self.hub.set(Arc::clone(&hub));
        let (gateway, shared) = (Arc::clone(&self.gateway), Arc::clone(&self.shared));
        let courier = self.courier.get().cloned();
        let desk = Desk::new(gateway, shared, outbox.clone(), hub, courier, domain);
        let _ = self.desk.set(Arc::new(desk));
        let _ = self.outbox.set(outbox);
        tokio::spawn(archive::keep_small(Arc::downgrade(self)));
        tokio::spawn(lasting::restore(Arc::downgrade(self)));
        let domain = Arc::downgrade(self);
        tokio::spawn(async move {
            // Ends with the outbox.
            while level.changed().await.is_ok() {
                let Some(domain) = domain.upgrade() else {
                    return;
                };
                if *level.borrow_and_update() == Level::Live {
                    domain.tell_all(|notices| notices.room = true);
                }
            }
        });
    }

    /// Starts what a gateway without a queue runs beside its sessions.
    fn start_gateway(&self, outbox: &Outbox) {
        let domain = outbox.domain().to_owned();
        let up = OwnUplink::new(Arc::clone(&self.shared), &domain);
        let runs = Arc::clone(&self.gateway).start(Arc::new(up));
        tokio::spawn(async move {
            if let Err(fault) = runs.await {
                tracing::error!(%fault, domain, "a part of the gateway does not run");
            }
        });
    }

    /// Takes a new configuration of access; sessions it excludes are ended.
    pub fn set_access(&self, access: Access) {
        let rules = self.rules();
        self.admit(access.with_rules(rules));
    }

    /// What those who run the gateway have ruled beside the configuration.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.access().rules()
    }

    /// Takes new rules beside the configuration; sessions they exclude are ended.
    pub(crate) fn set_rules(&self, rules: Rules) {
        let access = self.access().with_rules(Arc::new(rules));
        self.admit(access);
    }

    fn admit(&self, access: Access) {
        let access = Arc::new(access);
        if let Some(courier) = self.courier.get() {
            courier.set_access(Arc::clone(&access));
        }
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&access);
        for (key, inbox) in self.table().live() {
            if !access.admits(&key.user) {
                inbox.notify(|notices| notices.refused = true);
            }
        }
    }

    /// Whether this user runs the gateway.
    pub(crate) fn is_run_by(&self, user: &BareJid) -> bool {
        self.access().is_run_by(user)
    }

    /// Those who run the gateway by its configuration, in order.
    pub(crate) fn configured_admins(&self) -> BTreeSet<String> {
        self.access().configured_admins()
    }

    /// Tells the sessions of a user that he has set something: of one network, or of all.
    pub(crate) fn settings_changed(&self, user: &BareJid, network: Option<&str>) {
        for (key, inbox) in self.table().live() {
            if key.user == *user && network.is_none_or(|network| *key.network == *network) {
                inbox.notify(|notices| notices.settings = true);
            }
        }
    }

    /// Ends the sessions of a user who has removed his registration.
    pub(crate) fn unregistered(&self, user: &BareJid) {
        for (key, inbox) in self.table().live() {
            if key.user == *user {
                inbox.notify(|notices| notices.unregistered = true);
            }
        }
    }

    /// Ends all sessions and refuses new ones; resolves when the last is gone.
    pub async fn drain(&self) {
        self.table().draining = true;
        if let Some(hub) = self.hub.get() {
            hub.shut_down();
        }
        if let Some(courier) = self.courier.get() {
            let until = tokio::time::Instant::now() + FAREWELL;
            courier.drain(until.into_std());
        }
        self.tell_all(|notices| notices.drain = true);
        let mut sessions = self.sessions.subscribe();
        // The sender lives as long as `self`.
        let _ = sessions.wait_for(|&sessions| sessions == 0).await;
    }

    /// Whose archives are kept, and under which domain.
    pub(super) fn archives(&self) -> Option<(&Arc<Shared>, &str)> {
        Some((&self.shared, self.outbox.get()?.domain()))
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        *self.sessions.borrow()
    }

    /// The store-and-forward face, once there is one.
    #[cfg(test)]
    pub(crate) fn courier(&self) -> Option<&Arc<CourierHost>> {
        self.courier.get()
    }

    fn origin_of_peek(&self, outbox: &Outbox, peek: OwnedPeek) -> Option<Origin> {
        let from = Jid::parse(peek.from.as_deref()?).ok()?;
        let lang = self.shared.language_of(outbox.domain(), &from.bare());
        Origin::of_peek(peek, lang)
    }

    fn tell_all(&self, tell: impl Fn(&mut super::inbox::Notices)) {
        for (_, inbox) in self.table().live() {
            inbox.notify(&tell);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code that holds the lock leaves the table half-changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Called when a session's task has ended, for whatever reason.
    pub(crate) fn vacate(place: &Place, unread: VecDeque<Stanza>) {
        let Place {
            domain,
            key,
            generation,
        } = place;
        let mut waiting = unread;
        waiting.extend(domain.table().vacate(key, *generation));
        if let Some(outbox) = domain.outbox.get() {
            // As if they came now.
            for stanza in waiting {
                domain.dispatch(outbox, stanza);
            }
        }
        domain.sessions.send_modify(|sessions| *sessions -= 1);
    }

    /// Offers a stanza to the session of `key`, and opens the session if there is to be one.
    fn offer(self: &Arc<Self>, outbox: &Outbox, key: &Key, stanza: Stanza, want: Want) -> Offer {
        let limits = self.shared.limits();
        let now = tokio::time::Instant::now().into_std();
        let mut table = self.table();
        match table.offer(key, stanza, want, &limits, now) {
            Offer::Open(stanza, generation) => {
                let inbox = Arc::new(Inbox::new(limits.inbox));
                let first = !table.has(&key.user);
                let names = table.occupy(key, Arc::clone(&inbox), generation, &limits);
                // A new inbox has room for one.
                let _ = inbox.offer(stanza, true);
                drop(table);
                if first {
                    self.logged_in(&key.user);
                }
                self.spawn(outbox, key, inbox, names, generation);
                Offer::Taken
            }
            other => other,
        }
    }

    fn spawn(
        self: &Arc<Self>,
        outbox: &Outbox,
        key: &Key,
        inbox: Arc<Inbox>,
        names: Names,
        generation: u64,
    ) {
        let Some(hub) = self.hub.get().cloned() else {
            return;
        };
        self.sessions.send_modify(|sessions| *sessions += 1);
        let domain_name = outbox.domain().to_owned();
        let origins = Origins {
            user: key.user.clone(),
            network: key.network.clone(),
            gateway: Arc::clone(&self.gateway),
            shared: Arc::clone(&self.shared),
            outbox: outbox.metered(),
            names,
            hub,
            number: self.shared.next_session(),
            desk: self.desk.get().cloned(),
        };
        let user = self.shared.user(&key.user);
        let now = tokio::time::Instant::now().into_std();
        let session = Session::new(Base::new(origins, now, now_ms()));
        let place = Place {
            domain: Arc::clone(self),
            key: key.clone(),
            generation,
        };
        let task = SessionTask::new(session, user, inbox, place);
        // Not for the usual level: thousands of spans are kept in memory, and the few faults that
        // are logged at it name the user themselves.
        let span = tracing::debug_span!(
            "session", user = %key.user, gateway = domain_name, network = &*key.network
        );
        tokio::spawn(task.instrument(span));
    }
}

/// The reader's side of a domain.
pub struct Reader(pub Arc<Domain>);

impl Inbound for Reader {
    fn stanza(&self, stanza: Stanza) {
        self.0.received.fetch_add(1, Ordering::Relaxed);
        if let Some(outbox) = self.0.outbox.get() {
            self.0.dispatch(outbox, stanza);
        }
    }

    fn refused(&self, refusal: Refusal) {
        if let Some(outbox) = self.0.outbox.get()
            && let Some(origin) = self.0.origin_of_peek(outbox, refusal.peek)
        {
            let text = Denial::StanzaLarge;
            origin.error(outbox, refusal.condition, text);
        }
    }

    fn up(&self, confirmed: Mark) {
        self.0.streams.fetch_add(1, Ordering::Relaxed);
        if let Some(hub) = self.0.hub.get() {
            hub.up();
        }
        self.0.tell_all(|notices| {
            let earlier = notices.up.unwrap_or(confirmed);
            notices.up = Some(earlier.min(confirmed));
        });
    }

    fn down(&self) {}
}
