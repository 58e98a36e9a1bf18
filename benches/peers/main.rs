//! What a gateway costs: CPU time and memory, on the same work for each.
//!
//! The program is both an XMPP server (XEP-0114) and an IRC server; between them runs one of
//! `isthmus`, `biboumi` (Debian's), `biboumi-history` and `null`, a gateway that only passes
//! through. Figures are of the gateway's process alone. `cargo bench --bench peers -- --help`
//! tells what can be chosen. Ratios are asserted, times never.

mod irc;
mod measure;
mod null;
mod peer;
mod report;
mod scan;
mod suite;
mod work;
mod world;
mod xmpp;

use std::net::Ipv4Addr;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::task::LocalSet;

use peer::{Ends, Kind};
use suite::Suite;
use world::World;

const USAGE: &str = "\
cargo bench --bench peers -- [--quick] [--no-echo] [GATEWAY...] [WORK...]

gateways: isthmus biboumi biboumi-history null (without any: isthmus, biboumi, null)
work:     irc-xmpp xmpp-irc join idle memory (without any: all)
--quick   a fifth of the work
--no-echo an IRC server without echo-message";

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [mode @ ("null" | "faulty"), xmpp, irc] =
        words.iter().map(String::as_str).collect::<Vec<_>>()[..]
        && let (Ok(xmpp), Ok(irc)) = (xmpp.parse(), irc.parse())
    {
        return null::run(mode == "faulty", xmpp, irc);
    }
    let (mut gateways, mut works, mut quick, mut echo) = (Vec::new(), Vec::new(), false, true);
    for word in &words {
        match (word.as_str(), Kind::from_name(word)) {
            (_, Some(kind)) => gateways.push(kind),
            ("--quick", _) => quick = true,
            ("--no-echo", _) => echo = false,
            (work, _) if suite::WORKS.contains(&work) => works.push(work),
            _ => {
                println!("{USAGE}");
                return Ok(());
            }
        }
    }
    if gateways.is_empty() {
        gateways = vec![Kind::Isthmus, Kind::Biboumi, Kind::Null];
    }
    if works.is_empty() {
        works = suite::WORKS.to_vec();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let command = words.join(" ");
    LocalSet::new().block_on(&runtime, async {
        let ends = Listening::start().await?;
        ends.world.echo.set(echo);
        println!("`cargo bench --bench peers -- {command}`\n");
        let suite = Suite {
            world: Rc::clone(&ends.world),
            ends: ends.ends,
            quick,
        };
        suite.run(&gateways, &works).await;
        Ok(())
    })
}

/// Both ends, listening on free ports for as long as the program runs.
struct Listening {
    world: Rc<World>,
    ends: Ends,
}

impl Listening {
    async fn start() -> std::io::Result<Self> {
        let world = World::new();
        let xmpp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let irc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let ends = Ends {
            xmpp: xmpp.local_addr()?,
            irc: irc.local_addr()?,
        };
        tokio::task::spawn_local(xmpp::serve(xmpp, Rc::clone(&world)));
        tokio::task::spawn_local(irc::serve(irc, Rc::clone(&world)));
        Ok(Self { world, ends })
    }
}
