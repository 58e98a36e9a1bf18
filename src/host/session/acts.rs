//! What the user's messages do: each act becomes a command, or words, or a plain refusal.
//!
//! An act that names another message waits until it is known what the network calls that; what
//! the user sends after it waits behind it, so that order is kept.

use std::sync::Arc;

use isthmus_gateway::{Blob, Caps, Command, Fault, FaultKind, Key, Outgoing, Place, Reply, Text};

use super::files::whole;
use super::{Link, Pending, Sent, Session};
use crate::component::Outbox;
use crate::host::chat::{self, Act, Answer, Corrections, Own};
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::words::{Denial, Phrase, Said};
use crate::store::archives::Stretch;
use crate::store::{Known, Later, Store, StoreFault};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// Of how many of the newest messages one may be that is named by the id of a correction.
const LOOKED: usize = 10_000;

/// A message whose act is being carried out.
#[derive(Debug)]
pub(super) struct Asked {
    /// Where an answer goes.
    pub(super) origin: Origin,
    /// The stanza.
    pub(super) stanza: Element,
    /// Where it goes.
    pub(super) to: Place<'static>,
    /// The folded name of the room it is for; `None`: private.
    pub(super) room: Option<Box<[u8]>>,
    /// The conversation's address.
    pub(super) peer: String,
    /// What it does.
    pub(super) what: What,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum What {
    /// A message's act.
    Act(Act),
    /// Somebody's message is to be taken back (XEP-0425).
    Moderate {
        /// Which.
        id: String,
        /// Why.
        reason: Option<String>,
    },
}

/// Waits for the store to say what is meant.
pub(crate) struct Waiting {
    asked: Asked,
    /// The answer.
    pub(crate) known: Later<Result<Option<Known>, StoreFault>>,
}

impl Waiting {
    /// Ends it with a fault, where somebody waits for its end.
    pub(super) fn refuse(self, outbox: &Outbox, fault: &Fault) {
        let nobody = matches!(
            self.asked.what,
            What::Act(Act::Displayed { .. } | Act::Received { .. })
        );
        if !nobody {
            self.asked.origin.fault(outbox, fault);
        }
    }
}

impl Session {
    /// Carries out what is asked, or finds out first what it is about.
    pub(super) fn consider(&mut self, asked: Asked) {
        let Some(asked) = self.behind_a_fetch(asked) else {
            return;
        };
        let caps = self.base.caps_at(&asked.to);
        let act = match &asked.what {
            What::Act(act) => act,
            What::Moderate { id, .. } => {
                let id = id.clone();
                return self.look_up(asked, &id);
            }
        };
        match act {
            Act::Nothing => {}
            Act::Typing(on) => {
                let on = *on;
                if caps.typing {
                    self.types(&asked, on);
                }
            }
            Act::Say { reply: Some(reply) } if caps.reply => {
                let id = reply.id.clone();
                self.look_up(asked, &id);
            }
            Act::Say { .. } => self.say(asked, None),
            Act::Correct { .. } if !caps.edit => self.correct(asked, None),
            Act::Retract { .. } if !caps.retract => {
                let text = Denial::NoTakingBack;
                let fault = fault::of(FaultKind::Unsupported, text);
                asked.origin.fault(&self.base.outbox, &fault);
            }
            Act::React { with, .. } if refused(caps, with).is_some() => {
                // XEP-0444 §3.3: refused in words, never swallowed.
                if let Some(text) = refused(caps, with) {
                    let fault = fault::of(FaultKind::NotExpressible, text);
                    asked.origin.fault(&self.base.outbox, &fault);
                }
            }
            // XEP-0333 §4, XEP-0184 §5.3: nobody waits for an answer to these.
            Act::Displayed { .. } if !caps.read => {}
            Act::Received { .. } if !caps.receipts => {}
            Act::Retract { id }
            | Act::React { id, .. }
            | Act::Correct { id }
            | Act::Received { id } => {
                let id = id.clone();
                self.look_up(asked, &id);
            }
            Act::Displayed { id } => {
                let id = id.clone();
                if self.is_news(asked.room.as_deref(), &id) {
                    self.look_up(asked, &id);
                }
            }
        }
    }

