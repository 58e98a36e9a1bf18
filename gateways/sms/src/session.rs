//! SMS has no live sessions: one that is opened says so.

use std::task::{Context, Poll};
use std::time::Instant;

use isthmus_gateway::{Close, Command, Credit, Event, Fault, FaultKind, Session, Sink, Tag};

/// A session that is offline for good.
#[derive(Debug, Default)]
pub(crate) struct Unserved {
    told: bool,
    closed: bool,
}

fn fault() -> Fault {
    Fault::new(FaultKind::Unsupported, "SMS has no sessions")
}

impl Session for Unserved {
    fn command(&mut self, tag: Tag, _command: Command<'_>, _now: Instant, sink: &mut dyn Sink) {
        sink.event(Event::Done {
            tag,
            result: Err(fault()),
        });
    }

    fn poll(
        &mut self,
        _cx: &mut Context<'_>,
        _now: Instant,
        _credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()> {
        if !self.told {
            self.told = true;
            sink.event(Event::Offline {
                fault: fault(),
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
