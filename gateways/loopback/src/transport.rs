//! The wire: sessions on one side, the world in memory on the other.
//!
//! The lock is held for one command or one poll and never while the sink or a waker is called.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use isthmus_gateway::{Close, Command, Credit, Event, Session, Settings, Sink, Tag};

use crate::translate::{ClientId, World};

/// The world, shared by all sessions of one gateway.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Mutex<World>>);

impl Wire {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Does something to the world, and wakes those it concerns when the lock is free again.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let (result, wake) = {
            let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let result = act(&mut world);
            (result, std::mem::take(&mut world.wake))
        };
        for waker in wake {
            waker.wake();
        }
        result
    }

    /// A session of a new client.
    pub(crate) fn open(&self, network: &str, nick: &str, settings: &Settings) -> Connection {
        Connection {
            wire: self.clone(),
            id: self.with(|world| world.open(network, nick, settings)),
            closing: false,
        }
    }
}

/// One session's end of the wire.
pub(crate) struct Connection {
    wire: Wire,
    id: ClientId,
    closing: bool,
}

impl Session for Connection {
    fn command(&mut self, tag: Tag, command: Command<'_>, now: Instant, sink: &mut dyn Sink) {
        let events = self.wire.with(|world| {
            let idle = world.client(self.id).is_some_and(|client| client.is_idle());
            world.command(self.id, tag, command, now);
            // The end of a command may be told at once where nothing older waits.
            match world.client(self.id) {
                Some(client) if idle => client.take_through(tag),
                _ => Vec::new(),
            }
        });
        emit(events, sink);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()> {
        let closing = self.closing;
        let events = self.wire.with(|world| {
            if !closing {
                world.tick(self.id, now);
            }
            let Some(client) = world.client(self.id) else {
                return Vec::new();
            };
            client.waker = Some(cx.waker().clone());
            match closing {
                true => client.take_last(),
                false => client.take(credit),
            }
        });
        emit(events, sink);
        match closing {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.wire
            .with(|world| world.client(self.id).and_then(|client| client.deadline()))
    }

    fn settings(&mut self, settings: &Settings, _now: Instant) {
        self.wire.with(|world| world.set(self.id, settings));
    }

    fn close(&mut self, _why: Close) {
        self.closing = true;
        self.wire.with(|world| world.close(self.id));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.wire.with(|world| world.forget(self.id));
    }
}

fn emit(events: Vec<Event<'static>>, sink: &mut dyn Sink) {
    for event in events {
        sink.event(event);
    }
}
