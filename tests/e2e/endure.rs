//! Everything is killed, over and over, while people talk: each line that was said arrives, under
//! one id. Short by default; `ISTHMUS_ENDURE=1` makes it long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, IrcServer, XmppClient};

use crate::talker::{CHANNEL, ROOM, Talker, hears, ids};
use crate::world::{IRC, PATIENCE, PING, World, irc_gateway};

/// The long number where it was asked for.
fn enduring<T>(short: T, long: T) -> T {
    match std::env::var("ISTHMUS_ENDURE").as_deref() {
        Ok("1") => long,
        _ => short,
    }
}

/// A connection that has stood so long is tried again soon when it is lost; a shorter one later.
const SETTLED: Duration = Duration::from_secs(70);

/// Two who talk, and what is between them.
struct Play {
    world: World,
    irc: Box<dyn IrcServer>,
    juliet: XmppClient,
    alice: Arc<IrcClient>,
    talker: Option<Talker>,
    /// What juliet said and got reflected.
    reflected: u32,
    /// Of that, what alice heard before she had to connect anew.
    heard: Vec<String>,
    /// When the IRC server was there again.
    irc_since: Instant,
}

impl Play {
    async fn begin() -> Self {
        let irc = Irc::Ngircd.start();
        let world = World::keeping(Xmpp::Prosody, &["juliet"], &irc_gateway(&*irc));
        let juliet = world.user("juliet").await;
        let alice = Arc::new(IrcClient::connect(irc.port(), "alice").await);
        alice.join(CHANNEL).await;
        world.attached(&juliet, IRC).await;
        juliet.join(ROOM, "juliet").await;
        let talker = Some(Talker::start(Arc::clone(&alice), 0));
        let (reflected, heard) = (0, Vec::new());
        Self {
            world,
            irc,
            juliet,
            alice,
            talker,
            reflected,
            heard,
            irc_since: Instant::now(),
        }
    }

    fn said(&self) -> u32 {
        self.talker.as_ref().map_or(0, Talker::said)
    }

    /// Both directions work: some lines later juliet has heard them, and is heard.
    async fn talk(&mut self, lines: u32) {
        let upto = self.said() + lines;
        hears(&self.juliet, upto).await;
        for _ in 0..5 {
            let body = format!("out {}", self.reflected);
            let id = self.juliet.groupchat(ROOM, &body);
            let answer = self
                .juliet
                .expect(|s| s.kind() == "message" && s.id() == id)
                .await;
            assert_eq!(answer.type_(), "groupchat", "{answer:?}");
            self.reflected += 1;
        }
        // Keeps what is unclaimed short.
        self.juliet.collect(IRC).await;
    }

    async fn kill_xmpp(&mut self) {
        tokio::task::block_in_place(|| self.world.xmpp.kill_hard());
        self.juliet.disconnected().await;
        tokio::task::block_in_place(|| self.world.xmpp.restart());
        self.juliet.reconnect().await;
        self.juliet.available();
        self.world.attached(&self.juliet, IRC).await;
        self.juliet.join(ROOM, "juliet").await;
    }

    /// Her server takes her out of the room with her last resource: what is said before she is
    /// back is said without her.
    async fn lose_client(&mut self) {
        let last = self.pause().await;
        hears(&self.juliet, last).await;
        self.juliet.abort().await;
        self.juliet.reconnect().await;
        self.juliet.available();
        self.juliet.join(ROOM, "juliet").await;
        self.talker = Some(Talker::start(Arc::clone(&self.alice), last));
    }

    /// A pause in the talk, so that every line said was said to somebody.
    async fn kill_irc(&mut self) {
        let last = self.pause().await;
        hears(&self.juliet, last).await;
        tokio::task::block_in_place(|| self.irc.kill_hard());
        let gone = self.alice.try_expect(PATIENCE, |_| false).await;
        gone.expect_err("the connection is gone");
        tokio::task::block_in_place(|| self.irc.restart());
        self.heard.extend(self.outward());
        let alice = IrcClient::connect(self.irc.port(), "alice").await;
        alice.join(CHANNEL).await;
        let back = |line: &isthmus_test_support::irc_client::Line| {
            let named = line.command == "353" && line.last().contains("juliet");
            named || (line.command == "JOIN" && line.nick() == "juliet")
        };
        alice
            .try_expect(PATIENCE, back)
            .await
            .expect("juliet is taken back into the channel");
        self.irc_since = Instant::now();
        self.juliet.collect(&format!("{ROOM}/juliet")).await;
        self.alice = Arc::new(alice);
        self.talker = Some(Talker::start(Arc::clone(&self.alice), last));
    }

