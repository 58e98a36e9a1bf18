//! Questions of the gateway itself: iq requests to servers and users, and their answers.
//!
//! An answer counts from whom was asked only. Nothing is asked twice: what is lost with the stream
//! ends by its deadline.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::component::{Class, Outbox};
use crate::host::post::head;
use crate::xmpp::element::Element;
use crate::xmpp::write::{Sender, StanzaName};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whom a question went to, and who waits.
type Open = (String, oneshot::Sender<Element>);

/// The questions of one gateway that are open.
pub(crate) struct Asker {
    /// Tells apart runs of the program.
    run: u64,
    next: AtomicU64,
    open: Mutex<HashMap<String, Open>>,
}

impl Asker {
    /// None is open. `run` is another number in each run of the program.
    pub(crate) fn new(run: u64) -> Self {
        Self {
            run,
            next: AtomicU64::new(0),
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and waits for the iq that answers; `None`: none came.
    pub(crate) async fn ask(
        &self,
        outbox: &Outbox,
        to: &str,
        kind: &str,
        payload: &Element,
    ) -> Option<Element> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("q{:x}-{number}", self.run);
        let (tell, answer) = oneshot::channel();
        self.open().insert(id.clone(), (to.to_owned(), tell));
        outbox.push(|batch| {
            let (name, from) = (StanzaName::Iq, Sender::default());
            let head = head(name, from, to, Some(kind), Some(&id));
            batch.stanza(Class::IqRequest, head, |xml| {
                xml.element(payload);
            });
        });
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        self.open().remove(&id);
        answer.ok()?.ok()
    }

    /// Takes a result or an error; false: nobody asked for it.
    pub(crate) fn answer(
        &self,
        id: &str,
        from: &str,
        iq: impl FnOnce() -> Option<Element>,
    ) -> bool {
        let mut open = self.open();
        if open.get(id).is_none_or(|(asked, _)| asked != from) {
            return false;
        }
        let waiting = open.remove(id);
        drop(open);
        if let (Some((_, tell)), Some(iq)) = (waiting, iq()) {
            // Who asked may have stopped waiting.
            let _ = tell.send(iq);
        }
        true
    }
}
