//! The live face: a session is one end of the machine that all sessions of a gateway share.
//!
//! The lock is held for one command or one poll and never while the sink or a waker is called.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use isthmus_gateway::{Close, Command, Credit, Session, Settings, Sink, Tag, Uplink};
use tokio::sync::Notify;

use crate::translate::{Machine, SessionId};

/// The machine, shared by the sessions and the task that runs the process.
pub(crate) struct Hub {
    machine: Mutex<Machine>,
    uplink: Mutex<Option<Arc<dyn Uplink>>>,
    /// There may be something to write or to ask.
    pub(crate) work: Notify,
    /// The process, where there is one; 0: none.
    pub(crate) process: AtomicU32,
}

impl Hub {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine: Mutex::new(machine),
            uplink: Mutex::new(None),
            work: Notify::new(),
            process: AtomicU32::new(0),
        }
    }

    /// Does something to the machine, and wakes those it concerns when the lock is free again.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Machine) -> R) -> R {
        let (result, work) = self.locked(act);
        if work {
            self.work.notify_one();
        }
        result
    }

    /// As [`Self::with`], for the task that does the work: it looks for itself.
    pub(crate) fn quietly<R>(&self, act: impl FnOnce(&mut Machine) -> R) -> R {
        self.locked(act).0
    }

    fn locked<R>(&self, act: impl FnOnce(&mut Machine) -> R) -> (R, bool) {
        let (result, wake, work) = {
            let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
            let result = act(&mut machine);
            let wake = std::mem::take(&mut machine.wake);
            (result, wake, machine.has_work())
        };
        for waker in wake {
            waker.wake();
        }
        (result, work)
    }

    /// The host can be asked from now on.
    pub(crate) fn connect(&self, up: Arc<dyn Uplink>) {
        *self.uplink.lock().unwrap_or_else(PoisonError::into_inner) = Some(up);
        self.work.notify_one();
    }

    pub(crate) fn uplink(&self) -> Option<Arc<dyn Uplink>> {
        let uplink = self.uplink.lock();
        uplink.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One session.
pub(crate) struct Connection {
    pub(crate) hub: Arc<Hub>,
    pub(crate) id: SessionId,
    pub(crate) closing: bool,
}

impl Session for Connection {
    fn command(&mut self, tag: Tag, command: Command<'_>, now: Instant, _sink: &mut dyn Sink) {
        self.hub
            .with(|machine| machine.command(self.id, tag, &command, now));
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        _now: Instant,
        credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()> {
        let told = self.hub.with(|machine| match self.closing {
            true => machine.take_last(self.id),
            false => machine.take(self.id, credit, cx.waker()),
        });
        for told in told {
            told.tell(sink);
        }
        match self.closing {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// The task that runs the process keeps all timers.
    fn settings(&mut self, settings: &Settings, now: Instant) {
        self.hub.with(|machine| machine.set(self.id, settings, now));
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn close(&mut self, why: Close) {
        self.closing = true;
        let now = Instant::now();
        self.hub.with(|machine| machine.close(self.id, why, now));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let now = Instant::now();
        self.hub.with(|machine| machine.forget(self.id, now));
    }
}
