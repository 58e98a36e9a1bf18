//! What people said privately while the network was away: who wrote is asked first, then each
//! conversation, the oldest message first. Live private messages are held until that is told, for
//! five seconds at most, so that archives are in order.
//!
//! ```text
//!   online again ──who wrote?──▶ each person in turn ──nobody is left, or 5 s──▶ released
//! ```
//!
//! A network that is gone again leaves the gap open: it is filled when the network is back, each
//! person's from the last message on that was fetched.
//!
//! A message that was told lately is known by its foreign id and not told twice. When a session
//! begins, the archive says up to when there was one before it (`lookback`).

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use isthmus_gateway::{Command, Fault, FaultKind, Key, Message, Place, Tag, Text, Time};

use super::heard::Private;
use super::lookback::{self, Before, Reading};
use super::{Pending, Session};

/// How long live messages are held.
const PATIENCE: Duration = Duration::from_secs(5);
/// Live events that are held.
const MOST_HELD: usize = 256;
/// People who are asked about.
pub(super) const MOST_PEOPLE: usize = 256;
/// Messages asked for at a time, and how often at most for each person.
const PAGE: u32 = 1000;
const MOST_PAGES: u8 = 20;
/// Messages that are known again.
const MOST_SEEN: usize = 256;

/// What is known of private messages, to miss none.
#[derive(Default)]
pub(super) struct Missed {
    /// When the last one was said, or the network was there first; in milliseconds since 1970.
    last: i64,
    /// Hashes of the foreign ids of the newest.
    seen: VecDeque<u64>,
    /// The network is away: since this time.
    since: Option<i64>,
    gap: Option<Gap>,
    /// People of a gap that is not filled yet, and up to when they were asked about.
    asked: Vec<(Box<str>, i64)>,
    /// Since when something was missed when nobody answered any more: if the network turns out to be
    /// gone, it still is.
    unanswered: Option<i64>,
    /// What the archive tells is being read.
    reading: Option<Reading>,
    /// It could not be read before the network was away again.
    unread: bool,
    /// Since when something was missed, whatever the archive tells.
    behind: Option<i64>,
    /// What it has told, while the first gap is filled.
    before: Option<Before>,
}

/// A gap that is being filled.
#[derive(Debug)]
struct Gap {
    since: i64,
    /// Live events are held until then; `None`: they are not any more.
    until: Option<Instant>,
    held: VecDeque<(Place<'static>, Private)>,
    people: VecDeque<Box<str>>,
    /// Whose turn it is.
    whose: Option<Box<str>>,
    /// The time of the newest message that was fetched of the person whose turn it is.
    newest: i64,
    /// The page under way has brought something new.
    fresh: bool,
    pages: u8,
}

impl Missed {
    /// Something private is told.
    pub(super) fn note(&mut self, message: &Message<'_>, now: i64) {
        let said = message.time.map_or(now, |Time(ms)| ms);
        // A network whose clock is ahead must not make us miss what it says next.
        self.last = self.last.max(said.min(now));
        if let Some(key) = &message.key {
            if self.seen.len() >= MOST_SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(hash(key));
        }
    }

    fn has_seen(&self, message: &Message<'_>) -> bool {
        let key = message.key.as_ref();
        key.is_some_and(|key| self.seen.contains(&hash(key)))
    }

    /// Keeps a live event back while a gap is filled; gives it back if it need not wait.
    pub(super) fn hold(&mut self, at: &Place<'_>, event: Private) -> Option<Private> {
        match self.gap.as_mut() {
            Some(gap) if gap.until.is_some() && gap.held.len() < MOST_HELD => {
                gap.held.push_back((at.clone().into_owned(), event));
                None
            }
            Some(_) => Some(event),
            None => {
                // The network is there, whatever it does not answer.
                if self.unanswered.take().is_some() {
                    self.asked = Vec::new();
                }
                Some(event)
            }
        }
    }

    /// Keeps up to when the person whose turn it was was asked about.
    fn turn_ends(&mut self) {
        let Some(gap) = &mut self.gap else { return };
        let Some(whose) = gap.whose.take() else {
            return;
        };
        self.asked.retain(|(whom, _)| *whom != whose);
        if self.asked.len() < MOST_PEOPLE {
            self.asked.push((whose, gap.newest));
        }
    }

    /// When what is held has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.gap.as_ref()?.until
    }
}

impl Session {
    /// The network is gone: what is said privately from here on is missed, and what was not told
    /// of an earlier gap.
    pub(super) fn private_gap_begins(&mut self) {
        self.release_private();
        self.missed.turn_ends();
        let gap = self.missed.gap.take();
        let read = self.missed.reading.take().is_none();
        self.missed.unread |= !read;
        // While the archive is read nobody knows yet since when.
        let open = gap.filter(|_| read).map(|gap| gap.since);
        let open = open.or(self.missed.unanswered.take());
        let open = self.missed.behind.take().or(open);
        let since = open.unwrap_or(self.missed.last);
        if since > 0 && self.missed.since.is_none() {
            self.missed.since = Some(since);
        }
    }

    /// The network is there: asks who wrote meanwhile.
    pub(super) fn fill_private_gap(&mut self) {
        let since = self.missed.since.take();
        let first = self.missed.last == 0;
        if first {
            self.missed.last = self.base.now_ms;
        }
        if !self.base.facts.caps.history {
            return;
        }
        let looks = first || std::mem::take(&mut self.missed.unread);
        if looks && self.base.archives() {
            self.open_gap(self.base.now_ms);
            self.missed.behind = since;
            self.missed.reading = Some(lookback::before(&self.base));
        } else if let Some(since) = since {
            self.open_gap(since);
            self.ask_past(Place::Network, since, None);
        }
    }

