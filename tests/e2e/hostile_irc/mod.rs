//! IRC servers that mean harm: what one user's network says costs a bounded amount of memory, and
//! does not keep the lines of another user on another network.
//!
//! The server is scripted, because no real one can be made to do this, and so is the XMPP server,
//! which throws away what the first user is told: a million stanzas would be the test's own load.
//! The other network and its users are real. Short by default; `ISTHMUS_ENDURE=1` makes it long.

mod server;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::{DEADLINE, IrcClient, Isthmus};
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::server::{Hostile, Unit};
use crate::double::Double;
use crate::world::{IRC, config_at, isthmus};

/// What the program may hold whatever a network says, in bytes, above what it began with.
const GROWTH: u64 = 64 * 1024 * 1024;
/// How much longer the other conversation may take. Judged in the long form alone, which has the
/// machine to itself.
const SLOWER: u32 = 2;
/// And so much on top: two milliseconds a line. Alone a line takes half of one, which is a few
/// wake-ups; beside it the hostile server, a thread of this test, and the program itself each have a
/// core to do, and a wake-up waits for its turn. That is less than one turn of the system's
/// scheduler; whoever waited for the other network's lines would wait longer.
const FLOOR: Duration = Duration::from_millis(2 * LINES as u64);
/// Lines of the other conversation in one measurement.
const LINES: usize = 50;
/// How fast alice speaks, if she is heard.
const PACE: Duration = Duration::from_millis(10);
/// How often it is measured; the median counts: the machine has other work too.
const ROUNDS: usize = 7;
/// For reading all of it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whether the long form was asked for.
fn endures() -> bool {
    std::env::var("ISTHMUS_ENDURE").is_ok_and(|it| it == "1")
}

fn enduring(short: usize, long: usize) -> usize {
    if endures() { long } else { short }
}

/// Two networks, and the two users: mallory on the hostile one, juliet on the other.
struct Scene {
    double: Double,
    isthmus: Arc<Isthmus>,
    alice: IrcClient,
    hostile: Hostile,
    said: usize,
}

impl Scene {
    async fn set(unit: Unit, least: usize) -> Self {
        let irc = tokio::task::block_in_place(|| Irc::Inspircd.start());
        let hostile = Hostile::start(unit, least).await;
        let double = Double::deaf_for("mallory@").await;
        let gateways = gateways(irc.port(), hostile.port());
        let isthmus = isthmus(&config_at(double.port(), "any", "info", &gateways));
        double.attached().await;
        let alice = IrcClient::connect(irc.port(), "alice").await;
        alice.join("#garden").await;
        let this = Self {
            double,
            isthmus: Arc::new(isthmus),
            alice,
            hostile,
            said: 0,
        };
        this.enters("juliet", "#garden%good");
        this.double.expect(&["<presence", "'110'"]).await;
        // The server lives as long as the test.
        std::mem::forget(irc);
        this
    }

