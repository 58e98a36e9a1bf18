//! The pieces of work, and what is printed of them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use isthmus_test_support::mail::{Back, Postfix};
use isthmus_test_support::port::Port;
use isthmus_test_support::process::{Process, Spec};
use tempfile::TempDir;

use crate::report::{bytes, row, table};
use crate::smpp::End;
use crate::smtp::{sink, source};
use crate::tree::{cpu_of_all, memory_of_all};
use crate::world::{DOMAIN, SECRET, USERS, World};

/// What can be chosen by name.
pub(crate) const WORKS: [&str; 6] = ["loopback", "plugin", "email", "sms", "email-in", "sms-in"];
/// What every message says behind its number.
pub(crate) const TEXT: &str = "the quick brown fox jumps over the lazy dog, and over it again";

/// Messages under way at once between XMPP and the other side.
const WINDOW: usize = 1_000;
/// Sessions of the mail source.
const SESSIONS: usize = 20;
/// Messages that an SMSC or its client have not answered, at most.
const SMPP_WINDOW: usize = 100;
/// The domain of the mail sink.
const SINK: &str = "sink.example";

/// What runs.
pub(crate) struct Suite {
    pub(crate) world: Rc<World>,
    pub(crate) xmpp: SocketAddr,
    pub(crate) quick: bool,
}

/// What a piece of work has cost.
struct Cost {
    /// Until all had been taken, and until all had arrived.
    taken: Duration,
    arrived: Duration,
    cpu: Duration,
    memory: u64,
}

/// A running isthmus.
struct Gateway {
    process: Process,
    _dir: TempDir,
}

/// Costs by work and program.
type Costs = BTreeMap<(&'static str, &'static str), Cost>;

