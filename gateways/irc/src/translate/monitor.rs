//! Who of the people a user knows is there: MONITOR (IRCv3 monitor), else WATCH, else ISON asked
//! every minute. And when the nickname is free that the user wants and did not get.
//!
//! What is watched is the host's to know: it says so again with every connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use isthmus_gateway::{Event, Fault, FaultKind, Outcome, Sink, Tag};

use super::asked::Want;
use super::queue::Owner;
use super::send::is_target;
use super::{Conversation, GIVE_UP, done};
use crate::line::Line;

/// Somebody watched.
struct Watched {
    nick: Box<str>,
    key: Box<[u8]>,
    online: Option<bool>,
    /// The network's list is full: asked for by ISON.
    polled: bool,
}

/// All who are watched.
#[derive(Default)]
pub(super) struct Watch {
    watched: Vec<Watched>,
    /// The questions that are open: the folded nicknames of each.
    asked: VecDeque<Vec<Box<[u8]>>>,
    /// When to ask again.
    due: Option<Instant>,
    /// The nickname the user wants and somebody else had when he came.
    wish: Option<Wish>,
    /// He got it back: a network that takes it again at once is not fought faster for that.
    pause: Option<Pause>,
    /// When he asked, by a line of his own, for his id in place of a nickname.
    given_up: Option<Instant>,
    /// The folded nickname of the first entry, asked for without anybody waiting for an answer.
    first: Option<Vec<u8>>,
}

/// It is kept until the user is called so. Services may hold the nickname back, or take it away
/// again: it is tried again with growing pauses.
struct Wish {
    nick: String,
    key: Vec<u8>,
    polled: bool,
    /// Nobody is called so, as far as is known.
    free: bool,
    pause: Pause,
}

/// Between the tries to take a nickname.
#[derive(Clone, Copy)]
struct Pause {
    /// Not to be tried before.
    next: Instant,
    tries: u32,
}

/// How the network watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Monitor,
    Watch,
    Ison,
}

/// People watched at most.
const MOST_WATCHED: usize = 500;
/// Between two questions.
const EACH: Duration = Duration::from_secs(60);
/// Between the first two tries to take a nickname; each pause is twice the last, up to an hour.
const NEXT_TRY: Duration = Duration::from_secs(60);
const MOST_DOUBLED: u32 = 6;
/// After so long without another try the pauses begin anew.
const KEPT: Duration = Duration::from_secs(3600);
/// Bytes of nicknames in one question.
const ISON_BYTES: usize = 400;

impl Conversation {
    fn way(&self) -> Way {
        match (self.isupport.monitor, self.isupport.watch) {
            (true, _) => Way::Monitor,
            (_, true) => Way::Watch,
            _ => Way::Ison,
        }
    }

    pub(super) fn watch(
        &mut self,
        tag: Tag,
        nick: &str,
        on: bool,
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        let key = self.folded(nick);
        let known = self.watch.watched.iter().any(|it| *it.key == *key);
        if !is_target(nick) {
            let fault = Fault::new(
                FaultKind::BadAddress,
                ("not a name that IRC can carry", "不是 IRC 可用的名称"),
            );
            return done(tag, Err(fault), sink);
        }
        if on && !known && (self.watch.watched.len() >= MOST_WATCHED || !self.queue.fits(1)) {
            let fault = Fault::new(
                FaultKind::Full,
                ("too many people are watched already", "关注的人已过多"),
            );
            return done(tag, Err(fault), sink);
        }
        done(tag, Ok(Outcome::Finished), sink);
        if on == known {
            return;
        }
        let sign = if on { '+' } else { '-' };
        let way = self.way();
        match way {
            Way::Monitor => self
                .queue
                .push(format!("MONITOR {sign} {nick}"), Owner::None),
            Way::Watch => self.queue.push(format!("WATCH {sign}{nick}"), Owner::None),
            Way::Ison => {}
        }
        if !on {
            return self.watch.watched.retain(|it| *it.key != *key);
        }
        let polled = way == Way::Ison;
        self.watch.watched.push(Watched {
            nick: nick.into(),
            key: key.into(),
            online: None,
            polled,
        });
        if polled {
            // Together with others that are named now.
            self.watch.due = Some(now);
        }
    }

