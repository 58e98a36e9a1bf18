//! The pieces of work, the same for every gateway.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::measure::{cpu, memory};
use crate::peer::{Ends, Kind, Peer};
use crate::world::{Tally, World};
use crate::{irc, xmpp};

/// What one piece of work has cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// CPU time of the gateway.
    pub(crate) cpu: Duration,
    /// CPU time of the generator.
    pub(crate) own: Duration,
    pub(crate) wall: Duration,
    /// What came.
    pub(crate) tally: Tally,
    /// What should have come: towards IRC, towards XMPP.
    pub(crate) due: (usize, usize),
    /// Resident memory in bytes: afterwards, and at most.
    pub(crate) memory: (u64, u64),
}

impl Cost {
    /// CPU time of the gateway for each of so many, in microseconds.
    pub(crate) fn each(&self, count: usize) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count.max(1) as f64
    }

    /// Messages that did not come.
    pub(crate) fn lost(&self) -> usize {
        let to_irc = self.due.0.saturating_sub(self.tally.to_irc);
        to_irc + self.due.1.saturating_sub(self.tally.to_xmpp)
    }
}

/// One gateway between the two ends.
pub(crate) struct Bench {
    pub(crate) world: Rc<World>,
    pub(crate) peer: Peer,
}

/// How much the users say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) users: usize,
    pub(crate) channels: usize,
    /// Stanzas (towards XMPP) or messages (towards IRC), all together.
    pub(crate) count: usize,
    /// So many may be under way at once; `None`: all are given out at once.
    pub(crate) window: Option<usize>,
}

/// What every message says behind its number: with it, a line of IRC has about 120 bytes.
const TEXT: &str = "the quick brown fox jumps over the lazy dog, and over it again";
/// Messages between two looks at the other end.
const BATCH: usize = 64;

impl Bench {
    /// Starts a gateway; every channel has `members` besides the user himself.
    pub(crate) async fn start(world: &Rc<World>, kind: Kind, ends: Ends, members: usize) -> Self {
        let peer = Peer::start(kind, ends, world).await;
        world.members.set(members);
        Self {
            world: Rc::clone(world),
            peer,
        }
    }

    async fn measured(&self, work: impl Future<Output = (usize, usize)>) -> Cost {
        self.world.restart();
        let (id, me) = (self.peer.id(), std::process::id());
        let (before, own, start) = (cpu(id), cpu(me), Instant::now());
        let due = work.await;
        let wall = start.elapsed();
        // The kernel brings the count of a thread up to date when it stops running.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Cost {
            cpu: cpu(id).saturating_sub(before),
            own: cpu(me).saturating_sub(own),
            wall,
            tally: self.world.tally.get(),
            due,
            memory: memory(id),
        }
    }

    /// Lets users enter channels, and waits until all have.
    ///
    /// # Panics
    ///
    /// When one cannot.
    pub(crate) async fn enter(
        &self,
        users: std::ops::Range<usize>,
        channels: std::ops::Range<usize>,
    ) -> Cost {
        let all = users.len() * channels.len();
        let network = self.peer.kind.network();
        let cost = self.measured(async {
            for user in users {
                for channel in channels.clone() {
                    let presence = xmpp::enter(network, user, channel);
                    self.world.component.borrow().push(presence.as_bytes());
                }
            }
            self.world.wait(|tally| tally.entered >= all).await;
            (0, 0)
        });
        let cost = cost.await;
        let complaint = self.world.complaint.borrow();
        assert_eq!(
            cost.tally.entered, all,
            "{:?} {complaint:?}",
            self.peer.kind
        );
        cost
    }

    /// Somebody on IRC speaks: every message reaches all users.
    pub(crate) async fn irc_to_xmpp(&self, load: Load) -> Cost {
        let world = &self.world;
        let users: Vec<_> = (0..load.users)
            .filter_map(|user| world.user(user))
            .collect();
        assert_eq!(users.len(), load.users, "all users are connected");
        self.measured(async {
            let messages = load.count / load.users;
            for message in 0..messages {
                let (channel, number) = (message % load.channels, message / load.channels);
                let line = irc::speak(channel, &format!("c{channel} s{number:07} {TEXT}"));
                users.iter().for_each(|pipe| pipe.push(line.as_bytes()));
                if message % BATCH == BATCH - 1 || load.users > 1 {
                    let sent = (message + 1) * load.users;
                    let most = load.window.unwrap_or(usize::MAX);
                    world
                        .wait(|tally| sent <= tally.to_xmpp.saturating_add(most))
                        .await;
                    tokio::task::yield_now().await;
                }
            }
            let all = messages * load.users;
            world.wait(|tally| tally.to_xmpp >= all).await;
            (0, all)
        })
        .await
    }

    /// The users speak in turn; each sees his own message come back as everybody would see it.
    pub(crate) async fn xmpp_to_irc(&self, load: Load) -> Cost {
        let (world, network) = (&self.world, self.peer.kind.network());
        let places = load.users * load.channels;
        self.measured(async {
            let count = load.count / places * places;
            for message in 0..count {
                let (user, number) = (message % load.users, message / places);
                let channel = message / load.users % load.channels;
                let body = format!("c{channel} s{number:07} {TEXT}");
                let stanza = xmpp::speak(network, user, channel, &body);
                world.component.borrow().push(stanza.as_bytes());
                if message % BATCH == BATCH - 1 {
                    let sent = message + 1;
                    let most = load.window.unwrap_or(usize::MAX);
                    world
                        .wait(|tally| sent <= tally.to_irc.saturating_add(most))
                        .await;
                    tokio::task::yield_now().await;
                }
            }
            world
                .wait(|t| t.to_irc >= count && t.to_xmpp >= count)
                .await;
            (count, count)
        })
        .await
    }

    /// Nobody does anything.
    pub(crate) async fn idle(&self, time: Duration) -> Cost {
        self.measured(async {
            tokio::time::sleep(time).await;
            (0, 0)
        })
        .await
    }

    /// Waits until the gateway has nothing left to do: its CPU time stands still, or nearly.
    pub(crate) async fn settle(&self) {
        let mut before = cpu(self.peer.id());
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = cpu(self.peer.id());
            if now.saturating_sub(before) < Duration::from_millis(5) {
                return;
            }
            before = now;
        }
    }
}
