//! The sessions of one domain: who is there, who is closing, who may still come.
//!
//! ```text
//!   (none) ──a stanza needs one──▶ Live ──nobody needs it──▶ Closing{parked} ──ended──▶ (none)
//!                                   ▲                              │ something was parked
//!                                   └──────────────────────────────┘
//! ```
//!
//! A stanza for a session that is closing is parked: the new session starts only after the old one
//! has left the network, so a user is never there twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use isthmus_kit::Bucket;

use super::inbox::Inbox;
use super::names::Names;
use super::shared::Limits;
use crate::host::words::Denial;
use crate::xmpp::jid::BareJid;
use crate::xmpp::stream::Stanza;

/// Whose session, on which network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) user: BareJid,
    pub(super) network: Box<str>,
}

enum Slot {
    Live {
        inbox: Arc<Inbox>,
        generation: u64,
    },
    Closing {
        parked: VecDeque<Stanza>,
        generation: u64,
    },
}

/// What came of asking for a session.
pub(super) enum Woken {
    /// There is one.
    Live(Arc<Inbox>),
    /// One is to be opened, in this generation.
    Open(u64),
    /// None can be had now, in words.
    Not(Denial),
}

/// What is counted for one user while he has sessions.
struct PerUser {
    sessions: usize,
    stanzas: Bucket,
}

/// How a stanza wants to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// There is to be a session for it.
    Open,
    /// Only if there is one.
    Ask,
    /// Only if there is one; it ends something, and has places of its own in the queue.
    End,
}

/// What came of offering a stanza.
pub(super) enum Offer {
    /// It is queued.
    Taken,
    /// A session is to be opened for it, in this generation.
    Open(Stanza, u64),
    /// There is no session.
    Absent(Stanza),
    /// It cannot be taken now, in words for its sender.
    Refused(Stanza, Denial),
}

/// The sessions of one domain.
#[derive(Default)]
pub(super) struct Table {
    slots: HashMap<Key, Slot>,
    per_user: HashMap<BareJid, PerUser>,
    networks: HashMap<Box<str>, (Names, usize)>,
    generation: u64,
    /// No more sessions are opened.
    pub(super) draining: bool,
}

const FULL: Denial = Denial::TooMuchWaits;
const TOO_FAST: Denial = Denial::TooFast;

impl Table {
    /// Offers a stanza to the session of `key`.
    pub(super) fn offer(
        &mut self,
        key: &Key,
        stanza: Stanza,
        want: Want,
        limits: &Limits,
        now: Instant,
    ) -> Offer {
        let known = self.per_user.get_mut(&key.user);
        if want != Want::End && known.is_some_and(|user| !user.stanzas.take(now)) {
            return Offer::Refused(stanza, TOO_FAST);
        }
        match self.slots.get_mut(key) {
            Some(Slot::Live { inbox, .. }) => match inbox.offer(stanza, want == Want::End) {
                Ok(()) => Offer::Taken,
                Err(stanza) => Offer::Refused(stanza, FULL),
            },
            _ if want != Want::Open => Offer::Absent(stanza),
            Some(Slot::Closing { parked, .. }) => {
                if parked.len() >= limits.inbox {
                    return Offer::Refused(stanza, FULL);
                }
                parked.push_back(stanza);
                Offer::Taken
            }
            None => match self.why_not(key, limits) {
                Some(text) => Offer::Refused(stanza, text),
                None => {
                    self.generation += 1;
                    Offer::Open(stanza, self.generation)
                }
            },
        }
    }

    /// Asks for a session without a stanza for it.
    pub(super) fn wake(&mut self, key: &Key, limits: &Limits) -> Woken {
        match self.slots.get(key) {
            Some(Slot::Live { inbox, .. }) => Woken::Live(Arc::clone(inbox)),
            Some(Slot::Closing { .. }) => Woken::Not(Denial::SessionLast),
            None => match self.why_not(key, limits) {
                Some(text) => Woken::Not(text),
                None => {
                    self.generation += 1;
                    Woken::Open(self.generation)
                }
            },
        }
    }

    /// Whether the user has any session.
    pub(super) fn has(&self, user: &BareJid) -> bool {
        self.per_user.contains_key(user)
    }

    fn why_not(&self, key: &Key, limits: &Limits) -> Option<Denial> {
        let networks = self.per_user.get(&key.user).map_or(0, |user| user.sessions);
        if self.draining {
            Some(Denial::GatewayShutting)
        } else if networks >= limits.networks_per_user {
            Some(Denial::TooManyNetworks)
        } else if self.slots.len() >= limits.sessions {
            Some(Denial::GatewayFull)
        } else {
            None
        }
    }

    /// Gives a new session its place; returns the names of its network.
    pub(super) fn occupy(
        &mut self,
        key: &Key,
        inbox: Arc<Inbox>,
        generation: u64,
        limits: &Limits,
    ) -> Names {
        let (names, count) = self.networks.entry(key.network.clone()).or_default();
        *count += 1;
        let names = names.clone();
        let user = self.per_user.entry(key.user.clone());
        let user = user.or_insert_with(|| PerUser {
            sessions: 0,
            stanzas: Bucket::new(limits.stanzas_burst, limits.stanzas_per_second.into()),
        });
        user.sessions += 1;
        self.slots
            .insert(key.clone(), Slot::Live { inbox, generation });
        names
    }

