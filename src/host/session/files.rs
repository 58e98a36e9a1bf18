//! Files of live conversations, on their way: what the user shares is fetched for a network that
//! carries files, a long text for a network without lines becomes a file with a link, and what a
//! network brings becomes a link.
//!
//! Nothing waits for a file but its own conversation, and that for `PATIENCE` at most: what is said
//! there meanwhile stands behind it, in order. Then it goes on with the link it came as, or with
//! words, and the user is told why. The user's own words in a room are shown when the network shows
//! them, whatever else of it is on its way.
//!
//! Each file is a message of its own behind the text; both have ids made of the network's one, and
//! what takes the message back takes all of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use isthmus_gateway::{Blob, Event, Fault, FaultKind, Key, Kind, Message, Place};

use super::acts::{Asked, What};
use super::heard::{nick_at, private_peer};
use super::inquiry::whisper;
use super::messages::not_inside;
use super::{Link, Session};
use crate::component::Outbox;
use crate::host::attachment::{Shown, file_of, split, unfetched, without_link};
use crate::host::chat::{self, Act};
use crate::host::courier::{id_of, own_blob};
use crate::host::fault;
use crate::host::room::Phase;
use crate::host::words::{Denial, Notice, Said};
use crate::store::{Known, Later};

/// For the files of one message, either way.
const PATIENCE: Duration = Duration::from_secs(20);
/// Messages with files of one session that are on their way at a time, each way.
const MOST: usize = 4;
/// What may stand behind them, each way.
const MOST_BEHIND: usize = 256;
/// Messages of several parts that are remembered, to take back all of them.
const MOST_PARTS: usize = 256;
/// Stands between the network's id of a message and the number of its part.
const PART: char = '\u{1f}';

/// What a message of the user's has become.
enum Ready {
    /// Its file was fetched, or why it could not be.
    Fetched(Result<Blob<'static>, Said>, String),
    /// Its text is a file, and this is said in its place; else it is said itself, and its sender
    /// told why, where something went wrong.
    Pasted(Result<String, Option<Said>>),
}

/// A message of the user's that is made ready for the network.
struct Fetch {
    asked: Asked,
    answered: Option<Known>,
    text: chat::Text,
    ready: Later<Ready>,
    behind: VecDeque<Asked>,
}

/// What the user says and waits for a file.
#[derive(Default)]
pub(crate) struct Fetching {
    open: Vec<Fetch>,
    /// Stands behind no file any more.
    released: VecDeque<Asked>,
}

impl Fetching {
    /// Whether anything waits.
    pub(super) fn is_busy(&self) -> bool {
        !self.open.is_empty() || !self.released.is_empty()
    }

    /// Ends all of it with a fault.
    pub(super) fn refuse(&mut self, outbox: &Outbox, fault: &Fault) {
        let open = std::mem::take(&mut self.open);
        let open = open
            .into_iter()
            .flat_map(|it| std::iter::once(it.asked).chain(it.behind));
        for asked in open.chain(std::mem::take(&mut self.released)) {
            asked.origin.fault(outbox, fault);
        }
    }
}

/// A conversation on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A room's folded name.
    Room(Box<[u8]>),
    /// A person's address.
    Person(String),
}

/// A message whose files become links.
struct Show {
    line: Line,
    message: Message<'static>,
    shown: Later<Vec<Shown>>,
    behind: VecDeque<Event<'static>>,
}

/// What others say and waits for a file to become a link.
#[derive(Default)]
pub(crate) struct Showing {
    open: Vec<Show>,
    /// Keys of messages of several parts, and how many files each has; oldest first.
    parts: VecDeque<(String, usize)>,
}

impl Showing {
    /// Whether anything waits.
    pub(super) fn is_busy(&self) -> bool {
        !self.open.is_empty()
    }
}

impl Session {
    /// Gives an act back unless it has to stand behind a file of the same conversation.
    pub(super) fn behind_a_fetch(&mut self, asked: Asked) -> Option<Asked> {
        let behind = match &asked.what {
            // These are of the moment, or nobody waits for them.
            What::Act(
                Act::Nothing | Act::Typing(_) | Act::Displayed { .. } | Act::Received { .. },
            ) => return Some(asked),
            What::Act(_) | What::Moderate { .. } => &self.fetching.open,
        };
        let many: usize = behind.iter().map(|it| it.behind.len()).sum();
        let mut open = self.fetching.open.iter_mut();
        let Some(fetch) = open.find(|it| it.asked.peer == asked.peer) else {
            return Some(asked);
        };
        if many < MOST_BEHIND {
            fetch.behind.push_back(asked);
        } else {
            let text = Denial::FilesWait;
            let fault = fault::of(FaultKind::Full, text);
            asked.origin.fault(&self.base.outbox, &fault);
        }
        None
    }

