//! A host made of a list: drives one session by hand, with a clock that only tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Close, Command, Credit, Event, Fault, FaultKind, Gateway, Outcome, Session, Settings, Sink,
    Tag, User, UserId,
};
use isthmus_loopback::Loopback;

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Keeps events, by way of JSON, which frees them of what they borrow.
#[derive(Default)]
pub(crate) struct Kept(pub(crate) Vec<Event<'static>>);

impl Sink for Kept {
    fn event(&mut self, event: Event<'_>) {
        let line = serde_json::to_string(&event).expect("an event is serialisable");
        // A test is short: its events may borrow from a line that is never freed.
        let line: &'static str = line.leak();
        self.0.push(serde_json::from_str(line).expect("own output"));
    }
}

/// One user's session and everything it told.
pub(crate) struct Driver {
    pub(crate) session: Box<dyn Session>,
    pub(crate) now: Instant,
    pub(crate) told: Kept,
    pub(crate) woken: Arc<Woken>,
    nick: String,
    last_tag: u32,
}

impl Driver {
    /// A session on `network`, polled once.
    pub(crate) fn open(gateway: &Loopback, user: &str, network: &str) -> Self {
        let user = User {
            id: UserId(1),
            local: user.into(),
            domain: "example.org".into(),
            lang: String::new(),
            region: String::new(),
        };
        let mut driver = Self {
            session: gateway.open(&user, None, network, &Settings::default(), None),
            now: Instant::now(),
            told: Kept::default(),
            woken: Arc::default(),
            nick: user.local.clone(),
            last_tag: 0,
        };
        driver.poll();
        driver
    }

    pub(crate) fn poll_with(&mut self, credit: Credit) -> Poll<()> {
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        self.session.poll(&mut cx, self.now, credit, &mut self.told)
    }

    pub(crate) fn poll(&mut self) {
        let _ = self.poll_with(Credit::Events(u32::MAX));
    }

    pub(crate) fn wakes(&self) -> usize {
        self.woken.0.load(Ordering::SeqCst)
    }

    /// Moves the clock and polls.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.poll();
    }

    /// Gives a command without polling.
    pub(crate) fn give(&mut self, command: Command<'_>) -> Tag {
        self.last_tag += 1;
        let tag = Tag(self.last_tag);
        self.session.command(tag, command, self.now, &mut self.told);
        tag
    }

    /// Gives a command, polls, and tells how it ended.
    pub(crate) fn run(&mut self, command: Command<'_>) -> Result<Outcome, Fault> {
        let tag = self.give(command);
        self.poll();
        let mut ends = self.ends(tag);
        assert_eq!(ends.len(), 1, "one end for {tag:?}: {ends:?}");
        ends.remove(0)
    }

    /// Every end of one command so far.
    pub(crate) fn ends(&self, tag: Tag) -> Vec<Result<Outcome, Fault>> {
        let done = |event: &Event<'static>| match event {
            Event::Done { tag: of, result } if *of == tag => Some(result.clone()),
            _ => None,
        };
        self.told.0.iter().filter_map(done).collect()
    }

    pub(crate) fn join(&mut self, room: &str) -> Result<Outcome, Fault> {
        let nick = self.nick.clone();
        self.run(Command::Join {
            room: room.into(),
            nick: nick.into(),
            password: None,
        })
    }

    /// Takes what was told since the last call.
    pub(crate) fn news(&mut self) -> Vec<Event<'static>> {
        self.poll();
        std::mem::take(&mut self.told.0)
    }

    /// The texts of the messages told since the last call, as `nick: text`.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let text = |event| match event {
            Event::Message(said) => Some(format!("{}: {}", said.who.nick, said.body)),
            _ => None,
        };
        self.news().into_iter().filter_map(text).collect()
    }

    pub(crate) fn close(&mut self) -> Poll<()> {
        self.session.close(Close::Left);
        self.poll_with(Credit::Events(u32::MAX))
    }
}

/// The kind of a fault.
pub(crate) fn kind(result: Result<Outcome, Fault>) -> Option<FaultKind> {
    result.err().map(|fault| fault.kind)
}
