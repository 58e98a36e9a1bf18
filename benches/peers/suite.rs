//! The order of the work, what is printed of it, and what must hold.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::peer::{Ends, Kind, MOST_USERS};
use crate::report::{bytes, row, table};
use crate::work::{Bench, Cost, Load};
use crate::world::World;

/// What can be chosen by name.
pub(crate) const WORKS: [&str; 5] = ["irc-xmpp", "xmpp-irc", "join", "idle", "memory"];

/// Members of a channel in which something is said.
const MEMBERS: usize = 10;
/// CPU time is noisy on a shared machine; beyond this, more is more.
const NOISE: f64 = 1.25;

/// What runs.
pub(crate) struct Suite {
    pub(crate) world: Rc<World>,
    pub(crate) ends: Ends,
    pub(crate) quick: bool,
}

/// The figures that are compared, by work and gateway.
type Figures = HashMap<(String, &'static str), f64>;

impl Suite {
    pub(crate) async fn run(&self, gateways: &[Kind], works: &[&str]) {
        self.check_the_tally().await;
        let mut figures = Figures::new();
        for &work in works {
            match work {
                "irc-xmpp" => self.talk(gateways, true, &mut figures).await,
                "xmpp-irc" => self.talk(gateways, false, &mut figures).await,
                "join" => self.join(gateways, &mut figures).await,
                "idle" => self.idle(gateways, &mut figures).await,
                _ => self.memory(gateways, &mut figures).await,
            }
        }
        compare(&figures);
    }

    /// A gateway that loses and swaps messages is caught at exactly that.
    async fn check_the_tally(&self) {
        let bench = Bench::start(&self.world, Kind::Faulty, self.ends, MEMBERS).await;
        bench.enter(0..1, 0..1).await;
        let load = Load {
            users: 1,
            channels: 1,
            count: 10_000,
            window: None,
        };
        let cost = bench.irc_to_xmpp(load).await;
        assert_eq!((cost.lost(), cost.tally.misordered), (100, 100));
    }

    fn scaled(&self, count: usize) -> usize {
        if self.quick { count / 5 } else { count }
    }

    fn loads(&self, gateway: Kind) -> Vec<(&'static str, Load)> {
        let window = Some(1_000);
        // Where every message waits for a disk, fewer do.
        let count = match gateway {
            Kind::BiboumiHistory => self.scaled(10_000),
            _ => self.scaled(100_000),
        };
        let load = |users, channels, window| Load {
            users,
            channels,
            count,
            window,
        };
        vec![
            ("1×1 window", load(1, 1, window)),
            // No more than isthmus lets wait for one user: the rest it would refuse.
            (
                "1×1 flat",
                Load {
                    count: count.min(30_000),
                    ..load(1, 1, None)
                },
            ),
            ("10×10 window", load(10, 10, window)),
            ("200×1 window", load(200, 1, window)),
        ]
    }

    async fn talk(&self, gateways: &[Kind], from_irc: bool, figures: &mut Figures) {
        let title = if from_irc { "irc→xmpp" } else { "xmpp→irc" };
        table(
            title,
            &[
                "U×C",
                "gateway",
                "CPU µs each",
                "a second",
                "peak RSS",
                "lost",
                "out of order",
                "errors",
                "generator µs",
            ],
        );
        let most = self.loads(Kind::Null).len();
        for number in 0..most {
            for &gateway in gateways {
                let (name, load) = self.loads(gateway)[number];
                let bench = Bench::start(&self.world, gateway, self.ends, MEMBERS).await;
                bench.enter(0..load.users, 0..load.channels).await;
                bench.settle().await;
                let cost = match from_irc {
                    true => bench.irc_to_xmpp(load).await,
                    false => bench.xmpp_to_irc(load).await,
                };
                self.tell_talk(name, gateway, &cost);
                let key = (format!("{title} {name}"), gateway.name());
                figures.insert(key, cost.each(cost.due.1));
            }
        }
    }

    fn tell_talk(&self, name: &str, gateway: Kind, cost: &Cost) {
        let count = cost.due.1;
        row([
            name.to_owned(),
            gateway.name().to_owned(),
            format!("{:.2}", cost.each(count)),
            format!("{:.0}", count as f64 / cost.wall.as_secs_f64()),
            bytes(cost.memory.1 as f64),
            cost.lost().to_string(),
            cost.tally.misordered.to_string(),
            cost.tally.errors.to_string(),
            format!("{:.2}", cost.own.as_secs_f64() * 1e6 / count as f64),
        ]);
        if let Some(complaint) = &*self.world.complaint.borrow() {
            eprintln!("{}: first error: {complaint}", gateway.name());
        }
        if gateway == Kind::Isthmus {
            assert_eq!((cost.lost(), cost.tally.misordered), (0, 0), "{name}");
        }
    }

    async fn join(&self, gateways: &[Kind], figures: &mut Figures) {
        table(
            "join",
            &[
                "work",
                "gateway",
                "CPU ms",
                "µs/presence",
                "wall ms",
                "bytes out",
                "RSS after",
            ],
        );
        for (name, users, channels, members) in [
            ("1 user, 5,000 members", 1, 1, 5_000),
            ("20 users, 4 channels, 50 members", 20, 4, 50),
            ("500 users, 4 channels, 50 members", 500, 4, 50),
        ] {
            for &gateway in gateways {
                let bench = Bench::start(&self.world, gateway, self.ends, members).await;
                let cost = bench.enter(0..users, 0..channels).await;
                row([
                    name.to_owned(),
                    gateway.name().to_owned(),
                    format!("{:.1}", cost.cpu.as_secs_f64() * 1e3),
                    format!("{:.2}", cost.each(cost.tally.presences)),
                    format!("{:.0}", cost.wall.as_secs_f64() * 1e3),
                    bytes(cost.tally.bytes as f64),
                    bytes(cost.memory.0 as f64),
                ]);
                let key = (format!("join {name}"), gateway.name());
                figures.insert(key, cost.cpu.as_secs_f64() * 1e6);
            }
        }
    }

    async fn idle(&self, gateways: &[Kind], figures: &mut Figures) {
        let users = if self.quick { 200 } else { 1_000 };
        table(
            &format!("{users} users, idle, {MEMBERS} members"),
            &["gateway", "CPU ms/s"],
        );
        for &gateway in gateways {
            let bench = Bench::start(&self.world, gateway, self.ends, MEMBERS).await;
            bench.enter(0..users, 0..1).await;
            bench.settle().await;
            let cost = bench.idle(Duration::from_secs(10)).await;
            let each = cost.cpu.as_secs_f64() * 1e3 / cost.wall.as_secs_f64();
            row([gateway.name().to_owned(), format!("{each:.2}")]);
            figures.insert(("idle".to_owned(), gateway.name()), each);
        }
    }

    async fn memory(&self, gateways: &[Kind], figures: &mut Figures) {
        let (few, most) = if self.quick {
            (50, 500)
        } else {
            (200, MOST_USERS)
        };
        table(
            &format!("memory: slopes {few} → {most} users, then 1 → 5 channels"),
            &[
                "gateway",
                "members",
                "empty",
                "per user with 1 channel",
                "per further channel",
                "all",
            ],
        );
        for &gateway in gateways {
            for members in [0, 10, 50] {
                let bench = Bench::start(&self.world, gateway, self.ends, members).await;
                let mut resident = Vec::new();
                resident.push(bench.idle(Duration::from_secs(1)).await.memory.0 as f64);
                for (users, channels) in [(0..few, 0..1), (few..most, 0..1), (0..most, 1..5)] {
                    bench.enter(users, channels).await;
                    bench.settle().await;
                    resident.push(bench.idle(Duration::from_secs(1)).await.memory.0 as f64);
                }
                let user = (resident[2] - resident[1]) / (most - few) as f64;
                let channel = (resident[3] - resident[2]) / (most * 4) as f64;
                row([
                    gateway.name().to_owned(),
                    members.to_string(),
                    bytes(resident[0]),
                    bytes(user),
                    bytes(channel),
                    bytes(resident[3]),
                ]);
                figures.insert((format!("memory {members} user"), gateway.name()), user);
                figures.insert(
                    (format!("memory {members} channel"), gateway.name()),
                    channel,
                );
            }
        }
    }
}

/// Isthmus costs no more than biboumi, wherever both were measured.
fn compare(figures: &Figures) {
    let mut works: Vec<&String> = figures.keys().map(|(work, _)| work).collect();
    works.sort_unstable();
    works.dedup();
    let figure = |work: &String, gateway| figures.get(&(work.clone(), gateway)).copied();
    let mut worse = Vec::new();
    for work in works {
        let both = (figure(work, "isthmus"), figure(work, "biboumi"));
        let (Some(ours), Some(theirs)) = both else {
            continue;
        };
        println!("{work}: isthmus/biboumi = {:.2}", ours / theirs);
        if ours > theirs * NOISE {
            worse.push(work);
        }
    }
    assert!(
        worse.is_empty(),
        "isthmus costs more than biboumi: {worse:?}"
    );
}
