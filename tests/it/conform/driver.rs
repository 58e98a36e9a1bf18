//! Drives one session as the host does, and holds every event against the contract.
//!
//! Whatever a test is about, what is told is judged here: each tag ends once, nothing is said of a
//! command behind its end, all are ended before `Offline`, no more is told than there is credit
//! for.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use isthmus_gateway::{Close, Command, Credit, Event, FaultKind, Session, Sink, Tag};
use isthmus_test_support::DEADLINE;
use serde_json::Value;

/// Events that one line of a network may make beyond the credit.
const ONE_LINE: u32 = 4;
/// How long a session may take to end (`Session::close`), from its next poll on.
const FAREWELL: Duration = Duration::from_millis(2_100);

/// A session, and what it has told.
pub(super) struct Driver {
    session: Box<dyn Session>,
    pub(super) told: Told,
    /// How far this test's clock is ahead.
    ahead: Duration,
    pub(super) credit: Credit,
    pub(super) polls: usize,
    pub(super) over: bool,
    last: u32,
}

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// It ended well and may still fail.
    Sent,
    Ended,
}

/// What was told, as the JSON it would cross a wire as.
#[derive(Default)]
pub(super) struct Told {
    pub(super) events: Vec<Value>,
    stages: BTreeMap<Tag, Stage>,
    /// Events of one poll, and what may be told in it.
    count: u32,
    credit: Option<Credit>,
    faults: Vec<String>,
}

impl Told {
    fn fault(&mut self, words: &str, event: &Event<'_>) {
        self.faults.push(format!("{words}: {event:?}"));
    }

    fn judge(&mut self, event: &Event<'_>) {
        let stage = |tag: &Tag| self.stages.get(tag).copied();
        match event {
            Event::Done { tag, result } => {
                if stage(tag) != Some(Stage::Open) {
                    return self.fault("ended though it was not open", event);
                }
                if result.as_ref().is_err_and(|fault| fault.text.is_empty()) {
                    self.fault("a fault without words", event);
                }
                let sent = *result == Ok(isthmus_gateway::Outcome::Sent);
                let now = if sent { Stage::Sent } else { Stage::Ended };
                self.stages.insert(*tag, now);
            }
            Event::Failed { tag, .. } => {
                if stage(tag) != Some(Stage::Sent) {
                    self.fault("failed though it was not provisional", event);
                }
                self.stages.insert(*tag, Stage::Ended);
            }
            Event::Echo { tag, .. } if matches!(stage(tag), Some(Stage::Open | Stage::Sent)) => {}
            Event::Found { tag, .. } | Event::Past { tag, .. }
                if stage(tag) == Some(Stage::Open) => {}
            Event::Echo { .. } | Event::Found { .. } | Event::Past { .. } => {
                self.fault("told of a command that is not open", event);
            }
            Event::Offline { fault, .. } => {
                if self.open() > 0 {
                    self.fault("offline with commands open", event);
                }
                if fault.text.is_empty() {
                    self.fault("a fault without words", event);
                }
            }
            _ => {}
        }
    }

    fn judge_credit(&mut self, event: &Event<'_>) {
        let ends = matches!(
            event,
            Event::Done { .. } | Event::Failed { .. } | Event::Echo { .. }
        );
        self.count += u32::from(!ends);
        match self.credit {
            Some(Credit::Hold) if !ends => self.fault("told though it was to hold", event),
            Some(Credit::Events(most)) if self.count > most + ONE_LINE => {
                self.fault("told more than there was credit for", event);
            }
            _ => {}
        }
    }

    /// Commands that have not ended.
    pub(super) fn open(&self) -> usize {
        let open = self.stages.values().filter(|it| **it == Stage::Open);
        open.count()
    }

    /// How a command ended.
    pub(super) fn end(&self, tag: Tag) -> Option<&Value> {
        let is_it = |event: &&Value| event["type"] == "done" && event["tag"] == tag.0;
        self.events.iter().find(is_it).map(|event| &event["result"])
    }

    /// The texts of the messages, in order.
    pub(super) fn bodies(&self) -> Vec<&str> {
        let messages = self.events.iter().filter(|it| it["type"] == "message");
        messages.filter_map(|it| it["body"].as_str()).collect()
    }

    pub(super) fn has(&self, kind: &str) -> bool {
        self.events.iter().any(|event| event["type"] == kind)
    }
}

impl Sink for Told {
    fn event(&mut self, event: Event<'_>) {
        self.judge(&event);
        self.judge_credit(&event);
        let value = serde_json::to_value(&event).expect("an event is serialisable");
        self.events.push(value);
    }
}