    pub(super) fn is_watched(&self, nick: &str) -> bool {
        let fold = &self.isupport.fold;
        self.watch
            .watched
            .iter()
            .any(|it| fold.same(&it.nick, nick))
    }

    /// Somebody else had the user's nickname when he came, or the network took it from both: he
    /// takes it when it is free.
    pub(super) fn want_back(&mut self, now: Instant) {
        let nick = self.nick_for(&self.settings.nick);
        if self.is_me(&nick) || self.watch.wish.is_some() {
            return;
        }
        let way = self.way();
        match way {
            Way::Monitor => self.queue.push(format!("MONITOR + {nick}"), Owner::None),
            Way::Watch => self.queue.push(format!("WATCH +{nick}"), Owner::None),
            Way::Ison => self.watch.due = Some(now + EACH),
        }
        let (key, polled) = (self.folded(&nick), way == Way::Ison);
        let pause = self.watch.pause.filter(|pause| now < pause.next + KEPT);
        let pause = pause.unwrap_or(Pause {
            next: now,
            tries: 0,
        });
        self.watch.wish = Some(Wish {
            nick,
            key,
            polled,
            free: false,
            pause,
        });
    }

    /// The user has another nickname by his own will: that is it, then.
    pub(super) fn content(&mut self) {
        self.watch.wish = None;
        self.watch.first = None;
    }

    /// Takes the nickname of the first entry; when it cannot be had now, it is wanted back.
    pub(super) fn take_first(&mut self, nick: &str) {
        self.watch.first = Some(self.folded(nick));
        self.queue.push(format!("NICK {nick}"), Owner::None);
    }

    /// The user is called something else, not by his own will. It may be what he wanted.
    pub(super) fn is_called(&mut self, nick: &str) {
        let key = self.folded(nick);
        self.watch.first.take_if(|first| *first == key);
        if let Some(wish) = self.watch.wish.take_if(|wish| wish.key == key) {
            self.watch.pause = Some(wish.pause);
        }
    }

    /// The user wants no nickname for now but his id: the next one is that.
    pub(super) fn give_up_nick(&mut self) {
        self.watch.given_up = Some(self.clock);
    }

    /// Whether a new nickname answers that.
    pub(super) fn has_given_up_nick(&mut self) -> bool {
        let since = self.watch.given_up.take();
        since.is_some_and(|at| self.clock < at + GIVE_UP)
    }

    /// Nobody is called so any more.
    pub(super) fn freed(&mut self, nick: &str) {
        if self.watch.wish.is_some() {
            let key = self.folded(nick);
            self.freed_key(&key, true);
        }
    }

    fn freed_key(&mut self, key: &[u8], free: bool) {
        let wish = self.watch.wish.as_mut();
        if let Some(wish) = wish.filter(|wish| wish.key == key) {
            wish.free = free;
            self.take_back();
        }
    }

    /// Takes the nickname that is free, if it is time.
    fn take_back(&mut self) {
        let now = self.clock;
        let wish = self.watch.wish.as_mut();
        let Some(wish) = wish.filter(|wish| wish.free && wish.pause.next <= now) else {
            return;
        };
        let pause = &mut wish.pause;
        pause.next = now + NEXT_TRY * (1 << pause.tries.min(MOST_DOUBLED));
        pause.tries += 1;
        let line = format!("NICK {}", wish.nick);
        self.queue.push(line, Owner::None);
    }

    /// The network does not give the nickname yet that was tried without anybody asking: because
    /// it is free again, or for the first entry. False: this is about another.
    pub(super) fn on_wish_refused(&mut self, later: bool, line: &Line<'_>) -> bool {
        self.watch.given_up = None;
        let own = |asked: &super::Asked| asked.want == Want::Nick && asked.gone.is_some();
        if self.asked.iter().any(own) {
            return false;
        }
        let Some(named) = line.param(1).map(|nick| self.folded(nick)) else {
            return false;
        };
        if let Some(wish) = &self.watch.wish {
            return wish.pause.tries > 0 && named == wish.key;
        }
        // What no server would ever give is told.
        let first = self.watch.first.take_if(|first| *first == named);
        let wanted = first.is_some() && later;
        if wanted {
            self.want_back(self.clock);
        }
        wanted
    }

