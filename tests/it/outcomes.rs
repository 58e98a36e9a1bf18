//! Outcomes across restarts: the program is killed at every commit, the network lies.
//!
//! A network that survives the program permutes, doubles, delays and drops its answers. The
//! program dies when a commit has been asked for: either it is not done, or it is done and nobody
//! hears of it. Whatever happens, each message that was taken ends in exactly one of receipt,
//! error, or "unknown", and never in another's error; a copy is sent twice only if the program
//! died between its beginning and its report.
//!
//! Each seed is one run of several lives. `ISTHMUS_ENDURE=1` runs more of them, `ISTHMUS_SEED=n`
//! one. Which of several ready tasks runs first is not fixed by the seed.

mod liar;
mod mortal;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use isthmus::component::{Inbound, Tap};
use isthmus::host::{Access, Domain, Reader, Shared};
use isthmus::queue::Tuning;
use isthmus::store::{SqliteStore, Store};
use isthmus::xmpp::element::Element;
use isthmus::xmpp::jid::BareJid;
use isthmus::xmpp::ns;
use isthmus::xmpp::stream::{Frame, Limits as StreamLimits, Splitter, Stanza};

use self::liar::{Fate, Liar, Network};
use self::mortal::{Death, Mortal};
use crate::dice::{Dice, endures};

const SEEDS: u64 = 150;
const MANY_SEEDS: u64 = 3_000;
const MESSAGES: u64 = 8;
const PATIENCE: Duration = Duration::from_secs(30);

/// What a sender heard of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Receipt,
    Error(String),
    Unknown,
}

#[test]
fn each_message_ends_once_whenever_the_program_is_killed() {
    let only = std::env::var("ISTHMUS_SEED").ok();
    let only = only.map(|seed| seed.parse::<u64>().expect("ISTHMUS_SEED is a number"));
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None if endures() => 0..MANY_SEEDS,
        None => 0..SEEDS,
    };
    // Most of a run is waiting.
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            play(seed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(work);
        }
    });
}

/// Some lives, and one that ends in peace.
fn play(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut run = Run::new(seed, dice.fork());
    for life in 0..dice.roll(5) {
        let death = Death {
            at: 1 + usize::try_from(dice.roll(40)).expect("small"),
            done: dice.one_in(2),
        };
        let some = life * 2..life * 2 + 2;
        run.live(some.end.min(MESSAGES), Some(death));
    }
    run.live(MESSAGES, None);
    run.check();
}

#[test]
fn each_commit_in_turn_may_be_the_last() {
    for done in [false, true] {
        for at in 1.. {
            let mut run = Run::new(at as u64, Dice::new(7));
            let died = run.live(MESSAGES, Some(Death { at, done }));
            run.live(MESSAGES, None);
            run.check();
            if !died {
                assert!(at > 20, "there are more commits than {at}");
                break;
            }
        }
    }
}

/// One run: what outlives the program.
struct Run {
    seed: u64,
    dice: Dice,
    dir: tempfile::TempDir,
    network: Arc<Network>,
    receipts: bool,
    sent: u64,
    heard: BTreeMap<String, Vec<Heard>>,
}

