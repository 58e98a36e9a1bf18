//! Store-and-forward gateways: what a stanza means to the queue, and what the queue's outcomes mean
//! to the user.
//!
//! * `outward`: a message becomes a durable job; a correction or retraction changes it as long as
//!   it has not begun (XEP-0308, XEP-0424).
//! * `several`: a message with several recipients (XEP-0033).
//! * `handout`: a job is handed to the gateway, and what is not reported on in time.
//! * `uplink`: what the gateway asks of the host.
//! * `blob`: attachments from the network, kept as files; `files`: their links.
//! * `returned`: a message inward that the user's server does not take.
//! * `told`: receipts (XEP-0184) and errors, written once and kept until they have arrived.

mod blob;
mod deliver;
mod files;
mod handout;
mod outward;
mod returned;
mod several;
mod tally;
mod told;
mod uplink;

#[cfg(all(test, feature = "loopback"))]
mod tests;

pub(crate) use self::several::late_words;
pub(crate) use self::uplink::line_name;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use self::blob::Attachments;
pub(crate) use self::blob::{Kept, Writer, id_of, own_blob, read_blob};
pub(crate) use self::tally::{OUTCOMES, Tally};

use isthmus_gateway::{Account, Gateway};
use tokio::sync::{Semaphore, watch};

use super::access::Access;
use super::asker::Asker;
use super::setting;
use super::shared::{Shared, now_ms};
use super::words::Lang;
use crate::component::Outbox;
use crate::queue::{Dispatch, Inwards, Tuning, Windows};
use crate::store::StoreFault;
use crate::xmpp::jid::BareJid;

/// Stanzas that may wait for the store at a time, per gateway.
const WAITING: usize = 4096;

/// Users remembered at a time.
const MOST_USERS: usize = 10_000;

/// What the gateway says of its lanes.
fn windows(gateway: &Arc<dyn Gateway>) -> Windows {
    let gateway = Arc::clone(gateway);
    Box::new(move |lane| gateway.courier().and_then(|courier| courier.window(lane)))
}

/// Credentials that were looked up.
#[derive(Default)]
struct Accounts {
    known: HashMap<BareJid, Option<Account>>,
    /// Counts changes of any user's.
    changes: u64,
}

/// The store-and-forward face of one domain.
pub(crate) struct CourierHost {
    gateway: Arc<dyn Gateway>,
    shared: Arc<Shared>,
    access: RwLock<Arc<Access>>,
    outbox: Outbox,
    asker: Arc<Asker>,
    dispatch: Dispatch,
    inwards: Inwards,
    /// Credentials that were looked up; emptied for a user when he registers anew.
    accounts: Mutex<Accounts>,
    /// Whom users have blocked, as far as it was looked up.
    blocked: Mutex<HashMap<String, Arc<BTreeSet<String>>>>,
    /// Users by number, as they are on disk, where they stay.
    users: Mutex<HashMap<i64, String>>,
    waiting: Arc<Semaphore>,
    fetching: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    tally: Tally,
}

