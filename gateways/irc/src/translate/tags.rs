//! What messages carry beside their text: client tags (IRCv3 message-tags), in both directions.
//!
//! `+typing` is typing, `+draft/reply` a reply, `+draft/react` and `+draft/unreact` are reactions.
//! IRC adds and removes one reaction at a time while the host knows sets: the sets of the last
//! messages are kept. `REDACT` (draft/message-redaction) stands here too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use isthmus_gateway::{Event, Fault, FaultKind, Key, Outcome, Place, Reply, Sink, Tag, Text};

use super::asked::Want;
use super::caps::Cap;
use super::command::one_line;
use super::queue::Owner;
use super::room::who;
use super::send::is_target;
use super::{Conversation, done};
use crate::line::{Line, escape};

/// The reactions of one person to one message.
struct Reacted {
    key: Box<str>,
    /// Folded nickname; empty for the user.
    who: Vec<u8>,
    with: Vec<Box<str>>,
}

/// What was said and done beside messages.
#[derive(Default)]
pub(super) struct Aside {
    reacted: VecDeque<Reacted>,
    /// Where and when typing was told last.
    typing: Option<(Vec<u8>, Instant)>,
}

/// Sets of reactions that are kept.
const MOST_REACTED: usize = 256;
/// Reactions of one person to one message.
const MOST_EACH: usize = 20;
/// Bytes of a line with its reason.
const LONGEST_REASON: usize = 400;
/// Longest value of a tag we send, in bytes.
const LONGEST_VALUE: usize = 256;
/// Typing is told again no sooner (the typing specification).
const TYPING_EACH: Duration = Duration::from_secs(3);

impl Conversation {
    /// Whether the network passes on a client tag of this name (without its `+`).
    pub(super) fn may_tag(&self, name: &str) -> bool {
        self.can(Cap::MessageTags) && !self.isupport.denies_tag(name)
    }