    fn enters(&self, user: &str, room: &str) {
        self.double.send(format!(
            "<presence from='{user}@localhost/x' to='{room}@{IRC}/{user}'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
    }

    /// How long so many lines take from alice's mouth to juliet's ear, added up. Alice says one
    /// when its time has come and the one before was heard; what she waits for that counts nothing.
    async fn round(&mut self) -> Duration {
        let mut taken = Duration::ZERO;
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for _ in 0..LINES {
            pace.tick().await;
            let body = format!("line {}", self.said);
            self.said += 1;
            let words = format!("<body>{body}</body>");
            let said = Instant::now();
            self.alice.privmsg("#garden", &body);
            self.double.expect(&["<message", &words]).await;
            taken += said.elapsed();
        }
        taken
    }

    async fn median(&mut self) -> Duration {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(self.round().await);
        }
        rounds.sort();
        rounds[ROUNDS / 2]
    }
}

fn gateways(good: u16, bad: u16) -> String {
    format!(
        r#"
[gateway.irc]
domain = "{IRC}"
hosts = "named"
allow = ["localhost"]

[gateway.irc.networks.good]
hosts = ["127.0.0.1:{good}"]
tls = "off"

[gateway.irc.networks.bad]
hosts = ["127.0.0.1:{bad}"]
tls = "off"
"#
    )
}

/// Looks at the memory until it is dropped.
struct Watch {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Watch {
    fn begin(isthmus: &Arc<Isthmus>) -> Self {
        let (most, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (isthmus, seen, done) = (Arc::clone(isthmus), Arc::clone(&most), Arc::clone(&over));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                seen.fetch_max(isthmus.rss(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { most, over }
    }

    fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// What is judged by the clock has no other of these tests beside it.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Says units to mallory, so many at least and for as long as the other conversation is measured.
async fn suffer(name: &str, unit: Unit, least: usize) {
    let _alone = match endures() {
        true => Some(ALONE.lock().await),
        false => None,
    };
    let mut scene = Scene::set(unit, least).await;
    let alone = scene.median().await;
    let before = scene.isthmus.rss();
    let watch = Watch::begin(&scene.isthmus);
    scene.enters("mallory", "#a%bad");
    let begun = timeout(DEADLINE, scene.hostile.begun()).await;
    begun.expect("mallory is let in");
    let beside = scene.median().await;
    let said = if endures() {
        timeout(PATIENCE, scene.hostile.all_read()).await
    } else {
        timeout(PATIENCE, scene.hostile.least_said()).await
    };
    let said = said.expect("it is read");
    scene.round().await;
    let grown = watch.most().saturating_sub(before);
    println!(
        "{name}: {said} units; grew by {} MiB; {LINES} lines of others take {alone:?}, {beside:?} \
         beside it",
        grown >> 20
    );
    assert!(scene.isthmus.is_running());
    assert!(grown < GROWTH, "{name}: grew by {grown} bytes");
    assert!(
        !endures() || beside <= SLOWER * alone + FLOOR,
        "{name}: {beside:?} beside it, {alone:?} without"
    );
}

macro_rules! line {
    ($to:expr, $($words:tt)*) => {{
        let _ = write!($to, $($words)*);
        $to.extend_from_slice(b"\r\n");
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_a_line_without_end_is_not_kept() {
    // Units of 1 KiB.
    let unit: Unit = |_, to| to.extend_from_slice(&[b'x'; 1024]);
    suffer("a line without end", unit, enduring(64 << 10, 1 << 20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_a_channel_of_a_million_is_bounded() {
    let unit: Unit = |n, to| {
        let names: Vec<String> = (0..20).map(|i| format!("u{}", n * 20 + i)).collect();
        line!(to, ":h 353 mallory = #a :{}", names.join(" "));
        if n % 50_000 == 49_999 {
            line!(to, ":h 366 mallory #a :end");
        }
    };
    suffer("names, 20 a line", unit, enduring(10_000, 50_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_rooms_one_is_put_into_are_bounded() {
    let unit: Unit = |n, to| line!(to, ":mallory!m@h JOIN #r{n}");
    suffer("joins", unit, enduring(10_000, 100_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_changes_of_a_nickname_are_bounded() {
    let unit: Unit = |n, to| line!(to, ":a{n}!a@h NICK a{}", n + 1);
    suffer("nicknames", unit, enduring(10_000, 100_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_batches_and_capabilities_are_bounded() {
    let unit: Unit = |n, to| {
        line!(to, ":h BATCH +b{n} draft/multiline #a");
        for part in 0..4 {
            line!(
                to,
                "@batch=b{n};draft/multiline-concat :a0!a@h PRIVMSG #a :part {part} {:x>300}",
                ""
            );
        }
        line!(to, ":h BATCH +c{n} chathistory #a");
        line!(to, "@batch=c{n} :h BATCH +d{n} labeled-response");
        line!(
            to,
            ":h CAP mallory NEW :cap-{n}=x draft/multiline=max-bytes={n} sasl"
        );
        line!(to, ":h CAP mallory DEL :cap-{n} sasl");
        line!(to, ":h CAP mallory LS * :more-{n}");
        line!(to, ":h BATCH -nothing{n}");
    };
    suffer("batches", unit, enduring(10_000, 100_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_tags_of_8_kib_are_bounded() {
    let unit: Unit = |n, to| line!(to, "@t{n}={:v>8100} :a0!a@h TAGMSG #a", "");
    suffer("tags", unit, enduring(5_000, 100_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_irc_senders_nobody_knows_are_bounded() {
    let unit: Unit = |n, to| {
        line!(to, ":s{n}!s@h PRIVMSG #a :I am number {n}");
        line!(to, ":p{n}!p@h PRIVMSG mallory :I am number {n}");
    };
    suffer("senders", unit, enduring(5_000, 500_000)).await;
}
