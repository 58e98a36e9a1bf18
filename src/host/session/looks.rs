//! How people and rooms look, told as links: they are fetched beside everything else, a few at a
//! time, and shown when they have come. Nothing waits for them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use isthmus_gateway::{Kind, Left, Place, Why};

use super::{Base, Session};
use crate::host::picture::Portrait;
use crate::store::Later;

/// Links of one session that are followed at a time.
const MOST_OPEN: usize = 4;
/// Links that wait for that.
const MOST_WAITING: usize = 1000;
/// Longest link, in bytes.
const LONGEST: usize = 2048;

/// Somebody whose picture is on its way.
struct Look {
    at: Place<'static>,
    portrait: Later<Portrait>,
}

/// Pictures on their way.
#[derive(Default)]
pub(super) struct Looks {
    open: Vec<Look>,
    waiting: VecDeque<(Place<'static>, String)>,
}

impl Looks {
    /// What is on its way is not how that place looks any more.
    pub(super) fn forget(&mut self, base: &Base, at: &Place<'_>) {
        self.open.retain(|look| !base.same(&look.at, at));
        self.waiting.retain(|(other, _)| !base.same(other, at));
    }

    /// Somebody has another nickname.
    pub(super) fn renamed(&mut self, base: &Base, from: &str, to: &str) {
        let fold = &base.facts.fold;
        if !fold.same(from, to) {
            // Who bore it does not any more.
            self.retain(|at| nick_of(at).is_none_or(|nick| !fold.same(nick, to)));
        }
        let open = self.open.iter_mut().map(|look| &mut look.at);
        for at in open.chain(self.waiting.iter_mut().map(|(at, _)| at)) {
            if let Place::Contact(nick) | Place::Occupant { nick, .. } = at
                && fold.same(nick, from)
            {
                *nick = to.to_owned().into();
            }
        }
    }

    /// The network is gone, and with it who bears which nickname.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty()
    }

    fn retain(&mut self, mut stays: impl FnMut(&Place<'static>) -> bool) {
        self.open.retain(|look| stays(&look.at));
        self.waiting.retain(|(at, _)| stays(at));
    }
}

/// Whose picture it is, if somebody's.
fn nick_of<'a>(at: &'a Place<'_>) -> Option<&'a str> {
    match at {
        Place::Contact(nick) | Place::Occupant { nick, .. } => Some(nick),
        Place::Room(_) | Place::Network => None,
    }
}

impl Session {
    /// The network tells by a link how somebody or something looks.
    pub(super) fn linked(&mut self, at: &Place<'_>, url: Option<&str>) {
        self.looks.forget(&self.base, at);
        let Some(url) = url else {
            return self.look(at, &Portrait::Without);
        };
        let shared = &self.base.shared;
        let fetched = shared.files().is_some_and(|it| it.settings().pictures);
        if !fetched || !self.concerns(at) {
            return;
        }
        if url.len() > LONGEST {
            tracing::debug!(bytes = url.len(), "the link of a picture is too long");
            return self.look(at, &Portrait::Without);
        }
        if let Some(portrait) = self.base.shared.links().known(url) {
            return self.look(at, &portrait);
        }
        if self.looks.waiting.len() >= MOST_WAITING {
            return tracing::debug!("too many pictures are waited for");
        }
        let entry = (at.clone().into_owned(), url.to_owned());
        self.looks.waiting.push_back(entry);
    }

    /// Shows what has come. Whether anything has.
    pub(crate) fn poll_looks(&mut self, cx: &mut Context<'_>) -> bool {
        while self.looks.open.len() < MOST_OPEN
            && let Some((at, url)) = self.looks.waiting.pop_front()
        {
            let shared = Arc::clone(&self.base.shared);
            let portrait = Box::pin(async move { shared.look(&url).await });
            self.looks.open.push(Look { at, portrait });
        }
        let (mut at, mut progress) = (0, false);
        while let Some(look) = self.looks.open.get_mut(at) {
            let Poll::Ready(portrait) = look.portrait.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            let look = self.looks.open.swap_remove(at);
            self.look(&look.at, &portrait);
            progress = true;
        }
        progress
    }

    /// Some have left: another may bear the name when the picture comes.
    pub(super) fn looks_of_left(&mut self, left: &Left<'_>) {
        if self.looks.is_empty() {
            return;
        }
        if left.nicks.iter().any(|nick| self.base.is_me(nick)) {
            return self.forget_strangers();
        }
        let Self {
            base,
            rooms,
            looks,
            watching,
            ..
        } = self;
        let nicks: HashSet<_> = left.nicks.iter().map(|nick| base.folded(nick)).collect();
        let gone = matches!(left.why, Why::Quit | Why::Split);
        looks.retain(|at| {
            let nick = nick_of(at).filter(|nick| nicks.contains(&base.folded(nick)));
            nick.is_none_or(|nick| rooms.seat(base, nick) || (!gone && watching.is_on(base, nick)))
        });
    }

    /// A contact is not seen as such any more.
    pub(super) fn looks_of_contact(&mut self, contact: &str) {
        let (base, rooms) = (&self.base, &self.rooms);
        self.looks.retain(|at| {
            let nick = nick_of(at).filter(|nick| base.facts.fold.same(nick, contact));
            nick.is_none_or(|nick| rooms.seat(base, nick))
        });
    }

    /// Rooms or their occupants are others than before.
    pub(super) fn forget_strangers(&mut self) {
        let Self {
            base,
            rooms,
            looks,
            watching,
            ..
        } = self;
        looks.retain(|at| match at {
            Place::Contact(nick) => rooms.seat(base, nick) || watching.is_on(base, nick),
            Place::Occupant { nick, .. } => rooms.seat(base, nick),
            Place::Room(name) => rooms.has(base, name),
            Place::Network => false,
        });
    }

    /// Whether the user is in a room with him, or has him among his contacts; or is in that room.
    fn concerns(&mut self, at: &Place<'_>) -> bool {
        let base = &self.base;
        let is_here = |nick: &str| base.names.lock().find(nick).is_some();
        match at {
            Place::Contact(nick) => {
                let local = base.local(Kind::Contact, nick);
                let knows = |local: String| base.hub.knows(&base.user, &local);
                is_here(nick) || local.is_ok_and(knows)
            }
            Place::Occupant { nick, .. } => is_here(nick),
            Place::Room(name) => self.rooms.find(base, name).is_some(),
            Place::Network => false,
        }
    }

    /// A person looks so wherever he is.
    fn look(&mut self, at: &Place<'_>, portrait: &Portrait) {
        self.depict(at, portrait.clone());
        if let Place::Contact(nick) = at {
            self.rooms.pictured(&self.base, nick, portrait.clone());
        }
    }
}
