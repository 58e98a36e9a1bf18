//! Requests whose answer has to be waited for: what they ask of the store or of a gateway happens
//! in a task of its own, and each is answered exactly once, whatever becomes of that task.
//!
//! The answer has a deadline; the work has none. What was begun at the store is carried through,
//! and who was told `remote-server-timeout` was told that the outcome is not known.
//!
//! A gateway has so many places for requests under way, and each user a share of them: who asks
//! faster than he is answered hears `resource-constraint`, and nobody else notices.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use isthmus_gateway::{Fault, FaultKind};
use tokio::sync::Semaphore;

use super::fault::bare;
use super::post::head;
use super::reply::Origin;
use super::words::{Lang, Said};
use crate::component::{Class, Outbox};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::write::StanzaName;

/// How long an asker waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that may wait at a time, per gateway.
const WAITING: usize = 256;

/// Those of one user (bare JID) among them.
const SHARE: usize = 16;

/// How a request ends.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An iq's result, with its payload.
    Result(Option<Element>),
    /// Words to who wrote to the gateway, as a message with this id.
    Words { id: String, text: String },
    /// The same to who typed something in a room, and there: its id and the words, which are of the
    /// moment.
    Whisper(String, String),
    /// A stanza error.
    Fault(Fault),
    /// A stanza error with these words.
    Error(Condition, Said),
    /// A stanza error of an iq with a condition of its own: name and namespace.
    Specific(Condition, (&'static str, &'static str), Said),
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Sends what follows an answer.
type Then = Box<dyn FnOnce(&Outbox) + Send>;

/// An answer, and what follows it.
pub(crate) struct Done {
    answer: Answer,
    lang: Option<Lang>,
    then: Option<Then>,
}

impl Done {
    /// Nothing follows.
    pub(crate) fn with(answer: impl Into<Answer>) -> Self {
        Self {
            answer: answer.into(),
            lang: None,
            then: None,
        }
    }

    /// In another language than that of the request: the one the asker has set.
    #[must_use]
    pub(crate) fn in_lang(mut self, lang: Lang) -> Self {
        self.lang = Some(lang);
        self
    }

    /// With stanzas that are sent behind the answer.
    #[must_use]
    pub(crate) fn then(mut self, then: impl FnOnce(&Outbox) + Send + 'static) -> Self {
        self.then = Some(Box::new(then));
        self
    }
}

/// The requests of one gateway that wait.
pub(crate) struct Errands {
    outbox: Outbox,
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
}

/// How many requests of each user are under way; who has none is not in it.
#[derive(Default)]
struct Shares(Mutex<HashMap<Box<str>, usize>>);

