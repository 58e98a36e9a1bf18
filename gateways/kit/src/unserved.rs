//! The live face of a gateway that has none: a session that says so.

use std::task::{Context, Poll};
use std::time::Instant;

use isthmus_gateway::{Close, Command, Credit, Event, Fault, FaultKind, Session, Sink, Tag};

/// A session that is offline for good and refuses every command.
#[derive(Debug)]
pub struct Unserved {
    why: &'static str,
    told: bool,
    closed: bool,
}

impl Unserved {
    /// A session that refuses with these words.
    pub fn new(why: &'static str) -> Self {
        Self {
            why,
            told: false,
            closed: false,
        }
    }

    fn fault(&self) -> Fault {
        Fault::new(FaultKind::Unsupported, self.why)
    }
}

impl Session for Unserved {
    fn command(&mut self, tag: Tag, _command: Command<'_>, _now: Instant, sink: &mut dyn Sink) {
        sink.event(Event::Done {
            tag,
            result: Err(self.fault()),
        });
    }

    fn poll(
        &mut self,
        _cx: &mut Context<'_>,
        _now: Instant,
        _credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()> {
        if !std::mem::replace(&mut self.told, true) {
            sink.event(Event::Offline {
                fault: self.fault(),
                retry: None,
            });
        }
        if self.closed {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn close(&mut self, _why: Close) {
        self.closed = true;
    }
}
