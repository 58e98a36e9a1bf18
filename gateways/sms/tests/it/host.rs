//! A host that remembers what it is told, and a gateway that runs with it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Account, Address, BlobWriter, Courier, Delivery, Gateway, Handle, Job, JobId, Key, Kind, Later,
    Outgoing, Place, Ref, Refusal, Report, State, Stored, Uplink, User, UserId,
};
use isthmus_sms::{Config, Sms};
use isthmus_test_support::NodeSmsc;
use isthmus_test_support::inbox::Inbox;
use isthmus_test_support::smsc::{Happened, PASSWORD};
use serde_json::json;
use tokio::task::JoinHandle;

/// Our line, and that of whom we speak with.
pub(crate) const OURS: &str = "+15551230000";
pub(crate) const THEIRS: &str = "+14169938000";

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The user of the line.
pub(crate) const JULIET: UserId = UserId(7);

#[derive(Default)]
struct Memory {
    refs: HashMap<String, Ref>,
    dedup: HashMap<String, u32>,
    kept: BTreeMap<String, Vec<u8>>,
    jobs_kept: HashMap<JobId, Vec<u8>>,
    refusals: Vec<Refusal>,
    recalled: bool,
    full: bool,
}

/// The host.
#[derive(Clone, Default)]
pub(crate) struct Host {
    pub(crate) reports: Inbox<Report>,
    pub(crate) deliveries: Inbox<Delivery<'static>>,
    pub(crate) begun: Inbox<JobId>,
    memory: Arc<Mutex<Memory>>,
}

impl Host {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next delivery is refused like this.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.memory().refusals.push(refusal);
    }

    /// Whether nothing can be kept.
    pub(crate) fn full(&self, full: bool) {
        self.memory().full = full;
    }

    /// The names under which something is kept.
    pub(crate) fn names(&self) -> Vec<String> {
        self.memory().kept.keys().cloned().collect()
    }

    /// Every job is taken back at the last moment.
    pub(crate) fn recall(&self) {
        self.memory().recalled = true;
    }

    /// The next report, of whatever kind.
    pub(crate) async fn report(&self) -> Report {
        let report = self.reports.take(DEADLINE, |_| true).await;
        report.unwrap_or_else(|error| panic!("no report: {error}"))
    }

    /// The next delivery.
    pub(crate) async fn delivery(&self) -> Delivery<'static> {
        let delivery = self.deliveries.take(DEADLINE, |_| true).await;
        delivery.unwrap_or_else(|error| panic!("no delivery: {error}"))
    }
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

impl Uplink for Host {
    fn find(&self, handle: Handle, _from: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        let juliet = Handle::Jid {
            local: "juliet".into(),
            domain: "example.org".into(),
        };
        ready(if handle == juliet {
            Ok(vec![JULIET])
        } else {
            Err(Refusal::Unknown)
        })
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        _all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        let mut results = Vec::new();
        for delivery in batch {
            let refusal = self.memory().refusals.pop();
            results.push(match refusal {
                Some(refusal) => Err(refusal),
                None => {
                    let mut memory = self.memory();
                    let seen = memory.dedup.entry(delivery.dedup.clone()).or_default();
                    *seen += 1;
                    if *seen > 1 {
                        Ok(Stored::Again)
                    } else {
                        self.deliveries.push(delivery);
                        Ok(Stored::Fresh)
                    }
                }
            });
        }
        ready(results)
    }

    fn begin(&self, job: JobId, _to: u16, _keys: Vec<String>) -> Later<bool> {
        self.begun.push(job);
        ready(!self.memory().recalled)
    }

    fn report(&self, report: Report) -> Later<Result<(), Refusal>> {
        for (part, key) in (0u16..).zip(&report.keys) {
            let known = Ref {
                user: JULIET,
                job: Some(report.job),
                stanza: String::new(),
                part,
                recipient: report.to,
                kept: None,
            };
            self.memory().refs.insert(key.clone(), known);
        }
        if let Some(kept) = &report.kept {
            self.memory().jobs_kept.insert(report.job, kept.clone());
        }
        self.reports.push(report);
        ready(Ok(()))
    }

    fn resolve(&self, _user: Option<UserId>, key: Key<'_>) -> Later<Option<Ref>> {
        let memory = self.memory();
        let mut found = memory.refs.get(key.0.as_ref()).cloned();
        if let Some(found) = &mut found {
            let job = found.job.as_ref();
            found.kept = job.and_then(|job| memory.jobs_kept.get(job).cloned());
        }
        ready(found)
    }

    fn keep(&self, name: &str, value: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        let mut memory = self.memory();
        if memory.full {
            return ready(Err(Refusal::Later("full".into())));
        }
        match value {
            Some(value) => memory.kept.insert(name.to_owned(), value),
            None => memory.kept.remove(name),
        };
        ready(Ok(()))
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        ready(Ok(self.memory().kept.get(name).cloned()))
    }

