//! A user's message becomes a durable job.

use std::sync::Arc;

use isthmus_gateway::{Address, Caps, Fault, FaultKind, Job, JobId, Kind, Outgoing, Place};

use super::CourierHost;
use super::several;
use super::told::Sender;
use super::uplink::HostUplink;
use crate::host::archive::{Filing, copy_of};
use crate::host::chat::{self, Act, Corrections, asks_receipt, is_kept, text_of};
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::shared::now_ms;
use crate::host::words::{Denial, Lang};
use crate::store::jobs::{CopyState, NewJob, OpenJob, Recall};
use crate::xmpp::element::Element;
use crate::xmpp::escape::escape;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// Messages that are taken back at a time.
const PAGE: usize = 100;

/// What came of a message of the user's.
enum Work {
    /// It says nothing that is sent.
    Nothing,
    /// It is a job.
    Taken(u64),
    /// A job is another now.
    Changed,
    /// A job is taken back, except from these recipients.
    TakenBack(u64, Vec<Address>),
}

impl CourierHost {
    /// Takes a message to one or several addresses of the gateway. Its sender hears of a refusal at
    /// once, of everything else when it is known.
    pub(crate) fn message(
        self: &Arc<Self>,
        origin: Origin,
        user: BareJid,
        to: Vec<Address>,
        stanza: Element,
    ) {
        if let Some(fault) = chat::encrypted(&stanza) {
            return origin.fault(&self.outbox, &fault);
        }
        let person = |to: &Address| matches!(to.kind, Kind::Contact | Kind::Group);
        if to.is_empty() || !to.iter().all(person) {
            let text = Denial::NobodyReads;
            return origin.fault(&self.outbox, &fault::of(FaultKind::Unsupported, text));
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return origin.fault(&self.outbox, &fault::bare(FaultKind::Full));
        };
        let host = Arc::clone(self);
        let peers = to.clone();
        // The store's answers come in the order of its questions: the question is put here, in the
        // order of the stanzas, and only the answer is waited for elsewhere.
        let work = host.work(&origin, &user, to, &stanza);
        tokio::spawn(async move {
            match work.await {
                Ok(done) => {
                    for peer in &peers {
                        host.file_own(&user, peer, &done, &stanza);
                    }
                    if let Work::TakenBack(_, late) = &done {
                        for whom in late {
                            origin.fault(&host.outbox, &several::late(whom));
                        }
                    }
                }
                Err(fault) => origin.fault(&host.outbox, &fault),
            }
            drop(place);
        });
    }

    /// Archives what the user said, and puts a tombstone where he took something back.
    fn file_own(&self, user: &BareJid, peer: &Address, done: &Work, stanza: &Element) {
        if matches!(done, Work::TakenBack(_, late) if late.contains(peer)) {
            return;
        }
        let Some(peer) = self.address_of(peer) else {
            return;
        };
        let filing = Filing {
            shared: &self.shared,
            domain: self.outbox.domain(),
            user: user.as_str(),
            peer: &peer,
        };
        let id_of = |job: u64| filing.own_id(Some(&format!("job {job}")));
        let id = match done {
            Work::Nothing => return,
            Work::Taken(job) => id_of(*job),
            Work::Changed => filing.own_id(None),
            Work::TakenBack(job, _) => {
                let id = filing.own_id(None);
                let by = stanza.attr("id").unwrap_or(&id);
                filing.bury(&id_of(*job), by, now_ms());
                id
            }
        };
        if is_kept(stanza) {
            filing.file(&id, now_ms(), copy_of(stanza));
        }
    }

    /// The bare JID of something on the network, as it is compared.
    pub(super) fn address_of(&self, to: &Address) -> Option<String> {
        let local = self.gateway.format(to).ok()?;
        let jid = BareJid::new(Some(&escape(&local)), self.outbox.domain());
        jid.ok().map(|jid| jid.to_string())
    }

