//! The program is killed again and again under load, on each network that stores and forwards:
//! nothing that was acknowledged is lost, nothing comes twice but what was begun when it was
//! killed, and each message ends in one receipt, one error, or as unknown.
//!
//! The loop is here, once: a round of messages both ways, a moment at which the program is killed,
//! what is on disk then, a new start. A network ([`Network`]) brings the far end. What came of it
//! all is judged in `verdict`.
//!
//! Moments are drawn by a seeded generator (`ISTHMUS_SEED`): after so many stanzas, after so many
//! outcomes, when a copy is seen in a certain state on disk, or after a few milliseconds. Timers
//! and looking at the disk decide here only when the fault is injected; nothing else waits for
//! them. Short by default; `ISTHMUS_ENDURE=1` makes it long and wants each state of the diagram in
//! `store::jobs` that the network knows to have been met at ten kills.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use isthmus_test_support::{Stanza, XmppClient};
use tokio::time::Instant;

use crate::world::{PATIENCE, PING, RECEIPT, World};

use self::disk::Disk;
use self::seed::Seed;
use self::verdict::Tally;

mod disk;
mod email;
mod loopback;
mod plugin;
mod seed;
mod sms;
mod verdict;

/// Stanzas of one round, at most. Rounds follow each other faster than the slower networks take
/// them, so that there is always something that waits.
const ROUND: usize = 28;
/// How long a state is looked out for.
const LOOKOUT: Duration = Duration::from_secs(1);
/// Between two looks at the disk.
const LOOK: Duration = Duration::from_millis(1);
/// Kills at which each state must have been met in the long run.
const OFTEN: u32 = 10;

/// What arrived at the far end.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// The text.
    pub(crate) text: String,
    /// What the network knows the message by, where that is ours: the same every time it is sent.
    pub(crate) identity: Option<String>,
}

/// A network and somebody on it.
pub(crate) trait Network {
    /// What it is called in reports.
    const NAME: &'static str;
    /// The gateway's domain.
    const DOMAIN: &'static str;
    /// Whom to write to: each brings about another outcome.
    const RECIPIENTS: &'static [&'static str];
    /// The states that a copy can be in on this network, by number, and [`disk::INBOUND`].
    const STATES: &'static [i64];
    /// Whether somebody there writes to juliet.
    const WRITES: bool = true;

    /// Has somebody write these to juliet, whether or not the program runs; waits for no answer.
    async fn write(&mut self, texts: &[String]);
    /// Nothing waits there any more to be taken by the program.
    async fn is_quiet(&mut self) -> bool;
    /// What came out there; `None` if nobody can see it.
    fn arrived(&self) -> Option<Vec<Arrival>>;
    /// The texts to juliet for which the program has answered.
    fn acknowledged(&self) -> BTreeSet<String>;
}

/// When the program is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// In the middle of a round, after so many stanzas.
    Written(usize),
    /// When it has read all of the round.
    Read,
    /// After so many outcomes of this round.
    Told(usize),
    /// When a copy has come into that state.
    Met(i64),
    /// After a while.
    After(Duration),
}

impl Moment {
    /// One of all; often the state that has been met least so far.
    fn draw(seed: &mut Seed, rarest: i64, count: usize) -> Self {
        match seed.below(10) {
            0 => Self::Written(seed.below(count)),
            1 => Self::Read,
            2 => Self::Told(1 + seed.below(8)),
            3 => Self::After(Duration::from_micros(seed.below(80_000) as u64)),
            _ => Self::Met(rarest),
        }
    }
}

/// A message of juliet's.
#[derive(Debug, Clone)]
struct Sent {
    id: String,
    text: String,
}

