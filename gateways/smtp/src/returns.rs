//! Sends mail back that came back from a user's server.
//!
//! Such reports are held in memory: what is not sent when the program ends never is, so that none
//! is sent twice. A smarthost that cannot take one now is tried again for about an hour.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use lettre::Address;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::courier::Outward;
use crate::translate::status;
use crate::translate::undelivered::Undelivered;
use crate::transport::send::Sent;

/// Reports that wait or are tried again at a time.
const MOST: usize = 1000;

/// How often one is tried.
const TRIES: u16 = 4;

/// Mails that go back.
pub(crate) struct Returns {
    add: mpsc::UnboundedSender<Back>,
    /// Taken by the one who sends them.
    added: Mutex<Option<mpsc::UnboundedReceiver<Back>>>,
    room: Arc<Semaphore>,
}

/// One, and its place among [`MOST`].
pub(crate) struct Back {
    mail: Undelivered,
    _place: OwnedSemaphorePermit,
}

impl Returns {
    pub(crate) fn new() -> Self {
        let (add, added) = mpsc::unbounded_channel();
        Self {
            add,
            added: Mutex::new(Some(added)),
            room: Arc::new(Semaphore::new(MOST)),
        }
    }

    pub(crate) fn take(&self) -> Option<mpsc::UnboundedReceiver<Back>> {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.take()
    }

    pub(crate) fn add(&self, mail: Undelivered) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return tracing::warn!("too many mails came back: a sender is not told");
        };
        // Nobody listens only after a drain.
        let _ = self.add.send(Back {
            mail,
            _place: place,
        });
    }
}

impl Back {
    /// Sends it, in the end.
    pub(crate) async fn send(self, outward: Option<Arc<Outward>>) {
        let Some(outward) = outward else {
            return tracing::warn!("a mail came back; without a smarthost nobody can be told");
        };
        let (to, content) = match self.mail.compose(&outward.domain, SystemTime::now()) {
            Ok(composed) => composed,
            Err(fault) => {
                return tracing::warn!(
                    why = fault.text.as_str(),
                    "a mail came back: nobody can be told"
                );
            }
        };
        for attempt in 0..TRIES {
            match once(&outward, &to, &content).await {
                Ok(()) => return,
                Err((true, code, text)) if attempt + 1 < TRIES => {
                    tokio::time::sleep(status::retry_after(attempt, code, &text)).await;
                }
                Err((_, _, text)) => {
                    return tracing::warn!(text, "a mail came back: its sender was not told");
                }
            }
        }
    }
}

/// One try; else whether another is worth it, and what was said.
async fn once(
    outward: &Outward,
    to: &Address,
    content: &[u8],
) -> Result<(), (bool, Option<u16>, String)> {
    let begin = || std::future::ready(true);
    match outward.sender.send(None, to, content, begin).await {
        Sent::Accepted => Ok(()),
        Sent::Recalled => Err((false, None, String::new())),
        Sent::Refused { code, text, stage } => {
            let later = code < 500 || stage == status::Stage::Connect;
            Err((later, Some(code), text))
        }
        Sent::Broken(text) => Err((true, None, text.into())),
        Sent::Lacks(words) => Err((false, None, words.into())),
    }
}