    fn work(
        self: &Arc<Self>,
        origin: &Origin,
        user: &BareJid,
        to: Vec<Address>,
        stanza: &Element,
    ) -> isthmus_gateway::Later<Result<Work, Fault>> {
        let act = Act::of(stanza, false);
        if let Act::React { .. } = &act {
            // XEP-0444 §3.3: refused in words, never swallowed.
            let text = Denial::NoReactions;
            let fault = fault::of(FaultKind::NotExpressible, text);
            return Box::pin(async move { Err(fault) });
        }
        match act {
            Act::Retract { id } => self.take_back(user, &to, &id),
            Act::Displayed { id } => {
                for to in to {
                    self.read(user, to, &id);
                }
                Box::pin(async { Ok(Work::Nothing) })
            }
            Act::Correct { id } => self.correct(origin, user, to, stanza, &id),
            Act::Say { reply: Some(reply) } => self.answer(origin, user, to, stanza, &reply.id),
            act => {
                let caps = &self.gateway.manifest().caps;
                let Some(mut message) = message_of(&to, stanza, caps, origin.lang) else {
                    return Box::pin(async { Ok(Work::Nothing) });
                };
                if matches!(act, Act::Say { .. }) {
                    self.take_link(user, stanza, &mut message);
                }
                match self.new_job(origin, user, to, &message, stanza) {
                    Ok(job) => {
                        let taken = self.take(job);
                        Box::pin(async move { taken.await.map(Work::Taken) })
                    }
                    Err(fault) => Box::pin(async move { Err(fault) }),
                }
            }
        }
    }

    /// Takes back what waits of a message to these recipients.
    fn take_back(
        self: &Arc<Self>,
        user: &BareJid,
        to: &[Address],
        id: &str,
    ) -> isthmus_gateway::Later<Result<Work, Fault>> {
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let recalled = match kept(to) {
            Ok(to) => store.recall(user.as_str(), domain, id, to),
            Err(error) => return failed(error),
        };
        let host = Arc::clone(self);
        Box::pin(async move {
            let recalled = recalled.await;
            let words = (Denial::TakenBack, Denial::TakenBackNone);
            let (job, late) = recall_outcome(recalled, words)?;
            host.recalled(job).await;
            Ok(Work::TakenBack(job, late))
        })
    }

    /// The user has read something (XEP-0333 §4.2). Nobody waits for an answer to that.
    fn read(self: &Arc<Self>, user: &BareJid, peer: Address, id: &str) {
        if !self.gateway.manifest().caps.read {
            return;
        }
        let keys = self
            .shared
            .store
            .keys_of(user.as_str(), self.outbox.domain(), id);
        let (host, user) = (Arc::clone(self), user.clone());
        tokio::spawn(async move {
            let key = keys.await.ok().and_then(|keys| keys.into_iter().next());
            if let (Some(key), Some(courier)) = (key, host.gateway.courier()) {
                let up = Arc::new(HostUplink(Arc::clone(&host)));
                let key = isthmus_gateway::Key(key.into());
                courier.read(host.shared.user(&user), &peer, key, up);
            }
        });
    }

    /// Says something that answers something: the network knows that by an id of its own. Where it
    /// is not known, the words have to tell what is answered.
    fn answer(
        self: &Arc<Self>,
        origin: &Origin,
        user: &BareJid,
        to: Vec<Address>,
        stanza: &Element,
        id: &str,
    ) -> isthmus_gateway::Later<Result<Work, Fault>> {
        let domain = self.outbox.domain();
        let keys = self.shared.store.keys_of(user.as_str(), domain, id);
        let (host, origin, user) = (Arc::clone(self), origin.clone(), user.clone());
        let stanza = stanza.clone();
        Box::pin(async move {
            let key = keys.await.ok().and_then(|keys| keys.into_iter().next());
            let mut caps = host.gateway.manifest().caps.clone();
            caps.reply &= key.is_some();
            let Some(mut message) = message_of(&to, &stanza, &caps, origin.lang) else {
                return Ok(Work::Nothing);
            };
            host.take_link(&user, &stanza, &mut message);
            message.reply = key.map(|key| isthmus_gateway::Reply {
                key: isthmus_gateway::Key(key.into()),
                who: to
                    .first()
                    .map(|to| to.id.clone())
                    .unwrap_or_default()
                    .into(),
            });
            let job = host.new_job(&origin, &user, to, &message, &stanza)?;
            host.take(job).await.map(Work::Taken)
        })
    }