    /// Everything in its head is gone: the user finds out by a self-ping and enters again.
    async fn kill_isthmus(&mut self) {
        tokio::task::block_in_place(|| self.world.isthmus.kill_hard());
        self.alice
            .expect(|line| line.command == "QUIT" && line.nick() == "juliet")
            .await;
        // Nobody is there to hear what would be said now.
        let last = self.pause().await;
        self.world.isthmus.restart();
        self.world.attached(&self.juliet, IRC).await;
        let pong = self.juliet.iq("get", &format!("{ROOM}/juliet"), PING).await;
        assert_eq!(pong.error_condition(), "not-acceptable", "{pong:?}");
        self.juliet.join(ROOM, "juliet").await;
        self.talker = Some(Talker::start(Arc::clone(&self.alice), last));
    }

    async fn pause(&mut self) -> u32 {
        self.talker.take().expect("somebody talks").finish().await
    }

    /// What alice has heard of juliet.
    fn outward(&self) -> Vec<String> {
        let log = self.alice.log();
        let heard = log
            .iter()
            .filter(|line| line.is("PRIVMSG", &[CHANNEL]) && line.nick() == "juliet");
        heard.map(|line| line.last().to_owned()).collect()
    }

    /// Counts. `lossless`: the program was never killed, so nothing that was said may be missing.
    async fn end(mut self, lossless: bool) {
        let last = self.pause().await;
        if lossless {
            hears(&self.juliet, last).await;
        }
        self.alice.collect().await;
        self.heard.extend(self.outward());
        for number in 0..self.reflected {
            let body = format!("out {number}");
            let times = self.heard.iter().filter(|heard| **heard == body).count();
            assert_eq!(times, 1, "{body} was reflected and said {times} times");
        }
        let ids = ids(&self.juliet.log());
        let twice = ids.values().filter(|ids| ids.len() > 1).count();
        println!(
            "{last} lines in, {} out; {} came, {twice} twice",
            self.reflected,
            ids.len()
        );
        let differ: Vec<_> = ids
            .iter()
            .filter(|(_, ids)| ids.iter().any(|id| *id != ids[0]))
            .collect();
        assert!(differ.is_empty(), "one id a line: {differ:?}");
        if lossless {
            let missing: Vec<u32> = (1..=last).filter(|n| !ids.contains_key(n)).collect();
            assert!(missing.is_empty(), "never came: {missing:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_while_servers_and_clients_come_and_go() {
    let mut play = Play::begin().await;
    let (start, length) = (
        Instant::now(),
        enduring(Duration::from_secs(20), Duration::from_secs(1800)),
    );
    let mut dice: u32 = std::process::id();
    let mut round = 0;
    while start.elapsed() < length {
        play.talk(50).await;
        // Each once, then as the dice fall.
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let what = if round < 3 { round } else { dice >> 16 };
        round += 1;
        match what % 3 {
            // A server that is gone again within a minute is tried again ever less often.
            1 if round > 3 && play.irc_since.elapsed() < SETTLED => play.kill_xmpp().await,
            0 => play.lose_client().await,
            1 => play.kill_irc().await,
            _ => play.kill_xmpp().await,
        }
    }
    play.talk(20).await;
    println!("{round} rounds");
    play.end(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_the_xmpp_server_over_and_over() {
    let mut play = Play::begin().await;
    for _ in 0..enduring(4, 150) {
        play.talk(20).await;
        play.kill_xmpp().await;
    }
    play.talk(20).await;
    play.end(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_the_program_over_and_over() {
    let mut play = Play::begin().await;
    for _ in 0..enduring(8, 300) {
        play.talk(20).await;
        play.kill_isthmus().await;
    }
    play.talk(20).await;
    play.end(false).await;
}