    /// Whether the network does not know yet that the user has read so far.
    fn is_news(&mut self, room: Option<&[u8]>, id: &str) -> bool {
        let room = room.and_then(|key| self.rooms.by_key(key));
        room.is_none_or(|room| room.reads(id))
    }

    fn look_up(&mut self, asked: Asked, id: &str) {
        let own = self.recent.find(&asked.peer, id);
        if let Some(key) = own.and_then(|own| own.key.clone()) {
            let known = Known {
                key,
                stanza: id.to_owned(),
                mine: true,
                nick: None,
            };
            return self.carry_out(asked, Some(known));
        }
        let (user, gateway) = (self.base.user.as_str(), self.base.outbox.domain());
        let known = known_or_corrected(&self.base.shared.store, (user, gateway, &asked.peer), id);
        self.waiting = Some(Waiting { asked, known });
    }

    /// It is known what the act that waits is about.
    pub(crate) fn looked_up(&mut self, known: Result<Option<Known>, StoreFault>) {
        let Some(Waiting { asked, .. }) = self.waiting.take() else {
            return;
        };
        let known = known.unwrap_or_else(|fault| {
            let user = &self.base.user;
            tracing::error!(%fault, %user, "what a message refers to cannot be looked up");
            None
        });
        self.carry_out(asked, known);
    }

    fn carry_out(&mut self, asked: Asked, known: Option<Known>) {
        let key = known.as_ref().map(|known| key_of(&known.key));
        let mine = known.as_ref().is_some_and(|known| known.mine);
        let to = asked.to.clone();
        match (&asked.what, key) {
            (What::Act(Act::Say { .. }), _) => self.say(asked, known),
            (What::Act(Act::Correct { .. }), _) => self.correct(asked, known.filter(|_| mine)),
            (What::Act(Act::Displayed { .. }), Some(key)) => {
                self.base.issue(Command::Read { to, key }, Pending::Nothing);
            }
            (What::Act(Act::Received { .. }), Some(key)) => {
                self.base
                    .issue(Command::Delivered { to, key }, Pending::Nothing);
            }
            (What::Act(Act::Displayed { .. } | Act::Received { .. }), None) => {}
            (What::Act(Act::Retract { .. }), Some(_)) if !mine => {
                // XEP-0424 §5: only its author takes a message back.
                let text = Denial::NotYours;
                asked
                    .origin
                    .error(&self.base.outbox, Condition::Forbidden, text);
            }
            (What::Act(Act::Retract { .. }), Some(key)) => {
                let reason = None;
                self.act(asked, Command::Retract { to, key, reason });
            }
            (What::Act(Act::React { with, .. }), Some(key)) => {
                let with = with.iter().cloned().map(Into::into).collect();
                self.act(asked, Command::React { to, key, with });
            }
            (What::Moderate { id, reason }, Some(key)) => {
                let (named, why) = (id.clone(), reason.clone());
                let reason = why.clone().map(Into::into);
                let pending = Pending::Moderate {
                    origin: asked.origin,
                    room: asked.room.unwrap_or_default(),
                    key: key.0.to_string(),
                    named,
                    reason: why,
                };
                self.base
                    .issue(Command::Retract { to, key, reason }, pending);
            }
            (_, None) => {
                let text = Denial::UnknownMessage;
                asked
                    .origin
                    .error(&self.base.outbox, Condition::ItemNotFound, text);
            }
            (What::Act(Act::Typing(_) | Act::Nothing), Some(_)) => {}
        }
    }

    /// Issues the command of an act that is reflected when the network has done it.
    fn act(&mut self, asked: Asked, command: Command<'static>) {
        // XEP-0184 §5.3: where the network tells of the arrival, the receipt waits for that.
        let says = matches!(command, Command::Send(_));
        let arrival = self.base.caps_at(&asked.to).receipts;
        let sent = Sent {
            confirm: says && !arrival && chat::asks_receipt(&asked.stanza),
            origin: asked.origin,
            stanza: asked.stanza,
            room: asked.room,
            peer: asked.peer,
            takes_back: match &command {
                Command::Retract { key, .. } => Some(key.0.to_string()),
                _ => None,
            },
            reflected: false,
        };
        self.base.issue(command, Pending::Message(Box::new(sent)));
    }

