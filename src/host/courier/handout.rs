//! Jobs go to the gateway, with what it needs; what is not reported on in time is ended here.

use std::sync::{Arc, PoisonError};

use isthmus_gateway::{
    Account, Address, Fault, FaultKind, Job, JobId, Outgoing, Report, State, Uplink,
};

use super::CourierHost;
use super::files::is_link;
use super::told::Sender;
use super::uplink::HostUplink;
use crate::host::contact::account_of;
use crate::host::fault;
use crate::host::words::Denial;
use crate::queue::Courier;
use crate::store::Later;
use crate::store::jobs::{CopyState, OpenJob};
use crate::xmpp::jid::BareJid;

/// The queue's way to the gateway.
pub(super) struct Handout(pub(super) Arc<CourierHost>);

impl Courier for Handout {
    fn take(&self, open: OpenJob) -> Later<()> {
        let host = Arc::clone(&self.0);
        Box::pin(async move {
            let up = Arc::new(HostUplink(Arc::clone(&host)));
            let id = open.id;
            let copies = u16::try_from(open.copies.len()).unwrap_or(u16::MAX);
            let sender = serde_json::from_slice::<Sender>(&open.origin).ok();
            match host.job_of(open).await {
                Ok(job) if job.message.blobs.iter().any(is_link) => {
                    // The others do not wait for it.
                    tokio::spawn(async move {
                        let mut job = job;
                        // It is never closed.
                        let _place = host.fetching.acquire().await;
                        host.fetch_files(&mut job, sender.as_ref()).await;
                        host.submit(job, up);
                    });
                }
                Ok(job) => host.submit(job, up),
                Err(fault) => {
                    for to in 0..copies {
                        let report = Report::new(JobId(id), to, State::Failed(fault.clone()));
                        // Refused only if there is no such job any more.
                        let _ = up.report(report).await;
                    }
                }
            }
        })
    }

    fn overdue(&self, job: OpenJob, expired: bool) -> Later<()> {
        let host = Arc::clone(&self.0);
        Box::pin(async move {
            let up = HostUplink(Arc::clone(&host));
            let held = !expired && host.held(&job).await;
            for (to, (_, copy)) in (0u16..).zip(&job.copies) {
                let state = match (*copy, expired) {
                    // It waits for a time of its own.
                    (CopyState::Queued, false) if !job.turn.contains(&to) => continue,
                    // One copy after another: what comes of this one may go on with the next.
                    (CopyState::Queued, false) if held => continue,
                    // The gateway may still have it: it must not begin what is handed out anew.
                    (CopyState::Queued, false) => {
                        if !host.given_up(JobId(job.id), to.into()).await {
                            continue;
                        }
                        let fault = fault::bare(FaultKind::TimedOut);
                        State::Retry { after: 0, fault }
                    }
                    (CopyState::Queued, true) => State::Failed(fault::bare(FaultKind::Expired)),
                    (CopyState::Begun, _) => State::Unknown,
                    _ => continue,
                };
                let _ = up.report(Report::new(JobId(job.id), to, state)).await;
            }
        })
    }
}

impl CourierHost {
    fn submit(&self, job: Job<'static>, up: Arc<HostUplink>) {
        match self.gateway.courier() {
            Some(courier) => courier.submit(job, up),
            None => self.dispatch.done(job.id.0),
        }
    }

    /// Whether the gateway is at one copy of a message and may go on to the others: they would be
    /// with it twice, side by side. One that says nothing the next time either is not.
    async fn held(&self, job: &OpenJob) -> bool {
        let begun = job.copies.iter().any(|copy| copy.1 == CopyState::Begun);
        match self.gateway.courier() {
            Some(courier) if begun => !courier.recall(JobId(job.id)).await,
            _ => false,
        }
    }

    /// Whether a copy that was handed out will not be sent any more. Where the gateway does not
    /// know the message it may have begun it just now.
    async fn given_up(&self, job: JobId, copy: usize) -> bool {
        if let Some(courier) = self.gateway.courier()
            && courier.recall(job).await
        {
            return true;
        }
        let job = self.shared.store.job(job.0).await.ok().flatten();
        let state = job.and_then(|job| job.copies.get(copy).map(|(_, state)| *state));
        state == Some(CopyState::Queued)
    }

    async fn job_of(&self, open: OpenJob) -> Result<Job<'static>, Fault> {
        let unreadable = |error: serde_json::Error| {
            tracing::error!(%error, job = open.id, "a kept message cannot be read");
            fault::of(FaultKind::Internal, Denial::KeptUnreadable)
        };
        let user = BareJid::parse(&open.user).map_err(|error| fault::ours(&error))?;
        let to = open
            .copies
            .iter()
            .map(|(address, _)| serde_json::from_str::<Address>(address));
        Ok(Job {
            id: JobId(open.id),
            user: self.shared.user(&user),
            account: self.account(&user).await,
            to: to.collect::<Result<_, _>>().map_err(unreadable)?,
            message: owned_message(&open.message).map_err(unreadable)?,
            attempt: open.attempt.saturating_sub(1),
            kept: open.kept,
            peer_kept: open.peer_kept,
        })
    }

    /// The credentials of a user, where he has registered.
    async fn account(&self, user: &BareJid) -> Option<Account> {
        let looked_up = {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(account) = accounts.known.get(user) {
                return account.clone();
            }
            accounts.changes
        };
        let (store, domain) = (self.shared.store(), self.outbox.domain().to_owned());
        let account = match account_of(store, user.clone(), domain).await {
            Ok(account) => account,
            Err(fault) => {
                tracing::error!(%fault, %user, "credentials cannot be read");
                return None;
            }
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.known.len() >= MOST_ACCOUNTS {
            accounts.known.clear();
        }
        // What was read before a change must not be remembered behind it.
        if accounts.changes == looked_up {
            accounts.known.insert(user.clone(), account.clone());
        }
        account
    }

    /// A user's credentials have changed.
    pub(crate) fn account_changed(&self, user: &BareJid) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.known.remove(user);
        accounts.changes += 1;
    }
}

/// Credentials remembered at a time.
const MOST_ACCOUNTS: usize = 10_000;

/// A message that owns what it says.
fn owned_message(bytes: &[u8]) -> Result<Outgoing<'static>, serde_json::Error> {
    let message: Outgoing<'_> = serde_json::from_slice(bytes)?;
    Ok(message.into_owned())
}
