//! The store-and-forward face: the recipient's name says what becomes of a job.
//!
//! [`Courier::submit`] only puts the job into a channel; the future of `Gateway::start` works it
//! off, one task a recipient, and ends when drained. The host's queue bounds how many jobs are
//! leased at once, so the channel needs no bound of its own. What was leased and not reported at
//! the end is the host's to hand out again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use isthmus_gateway::{
    Address, Courier, Delivery, Fault, FaultKind, Job, JobId, Key, Kind, Later, Message, Place,
    Preview, Refusal, Report, State, Uplink, User, UserId, Who,
};
use isthmus_kit::Recalls;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::translate::{fault, kind};
use crate::{Config, Loopback};

/// How often a report is tried that the host cannot take yet.
const TRIES: u32 = 5;

/// The jobs at hand.
pub(crate) struct Jobs {
    delay: Duration,
    submit: mpsc::UnboundedSender<Job<'static>>,
    /// Taken by the one `run`.
    submitted: Mutex<Option<mpsc::UnboundedReceiver<Job<'static>>>>,
    pub(crate) ledger: Ledger,
    drained: watch::Sender<bool>,
    /// Counts reports, so that one job can wait for another's.
    reported: watch::Sender<u64>,
}

/// What becomes of jobs.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    open: Recalls,
    sent: Arc<Mutex<Vec<(JobId, u16)>>>,
    returned: Arc<Mutex<Vec<(String, String, Fault)>>>,
    read: Arc<Mutex<Vec<(String, String)>>>,
}

impl Ledger {
    pub(crate) fn sent(&self) -> Vec<(JobId, u16)> {
        lock(&self.sent).clone()
    }

    pub(crate) fn returned(&self) -> Vec<(String, String, Fault)> {
        lock(&self.returned).clone()
    }

    pub(crate) fn read(&self) -> Vec<(String, String)> {
        lock(&self.read).clone()
    }

    pub(crate) fn recalled(&self) -> Vec<JobId> {
        self.open.recalled()
    }
}

impl Jobs {
    pub(crate) fn new(config: &Config) -> Self {
        let (submit, submitted) = mpsc::unbounded_channel();
        Self {
            delay: Duration::from_millis(config.delay_ms),
            submit,
            submitted: Mutex::new(Some(submitted)),
            ledger: Ledger::default(),
            drained: watch::Sender::new(false),
            reported: watch::Sender::new(0),
        }
    }

    /// Works jobs off until drained. Tasks that still run then are stopped.
    pub(crate) async fn run(&self, up: Arc<dyn Uplink>) {
        let Some(mut submitted) = lock(&self.submitted).take() else {
            return;
        };
        let mut drained = self.drained.subscribe();
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                _ = drained.wait_for(|drained| *drained) => return,
                Some(_) = tasks.join_next() => {}
                job = submitted.recv() => match job {
                    Some(job) => self.take(&job, &up, &mut tasks),
                    None => return,
                },
            }
        }
    }

    fn take(&self, job: &Job<'static>, up: &Arc<dyn Uplink>, tasks: &mut JoinSet<()>) {
        let mut copies = JoinSet::new();
        for (to, address) in (0u16..).zip(&job.to) {
            let copy = Copy {
                job: job.id,
                to,
                user: job.user.id,
                address: address.clone(),
                body: job.message.body.to_string(),
                attempt: job.attempt,
                delay: self.delay,
                ledger: self.ledger.clone(),
                reported: self.reported.clone(),
                up: up.clone(),
            };
            copies.spawn(copy.run());
        }
        let (open, id) = (self.ledger.open.clone(), job.id);
        tasks.spawn(async move {
            while copies.join_next().await.is_some() {}
            open.ended(id);
        });
    }

    pub(crate) fn drain(&self) {
        self.drained.send_replace(true);
    }
}

impl Courier for Loopback {
    /// One lane per recipient.
    /// The network `queue` is the store-and-forward face; all others are live.
    fn serves(&self, to: &Address) -> bool {
        to.network == "queue"
    }

    fn lane(&self, job: &Job<'_>) -> String {
        job.to.first().map_or_else(String::new, |to| {
            format!("{}%{}", to.id.to_ascii_lowercase(), to.network)
        })
    }

    fn preview(&self, job: &Job<'_>) -> Result<Preview, Fault> {
        match job.to.iter().find_map(refused) {
            Some(fault) => Err(fault),
            None => Ok(Preview {
                parts: 1,
                encoding: "utf-8".into(),
                price: None,
            }),
        }
    }

    fn submit(&self, job: Job<'static>, _up: Arc<dyn Uplink>) {
        self.jobs.ledger.open.submitted(job.id);
        // Nobody listens only after a drain; the host hands the job out again at its next start.
        let _ = self.jobs.submit.send(job);
    }

