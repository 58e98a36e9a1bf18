//! What was said while the network was away: fetched from it, put into the archive before what is
//! said now, and shown to who is here with the time it was said at (XEP-0203).
//!
//! ```text
//!   back in the room ──History──▶ filling: live messages are held ──nothing new, or 5 s──▶ released
//! ```
//!
//! A message the archive has by its foreign id is not shown twice. Of a network that gives its
//! messages no ids nothing is fetched twice either: it is asked for what follows the last message.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use isthmus_gateway::{Command, Fault, FaultKind, Key, Message, Place, Time};

use super::Room;
use crate::host::session::{Base, Pending};

/// How long live messages are held.
const PATIENCE: Duration = Duration::from_secs(5);
/// Live messages that are held.
const MOST_HELD: usize = 1000;
/// Messages asked for at a time, and how often at most.
const PAGE: u32 = 1000;
const MOST_PAGES: u8 = 20;

/// A gap that is being filled.
#[derive(Debug)]
pub(crate) struct Gap {
    /// Live messages are held until then; `None`: they are not any more.
    until: Option<Instant>,
    held: VecDeque<Message<'static>>,
    /// The time of the newest message that was fetched.
    newest: i64,
    /// The page under way has brought something new.
    fresh: bool,
    pages: u8,
}

impl Room {
    /// The network is gone: what is said from here on is missed, and what was not fetched of an
    /// earlier gap.
    pub(super) fn gap_begins(&mut self, base: &mut Base) {
        self.release(base);
        let filled = self.gap.take().map(|gap| gap.newest);
        if let Some(filled) = filled.or(self.unanswered.take()) {
            self.missed_since = Some(filled);
        }
        if matches!(self.phase, super::Phase::Inside) && self.missed_since.is_none() {
            self.missed_since = Some(self.last_said).filter(|&at| at > 0);
        }
    }

    /// The user is back in the room: asks for what was missed.
    pub(crate) fn fill_gap(&mut self, base: &mut Base) {
        if self.last_said == 0 {
            // Nothing before this moment was ever meant for him.
            self.last_said = base.now_ms;
        }
        let Some(since) = self.missed_since.take() else {
            return;
        };
        let at = Place::Room(self.name.clone().into());
        if self.archive.is_none() || !base.caps_at(&at).history {
            return;
        }
        self.gap = Some(Gap {
            until: Some(base.now + PATIENCE),
            held: VecDeque::new(),
            newest: since,
            fresh: false,
            pages: 0,
        });
        self.ask_history(base);
    }

    fn ask_history(&mut self, base: &mut Base) {
        let Some(gap) = &mut self.gap else { return };
        gap.pages += 1;
        gap.fresh = false;
        let command = Command::History {
            at: Place::Room(self.name.clone().into()),
            after: Time(gap.newest),
            max: PAGE,
        };
        let room = self.key.clone();
        base.issue(command, Pending::History { room });
    }

    /// Takes a live message that has to wait for the gap; gives it back if it need not.
    pub(super) fn held(&mut self, base: &mut Base, message: &Message<'_>) -> bool {
        if self.gap.is_none() {
            // The network is there, whatever it does not answer.
            self.unanswered = None;
        }
        let Some(gap) = self.gap.as_mut().filter(|gap| gap.until.is_some()) else {
            return false;
        };
        if gap.held.len() >= MOST_HELD {
            self.release(base);
            return false;
        }
        gap.held.push_back(message.clone().into_owned());
        true
    }

    /// One of the messages that were missed.
    pub(crate) fn past(&mut self, base: &mut Base, message: &Message<'_>) {
        let time = message.time.map_or(base.now_ms, |Time(ms)| ms);
        let new = !self.has_said(message.key.as_ref());
        if let Some(gap) = &mut self.gap {
            gap.newest = gap.newest.max(time);
            gap.fresh |= new;
        }
        if new {
            self.say(base, message, true);
        }
    }

    /// The network has told what there is, or cannot. It may have more.
    pub(crate) fn past_ended(&mut self, base: &mut Base, fault: Option<&Fault>) {
        if self.gap.is_some() && fault.is_some_and(|it| it.kind == FaultKind::NetworkDown) {
            // Its end comes before it is told that the network is gone.
            return self.gap_begins(base);
        }
        if fault.is_some_and(|it| it.kind == FaultKind::TimedOut) {
            self.unanswered = self.gap.as_ref().map(|gap| gap.newest);
        }
        let more = self.gap.as_ref();
        let more = more.is_some_and(|gap| gap.fresh && gap.pages < MOST_PAGES);
        if fault.is_none() && more {
            return self.ask_history(base);
        }
        self.release(base);
        self.gap = None;
    }

    /// Tells what was held. What is still missed is told when it comes.
    pub(super) fn release(&mut self, base: &mut Base) {
        let Some(gap) = &mut self.gap else { return };
        gap.until = None;
        for message in std::mem::take(&mut gap.held) {
            if !self.has_said(message.key.as_ref()) {
                self.say(base, &message, false);
            }
        }
    }

    /// When what is held has waited long enough.
    pub(super) fn gap_deadline(&self) -> Option<Instant> {
        self.gap.as_ref()?.until
    }

    /// Whether one of the newest messages has this foreign id.
    fn has_said(&mut self, key: Option<&Key<'_>>) -> bool {
        let Some(key) = key else { return false };
        let public = self.public_id(key);
        self.is_recent(&public)
    }
}
