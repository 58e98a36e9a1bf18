//! The store-and-forward face, with an uplink that writes down what it is told. Time is paused:
//! it moves when nothing else can.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Address, BlobWriter, Courier, Delivery, FaultKind, Gateway, Handle, Job, JobId, Key, Kind,
    Later, Outgoing, Place, Ref, Refusal, Report, State, Stored, Uplink, User, UserId,
};
use isthmus_loopback::{Config, Loopback};

/// A host that remembers.
#[derive(Default)]
struct Host {
    log: Mutex<Vec<String>>,
    recalled: Mutex<BTreeSet<JobId>>,
}

impl Host {
    fn note(&self, line: String) {
        self.log.lock().expect("no test panics with it").push(line);
    }

    fn noted(&self) -> Vec<String> {
        self.log.lock().expect("no test panics with it").clone()
    }
}

impl Uplink for Host {
    fn find(&self, _: Handle, _: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        _all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        for delivery in &batch {
            self.note(format!("{}: {}", delivery.peer.id, delivery.message.body));
        }
        Box::pin(ready(batch.iter().map(|_| Ok(Stored::Fresh)).collect()))
    }

    fn begin(&self, job: JobId, to: u16, _keys: Vec<String>) -> Later<bool> {
        self.note(format!("{} begin {to}", job.0));
        let recalled = self.recalled.lock().expect("no test panics with it");
        Box::pin(ready(!recalled.contains(&job)))
    }

    fn report(&self, report: Report) -> Later<Result<(), Refusal>> {
        let state = match report.state {
            State::Retry { after, .. } => format!("retry {after}"),
            State::Failed(fault) => format!("failed {:?}", fault.kind),
            state => format!("{state:?}").to_lowercase(),
        };
        self.note(format!("{} {state}", report.job.0));
        Box::pin(ready(Ok(())))
    }

    fn resolve(&self, _: Option<UserId>, _: Key<'_>) -> Later<Option<Ref>> {
        Box::pin(ready(None))
    }

    fn keep(&self, _: &str, _: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn kept(&self, _: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn store_blob(&self, _: &str, _: &str) -> Box<dyn BlobWriter> {
        unreachable!("no attachment comes from this network")
    }

    fn secret(&self, _: &str) -> [u8; 32] {
        [0; 32]
    }
}

fn job(id: u64, to: &str, attempt: u16) -> Job<'static> {
    Job {
        id: JobId(id),
        user: User {
            id: UserId(1),
            local: "alice".into(),
            domain: "example.org".into(),
            lang: String::new(),
            region: String::new(),
        },
        account: None,
        to: vec![Address::new(Kind::Contact, to, "queue")],
        message: Outgoing::text(Place::Contact(to.to_owned().into()), "hello"),
        attempt,
        kept: None,
        peer_kept: None,
    }
}

/// A gateway at work.
struct Running {
    gateway: Arc<Loopback>,
    host: Arc<Host>,
}

impl Running {
    fn start() -> Self {
        let gateway = Arc::new(Loopback::new(Config::default()));
        let host = Arc::new(Host::default());
        tokio::spawn(gateway.clone().start(host.clone()));
        Self { gateway, host }
    }

    fn submit(&self, job: Job<'static>) {
        self.gateway.submit(job, self.host.clone());
    }

