//! What is said: messages, corrections, reactions, typing, and old messages.
//!
//! Everything goes to an [`Audience`]: the clients that hear it, each with the place as it sees
//! it, and those that hear what `echo` makes of it.

use std::time::Duration;

use std::collections::BTreeSet;

use isthmus_gateway::{
    Blob, Event, Fault, FaultKind, Key, Message, Outcome, Outgoing, Place, Reply, Tag, Text, Time,
    Who,
};

use super::client::owned;
use super::{Answer, ClientId, Ended, FINISHED, World, fold, magic};

/// Who hears something, and where.
#[derive(Default)]
struct Audience {
    hear: Vec<(ClientId, Place<'static>)>,
    /// Who hears the answer of `echo`.
    echo: Vec<(ClientId, Place<'static>)>,
}

impl World {
    pub(super) fn send(&mut self, me: ClientId, tag: Tag, message: &Outgoing<'_>) -> Ended {
        if let Some(fault) = message.body.strip_prefix('!').and_then(magic::named) {
            return Err(fault);
        }
        self.may_speak(me, &message.to)?;
        let audience = self.audience(me, &message.to)?;
        if message.to == Place::Network {
            return self.raw(me, &message.body);
        }
        let nick = self.nick_of(me);
        let mut keys = Vec::new();
        for (n, part) in self.parts(&message.body).into_iter().enumerate() {
            let key = self.next_key();
            let mut said = part_of(message, n == 0, &nick, part, &key);
            // Who has read what is said in a room is nobody's business.
            said.confirm = self.config.caps.receipts && !matches!(message.to, Place::Room(_));
            let heard = audience.hear.iter();
            for (to, place) in heard {
                let at = place.clone();
                self.push(*to, Event::Message(Message { at, ..said.clone() }));
            }
            for (to, place) in &audience.echo {
                if said.confirm {
                    let (at, key) = (place.clone(), Key(key.clone().into()));
                    self.behind.push((*to, Event::Delivered { at, key }));
                }
                let answer = answer(&said, place);
                self.behind.push((*to, Event::Message(answer)));
            }
            self.remember(me, said);
            keys.push(Key(key.into()));
        }
        self.end_send(me, tag, &message.to, keys)
    }

    /// Shows the message to its sender and says how the command ends: contacts that are no person
    /// have their own ways.
    fn end_send(
        &mut self,
        me: ClientId,
        tag: Tag,
        to: &Place<'_>,
        keys: Vec<Key<'static>>,
    ) -> Ended {
        let delay = Duration::from_millis(self.config.delay_ms);
        let echo = Event::Echo {
            tag,
            keys: keys.into(),
            time: None,
            altered: None,
        };
        let name = match to {
            Place::Contact(name) => fold(name),
            _ => String::new(),
        };
        match name.as_str() {
            "mute" => return Ok(Answer::Never),
            "slow" => return Ok(Answer::Later(delay, Outcome::Accepted)),
            "late" => {
                let fault = Fault::new(FaultKind::NoSuchTarget, "there was nobody after all");
                self.after(me, delay, Event::Failed { tag, fault });
                return Ok(Answer::Now(Outcome::Sent));
            }
            _ => {}
        }
        self.push(me, echo);
        Ok(match name == "twice" && self.config.misbehave {
            true => Answer::Twice(Outcome::Accepted),
            false => Answer::Now(Outcome::Accepted),
        })
    }

    /// A fault where a moderated room keeps the client silent.
    fn may_speak(&mut self, me: ClientId, to: &Place<'_>) -> Result<(), Fault> {
        let Place::Room(name) = to else {
            return Ok(());
        };
        let nick = fold(&self.nick_of(me));
        let room = self.joined(me, name)?;
        let ranked = room.members.get(&nick).is_some_and(|me| me.ranks.0 != 0);
        match room.flags.moderated && !ranked {
            true => Err(Fault::new(FaultKind::NotPrivileged, "you have no voice")),
            false => Ok(()),
        }
    }

    fn audience(&mut self, me: ClientId, to: &Place<'_>) -> Result<Audience, Fault> {
        let mine = self.nick_of(me);
        let mut audience = match to {
            Place::Network => Audience::default(),
            Place::Room(name) => {
                let room = self.joined(me, name)?;
                let at = Place::Room(room.name.clone().into());
                let all: Vec<_> = room.clients().map(|id| (id, at.clone())).collect();
                Audience {
                    hear: all.iter().filter(|(id, _)| *id != me).cloned().collect(),
                    echo: match room.members.contains_key(magic::ECHO) {
                        true => all,
                        false => Vec::new(),
                    },
                }
            }
            Place::Occupant { room, nick } => {
                let room = self.joined(me, room)?;
                let Some(member) = room.members.get(&fold(nick)) else {
                    return Err(no_such_target(nick));
                };
                let at = Place::Occupant {
                    room: room.name.clone().into(),
                    nick: mine.clone().into(),
                };
                self_or_echo(me, nick, member.client, to, at)
            }
            Place::Contact(nick) => {
                if let Some(fault) = magic::named(nick) {
                    return Err(fault);
                }
                let peer = self.peer(me, nick);
                let exists = peer.is_some() || self.is_resident(me, nick);
                let name = fold(nick);
                if !exists && (name == "nobody" || !magic::RESERVED.contains(&name.as_str())) {
                    return Err(no_such_target(nick));
                }
                self_or_echo(me, nick, peer, to, Place::Contact(mine.clone().into()))
            }
        };
        audience.hear.retain(|(id, _)| !self.blocks(*id, &mine));
        audience
            .echo
            .retain(|(id, _)| !self.blocks(*id, magic::ECHO));
        Ok(audience)
    }

    /// Cuts a text where the network can neither carry lines nor its length in one piece.
    fn parts(&self, body: &str) -> Vec<String> {
        let lines: Vec<&str> = match self.config.caps.multiline {
            true => vec![body],
            false => body.lines().filter(|line| !line.is_empty()).collect(),
        };
        let most = match self.config.caps.max_text {
            0 => usize::MAX,
            // No character is cut, so a piece has room for the longest of them.
            most => usize::try_from(most).unwrap_or(usize::MAX).max(4),
        };
        let mut parts = Vec::new();
        for mut line in lines {
            while line.len() > most {
                let end = (0..=most).rev().find(|&end| line.is_char_boundary(end));
                let (head, tail) = line.split_at(end.unwrap_or(line.len()));
                parts.push(head.to_owned());
                line = tail;
            }
            parts.push(line.to_owned());
        }
        parts
    }

    fn remember(&mut self, me: ClientId, mut said: Message<'static>) {
        said.time = Some(self.time());
        let Place::Room(name) = said.at.clone() else {
            return;
        };
        if let Ok(room) = self.joined(me, &name) {
            room.remember(said);
        }
    }

    /// A fault unless the message stands in the room and is the client's own. Contacts' messages
    /// are not remembered and pass.
    fn own(&mut self, me: ClientId, at: &Place<'_>, key: &Key<'_>) -> Result<(), Fault> {
        let mine = self.nick_of(me);
        let Place::Room(name) = at else {
            return Ok(());
        };
        let room = self.joined(me, name)?;
        let said = room
            .recent
            .iter()
            .find(|said| said.key.as_ref() == Some(key));
        match said {
            None => Err(Fault::new(
                FaultKind::NoSuchTarget,
                "there is no such message",
            )),
            Some(said) if !said.who.nick.eq_ignore_ascii_case(&mine) => {
                Err(Fault::new(FaultKind::NotPrivileged, "it is not yours"))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn edit(&mut self, me: ClientId, key: &Key<'_>, changed: &Outgoing<'_>) -> Ended {
        self.must(|caps| caps.edit)?;
        let audience = self.audience(me, &changed.to)?;
        self.own(me, &changed.to, key)?;
        self.spread(me, audience, |at, who, suffix| {
            let key = suffixed(key, suffix);
            let mut message = Message::text(at, who, changed.body.clone().into_owned());
            message.action = changed.action;
            message.style = changed.style.clone().into_owned().into();
            message.key = Some(key.clone());
            Event::Edit { key, message }
        });
        Ok(Answer::Now(Outcome::Accepted))
    }

    /// Who governs a room may take anybody's message back.
    pub(super) fn retract(
        &mut self,
        me: ClientId,
        to: &Place<'_>,
        key: &Key<'_>,
        reason: Option<&str>,
    ) -> Ended {
        let audience = self.audience(me, to)?;
        match self.own(me, to, key) {
            Err(fault) if fault.kind == FaultKind::NotPrivileged => {
                self.must(|caps| caps.moderate)?;
                let Place::Room(room) = to else {
                    return Err(fault);
                };
                self.governed(me, room)?;
            }
            owned => {
                self.must(|caps| caps.retract)?;
                owned?;
            }
        }
        self.spread(me, audience, |at, by, suffix| Event::Retract {
            at,
            key: suffixed(key, suffix),
            by,
            text: reason.map(|reason| reason.to_owned().into()),
        });
        Ok(Answer::Now(Outcome::Accepted))
    }

    pub(super) fn delivered(&mut self, me: ClientId, to: &Place<'_>, key: &Key<'_>) -> Ended {
        self.must(|caps| caps.receipts)?;
        let audience = self.audience(me, to)?;
        self.spread(me, audience, |at, _, _| Event::Delivered {
            at,
            key: suffixed(key, ""),
        });
        FINISHED
    }

    pub(super) fn react(
        &mut self,
        me: ClientId,
        to: &Place<'_>,
        key: &Key<'_>,
        with: &[Text<'_>],
    ) -> Ended {
        self.must(|caps| caps.react)?;
        let audience = self.audience(me, to)?;
        self.spread(me, audience, |at, who, _| Event::React {
            at,
            key: suffixed(key, ""),
            who,
            with: with.iter().map(|it| it.to_string().into()).collect(),
        });
        Ok(Answer::Now(Outcome::Accepted))
    }

    pub(super) fn read(&mut self, me: ClientId, to: &Place<'_>, key: &Key<'_>) -> Ended {
        self.must(|caps| caps.read)?;
        let audience = self.audience(me, to)?;
        self.spread(me, audience, |at, who, _| Event::Read {
            at,
            key: suffixed(key, ""),
            who,
        });
        FINISHED
    }

    pub(super) fn typing(&mut self, me: ClientId, to: &Place<'_>, on: bool) -> Ended {
        self.must(|caps| caps.typing)?;
        let audience = self.audience(me, to)?;
        self.spread(me, audience, |at, who, _| Event::Typing { at, who, on });
        FINISHED
    }

    /// Tells all who hear it, and lets `echo` do the same behind it.
    fn spread(
        &mut self,
        me: ClientId,
        audience: Audience,
        event: impl Fn(Place<'static>, Who<'static>, &str) -> Event<'static>,
    ) {
        let nick = self.nick_of(me);
        for (to, at) in audience.hear {
            self.push(to, event(at, Who::nick(nick.clone()), ""));
        }
        for (to, at) in audience.echo {
            let event = event(at, Who::nick(magic::ECHO), ANSWER);
            self.behind.push((to, event));
        }
    }

    pub(super) fn history(
        &mut self,
        me: ClientId,
        tag: Tag,
        at: &Place<'_>,
        after: Time,
        max: u32,
    ) -> Ended {
        self.must(|caps| caps.history)?;
        let Place::Room(name) = at else {
            self.whispers(me, tag, at, after);
            return FINISHED;
        };
        let recent = &self.joined(me, name)?.recent;
        let most = usize::try_from(max).unwrap_or(usize::MAX);
        let past = recent.iter().filter(|said| said.time > Some(after));
        for message in past.take(most).cloned().collect::<Vec<_>>() {
            self.push(me, Event::Past { tag, message });
        }
        FINISHED
    }
}

impl World {
    /// What was whispered to a client by somebody, or who whispered at all.
    fn whispers(&mut self, me: ClientId, tag: Tag, at: &Place<'_>, after: Time) {
        let Some(client) = self.clients.get(&me) else {
            return;
        };
        let nick = fold(&self.nick_of(me));
        let all = self.networks.get(&client.network).into_iter();
        let all = all.flat_map(|network| &network.whispers);
        let to_me = all.filter(|(to, said)| *to == nick && said.time > Some(after));
        let said: Vec<Message<'static>> = to_me.map(|(_, said)| said.clone()).collect();
        if let Place::Contact(whom) = at {
            let by = said.into_iter().filter(|said| said.who.nick == *whom);
            for message in by.collect::<Vec<_>>() {
                self.push(me, Event::Past { tag, message });
            }
            return;
        }
        let people: BTreeSet<String> = said.iter().map(|it| it.who.nick.to_string()).collect();
        for nick in people {
            let fields = vec![("contact".into(), nick.into())];
            self.push(me, Event::Found { tag, fields });
        }
    }
}

/// Ends the key of what `echo` answers to the message with the rest of the key.
const ANSWER: &str = "e";

fn suffixed(key: &Key<'_>, suffix: &str) -> Key<'static> {
    Key(format!("{}{suffix}", key.0).into())
}

/// One to one: the peer hears it there; `echo` answers where it was said.
fn self_or_echo(
    me: ClientId,
    nick: &str,
    peer: Option<ClientId>,
    said: &Place<'_>,
    there: Place<'static>,
) -> Audience {
    let echo = nick.eq_ignore_ascii_case(magic::ECHO);
    Audience {
        hear: peer.map(|id| (id, there)).into_iter().collect(),
        echo: echo.then(|| (me, owned(said))).into_iter().collect(),
    }
}

/// One part of a message as others see it; what stands beside the text goes with the first.
fn part_of(
    message: &Outgoing<'_>,
    first: bool,
    nick: &str,
    part: String,
    key: &str,
) -> Message<'static> {
    let own = |text: &Text<'_>| -> Text<'static> { text.to_string().into() };
    let who = Who::nick(nick.to_owned());
    let whole = part.len() == message.body.len();
    let mut said = Message::text(owned(&message.to), who, part);
    said.action = message.action;
    said.key = Some(Key(key.to_owned().into()));
    if whole {
        said.style = message.style.to_vec().into();
    }
    if first {
        said.thread = message.thread.as_ref().map(own);
        said.subject = message.subject.as_ref().map(own);
        said.reply = message.reply.as_ref().map(|reply| Reply {
            key: suffixed(&reply.key, ""),
            who: own(&reply.who),
        });
        said.blobs = message
            .blobs
            .iter()
            .map(|blob| Blob {
                name: own(&blob.name),
                mime: own(&blob.mime),
                url: own(&blob.url),
                size: blob.size,
            })
            .collect();
    }
    said
}

/// What `echo` answers: the same, automatic, in the same place.
fn answer(said: &Message<'static>, at: &Place<'static>) -> Message<'static> {
    Message {
        at: at.clone(),
        who: Who::nick(magic::ECHO),
        auto: true,
        key: said.key.as_ref().map(|key| suffixed(key, ANSWER)),
        ..said.clone()
    }
}

fn no_such_target(name: &str) -> Fault {
    Fault::new(FaultKind::NoSuchTarget, format!("there is no {name}"))
}