    /// Another connection: nobody is watched there yet.
    pub(super) fn unwatch(&mut self) {
        self.watch = Watch::default();
    }

    /// When somebody is to be asked for.
    pub(super) fn watch_deadline(&self) -> Option<Instant> {
        let wish = self.watch.wish.as_ref().filter(|wish| wish.free);
        let next = wish.map(|wish| wish.pause.next);
        self.watch.due.into_iter().chain(next).min()
    }

    pub(super) fn watch_tick(&mut self, now: Instant) {
        self.take_back();
        if self.watch.due.is_none_or(|due| now < due) {
            return;
        }
        let polled = self.watch.watched.iter().filter(|it| it.polled);
        let (mut line, mut keys) = (String::new(), Vec::new());
        let mut questions = Vec::new();
        let wish = self.watch.wish.as_ref().filter(|wish| wish.polled);
        let wish = wish.map(|wish| (wish.nick.as_str(), wish.key.as_slice()));
        for (nick, key) in polled.map(|it| (&*it.nick, &*it.key)).chain(wish) {
            if line.len() + nick.len() > ISON_BYTES {
                questions.push((std::mem::take(&mut line), std::mem::take(&mut keys)));
            }
            line.push(' ');
            line.push_str(nick);
            keys.push(key.into());
        }
        if !keys.is_empty() {
            questions.push((line, keys));
        }
        self.watch.due = (!questions.is_empty()).then(|| now + EACH);
        // A network that does not answer is not asked more and more.
        if !self.watch.asked.is_empty() || !self.queue.fits(questions.len()) {
            self.watch.asked.clear();
            return;
        }
        for (line, keys) in questions {
            self.queue.push(format!("ISON{line}"), Owner::None);
            self.watch.asked.push_back(keys);
        }
    }

    /// 303, the answer to ISON.
    pub(super) fn on_ison(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let Some(asked) = self.watch.asked.pop_front() else {
            return false;
        };
        let nicks = line.last().split_ascii_whitespace();
        let there: Vec<Vec<u8>> = nicks.map(|nick| self.folded(nick)).collect();
        for key in asked {
            let online = there.iter().any(|it| **it == *key);
            self.seen(&key, online, sink);
        }
        true
    }

    /// 730 and 731: `me :nick!user@host,nick`.
    pub(super) fn on_monitor(&mut self, online: bool, line: &Line<'_>, sink: &mut dyn Sink) {
        for target in line.last().split(',') {
            let nick = target.split('!').next().unwrap_or(target);
            let key = self.folded(nick);
            self.seen(&key, online, sink);
        }
    }

    /// 600, 601, 604, 605: `me nick user host time :words`.
    pub(super) fn on_watch(&mut self, online: bool, line: &Line<'_>, sink: &mut dyn Sink) {
        let key = self.folded(line.param(1).unwrap_or(""));
        self.seen(&key, online, sink);
    }

    /// 734 and 512: the list is full, and these did not fit: `me limit nick,nick :words`.
    pub(super) fn on_watch_full(&mut self, line: &Line<'_>, now: Instant) {
        let params = line.params();
        let names = params.get(1..params.len().saturating_sub(1)).unwrap_or(&[]);
        for nick in names.iter().flat_map(|names| names.split(',')) {
            let key = self.folded(nick);
            for it in self.watch.watched.iter_mut().filter(|it| *it.key == *key) {
                it.polled = true;
                self.watch.due.get_or_insert(now);
            }
        }
    }

    fn seen(&mut self, key: &[u8], online: bool, sink: &mut dyn Sink) {
        self.freed_key(key, !online);
        let found = self.watch.watched.iter_mut().find(|it| *it.key == *key);
        if let Some(it) = found.filter(|it| it.online != Some(online)) {
            it.online = Some(online);
            sink.event(Event::Contact {
                contact: (&*it.nick).into(),
                online,
                away: None,
                since: None,
            });
        }
    }
}