    /// What a line answers.
    pub(super) fn reply<'a>(&self, line: &Line<'a>) -> Option<Reply<'a>> {
        let key = line.tag("+draft/reply").or_else(|| line.tag("+reply"))?;
        Some(Reply {
            key: Key(key),
            who: Text::default(),
        })
    }

    /// `TAGMSG target`: tags without text.
    pub(super) fn on_tagmsg(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(target), nick) = (line.param(0), line.nick()) else {
            return;
        };
        if nick.is_empty() {
            return;
        }
        let mine = self.is_me(nick);
        let typing = line.tag("+typing").or_else(|| line.tag("+draft/typing"));
        if let Some(state) = typing
            && !mine
            && self.context.past.is_none()
        {
            sink.event(Event::Typing {
                at: self.place(line, target),
                who: who(line),
                on: state == "active",
            });
        }
        let added = line.tag("+draft/react").map(|with| (with, true));
        let change = added.or_else(|| line.tag("+draft/unreact").map(|with| (with, false)));
        if let (Some((with, on)), Some(reply)) = (change, self.reply(line)) {
            self.reacted(line, target, (reply.key, &with, on), sink);
        }
    }

    /// Somebody has added or taken back a reaction.
    fn reacted(
        &mut self,
        line: &Line<'_>,
        target: &str,
        (key, with, on): (Key<'_>, &str, bool),
        sink: &mut dyn Sink,
    ) {
        let mine = self.is_me(line.nick());
        let whose = if mine {
            Vec::new()
        } else {
            self.folded(line.nick())
        };
        let held = self.aside.of(&key.0, &whose).iter().any(|it| **it == *with);
        if mine && held == on {
            // The echo of what was sent from here.
            let target = self.folded(target);
            self.finish(|a| a.want == Want::React && a.key == target, sink);
            return;
        }
        let set = self.aside.change(&key.0, whose, with, on);
        sink.event(Event::React {
            at: self.place(line, target),
            key,
            who: who(line),
            with: set.into_iter().map(Into::into).collect(),
        });
    }

    /// `REDACT target msgid [:reason]`.
    pub(super) fn on_redact(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(target), Some(key)) = (line.param(0), line.param(1)) else {
            return;
        };
        let mine = self.is_me(line.nick());
        let at = self.place(line, target);
        let target = self.folded(target);
        let id = hashed(key);
        let is_it = |a: &super::Asked| a.want == Want::Retract && a.key == target && a.nick == id;
        if mine && self.finish(is_it, sink) {
            return;
        }
        sink.event(Event::Retract {
            at,
            key: Key(key.into()),
            by: who(line),
            text: line
                .param(2)
                .filter(|text| !text.is_empty())
                .map(Into::into),
        });
    }

    pub(super) fn retract(
        &mut self,
        tag: Tag,
        to: &Place<'_>,
        (key, reason): (&Key<'_>, Option<&str>),
        sink: &mut dyn Sink,
    ) {
        let Some(target) = self.target(tag, to, self.can(Cap::Redaction), sink) else {
            return;
        };
        if !is_target(&key.0) {
            return done(tag, Err(unknown()), sink);
        }
        let mut line = format!("REDACT {target} {}", key.0);
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            let room = LONGEST_REASON.saturating_sub(line.len());
            let reason = one_line(reason);
            line.push_str(" :");
            line.push_str(isthmus_kit::pieces(&reason, room).next().unwrap_or(""));
        }
        self.ask(tag, Want::Retract, (&target, ""), line, sink);
        if let Some(asked) = self.asked.last_mut().filter(|asked| asked.tag == tag) {
            asked.nick = hashed(&key.0);
        }
    }

    pub(super) fn typing(
        &mut self,
        tag: Tag,
        to: &Place<'_>,
        on: bool,
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        let Some(target) = self.target(tag, to, self.may_tag("typing"), sink) else {
            return;
        };
        let key = self.folded(&target);
        let told = self.aside.typing.as_ref();
        let just = told.is_some_and(|(at, when)| *at == key && now < *when + TYPING_EACH);
        // What waits behind other lines would be old news.
        if !(on && just) && self.queue.waiting.is_empty() {
            let state = if on { "active" } else { "done" };
            let line = format!("@+typing={state} TAGMSG {target}");
            self.queue.push(line, Owner::None);
            self.aside.typing = on.then_some((key, now));
        }
        done(tag, Ok(Outcome::Finished), sink);
    }

    pub(super) fn react(
        &mut self,
        tag: Tag,
        to: &Place<'_>,
        key: &Key<'_>,
        with: &[Text<'_>],
        sink: &mut dyn Sink,
    ) {
        let Some(target) = self.target(tag, to, self.may_tag("draft/react"), sink) else {
            return;
        };
        let fits = |text: &Text<'_>| text.len() <= LONGEST_VALUE && !text.is_empty();
        if !fits(&key.0) || with.len() > MOST_EACH || !with.iter().all(fits) {
            let fault = Fault::new(
                FaultKind::TooLarge,
                ("too many reactions, or too long ones", "回应表情过多或过长"),
            );
            return done(tag, Err(fault), sink);
        }
        let before = self.aside.of(&key.0, &[]);
        let gone = before
            .iter()
            .filter(|old| !with.iter().any(|new| new.as_ref() == &***old));
        let new = with
            .iter()
            .filter(|new| !before.iter().any(|old| new.as_ref() == &**old));
        let reply = escape(&key.0);
        let line = |what: &str, text: &str| {
            let text = escape(text);
            format!("@+draft/reply={reply};+draft/{what}={text} TAGMSG {target}")
        };
        let mut lines: Vec<String> = gone.map(|old| line("unreact", old)).collect();
        lines.extend(new.map(|new| line("react", new)));
        let Some(last) = lines.pop() else {
            return done(tag, Ok(Outcome::Finished), sink);
        };
        if !self.queue.fits(lines.len() + 1) {
            let fault = Fault::new(
                FaultKind::Full,
                (
                    "too many lines wait for this network",
                    "等待发往此网络的行过多",
                ),
            );
            return done(tag, Err(fault), sink);
        }
        for line in lines {
            self.queue.push(line, Owner::None);
        }
        self.aside.set(&key.0, with);
        self.ask(tag, Want::React, (&target, ""), last, sink);
    }

    /// The name of a place that can be written to; where it cannot, the command ends.
    pub(super) fn target(
        &self,
        tag: Tag,
        to: &Place<'_>,
        can: bool,
        sink: &mut dyn Sink,
    ) -> Option<String> {
        if !can {
            let words = ("this network cannot do that", "该网络无法这样做");
            done(tag, Err(Fault::new(FaultKind::Unsupported, words)), sink);
            return None;
        }
        let target = match to {
            Place::Room(name) | Place::Contact(name) => name,
            Place::Occupant { nick, .. } => nick,
            Place::Network => "",
        };
        if is_target(target) {
            return Some(target.to_owned());
        }
        let fault = Fault::new(
            FaultKind::BadAddress,
            ("not a name that IRC can carry", "不是 IRC 可用的名称"),
        );
        done(tag, Err(fault), sink);
        None
    }
}

impl Aside {
    fn of(&self, key: &str, who: &[u8]) -> Vec<Box<str>> {
        let mut known = self.reacted.iter();
        let found = known.find(|it| *it.key == *key && it.who == who);
        found.map(|it| it.with.clone()).unwrap_or_default()
    }

    /// Adds or removes a reaction; the set that then holds.
    fn change(&mut self, key: &str, who: Vec<u8>, with: &str, on: bool) -> Vec<String> {
        let mut set = self.of(key, &who);
        set.retain(|it| **it != *with);
        if on && set.len() < MOST_EACH {
            set.push(with.into());
        }
        let told = set.iter().map(|it| it.to_string()).collect();
        self.put(key, who, set);
        told
    }

    fn set(&mut self, key: &str, with: &[Text<'_>]) {
        let with = with.iter().map(|it| it.as_ref().into()).collect();
        self.put(key, Vec::new(), with);
    }

    fn put(&mut self, key: &str, who: Vec<u8>, with: Vec<Box<str>>) {
        self.reacted.retain(|it| *it.key != *key || it.who != who);
        if with.is_empty() {
            return;
        }
        if self.reacted.len() >= MOST_REACTED {
            self.reacted.pop_front();
        }
        let key = key.into();
        self.reacted.push_back(Reacted { key, who, with });
    }
}

/// What stands for a message's id where a nickname stands otherwise.
fn hashed(key: &str) -> Vec<u8> {
    key.as_bytes().to_vec()
}

fn unknown() -> Fault {
    Fault::new(
        FaultKind::NoSuchTarget,
        (
            "the network does not know that message",
            "该网络不知道该消息",
        ),
    )
}