    /// Changes a message that waits. What is on its way is corrected in words, as it is wherever a
    /// network cannot change what was said, unless the operator wants none of that.
    fn correct(
        self: &Arc<Self>,
        origin: &Origin,
        user: &BareJid,
        to: Vec<Address>,
        stanza: &Element,
        id: &str,
    ) -> isthmus_gateway::Later<Result<Work, Fault>> {
        let caps = &self.gateway.manifest().caps;
        let Some(mut message) = message_of(&to, stanza, caps, origin.lang) else {
            return Box::pin(async { Ok(Work::Nothing) });
        };
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        let changed = match serde_json::to_vec(&message).and_then(|it| Ok((kept(&to)?, it))) {
            Ok((to, bytes)) => store.change(user.as_str(), domain, id, to, bytes),
            Err(error) => return failed(error),
        };
        let form = self.shared.corrections();
        let (host, origin, user) = (Arc::clone(self), origin.clone(), user.clone());
        let stanza = stanza.clone();
        Box::pin(async move {
            let changed = changed.await;
            if !matches!(changed, Ok(Recall::TooLate)) || form == Corrections::Refuse {
                return recall_outcome(changed, (Denial::Changed, Denial::ChangedNone))
                    .map(|_| Work::Changed);
            }
            let said = chat::typed(&message.body, message.action);
            message.body = chat::correction_told(None, &said, form).into();
            (message.action, message.style) = (false, Vec::new().into());
            let job = host.new_job(&origin, &user, to, &message, &stanza)?;
            host.take(job).await.map(Work::Taken)
        })
    }

    /// Takes a job; resolves to its number when it is on disk.
    pub(crate) fn take(
        self: &Arc<Self>,
        job: NewJob,
    ) -> isthmus_gateway::Later<Result<u64, Fault>> {
        let (lane, due) = (job.lane.clone(), job.now);
        let added = self.shared.store.job_add(job);
        let host = Arc::clone(self);
        Box::pin(async move {
            let id = added.await.map_err(|fault| store_fault(&fault))?;
            host.dispatch.added(id, &lane, due);
            host.tally.taken();
            Ok(id)
        })
    }

    /// Takes back all messages of a user that still can be; who sent them is told.
    pub(crate) async fn empty(&self, user: &BareJid) {
        let (store, domain) = (&self.shared.store, self.outbox.domain());
        loop {
            let jobs = store.jobs_of(user.as_str(), domain, PAGE).await;
            let jobs = match jobs {
                Ok(jobs) => jobs,
                Err(fault) => return tracing::warn!(%fault, %user, "messages stay in the queue"),
            };
            let queued = |job: &&OpenJob| {
                let mut copies = job.copies.iter();
                copies.any(|(_, state)| *state == CopyState::Queued)
            };
            let mut some = false;
            for job in jobs.iter().filter(queued) {
                let recalled = store.recall_job(user.as_str(), domain, job.id).await;
                let partly = matches!(recalled, Ok(Recall::Partly(..)));
                if let Ok(Recall::Done(id) | Recall::Partly(id, _)) = recalled {
                    some = true;
                    self.recalled(id).await;
                    self.unregistered(job, partly);
                }
            }
            if !some {
                return;
            }
        }
    }

