//! What a gateway asks of the host.

use std::sync::Arc;

use isthmus_gateway::{
    Address, BlobWriter, Delivery, Handle, JobId, Key, Later, Message, Place, Ref, Refusal, Report,
    State, Stored, Time, Uplink, UserId, Who,
};

use super::CourierHost;
use super::blob;
use super::tally::outcome_of;
use super::told::{self, Sender};
use crate::host::archive::Filing;
use crate::host::attachment::split;
use crate::host::chat::{Beside, LATE_MS, Quoted, REMEMBER_MS, Spoken, write_message};
use crate::host::fault::words;
use crate::host::ids::Ids;
use crate::host::own;
use crate::host::shared::now_ms;
use crate::queue::Tuning;
use crate::store::StoreFault;
use crate::store::jobs::{CHANGED, CopyReport, CopyState, Inward, Next, OpenJob, Reported};
use crate::xmpp::escape::escape;
use crate::xmpp::jid::BareJid;
use crate::xmpp::write::{self, Head, STANZA_MAX, StanzaName, Written};

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
                Ok(true) => return true,
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

/// A delivery for the archive.
struct File {
    user: String,
    peer: String,
    id: String,
    at: i64,
    stanza: Vec<u8>,
}

impl File {
    fn put(&self, host: &CourierHost) {
        let filing = Filing {
            shared: &host.shared,
            domain: host.outbox.domain(),
            user: &self.user,
            peer: &self.peer,
        };
        filing.file(&self.id, self.at, self.stanza.clone());
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

    async fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        all_or_none: bool,
    ) -> Vec<Result<Stored, Refusal>> {
        let mut results: Vec<Result<Stored, Refusal>> = Vec::with_capacity(batch.len());
        let mut inward = Vec::with_capacity(batch.len());
        let mut files = Vec::with_capacity(batch.len());
        // How many stanzas each of them is.
        let mut counts = Vec::with_capacity(batch.len());
        for delivery in batch {
            let prepared = self.inward(delivery).await;
            results.push(
                prepared
                    .as_ref()
                    .map(|_| Stored::Fresh)
                    .map_err(Clone::clone),
            );
            if let Ok(rows) = prepared {
                counts.push(rows.len());
                for (one, file) in rows {
                    inward.push(one);
                    files.push(file);
                }
            }
        }
        if all_or_none && let Some(Err(refusal)) = results.iter().find(|result| result.is_err()) {
            let refusal = refusal.clone();
            return results.iter().map(|_| Err(refusal.clone())).collect();
        }
        match self
            .shared
            .store
            .deliver(self.outbox.domain(), inward)
            .await
        {
            Ok(taken) => {
                let fresh = taken
                    .iter()
                    .zip(&files)
                    .filter(|(taken, _)| taken.is_some());
                for (_, file) in fresh {
                    file.put(self);
                }
                let mut taken = taken.into_iter();
                let good = results.iter_mut().filter(|result| result.is_ok());
                for (result, count) in good.zip(counts).filter(|&(_, count)| count > 0) {
                    // The first stands for all.
                    let first = taken.next().flatten();
                    taken.by_ref().take(count.saturating_sub(1)).for_each(drop);
                    if first.is_none() {
                        *result = Ok(Stored::Again);
                    }
                }
                let fresh = results.iter().filter(|it| matches!(it, Ok(Stored::Fresh)));
                self.tally.delivered(fresh.count());
                self.inwards.added();
            }
            Err(fault) => {
                tracing::error!(%fault, "messages from the network are refused for now");
                let later = Refusal::Later("the store does not take messages now".into());
                for result in results.iter_mut().filter(|result| result.is_ok()) {
                    *result = Err(later.clone());
                }
            }
        }
        results
    }