impl CourierHost {
    /// Starts the queue and the gateway's own tasks. Must be called within a tokio runtime.
    pub(crate) fn start(
        gateway: Arc<dyn Gateway>,
        shared: Arc<Shared>,
        access: Arc<Access>,
        outbox: Outbox,
        asker: Arc<Asker>,
    ) -> Arc<Self> {
        let store = shared.store();
        let dispatch = Dispatch::new(
            outbox.domain(),
            Arc::clone(&store) as _,
            shared.queue_tuning(),
            windows(&gateway),
            now_ms,
        );
        let inwards = Inwards::new(outbox.domain(), store, outbox.clone());
        let host = Arc::new(Self {
            gateway,
            shared,
            access: RwLock::new(access),
            outbox,
            asker,
            dispatch,
            inwards,
            accounts: Mutex::default(),
            blocked: Mutex::default(),
            users: Mutex::default(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            fetching: Arc::new(Semaphore::new(files::FETCHING)),
            stop: watch::Sender::new(false),
            tally: Tally::default(),
        });
        let up = Arc::new(uplink::HostUplink(Arc::clone(&host)));
        let runs = Arc::clone(&host.gateway).start(up);
        let domain = host.outbox.domain().to_owned();
        tokio::spawn(async move {
            if let Err(fault) = runs.await {
                tracing::error!(%fault, domain, "the gateway cannot work");
            }
        });
        let hand = Arc::new(handout::Handout(Arc::clone(&host)));
        let (queue, stop) = (Arc::clone(&host), host.stop.subscribe());
        tokio::spawn(async move { queue.dispatch.run(hand, stop).await });
        let (inward, stop) = (Arc::clone(&host), host.stop.subscribe());
        tokio::spawn(async move { inward.inwards.run(stop).await });
        host.keep_tidy();
        host
    }

    /// Hands out nothing more; what is on its way ends by `until`.
    pub(crate) fn drain(&self, until: std::time::Instant) {
        self.stop.send_replace(true);
        self.gateway.drain(until);
    }

    pub(crate) fn set_access(&self, access: Arc<Access>) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = access;
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many messages went which way.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The language of what is made of a message to a user.
    fn language_of(&self, user: &str) -> Lang {
        match BareJid::parse(user) {
            Ok(user) => self.shared.language_of(self.outbox.domain(), &user),
            Err(_) => self.shared.language(),
        }
    }

    fn tuning(&self) -> &Tuning {
        self.dispatch.tuning()
    }

    /// The user with that number, if it was looked up lately.
    fn known_user(&self, number: i64) -> Option<String> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(&number).cloned()
    }

    /// This is on disk.
    fn know_user(&self, number: i64, user: &str) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST_USERS {
            users.clear();
        }
        users.insert(number, user.to_owned());
    }

    /// Whether a user has blocked the sender of a delivery.
    async fn is_blocked(&self, user: &str, local: &str) -> Result<bool, StoreFault> {
        let known = {
            let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
            blocked.get(user).cloned()
        };
        if let Some(known) = known {
            return Ok(known.contains(local));
        }
        let Ok(jid) = BareJid::parse(user) else {
            return Ok(false);
        };
        let (store, domain) = (self.shared.store(), self.outbox.domain().to_owned());
        let kept = setting::kept(store, jid, domain).await?;
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.len() >= MOST_USERS {
            blocked.clear();
        }
        // What was changed meanwhile stands.
        let known = blocked
            .entry(user.to_owned())
            .or_insert_with(|| Arc::new(kept.blocked().clone()));
        Ok(known.contains(local))
    }

    /// A user blocks these.
    pub(crate) fn has_blocked(&self, user: &BareJid, locals: &BTreeSet<String>) {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.insert(user.to_string(), Arc::new(locals.clone()));
    }

    /// Gives up waiting for receipts that do not come, where the network has any.
    async fn end_silence(&self) -> Result<(), StoreFault> {
        if !self.gateway.manifest().caps.receipts {
            return Ok(());
        }
        let (now, domain) = (now_ms(), self.outbox.domain());
        let patience = i64::try_from(self.shared.limits().receipt_timeout.as_millis());
        let before = now.saturating_sub(patience.unwrap_or(i64::MAX));
        let ended = self.shared.store.end_silence(domain, before, now).await?;
        if ended > 0 {
            tracing::info!(
                domain,
                ended,
                "no receipt came in time: outcomes are not known"
            );
        }
        Ok(())
    }

    /// Ends what nothing was heard of for too long, now and then. `archive::keep_small` forgets what
    /// is past its time.
    fn keep_tidy(self: &Arc<Self>) {
        let (host, mut stop) = (Arc::clone(self), self.stop.subscribe());
        tokio::spawn(async move {
            let hour = std::time::Duration::from_secs(3600);
            loop {
                if let Err(fault) = host.end_silence().await {
                    tracing::warn!(%fault, "what nothing was heard of is waited for");
                }
                tokio::select! {
                    () = tokio::time::sleep(hour) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        });
    }
}
