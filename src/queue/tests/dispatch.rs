//! What is handed out when, and that nothing is skipped nor handed out twice.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::super::{Courier, Dispatch, Tuning};
use super::disk;
use crate::store::jobs::*;
use crate::store::{Later, StoreFault};

const GATEWAY: &str = "loop.example.org";

thread_local! {
    static START: OnceCell<Instant> = const { OnceCell::new() };
}

/// The virtual clock of the test that runs on this thread.
fn now() -> i64 {
    let since = START.with(|start| start.get_or_init(Instant::now).elapsed());
    i64::try_from(since.as_millis()).expect("a short test")
}

/// Messages in memory: what is answered held when it was asked, and is told later.
#[derive(Default)]
struct Rows {
    jobs: Mutex<BTreeMap<u64, OpenJob>>,
    /// How long answers take, in turn.
    delays: Mutex<Vec<u64>>,
    /// Calls that fail from now on.
    faults: Mutex<usize>,
    /// How many were leased with each commit.
    leases: Mutex<Vec<usize>>,
}

impl Rows {
    fn add(&self, lane: &str) -> u64 {
        let mut jobs = self.jobs();
        let id = jobs.keys().last().copied().unwrap_or(0) + 1;
        let job = OpenJob {
            id,
            user: "juliet@example.org".to_owned(),
            lane: lane.to_owned(),
            stanza_id: String::new(),
            origin: Vec::new(),
            message: Vec::new(),
            copies: vec![("to".to_owned(), CopyState::Queued)],
            attempt: 0,
            due: 0,
            created: 0,
            expires: i64::MAX,
            kept: None,
            peer_kept: None,
            turn: Vec::new(),
            fault: String::new(),
        };
        jobs.insert(id, job);
        id
    }

    fn set(&self, id: u64, state: CopyState) {
        self.jobs().get_mut(&id).expect("a job").copies[0].1 = state;
    }

    fn waiting(&self) -> disk::Waiting {
        let jobs = self.jobs();
        let open = jobs.values().filter(|job| open(job));
        open.map(|job| (job.lane.clone(), job.due, job.id))
            .collect()
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<u64, OpenJob>> {
        self.jobs.lock().expect("no test panics with it")
    }

    fn later<T: Send + 'static>(&self, answer: T) -> Later<Result<T, StoreFault>> {
        let delay = {
            let mut delays = self.delays.lock().expect("as above");
            let delay = delays.first().copied().unwrap_or(0);
            if !delays.is_empty() {
                delays.rotate_left(1);
            }
            delay
        };
        let fails = {
            let mut faults = self.faults.lock().expect("as above");
            let fails = *faults > 0;
            *faults = faults.saturating_sub(1);
            fails
        };
        Box::pin(async move {
            if delay > 0 {
                sleep(Duration::from_millis(delay)).await;
            }
            if fails {
                return Err(StoreFault::Busy);
            }
            Ok(answer)
        })
    }
}

fn open(job: &OpenJob) -> bool {
    job.copies[0].1 <= CopyState::Begun
}

fn unused<T: Send + 'static>() -> Later<Result<T, StoreFault>> {
    Box::pin(async { Err(StoreFault::Closed) })
}