impl Driver {
    pub(super) fn new(session: Box<dyn Session>) -> Self {
        Self {
            session,
            told: Told::default(),
            ahead: Duration::ZERO,
            credit: Credit::Events(64),
            polls: 0,
            over: false,
            last: 0,
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.session.deadline()
    }

    /// Moves this session's clock on.
    pub(super) fn skip_to(&mut self, at: Instant) {
        self.ahead += at.saturating_duration_since(self.now());
    }

    pub(super) fn command(&mut self, command: Command<'_>) -> Tag {
        self.last += 1;
        let tag = Tag(self.last);
        self.told.stages.insert(tag, Stage::Open);
        // Ends of commands and what belongs to them are told outside of polls, too.
        self.told.credit = None;
        let now = self.now();
        self.session.command(tag, command, now, &mut self.told);
        tag
    }

    pub(super) fn close(&mut self, why: Close) {
        self.session.close(why);
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        assert!(!self.over, "it is over and was polled");
        self.polls += 1;
        (self.told.count, self.told.credit) = (0, Some(self.credit));
        let now = self.now();
        let over = self.session.poll(cx, now, self.credit, &mut self.told);
        self.over = over.is_ready();
    }

    /// Polls once, whether it asked for that or not.
    pub(super) fn poll_now(&mut self) {
        self.poll(&mut Context::from_waker(std::task::Waker::noop()));
    }

    /// Polls once; where that told nothing, waits until it wakes or is due. False: `limit` has
    /// passed before that.
    pub(super) async fn step(&mut self, limit: tokio::time::Instant) -> bool {
        let before = self.told.events.len();
        let mut timer = None;
        let goes = poll_fn(|cx| {
            if timer.is_some() {
                return Poll::Ready(tokio::time::Instant::now() < limit);
            }
            self.poll(cx);
            if self.over || self.told.events.len() > before {
                return Poll::Ready(true);
            }
            let due = self.session.deadline();
            let due = due.map(|at| at.saturating_duration_since(self.now()));
            let due = due.map(|left| tokio::time::Instant::now() + left);
            let at = due.map_or(limit, |due| due.min(limit));
            let timer = timer.insert(Box::pin(tokio::time::sleep_until(at)));
            timer.as_mut().poll(cx).map(|()| at < limit)
        });
        let goes = goes.await;
        // The peers are on the same thread.
        tokio::task::yield_now().await;
        goes
    }

    /// Goes on until `found` is true of what was told.
    pub(super) async fn when(&mut self, what: &str, mut found: impl FnMut(&Told) -> bool) {
        let limit = tokio::time::Instant::now() + DEADLINE;
        while !found(&self.told) {
            let goes = !self.over && self.step(limit).await;
            assert!(goes, "not {what}: {:#?}", self.told.events);
        }
    }

    /// Goes on until an event of this type was told.
    pub(super) async fn until(&mut self, kind: &str) {
        self.when(kind, |told| told.has(kind)).await;
    }

    /// Goes on until no command is open.
    pub(super) async fn until_ended(&mut self) {
        self.when("ended", |told| told.open() == 0).await;
    }

    /// How this command ends.
    pub(super) async fn ended(&mut self, tag: Tag) -> Result<(), FaultKind> {
        self.when("ended", |told| told.end(tag).is_some()).await;
        let result = self.told.end(tag).cloned().unwrap_or_default();
        match result.get("Err") {
            Some(fault) => Err(serde_json::from_value(fault["kind"].clone()).expect("a kind")),
            None => Ok(()),
        }
    }

    /// Goes on for a while.
    pub(super) async fn idle(&mut self, millis: u64) {
        let limit = tokio::time::Instant::now() + Duration::from_millis(millis);
        while !self.over && tokio::time::Instant::now() < limit {
            self.step(limit).await;
        }
    }

    /// Goes on until it is over, which takes no more than two seconds of its own time.
    pub(super) async fn until_over(&mut self) {
        let end = self.now() + FAREWELL;
        while !self.over {
            let limit = tokio::time::Instant::now() + Duration::from_millis(100);
            if !self.step(limit).await {
                let deadline = self.deadline().filter(|at| *at <= end);
                // Nobody waits for the peer of a test that says nothing.
                self.skip_to(deadline.expect("it was closed and is not over"));
            }
        }
        assert_eq!(self.told.open(), 0, "over with commands open");
    }

    /// What was told has kept to the contract.
    pub(super) fn check(&self) {
        let faults = &self.told.faults;
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}
