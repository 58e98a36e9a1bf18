//! Requests that the gateway itself makes of others: an iq goes out, its answer is waited for.
//!
//! Ids cannot be guessed, and an answer counts only from whom the request went to (RFC 6120
//! §8.2.3). Who asks again after a broken stream asks anew: requests are never sent twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::oneshot;

use super::post::head;
use crate::component::{Class, Outbox};
use crate::xmpp::element::Element;
use crate::xmpp::stream::Stanza;
use crate::xmpp::write::{Sender, StanzaName, Xml};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that may be open at a time.
const MOST: usize = 4096;

/// Who was asked, and who waits for it.
type Open = HashMap<String, (String, oneshot::Sender<Element>)>;

/// The requests of one domain.
pub(crate) struct Asker {
    outbox: Outbox,
    open: Mutex<Open>,
}

impl Asker {
    /// Nothing is asked yet.
    pub(crate) fn new(outbox: Outbox) -> Arc<Self> {
        let open = Mutex::default();
        Arc::new(Self { outbox, open })
    }

    /// Asks `to` (`type='get'`); the payload of the result. `None`: an error, or no answer in time.
    pub(crate) async fn get(
        &self,
        to: &str,
        payload: impl FnOnce(&mut Xml<'_>),
    ) -> Option<Element> {
        let answer = self.ask(to, "get", payload).await?;
        if answer.attr("type") != Some("result") {
            return None;
        }
        answer.children().next().cloned()
    }

    /// Asks `to` with an iq of that type; the iq that answers, be it an error. `None`: no answer in
    /// time.
    pub(crate) async fn ask(
        &self,
        to: &str,
        kind: &str,
        payload: impl FnOnce(&mut Xml<'_>),
    ) -> Option<Element> {
        self.ask_as(None, to, kind, payload).await
    }

    /// The same in the name of an address of ours, by its localpart.
    pub(crate) async fn ask_as(
        &self,
        local: Option<&str>,
        to: &str,
        kind: &str,
        payload: impl FnOnce(&mut Xml<'_>),
    ) -> Option<Element> {
        let mut random = [0; 16];
        SystemRandom::new().fill(&mut random).ok()?;
        let id = format!("ask-{}", hex::encode(random));
        let (sender, answer) = oneshot::channel();
        {
            let mut open = self.open();
            if open.len() >= MOST {
                return None;
            }
            open.insert(id.clone(), (to.to_owned(), sender));
        }
        let waiting = Waiting { asker: self, id };
        self.outbox.push(|batch| {
            let resource = None;
            let from = Sender { local, resource };
            let head = head(StanzaName::Iq, from, to, Some(kind), Some(&waiting.id));
            batch.stanza(Class::IqRequest, head, payload);
        });
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    /// Takes a result or an error that came for the gateway or an address of ours. False: nothing
    /// of that id was asked.
    pub(crate) fn answered(&self, stanza: &Stanza) -> bool {
        let (Some(id), Some(from)) = (stanza.id(), stanza.from()) else {
            return false;
        };
        let mut open = self.open();
        let asked = open.get(id.as_ref());
        if !asked.is_some_and(|(to, _)| to.eq_ignore_ascii_case(&from)) {
            return false;
        }
        let Some((_, sender)) = open.remove(id.as_ref()) else {
            return false;
        };
        drop(open);
        if let Ok(element) = stanza.element() {
            // Whoever asked may have gone.
            let _ = sender.send(element);
        }
        true
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        // One look-up or one insertion: never half done.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open as long as somebody waits.
struct Waiting<'a> {
    asker: &'a Asker,
    id: String,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.asker.open().remove(&self.id);
    }
}
