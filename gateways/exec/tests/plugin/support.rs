//! Starts plugins, drives sessions, and stands in for the host.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use isthmus_exec::{Config, Exec, Place as Home};
use isthmus_gateway::{
    Address, BlobWriter, Command, Credit, Delivery, Event, Fault, Gateway, Handle, JobId, Key,
    Later, Outcome, Outgoing, Place, Ref, Refusal, Report, Session, Settings, Sink, Stored, Tag,
    Uplink, User, UserId,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// How long something that should happen at once may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What a scripted plugin begins with: `read()` and `write(…)`, and the handshake.
const PRELUDE: &str = r##"
import json, os, sys, time
def read():
    line = sys.stdin.readline()
    if not line: sys.exit(0)
    return json.loads(line)
def raw(text):
    sys.stdout.write(text); sys.stdout.flush()
def write(**message): raw(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
def answer(m, result=None): write(id=m["id"], result=result if result is not None else {})
def event(session, kind, **ev): write(method="event", params={"session": session, "ev": {"type": kind, **ev}})
def online(session): event(session, "online", network="Test", fold="exact", ranks=[], caps={}, me="me")
def said(session, body): event(session, "message", at={"contact": "bob"}, who={"nick": "bob"}, body=body)
def hello(**more):
    m = read()
    assert m["method"] == "initialize", m
    answer(m, {"protocol": 1, "name": "script", "address": {"contact": "{id}", "room": "#{id}"}, **more})
    return m["params"]
def serve(command, opened=online, other=None):
    while True:
        m = read()
        if m.get("method") == "session.open":
            answer(m)
            opened(m["params"]["session"])
        elif m.get("method") == "command":
            p = m["params"]
            command(m, p["session"], p["cmd"].get("body", ""))
        elif m.get("method") == "shutdown": answer(m); sys.exit(0)
        elif "method" in m and "id" in m: (other or answer)(m)
        elif other: other(m)
"##;

/// A plugin's directory; it is removed at the end.
pub(crate) struct Nest {
    pub(crate) dir: TempDir,
}

impl Nest {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A plugin in Python, written for one test.
    pub(crate) fn script(&self, body: &str) -> Config {
        let file = self.path().join("plugin.py");
        std::fs::write(&file, format!("{PRELUDE}\n{body}\n")).expect("written");
        let mut config = Config::new(vec![python(), file.to_string_lossy().into_owned()]);
        config.restart_pause = Duration::from_secs(1);
        config
    }

    pub(crate) async fn try_start(&self, config: Config) -> Result<Arc<Exec>, String> {
        let place = Home {
            name: "test".into(),
            domain: "test.example".into(),
            dir: self.path().join("home"),
        };
        Exec::start_plugin(place, config).await.map(Arc::new)
    }

    pub(crate) async fn start(&self, config: Config) -> Arc<Exec> {
        self.try_start(config).await.expect("the plugin starts")
    }
}

/// Debian's Python, or whichever is found first.
fn python() -> String {
    match Path::new("/usr/bin/python3").exists() {
        true => "/usr/bin/python3".into(),
        false => "python3".into(),
    }
}

/// An example that ships.
pub(crate) fn example(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("../../examples/plugins").join(name);
    file.to_string_lossy().into_owned()
}

/// The example in Python.
pub(crate) fn python_example(name: &str) -> Config {
    Config::new(vec![python(), example(name)])
}

pub(crate) fn juliet() -> User {
    User {
        id: UserId(1),
        local: "juliet".into(),
        domain: "capulet.example".into(),
        lang: "en".into(),
        region: String::new(),
    }
}

/// One session, driven by hand.
pub(crate) struct Driver {
    session: Box<dyn Session>,
    last: u32,
    seen: Vec<String>,
}

/// An event, as the JSON it would cross the wire as.
pub(crate) type Seen = serde_json::Value;

struct Collect<'a>(&'a mut Vec<String>);

impl Sink for Collect<'_> {
    fn event(&mut self, event: Event<'_>) {
        let line = serde_json::to_string(&event).expect("an event is serialisable");
        self.0.push(line);
    }
}

impl Driver {
    pub(crate) fn open(exec: &Exec) -> Self {
        Self::open_with(exec, None)
    }

    pub(crate) fn open_with(exec: &Exec, kept: Option<&[u8]>) -> Self {
        Self {
            session: exec.open(&juliet(), None, "", &Settings::default(), kept),
            last: 0,
            seen: Vec::new(),
        }
    }

    /// Opens one and waits until it is online.
    pub(crate) async fn online(exec: &Exec) -> Self {
        let mut driver = Self::open(exec);
        driver.wait("online").await;
        driver
    }

    pub(crate) fn say(&mut self, to: &str, body: &str) -> Tag {
        self.command(Command::Send(Outgoing::text(
            Place::Contact(to.to_owned().into()),
            body.to_owned(),
        )))
    }

    pub(crate) fn command(&mut self, command: Command<'_>) -> Tag {
        self.last += 1;
        let tag = Tag(self.last);
        let mut sink = Collect(&mut self.seen);
        self.session
            .command(tag, command, Instant::now(), &mut sink);
        tag
    }

