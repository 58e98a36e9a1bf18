//! A session's bounded queue of stanzas.
//!
//! The router offers and never waits: a full inbox refuses, and the router answers that sender
//! with `resource-constraint`. A quarter is kept for what ends things (leaves, errors), so that a
//! user who floods can still leave. Notices about the component stream do not queue: the newest
//! replaces the last.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::component::Mark;
use crate::host::words::Said;
use crate::xmpp::stream::Stanza;

/// What a session is told besides stanzas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notices {
    /// The stream is up again; marks after this one were not confirmed at the cut.
    pub(crate) up: Option<Mark>,
    /// The program ends.
    pub(crate) drain: bool,
    /// Configuration says that the user may no longer use this gateway.
    pub(crate) refused: bool,
    /// The user has removed his registration.
    pub(crate) unregistered: bool,
    /// The user's contacts on the network, or whether he is there, may have changed.
    pub(crate) contacts: bool,
    /// Those who run the gateway end the session, with these words.
    pub(crate) ended: Option<Said>,
    /// The user has set something.
    pub(crate) settings: bool,
    /// More can be written again.
    pub(crate) room: bool,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Stanza>,
    notices: Notices,
    waker: Option<Waker>,
}

impl Inner {
    /// A notice that came since they were last taken found nobody to wake: it wakes now.
    fn register(&mut self, cx: &Context<'_>) {
        self.waker = Some(cx.waker().clone());
        if self.notices != Notices::default() {
            cx.waker().wake_by_ref();
        }
    }
}

/// The queue. Shared by the router and one session.
#[derive(Debug)]
pub(crate) struct Inbox {
    capacity: usize,
    /// Rooms that the session is in, as it last told.
    rooms: AtomicU64,
    inner: Mutex<Inner>,
}

impl Inbox {
    /// An empty queue for `capacity` stanzas.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            rooms: AtomicU64::new(0),
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a stanza, or gives it back if there is no room. `ending` may use the kept quarter.
    pub(crate) fn offer(&self, stanza: Stanza, ending: bool) -> Result<(), Stanza> {
        let mut inner = self.lock();
        let bound = if ending {
            self.capacity
        } else {
            self.capacity - self.capacity / 4
        };
        if inner.queue.len() >= bound {
            return Err(stanza);
        }
        inner.queue.push_back(stanza);
        wake(inner);
        Ok(())
    }

    /// Tells the session something.
    pub(crate) fn notify(&self, tell: impl FnOnce(&mut Notices)) {
        let mut inner = self.lock();
        tell(&mut inner.notices);
        wake(inner);
    }

    /// Takes what the session was told since it last asked.
    pub(crate) fn take_notices(&self) -> Notices {
        std::mem::take(&mut self.lock().notices)
    }

    /// Takes the next stanza.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Stanza> {
        let mut inner = self.lock();
        match inner.queue.pop_front() {
            Some(stanza) => {
                if inner.queue.is_empty() {
                    // An idle session keeps no buffer.
                    inner.queue = VecDeque::new();
                }
                Poll::Ready(stanza)
            }
            None => {
                inner.register(cx);
                Poll::Pending
            }
        }
    }

    /// Asks to be woken for notices even while stanzas are left in the queue.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.lock().register(cx);
    }

    /// The session tells in how many rooms it is.
    pub(crate) fn set_rooms(&self, rooms: usize) {
        self.rooms.store(rooms as u64, Ordering::Relaxed);
    }

    /// In how many rooms the session is.
    pub(crate) fn rooms(&self) -> u64 {
        self.rooms.load(Ordering::Relaxed)
    }

    /// Nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Takes everything queued.
    pub(crate) fn drain(&self) -> VecDeque<Stanza> {
        std::mem::take(&mut self.lock().queue)
    }
}

fn wake(mut inner: MutexGuard<'_, Inner>) {
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_notice_between_taking_notices_and_stanzas_wakes_the_session() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let inbox = Inbox::new(16);
        assert!(!inbox.take_notices().drain);
        inbox.notify(|notices| notices.drain = true);
        assert!(inbox.poll(&cx).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(inbox.take_notices().drain);
        assert!(inbox.poll(&cx).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
