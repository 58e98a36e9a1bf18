//! A user's message becomes a durable job.

use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Job, JobId, Kind, Outgoing, Place};

use super::CourierHost;
use super::told::Sender;
use crate::host::chat::{Act, asks_receipt, encryption_of, text_of};
use crate::host::reply::Origin;
use crate::host::shared::now_ms;
use crate::store::jobs::{CopyState, NewJob, OpenJob, Recall};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// Messages that are taken back at a time.
const PAGE: usize = 100;

impl CourierHost {
    /// Takes a message to an address of the gateway. Its sender hears of a refusal at once, of
    /// everything else when it is known.
    pub(crate) fn message(
        self: &Arc<Self>,
        origin: Origin,
        user: BareJid,
        to: Address,
        stanza: Element,
    ) {
        if let Some(method) = encryption_of(&stanza) {
            let text = format!(
                "this message is encrypted with {method}, which cannot cross to this network; \
                 nothing was sent. Please switch encryption off here."
            );
            return origin.fault(&self.outbox, &Fault::new(FaultKind::Encrypted, text));
        }
        if !matches!(to.kind, Kind::Contact | Kind::Group) {
            let text = "nobody reads messages here; write to an address of the network";
            return origin.fault(&self.outbox, &Fault::new(FaultKind::Unsupported, text));
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return origin.fault(&self.outbox, &Fault::new(FaultKind::Full, ""));
        };
        let host = Arc::clone(self);
        // The store's answers come in the order of its questions: the question is put here, in the
        // order of the stanzas, and only the answer is waited for elsewhere.
        let work = host.work(&origin, &user, to, &stanza);
        tokio::spawn(async move {
            if let Err(fault) = work.await {
                origin.fault(&host.outbox, &fault);
            }
            drop(place);
        });
    }

    fn work(
        self: &Arc<Self>,
        origin: &Origin,
        user: &BareJid,
        to: Address,
        stanza: &Element,
    ) -> isthmus_gateway::Later<Result<(), Fault>> {
        let domain = self.outbox.domain();
        let act = Act::of(stanza, false);
        if let Act::React { .. } = &act {
            // XEP-0444 §3.3: refused in words, never swallowed.
            let text = "this network has no reactions";
            let fault = Fault::new(FaultKind::NotExpressible, text);
            return Box::pin(async move { Err(fault) });
        }
        if let Act::Retract { id } = &act {
            let recalled = self.shared.store.recall(user.as_str(), domain, id);
            let host = Arc::clone(self);
            return Box::pin(async move {
                let recalled = recalled.await;
                if let Ok(Recall::Done(job)) = recalled {
                    host.recalled(job).await;
                }
                recall_outcome(recalled, "taken back")
            });
        }
        let caps = &self.gateway.manifest().caps;
        let Some(text) = text_of(stanza, caps, false) else {
            return Box::pin(async { Ok(()) });
        };
        let mut message = Outgoing::text(Place::Contact(to.id.clone().into()), text.body);
        message.action = text.action;
        message.style = text.style.into();
        let child = |name| {
            stanza
                .child(name, ns::COMPONENT)
                .map(|c| c.text().to_string())
        };
        message.subject = child("subject").map(Into::into);
        message.thread = child("thread").map(Into::into);
        if let Act::Correct { id } = &act {
            let changed = match serde_json::to_vec(&message) {
                Ok(bytes) => self.shared.store.change(user.as_str(), domain, id, bytes),
                Err(error) => return failed(error),
            };
            return Box::pin(async move { recall_outcome(changed.await, "changed") });
        }
        let reply = match &act {
            Act::Say { reply } => reply.as_ref().map(|reply| reply.id.as_str()),
            _ => None,
        };
        match reply {
            None => match self.new_job(origin, user, to, &message, stanza) {
                Ok(job) => self.take(job),
                Err(fault) => Box::pin(async move { Err(fault) }),
            },
            Some(id) => {
                // The answered message is known to the network by an id of its own.
                let keys = self.shared.store.keys_of(user.as_str(), domain, id);
                let (host, origin, user) = (Arc::clone(self), origin.clone(), user.clone());
                let stanza = stanza.clone();
                Box::pin(async move {
                    if let Ok(Some(key)) = keys.await.map(|keys| keys.into_iter().next()) {
                        let key = isthmus_gateway::Key(key.into());
                        let who = to.id.clone().into();
                        message.reply = Some(isthmus_gateway::Reply { key, who });
                    }
                    let job = host.new_job(&origin, &user, to, &message, &stanza)?;
                    host.take(job).await
                })
            }
        }
    }