impl Run {
    fn new(seed: u64, mut dice: Dice) -> Self {
        Self {
            seed,
            dir: tempfile::tempdir().expect("a scratch directory"),
            network: Arc::new(Network::new(dice.fork())),
            receipts: dice.one_in(2),
            dice,
            sent: 0,
            heard: BTreeMap::new(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("isthmus.db")
    }

    /// The program runs: until it dies (true), or until nothing is left to do.
    fn live(&mut self, upto: u64, death: Option<Death>) -> bool {
        let store = Arc::new(SqliteStore::open(&self.path()).expect("a store"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        self.network.next_life();
        runtime.block_on(async {
            let mortal = Arc::new(Mortal::new(Arc::clone(&store), death));
            let died = self.serve(Arc::clone(&mortal), upto).await;
            // What was asked of the disk before the end may yet reach it.
            store.synced().await.expect("committed");
            died
        })
    }

    async fn serve(&mut self, mortal: Arc<Mortal>, upto: u64) -> bool {
        let tuning = Tuning {
            retry: 1,
            retry_max: 4,
            lease: 50,
            ..Tuning::default()
        };
        let shared =
            Shared::new(Arc::clone(&mortal) as _, crate::limits::limits()).with_queue(tuning);
        let gateway = Arc::new(Liar::new(Arc::clone(&self.network), self.receipts));
        let allow = [BareJid::parse("example.org").expect("a JID")];
        let domain = Domain::new(gateway, Arc::new(shared), Access::new(&allow, &[]));
        let (outbox, mut tap) = Tap::new("sms.example.org");
        domain.attach(outbox);
        let reader = Reader(domain);
        let (first, end) = (self.sent, Instant::now() + PATIENCE);
        let mut turn = 0;
        loop {
            if self.sent < upto {
                reader.stanza(message(self.sent));
                self.sent += 1;
            }
            self.hear(&tap.read());
            if mortal.mortal() && self.dice.one_in(3) || !mortal.mortal() {
                tap.confirm();
            }
            if mortal.is_dead() {
                return true;
            }
            turn += 1;
            if self.sent == upto && turn % 10 == 0 && self.at_rest(first..upto) {
                return false;
            }
            assert!(Instant::now() < end, "seed {}: it never ends", self.seed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What this life was given was taken; nothing is to be sent, told or answered any more.
    fn at_rest(&self, given: std::ops::Range<u64>) -> bool {
        let taken = self.taken();
        let open = "SELECT (SELECT count(*) FROM copy WHERE state <= 1) \
                    + (SELECT count(*) FROM inbound)";
        let left: i64 = self
            .witness()
            .query_row(open, [], |row| row.get(0))
            .expect("the tables are there");
        given
            .into_iter()
            .all(|number| taken.contains_key(&format!("s{number}")))
            && left == 0
            && self.network.at_rest()
    }

    fn witness(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.path()).expect("a second connection");
        db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        db
    }

    /// The messages that were taken, with their states.
    fn taken(&self) -> BTreeMap<String, i64> {
        let db = self.witness();
        let mut rows = db
            .prepare("SELECT j.stanza_id, c.state FROM job j JOIN copy c ON c.job = j.id")
            .expect("a statement");
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows").map(|row| row.expect("a row")).collect()
    }

    fn hear(&mut self, stanzas: &str) {
        let all = format!("<all xmlns='{}'>{stanzas}</all>", ns::COMPONENT);
        let all = Element::parse(all.as_bytes()).expect("well-formed");
        for stanza in all.children() {
            let (id, heard) = if let Some(received) = stanza.child("received", ns::RECEIPTS) {
                (received.attr("id"), Heard::Receipt)
            } else {
                let error = stanza
                    .child("error", ns::COMPONENT)
                    .expect("nothing else is sent here");
                let unknown = error
                    .child("remote-server-timeout", ns::STANZA_ERRORS)
                    .is_some();
                let text = error.child("text", ns::STANZA_ERRORS);
                let text = text
                    .map(|text| text.text().into_owned())
                    .unwrap_or_default();
                let heard = match unknown {
                    true => Heard::Unknown,
                    false => Heard::Error(text),
                };
                (stanza.attr("id"), heard)
            };
            let id = id.expect("each message had an id").to_owned();
            let all = self.heard.entry(id).or_default();
            // A restart may say the same again.
            if !all.contains(&heard) {
                all.push(heard);
            }
        }
    }

    fn check(&self) {
        let taken = self.taken();
        let mut faults = self.network.faults();
        for number in 0..MESSAGES {
            let name = format!("s{number}");
            let heard = self.heard.get(&name).cloned().unwrap_or_default();
            if !taken.contains_key(&name) {
                if !heard.is_empty() || self.network.sent(&name) > 0 {
                    faults.push(format!("{name} was never taken, yet {heard:?}"));
                }
                continue;
            }
            let own = Heard::Error(Liar::words(&name));
            let fate = self.network.fate(&name);
            let right = match (fate, heard.as_slice()) {
                // It began in a life that ended before it was sent, and then took too long.
                (_, [Heard::Unknown]) if self.network.sent(&name) == 0 => true,
                (Fate::Mute, [Heard::Unknown]) => true,
                (Fate::Mute, _) => false,
                // The receipt told of the next station only, and from there it came back.
                (Fate::Both, [Heard::Receipt, last] | [Heard::Unknown, Heard::Receipt, last]) => {
                    !self.receipts && *last == own
                }
                (_, [last] | [Heard::Unknown, last]) => match fate {
                    Fate::Delivered | Fate::Late => *last == Heard::Receipt,
                    Fate::Failed => *last == own,
                    Fate::Both => *last == own || *last == Heard::Receipt,
                    Fate::Mute => false,
                },
                _ => false,
            };
            if !right {
                let state = taken[&name];
                faults.push(format!("{name}, {fate:?}, state {state}, heard {heard:?}"));
            }
        }
        assert!(
            faults.is_empty(),
            "seed {} (receipts: {}):\n{}",
            self.seed,
            self.receipts,
            faults.join("\n")
        );
    }
}

fn message(number: u64) -> Stanza {
    let open = "<stream:stream xmlns='jabber:component:accept' \
                xmlns:stream='http://etherx.jabber.org/streams'>";
    let text = format!(
        "<message from='juliet@example.org/balcony' to='friend%queue@sms.example.org' \
         id='s{number}' type='chat'><body>s{number}</body><request xmlns='{}'/></message>",
        ns::RECEIPTS
    );
    let mut splitter = Splitter::new(StreamLimits::default());
    splitter.buffer().extend_from_slice(open.as_bytes());
    splitter.buffer().extend_from_slice(text.as_bytes());
    loop {
        if let Some(Frame::Stanza(stanza)) = splitter.next().expect("well-formed") {
            return stanza;
        }
    }
}
