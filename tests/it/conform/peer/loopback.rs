//! Loopback, which is its own peer: as it comes, and with nothing that can be expressed.

use std::sync::Arc;

use isthmus_gateway::{Address, Caps, Gateway, Kind};
use isthmus_loopback::Config;

use crate::conform::bench::{Bench, Live, Post};
use crate::conform::driver::Driver;

/// Milliseconds until what is late comes.
const DELAY: u64 = 200;

/// With all capabilities.
pub(in crate::conform) struct Loopback(Arc<isthmus_loopback::Loopback>);

/// With none.
pub(in crate::conform) struct Bare(Arc<isthmus_loopback::Loopback>);

fn gateway(caps: Option<Caps>) -> Arc<isthmus_loopback::Loopback> {
    let mut config = Config {
        delay_ms: DELAY,
        register: true,
        ..Config::default()
    };
    config.caps = caps.unwrap_or(config.caps);
    Arc::new(isthmus_loopback::Loopback::new(config))
}

impl Bench for Loopback {
    const NAME: &'static str = "loopback";

    async fn start() -> Self {
        Self(gateway(None))
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![
            Address::new(Kind::Gateway, "", ""),
            Address::new(Kind::Network, "", "net"),
            Address::new(Kind::Room, "#garden", ""),
            Address::new(Kind::Contact, "alice", "net"),
            Address::new(Kind::Contact, "50%", "net"),
        ]
    }
}

impl Bench for Bare {
    const NAME: &'static str = "loopback";

    async fn start() -> Self {
        Self(gateway(Some(Caps::default())))
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.clone()
    }

    fn addresses() -> Vec<Address> {
        Loopback::addresses()
    }
}

impl Live for Loopback {
    const DOWN: &'static str = "down";
    const MUTE: Option<&'static str> = None;
    const ROOMS: Option<[&'static str; 2]> = Some(["#garden", "#full"]);
    const CONTACT: &'static str = "echo";

    fn flood(&self, _: &mut Driver, lines: usize, hang_up: bool) {
        let control = self.0.control();
        for line in 1..=lines {
            control.whisper("", "juliet", "bob", &format!("line {line}"));
        }
        if hang_up {
            control.go_offline("");
        }
    }
}

impl Live for Bare {
    const DOWN: &'static str = "down";
    const MUTE: Option<&'static str> = None;
    const ROOMS: Option<[&'static str; 2]> = None;
    const CONTACT: &'static str = "echo";

    fn flood(&self, _: &mut Driver, lines: usize, _: bool) {
        for line in 1..=lines {
            let text = format!("line {line}");
            self.0.control().whisper("", "juliet", "bob", &text);
        }
    }
}

fn queued(name: &str) -> Address {
    Address::new(Kind::Contact, name, "queue")
}

impl Post for Loopback {
    fn good() -> Address {
        queued("ok")
    }

    fn refused() -> Address {
        queued("fail-forbidden")
    }

    fn bad() -> Address {
        queued("stranger")
    }

    fn doubled() -> Address {
        queued("twice")
    }

    fn stall(&self) -> Address {
        queued("hold")
    }

    /// The name says how long it waits; there is nobody else to ask. Who comes later under it
    /// waits longer.
    async fn release(&self) {}

    fn arrived(&self) -> Option<Vec<String>> {
        None
    }
}