    /// Takes a job; resolves when it is on disk.
    pub(crate) fn take(self: &Arc<Self>, job: NewJob) -> isthmus_gateway::Later<Result<(), Fault>> {
        let (lane, due) = (job.lane.clone(), job.now);
        let added = self.shared.store.job_add(job);
        let host = Arc::clone(self);
        Box::pin(async move {
            let id = added.await.map_err(|fault| store_fault(&fault))?;
            host.dispatch.added(id, &lane, due);
            Ok(())
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
                if let Ok(Recall::Done(id)) = recalled {
                    some = true;
                    self.recalled(id).await;
                    if let Ok(sender) = serde_json::from_slice::<Sender>(&job.origin) {
                        let text = "you have removed your registration; this was not sent";
                        let fault = Fault::new(FaultKind::NotRegistered, text);
                        sender.origin.fault(&self.outbox, &fault);
                    }
                }
            }
            if !some {
                return;
            }
        }
    }

    fn new_job(
        &self,
        origin: &Origin,
        user: &BareJid,
        to: Address,
        message: &Outgoing<'static>,
        stanza: &Element,
    ) -> Result<NewJob, Fault> {
        let now = now_ms();
        let number = self.shared.user_number(user);
        let address = serde_json::to_string(&to).map_err(|error| internal(&error))?;
        let job = Job {
            id: JobId(0),
            user: self.shared.user(user),
            account: None,
            to: vec![to],
            message: message.clone(),
            attempt: 0,
            kept: None,
            peer_kept: None,
        };
        let Some(courier) = self.gateway.courier() else {
            return Err(Fault::new(FaultKind::Internal, ""));
        };
        courier.preview(&job)?;
        let receipt = asks_receipt(stanza);
        let sender = Sender {
            origin: origin.clone(),
            receipt,
        };
        Ok(NewJob {
            user: user.to_string(),
            number,
            gateway: self.outbox.domain().to_owned(),
            stanza_id: origin.id.clone().unwrap_or_default(),
            to: vec![address],
            lane: courier.lane(&job),
            origin: serde_json::to_vec(&sender).map_err(|error| internal(&error))?,
            message: serde_json::to_vec(message).map_err(|error| internal(&error))?,
            now,
            expires: now + self.tuning().expiry,
        })
    }
}

fn failed(error: serde_json::Error) -> isthmus_gateway::Later<Result<(), Fault>> {
    Box::pin(async move { Err(internal(&error)) })
}

fn internal(error: &serde_json::Error) -> Fault {
    Fault::new(FaultKind::Internal, error.to_string())
}

fn store_fault(fault: &crate::store::StoreFault) -> Fault {
    tracing::error!(%fault, "a message could not be kept; its sender is told");
    Fault::new(
        FaultKind::Full,
        "the gateway cannot store messages now; please try again later",
    )
}

fn recall_outcome(
    recall: Result<Recall, crate::store::StoreFault>,
    done: &str,
) -> Result<(), Fault> {
    match recall.map_err(|fault| store_fault(&fault))? {
        Recall::Done(_) => Ok(()),
        Recall::TooLate => {
            let text = format!("the message is on its way already: it cannot be {done} any more");
            Err(Fault::new(FaultKind::NotExpressible, text))
        }
        Recall::Unknown => {
            let text = format!("no message of that id waits here: nothing was {done}");
            Err(Fault::new(FaultKind::NoSuchTarget, text))
        }
    }
}