    /// Says something. `answered`: what the network calls what it answers.
    fn say(&mut self, asked: Asked, answered: Option<Known>) {
        let mut caps = self.base.caps_at(&asked.to).clone();
        // Where the network cannot be told what is answered, the words have to tell it.
        caps.reply &= answered.is_some();
        let (caps, room) = (&caps, asked.room.is_some());
        let text = chat::text_of(&asked.stanza, caps, room, asked.origin.lang);
        // A subject alone is something, too.
        let alone = || {
            let subject = chat::subject_of(&asked.stanza).filter(|_| !room);
            subject.map(|_| chat::Text::default())
        };
        let Some(text) = text.or_else(alone) else {
            return;
        };
        let long = !caps.multiline && asked.room.is_some();
        let Some((asked, answered, text)) = self.fetched_first(asked, answered, text) else {
            return;
        };
        let pasted = match long {
            true => self.pasted_first(asked, answered, text),
            false => Some((asked, answered, text)),
        };
        if let Some((asked, answered, text)) = pasted {
            self.say_text(asked, answered, text, Vec::new());
        }
    }

    pub(super) fn say_text(
        &mut self,
        asked: Asked,
        answered: Option<Known>,
        text: chat::Text,
        blobs: Vec<Blob<'static>>,
    ) {
        let reply = match &asked.what {
            What::Act(Act::Say { reply }) => reply.clone(),
            _ => None,
        };
        let named = answered.is_none() && asked.room.is_some() && !text.action;
        let caps = self.base.caps_at(&asked.to);
        let mut message = text.into_message(&asked.stanza, asked.to.clone());
        message.blobs = blobs;
        if asked.room.is_some() {
            message.subject = None;
        } else if !caps.subject {
            chat::subject_in_front(&mut message);
        }
        if let Some(reply) = &reply
            && named
            && !message.body.is_empty()
            && let Some(nick) = author(reply)
        {
            message.body = addressed(&message.body, nick).into();
        }
        message.reply = answered.map(|known| Reply {
            who: self.who_said(&asked, reply.as_ref(), &known).into(),
            key: key_of(&known.key),
        });
        let said = chat::typed(&message.body, message.action);
        self.remember(&asked, None, &said);
        self.typing.said(&asked.peer);
        self.act(asked, Command::Send(message));
    }

    /// Who said what is answered, as the network calls him.
    fn who_said(&self, asked: &Asked, reply: Option<&Answer>, known: &Known) -> String {
        if known.mine {
            return self.base.facts.me.clone();
        }
        let named = known.nick.as_deref().or(reply.and_then(author));
        let contact = match &asked.to {
            Place::Contact(name) | Place::Occupant { nick: name, .. } => Some(name.as_ref()),
            Place::Room(_) | Place::Network => None,
        };
        contact.or(named).unwrap_or_default().to_owned()
    }

    /// Changes a message: `known` if the network can and knows it, in words otherwise.
    fn correct(&mut self, asked: Asked, known: Option<Known>) {
        let caps = self.base.caps_at(&asked.to);
        let Some(text) =
            chat::text_of(&asked.stanza, caps, asked.room.is_some(), asked.origin.lang)
        else {
            return;
        };
        let What::Act(Act::Correct { id }) = &asked.what else {
            return;
        };
        // A correction of a correction is one of the first message (XEP-0308 §5).
        let before = self.recent.find(&asked.peer, id);
        let before = before.map(|own| (own.first.clone(), own.body.clone()));
        let first = before.as_ref().map_or(id, |(first, _)| first).clone();
        let old = before.map(|(_, body)| body).filter(|old| !old.is_empty());
        let key = known.map(|known| known.key);
        let said = chat::typed(&text.body, text.action);
        self.remember(&asked, Some((&first, key.as_deref())), &said);
        self.typing.said(&asked.peer);
        let to = asked.to.clone();
        if let Some(key) = key {
            let command = Command::Edit {
                to,
                key: key_of(&key),
                body: text.body.into(),
                action: text.action,
                style: text.style.into(),
            };
            return self.act(asked, command);
        }
        let form = self.base.shared.corrections();
        if form == Corrections::Refuse {
            let text = Denial::NoChanges;
            let fault = fault::of(FaultKind::Unsupported, text);
            return asked.origin.fault(&self.base.outbox, &fault);
        }
        let told = chat::correction_told(old.as_deref(), &said, form);
        self.act(asked, Command::Send(Outgoing::text(to, told)));
    }

