//! A network that lies about its messages, and the courier that speaks it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Account, Address, AddressFault, Courier, Dialog, Fault, FaultKind, Gateway, Job, JobId, Key,
    Later, Manifest, Parsed, Preview, Refusal, Report, Session, State, Step, Uplink, User,
};
use isthmus_loopback::{Config, Loopback};

use crate::dice::Dice;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    Failed,
    /// Both is said of it, in any order.
    Both,
    /// Delivered, and nothing is said for long.
    Late,
    /// Nothing is ever said.
    Mute,
}

const FATES: [Fate; 5] = [
    Fate::Delivered,
    Fate::Failed,
    Fate::Both,
    Fate::Late,
    Fate::Mute,
];

#[derive(Default)]
struct Copy {
    fate: Option<Fate>,
    /// In which lives it was sent.
    lives: Vec<usize>,
    /// The host took a report on it.
    reported: bool,
}

struct Answer {
    at: Instant,
    key: String,
    name: String,
    state: State,
}

struct Inner {
    dice: Dice,
    life: usize,
    copies: BTreeMap<String, Copy>,
    answers: Vec<Answer>,
    faults: Vec<String>,
}

/// The network: it survives the program.
pub(super) struct Network(Mutex<Inner>);

impl Network {
    pub(super) fn new(dice: Dice) -> Self {
        Self(Mutex::new(Inner {
            dice,
            life: 0,
            copies: BTreeMap::new(),
            answers: Vec::new(),
            faults: Vec::new(),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics with it")
    }

    pub(super) fn next_life(&self) {
        self.inner().life += 1;
    }

    pub(super) fn at_rest(&self) -> bool {
        self.inner().answers.is_empty()
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.inner().faults.clone()
    }

    pub(super) fn sent(&self, name: &str) -> usize {
        let inner = self.inner();
        inner.copies.get(name).map_or(0, |copy| copy.lives.len())
    }

    pub(super) fn fate(&self, name: &str) -> Fate {
        let mut inner = self.inner();
        let dealt = *inner.dice.pick(&FATES);
        let copy = inner.copies.entry(name.to_owned()).or_default();
        *copy.fate.get_or_insert(dealt)
    }

    fn roll(&self, sides: u64) -> u64 {
        self.inner().dice.roll(sides)
    }

    /// A message reaches the network.
    fn send(&self, name: &str, key: &str, reported: bool) {
        let fate = self.fate(name);
        let mut inner = self.inner();
        let life = inner.life;
        let copy = inner.copies.entry(name.to_owned()).or_default();
        let before = std::mem::take(&mut copy.lives);
        let mut faults = Vec::new();
        if reported {
            faults.push(format!("{name} was sent again after it was reported"));
        }
        if before.contains(&life) {
            faults.push(format!("{name} was sent twice in one life"));
        }
        copy.lives = before;
        copy.lives.push(life);
        inner.faults.append(&mut faults);
        let failed = State::Failed(Liar::fault(name));
        let states = match fate {
            Fate::Delivered => vec![State::Accepted, State::Delivered, State::Delivered],
            Fate::Failed => vec![failed.clone(), failed],
            Fate::Both => vec![State::Delivered, State::Accepted, failed],
            Fate::Late => vec![State::Delivered],
            Fate::Mute => Vec::new(),
        };
        for state in states {
            let late = if fate == Fate::Late { 90 } else { 0 };
            let wait = Duration::from_millis(late + inner.dice.roll(12));
            inner.answers.push(Answer {
                at: Instant::now() + wait,
                key: key.to_owned(),
                name: name.to_owned(),
                state,
            });
        }
    }

    /// An answer that is due; it is given again until it was taken.
    fn answer(&self) -> Option<(String, String, State)> {
        let inner = self.inner();
        let due = inner
            .answers
            .iter()
            .filter(|answer| answer.at <= Instant::now());
        let due = due.min_by_key(|answer| answer.at)?;
        Some((due.key.clone(), due.name.clone(), due.state.clone()))
    }

    fn taken(&self, key: &str, state: &State) {
        let mut inner = self.inner();
        let at = inner
            .answers
            .iter()
            .position(|answer| answer.key == key && answer.state == *state);
        if let Some(at) = at {
            inner.answers.remove(at);
        }
    }

    fn is_reported(&self, name: &str) -> bool {
        let inner = self.inner();
        inner.copies.get(name).is_some_and(|copy| copy.reported)
    }

    fn reported(&self, name: &str) {
        let mut inner = self.inner();
        inner.copies.entry(name.to_owned()).or_default().reported = true;
    }

    fn fault(&self, text: String) {
        self.inner().faults.push(text);
    }
}

/// How far a submission has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Begun,
    Recalled,
}

type Submission = Arc<Mutex<Phase>>;

/// The courier.
pub(super) struct Liar {
    addresses: Loopback,
    manifest: Manifest,
    network: Arc<Network>,
    open: Mutex<HashMap<JobId, Submission>>,
}

impl Liar {
    pub(super) fn new(network: Arc<Network>, receipts: bool) -> Self {
        let addresses = Loopback::new(Config::default());
        let mut manifest = addresses.manifest().clone();
        manifest.caps.receipts = receipts;
        Self {
            addresses,
            manifest,
            network,
            open: Mutex::default(),
        }
    }

    /// The words of a message's own error.
    pub(super) fn words(name: &str) -> String {
        format!("no {name}")
    }

    fn fault(name: &str) -> Fault {
        Fault::new(FaultKind::NoSuchTarget, Self::words(name))
    }
}

async fn pause(network: &Network, ms: u64) {
    tokio::time::sleep(Duration::from_millis(network.roll(ms))).await;
}

/// Sends one message.
async fn carry(
    network: Arc<Network>,
    job: Job<'static>,
    submission: Submission,
    up: Arc<dyn Uplink>,
) {
    let name = job.message.body.to_string();
    // Now and then longer than the host has patience.
    let wait = if network.roll(12) == 0 { 90 } else { 4 };
    pause(&network, wait).await;
    if network.roll(6) == 0 && *submission.lock().expect("no panic") == Phase::Waiting {
        let state = State::Retry {
            after: network.roll(3),
            fault: Liar::fault(&name),
        };
        *submission.lock().expect("no panic") = Phase::Recalled;
        // Not taken: the host gives up waiting and hands it out again.
        let _ = up.report(Report::new(job.id, 0, state)).await;
        return;
    }
    {
        let mut phase = submission.lock().expect("no panic");
        if *phase == Phase::Recalled {
            return;
        }
        *phase = Phase::Begun;
    }
    let key = format!("key-{}", job.id.0);
    // An answer to what an earlier life sent may come between this and the sending.
    let reported = network.is_reported(&name);
    if !up.begin(job.id, 0, vec![key.clone()]).await {
        return;
    }
    network.send(&name, &key, reported);
    let state = match network.fate(&name) {
        Fate::Mute | Fate::Late => return,
        Fate::Failed => State::Failed(Liar::fault(&name)),
        Fate::Delivered | Fate::Both => State::Accepted,
    };
    // The answer to a submission gets lost with its connection.
    for _ in 0..network.roll(3) {
        pause(&network, 4).await;
        if up
            .report(Report::new(job.id, 0, state.clone()))
            .await
            .is_ok()
        {
            network.reported(&name);
        }
    }
}

impl Gateway for Liar {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn network<'a>(&self, localpart: &'a str) -> &'a str {
        self.addresses.network(localpart)
    }

