//! The connection to the XMPP server as an external component (XEP-0114 1.6), one per domain.
//!
//! ```text
//!             +--------------------------- wait 1 s .. 60 s <------------------------+
//!             v                                                                      |
//!   survey -> dial -> open -> handshake -> up == reader: stanza -> Inbound ========> cut
//!   (spool)     |       |         |             writer: Outbox -> socket, pings      |
//!               +-------+---------+--------- failed (said once, with what to do) ----+
//!
//!   shutdown:  up -> refuse what comes in -> flush, wait for the last proof -> close -> spill
//! ```
//!
//! [`Outbox`] is the way out for everybody else: a push neither waits nor fails. What is a message
//! reaches the server at least once and in order, over cuts and, once on disk, over restarts:
//! `barrier.rs` says how that is proven, `ledger.rs` where each stanza is meanwhile.
//!
//! Not here: what a stanza means, who answers it.

mod backoff;
mod barrier;
mod diagnosis;
mod dial;
mod driver;
mod handshake;
mod ledger;
mod outbox;
mod refuse;
mod segment;
mod spool;
mod stream;
mod tap;

use std::{fmt, time::Duration};

use crate::xmpp::stream::{Limits as StreamLimits, Refusal, Stanza};

pub use dial::{Dial, Tcp, Tls, Transport};
pub use outbox::{Batch, Class, Level, Limits, Mark, Outbox};
pub use spool::{Found, Later, MemorySpool, Spool};
pub use tap::Tap;

/// Starts components, see [`Component::spawn`].
#[derive(Debug)]
pub struct Component;

/// What a component takes from the server. Called from the reader, which serves every user: an
/// implementation hands over and returns, and never waits.
pub trait Inbound: Send + Sync {
    /// A stanza for our domain. Answers to our own pings do not come here.
    fn stanza(&self, stanza: Stanza);

    /// A stanza that was too large or not to be read; the stream lives. An iq get or set wants an
    /// answer.
    fn refused(&self, refusal: Refusal);

    /// A stream is up. What was pushed with a later mark than `confirmed` may not have arrived:
    /// messages are sent again by the outbox, presence is to be derived anew by the host.
    fn up(&self, confirmed: Mark);

    /// The stream is gone. Until the next [`Inbound::up`] only messages are kept.
    fn down(&self);
}

/// One component.
#[derive(Clone)]
pub struct ComponentConfig {
    /// The domain it serves, prepared: no character that XML needs escaped.
    pub domain: String,
    /// Host name or address of the server.
    pub host: String,
    /// The server's port for components.
    pub port: u16,
    /// TLS from the first byte, if the server's listener has it on.
    pub tls: Option<Tls>,
    /// The secret shared with the server.
    pub secret: String,
    /// The server's own XMPP domain, pinged where pings to ourselves do not come home; by default
    /// the part of `domain` behind its first dot.
    pub server_domain: Option<String>,
    /// What the server may send in one stanza.
    pub inbound: StreamLimits,
    /// What is kept on the way out.
    pub outbound: Limits,
    /// How long draining may take.
    pub grace: Duration,
}

impl ComponentConfig {
    /// A component with the default limits.
    pub fn new(domain: &str, host: &str, port: u16, secret: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            host: host.to_owned(),
            port,
            tls: None,
            secret: secret.to_owned(),
            server_domain: None,
            inbound: StreamLimits::default(),
            outbound: Limits::default(),
            grace: GRACE,
        }
    }

    fn server_domain(&self) -> String {
        let parent = || {
            self.domain
                .split_once('.')
                .map_or(self.domain.as_str(), |(_, rest)| rest)
        };
        self.server_domain
            .clone()
            .unwrap_or_else(|| parent().to_owned())
    }
}

impl fmt::Debug for ComponentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentConfig")
            .field("domain", &self.domain)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls.is_some())
            .field("secret", &"***")
            .finish_non_exhaustive()
    }
}

/// Enough for 5 s of backlog on a healthy server, and far below a service manager's patience.
const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
