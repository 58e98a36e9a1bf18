//! The store-and-forward face: jobs become mails, mails go to the smarthost.
//!
//! [`Courier::submit`] only puts the job into a channel; the future of `Gateway::start` works it
//! off, one task a job, and ends when drained. The host's queue bounds how many jobs are leased at
//! once, so the channel needs no bound of its own. What was leased and not reported at the end is
//! the host's to hand out again: a copy bears the same Message-ID every time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use isthmus_gateway::{
    Courier, Fault, FaultKind, Job, JobId, Key, Kind, Later, Preview, Refusal, Report, State,
    Uplink, User, words,
};
use isthmus_kit::Recalls;
use lettre::Address;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::address;
use crate::gateway::Smtp;
use crate::returns::Returns;
use crate::translate::compose::{self, Attached, Composed};
use crate::translate::kept::Kept;
use crate::translate::status;
use crate::translate::token::{Sealer, Token};
use crate::translate::undelivered::Undelivered;
use crate::transport::send::{Sender, Sent};

/// How often a report is tried that the host cannot take yet, and the wait between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Longest name of a thread that is kept, in bytes.
const LONGEST_THREAD: usize = 256;

/// A job and whom to tell.
type Submitted = (Job<'static>, Arc<dyn Uplink>);

/// The jobs at hand.
pub(crate) struct Jobs {
    submit: mpsc::UnboundedSender<Submitted>,
    /// Taken by the one `run`.
    submitted: Mutex<Option<mpsc::UnboundedReceiver<Submitted>>>,
    open: Recalls,
    /// Mails that go back.
    returns: Returns,
    drained: watch::Sender<bool>,
}

impl Jobs {
    pub(crate) fn new() -> Self {
        let (submit, submitted) = mpsc::unbounded_channel();
        Self {
            submit,
            submitted: Mutex::new(Some(submitted)),
            open: Recalls::default(),
            returns: Returns::new(),
            drained: watch::Sender::new(false),
        }
    }

    /// Works jobs off until drained. Tasks that still run then are stopped.
    pub(crate) async fn run(&self, outward: Option<Arc<Outward>>) {
        let Some(mut submitted) = lock(&self.submitted).take() else {
            return;
        };
        let Some(mut returned) = self.returns.take() else {
            return;
        };
        let mut tasks = JoinSet::new();
        let mut sweep = tokio::time::interval(Sender::SWEEP);
        loop {
            tokio::select! {
                Some(_) = tasks.join_next() => {}
                _ = sweep.tick() => {
                    if let Some(outward) = outward.clone() {
                        tasks.spawn(async move { outward.sender.sweep().await });
                    }
                }
                Some(back) = returned.recv() => {
                    tasks.spawn(back.send(outward.clone()));
                }
                job = submitted.recv() => match job {
                    Some((job, up)) => {
                        let (outward, open) = (outward.clone(), self.open.clone());
                        tasks.spawn(async move {
                            let id = job.id;
                            work(job, up, outward, &open).await;
                            open.ended(id);
                        });
                    }
                    None => return,
                },
            }
        }
    }

    /// Resolves when drained.
    pub(crate) async fn drained(&self) {
        // The sender lives as long as we do.
        let _ = self.drained.subscribe().wait_for(|drained| *drained).await;
    }

    pub(crate) fn drain(&self) {
        self.drained.send_replace(true);
    }
}

/// What sending needs.
pub(crate) struct Outward {
    pub(crate) sender: Sender,
    pub(crate) sealer: Sealer,
    pub(crate) domain: String,
}

impl Courier for Smtp {
    fn serves(&self, to: &isthmus_gateway::Address) -> bool {
        to.kind == Kind::Contact
    }

    /// One lane per recipient's domain: a slow one does not hold up the others.
    fn lane(&self, job: &Job<'_>) -> String {
        let first = job.to.first().and_then(|to| address::domain(&to.id));
        first.unwrap_or_default()
    }

    fn preview(&self, job: &Job<'_>) -> Result<Preview, Fault> {
        if self.config.smarthost.is_none() {
            return Err(cannot_send());
        }
        for to in 0..job.to.len() {
            let id = format!("preview@{}", self.domain);
            compose::compose(job, to, &id, &self.domain, SystemTime::UNIX_EPOCH, &[])?;
        }
        Ok(Preview {
            parts: 1,
            encoding: "utf-8".to_owned(),
            price: None,
        })
    }

    fn submit(&self, job: Job<'static>, up: Arc<dyn Uplink>) {
        self.jobs.open.submitted(job.id);
        // Nobody listens only after a drain; the host hands the job out again at its next start.
        let _ = self.jobs.submit.send((job, up));
    }

    fn recall(&self, job: JobId) -> Later<bool> {
        Box::pin(std::future::ready(self.jobs.open.recall(job)))
    }

    fn undeliverable(
        &self,
        user: User,
        peer: &isthmus_gateway::Address,
        key: Key<'static>,
        fault: Fault,
        _up: Arc<dyn Uplink>,
    ) {
        self.jobs.returns.add(Undelivered {
            user,
            to: peer.id.clone(),
            key: key.0.into_owned(),
            fault,
        });
    }
}

fn cannot_send() -> Fault {
    Fault::new(
        FaultKind::NotAllowed,
        (
            "this gateway has no mail server to send through",
            "此网关没有可用于发送的邮件服务器",
        ),
    )
}

/// One recipient after the other.
async fn work(
    job: Job<'static>,
    up: Arc<dyn Uplink>,
    outward: Option<Arc<Outward>>,
    open: &Recalls,
) {
    let files = attached(&job, &*up).await;
    for (at, to) in (0..job.to.len()).zip(0u16..) {
        let token = Token {
            job: job.id,
            to,
            user: job.user.id,
        };
        let mut copy = Copy {
            job: &job,
            token,
            keys: Vec::new(),
            files: &files,
            up: &up,
            open,
            taken_back: AtomicBool::new(false),
        };
        match &outward {
            Some(outward) => copy.run(at, outward).await,
            None => copy.report(State::Failed(cannot_send()), None).await,
        }
    }
}

/// The files of a job that the host has; the others are links.
async fn attached(job: &Job<'_>, up: &dyn Uplink) -> Vec<Attached> {
    let mut files = Vec::new();
    for blob in &job.message.blobs {
        match up.read_blob(&blob.url).await {
            Ok(bytes) => files.push(Attached {
                url: blob.url.to_string(),
                name: blob.name.to_string(),
                mime: blob.mime.to_string(),
                bytes,
            }),
            Err(fault) if fault.kind() == std::io::ErrorKind::Unsupported => {}
            Err(fault) => {
                tracing::warn!(%fault, job = job.id.0, "a file cannot be read: its mail lacks it");
            }
        }
    }
    files
}

/// One recipient's copy of a job.
struct Copy<'a> {
    job: &'a Job<'static>,
    token: Token,
    keys: Vec<String>,
    files: &'a [Attached],
    up: &'a Arc<dyn Uplink>,
    open: &'a Recalls,
    /// The host has said so when it was asked to begin.
    taken_back: AtomicBool,
}