    /// Has the file of a message fetched, if it shares one and the network carries files; else gives
    /// the message back.
    pub(super) fn fetched_first(
        &mut self,
        asked: Asked,
        answered: Option<Known>,
        text: chat::Text,
    ) -> Option<(Asked, Option<Known>, chat::Text)> {
        let carries = self.base.caps_at(&asked.to).attachments;
        let files = self.base.shared.files();
        let Some(files) = files.filter(|files| carries && files.fetches()) else {
            return Some((asked, answered, text));
        };
        let server = self.base.user.domain();
        let Some(blob) = file_of(&asked.stanza, |url| files.is_upload(url, server)) else {
            return Some((asked, answered, text));
        };
        let link = blob.url.to_string();
        if self.fetching.open.len() >= MOST {
            let why = Notice::FilesMost.into();
            self.say_linked(asked, answered, text, &link, &why);
            return None;
        }
        let shared = Arc::clone(&self.base.shared);
        let (user, domain) = self.owner();
        let ready: Later<_> = Box::pin(async move {
            let fetch = async {
                let _place = files.place().await;
                let kept = files.fetch_kept(&shared, &blob).await?;
                own_blob(&shared, &kept.url, &user, &domain).await;
                Ok(kept)
            };
            let fetched = tokio::time::timeout(PATIENCE, fetch).await;
            let fetched = fetched.unwrap_or_else(|_| Err(Notice::FileServerSlow.into()));
            Ready::Fetched(fetched, link)
        });
        self.fetching.open.push(Fetch {
            asked,
            answered,
            text,
            ready,
            behind: VecDeque::new(),
        });
        None
    }

    /// Has a long text for a room become a file, if it is too long; else gives the message back.
    pub(super) fn pasted_first(
        &mut self,
        asked: Asked,
        answered: Option<Known>,
        text: chat::Text,
    ) -> Option<(Asked, Option<Known>, chat::Text)> {
        let files = self.base.shared.files();
        let files = files.filter(|files| files.is_paste(&text.body));
        let Some(files) = files.filter(|_| self.fetching.open.len() < MOST) else {
            return Some((asked, answered, text));
        };
        let of = asked.peer.split('@').next().unwrap_or_default().to_owned();
        let (asker, server) = (self.base.hub.asker(), self.base.user.domain().to_owned());
        let (shared, body) = (Arc::clone(&self.base.shared), text.body.clone());
        let (user, domain) = self.owner();
        let ready = Box::pin(async move {
            let told = files.paste(
                &shared,
                (&user, &domain),
                (&asker, &server, &of),
                &body,
                PATIENCE,
            );
            Ready::Pasted(told.await)
        });
        let behind = VecDeque::new();
        self.fetching.open.push(Fetch {
            asked,
            answered,
            text,
            ready,
            behind,
        });
        None
    }

