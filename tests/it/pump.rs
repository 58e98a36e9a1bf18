//! The session pump: the XMPP server stops reading for a minute while an IRC server floods.
//!
//! Paused clock, in-memory ends, the real store in a temporary directory. The flood is tied to
//! virtual time, and virtual time to the store: before each step the store has written what it was
//! given, so the disk of this test is as fast as its clock. What a slow disk does is not tested
//! here.
//!
//! The usual run floods with 1,000 lines a second; `ISTHMUS_ENDURE=1` with 30,000.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isthmus::component::{ComponentConfig, Dial};
use isthmus::host::{Access, Limits, Shared};
use isthmus::store::{SqliteStore, Store};
use isthmus::xmpp::element::Element;
use isthmus::xmpp::jid::BareJid;
use isthmus::xmpp::ns;
use isthmus::{Served, Service};
use isthmus_irc::{Config, Irc};
use isthmus_kit::BoxedStream;
use isthmus_kit::dial::DialFn;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep};

use crate::dice::{Dice, endures};
use crate::server::{Clients, Manner, Position, Server};

const DOMAIN: &str = "irc.example.org";
const ROOM: &str = "#flood%irc.example.net@irc.example.org";
const MESSAGES: usize = 1000;
const STALL: u64 = 60;
/// A step of the flood.
const STEP: Duration = Duration::from_millis(50);

/// What reached the clients.
#[derive(Default)]
struct Seen {
    /// Numbers of flood lines, by user.
    lines: [Vec<usize>; 2],
    /// Reflections and errors of `a`'s messages.
    answers: std::collections::HashMap<String, usize>,
    inside: usize,
}

impl Clients for Seen {
    fn receive(&mut self, stanza: &Element, _: Position) -> Vec<String> {
        let to = stanza.attr("to").unwrap_or_default();
        let user = usize::from(to.starts_with('b'));
        let body = stanza.child("body", ns::COMPONENT);
        let text = body
            .map(|body| body.text().into_owned())
            .unwrap_or_default();
        if stanza.name() == "message" {
            if let Some(id) = stanza.attr("id").filter(|id| id.starts_with("said-")) {
                if user == 0 {
                    *self.answers.entry(id.to_owned()).or_default() += 1;
                }
            } else if let Some(n) = text.strip_prefix("line ").and_then(|n| n.parse().ok()) {
                self.lines[user].push(n);
            }
        }
        let own = stanza
            .child("x", ns::MUC_USER)
            .is_some_and(|x| x.children().any(|child| child.attr("code") == Some("110")));
        self.inside += usize::from(own);
        Vec::new()
    }
}

/// What the IRC server saw of one connection.
#[derive(Default)]
struct Ircd {
    flooding: AtomicBool,
    /// Flood lines written.
    written: AtomicUsize,
    pings: AtomicUsize,
    pongs: AtomicUsize,
    /// The longest time from PING to PONG, in milliseconds.
    slowest: AtomicUsize,
    /// What the user said.
    said: Mutex<Vec<String>>,
}

impl Ircd {
    async fn read(self: Arc<Self>, from: ReadHalf<DuplexStream>, to: Writer) -> io::Result<()> {
        let mut lines = BufReader::new(from).lines();
        let mut nick = String::new();
        while let Some(line) = lines.next_line().await? {
            let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let reply = match command {
                "NICK" => {
                    nick = rest.trim_start_matches(':').to_owned();
                    continue;
                }
                "USER" => format!(
                    ":s 001 {nick} :hi\r\n:s 005 {nick} CASEMAPPING=ascii PREFIX=(ov)@+ \
                     CHANTYPES=# :are\r\n:s 422 {nick} :none\r\n"
                ),
                "CAP" if rest.starts_with("LS") => ":s CAP * LS :\r\n".to_owned(),
                "JOIN" => format!(
                    ":{nick}!u@h JOIN #flood\r\n:s 353 {nick} = #flood :{nick} @other\r\n\
                     :s 366 {nick} #flood :end\r\n"
                ),
                "MODE" => format!(":s 324 {nick} #flood +n\r\n"),
                "PING" => format!(":s PONG s {rest}\r\n"),
                "PONG" => {
                    let sent: u64 = rest.trim_start_matches(':').parse().unwrap_or(0);
                    let took = now_ms() - sent;
                    self.pongs.fetch_add(1, Ordering::Relaxed);
                    let took = usize::try_from(took).expect("small");
                    self.slowest.fetch_max(took, Ordering::Relaxed);
                    continue;
                }
                "PRIVMSG" => {
                    self.said.lock().expect("no panic").push(rest.to_owned());
                    continue;
                }
                _ => continue,
            };
            to.lock().await.write_all(reply.as_bytes()).await?;
        }
        Ok(())
    }
}

