//! How far a conversation was read (IRCv3 draft/read-marker), and what was said while nobody
//! listened (draft/chathistory).
//!
//! The network marks a time, the host a message: the times of the last messages are kept.

use std::collections::VecDeque;
use std::time::Instant;

use isthmus_gateway::{Event, Fault, FaultKind, Key, Message, Place, Sink, Tag, Time, Who};

use super::asked::Want;
use super::caps::Cap;
use super::{Conversation, done};
use crate::line::{Line, server_time, to_iso_millis};

/// A message that was told.
struct Known {
    /// The folded name of the conversation.
    at: Box<[u8]>,
    time: Time,
    key: Box<str>,
}

/// The last messages.
#[derive(Default)]
pub(super) struct Marks {
    known: VecDeque<Known>,
}

/// Messages that are kept in mind.
const MOST_KNOWN: usize = 128;
/// Messages that are asked for at a time, where the network does not say (CHATHISTORY).
const MOST_PAST: u32 = 100;
/// Milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

impl Conversation {
    /// Keeps a message in mind.
    pub(super) fn remember(&mut self, message: &Message<'_>, line: &Line<'_>) {
        if let (Some(Key(key)), Some(time)) = (&message.key, line.time()) {
            let at = match &message.at {
                Place::Room(name) | Place::Contact(name) => self.folded(name),
                _ => return,
            };
            self.marks.add(at, time, key);
        }
    }

    pub(super) fn read(&mut self, tag: Tag, to: &Place<'_>, key: &Key<'_>, sink: &mut dyn Sink) {
        let Some(target) = self.target(tag, to, self.can(Cap::ReadMarker), sink) else {
            return;
        };
        let known = self.marks.known.iter().rev();
        let Some(time) = known.clone().find(|it| *it.key == *key.0).map(|it| it.time) else {
            let fault = Fault::new(
                FaultKind::NoSuchTarget,
                ("that message is not known any more", "该消息已不可知"),
            );
            return done(tag, Err(fault), sink);
        };
        let line = format!("MARKREAD {target} timestamp={}", to_iso_millis(time));
        self.ask(tag, Want::Read, (&target, ""), line, sink);
    }

    /// `MARKREAD target timestamp=...`: the answer, or a word from another client of the user's.
    pub(super) fn on_markread(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(target), Some(stamp)) = (line.param(0), line.param(1)) else {
            return;
        };
        let key = self.folded(target);
        if self.finish(|a| a.want == Want::Read && a.key == key, sink) {
            return;
        }
        let Some(time) = stamp.strip_prefix("timestamp=").and_then(server_time) else {
            return;
        };
        let mut known = self.marks.known.iter().rev();
        let Some(last) = known.find(|it| *it.at == *key && it.time <= time) else {
            return;
        };
        let at = match self.isupport.channel(target) {
            Some(channel) => Place::Room(channel.into()),
            None => Place::Contact(target.into()),
        };
        sink.event(Event::Read {
            at,
            key: Key((&*last.key).into()),
            who: Who::nick(self.me.as_str()),
        });
    }

    /// Asks for what was said after a time, the oldest first.
    pub(super) fn history(
        &mut self,
        tag: Tag,
        at: &Place<'_>,
        (after, max): (Time, u32),
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        let can = self.can(Cap::ChatHistory) && self.can(Cap::Batch);
        let whose = match at {
            Place::Network if can => Some(String::new()),
            _ => self.target(tag, at, can, sink),
        };
        let Some(target) = whose else { return };
        let limit = self.isupport.chat_history.unwrap_or(MOST_PAST);
        let max = max.min(if limit == 0 { u32::MAX } else { limit }).max(1);
        let stamp = to_iso_millis(after);
        let line = match at {
            // Both ends are asked for; the server's clock may be ahead of ours.
            Place::Network => {
                let end = to_iso_millis(Time(self.wall(now).0.saturating_add(DAY)));
                format!("CHATHISTORY TARGETS timestamp={stamp} timestamp={end} {max}")
            }
            _ => format!("CHATHISTORY AFTER {target} timestamp={stamp} {max}"),
        };
        self.ask(tag, Want::History, (&target, ""), line, sink);
    }
}

impl Conversation {
    /// `CHATHISTORY TARGETS target timestamp` in the answer to who wrote: people only, channels
    /// are asked about by themselves.
    pub(super) fn on_chathistory(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let target = line.param(1).unwrap_or("");
        let person = !target.is_empty() && self.isupport.channel(target).is_none();
        if let Some(tag) = self.targets().filter(|_| person) {
            let fields = vec![("contact".into(), target.into())];
            sink.event(Event::Found { tag, fields });
        }
    }
}

impl Marks {
    fn add(&mut self, at: Vec<u8>, time: Time, key: &str) {
        if self.known.len() >= MOST_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(Known {
            at: at.into(),
            time,
            key: key.into(),
        });
    }
}