    /// Says what waited for a file that has come, or will not. Whether there was any.
    pub(crate) fn poll_fetched(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut at, mut progress) = (0, false);
        while let Some(fetch) = self.fetching.open.get_mut(at) {
            let Poll::Ready(ready) = fetch.ready.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            let fetch = self.fetching.open.remove(at);
            self.fetching.released.extend(fetch.behind);
            progress = true;
            let Some(asked) = self.still_there(fetch.asked) else {
                continue;
            };
            let (answered, mut text) = (fetch.answered, fetch.text);
            match ready {
                Ready::Pasted(told) => {
                    let origin = asked.origin.clone();
                    let why = match told {
                        Ok(told) => {
                            text.body = told;
                            text.style.clear();
                            None
                        }
                        Err(why) => why,
                    };
                    self.say_text(asked, answered, text, Vec::new());
                    if let Some(why) = why {
                        let why = why.within(origin.lang);
                        let words = origin.lang.tell(Notice::PasteNot, &[why]);
                        whisper(&mut self.base, &origin, &words);
                    }
                }
                Ready::Fetched(Ok(blob), link) => {
                    let rest = without_link(&text.body, &link).len();
                    text.body.truncate(rest);
                    text.style
                        .retain(|span| usize::try_from(span.end).is_ok_and(|end| end <= rest));
                    self.say_text(asked, answered, text, vec![blob]);
                }
                Ready::Fetched(Err(why), link) => {
                    self.say_linked(asked, answered, text, &link, &why);
                }
            }
        }
        progress
    }

    /// Takes up the oldest of what stood behind a file. Whether there was any.
    pub(crate) fn take_released(&mut self) -> bool {
        let Some(asked) = self.fetching.released.pop_front() else {
            return false;
        };
        if let Some(asked) = self.still_there(asked) {
            self.consider(asked);
        }
        true
    }

    /// Says it with the link it came with, and tells why.
    fn say_linked(
        &mut self,
        asked: Asked,
        answered: Option<Known>,
        text: chat::Text,
        link: &str,
        why: &Said,
    ) {
        let origin = asked.origin.clone();
        self.say_text(asked, answered, text, Vec::new());
        whisper(&mut self.base, &origin, &unfetched(link, why, origin.lang));
    }

    /// Whose files these are: the user, and the gateway.
    fn owner(&self) -> (String, String) {
        let base = &self.base;
        (base.user.to_string(), base.outbox.domain().to_owned())
    }

    /// Refuses what is for a room its sender is no longer in.
    fn still_there(&mut self, asked: Asked) -> Option<Asked> {
        let Some(key) = &asked.room else {
            return Some(asked);
        };
        let link = self.base.link;
        let Some(room) = self.rooms.by_key(key) else {
            not_inside(&self.base.outbox, &asked.origin);
            return None;
        };
        if !room.has_entered(&asked.origin.peer) {
            not_inside(&self.base.outbox, &asked.origin);
            return None;
        }
        if link != Link::Online || room.phase != Phase::Inside {
            self.not_online(&asked.origin);
            return None;
        }
        Some(asked)
    }

    fn line(&self, at: &Place<'_>, nick: &str) -> Line {
        match at {
            Place::Room(name) => Line::Room(self.base.folded(name)),
            _ if self.base.is_me(nick) => Line::Person(private_peer(&self.base, nick_at(at))),
            _ => Line::Person(private_peer(&self.base, nick)),
        }
    }

    /// Gives an event back unless it has to stand behind a file of the same conversation.
    pub(super) fn behind_a_file<'e>(&mut self, event: Event<'e>) -> Option<Event<'e>> {
        if !self.showing.is_busy() {
            return Some(event);
        }
        let line = match &event {
            Event::Message(message) | Event::Edit { message, .. } => {
                self.line(&message.at, &message.who.nick)
            }
            Event::Retract { at, by: who, .. }
            | Event::React { at, who, .. }
            | Event::Read { at, who, .. } => self.line(at, &who.nick),
            Event::Delivered { at, .. } => self.line(at, nick_at(at)),
            _ => return Some(event),
        };
        let found = self.showing.open.iter().position(|it| it.line == line);
        let Some(at) = found else {
            return Some(event);
        };
        if self.showing.open[at].behind.len() < MOST_BEHIND
            && let Some(owned) = owned(&event)
        {
            self.showing.open[at].behind.push_back(owned);
            return None;
        }
        let show = self.showing.open.remove(at);
        self.show_late(show, Vec::new());
        Some(event)
    }

    /// Somebody says something with files: each for itself, behind the text.
    pub(super) fn said_with_files(&mut self, message: &Message<'_>) {
        let nick = &message.who.nick;
        let room = match &message.at {
            Place::Room(name) => Some(self.rooms.has(&self.base, name)),
            _ => None,
        };
        // What he says himself elsewhere is his.
        let unheard = !message.mine && self.base.is_blocked(Kind::Contact, nick);
        if room == Some(false) || (room.is_none() && unheard) {
            return;
        }
        let kept = message.blobs.iter().any(|blob| id_of(&blob.url).is_some());
        let shared = Arc::clone(&self.base.shared);
        let (Some(files), Some(attachments)) = (shared.files(), shared.attachments()) else {
            return self.show_files(message.clone().into_owned(), Vec::new());
        };
        if !kept || self.showing.open.len() >= MOST {
            return self.show_files(message.clone().into_owned(), Vec::new());
        }
        // The session lasts until it is shown.
        self.private |= room.is_none();
        let asker = self.base.hub.asker();
        let of = self
            .base
            .local(Kind::Contact, nick)
            .or_else(|_| match &message.at {
                Place::Room(name) => self.base.local(Kind::Room, name),
                _ => Ok(String::new()),
            });
        let of = of.unwrap_or_default();
        let (server, blobs) = (self.base.user.domain().to_owned(), message.blobs.clone());
        let blobs: Vec<_> = blobs.into_iter().map(Blob::into_owned).collect();
        let (user, domain) = self.owner();
        let lang = self.base.lang(None);
        let shown = Box::pin(async move {
            for blob in &blobs {
                own_blob(&shared, &blob.url, &user, &domain).await;
            }
            let share = files.share(&attachments, &asker, &server, &of, (&blobs, lang), PATIENCE);
            share.await
        });
        self.showing.open.push(Show {
            line: self.line(&message.at, nick),
            message: message.clone().into_owned(),
            shown,
            behind: VecDeque::new(),
        });
    }

    /// Shows messages whose files are links now, or will not be. Whether there was any.
    pub(crate) fn poll_shown(&mut self, cx: &mut Context<'_>) -> bool {
        let (mut at, mut progress) = (0, false);
        while let Some(show) = self.showing.open.get_mut(at) {
            let Poll::Ready(shown) = show.shown.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            let show = self.showing.open.remove(at);
            self.show_late(show, shown);
            progress = true;
        }
        progress
    }

    /// Shows what waits for files without waiting any longer.
    pub(super) fn show_at_once(&mut self) {
        while let Some(show) = self.showing.open.pop() {
            self.show_late(show, Vec::new());
        }
    }

    fn show_late(&mut self, show: Show, shown: Vec<Shown>) {
        self.show_files(show.message, shown);
        for event in show.behind {
            // One of them may have files itself: the rest stands behind it.
            self.heard(event);
        }
    }

    /// `shown`: what became of its files, as far as that is known.
    fn show_files(&mut self, mut message: Message<'static>, shown: Vec<Shown>) {
        let mut shown = shown.into_iter();
        let mut words = Vec::new();
        message.blobs.retain_mut(|blob| match shown.next() {
            Some(Shown::Link(link, sum)) => {
                self.base.note_sum(&link.url, sum);
                *blob = link;
                true
            }
            Some(Shown::Words(told, _)) => {
                words.push(told);
                false
            }
            None => true,
        });
        for words in words {
            let body = message.body.to_mut();
            if !body.is_empty() {
                body.push('\n');
            }
            body.push_str(&words);
        }
        for part in self.parts_of(message) {
            self.said_plainly(&part);
        }
    }

    /// One of the messages that were missed. Its files are not waited for: nobody was there.
    pub(super) fn past(&mut self, room: &[u8], message: &Message<'_>) {
        let parts = self.parts_of(message.clone().into_owned());
        let Some(room) = self.rooms.by_key(room) else {
            return;
        };
        for part in parts {
            room.past(&mut self.base, &part);
        }
    }

    /// Takes a message with files apart, each part with a key.
    pub(super) fn parts_of(&mut self, mut message: Message<'static>) -> Vec<Message<'static>> {
        if message.blobs.is_empty() {
            return vec![message];
        }
        if let Some(files) = self.base.shared.files() {
            files.give_links(&mut message);
        }
        let mut parts = split(&message, self.base.lang(None));
        let Some(Key(key)) = &message.key else {
            return parts;
        };
        for (number, part) in parts.iter_mut().enumerate().skip(1) {
            part.key = Some(Key(format!("{key}{PART}{number}").into()));
        }
        if parts.len() > 1 {
            if self.showing.parts.len() >= MOST_PARTS {
                self.showing.parts.pop_front();
            }
            let parts = (key.to_string(), parts.len() - 1);
            self.showing.parts.push_back(parts);
        }
        parts
    }

    /// Keys of the parts of a message behind its first.
    pub(super) fn other_parts(&self, key: &Key<'_>) -> Vec<Key<'static>> {
        let known = self.showing.parts.iter().rev().find(|it| it.0 == key.0);
        let parts = 1..=known.map_or(0, |(_, parts)| *parts);
        parts
            .map(|number| Key(format!("{}{PART}{number}", key.0).into()))
            .collect()
    }
}

/// The network's id of a message, of whatever part this is the key.
pub(super) fn whole(key: &str) -> &str {
    let part = key.split_once(PART);
    part.map_or(key, |(whole, _)| whole)
}

/// What can stand behind a file.
fn owned(event: &Event<'_>) -> Option<Event<'static>> {
    Some(match event.clone() {
        Event::Message(message) => Event::Message(message.into_owned()),
        Event::Edit { key, message } => Event::Edit {
            key: key.into_owned(),
            message: message.into_owned(),
        },
        Event::Retract { at, key, by, text } => Event::Retract {
            at: at.into_owned(),
            key: key.into_owned(),
            by: by.into_owned(),
            text: text.map(|text| text.into_owned().into()),
        },
        Event::React { at, key, who, with } => Event::React {
            at: at.into_owned(),
            key: key.into_owned(),
            who: who.into_owned(),
            with: with.into_iter().map(|it| it.into_owned().into()).collect(),
        },
        Event::Read { at, key, who } => Event::Read {
            at: at.into_owned(),
            key: key.into_owned(),
            who: who.into_owned(),
        },
        Event::Delivered { at, key } => Event::Delivered {
            at: at.into_owned(),
            key: key.into_owned(),
        },
        _ => return None,
    })
}