/// One a connection, in the order they were made.
type Ircds = Arc<Mutex<Vec<(Arc<Ircd>, Writer)>>>;

type Writer = Arc<tokio::sync::Mutex<WriteHalf<DuplexStream>>>;

/// Virtual milliseconds since the first call.
fn now_ms() -> u64 {
    thread_local!(static EPOCH: Instant = Instant::now());
    let since = EPOCH.with(|epoch| epoch.elapsed());
    u64::try_from(since.as_millis()).expect("small")
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

struct Rig {
    server: Server,
    seen: Arc<Mutex<Seen>>,
    /// In the order of connecting: `a`, `b`.
    ircds: Ircds,
    store: Arc<SqliteStore>,
    served: Served,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(&folder.path().join("store")).expect("a new store");
        let store = Arc::new(store);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let server = Server::start(Manner::calm(), Dice::new(1), 64 * 1024, Arc::clone(&seen));
        let ircds: Ircds = Arc::default();
        let connected = Arc::clone(&ircds);
        let dial = DialFn(move |_: &str, _: u16, _| {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let (from, to) = tokio::io::split(theirs);
            let (ircd, to) = (
                Arc::new(Ircd::default()),
                Arc::new(tokio::sync::Mutex::new(to)),
            );
            tokio::spawn(Arc::clone(&ircd).read(from, Arc::clone(&to)));
            connected.lock().expect("no panic").push((ircd, to));
            Ok(Box::new(ours) as BoxedStream)
        });
        let settings = json!({
            "networks": { "irc.example.net": { "hosts": ["irc.example.net:6667"], "tls": "off" } },
            "throttle_burst": 1000, "throttle_rate": 1000.0, "queue": 10_000,
        });
        let config = Config::from_value(&settings).expect("good settings");
        let shared = Arc::new(Shared::new(store.clone(), limits()));
        let everybody = BareJid::parse("example.org").expect("a JID");
        let service = Service {
            gateway: Arc::new(Irc::new(config, Arc::new(dial))),
            component: ComponentConfig::new(DOMAIN, "unused", 0, "secret"),
            access: Access::new(&[everybody], &[]),
            dial: Some(Arc::new(server.clone()) as Arc<dyn Dial>),
        };
        Self {
            server,
            seen,
            ircds,
            store,
            served: Served::start(service, &shared),
            _folder: folder,
        }
    }

    async fn enter(&self, user: &str) {
        let inside = self.seen.lock().expect("no panic").inside;
        let presence = format!(
            "<presence from='{user}@example.org/r' to='{ROOM}/{user}'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>"
        );
        self.until("a stream", || self.server.send(presence.clone()))
            .await;
        self.until("an entrance", || {
            self.seen.lock().expect("no panic").inside > inside
        })
        .await;
    }

    /// Waits until something is so, an hour at most; the store does its work meanwhile.
    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..72_000 {
            if is_so() {
                return;
            }
            self.step().await;
        }
        panic!("no {what}");
    }

    /// The store writes what it was given; then time passes. While the blocking task waits for the
    /// store's thread the clock stands.
    async fn step(&self) {
        let synced = self.store.synced();
        let runtime = tokio::runtime::Handle::current();
        let written = tokio::task::spawn_blocking(move || runtime.block_on(synced));
        written.await.expect("no panic").expect("a good disk");
        sleep(STEP).await;
    }
}