impl Copy<'_> {
    async fn run(&mut self, at: usize, outward: &Outward) {
        if self.is_taken_back() {
            return;
        }
        let id = outward.sealer.message_id(&self.token, &outward.domain);
        self.keys = vec![id.clone()];
        let now = SystemTime::now();
        let (mail, from, to) = match self.prepare(at, &id, outward, now) {
            Ok(prepared) => prepared,
            Err(fault) => return self.report(State::Failed(fault), None).await,
        };
        let sent = outward
            .sender
            .send(Some(&from), &to, &mail.content, || self.begin())
            .await;
        let (state, kept) = match sent {
            Sent::Recalled => return,
            Sent::Accepted => (State::Accepted, mail.kept.to_bytes()),
            Sent::Lacks(words) => (
                State::Failed(Fault::new(FaultKind::NotExpressible, words)),
                None,
            ),
            Sent::Broken(words) => {
                let fault = Fault::new(FaultKind::NetworkDown, words);
                (self.retry(fault, None, ""), None)
            }
            Sent::Refused { code, text, stage } => {
                let mut fault = status::fault(code, &text, stage);
                if stage == status::Stage::Login {
                    tracing::warn!(
                        answer = fault.text.as_str(),
                        "the smarthost does not let us log in"
                    );
                    // The sender is to know that it is not his own password.
                    let answer = &fault.text;
                    fault.text = words!(
                        "the mail server refuses this gateway: {answer}",
                        "邮件服务器拒绝此网关：{answer}"
                    );
                }
                // What is said before the mail is spoken of is the operator's to mend.
                let later = code < 500 || stage == status::Stage::Connect;
                let state = if later {
                    self.retry(fault, Some(code), &text)
                } else {
                    State::Failed(fault)
                };
                (state, None)
            }
        };
        self.report(state, kept).await;
    }

    fn prepare(
        &self,
        at: usize,
        id: &str,
        outward: &Outward,
        now: SystemTime,
    ) -> Result<(Composed, Address, Address), Fault> {
        let mail = compose::compose(self.job, at, id, &outward.domain, now, self.files)?;
        let envelope = outward.sealer.envelope(&self.token);
        let from = Address::new(envelope, outward.domain.as_str()).map_err(|_| {
            Fault::new(
                FaultKind::Internal,
                ("the envelope has no sender", "信封缺少发件人"),
            )
        })?;
        let kept = Kept::read(self.job.peer_kept.as_deref().filter(|_| at == 0));
        let to = compose::recipient(&self.job.to[at].id, &kept)?;
        Ok((mail, from, to))
    }

    fn retry(&self, fault: Fault, code: Option<u16>, text: &str) -> State {
        let after = status::retry_after(self.job.attempt, code, text).as_millis();
        let after = u64::try_from(after).unwrap_or(u64::MAX);
        State::Retry { after, fault }
    }

    /// Passes the point of no return; false: it was taken back in time.
    async fn begin(&self) -> bool {
        if !self.open.begin(self.job.id) {
            return false;
        }
        let up = self.up;
        let begun = up
            .begin(self.job.id, self.token.to, self.keys.clone())
            .await;
        self.taken_back.store(!begun, Ordering::Relaxed);
        begun
    }

    /// Whether nobody waits for a report any more.
    fn is_taken_back(&self) -> bool {
        self.open.is_recalled(self.job.id) || self.taken_back.load(Ordering::Relaxed)
    }

    /// Reports, again after a while where the host is too busy.
    async fn report(&self, state: State, peer_kept: Option<Vec<u8>>) {
        // An answer belongs to the same thread.
        let thread = self.job.message.thread.as_ref();
        let thread = thread
            .filter(|thread| state == State::Accepted && thread.len() <= LONGEST_THREAD)
            .map(|thread| thread.as_bytes().to_vec());
        for _ in 0..TRIES {
            // What is found out behind that, such as a connection that breaks, is nobody's.
            if self.is_taken_back() {
                return;
            }
            let report = Report {
                job: self.job.id,
                to: self.token.to,
                keys: self.keys.clone(),
                state: state.clone(),
                kept: thread.clone(),
                peer_kept: peer_kept.clone(),
            };
            match self.up.report(report).await {
                Err(Refusal::Later(_)) => tokio::time::sleep(PAUSE).await,
                // A job the host no longer knows needs no report.
                Ok(()) | Err(Refusal::Unknown | Refusal::Unwanted(_)) => return,
            }
        }
        tracing::warn!(job = self.job.id.0, "the host takes no report");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