impl Jobs for Rows {
    fn lanes_open(&self, _: &str, sweep: Sweep) -> Later<Result<Lanes, StoreFault>> {
        let lanes = disk::sweep(&self.waiting(), &sweep);
        self.later(lanes)
    }
    fn lane_fronts(
        &self,
        _: &str,
        lanes: Vec<(String, usize)>,
    ) -> Later<Result<Vec<LanePage>, StoreFault>> {
        let pages = disk::fronts(&self.waiting(), &lanes);
        self.later(pages)
    }
    fn job(&self, id: u64) -> Later<Result<Option<OpenJob>, StoreFault>> {
        let job = self.jobs().get(&id).cloned();
        self.later(job)
    }
    fn jobs_lease(&self, ids: Vec<u64>) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        self.leases.lock().expect("as above").push(ids.len());
        let mut jobs = self.jobs();
        let mut leased = Vec::new();
        for id in ids {
            if let Some(job) = jobs.get_mut(&id).filter(|job| open(job)) {
                job.attempt += 1;
                leased.push(job.clone());
            }
        }
        drop(jobs);
        self.later(leased)
    }
    fn job_add(&self, _: NewJob) -> Later<Result<u64, StoreFault>> {
        unused()
    }
    fn copy_begin(
        &self,
        _: u64,
        _: u16,
        _: Vec<String>,
        _: i64,
    ) -> Later<Result<bool, StoreFault>> {
        unused()
    }
    fn report_on(&self, _: u64, _: MakeReport) -> Later<Result<(Reported, Next), StoreFault>> {
        unused()
    }
    fn recall(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: Vec<String>,
    ) -> Later<Result<Recall, StoreFault>> {
        unused()
    }
    fn recall_job(&self, _: &str, _: &str, _: u64) -> Later<Result<Recall, StoreFault>> {
        unused()
    }
    fn change(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: Vec<String>,
        _: Vec<u8>,
    ) -> Later<Result<Recall, StoreFault>> {
        unused()
    }
    fn jobs_of(&self, _: &str, _: &str, _: usize) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        unused()
    }
    fn deliver(&self, _: &str, _: Vec<Inward>) -> Later<Result<Vec<Option<u64>>, StoreFault>> {
        unused()
    }
    fn inbound(&self, _: &str, _: u64, _: usize) -> Later<Result<Numbered, StoreFault>> {
        unused()
    }
    fn inbound_done(&self, _: Vec<u64>) -> Later<Result<(), StoreFault>> {
        unused()
    }
    fn reference(&self, _: &str, _: &str) -> Later<Result<Option<Reference>, StoreFault>> {
        unused()
    }
    fn keys_of(&self, _: &str, _: &str, _: &str) -> Later<Result<Vec<String>, StoreFault>> {
        unused()
    }
    fn returned(&self, _: &str, _: &str, _: &str) -> Later<Result<Option<Returned>, StoreFault>> {
        unused()
    }
    fn user_add(&self, _: &str, _: i64) -> Later<Result<(), StoreFault>> {
        unused()
    }
    fn user_of(&self, _: i64) -> Later<Result<Option<String>, StoreFault>> {
        unused()
    }
    fn end_silence(&self, _: &str, _: i64, _: i64) -> Later<Result<usize, StoreFault>> {
        unused()
    }
    fn forget_past(&self, _: i64) -> Later<Result<(), StoreFault>> {
        unused()
    }
}

/// What the courier was given.
#[derive(Debug, PartialEq, Eq)]
enum Given {
    Job(u64, u16),
    Late(u64),
    Expired(u64),
}

struct Taker(mpsc::UnboundedSender<Given>);

impl Courier for Taker {
    fn take(&self, job: OpenJob) -> Later<()> {
        // A test that has seen enough does not listen any more.
        let _ = self.0.send(Given::Job(job.id, job.attempt));
        Box::pin(async {})
    }

    fn overdue(&self, job: OpenJob, expired: bool) -> Later<()> {
        let given = if expired {
            Given::Expired(job.id)
        } else {
            Given::Late(job.id)
        };
        let _ = self.0.send(given);
        Box::pin(async {})
    }
}

struct Scene {
    rows: Arc<Rows>,
    dispatch: Arc<Dispatch>,
    given: mpsc::UnboundedReceiver<Given>,
    stop: watch::Sender<bool>,
}

impl Scene {
    fn open(rows: Rows, window: usize) -> Self {
        let rows = Arc::new(rows);
        let tuning = Tuning {
            window,
            lease: 10_000,
            ..Tuning::default()
        };
        let dispatch = Dispatch::new(
            GATEWAY,
            Arc::clone(&rows) as _,
            tuning,
            Box::new(|_| None),
            now,
        );
        let mut scene = Self {
            rows,
            dispatch: Arc::new(dispatch),
            given: mpsc::unbounded_channel().1,
            stop: watch::Sender::new(false),
        };
        scene.run();
        scene
    }

    fn run(&mut self) {
        let (to, given) = mpsc::unbounded_channel();
        self.given = given;
        let (dispatch, stop) = (Arc::clone(&self.dispatch), self.stop.subscribe());
        tokio::spawn(async move { dispatch.run(Arc::new(Taker(to)), stop).await });
    }

    fn add(&self, lane: &str) -> u64 {
        let id = self.rows.add(lane);
        self.dispatch.added(id, lane, 0);
        id
    }

    fn done(&self, id: u64) {
        self.rows.set(id, CopyState::Delivered);
        self.dispatch.done(id);
    }

    async fn next(&mut self) -> Given {
        let next = timeout(Duration::from_secs(3_600), self.given.recv()).await;
        next.expect("something is handed out").expect("it runs")
    }

