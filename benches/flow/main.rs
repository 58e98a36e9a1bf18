//! What store-and-forward gateways do in a second, and what a message costs them: through the queue
//! to the disk and out, and from the network to the disk and in.
//!
//! The program is the XMPP server (that of the `peers` benchmark), the mail sink and the mail
//! source; npm's `smpp` is the SMSC. Next to isthmus stand Postfix, which relays the same mails from
//! the same source to the same sink, and npm's `smpp` as a client of the same SMSC. Every message
//! has a number: what is lost or comes twice fails the run. Times are never asserted.

#[path = "../peers/measure.rs"]
mod measure;
mod plugin;
#[path = "../peers/report.rs"]
mod report;
#[path = "../peers/scan.rs"]
mod scan;
mod smpp;
mod smtp;
mod tree;
mod work;
#[path = "../peers/world.rs"]
#[expect(dead_code, reason = "the other benchmark has an IRC server, too")]
mod world;
#[path = "../peers/xmpp.rs"]
#[expect(dead_code, reason = "the other benchmark has rooms, too")]
mod xmpp;

use std::net::Ipv4Addr;
use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::task::LocalSet;

use work::{Suite, WORKS};
use world::World;

const USAGE: &str = "\
cargo bench --bench flow -- [--quick] [WORK...]

work:     loopback plugin email sms email-in sms-in (without any: all)
--quick   a tenth of the work";

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if words == ["plugin"] {
        return plugin::run();
    }
    let (mut works, mut quick) = (Vec::new(), false);
    for word in &words {
        match (word.as_str(), WORKS.iter().find(|work| *work == word)) {
            (_, Some(work)) => works.push(*work),
            ("--quick", _) => quick = true,
            _ => {
                println!("{USAGE}");
                return Ok(());
            }
        }
    }
    if works.is_empty() {
        works = WORKS.to_vec();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!("`cargo bench --bench flow -- {}`", words.join(" "));
    LocalSet::new().block_on(&runtime, async {
        let world = World::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let xmpp = listener.local_addr()?;
        tokio::task::spawn_local(xmpp::serve(listener, Rc::clone(&world)));
        Suite { world, xmpp, quick }.run(&works).await
    })
}