    fn parse(&self, localpart: &str, region: &str) -> Result<Parsed, AddressFault> {
        self.addresses.parse(localpart, region)
    }

    fn format(&self, address: &Address) -> Result<String, AddressFault> {
        self.addresses.format(address)
    }

    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>> {
        Box::pin(async move {
            loop {
                pause(&self.network, 3).await;
                let Some((key, name, state)) = self.network.answer() else {
                    continue;
                };
                let Some(of) = up.resolve(None, Key(key.as_str().into())).await else {
                    self.network
                        .fault(format!("{name} was sent without a trace"));
                    self.network.taken(&key, &state);
                    continue;
                };
                let job = of.job.expect("the key was that of a job");
                match up
                    .report(Report::new(job, of.recipient, state.clone()))
                    .await
                {
                    Ok(()) => {
                        self.network.reported(&name);
                        self.network.taken(&key, &state);
                    }
                    Err(Refusal::Later(_)) => {}
                    Err(refusal) => {
                        self.network.fault(format!("{name}: {refusal:?}"));
                        self.network.taken(&key, &state);
                    }
                }
            }
        })
    }

    fn open(
        &self,
        user: &User,
        account: Option<&Account>,
        network: &str,
        settings: &isthmus_gateway::Settings,
        kept: Option<&[u8]>,
    ) -> Box<dyn Session> {
        self.addresses.open(user, account, network, settings, kept)
    }

    fn courier(&self) -> Option<&dyn Courier> {
        Some(self)
    }

    fn dialog(&self, user: &User, step: Dialog) -> Later<Result<Step, Fault>> {
        self.addresses.dialog(user, step)
    }

    fn forget(&self, user: &User) -> Later<Result<(), Fault>> {
        self.addresses.forget(user)
    }

    fn drain(&self, _: Instant) {}
}

impl Courier for Liar {
    fn lane(&self, _: &Job<'_>) -> String {
        String::new()
    }

    fn preview(&self, _: &Job<'_>) -> Result<Preview, Fault> {
        Ok(Preview::default())
    }

    fn submit(&self, job: Job<'static>, up: Arc<dyn Uplink>) {
        let submission = Arc::new(Mutex::new(Phase::Waiting));
        let mut open = self.open.lock().expect("no test panics with it");
        open.insert(job.id, Arc::clone(&submission));
        tokio::spawn(carry(Arc::clone(&self.network), job, submission, up));
    }

    fn recall(&self, job: JobId) -> Later<bool> {
        let open = self.open.lock().expect("no test panics with it");
        let recalled = open.get(&job).is_some_and(|submission| {
            let mut phase = submission.lock().expect("no panic");
            if *phase == Phase::Waiting {
                *phase = Phase::Recalled;
            }
            *phase == Phase::Recalled
        });
        Box::pin(std::future::ready(recalled))
    }
}