    /// Writes the stanzas of a delivery: its text, and each of its files.
    async fn inward(
        &self,
        mut delivery: Delivery<'static>,
    ) -> Result<Vec<(Inward, File)>, Refusal> {
        let number = delivery.user.0;
        let user = match self.known_user(number) {
            Some(user) => user,
            None => {
                let user = self.shared.store.user_of(number).await;
                let user = user.map_err(|fault| Refusal::Later(fault.to_string()))?;
                let user = user.ok_or(Refusal::Unknown)?;
                self.know_user(number, &user);
                user
            }
        };
        let local = self.gateway.format(&delivery.peer).map_err(|fault| {
            Refusal::Unwanted(format!("the sender's address cannot be shown: {fault}"))
        })?;
        let local = escape(&local).into_owned();
        let by = self.address_of(&delivery.peer);
        let by = by.unwrap_or_else(|| format!("{local}@{}", self.outbox.domain()));
        let blocked = self.is_blocked(&user, by.split('@').next().unwrap_or_default());
        if blocked
            .await
            .map_err(|fault| Refusal::Later(fault.to_string()))?
        {
            // Taken, and nothing comes of it: who is blocked is not told.
            return Ok(Vec::new());
        }
        let sums = self.show_files(&user, &local, &mut delivery.message).await;
        let nothing = Message::text(Place::Network, Who::nick(""), "");
        let message = std::mem::replace(&mut delivery.message, nothing);
        let answered = self.answered(number, &user, &by, &message).await;
        let peer = serde_json::to_string(&delivery.peer)
            .map_err(|error| Refusal::Unwanted(error.to_string()))?;
        let returns = returns(&delivery, message.auto)?;
        let mut rows = Vec::new();
        for (part, message) in split(&message, self.shared.language()).iter().enumerate() {
            let dedup = match part {
                0 => delivery.dedup.clone(),
                _ => format!("{} file {part}", delivery.dedup),
            };
            let reply = answered.as_ref().filter(|_| part == 0);
            let url = message.blobs.first().map(|file| file.url.as_ref());
            let beside = Beside {
                reply: reply.map(|(id, author)| Quoted {
                    id,
                    to: author,
                    who: None,
                }),
                sha256: url.and_then(|url| sums.get(url)),
                // Read is what was said, not each of its files.
                markable: part == 0 && self.gateway.manifest().caps.read && message.key.is_some(),
                ..Beside::default()
            };
            let way = (user.as_str(), local.as_str(), by.as_str());
            let (stanza, id) = self.write_inward(way, &dedup, message, &beside)?;
            let file = File {
                user: user.clone(),
                at: message.time.map_or_else(now_ms, |Time(ms)| ms),
                id: id.clone(),
                stanza: stanza.clone(),
                peer: by.clone(),
            };
            let inward = Inward {
                number,
                dedup,
                until: now_ms() + REMEMBER_MS,
                stanza,
                stanza_id: id,
                key: message.key.as_ref().map(|Key(key)| key.to_string()),
                peer: peer.clone(),
                peer_kept: delivery.peer_kept.take(),
                returns: returns.clone(),
            };
            rows.push((inward, file));
        }
        Ok(rows)
    }

    /// One stanza of a delivery, and its id. `way`: to whom, from which localpart, and its JID.
    fn write_inward(
        &self,
        (user, local, by): (&str, &str, &str),
        dedup: &str,
        message: &Message<'_>,
        beside: &Beside<'_>,
    ) -> Result<(Vec<u8>, String), Refusal> {
        let mut id = String::new();
        let conversation = format!("{user} {by}");
        Ids::new(&self.shared.message_key, &conversation, 0).next(Some(dedup), &mut id);
        let at = message
            .time
            .map(|Time(ms)| ms)
            .filter(|ms| (now_ms() - ms).abs() > LATE_MS);
        let spoken = Spoken { id: &id, by, at };
        let kind = if message.subject.is_some() {
            None
        } else {
            Some("chat")
        };
        let head = Head {
            name: StanzaName::Message,
            domain: self.outbox.domain(),
            from: write::Sender {
                local: Some(local),
                resource: None,
            },
            to: user,
            kind,
            id: Some(&id),
        };
        let mut stanza = Vec::with_capacity(512);
        let written = write::stanza(&mut stanza, STANZA_MAX, head, |xml| {
            write_message(xml, message, &spoken, beside);
        });
        if written == Written::Nothing {
            return Err(Refusal::Unwanted(
                "the sender's address cannot be shown".into(),
            ));
        }
        Ok((stanza, id))
    }

    /// The id of the stanza that a message answers, and its author (XEP-0461 §3); `None` if it
    /// answers nothing this user has seen.
    async fn answered(
        &self,
        number: i64,
        user: &str,
        peer: &str,
        message: &Message<'_>,
    ) -> Option<(String, String)> {
        let Key(key) = &message.reply.as_ref()?.key;
        let store = self.shared.store();
        let found = store.reference(self.outbox.domain(), key).await;
        let found = found.inspect_err(|fault| {
            // The message arrives all the same, as one that answers nothing.
            tracing::warn!(%fault, "what a message answers cannot be looked up");
        });
        let found = found.ok().flatten()?;
        let own = found.number == number && !found.stanza.is_empty();
        let author = if found.job.is_some() { user } else { peer };
        own.then(|| (found.stanza, author.to_owned()))
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
            tell: told::tell(&sender, &state, self.receipts, &self.domain, &id),
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

/// Whom to tell if a delivery comes back: nobody, where no person wrote it.
fn returns(delivery: &Delivery<'_>, auto: bool) -> Result<Option<String>, Refusal> {
    if auto {
        return Ok(None);
    }
    let whom = delivery.returns.as_ref().unwrap_or(&delivery.peer);
    let whom = serde_json::to_string(whom).map_err(|fault| Refusal::Unwanted(fault.to_string()))?;
    Ok(Some(whom))
}

/// The name under which the users of a line are kept.
pub(crate) fn line_name(line: &str) -> String {
    format!("line {line}")
}