impl Suite {
    pub(crate) async fn run(&self, works: &[&'static str]) -> std::io::Result<()> {
        let count = if self.quick { 1_000 } else { 10_000 };
        let columns = [
            "work",
            "program",
            "taken/s",
            "arrived/s",
            "CPU µs a message",
            "peak RSS",
        ];
        table(&format!("{count} messages each"), &columns);
        let mut costs = Costs::new();
        for &work in works {
            let ours = match work {
                "loopback" => self.loopback(count).await,
                "plugin" => self.plugin(count).await,
                "email" => self.email(count).await?,
                "sms" => self.sms(count).await,
                "email-in" => self.email_in(count).await,
                _ => self.sms_in(count).await,
            };
            print(work, "isthmus", count, &ours);
            costs.insert((work, "isthmus"), ours);
            let (name, theirs) = match work {
                "email" | "email-in" => ("postfix", postfix(count).await?),
                "sms" | "sms-in" => ("npm smpp", npm(work == "sms-in", count).await),
                _ => continue,
            };
            print(work, name, count, &theirs);
            costs.insert((work, name), theirs);
        }
        println!();
        for ((work, name), theirs) in costs.iter().filter(|((_, name), _)| *name != "isthmus") {
            let ours = &costs[&(*work, "isthmus")];
            let ratio = |of: fn(&Cost) -> Duration| {
                of(ours).as_secs_f64() / of(theirs).as_secs_f64().max(1e-9)
            };
            println!(
                "{work}: isthmus/{name} = {:.2} of the time, {:.2} of the CPU time{}",
                ratio(|cost| cost.arrived),
                ratio(|cost| cost.cpu),
                match ratio(|cost| cost.arrived) > 1.0 {
                    true => "  SLOWER",
                    false => "",
                }
            );
        }
        Ok(())
    }

    /// Starts isthmus with one gateway.
    async fn start(&self, gateway: &str) -> Gateway {
        self.world.reset();
        let before = self.world.components.get();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = format!(
            "[component]\nserver = \"{}\"\nsecret = \"{SECRET}\"\n\
             [store]\npath = \"isthmus.db\"\n[log]\nlevel = \"warn\"\n\
             [limits]\nstanzas_per_second = 100000\nstanzas_burst = 1000000\n\
             [gateway.flow]\ndomain = \"{DOMAIN}\"\nallow = [\"{USERS}\"]\n{gateway}",
            self.xmpp
        );
        let file = dir.path().join("isthmus.toml");
        fs::write(&file, config).expect("written");
        let spec = Spec::new("isthmus", env!("CARGO_BIN_EXE_isthmus"), dir.path());
        let mut process = Process::start(spec.arg("run").arg("--config").arg(file));
        for _ in 0..1_000 {
            if self.world.components.get() > before {
                tokio::time::sleep(Duration::from_millis(500)).await;
                return Gateway { process, _dir: dir };
            }
            let ended = process.exit_status();
            assert!(ended.is_none(), "{ended:?}:\n{}", process.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no component has connected:\n{}", process.log());
    }

    /// A user writes so many messages, a bounded number ahead of `arrived`.
    async fn speak(&self, count: usize, to: impl Fn(usize) -> String, arrived: impl Fn() -> usize) {
        let (mut sent, mut last, mut since) = (0, 0, Instant::now());
        while arrived() < count {
            while sent < count && sent < arrived() + WINDOW {
                let stanza = format!(
                    "<message from='u0@{USERS}/r' to='{}@{DOMAIN}' type='chat' id='m{sent}'>\
                     <body>c0 s{sent} {TEXT}</body>\
                     <request xmlns='urn:xmpp:receipts'/></message>",
                    to(sent)
                );
                self.world.component.borrow().push(stanza.as_bytes());
                sent += 1;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            if arrived() > last {
                (last, since) = (arrived(), Instant::now());
            }
            let complaint = self.world.complaint.borrow();
            assert!(complaint.is_none(), "{complaint:?}");
            let stalled = since.elapsed() > Duration::from_secs(20);
            assert!(!stalled, "{last} of {count} have arrived");
        }
    }

    /// Messages to a gateway that gives receipts, which are waited for.
    async fn outward(&self, gateway: &str, count: usize, to: impl Fn(usize) -> String) -> Cost {
        let gateway = self.start(gateway).await;
        let receipts = || self.world.tally.get().receipts;
        let cost = measured(gateway.process.id(), async {
            self.speak(count, to, receipts).await;
            None
        });
        let cost = cost.await;
        assert_eq!(receipts(), count, "each has one receipt");
        cost
    }

    async fn loopback(&self, count: usize) -> Cost {
        let to = |_| "ok%queue".to_owned();
        self.outward("kind = \"loopback\"\n", count, to).await
    }

    async fn plugin(&self, count: usize) -> Cost {
        let myself = std::env::current_exe().expect("we are a file");
        let gateway = format!("kind = \"exec\"\nexec = [{myself:?}, \"plugin\"]\n");
        self.outward(&gateway, count, |n| format!("p{}", n % 50))
            .await
    }

    async fn email(&self, count: usize) -> std::io::Result<Cost> {
        let (sink, seen) = sink().await?;
        let gateway = format!("kind = \"smtp\"\nsmarthost = \"{sink}\"\ntls = \"off\"\n");
        let to = |_| format!("bob\\40{SINK}");
        let cost = self.outward(&gateway, count, to).await;
        assert_eq!((seen.fresh.get(), seen.again.get()), (count, 0));
        Ok(cost)
    }

    async fn sms(&self, count: usize) -> Cost {
        let port = Port::reserve();
        let smsc = End::server(&port).await;
        let gateway = self.start(&sms_config(&port)).await;
        assert!(smsc.until(|counts| counts.bound).await, "no bind");
        let cost = measured(gateway.process.id(), async {
            let arrived = || smsc.counts().came;
            self.speak(count, |_| "+15557654321".to_owned(), arrived)
                .await;
            None
        });
        let (cost, counts) = (cost.await, smsc.counts());
        assert_eq!((counts.came, counts.again), (count, 0));
        cost
    }

    async fn email_in(&self, count: usize) -> Cost {
        let listen = Port::reserve();
        let config = format!("kind = \"smtp\"\nlisten = [\"{}\"]\n", listen.address());
        let gateway = self.start(&config).await;
        let cost = measured(gateway.process.id(), async {
            let start = Instant::now();
            let to = format!("u0={USERS}@{DOMAIN}");
            let taken = source(listen.address(), &to, count, SESSIONS).await;
            assert_eq!(taken, count, "each was taken");
            let time = start.elapsed();
            self.world.wait(|tally| tally.to_xmpp >= count).await;
            Some(time)
        });
        let cost = cost.await;
        assert_eq!(self.world.tally.get().to_xmpp, count);
        cost
    }

    async fn sms_in(&self, count: usize) -> Cost {
        let port = Port::reserve();
        let mut smsc = End::server(&port).await;
        let gateway = self.start(&sms_config(&port)).await;
        assert!(smsc.until(|counts| counts.bound).await, "no bind");
        let cost = measured(gateway.process.id(), async {
            let start = Instant::now();
            smsc.say(count, SMPP_WINDOW);
            let all = smsc.until(|counts| counts.answered >= count).await;
            assert!(all, "{:?}", smsc.counts());
            let time = start.elapsed();
            self.world.wait(|tally| tally.to_xmpp >= count).await;
            Some(time)
        });
        let cost = cost.await;
        assert_eq!(self.world.tally.get().to_xmpp, count);
        cost
    }
}

fn sms_config(port: &Port) -> String {
    format!(
        "kind = \"sms\"\nregion = \"US\"\n\
         [gateway.flow.carriers.one]\nhost = \"127.0.0.1\"\nport = {}\n\
         system_id = \"isthmus\"\npassword = \"secret\"\nwindow = {SMPP_WINDOW}\n\
         [gateway.flow.lines.\"+15551230000\"]\nusers = [\"u0@{USERS}\"]\n",
        port.number()
    )
}

/// The mails of the source, relayed to the sink.
async fn postfix(count: usize) -> std::io::Result<Cost> {
    let (sink, seen) = sink().await?;
    let postfix = Postfix::start(SINK, Back::Smtp(sink.port()));
    let server = SocketAddr::from(([127, 0, 0, 1], postfix.port()));
    let cost = measured(postfix.id(), async {
        let start = Instant::now();
        let taken = source(server, &format!("bob@{SINK}"), count, SESSIONS).await;
        assert_eq!(taken, count, "each was taken");
        let time = start.elapsed();
        while seen.fresh.get() < count {
            let progress = tokio::time::timeout(Duration::from_secs(30), seen.progress.notified());
            assert!(progress.await.is_ok(), "{} came", seen.fresh.get());
        }
        Some(time)
    });
    let cost = cost.await;
    assert_eq!((seen.fresh.get(), seen.again.get()), (count, 0));
    Ok(cost)
}

/// npm's `smpp` as the client.
async fn npm(inward: bool, count: usize) -> Cost {
    let port = Port::reserve();
    let mut smsc = End::server(&port).await;
    let mut client = End::client(&port).await;
    let cost = measured(client.id(), async {
        let (from, to) = match inward {
            true => (&mut smsc, &mut client),
            false => (&mut client, &mut smsc),
        };
        from.say(count, SMPP_WINDOW);
        assert!(from.until(|counts| counts.answered >= count).await);
        assert!(to.until(|counts| counts.came >= count).await);
        None
    });
    let cost = cost.await;
    let counts = if inward {
        client.counts()
    } else {
        smsc.counts()
    };
    assert_eq!((counts.came, counts.again), (count, 0));
    cost
}

/// What a process and its children spend on some work, which may tell when all was taken. What they
/// do behind it counts, too.
async fn measured(process: u32, work: impl Future<Output = Option<Duration>>) -> Cost {
    let (before, start) = (cpu_of_all(process), Instant::now());
    let taken = work.await;
    let arrived = start.elapsed();
    let mut cpu = cpu_of_all(process);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = cpu_of_all(process);
        if now.saturating_sub(cpu) < Duration::from_millis(5) {
            break;
        }
        cpu = now;
    }
    Cost {
        taken: taken.unwrap_or(arrived),
        arrived,
        cpu: cpu.saturating_sub(before),
        memory: memory_of_all(process),
    }
}

fn print(work: &str, program: &str, count: usize, cost: &Cost) {
    let rate = |time: Duration| format!("{:.0}", count as f64 / time.as_secs_f64().max(1e-9));
    let each = cost.cpu.as_secs_f64() * 1e6 / count as f64;
    row([
        work.to_owned(),
        program.to_owned(),
        rate(cost.taken),
        rate(cost.arrived),
        format!("{each:.0}"),
        bytes(cost.memory as f64),
    ]);
}