    fn open_gap(&mut self, since: i64) {
        self.missed.gap = Some(Gap {
            since,
            until: Some(self.base.now + PATIENCE),
            held: VecDeque::new(),
            people: VecDeque::new(),
            whose: None,
            newest: since,
            fresh: false,
            pages: 0,
        });
    }

    /// Takes what the archive tells, when it has been read. Whether it has.
    pub(crate) fn poll_before(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(reading) = &mut self.missed.reading else {
            return false;
        };
        let Poll::Ready(before) = reading.as_mut().poll(cx) else {
            return false;
        };
        self.missed.reading = None;
        let told = before.as_ref().map(|it| it.since(self.base.now_ms));
        let since = told.into_iter().chain(self.missed.behind.take()).min();
        match (since, &mut self.missed.gap) {
            (Some(since), Some(gap)) => {
                (gap.since, gap.newest) = (since, since);
                self.missed.before = before;
                self.ask_past(Place::Network, since, None);
            }
            _ => {
                self.release_private();
                self.missed.gap = None;
            }
        }
        true
    }

    fn ask_past(&mut self, at: Place<'static>, since: i64, whom: Option<Box<str>>) {
        let command = Command::History {
            at,
            after: Time(since),
            max: PAGE,
        };
        self.base.issue(command, Pending::Missed { whom });
    }

    /// Somebody wrote meanwhile.
    pub(super) fn wrote_meanwhile(&mut self, fields: &[(Text<'_>, Text<'_>)]) {
        let name = fields.iter().find(|(label, _)| label == "contact");
        let (Some(gap), Some((_, name))) = (&mut self.missed.gap, name) else {
            return;
        };
        if gap.people.len() < MOST_PEOPLE && !self.base.facts.fold.same(name, &self.base.facts.me) {
            gap.people.push_back(name.as_ref().into());
        }
    }

    /// What was said while nobody listened.
    pub(super) fn told_of_the_past(&mut self, tag: Tag, message: Message<'_>) {
        match self.base.pending(tag) {
            Some(Pending::History { room }) => {
                let room = room.clone();
                self.past(&room, &message);
            }
            Some(Pending::Missed { .. }) => {
                for part in self.parts_of(message.into_owned()) {
                    self.missed(part);
                }
            }
            _ => {}
        }
    }

    /// One of the messages that were missed.
    pub(super) fn missed(&mut self, message: Message<'static>) {
        let time = message.time.map_or(self.base.now_ms, |Time(ms)| ms);
        let before = self.missed.before.as_ref();
        let told = before.is_some_and(|it| it.has(&mut self.base.ids, message.key.as_ref(), time));
        let new = !told && !self.missed.has_seen(&message);
        if let Some(gap) = &mut self.missed.gap {
            gap.newest = gap.newest.max(time);
            gap.fresh |= new;
        }
        if new {
            self.private = true;
            let at = message.at.clone();
            self.private_now(&at, Private::Said(Box::new(message)));
        }
    }

    /// The network has told what there is, or cannot.
    pub(super) fn past_ended(&mut self, whom: Option<Box<str>>, fault: Option<&Fault>) {
        if self.missed.gap.is_some() && fault.is_some_and(|it| it.kind == FaultKind::NetworkDown) {
            // Its end comes before it is told that the network is gone.
            return self.private_gap_begins();
        }
        let Some(gap) = &mut self.missed.gap else {
            return;
        };
        let well = fault.is_none();
        if fault.is_some_and(|it| it.kind == FaultKind::TimedOut) {
            self.missed.unanswered = Some(gap.since);
        }
        if let Some(whom) = whom.filter(|_| well && gap.fresh && gap.pages < MOST_PAGES) {
            gap.pages += 1;
            gap.fresh = false;
            let newest = gap.newest;
            return self.ask_past(Place::Contact(whom.to_string().into()), newest, Some(whom));
        }
        self.missed.turn_ends();
        let (missed, asked) = (&mut self.missed.gap, &self.missed.asked);
        if let Some(gap) = missed
            && let Some(next) = gap.people.pop_front()
        {
            let asked = asked.iter().find(|(whom, _)| *whom == next);
            let since = asked.map_or(gap.since, |&(_, until)| until.max(gap.since));
            (gap.newest, gap.fresh, gap.pages) = (since, false, 1);
            gap.whose = Some(next.clone());
            return self.ask_past(Place::Contact(next.to_string().into()), since, Some(next));
        }
        self.release_private();
        (self.missed.gap, self.missed.before) = (None, None);
        if self.missed.unanswered.is_none() {
            self.missed.asked = Vec::new();
        }
    }

    /// Tells what was held. What is still missed is told when it comes.
    pub(super) fn release_private(&mut self) {
        let Some(gap) = &mut self.missed.gap else {
            return;
        };
        gap.until = None;
        for (at, event) in std::mem::take(&mut gap.held) {
            match &event {
                Private::Said(message) if self.missed.has_seen(message) => {}
                _ => self.private_now(&at, event),
            }
        }
    }
}

fn hash(key: &Key<'_>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    key.0.hash(&mut hasher);
    hasher.finish()
}