/// What is known of the whole run.
#[derive(Debug, Default)]
struct Books {
    /// Her messages, round by round, in order.
    rounds: Vec<Vec<Sent>>,
    /// At how many kills a message was begun, by its id.
    begun: BTreeMap<String, usize>,
    /// At how many kills a copy had come into a state since the last one, or was still to be sent;
    /// and how many copies in all.
    met: BTreeMap<i64, (u32, u64)>,
    /// What was on disk at the last kill.
    last: BTreeMap<String, i64>,
    /// What somebody wrote to her.
    written: BTreeSet<String>,
    kills: usize,
}

/// A run: the servers, the program, the far end and the books.
struct Run<N> {
    world: World,
    juliet: XmppClient,
    network: N,
    seed: Seed,
    books: Books,
}

/// Whether the long form is wanted.
fn endures() -> bool {
    std::env::var("ISTHMUS_ENDURE").is_ok_and(|value| value == "1")
}

/// Kills the program `short` times, or `long` times where that is wanted, and judges.
async fn kill<N: Network>(world: World, network: N, short: usize, long: usize) {
    let kills = if endures() { long } else { short };
    let juliet = world.user("juliet").await;
    world.attached(&juliet, N::DOMAIN).await;
    let mut run = Run {
        world,
        juliet,
        network,
        seed: Seed::new(),
        books: Books::default(),
    };
    for _ in 0..kills {
        run.round().await;
    }
    run.settle().await;
    let tally = run.judge();
    println!("{}", run.report(&tally));
    let least = if endures() { OFTEN } else { 1 };
    let met = |state: &i64| run.books.met.get(state).map_or(0, |(kills, _)| *kills);
    let rare: Vec<_> = N::STATES.iter().filter(|it| met(it) < least).collect();
    // The short form is too short to promise all of them.
    assert!(
        rare.is_empty() || !endures(),
        "states {rare:?} were met too seldom: {:?}",
        run.books.met
    );
    assert!(met(&disk::BEGUN) > 0, "nothing was ever begun at a kill");
}

impl<N: Network> Run<N> {
    /// Messages both ways, a kill, a new start.
    async fn round(&mut self) {
        let count = 4 + self.seed.below(ROUND - 4);
        let met = |state: &&i64| self.books.met.get(state).map_or(0, |(kills, _)| *kills);
        let rarest = N::STATES.iter().min_by_key(met).copied();
        let moment = Moment::draw(&mut self.seed, rarest.unwrap_or(disk::BEGUN), count);
        let mut killed = false;
        self.books.rounds.push(Vec::new());
        self.others_write(count / 4).await;
        for number in 0..count {
            if matches!(moment, Moment::Written(after) if after == number) {
                self.kill_now();
                killed = true;
            }
            self.write(number);
        }
        if !killed {
            self.wait_for(moment).await;
            self.kill_now();
        }
        // Somebody who writes while it is gone is no less heard.
        if self.seed.below(2) == 0 {
            self.others_write(2).await;
        }
        // Whatever she wrote has been refused before somebody is there again to take it.
        self.juliet.iq("get", "localhost", PING).await;
        self.world.isthmus.restart();
        self.world.attached(&self.juliet, N::DOMAIN).await;
    }

    fn write(&mut self, number: usize) {
        let to = N::RECIPIENTS[self.seed.below(N::RECIPIENTS.len())];
        let text = format!("out {} {number} of it", self.books.rounds.len());
        let id = self.juliet.message_with("chat", to, &text, RECEIPT);
        // Now and then she regrets it at once (XEP-0424).
        if self.seed.below(6) == 0 {
            let regret = self.juliet.fresh_id();
            self.juliet.send(&format!(
                "<message type='chat' id='{regret}' to='{to}'>\
                 <retract id='{id}' xmlns='urn:xmpp:message-retract:1'/></message>"
            ));
        }
        let round = self.books.rounds.last_mut().expect("a round has begun");
        round.push(Sent { id, text });
    }

    async fn others_write(&mut self, count: usize) {
        if !N::WRITES {
            return;
        }
        let from = self.books.written.len();
        let texts: Vec<_> = (from..from + count)
            .map(|number| format!("in {number} of it"))
            .collect();
        self.network.write(&texts).await;
        self.books.written.extend(texts);
    }

