//! The live face of a gateway that has none: a session that says so.

use std::task::{Context, Poll};
use std::time::Instant;

use isthmus_gateway::{Close, Command, Credit, Event, Fault, FaultKind, Session, Sink, Tag};

/// A session that is offline for good and refuses every command.
#[derive(Debug)]
pub struct Unserved {
    why: (&'static str, &'static str),
    told: bool,
    closed: bool,
}

impl Unserved {
    /// A session that refuses with these words, in English and Chinese.
    pub fn new(why: (&'static str, &'static str)) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Vec<String>);

    impl Sink for Told {
        fn event(&mut self, event: Event<'_>) {
            self.0.push(format!("{event:?}"));
        }
    }

    #[test]
    fn a_session_says_once_that_there_is_none_refuses_commands_and_ends_when_closed() {
        let mut session = Unserved::new(("mail has no live connection", "邮件没有实时连接"));
        let mut told = Told::default();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let now = Instant::now();
        let credit = Credit::Events(1);
        assert!(session.poll(&mut cx, now, credit, &mut told).is_pending());
        assert!(session.poll(&mut cx, now, credit, &mut told).is_pending());
        assert_eq!(told.0.len(), 1);
        let line = Command::Raw {
            line: "hello".into(),
        };
        session.command(Tag(1), line, now, &mut told);
        assert!(
            told.0.iter().all(|event| event.contains("Unsupported")),
            "{:?}",
            told.0
        );
        session.close(Close::Left);
        assert!(session.poll(&mut cx, now, credit, &mut told).is_ready());
        assert_eq!(told.0.len(), 2);
    }
}
