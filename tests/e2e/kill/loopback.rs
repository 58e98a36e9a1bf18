//! The loopback gateway's own queue, which lives in the program: what it keeps is nothing, so a
//! copy that was begun is sent again.

use std::collections::BTreeSet;

use isthmus_test_support::xmpp_server::Kind;

use super::disk::{ACCEPTED, BEGUN, DELIVERED, FAILED, INBOUND, QUEUED, READ, RECALLED, UNKNOWN};
use super::{Arrival, Network, kill};
use crate::world::{LOOP, World};

const GATEWAY: &str = r#"
[gateway.loop]
kind = "loopback"
domain = "loop.localhost"
allow = ["localhost"]
delay_ms = 40
"#;

/// Nobody is out there.
struct Mirror;

impl Network for Mirror {
    const NAME: &'static str = "loopback";
    const DOMAIN: &'static str = LOOP;
    const RECIPIENTS: &'static [&'static str] = &[
        "ok%queue@loop.localhost",
        "hold%queue@loop.localhost",
        "late%queue@loop.localhost",
        "echo%queue@loop.localhost",
        "read%queue@loop.localhost",
        "lost%queue@loop.localhost",
        "fail-offline%queue@loop.localhost",
    ];
    const STATES: &'static [i64] = &[
        QUEUED, BEGUN, UNKNOWN, ACCEPTED, DELIVERED, READ, FAILED, RECALLED, INBOUND,
    ];
    const WRITES: bool = false;

    async fn write(&mut self, _texts: &[String]) {}

    async fn is_quiet(&mut self) -> bool {
        true
    }

    fn arrived(&self) -> Option<Vec<Arrival>> {
        None
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_loopback_ends_each_message_once() {
    let world = World::start(Kind::Prosody, GATEWAY);
    kill(world, Mirror, 24, 300).await;
}
