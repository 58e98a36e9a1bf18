//! The archive (XEP-0313 1.1.3, `urn:xmpp:mam:2` with `#extended`): one for each user of each room
//! and each contact, asked at its bare JID.
//!
//! * `query`: what is asked for; `page`: the rows that answer it (XEP-0059); `answer`: how they are
//!   told (XEP-0297).
//! * `file`: what is archived of private messages. What is said in rooms is archived by the room.
//! * `prune`: how archives are kept small.
//!
//! A user sees what his own connection saw, and nobody else's archive. Preferences (XEP-0441) are
//! not asked for: the operator decides per gateway.

mod answer;
mod file;
mod page;
mod prune;
mod query;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isthmus_gateway::{Kind, Parsed};

pub(crate) use self::file::{Filing, Moderated, copy_of, stone};
pub(crate) use self::prune::keep_small;
use self::query::{Query, form};
use super::desk::{Desk, store_fault};
use super::errand::{Answer, Done};
use super::reply::Origin;
use super::shared::Shared;
use crate::host::words::Denial;
use crate::store::StoreFault;
use crate::store::archives::{Kept, Stretch};
use crate::xmpp::element::Element;
use crate::xmpp::escape::unescape;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::stream::{Stanza, StanzaKind};

/// Requests of one user that are worked on at a time.
const AT_A_TIME: usize = 4;

/// Rows that are removed at a time.
const ERASED: usize = 500;

/// Ids of pages that were told, which are asked for next.
const REMEMBERED: usize = 1024;

/// Who reads, and where pages ended.
#[derive(Default)]
pub(crate) struct Readers {
    at_work: Mutex<HashMap<BareJid, usize>>,
    ends: Mutex<page::Ends>,
}

impl Readers {
    fn at_work(&self) -> MutexGuard<'_, HashMap<BareJid, usize>> {
        // Nothing leaves the table half-changed.
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; false: this user has enough.
    fn enter(&self, user: &BareJid) -> bool {
        let mut at_work = self.at_work();
        let places = at_work.entry(user.clone()).or_default();
        let free = *places < AT_A_TIME;
        *places += usize::from(free);
        free
    }

    fn leave(&self, user: &BareJid) {
        let mut at_work = self.at_work();
        if let Some(places) = at_work.get_mut(user) {
            *places -= 1;
            if *places == 0 {
                at_work.remove(user);
            }
        }
    }
}

/// A place that is given back whatever becomes of the work.
struct Reading {
    desk: Arc<Desk>,
    user: BareJid,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.desk.readers.leave(&self.user);
    }
}

/// What is asked of an archive.
enum Request {
    Form,
    Metadata,
    Query(Box<Query>),
}

/// An archive, and who asks for it.
struct Asked {
    /// Its address: a bare JID.
    peer: String,
    user: BareJid,
    /// Of a room, not of a person.
    room: bool,
}

impl Desk {
    /// Takes an iq request to an archive; false: it is for somebody else.
    pub(crate) fn archive(self: &Arc<Self>, stanza: &Stanza, user: &BareJid, to: &Jid) -> bool {
        if stanza.kind() != StanzaKind::Iq
            || to.resource().is_some()
            || !names_archive(stanza.bytes())
            || !self.shared.archives(self.outbox.domain())
        {
            return false;
        }
        let local = unescape(to.local().unwrap_or_default());
        let room = match self.gateway.parse(&local, "") {
            Ok(Parsed::Canonical(address)) => match address.kind {
                Kind::Room => true,
                Kind::Group => self.gateway.manifest().caps.rooms,
                Kind::Contact => false,
                Kind::Gateway | Kind::Network | Kind::Pattern => return false,
            },
            _ => return false,
        };
        let lang = self.shared.language_of(self.outbox.domain(), user);
        let (Some(origin), Ok(element)) = (Origin::of(stanza, lang), stanza.element()) else {
            return false;
        };
        let get = stanza.kind_attr().as_deref() == Some("get");
        let mut payloads = element.children();
        let (Some(payload), None) = (payloads.next(), payloads.next()) else {
            return false;
        };
        let request = match (payload.name(), payload.ns(), get) {
            ("query", ns::MAM, true) => Ok(Request::Form),
            ("query", ns::MAM, false) => {
                Query::of(payload).map(|query| Request::Query(Box::new(query)))
            }
            ("metadata", ns::MAM, true) => Ok(Request::Metadata),
            _ => return false,
        };
        let asked = Asked {
            peer: to.bare().to_string(),
            user: user.clone(),
            room,
        };
        match request {
            Err((condition, text)) => self
                .errands
                .answer(origin, Answer::Error(condition, text.into())),
            Ok(Request::Form) => self.errands.answer(origin, Answer::Result(Some(form()))),
            Ok(request) => self.read(origin, asked, request),
        }
        true
    }