/// Floods one connection, with a PING every 10 s.
async fn flood(ircd: Arc<Ircd>, to: Writer, lines_per_second: usize) -> io::Result<()> {
    let mut due = Instant::now();
    let mut ping = due;
    while ircd.flooding.load(Ordering::Relaxed) {
        let mut text = String::new();
        for _ in 0..lines_per_second / 20 {
            let n = ircd.written.fetch_add(1, Ordering::Relaxed);
            text.push_str(&format!(":other!u@h PRIVMSG #flood :line {n}\r\n"));
        }
        if ping <= due {
            ping += Duration::from_secs(10);
            text.push_str(&format!("PING :{}\r\n", now_ms()));
            ircd.pings.fetch_add(1, Ordering::Relaxed);
        }
        to.lock().await.write_all(text.as_bytes()).await?;
        due += STEP;
        tokio::time::sleep_until(due).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stalled_xmpp_server_and_a_flood_lose_nothing_and_delay_no_pong() {
    let rate = if endures() { 30_000 } else { 1_000 };
    let rig = Rig::start();
    rig.enter("a").await;
    rig.enter("b").await;
    let (before, mut heaviest) = (resident(), 0);
    let ircds = rig.ircds.lock().expect("no panic").clone();
    rig.server.behave(|manner| manner.reads = false);
    for (at, (ircd, to)) in ircds.iter().enumerate() {
        ircd.flooding.store(true, Ordering::Relaxed);
        // `b` has a quiet connection, with its PINGs.
        let rate = if at == 0 { rate } else { 20 };
        tokio::spawn(flood(Arc::clone(ircd), Arc::clone(to), rate));
    }
    let end = Instant::now() + Duration::from_secs(STALL);
    let mut said = 0;
    while Instant::now() < end {
        for _ in 0..if said < MESSAGES { 4 } else { 0 } {
            say(&rig.server, "a", &format!("said-{said}"));
            said += 1;
        }
        if said % 100 == 0 && said <= MESSAGES {
            say(&rig.server, "b", &format!("from-b-{said}"));
        }
        rig.step().await;
        heaviest = heaviest.max(rig.served.outbox().weight());
    }
    let seen_meanwhile = rig.seen.lock().expect("no panic").lines[0].len();
    let b_said = ircds[1].0.said.lock().expect("no panic").len();
    for (ircd, _) in &ircds {
        ircd.flooding.store(false, Ordering::Relaxed);
    }
    rig.server.behave(|manner| manner.reads = true);
    let written = [0, 1].map(|at: usize| ircds[at].0.written.load(Ordering::Relaxed));
    let complete = || {
        let seen = rig.seen.lock().expect("no panic");
        seen.lines[0].len() >= written[0]
            && seen.lines[1].len() >= written[1]
            && seen.answers.len() == MESSAGES
    };
    rig.until("end of what was kept", complete).await;
    rig.step().await;

    let all = rate * usize::try_from(STALL).expect("small");
    assert!(
        written[0] > all / 10 * 9,
        "the flood was held up: {written:?}"
    );
    assert!(
        seen_meanwhile < written[0] / 10,
        "the server read: {seen_meanwhile}"
    );
    assert_eq!(
        rig.server.streams(),
        1,
        "a minute is no reason to give a stream up"
    );

    let seen = rig.seen.lock().expect("no panic");
    for (user, &written) in written.iter().enumerate() {
        assert!(
            seen.lines[user].iter().copied().eq(0..written),
            "lost, twice or out of order"
        );
        let ircd = &ircds[user].0;
        let (pings, pongs) = (&ircd.pings, &ircd.pongs);
        assert!(pings.load(Ordering::Relaxed) >= 6);
        assert_eq!(pongs.load(Ordering::Relaxed), pings.load(Ordering::Relaxed));
        assert!(ircd.slowest.load(Ordering::Relaxed) <= 2000, "a late PONG");
    }
    assert_eq!(said, MESSAGES);
    assert!(
        seen.answers.values().all(|&times| times == 1),
        "answered twice"
    );
    assert!(
        b_said >= 10,
        "what b said reached IRC while XMPP stood still: {b_said}"
    );
    assert!(heaviest < 24 << 20, "{heaviest} bytes in the outbox");
    let grown = resident().saturating_sub(before);
    assert!(grown < 192 << 20, "{grown} bytes more");
}

fn say(server: &Server, user: &str, id: &str) {
    assert!(server.send(format!(
        "<message type='groupchat' id='{id}' from='{user}@example.org/r' to='{ROOM}'>\
         <body>{id}</body></message>"
    )));
}

fn limits() -> Limits {
    Limits {
        history: 0,
        sessions: 10,
        inbox: 256,
        stanzas_per_second: 10_000,
        stanzas_burst: 10_000,
        ..crate::limits::limits()
    }
}