impl Shares {
    /// One more request of who asks from this JID, unless his share is used up.
    fn take(self: &Arc<Self>, peer: &str) -> Option<Share> {
        let user = peer.split('/').next().unwrap_or_default();
        let mut taken = self.taken();
        match taken.get_mut(user) {
            Some(of_his) if *of_his >= SHARE => return None,
            Some(of_his) => *of_his += 1,
            None => {
                taken.insert(user.into(), 1);
            }
        }
        Some(Share {
            of: Arc::clone(self),
            user: user.into(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        // A count is changed at once or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a user's share, given back when it is dropped.
struct Share {
    of: Arc<Shares>,
    user: Box<str>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        if let Some(of_his) = taken.get_mut(&self.user) {
            *of_his -= 1;
            if *of_his == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

impl Errands {
    /// None waits yet.
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            places: Arc::new(Semaphore::new(WAITING)),
            shares: Arc::default(),
        }
    }

    /// Answers `origin` with what comes of `work`. Must be called within a tokio runtime.
    pub(crate) fn run<W>(&self, origin: Origin, work: W)
    where
        W: Future<Output = Done> + Send + 'static,
    {
        let share = self.shares.take(&origin.peer);
        let mut owed = Owed {
            origin: Some(origin),
            outbox: self.outbox.clone(),
        };
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (Some(share), Ok(place)) = (share, place) else {
            return owed.pay(Answer::Fault(bare(FaultKind::Full)));
        };
        tokio::spawn(async move {
            tokio::pin!(work);
            let done = tokio::select! {
                done = &mut work => done,
                () = tokio::time::sleep(PATIENCE) => {
                    owed.pay(Answer::Fault(bare(FaultKind::TimedOut)));
                    work.await
                }
            };
            // Who hears the answer may ask again.
            drop(share);
            if let (Some(origin), Some(lang)) = (&mut owed.origin, done.lang) {
                origin.lang = lang;
            }
            owed.pay(done.answer);
            if let Some(then) = done.then {
                then(&owed.outbox);
            }
            drop(place);
        });
    }

    /// Answers at once.
    pub(crate) fn answer(&self, origin: Origin, answer: impl Into<Answer>) {
        let mut owed = Owed {
            origin: Some(origin),
            outbox: self.outbox.clone(),
        };
        owed.pay(answer.into());
    }
}

/// An answer that is owed. Dropped unpaid, as by a panic, it is an error.
struct Owed {
    origin: Option<Origin>,
    outbox: Outbox,
}

impl Owed {
    /// Answers, unless that was done.
    fn pay(&mut self, answer: Answer) {
        let Some(origin) = self.origin.take() else {
            return;
        };
        match answer {
            Answer::Result(payload) => origin.result(&self.outbox, |xml| {
                if let Some(payload) = payload {
                    xml.element(&payload);
                }
            }),
            Answer::Words { id, text } => self.write(&origin, &id, &text, false),
            Answer::Whisper(id, text) => self.write(&origin, &id, &text, true),
            Answer::Fault(fault) => origin.fault(&self.outbox, &fault),
            Answer::Error(condition, text) => origin.error(&self.outbox, condition, text),
            Answer::Specific(condition, (specific, of), text) => {
                let how = (condition, condition.default_type());
                origin.refuse(&self.outbox, how, text, |xml| {
                    xml.leaf(specific, of);
                });
            }
        }
    }

    fn write(&self, origin: &Origin, id: &str, words: &str, inside: bool) {
        let kind = if inside { "groupchat" } else { "chat" };
        self.outbox.push(|batch| {
            let (name, from) = (StanzaName::Message, origin.sender());
            let head = head(name, from, &origin.peer, Some(kind), Some(id));
            batch.stanza(Class::Message, head, |xml| {
                xml.text_element("body", words);
                if inside {
                    xml.leaf("no-store", ns::HINTS);
                }
            });
        });
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.pay(Answer::Fault(bare(FaultKind::Internal)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Tap;
    use crate::xmpp::stream::{Frame, Limits, Splitter};

    fn origin(id: &str) -> Origin {
        origin_of("juliet", id)
    }

    fn origin_of(user: &str, id: &str) -> Origin {
        let mut splitter = Splitter::new(Limits::default());
        let text = format!(
            "<stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams'>\
             <iq from='{user}@example.org/phone' to='loop.example.org' type='get' id='{id}'/>"
        );
        splitter.buffer().extend_from_slice(text.as_bytes());
        loop {
            if let Some(Frame::Stanza(stanza)) = splitter.next().expect("well-formed") {
                return Origin::of(&stanza, Lang::En).expect("a request");
            }
        }
    }

    fn errands() -> (Errands, Tap) {
        let (outbox, tap) = Tap::new("loop.example.org");
        (Errands::new(outbox), tap)
    }

    #[tokio::test]
    async fn a_panic_is_answered_like_any_other_end() {
        let (errands, mut tap) = errands();
        errands.run(origin("a"), async { panic!("on purpose") });
        let mut answer = tap.read();
        while answer.is_empty() {
            tap.stirred().await;
            answer = tap.read();
        }
        assert!(answer.contains("internal-server-error"), "{answer}");
        assert_eq!(answer.matches("<iq").count(), 1, "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_once_and_the_work_goes_on() {
        let (errands, mut tap) = errands();
        let (told, hears) = tokio::sync::oneshot::channel();
        errands.run(origin("a"), async {
            tokio::time::sleep(PATIENCE * 2).await;
            Done::with(Answer::Result(None)).then(|_| told.send(()).expect("heard"))
        });
        hears.await.expect("the work is carried through");
        let answer = tap.read();
        assert!(answer.contains("remote-server-timeout"), "{answer}");
        assert_eq!(answer.matches("<iq").count(), 1, "{answer}");
    }

    #[tokio::test]
    async fn a_full_waiting_room_answers_resource_constraint() {
        let (errands, mut tap) = errands();
        for user in 0..WAITING {
            let origin = origin_of(&format!("user{user}"), "a");
            errands.run(origin, std::future::pending());
        }
        errands.run(origin("b"), std::future::pending());
        let answer = tap.read();
        assert!(answer.contains("resource-constraint"), "{answer}");
        assert_eq!(answer.matches("<iq").count(), 1, "{answer}");
    }

    #[tokio::test]
    async fn who_has_his_share_under_way_leaves_places_to_others() {
        let (errands, mut tap) = errands();
        let done = Arc::new(tokio::sync::Notify::new());
        for _ in 0..SHARE {
            let done = Arc::clone(&done);
            errands.run(origin("a"), async move {
                done.notified().await;
                Done::with(Answer::Result(None))
            });
        }
        errands.run(origin("b"), async { Done::with(Answer::Result(None)) });
        let answer = tap.read();
        assert!(answer.contains("resource-constraint"), "{answer}");
        assert_eq!(answer.matches("<iq").count(), 1, "{answer}");
        errands.run(origin_of("romeo", "c"), async {
            Done::with(Answer::Result(None))
        });
        let mut answer = tap.read();
        while answer.is_empty() {
            tap.stirred().await;
            answer = tap.read();
        }
        assert!(answer.contains("type='result'"), "{answer}");
        done.notify_one();
        let mut answer = tap.read();
        while answer.is_empty() {
            tap.stirred().await;
            answer = tap.read();
        }
        errands.run(origin("d"), async { Done::with(Answer::Result(None)) });
        let mut answer = tap.read();
        while answer.is_empty() {
            tap.stirred().await;
            answer = tap.read();
        }
        assert!(answer.contains("type='result'"), "{answer}");
        assert_eq!(errands.shares.taken().len(), 1, "only who has some is kept");
    }
}
