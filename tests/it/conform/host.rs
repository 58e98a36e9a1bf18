//! A host that writes down what it is told and judges it: reports are about jobs it knows, and a
//! copy only moves forward.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isthmus_gateway::{
    Address, BlobWriter, Courier, Delivery, Gateway, Handle, Job, JobId, Key, Later, Ref, Refusal,
    Report, State, Stored, Uplink, UserId,
};
use isthmus_test_support::DEADLINE;
use isthmus_test_support::inbox::Inbox;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What `begin` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// Nothing, until something else is.
    Wait,
}

#[derive(Default)]
struct Memory {
    refs: HashMap<String, Ref>,
    kept: BTreeMap<String, Vec<u8>>,
    jobs_kept: HashMap<JobId, Vec<u8>>,
    /// By job: recipients.
    jobs: HashMap<JobId, usize>,
    states: BTreeMap<(JobId, u16), State>,
    begun: BTreeMap<(JobId, u16), bool>,
    faults: Vec<String>,
}

pub(super) struct Host {
    pub(super) begun: Inbox<(JobId, u16)>,
    pub(super) reports: Inbox<Report>,
    pub(super) answer: watch::Sender<Answer>,
    memory: Arc<Mutex<Memory>>,
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

/// How far a state is; `None`: it may be followed by any.
fn rank(state: &State) -> Option<u8> {
    match state {
        State::Unknown | State::Retry { .. } => None,
        State::Accepted => Some(1),
        State::Delivered => Some(2),
        State::Read => Some(3),
        State::Failed(_) => Some(4),
    }
}

impl Host {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of every copy.
    pub(super) fn states(&self) -> BTreeMap<(JobId, u16), State> {
        self.memory().states.clone()
    }

    /// Waits until something is known of this copy that fits.
    pub(super) async fn until(&self, job: u64, to: u16, fits: impl Fn(&State) -> bool) {
        let is_it = |it: &Report| it.job == JobId(job) && it.to == to && fits(&it.state);
        if self.reports.log().iter().any(is_it) {
            return;
        }
        let found = self.reports.take(DEADLINE, is_it).await;
        found.unwrap_or_else(|error| panic!("no such report of {job}/{to}: {error}"));
    }

    pub(super) async fn until_begun(&self, job: u64, to: u16) {
        let found = self
            .begun
            .take(DEADLINE, |it| *it == (JobId(job), to))
            .await;
        found.unwrap_or_else(|error| panic!("{job}/{to} does not begin: {error}"));
    }

    pub(super) fn check(&self) {
        let faults = &self.memory().faults;
        assert!(faults.is_empty(), "{faults:#?}");
    }

    fn judge(&self, report: &Report) {
        let mut memory = self.memory();
        let copy = (report.job, report.to);
        let mut faults = Vec::new();
        let known = memory.jobs.get(&report.job).copied().unwrap_or_default();
        if usize::from(report.to) >= known {
            faults.push(format!("a report of no copy: {report:?}"));
        }
        let sent = matches!(
            report.state,
            State::Accepted | State::Delivered | State::Read
        );
        if sent && memory.begun.get(&copy) != Some(&true) {
            faults.push(format!("sent and not begun: {report:?}"));
        }
        if memory.begun.get(&copy) == Some(&false) {
            faults.push(format!("taken back and reported: {report:?}"));
        }
        let before = memory.states.get(&copy).and_then(rank);
        let backward = match (before, rank(&report.state)) {
            (Some(before), Some(now)) => now < before || (now == 4 && before > 1 && before < 4),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if backward {
            let before = memory.states.get(&copy);
            faults.push(format!("{report:?} behind {before:?}"));
        }
        if let State::Failed(fault) | State::Retry { fault, .. } = &report.state
            && fault.text.is_empty()
        {
            faults.push(format!("a fault without words: {report:?}"));
        }
        memory.faults.extend(faults);
        memory.states.insert(copy, report.state.clone());
    }

    fn remember(&self, job: JobId, to: u16, keys: &[String]) {
        for (part, key) in (0u16..).zip(keys) {
            let known = Ref {
                user: UserId(1),
                job: Some(job),
                stanza: String::new(),
                part,
                recipient: to,
                kept: None,
            };
            self.memory().refs.insert(key.clone(), known);
        }
    }
}

impl Uplink for Host {
    fn find(&self, _: Handle, _: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        ready(Ok(vec![UserId(1)]))
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        _all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        ready(batch.iter().map(|_| Ok(Stored::Fresh)).collect())
    }

    fn begin(&self, job: JobId, to: u16, keys: Vec<String>) -> Later<bool> {
        self.remember(job, to, &keys);
        self.begun.push((job, to));
        let mut answer = self.answer.subscribe();
        let memory = Arc::clone(&self.memory);
        Box::pin(async move {
            let answer = answer.wait_for(|answer| *answer != Answer::Wait).await;
            let go = answer.is_ok_and(|answer| *answer == Answer::Yes);
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.begun.insert((job, to), go);
            go
        })
    }

    fn report(&self, report: Report) -> Later<Result<(), Refusal>> {
        self.remember(report.job, report.to, &report.keys);
        if let Some(kept) = &report.kept {
            self.memory().jobs_kept.insert(report.job, kept.clone());
        }
        self.judge(&report);
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
        match value {
            Some(value) => memory.kept.insert(name.to_owned(), value),
            None => memory.kept.remove(name),
        };
        ready(Ok(()))
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        ready(Ok(self.memory().kept.get(name).cloned()))
    }

    fn store_blob(&self, _: &str, _: &str) -> Box<dyn BlobWriter> {
        unreachable!("no peer here sends files")
    }

    fn secret(&self, _: &str) -> [u8; 32] {
        [7; 32]
    }
}

/// A gateway at work for a host.
pub(super) struct Running {
    pub(super) gateway: Arc<dyn Gateway>,
    pub(super) host: Arc<Host>,
    pub(super) task: JoinHandle<Result<(), isthmus_gateway::Fault>>,
}

impl Running {
    pub(super) fn start(gateway: Arc<dyn Gateway>) -> Self {
        let host = Arc::new(Host {
            begun: Inbox::default(),
            reports: Inbox::default(),
            answer: watch::Sender::new(Answer::Yes),
            memory: Arc::default(),
        });
        let task = tokio::spawn(Arc::clone(&gateway).start(host.clone()));
        Self {
            gateway,
            host,
            task,
        }
    }

    pub(super) fn courier(&self) -> &dyn Courier {
        self.gateway.courier().expect("a gateway with jobs")
    }

    pub(super) fn submit(&self, job: Job<'static>) {
        self.host.memory().jobs.insert(job.id, job.to.len());
        self.courier().submit(job, self.host.clone());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.host.check();
        }
    }
}