    /// Marks a session as closing: what comes for it from now on is parked.
    pub(super) fn close(&mut self, key: &Key, of: u64) {
        if let Some(slot) = self.slots.get_mut(key)
            && matches!(slot, Slot::Live { generation, .. } if *generation == of)
        {
            *slot = Slot::Closing {
                parked: VecDeque::new(),
                generation: of,
            };
        }
    }

    /// Takes a session's place back; returns what was parked for the next.
    pub(super) fn vacate(&mut self, key: &Key, of: u64) -> VecDeque<Stanza> {
        let mut waiting = VecDeque::new();
        match self.slots.remove(key) {
            Some(Slot::Closing { parked, generation }) if generation == of => waiting = parked,
            Some(Slot::Live { generation, .. }) if generation == of => {}
            // The place has another tenant: it stays.
            Some(other) => {
                self.slots.insert(key.clone(), other);
            }
            None => {}
        }
        if let Some(user) = self.per_user.get_mut(&key.user) {
            user.sessions -= 1;
            if user.sessions == 0 {
                self.per_user.remove(&key.user);
            }
        }
        if let Some((_, count)) = self.networks.get_mut(&key.network) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&key.network);
            }
        }
        waiting
    }

    /// The inboxes of all sessions that are not closing.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Key, &Arc<Inbox>)> {
        self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Live { inbox, .. } => Some((key, inbox)),
            Slot::Closing { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::xmpp::stream::{Frame, Limits as StreamLimits, Splitter};

    fn limits() -> Limits {
        Limits {
            networks_per_user: 2,
            sessions: 3,
            inbox: 16,
            stanzas_per_second: 1,
            stanzas_burst: 10,
            ..crate::host::scene::limits()
        }
    }

    fn stanza(id: &str) -> Stanza {
        let mut splitter = Splitter::new(StreamLimits::default());
        let stream = "<stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
        let text = format!("{stream}<message id='{id}'/>");
        splitter.buffer().extend_from_slice(text.as_bytes());
        loop {
            if let Some(Frame::Stanza(stanza)) = splitter.next().expect("well-formed") {
                return stanza;
            }
        }
    }

    fn key(user: &str, network: &str) -> Key {
        Key {
            user: BareJid::parse(user).expect("a JID"),
            network: network.into(),
        }
    }

    fn open(table: &mut Table, key: &Key) -> (Arc<Inbox>, u64) {
        let offer = table.offer(key, stanza("a"), Want::Open, &limits(), Instant::now());
        let Offer::Open(_, generation) = offer else {
            panic!("no session may be opened");
        };
        let inbox = Arc::new(Inbox::new(16));
        table.occupy(key, Arc::clone(&inbox), generation, &limits());
        (inbox, generation)
    }

    #[test]
    fn what_comes_while_a_session_closes_starts_the_next() {
        let (mut table, key) = (Table::default(), key("a@x", "net"));
        let (_, generation) = open(&mut table, &key);
        table.close(&key, generation);
        let now = Instant::now();
        let parked = table.offer(&key, stanza("b"), Want::Open, &limits(), now);
        assert!(matches!(parked, Offer::Taken));
        let left = table.offer(&key, stanza("c"), Want::End, &limits(), now);
        assert!(matches!(left, Offer::Absent(_)), "a leave opens nothing");
        let waiting = table.vacate(&key, generation);
        let ids: Vec<_> = waiting.iter().map(|stanza| stanza.id()).collect();
        assert_eq!(ids, [Some("b".into())]);
        assert!(table.per_user.is_empty() && table.networks.is_empty());
    }

    #[test]
    fn networks_of_a_user_and_sessions_of_all_are_bounded() {
        let mut table = Table::default();
        open(&mut table, &key("a@x", "one"));
        open(&mut table, &key("a@x", "two"));
        let now = Instant::now();
        let third = table.offer(
            &key("a@x", "three"),
            stanza("t"),
            Want::Open,
            &limits(),
            now,
        );
        assert!(matches!(third, Offer::Refused(_, text) if text == Denial::TooManyNetworks));
        open(&mut table, &key("b@x", "one"));
        let full = table.offer(&key("c@x", "one"), stanza("f"), Want::Open, &limits(), now);
        assert!(matches!(full, Offer::Refused(_, text) if text == Denial::GatewayFull));
    }

    #[test]
    fn a_user_who_floods_is_told_to_wait_and_can_still_leave() {
        let (mut table, key) = (Table::default(), key("a@x", "net"));
        let (inbox, _) = open(&mut table, &key);
        let now = Instant::now();
        let mut offer = |id: &str, want, now| table.offer(&key, stanza(id), want, &limits(), now);
        for _ in 0..10 {
            offer("m", Want::Ask, now);
        }
        let refused = offer("m", Want::Ask, now);
        assert!(matches!(refused, Offer::Refused(_, text) if text == TOO_FAST));
        assert!(matches!(offer("leave", Want::End, now), Offer::Taken));
        inbox.drain();
        let later = now + Duration::from_secs(1);
        assert!(matches!(offer("m", Want::Ask, later), Offer::Taken));
    }
}
