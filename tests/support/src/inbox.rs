//! What a scripted peer has received: a log of everything, and what no test has claimed yet.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Filled by a reader, emptied by a test. Cheap to clone: all clones are the same inbox.
#[derive(Debug)]
pub struct Inbox<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    log: Vec<T>,
    pending: VecDeque<T>,
    closed: bool,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let state = State {
            log: Vec::new(),
            pending: VecDeque::new(),
            closed: false,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }
}

impl<T: Clone + Debug> Inbox<T> {
    /// Adds an item.
    pub fn push(&self, item: T) {
        let mut state = self.state();
        state.log.push(item.clone());
        state.pending.push_back(item);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Says that nothing will come any more, until [`Self::reopen`].
    pub fn close(&self) {
        self.state().closed = true;
        self.0.changed.notify_waiters();
    }

    /// Undoes [`Self::close`].
    pub fn reopen(&self) {
        self.state().closed = false;
    }

    /// Takes the first unclaimed item that fits; the others stay where they are.
    ///
    /// # Errors
    ///
    /// When none comes before `deadline` has passed or the inbox is closed: the reason, and what
    /// is there instead.
    pub async fn take(
        &self,
        deadline: Duration,
        mut fits: impl FnMut(&T) -> bool,
    ) -> Result<T, String> {
        let end = Instant::now() + deadline;
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no push between the two is missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(at) = state.pending.iter().position(&mut fits) {
                    return Ok(state.pending.remove(at).expect("the position is within"));
                }
                if state.closed {
                    return Err(format!("closed; unclaimed: {:#?}", state.pending));
                }
            }
            if timeout_at(end, changed).await.is_err() {
                let state = self.state();
                return Err(format!(
                    "nothing in {deadline:?}; unclaimed: {:#?}",
                    state.pending
                ));
            }
        }
    }

    /// Takes everything unclaimed.
    pub fn drain(&self) -> Vec<T> {
        self.state().pending.drain(..).collect()
    }

    /// Everything that ever came, in order.
    pub fn log(&self) -> Vec<T> {
        self.state().log.clone()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().expect("no holder of the lock panics")
    }
}