    /// Lets time pass; paused, it passes once all tasks wait.
    async fn pass(&self, millis: u64) -> Vec<String> {
        tokio::time::advance(Duration::from_millis(millis)).await;
        settle().await;
        self.host.noted()
    }
}

/// Lets every task that can run do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// What is noted of one job to `name`, at once and when all delays are over.
async fn outcome(name: &str, attempt: u16) -> (Vec<String>, Vec<String>) {
    let running = Running::start();
    running.submit(job(1, name, attempt));
    settle().await;
    let early = running.host.noted();
    (early, running.pass(1_001).await)
}

#[tokio::test(start_paused = true)]
async fn the_name_says_what_becomes_of_a_job() {
    let table: [(&str, u16, &[&str], &[&str]); 9] = [
        ("ok", 0, &["1 begin 0", "1 accepted", "1 delivered"], &[]),
        ("late", 0, &["1 begin 0", "1 accepted"], &["1 delivered"]),
        ("lost", 0, &["1 begin 0"], &["1 unknown"]),
        ("silent", 0, &["1 begin 0"], &[]),
        ("hold", 0, &[], &["1 begin 0", "1 accepted", "1 delivered"]),
        (
            "read",
            0,
            &["1 begin 0", "1 accepted", "1 delivered", "1 read"],
            &[],
        ),
        (
            "twice",
            0,
            &["1 begin 0", "1 accepted", "1 delivered", "1 delivered"],
            &[],
        ),
        ("retry", 1, &["1 retry 1000"], &[]),
        ("retry", 2, &["1 begin 0", "1 accepted", "1 delivered"], &[]),
    ];
    for (name, attempt, early, late) in table {
        let noted = outcome(name, attempt).await;
        assert_eq!(noted.0, early, "{name}, attempt {attempt}, at once");
        let all: Vec<_> = early.iter().chain(late).copied().collect();
        assert_eq!(noted.1, all, "{name}, attempt {attempt}, in the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_made_of_a_fault_fails_with_that_fault() {
    for kind in FaultKind::ALL {
        let word = serde_json::to_value(kind).expect("a kind is a word");
        let name = format!("fail-{}", word.as_str().expect("a kind is a word"));
        let (noted, _) = outcome(&name, 0).await;
        assert_eq!(
            noted,
            ["1 begin 0".to_owned(), format!("1 failed {kind:?}")]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_means_nothing_fails_before_it_begins() {
    let (noted, _) = outcome("nobody", 0).await;
    assert_eq!(noted, ["1 failed NoSuchTarget"]);
}

#[tokio::test(start_paused = true)]
async fn reorder_reports_behind_the_next_job() {
    let running = Running::start();
    running.submit(job(1, "reorder", 0));
    settle().await;
    assert_eq!(running.host.noted(), ["1 begin 0"]);
    running.submit(job(2, "ok", 0));
    settle().await;
    let noted = running.host.noted();
    let at = |line: &str| noted.iter().position(|noted| noted == line);
    assert!(at("2 accepted") < at("1 accepted"), "{noted:?}");
    assert!(at("1 delivered").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_job_can_be_recalled_until_it_begins() {
    let running = Running::start();
    running.submit(job(1, "hold", 0));
    settle().await;
    assert!(running.gateway.recall(JobId(1)).await);
    assert_eq!(running.pass(1_001).await, Vec::<String>::new());

    running.submit(job(2, "late", 0));
    settle().await;
    assert!(!running.gateway.recall(JobId(2)).await);
    assert!(
        running
            .pass(1_001)
            .await
            .contains(&"2 delivered".to_owned())
    );
    assert!(!running.gateway.recall(JobId(3)).await);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_the_host_took_back_at_the_last_moment() {
    let running = Running::start();
    let recalled = &running.host.recalled;
    recalled
        .lock()
        .expect("no test panics with it")
        .insert(JobId(1));
    running.submit(job(1, "ok", 0));
    settle().await;
    assert_eq!(running.host.noted(), ["1 begin 0"]);
}

#[tokio::test(start_paused = true)]
async fn echo_answers_inward() {
    let (noted, _) = outcome("echo", 0).await;
    assert_eq!(noted.last().map(String::as_str), Some("echo: hello"));
}

#[tokio::test(start_paused = true)]
async fn every_recipient_has_a_copy_of_his_own() {
    let running = Running::start();
    let mut both = job(1, "ok", 0);
    both.to.push(Address::new(Kind::Contact, "silent", "queue"));
    running.submit(both);
    settle().await;
    let noted = running.host.noted();
    assert!(noted.contains(&"1 begin 0".into()) && noted.contains(&"1 begin 1".into()));
    assert_eq!(
        noted.iter().filter(|line| *line == "1 delivered").count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_drained_gateway_ends() {
    let gateway = Arc::new(Loopback::new(Config::default()));
    let started = tokio::spawn(gateway.clone().start(Arc::new(Host::default())));
    settle().await;
    assert!(!started.is_finished());
    gateway.drain(Instant::now());
    assert_eq!(started.await.expect("it does not panic"), Ok(()));
}