    fn store_blob(&self, _name: &str, _mime: &str) -> Box<dyn BlobWriter> {
        unreachable!("the gateway stores no attachments")
    }

    fn secret(&self, _label: &str) -> [u8; 32] {
        [0; 32]
    }
}

/// A gateway that runs.
pub(crate) struct Running {
    pub(crate) host: Host,
    sms: Arc<Sms>,
    up: Arc<dyn Uplink>,
    task: JoinHandle<Result<(), isthmus_gateway::Fault>>,
}

impl Running {
    /// A gateway for the SMSC at this port; `more` goes into the carrier's settings.
    pub(crate) fn start(port: u16, host: Host, more: &serde_json::Value) -> Self {
        let mut carrier = json!({
            "host": "127.0.0.1", "port": port, "system_id": "isthmus",
            "password": PASSWORD, "response_timeout": 5,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            carrier[key] = value.clone();
        }
        let config = Config::from_value(&json!({
            "carriers": { "one": carrier },
            "lines": { OURS: { "users": ["juliet@example.org"] } },
            "join_timeout": 5,
        }));
        let sms = Arc::new(Sms::new(config.expect("a sound configuration")));
        let up: Arc<dyn Uplink> = Arc::new(host.clone());
        let task = tokio::spawn(Arc::clone(&sms).start(Arc::clone(&up)));
        Self {
            host,
            sms,
            up,
            task,
        }
    }

    /// Hands out a job of Juliet's for this text.
    pub(crate) fn send(&self, id: u64, text: &str) {
        self.send_again(id, text, 0, None);
    }

    /// As the queue hands a job out once more.
    pub(crate) fn send_again(&self, id: u64, text: &str, attempt: u16, kept: Option<Vec<u8>>) {
        let place = Place::Contact(THEIRS.into());
        let job = Job {
            id: JobId(id),
            user: User {
                id: JULIET,
                local: "juliet".into(),
                domain: "example.org".into(),
                lang: String::new(),
                region: "US".into(),
            },
            account: Some(Account::default()),
            to: vec![Address::new(Kind::Contact, THEIRS, "")],
            message: Outgoing::text(place, text.to_owned()),
            attempt,
            kept,
            peer_kept: None,
        };
        self.sms.submit(job, Arc::clone(&self.up));
    }

    /// Drains the gateway and waits for its end.
    pub(crate) async fn drain(self) -> Host {
        self.sms.drain(Instant::now() + Duration::from_secs(5));
        let ended = tokio::time::timeout(DEADLINE, self.task).await;
        let ended = ended.expect("it ends in time").expect("it does not panic");
        assert_eq!(ended, Ok(()));
        self.host
    }

    /// Ends it as a kill does: at once, wherever it is.
    async fn kill(self) -> Host {
        self.task.abort();
        let ended = self.task.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
        self.host
    }
}

/// A gateway that is bound.
pub(crate) struct Scene {
    pub(crate) smsc: Arc<NodeSmsc>,
    gateway: Running,
}

impl Deref for Scene {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.gateway
    }
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let smsc = Arc::new(NodeSmsc::start().await);
        Self::with(smsc, Host::default(), json!({})).await
    }

    /// A gateway for this SMSC and host; `more` goes into the carrier's settings.
    pub(crate) async fn with(smsc: Arc<NodeSmsc>, host: Host, more: serde_json::Value) -> Self {
        let gateway = Running::start(smsc.port(), host, &more);
        smsc.expect(|event| *event == Happened::Bound).await;
        Self { smsc, gateway }
    }

    /// Drains the gateway and waits for its end.
    pub(crate) async fn drain(self) -> (Arc<NodeSmsc>, Host) {
        (self.smsc, self.gateway.drain().await)
    }

    /// The gateway is killed, and another one starts with what is on disk.
    pub(crate) async fn killed(self) -> Self {
        let host = self.gateway.kill().await;
        Self::with(self.smsc, host, json!({})).await
    }

    /// A receipt of the message with this id, as from the recipient.
    pub(crate) fn receipt(&self, id: &str, state: (u8, &str)) {
        self.smsc.receipt(id, state, digits(THEIRS), digits(OURS));
    }
}

pub(crate) const DELIVERED: (u8, &str) = (2, "DELIVRD");
pub(crate) const UNDELIVERABLE: (u8, &str) = (5, "UNDELIV");

pub(crate) fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

pub(crate) fn failed(report: &Report) -> &isthmus_gateway::Fault {
    match &report.state {
        State::Failed(fault) => fault,
        other => panic!("{other:?} is no failure"),
    }
}
