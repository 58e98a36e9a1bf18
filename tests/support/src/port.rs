//! Free ports on loopback, reserved across all the test processes of a machine.
//!
//! A port is picked below the range that the kernel hands out to outgoing connections, and is
//! held for as long as the guard lives by listening on it at another loopback address: two test
//! processes never pick the same one, and the server can still bind it on 127.0.0.1.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Holds the reservation; servers listen on 127.0.0.1.
const HOLD: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);
const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// A reserved TCP port of 127.0.0.1.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _hold: TcpListener,
}

impl Port {
    /// Reserves a free one.
    ///
    /// # Panics
    ///
    /// When none is free.
    pub fn reserve() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let offset = process::id().wrapping_mul(97).wrapping_add(step) % COUNT;
            let number = u16::try_from(FIRST + offset).expect("below 65536");
            let Ok(hold) = TcpListener::bind((HOLD, number)) else {
                continue;
            };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self {
                    number,
                    _hold: hold,
                };
            }
        }
        panic!("no free port on loopback");
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