    fn read(self: &Arc<Self>, origin: Origin, asked: Asked, request: Request) {
        if !self.readers.enter(&asked.user) {
            let text = Denial::TooManyRequests.into();
            let full = Answer::Error(Condition::ResourceConstraint, text);
            return self.errands.answer(origin, full);
        }
        let reading = Reading {
            desk: Arc::clone(self),
            user: asked.user.clone(),
        };
        self.errands.run(origin.clone(), async move {
            let desk = &reading.desk;
            let answer = match request {
                Request::Query(query) => desk.query(&origin, &asked, &query).await,
                _ => desk.metadata(&asked).await,
            };
            Done::with(answer.unwrap_or_else(|refusal| refusal))
        });
    }

    async fn kept(&self, asked: &Asked) -> Result<Option<Kept>, Answer> {
        let (user, domain) = (asked.user.as_str(), self.outbox.domain());
        let kept = self.shared.store.archives(user, domain, Some(&asked.peer));
        let kept = kept.await.map_err(|fault| store_fault(&fault))?;
        Ok(kept.into_iter().next())
    }

    /// XEP-0313 §5: the first and the last message.
    async fn metadata(&self, asked: &Asked) -> Result<Answer, Answer> {
        let mut metadata = Element::new("metadata", ns::MAM);
        if let Some(kept) = self.kept(asked).await? {
            for (name, newest) in [("start", false), ("end", true)] {
                let end = self.shared.store.stretch(kept.id, Stretch::ALL, newest, 1);
                let end = end.await.map_err(|fault| store_fault(&fault))?;
                for row in end {
                    let stamp = super::delay::stamp(row.at);
                    let end = Element::new(name, ns::MAM).with_attr("id", &row.id);
                    metadata = metadata.with_child(end.with_attr("timestamp", &stamp));
                }
            }
        }
        Ok(Answer::Result(Some(metadata)))
    }

    async fn query(&self, origin: &Origin, asked: &Asked, query: &Query) -> Result<Answer, Answer> {
        let kept = self.kept(asked).await?;
        let with = page::With::of(query.with.as_ref(), &asked.peer, &asked.user, asked.room);
        let page = page::read(&*self.shared.store, kept, query, &with, &self.readers.ends).await?;
        answer::tell(&self.outbox, origin, asked.room, query, &page);
        Ok(Answer::Result(Some(answer::fin(&page))))
    }
}

/// Removes all rows of these archives, a few at a time; how many it were.
pub(crate) async fn erase(shared: &Shared, kept: &[Kept]) -> Result<usize, StoreFault> {
    let mut gone = 0;
    for Kept { id, .. } in kept {
        loop {
            let some = shared.store.erase(*id, ERASED).await?;
            gone += some;
            if some < ERASED {
                break;
            }
        }
    }
    Ok(gone)
}

/// Whether the bytes of a stanza hold the archive's namespace: most requests do not, and are not
/// parsed for it.
fn names_archive(bytes: &[u8]) -> bool {
    let ns = ns::MAM.as_bytes();
    bytes.windows(ns.len()).any(|some| some == ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_requests_at_a_time_and_no_more() {
        let readers = Readers::default();
        let juliet = BareJid::parse("juliet@example.org").expect("a JID");
        let romeo = BareJid::parse("romeo@example.org").expect("a JID");
        for _ in 0..AT_A_TIME {
            assert!(readers.enter(&juliet));
        }
        assert!(!readers.enter(&juliet));
        assert!(readers.enter(&romeo), "another's places are his own");
        readers.leave(&juliet);
        assert!(readers.enter(&juliet));
        readers.leave(&romeo);
        assert!(!readers.at_work().contains_key(&romeo));
    }
}
