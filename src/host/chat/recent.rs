//! What the user said last and who types: small tables of one session.
//!
//! What is not found here any more is asked of the store, which has all of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use isthmus_kit::lean;

/// Messages of the user that are remembered, with their text for corrections.
const MOST: usize = 32;
/// Longest text that is remembered, in bytes.
const LONGEST: usize = 1024;
/// Conversations in which somebody types.
const TYPING: usize = 64;
/// How often it is told again that the user still types.
const AGAIN: Duration = Duration::from_secs(3);

/// A message of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    /// The conversation.
    pub(crate) peer: String,
    /// The id under which his clients know it.
    pub(crate) id: String,
    /// The id of the message that it corrects, in the end; its own otherwise.
    pub(crate) first: String,
    /// Its id on the network.
    pub(crate) key: Option<String>,
    /// What it says now.
    pub(crate) body: String,
}

/// What the user said last.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Oldest first.
    own: VecDeque<Own>,
}

impl Recent {
    /// The user said something.
    pub(crate) fn said(&mut self, mut own: Own) {
        if own.body.len() > LONGEST {
            own.body = String::new();
        }
        if self.own.len() == MOST {
            self.own.pop_front();
        }
        self.own.push_back(own);
    }

    /// The message with that id.
    pub(crate) fn find(&mut self, peer: &str, id: &str) -> Option<&mut Own> {
        let mut all = self.own.iter_mut().rev();
        all.find(|own| own.id == id && own.peer == peer)
    }

    /// The message with that foreign id.
    pub(crate) fn by_key(&self, peer: &str, key: &str) -> Option<&Own> {
        let mut all = self.own.iter();
        all.find(|own| own.key.as_deref() == Some(key) && own.peer == peer)
    }
}

/// Who types where: what is known already is not told again.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    /// The user, in these conversations, told at that time.
    mine: Vec<(String, Instant)>,
    /// Others: conversation and name.
    others: Vec<(String, String)>,
}

impl Typing {
    /// The user types at `peer`, or no longer. Whether the network is to be told.
    pub(crate) fn mine(&mut self, peer: &str, on: bool, now: Instant) -> bool {
        let known = self.mine.iter().position(|(known, _)| known == peer);
        match (known, on) {
            (Some(at), true) => {
                let due = now.saturating_duration_since(self.mine[at].1) >= AGAIN;
                if due {
                    self.mine[at].1 = now;
                }
                due
            }
            (Some(at), false) => {
                self.mine.remove(at);
                true
            }
            (None, true) => {
                if self.mine.len() == TYPING {
                    self.mine.remove(0);
                }
                lean::push(&mut self.mine, (peer.to_owned(), now));
                true
            }
            (None, false) => false,
        }
    }

    /// The user has said something at `peer`: he types no longer, and everybody knows.
    pub(crate) fn said(&mut self, peer: &str) {
        self.mine.retain(|(known, _)| known != peer);
    }

    /// Somebody else types, or no longer. Whether that is news.
    pub(crate) fn other(&mut self, peer: &str, who: &str, on: bool) -> bool {
        let is = |(p, w): &(String, String)| p == peer && w == who;
        let known = self.others.iter().position(is);
        match (known, on) {
            (Some(_), true) | (None, false) => false,
            (Some(at), false) => {
                self.others.remove(at);
                true
            }
            (None, true) => {
                if self.others.len() == TYPING {
                    self.others.remove(0);
                }
                lean::push(&mut self.others, (peer.to_owned(), who.to_owned()));
                true
            }
        }
    }

    /// Somebody else has said something.
    pub(crate) fn heard(&mut self, who: &str) {
        // In every conversation: that he goes on typing elsewhere is told anew.
        if !self.others.is_empty() {
            self.others.retain(|(_, known)| known != who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_is_told_once_until_it_is_due_again() {
        let (mut typing, now) = (Typing::default(), Instant::now());
        assert!(typing.mine("a", true, now));
        assert!(!typing.mine("a", true, now + Duration::from_secs(1)));
        assert!(typing.mine("b", true, now), "another conversation");
        assert!(typing.mine("a", true, now + AGAIN));
        assert!(typing.mine("a", false, now + AGAIN));
        assert!(!typing.mine("a", false, now + AGAIN));
        typing.said("b");
        assert!(!typing.mine("b", false, now), "the message has told it");
    }

    #[test]
    fn others_are_told_of_when_it_changes() {
        let mut typing = Typing::default();
        assert!(typing.other("#a", "alice", true));
        assert!(!typing.other("#a", "alice", true));
        assert!(typing.other("#a", "bob", true));
        typing.heard("alice");
        assert!(!typing.other("#a", "alice", false), "her message told it");
        assert!(typing.other("#a", "bob", false));
    }

    #[test]
    fn the_newest_messages_are_found_by_either_id() {
        let mut recent = Recent::default();
        for n in 0..=MOST {
            recent.said(Own {
                peer: "a".into(),
                id: format!("m{n}"),
                first: format!("m{n}"),
                key: Some(format!("k{n}")),
                body: "x".repeat(LONGEST + n),
            });
        }
        assert!(recent.find("a", "m0").is_none(), "the oldest is forgotten");
        assert!(recent.find("b", "m1").is_none(), "another conversation");
        let last = recent.by_key("a", "k1").expect("it is known");
        assert_eq!((last.id.as_str(), last.body.as_str()), ("m1", ""));
    }
}
