//! What others do privately, told to the user. What he does himself from another connection comes
//! the same way, and goes another (`elsewhere`).
//!
//! Where it refers to a message, that may be one of his own, which only he gave an id: then it
//! waits for the store, and what comes after it waits behind it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use isthmus_gateway::{Key, Kind, Message, Place, Text, Time, Who};

use super::{Base, Session};
use crate::component::Class;
use crate::host::archive::Filing;
use crate::host::chat::{self, Beside, LATE_MS, Quoted, REMEMBER_MS, Spoken};
use crate::store::{Known, Later, NewReference, StoreFault};
use crate::xmpp::write::Xml;

/// Events that may wait for the store; one more is told as if nothing were known of it.
const MOST: usize = 256;

/// Something private, and whose.
#[derive(Debug)]
pub(super) enum Private {
    /// Somebody says something.
    Said(Box<Message<'static>>),
    /// Somebody changes what he said.
    Edited(Key<'static>, Box<Message<'static>>),
    /// Somebody takes back what he said.
    Retracted(Key<'static>, Who<'static>),
    /// Somebody's reactions.
    Reacted(Key<'static>, Who<'static>, Vec<Text<'static>>),
    /// Somebody has read.
    Read(Key<'static>, Who<'static>),
    /// The user's message has arrived.
    Delivered(Key<'static>, String),
}

impl Private {
    /// Whose doing it is.
    fn nick(&self) -> &str {
        match self {
            Self::Said(message) | Self::Edited(_, message) => &message.who.nick,
            Self::Retracted(_, who) | Self::Reacted(_, who, _) | Self::Read(_, who) => &who.nick,
            Self::Delivered(_, nick) => nick,
        }
    }

    /// The message it refers to, if that may be the user's own. `mine`: he does it himself.
    pub(super) fn about(&self, mine: bool) -> Option<&str> {
        match self {
            Self::Said(message) => message.reply.as_ref().map(|reply| reply.key.0.as_ref()),
            Self::Edited(key, _) | Self::Retracted(key, _) => mine.then_some(&*key.0),
            Self::Reacted(key, ..) | Self::Read(key, _) | Self::Delivered(key, _) => Some(&key.0),
        }
    }
}

/// Something private in its turn.
struct Turn {
    event: Private,
    /// With whom.
    nick: String,
    /// The user does it himself, from another connection.
    mine: bool,
}

/// What the store says of a message.
type Finding = Later<Result<Option<Known>, StoreFault>>;

/// Private events that wait for the store, oldest first.
#[derive(Default)]
pub(crate) struct Held {
    queue: VecDeque<(Turn, Finding)>,
}

impl Session {
    /// Something private happens now: what was missed is told before it. `at`: with whom, if the
    /// user does it himself.
    pub(super) fn private(&mut self, at: &Place<'_>, event: Private) {
        if let Some(event) = self.missed.hold(at, event) {
            self.private_now(at, event);
        }
    }

    /// Tells something private in its turn.
    pub(super) fn private_now(&mut self, at: &Place<'_>, event: Private) {
        if let Private::Said(message) = &event {
            self.missed.note(message, self.base.now_ms);
        }
        let mine = match &event {
            Private::Said(message) | Private::Edited(_, message) if message.mine => true,
            Private::Delivered(..) => false,
            other => !other.nick().is_empty() && self.base.is_me(other.nick()),
        };
        let nick = if mine { nick_at(at) } else { event.nick() }.to_owned();
        // What he says to himself was told when he said it.
        let for_nobody = mine && (nick.is_empty() || self.base.is_me(&nick));
        if for_nobody || !mine && self.base.is_blocked(Kind::Contact, &nick) {
            return;
        }
        let peer = private_peer(&self.base, &nick);
        let turn = Turn { event, nick, mine };
        let about = turn.event.about(mine);
        let own = about.and_then(|key| self.recent.by_key(&peer, key));
        let own = own.map(|own| own.id.clone());
        let settled = about.is_none() || own.is_some();
        if self.held.queue.len() >= MOST || (settled && self.held.queue.is_empty()) {
            return self.tell_private(turn, own);
        }
        let known: Finding = match about.filter(|_| own.is_none()) {
            Some(key) => {
                let (user, gateway) = (self.base.user.as_str(), self.base.outbox.domain());
                let store = &self.base.shared.store;
                store.known_by_key(user, gateway, &peer, key)
            }
            None => {
                let known = own.map(|stanza| Known {
                    key: String::new(),
                    stanza,
                    mine: true,
                    nick: None,
                });
                Box::pin(std::future::ready(Ok(known)))
            }
        };
        self.held.queue.push_back((turn, known));
    }

    /// Tells what has waited long enough. Whether anything was told.
    pub(crate) fn poll_held(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Some((_, known)) = self.held.queue.front_mut() {
            let Poll::Ready(known) = Pin::new(known).poll(cx) else {
                return progress;
            };
            let known = known.ok().flatten().filter(|known| known.mine);
            if let Some((turn, _)) = self.held.queue.pop_front() {
                self.tell_private(turn, known.map(|known| known.stanza));
                progress = true;
            }
        }
        progress
    }

    /// `own`: the id of the message it refers to, if that is the user's own.
    fn tell_private(&mut self, turn: Turn, own: Option<String>) {
        if turn.mine {
            return self.did_elsewhere(&turn.event, &turn.nick, own);
        }
        let Turn { event, nick, .. } = turn;
        let nick = nick.as_str();
        let Some(way) = chat::way(&self.base, &mut self.rooms, &self.peers, nick) else {
            return;
        };
        let mut about = String::new();
        if let Some(key) = event.about(false) {
            self.base.ids.next(Some(key), &mut about);
        }
        let mine = own.is_some();
        let about = own.unwrap_or(about);
        let base = &mut self.base;
        let mut fresh = String::new();
        base.ids.next(None, &mut fresh);
        let id = Some(fresh.as_str());
        match &event {
            Private::Said(message) => {
                let author = match mine {
                    true => base.user.to_string(),
                    false => way.author(base),
                };
                let reply = message.reply.is_some().then_some(Quoted {
                    id: &about,
                    to: &author,
                    who: None,
                });
                self.typing.heard(&message.who.nick);
                say(base, &way, message, reply, None);
            }
            Private::Edited(key, message) => {
                let first = id_of(base, key);
                self.typing.heard(&message.who.nick);
                say(base, &way, message, None, Some((&fresh, &first)));
            }
            Private::Retracted(key, _) => {
                let first = id_of(base, key);
                retracted(base, &way, nick, (&first, &fresh));
            }
            Private::Reacted(_, _, with) => {
                let peer = private_peer(base, nick);
                tell_and_file(base, &way, &peer, (&fresh, base.now_ms), |xml| {
                    let with = with.iter().map(AsRef::as_ref);
                    chat::write_reactions(xml, &about, with);
                    write_id(xml, &fresh, &peer);
                });
            }
            Private::Read(..) => chat::tell(base, &way, Class::Message, id, |xml| {
                chat::write_displayed(xml, &about);
            }),
            // Nobody asks for a receipt of what somebody else said.
            Private::Delivered(..) if !mine => {}
            Private::Delivered(..) => chat::tell(base, &way, Class::Message, id, |xml| {
                chat::write_received(xml, &about);
            }),
        }
    }

    /// Somebody types privately, or no longer.
    pub(super) fn typing_privately(&mut self, nick: &str, on: bool) {
        if !self.typing.other("", nick, on) || self.base.is_blocked(Kind::Contact, nick) {
            return;
        }
        if let Some(way) = chat::way(&self.base, &mut self.rooms, &self.peers, nick) {
            // Lost with the stream: by then it is not true any more.
            chat::tell(&self.base, &way, Class::Presence, None, |xml| {
                chat::write_state(xml, on);
            });
        }
    }
}

/// The id a message of the network's is shown under.
fn id_of(base: &mut Base, key: &Key<'_>) -> String {
    let mut id = String::new();
    base.ids.next(Some(&key.0), &mut id);
    id
}

/// Takes a private message back, by their ids: its own, and the one of this.
fn retracted(base: &Base, way: &chat::Way, nick: &str, (first, id): (&str, &str)) {
    let peer = private_peer(base, nick);
    let now = base.now_ms;
    filing(base, base.user.as_str(), &peer).bury(first, id, now);
    let lang = base.lang(None);
    tell_and_file(base, way, &peer, (id, now), |xml| {
        chat::write_retracted(xml, first, lang);
        write_id(xml, id, &peer);
    });
}

/// Shows a private message. `edited`: its id, and the one of what it takes the place of.
fn say(
    base: &mut Base,
    way: &chat::Way,
    message: &Message<'_>,
    reply: Option<Quoted<'_>>,
    edited: Option<(&str, &str)>,
) {
    let key = message.key.as_ref().map(|Key(key)| key.as_ref());
    let peer = private_peer(base, &message.who.nick);
    let mut id = String::new();
    match edited {
        Some((fresh, _)) => fresh.clone_into(&mut id),
        None => {
            base.ids.next(key, &mut id);
            if let Some(key) = key {
                refer(base, &peer, key, &id, false);
            }
        }
    }
    let said = message.time.map(|Time(ms)| ms);
    let at = said.filter(|ms| (base.now_ms - ms).abs() > LATE_MS);
    let spoken = Spoken {
        id: &id,
        by: &peer,
        at,
    };
    let sum = base.sum_of(message);
    let beside = Beside {
        reply,
        sha256: sum.as_ref(),
        me: None,
        markable: base.caps_at(&message.at).read,
    };
    tell_and_file(
        base,
        way,
        &peer,
        (&id, said.unwrap_or(base.now_ms)),
        |xml| {
            chat::write_message(xml, message, &spoken, &beside);
            if let Some((_, first)) = edited {
                chat::write_replaced(xml, first);
            }
        },
    );
}

/// Tells something private and archives it: its id, and when it was said.
fn tell_and_file(
    base: &Base,
    way: &chat::Way,
    peer: &str,
    (id, at): (&str, i64),
    content: impl Fn(&mut Xml<'_>),
) {
    chat::tell(base, way, Class::Message, Some(id), &content);
    if !base.archives() {
        return;
    }
    let user = base.user.to_string();
    let stanza = chat::told(way, base.outbox.domain(), &user, id, &content);
    filing(base, &user, peer).file(id, at, stanza);
}

/// The user's archive of a person.
pub(super) fn filing<'a>(base: &'a Base, user: &'a str, peer: &'a str) -> Filing<'a> {
    Filing {
        shared: &base.shared,
        domain: base.outbox.domain(),
        user,
        peer,
    }
}

fn write_id(xml: &mut Xml<'_>, id: &str, by: &str) {
    let at = None;
    chat::write_stanza_id(xml, &Spoken { id, by, at });
}

/// Keeps under which id the user's clients know a message.
pub(super) fn refer(base: &Base, peer: &str, key: &str, stanza: &str, mine: bool) {
    base.shared.store.refer(NewReference {
        user: base.user.to_string(),
        gateway: base.outbox.domain().to_owned(),
        peer: peer.to_owned(),
        key: key.to_owned(),
        stanza: stanza.to_owned(),
        mine,
        until: base.now_ms + REMEMBER_MS,
    });
}

/// The address of the conversation with a person, by whatever way it is held.
pub(super) fn private_peer(base: &Base, nick: &str) -> String {
    let local = base
        .local(isthmus_gateway::Kind::Contact, nick)
        .unwrap_or_default();
    format!("{local}@{}", base.outbox.domain())
}

/// The name of the person at a private place.
pub(super) fn nick_at<'p>(at: &'p Place<'_>) -> &'p str {
    match at {
        Place::Contact(nick) | Place::Occupant { nick, .. } => nick,
        Place::Room(_) | Place::Network => "",
    }
}
