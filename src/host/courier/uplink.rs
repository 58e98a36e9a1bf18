//! What a gateway asks of the host.

use std::sync::Arc;

use isthmus_gateway::{
    Address, BlobWriter, Delivery, Handle, JobId, Key, Later, Ref, Refusal, Report, State, Stored,
    Uplink, UserId,
};

use super::CourierHost;
use super::blob;
use super::tally::outcome_of;
use super::told::{self, Sender};
use crate::host::chat::REMEMBER_MS;
use crate::host::fault::words;
use crate::host::ids::Ids;
use crate::host::own;
use crate::host::shared::now_ms;
use crate::queue::Tuning;
use crate::store::StoreFault;
use crate::store::jobs::{CHANGED, CopyReport, CopyState, Next, OpenJob, Reported};
use crate::xmpp::escape::escape;
use crate::xmpp::jid::BareJid;

/// What a gateway asks of the host.
#[derive(Clone)]
pub(super) struct HostUplink(pub(super) Arc<CourierHost>);

impl Uplink for HostUplink {
    fn find(&self, handle: Handle, _from: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        let host = Arc::clone(&self.0);
        Box::pin(async move { host.find(handle).await })
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        let host = Arc::clone(&self.0);
        Box::pin(async move { host.deliver(batch, all_or_none).await })
    }

    fn begin(&self, job: JobId, to: u16, keys: Vec<String>) -> Later<bool> {
        let until = now_ms() + REMEMBER_MS;
        let begun = self.0.shared.store.copy_begin(job.0, to, keys, until);
        let host = Arc::clone(&self.0);
        Box::pin(async move {
            let begun = match begun.await {
                Ok(true) => {
                    host.dispatch.forward(job.0);
                    return true;
                }
                // It was taken back, or changed and is handed out anew, or it is not its turn.
                Ok(false) => host.settle(job.0, true).await,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = begun {
                // What is not on disk must not be sent: it could be sent twice without a trace.
                tracing::error!(%fault, job = job.0, "a message is held back");
                host.dispatch.again(job.0, now_ms() + host.tuning().retry);
            }
            false
        })
    }

    fn report(&self, report: Report) -> Later<Result<(), Refusal>> {
        let host = Arc::clone(&self.0);
        Box::pin(async move { host.report(report).await })
    }

    fn resolve(&self, user: Option<UserId>, key: Key<'_>) -> Later<Option<Ref>> {
        let found = self
            .0
            .shared
            .store
            .reference(self.0.outbox.domain(), &key.0);
        Box::pin(async move {
            let reference = found.await.ok().flatten()?;
            let whose = UserId(reference.number);
            user.is_none_or(|user| user == whose).then_some(Ref {
                user: whose,
                job: reference.job.map(JobId),
                stanza: reference.stanza,
                part: reference.part,
                recipient: reference.copy,
                kept: reference.kept,
            })
        })
    }

    fn keep(&self, name: &str, value: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        own::keep(&self.0.shared, self.0.outbox.domain(), name, value)
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        own::kept(&self.0.shared, self.0.outbox.domain(), name)
    }

    fn store_blob(&self, name: &str, mime: &str) -> Box<dyn BlobWriter> {
        Box::new(blob::Writer::new(Arc::clone(&self.0.shared), name, mime))
    }

    fn read_blob(&self, url: &str) -> Later<std::io::Result<Vec<u8>>> {
        blob::read_blob(&self.0.shared, url)
    }

    fn secret(&self, label: &str) -> [u8; 32] {
        own::secret(&self.0.shared, self.0.outbox.domain(), label)
    }
}

impl CourierHost {
    async fn find(&self, handle: Handle) -> Result<Vec<UserId>, Refusal> {
        let later = |fault: StoreFault| Refusal::Later(fault.to_string());
        let found = match handle {
            Handle::Jid { local, domain } => {
                let user = BareJid::new(Some(&escape(&local)), &domain);
                vec![user.map_err(|_| Refusal::Unknown)?]
            }
            Handle::Line(line) => {
                let users = self
                    .shared
                    .store
                    .kept("", self.outbox.domain(), &line_name(&line));
                let users = users.await.map_err(later)?.unwrap_or_default();
                let users: Vec<String> = serde_json::from_slice(&users).unwrap_or_default();
                users
                    .iter()
                    .filter_map(|user| BareJid::parse(user).ok())
                    .collect()
            }
            Handle::Alias(_) => Vec::new(),
        };
        let access = self.access();
        let admitted: Vec<_> = found
            .into_iter()
            .filter(|user| access.admits(user))
            .collect();
        if admitted.is_empty() {
            return Err(Refusal::Unknown);
        }
        let mut ids = Vec::with_capacity(admitted.len());
        for user in admitted {
            let number = self.shared.user_number(&user);
            if self.known_user(number).is_none() {
                let added = self.shared.store.user_add(user.as_str(), number);
                added.await.map_err(later)?;
                self.know_user(number, user.as_str());
            }
            ids.push(UserId(number));
        }
        Ok(ids)
    }