    /// The user's messages were taken back for him: who sent them is told; `partly`: it is said
    /// of whom.
    fn unregistered(&self, job: &OpenJob, partly: bool) {
        let Ok(sender) = serde_json::from_slice::<Sender>(&job.origin) else {
            return;
        };
        let text = Denial::RegistrationRemoved;
        let fault = fault::of(FaultKind::NotRegistered, text);
        if !partly {
            return sender.origin.fault(&self.outbox, &fault);
        }
        let queued = job.copies.iter().filter(|copy| copy.1 == CopyState::Queued);
        let whom = queued.filter_map(|(whom, _)| serde_json::from_str::<Address>(whom).ok());
        for whom in whom {
            let fault = several::about(&whom.id, fault.clone());
            sender.origin.fault(&self.outbox, &fault);
        }
    }

    fn new_job(
        &self,
        origin: &Origin,
        user: &BareJid,
        to: Vec<Address>,
        message: &Outgoing<'static>,
        stanza: &Element,
    ) -> Result<NewJob, Fault> {
        let now = now_ms();
        let number = self.shared.user_number(user);
        let addresses = kept(&to).map_err(|error| internal(&error))?;
        let job = Job {
            id: JobId(0),
            user: self.shared.user(user),
            account: None,
            to,
            message: message.clone(),
            attempt: 0,
            kept: None,
            peer_kept: None,
        };
        let Some(courier) = self.gateway.courier() else {
            return Err(fault::bare(FaultKind::Internal));
        };
        courier.preview(&job)?;
        let receipt = asks_receipt(stanza);
        let sender = Sender {
            origin: origin.clone(),
            receipt,
            markable: stanza.child("markable", ns::CHAT_MARKERS).is_some(),
        };
        Ok(NewJob {
            user: user.to_string(),
            number,
            gateway: self.outbox.domain().to_owned(),
            stanza_id: origin.id.clone().unwrap_or_default(),
            to: addresses,
            lane: courier.lane(&job),
            origin: serde_json::to_vec(&sender).map_err(|error| internal(&error))?,
            message: serde_json::to_vec(message).map_err(|error| internal(&error))?,
            now,
            expires: now + self.tuning().expiry,
        })
    }
}

/// What a message says, to the first of its recipients as to the others; `None`: nothing.
fn message_of(
    to: &[Address],
    stanza: &Element,
    caps: &Caps,
    lang: Lang,
) -> Option<Outgoing<'static>> {
    let text = text_of(stanza, caps, false, lang);
    let alone = || chat::subject_of(stanza).map(|_| chat::Text::default());
    let first = to.first().map(|to| to.id.clone()).unwrap_or_default();
    let place = Place::Contact(first.into());
    let mut message = text.or_else(alone)?.into_message(stanza, place);
    if message.body.is_empty() && !caps.subject {
        chat::subject_in_front(&mut message);
    }
    Some(message)
}

/// Recipients as the queue keeps them.
fn kept(to: &[Address]) -> Result<Vec<String>, serde_json::Error> {
    to.iter().map(serde_json::to_string).collect()
}

fn failed(error: serde_json::Error) -> isthmus_gateway::Later<Result<Work, Fault>> {
    Box::pin(async move { Err(internal(&error)) })
}

fn internal(error: &serde_json::Error) -> Fault {
    fault::ours(error)
}

fn store_fault(fault: &crate::store::StoreFault) -> Fault {
    tracing::error!(%fault, "a message could not be kept; its sender is told");
    fault::of(FaultKind::Full, Denial::StoreFull)
}

/// The message, and for which recipients it was too late.
fn recall_outcome(
    recall: Result<Recall, crate::store::StoreFault>,
    (late, unknown): (Denial, Denial),
) -> Result<(u64, Vec<Address>), Fault> {
    match recall.map_err(|fault| store_fault(&fault))? {
        Recall::Done(job) => Ok((job, Vec::new())),
        Recall::Partly(job, late) => Ok((job, several::read(&late))),
        Recall::TooLate => Err(fault::of(FaultKind::NotExpressible, late)),
        Recall::Unknown => Err(fault::of(FaultKind::NoSuchTarget, unknown)),
    }
}