    /// Keeps what the user says, for what he may say of it. `of`: the first message's id and
    /// foreign id, if this corrects one.
    fn remember(&mut self, asked: &Asked, of: Option<(&str, Option<&str>)>, body: &str) {
        if let Some((first, _)) = of
            && let Some(own) = self.recent.find(&asked.peer, first)
        {
            body.clone_into(&mut own.body);
        }
        let Some(id) = asked.origin.id.clone() else {
            return;
        };
        self.recent.said(Own {
            peer: asked.peer.clone(),
            first: of.map_or_else(|| id.clone(), |(first, _)| first.to_owned()),
            id,
            key: of.and_then(|(_, key)| key).map(str::to_owned),
            body: body.to_owned(),
        });
    }

    fn types(&mut self, asked: &Asked, on: bool) {
        let online = self.base.link == Link::Online;
        if online && self.typing.mine(&asked.peer, on, self.base.now) {
            let to = asked.to.clone();
            self.base
                .issue(Command::Typing { to, on }, Pending::Nothing);
        }
    }
}

/// What the network calls a message.
/// What a message's id means. One that only corrects another stands for that: it has no id of its
/// own on the network.
fn known_or_corrected(
    store: &Arc<dyn Store>,
    (user, gateway, peer): (&str, &str, &str),
    id: &str,
) -> Later<Result<Option<Known>, StoreFault>> {
    let known = store.known(user, gateway, peer, id);
    let store = Arc::clone(store);
    let [user, gateway, peer, id] = [user, gateway, peer, id].map(str::to_owned);
    Box::pin(async move {
        let known = known.await?;
        if known.is_some() {
            return Ok(known);
        }
        let kept = store.archives(&user, &gateway, Some(&peer)).await?;
        let Some(archive) = kept.first().map(|kept| kept.id) else {
            return Ok(None);
        };
        let looked = store.look(archive, vec![id], i64::MAX, LOOKED).await?;
        let Some((number, _)) = looked.found.first() else {
            return Ok(None);
        };
        let row = Stretch {
            after: number - 1,
            before: number + 1,
            ..Stretch::ALL
        };
        let rows = store.stretch(archive, row, true, 1).await?;
        let first = rows.first().and_then(|row| {
            let stanza = Element::parse(&row.stanza).ok()?;
            let replaced = stanza.child("replace", ns::CORRECT)?;
            replaced.attr("id").map(str::to_owned)
        });
        match first {
            Some(first) => store.known(&user, &gateway, &peer, &first).await,
            None => Ok(None),
        }
    })
}

fn key_of(key: &str) -> Key<'static> {
    Key(Text::Owned(whole(key).to_owned()))
}

/// The nickname of who is answered: the resourcepart of an occupant's JID.
fn author(reply: &Answer) -> Option<&str> {
    let (_, nick) = reply.to.as_deref()?.split_once('/')?;
    Some(nick).filter(|nick| !nick.is_empty() && !nick.contains(['\n', '\r']))
}

/// The text with the name of who is answered in front, unless it is there.
fn addressed(body: &str, nick: &str) -> String {
    let named = body
        .strip_prefix(nick)
        .is_some_and(|rest| rest.starts_with([':', ',']));
    match named {
        true => body.to_owned(),
        false => format!("{nick}: {body}"),
    }
}

/// Why reactions are refused, in words for a person.
fn refused(caps: &Caps, with: &[String]) -> Option<Said> {
    if !caps.react {
        return Some(Denial::NoReactions.into());
    }
    let most = usize::try_from(caps.react_max).unwrap_or(usize::MAX);
    if most > 0 && with.len() > most {
        return Some(Denial::ReactionsMost.with(&[&most.to_string()]));
    }
    let allowed = |it: &String| caps.react_with.is_empty() || caps.react_with.contains(it);
    let all = with.iter().all(allowed);
    (!all).then(|| Denial::OnlyReactions.with(&[&caps.react_with.join(" ")]))
}