    async fn report(&self, report: Report) -> Result<(), Refusal> {
        let later = |fault: StoreFault| Refusal::Later(fault.to_string());
        let id = report.job.0;
        let outcome = outcome_of(&report.state);
        let words = Words {
            tuning: self.tuning().clone(),
            receipts: self.gateway.manifest().caps.receipts,
            domain: self.outbox.domain().to_owned(),
            key: self.shared.message_key,
        };
        let make = Box::new(move |job: &OpenJob| words.copy_report(job, report));
        let reported = self.shared.store.report_on(id, make);
        let (reported, next) = reported.await.map_err(later)?;
        if let Reported::Changed(Some(_)) = reported {
            self.inwards.added();
        }
        if let Reported::Changed(_) = reported {
            self.tally.outcome(outcome);
        }
        match next {
            Next::Over => self.dispatch.done(id),
            Next::Waits(due) => self.dispatch.again(id, due),
            Next::Same if matches!(reported, Reported::Changed(_)) => self.dispatch.forward(id),
            Next::Same => {}
        }
        match reported {
            Reported::Changed(_) | Reported::Stale => Ok(()),
            Reported::Unknown => Err(Refusal::Unknown),
        }
    }

    /// A message was taken back by its sender: the gateway need not hold it any more. Whatever the
    /// gateway knows of it, it cannot begin.
    pub(crate) async fn recalled(&self, id: u64) {
        if let Some(courier) = self.gateway.courier() {
            courier.recall(JobId(id)).await;
        }
        if let Err(fault) = self.settle(id, false).await {
            // It is looked at again when it is handed out, or its lease ends.
            tracing::warn!(%fault, job = id, "a message that was taken back is kept for now");
        }
    }

    /// What comes after an answer to the queue: the message is handed out anew (`again`) if it was
    /// changed meanwhile, or is done with when none of its copies is to be sent any more. A copy
    /// that only waits is handed out by the report that made it wait: by then it may be out again,
    /// and a second time side by side would send it twice.
    async fn settle(&self, id: u64, again: bool) -> Result<(), StoreFault> {
        let job = self.shared.store.job(id).await?;
        let Some(job) = job else {
            self.dispatch.done(id);
            return Ok(());
        };
        let has = |wanted| job.copies.iter().any(|(_, state)| *state == wanted);
        if !has(CopyState::Queued) && !has(CopyState::Begun) {
            self.dispatch.done(id);
        } else if again && job.due == CHANGED {
            self.dispatch.again(id, job.due);
        }
        Ok(())
    }
}

/// What it takes to say what a report means. It is made inside the store, so it holds nothing of
/// the host: that must not end there.
struct Words {
    tuning: Tuning,
    /// The network confirms deliveries.
    receipts: bool,
    domain: String,
    key: [u8; 32],
}

impl Words {
    fn copy_report(&self, job: &OpenJob, report: Report) -> Option<CopyReport> {
        let sender = serde_json::from_slice(&job.origin).inspect_err(|error| {
            tracing::error!(%error, job = job.id, "nobody can be told of this message");
        });
        let sender: Sender = sender.ok()?;
        let now = now_ms();
        let mut state = report.state;
        let mut due = now;
        let mut why = String::new();
        if let State::Retry { after, fault } = &state {
            why = words(fault, sender.origin.lang).to_owned();
            let wait = i64::try_from(*after)
                .unwrap_or(i64::MAX)
                .max(self.tuning.wait(job.attempt));
            due = now.saturating_add(wait);
            if due >= job.expires {
                state = State::Failed(fault.clone());
            }
        }
        let mut id = String::new();
        let copies: Vec<CopyState> = job.copies.iter().map(|copy| copy.1).collect();
        let reached = (usize::from(report.to), told::copy_state(&state));
        let arrived = sender.news(self.receipts, &copies, reached);
        let whom = job.copies.get(usize::from(report.to));
        let whom = whom.and_then(|(whom, _)| serde_json::from_str::<Address>(whom).ok());
        // Where there is one only, it goes without saying.
        let whom = whom.map(|whom| whom.id).filter(|_| job.copies.len() > 1);
        let what = format!(
            "{}:{}:{:?}",
            report.job.0,
            report.to,
            told::copy_state(&state)
        );
        Ids::new(&self.key, "told", 0).next(Some(&what), &mut id);
        Some(CopyReport {
            job: report.job.0,
            copy: report.to,
            tell: {
                let how = (arrived, whom.as_deref());
                told::tell(&sender, &state, how, &self.domain, &id)
            },
            state: told::copy_state(&state),
            keys: report.keys,
            until: now + REMEMBER_MS,
            kept: report.kept,
            peer_kept: report.peer_kept,
            now,
            due,
            fault: why,
        })
    }
}

/// The name under which the users of a line are kept.
pub(crate) fn line_name(line: &str) -> String {
    format!("line {line}")
}