    /// Time passes, and nothing is handed out.
    async fn nothing_for(&mut self, time: u64) {
        let next = timeout(Duration::from_millis(time), self.given.recv()).await;
        assert!(next.is_err(), "{next:?} was handed out");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_is_handed_out_in_order_within_its_window() {
    let rows = Rows::default();
    let old = [rows.add("a"), rows.add("a")];
    let mut scene = Scene::open(rows, 3);
    let new = [scene.add("a"), scene.add("a")];
    let other = scene.add("b");
    let mut given = Vec::new();
    for _ in 0..4 {
        given.push(scene.next().await);
    }
    let first = |id| Given::Job(id, 1);
    let in_a: Vec<_> = given.iter().filter(|it| **it != first(other)).collect();
    assert_eq!(in_a, [&first(old[0]), &first(old[1]), &first(new[0])]);
    scene.nothing_for(1_000).await;
    scene.done(old[1]);
    assert_eq!(scene.next().await, first(new[1]));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_time_lets_others_pass() {
    let mut scene = Scene::open(Rows::default(), 1);
    let (slow, quick) = (scene.add("a"), scene.add("a"));
    assert_eq!(scene.next().await, Given::Job(slow, 1));
    let at = now() + 5_000;
    scene.dispatch.again(slow, at);
    assert_eq!(scene.next().await, Given::Job(quick, 1));
    scene.done(quick);
    assert_eq!(scene.next().await, Given::Job(slow, 2));
    assert!((at..at + 100).contains(&now()), "at {}", now());
}

#[tokio::test]
async fn the_wait_doubles_up_to_its_bound() {
    let tuning = Tuning {
        retry: 10,
        retry_max: 100,
        ..Tuning::default()
    };
    let waits: Vec<i64> = (0..7).map(|attempt| tuning.wait(attempt)).collect();
    assert_eq!(waits, [10, 10, 20, 40, 80, 100, 100]);
    assert_eq!(tuning.wait(u16::MAX), 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_time_is_not_sent() {
    let rows = Rows::default();
    let id = rows.add("a");
    rows.jobs().get_mut(&id).expect("a job").expires = 0;
    let mut scene = Scene::open(rows, 1);
    assert_eq!(scene.next().await, Given::Expired(id));
}

#[tokio::test(start_paused = true)]
async fn a_message_the_courier_keeps_too_long_is_asked_for_again_and_again() {
    let mut scene = Scene::open(Rows::default(), 1);
    let (kept, behind) = (scene.add("a"), scene.add("a"));
    assert_eq!(scene.next().await, Given::Job(kept, 1));
    for round in 1..=3 {
        assert_eq!(scene.next().await, Given::Late(kept));
        assert!(now() >= round * 10_000);
    }
    scene.dispatch.again(kept, now() + 1);
    assert_eq!(scene.next().await, Given::Job(behind, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_goes_forward_is_not_overdue() {
    let mut scene = Scene::open(Rows::default(), 1);
    let id = scene.add("a");
    assert_eq!(scene.next().await, Given::Job(id, 1));
    for _ in 0..5 {
        scene.nothing_for(9_000).await;
        scene.dispatch.forward(id);
    }
    let at = now() + 10_000;
    assert_eq!(scene.next().await, Given::Late(id));
    assert!((at..at + 100).contains(&now()), "at {}", now());
    scene.done(id);
    scene.dispatch.forward(id);
    scene.nothing_for(100_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_taken_back_while_the_courier_has_it_gives_its_place_free() {
    let mut scene = Scene::open(Rows::default(), 1);
    let (back, behind) = (scene.add("a"), scene.add("a"));
    assert_eq!(scene.next().await, Given::Job(back, 1));
    scene.rows.set(back, CopyState::Recalled);
    assert_eq!(scene.next().await, Given::Job(behind, 1));
    let waiting = scene.add("a");
    scene.rows.set(waiting, CopyState::Recalled);
    scene.done(behind);
    scene.nothing_for(100_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_delays_and_loses_nothing() {
    for failing in 1..20 {
        let rows = Rows::default();
        rows.add("a");
        let mut scene = Scene::open(rows, 1);
        *scene.rows.faults.lock().expect("as above") = failing;
        scene.add("a");
        let began = now();
        for id in [1, 2] {
            assert!(matches!(scene.next().await, Given::Job(given, _) if given == id));
            scene.done(id);
        }
        let took = now() - began;
        assert!(took < 30_000, "{took} ms after {failing} faults");
        scene.nothing_for(100_000).await;
    }
}

/// A commit is a wait for the disk: a thousand messages do not wait a thousand times.
#[tokio::test(start_paused = true)]
async fn what_is_due_together_is_leased_together() {
    let rows = Rows::default();
    for n in 0..1_000 {
        rows.add(&format!("lane {n}"));
    }
    let mut scene = Scene::open(rows, 32);
    for _ in 0..1_000 {
        assert!(matches!(scene.next().await, Given::Job(_, 1)));
    }
    let leases = scene.rows.leases.lock().expect("as above").clone();
    assert_eq!(leases.iter().sum::<usize>(), 1_000);
    assert!(leases.len() <= 5, "{leases:?}");
}

/// However much waits in one lane, what is said in another goes out next.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_in_one_lane_do_not_keep_another_waiting() {
    let rows = Rows::default();
    for _ in 0..100_000 {
        rows.add("busy");
    }
    for n in 0..10 {
        rows.add(&format!("zz {n}"));
    }
    let mut scene = Scene::open(rows, 32);
    let mut quiet = 0;
    for _ in 0..32 + 10 {
        let Given::Job(id, 1) = scene.next().await else {
            panic!("each is handed out for the first time");
        };
        quiet += usize::from(id > 100_000);
    }
    assert_eq!(quiet, 10);
    // The busy lane is answered by nobody: one that is new has its turn all the same.
    let new = scene.add("new");
    assert_eq!(scene.next().await, Given::Job(new, 1));
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_told_to() {
    let mut scene = Scene::open(Rows::default(), 1);
    scene.stop.send_replace(true);
    let end = timeout(Duration::from_secs(1), scene.given.recv()).await;
    assert_eq!(end.expect("it ends"), None);
}

/// Additions come while pages are read, in any order, and are handed out once each.
#[tokio::test(start_paused = true)]
async fn nothing_is_skipped_nor_doubled_while_pages_are_read() {
    for seed in 0..20_u64 {
        let rows = Rows::default();
        let already = 2_500 + seed % 3 * 500;
        for n in 0..already {
            rows.add(&format!("lane {}", n % 7));
        }
        *rows.delays.lock().expect("as above") = vec![3, 0, 7, 1 + seed, 0];
        let mut scene = Scene::open(rows, 32);
        let adder = {
            let (rows, dispatch) = (Arc::clone(&scene.rows), Arc::clone(&scene.dispatch));
            tokio::spawn(async move {
                for n in 0..600_u64 {
                    let lane = format!("lane {}", n % 7);
                    let id = rows.add(&lane);
                    let dispatch = Arc::clone(&dispatch);
                    tokio::spawn(async move {
                        sleep(Duration::from_millis((n * 7919 + seed) % 40)).await;
                        dispatch.added(id, &lane, 0);
                    });
                    sleep(Duration::from_millis(n % 3)).await;
                }
            })
        };
        let mut times: HashMap<u64, u16> = HashMap::new();
        for _ in 0..already + 600 {
            let Given::Job(id, attempt) = scene.next().await else {
                panic!("nothing is late here");
            };
            *times.entry(id).or_default() += 1;
            assert_eq!(attempt, 1, "seed {seed}, message {id}");
            scene.done(id);
        }
        adder.await.expect("all were added");
        scene.nothing_for(120_000).await;
        let all = usize::try_from(already + 600).expect("small");
        assert_eq!(times.len(), all, "seed {seed}");
    }
}

/// More than is known at a time waits on disk; additions beyond come in their turn.
#[tokio::test(start_paused = true)]
async fn thirty_thousand_that_wait_are_handed_out_in_order_with_bounded_memory() {
    const OLD: u64 = 29_000;
    const NEW: u64 = 1_000;
    let rows = Rows::default();
    for _ in 0..OLD {
        rows.add("lane");
    }
    let mut scene = Scene::open(rows, 500);
    let mut most = 0;
    for number in 1..=OLD + NEW {
        if number % 10 == 0 && number / 10 <= NEW {
            scene.add("lane");
        }
        assert_eq!(scene.next().await, Given::Job(number, 1));
        most = most.max(scene.dispatch.known());
        scene.done(number);
    }
    assert!(most <= 20_000, "{most} were known at a time");
    scene.nothing_for(100_000).await;
}