    async fn wait_for(&self, moment: Moment) {
        match moment {
            Moment::Written(_) => {}
            Moment::Read => {
                self.juliet.iq("get", N::DOMAIN, PING).await;
            }
            Moment::Told(times) => {
                for _ in 0..times {
                    let news = |s: &Stanza| self.is_news(s);
                    // Fewer may come: some are taken back.
                    if self.juliet.try_expect(LOOKOUT, news).await.is_err() {
                        return;
                    }
                }
            }
            Moment::Met(state) => self.look_out(state).await,
            Moment::After(time) => tokio::time::sleep(time).await,
        }
    }

    /// Whether a stanza says what became of a message of this round.
    fn is_news(&self, stanza: &Stanza) -> bool {
        let of = match verdict::receipt_for(stanza) {
            Some(of) => of,
            None if stanza.type_() == "error" => stanza.id().to_owned(),
            None => return false,
        };
        let round = self.books.rounds.last();
        round.is_some_and(|round| round.iter().any(|sent| sent.id == of))
    }

    /// Looks at the disk until a copy has come into that state.
    async fn look_out(&self, state: i64) {
        let end = Instant::now() + LOOKOUT;
        while Instant::now() < end {
            let disk = Disk::of_living(&self.world.isthmus);
            if disk.is_some_and(|disk| disk.count(state, &self.books.last) > 0) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills the program and writes down what it had on disk.
    fn kill_now(&mut self) {
        tokio::task::block_in_place(|| self.world.isthmus.kill_hard());
        self.books.kills += 1;
        let disk = Disk::of_dead(&self.world.isthmus);
        let counts: Vec<_> = N::STATES
            .iter()
            .map(|&state| (state, disk.count(state, &self.books.last)))
            .collect();
        for (state, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let (kills, copies) = self.books.met.entry(state).or_default();
            *kills += 1;
            *copies += count;
        }
        for copy in disk.copies.iter().filter(|copy| copy.state == disk::BEGUN) {
            *self.books.begun.entry(copy.stanza.clone()).or_default() += 1;
        }
        let copies = disk.copies.into_iter();
        self.books.last = copies.map(|copy| (copy.stanza, copy.state)).collect();
    }

    /// Waits until everything that is on its way has ended.
    async fn settle(&mut self) {
        let end = Instant::now() + 2 * PATIENCE;
        // A mail may be between two folders: looked at more than once.
        let mut looks = 0;
        while looks < 3 {
            let disk = Disk::of_living(&self.world.isthmus);
            let open = disk.as_ref().map(Disk::open).unwrap_or_default();
            let quiet = self.network.is_quiet().await;
            let ended = disk.as_ref().is_some_and(|disk| disk.inbound == 0) && open.is_empty();
            looks = if ended && quiet { looks + 1 } else { 0 };
            assert!(
                Instant::now() < end,
                "{}: these have not ended: {open:?}; the far end is quiet: {quiet}\n{}",
                N::NAME,
                self.world.isthmus.log()
            );
            // There is no event for what is looked at.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.juliet.collect(N::DOMAIN).await;
    }

    fn judge(&self) -> Tally {
        let disk = Disk::of_living(&self.world.isthmus).expect("the database opens");
        verdict::judge(
            &self.books,
            &disk,
            &self.juliet.log(),
            self.network.arrived().as_deref(),
            &self.network.acknowledged(),
        )
    }

    fn report(&self, tally: &Tally) -> String {
        let mut lines = format!(
            "## {}: {} kills (seed {})\n{tally}\n\n| state | kills at which it was met | copies |\n\
             | --- | --- | --- |\n",
            N::NAME,
            self.books.kills,
            self.seed.first()
        );
        for state in N::STATES {
            let (kills, copies) = self.books.met.get(state).copied().unwrap_or_default();
            lines += &format!("| {} | {kills} | {copies} |\n", disk::name(*state));
        }
        lines
    }
}