    fn recall(&self, job: JobId) -> Later<bool> {
        Box::pin(std::future::ready(self.jobs.ledger.open.recall(job)))
    }

    fn undeliverable(
        &self,
        _: User,
        peer: &Address,
        key: Key<'static>,
        fault: Fault,
        _: Arc<dyn Uplink>,
    ) {
        let returned = (peer.id.clone(), key.0.into_owned(), fault);
        lock(&self.jobs.ledger.returned).push(returned);
    }

    fn read(&self, _: User, peer: &Address, key: Key<'static>, _: Arc<dyn Uplink>) {
        lock(&self.jobs.ledger.read).push((peer.id.clone(), key.0.into_owned()));
    }
}

/// One recipient's copy of a job.
struct Copy {
    job: JobId,
    to: u16,
    user: UserId,
    address: Address,
    body: String,
    attempt: u16,
    delay: Duration,
    ledger: Ledger,
    reported: watch::Sender<u64>,
    up: Arc<dyn Uplink>,
}

impl Copy {
    async fn run(self) {
        let name = self.address.id.to_ascii_lowercase();
        if self.ledger.open.is_recalled(self.job) {
            return;
        }
        if let Some(fault) = refused(&self.address) {
            return self.report(State::Failed(fault)).await;
        }
        match name.as_str() {
            "retry" if self.attempt < 2 => {
                let fault = Fault::new(FaultKind::NetworkDown, "the network does not answer");
                let after = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX);
                return self.report(State::Retry { after, fault }).await;
            }
            "hold" => tokio::time::sleep(self.delay).await,
            _ => {}
        }
        if self.begin().await {
            self.become_of(&name).await;
        }
    }

    /// What becomes of a copy that is on its way.
    async fn become_of(&self, name: &str) {
        if let Some(kind) = name.strip_prefix("fail-").and_then(kind) {
            return self.report(State::Failed(fault(kind))).await;
        }
        match name {
            "silent" => return,
            "lost" => {
                tokio::time::sleep(self.delay).await;
                return self.report(State::Unknown).await;
            }
            "reorder" => {
                let mut reported = self.reported.subscribe();
                // Ends with an error only when the gateway ends, which stops this task too.
                let _ = reported.changed().await;
            }
            _ => {}
        }
        self.report(State::Accepted).await;
        if name == "late" {
            tokio::time::sleep(self.delay).await;
        }
        self.report(State::Delivered).await;
        match name {
            "twice" => self.report(State::Delivered).await,
            "read" => self.report(State::Read).await,
            "echo" => self.answer().await,
            _ => {}
        }
    }

    fn keys(&self) -> Vec<String> {
        vec![format!("job-{}-{}", self.job.0, self.to)]
    }

    /// Passes the point of no return; false: it was taken back in time.
    async fn begin(&self) -> bool {
        if !self.ledger.open.begin(self.job) {
            return false;
        }
        let begun = self.up.begin(self.job, self.to, self.keys()).await;
        if begun {
            lock(&self.ledger.sent).push((self.job, self.to));
        }
        begun
    }

    /// Reports, again after a while where the host is too busy.
    async fn report(&self, state: State) {
        for _ in 0..TRIES {
            let report = Report {
                keys: self.keys(),
                ..Report::new(self.job, self.to, state.clone())
            };
            match self.up.report(report).await {
                Err(Refusal::Later(_)) => tokio::time::sleep(self.delay).await,
                // A job the host no longer knows needs no report.
                Ok(()) | Err(Refusal::Unknown | Refusal::Unwanted(_)) => break,
            }
        }
        self.reported.send_modify(|count| *count += 1);
    }

    /// Sends the text back, the same however often the job is handed out.
    async fn answer(&self) {
        let name = self.address.id.clone();
        let at = Place::Contact(name.clone().into());
        let mut message = Message::text(at, Who::nick(name), self.body.clone());
        message.auto = true;
        let delivery = Delivery {
            user: self.user,
            dedup: format!("answer-{}-{}", self.job.0, self.to),
            peer: self.address.clone(),
            message,
            peer_kept: None,
            returns: None,
        };
        // A refusal concerns the answer alone: the job itself is done.
        let _ = self.up.deliver(vec![delivery], true).await;
    }
}

/// Recipients that mean something.
const KNOWN: [&str; 10] = [
    "ok", "echo", "hold", "late", "lost", "silent", "twice", "read", "reorder", "retry",
];

/// Why nothing can go to this recipient at all.
fn refused(to: &Address) -> Option<Fault> {
    let name = to.id.to_ascii_lowercase();
    let known =
        KNOWN.contains(&name.as_str()) || name.strip_prefix("fail-").and_then(kind).is_some();
    (to.kind != Kind::Contact || !known)
        .then(|| Fault::new(FaultKind::NoSuchTarget, format!("there is no {}", to.id)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