    /// The next event, whatever it is.
    pub(crate) async fn next(&mut self) -> Seen {
        self.next_with(Credit::Events(1)).await
    }

    pub(crate) async fn next_with(&mut self, credit: Credit) -> Seen {
        let next = tokio::time::timeout(DEADLINE, self.polled(credit)).await;
        next.expect("an event comes in time")
    }

    /// The next event, however long it takes.
    pub(crate) async fn whenever(&mut self) -> Seen {
        self.polled(Credit::Events(1)).await
    }

    async fn polled(&mut self, credit: Credit) -> Seen {
        let line = poll_fn(|cx| {
            let mut sink = Collect(&mut self.seen);
            if sink.0.is_empty() {
                let over = self.session.poll(cx, Instant::now(), credit, &mut sink);
                assert!(over.is_pending(), "the session is over");
            }
            match self.seen.is_empty() {
                true => Poll::Pending,
                false => Poll::Ready(self.seen.remove(0)),
            }
        });
        serde_json::from_str(&line.await).expect("own output")
    }

    /// The next event of this type; others are passed over.
    pub(crate) async fn wait(&mut self, kind: &str) -> Seen {
        loop {
            let seen = self.next().await;
            if seen["type"] == kind {
                return seen;
            }
        }
    }

    /// How this command ends.
    pub(crate) async fn ended(&mut self, tag: Tag) -> Result<Outcome, Fault> {
        loop {
            let seen = self.wait("done").await;
            if seen["tag"] == tag.0 {
                return serde_json::from_value(seen["result"].clone()).expect("a result");
            }
        }
    }

    /// The next message's text.
    pub(crate) async fn heard(&mut self) -> String {
        let seen = self.wait("message").await;
        seen["body"].as_str().unwrap_or_default().to_owned()
    }
}

/// What the host was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Begin(JobId, u16),
    Report(Report),
    Deliver(Vec<Delivery<'static>>),
}

/// A host that says yes and remembers.
pub(crate) struct Host {
    asked: mpsc::UnboundedSender<Asked>,
    recalled: Mutex<BTreeMap<JobId, ()>>,
    kept: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Host {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Asked>) {
        let (asked, seen) = mpsc::unbounded_channel();
        let host = Self {
            asked,
            recalled: Mutex::default(),
            kept: Mutex::default(),
        };
        (Arc::new(host), seen)
    }

    pub(crate) fn recall(&self, job: JobId) {
        self.recalled.lock().expect("not poisoned").insert(job, ());
    }

    fn tell(&self, asked: Asked) {
        // A test that has seen enough listens no more.
        let _ = self.asked.send(asked);
    }
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

impl Uplink for Host {
    fn find(&self, handle: Handle, _from: &Address) -> Later<Result<Vec<UserId>, Refusal>> {
        ready(match handle {
            Handle::Alias(alias) if alias == "juliet" => Ok(vec![UserId(1)]),
            _ => Err(Refusal::Unknown),
        })
    }

    fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        _all_or_none: bool,
    ) -> Later<Vec<Result<Stored, Refusal>>> {
        let results = batch.iter().map(|delivery| match delivery.user {
            UserId(1) => Ok(Stored::Fresh),
            _ => Err(Refusal::Unknown),
        });
        let results = results.collect();
        self.tell(Asked::Deliver(batch));
        ready(results)
    }

    fn begin(&self, job: JobId, to: u16, _keys: Vec<String>) -> Later<bool> {
        self.tell(Asked::Begin(job, to));
        let recalled = self.recalled.lock().expect("not poisoned");
        ready(!recalled.contains_key(&job))
    }

    fn report(&self, report: Report) -> Later<Result<(), Refusal>> {
        self.tell(Asked::Report(report));
        ready(Ok(()))
    }

    fn resolve(&self, _user: Option<UserId>, _key: Key<'_>) -> Later<Option<Ref>> {
        ready(None)
    }

    fn keep(&self, name: &str, value: Option<Vec<u8>>) -> Later<Result<(), Refusal>> {
        let mut kept = self.kept.lock().expect("no test panics with it");
        kept.insert(name.to_owned(), value);
        Box::pin(std::future::ready(Ok(())))
    }

    fn kept(&self, name: &str) -> Later<Result<Option<Vec<u8>>, Refusal>> {
        let kept = self.kept.lock().expect("as above");
        Box::pin(std::future::ready(Ok(kept.get(name).cloned().flatten())))
    }

    fn store_blob(&self, name: &str, mime: &str) -> Box<dyn BlobWriter> {
        Box::new(Blob(format!("{name} {mime} ")))
    }

    fn read_blob(&self, url: &str) -> Later<std::io::Result<Vec<u8>>> {
        let bytes = url.strip_prefix("kept:").map(|it| it.as_bytes().to_vec());
        let bytes = bytes.ok_or_else(|| std::io::ErrorKind::Unsupported.into());
        Box::pin(std::future::ready(bytes))
    }

    fn secret(&self, _label: &str) -> [u8; 32] {
        [7; 32]
    }
}

/// An attachment whose URL tells what was written.
struct Blob(String);

impl BlobWriter for Blob {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.push_str(&String::from_utf8_lossy(bytes));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Later<std::io::Result<String>> {
        Box::pin(std::future::ready(Ok(self.0)))
    }
}
