//! Messages on their way, and the truth about them.
//!
//! A message is told to have been sent when the network shows that it took it: by its echo
//! (IRCv3 echo-message), else by the answer to a PING behind it. Servers answer in order, so an
//! error that comes before that answer belongs to it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use isthmus_gateway::{
    Event, Fault, FaultKind, Key, Outcome, Outgoing, Place, Sink, Tag, Text, Time,
};

use super::queue::{Owner, PROOF, proves};
use super::{Conversation, GIVE_UP, MOST_OPEN, done, format};
use crate::line::Line;

/// A message whose fate is not known yet.
pub(super) struct OpenSend {
    pub(super) tag: Tag,
    /// The folded target.
    pub(super) key: Vec<u8>,
    /// A hash of each piece's text.
    pieces: Vec<u64>,
    written: usize,
    /// How many pieces were echoed or refused.
    answered: usize,
    echoed: u16,
    ids: Vec<String>,
    time: Option<Time>,
    altered: Option<String>,
    /// It has failed and was told; it stays to take the errors of its other pieces.
    ended: bool,
    pub(super) proof: Option<u32>,
    /// Place in the order of all lines, and time, of its first and last written piece.
    pub(super) first: u64,
    pub(super) gone: Option<(u64, Instant)>,
}

impl OpenSend {
    pub(super) fn has_gone(&mut self, seq: u64, now: Instant) {
        if self.written == 0 {
            self.first = seq;
        }
        self.written += 1;
        self.gone = Some((seq, now));
    }

    /// It has gone out whole, nothing will echo it, and no PING is behind it.
    pub(super) fn wants_proof(&self, echo: bool) -> bool {
        !echo && self.proof.is_none() && self.written > 0 && self.written == self.pieces.len()
    }

    /// A piece is on the wire and the network has not answered it.
    pub(super) fn is_open(&self) -> bool {
        self.answered < self.written
    }
}

/// Longest target in bytes; no network has longer names.
const LONGEST_TARGET: usize = 200;
/// Bytes of a CTCP ACTION around its text.
const ACTION: usize = "\u{1}ACTION \u{1}".len();
/// Assumed for `user@host` until it was seen: 10 and 63 bytes (RFC 2812, RFC 1035).
const LONGEST_HANDLE: usize = 74;

impl Conversation {
    pub(super) fn send(&mut self, tag: Tag, out: &Outgoing<'_>, sink: &mut dyn Sink) {
        let target: &str = match &out.to {
            Place::Room(name) | Place::Contact(name) => name,
            Place::Occupant { nick, .. } => nick,
            Place::Network => {
                return self.raw(tag, &out.body, sink);
            }
        };
        if !is_target(target) {
            let fault = Fault::new(FaultKind::BadAddress, "not a name that IRC can carry");
            return done(tag, Err(fault), sink);
        }
        match self.cut(tag, target, out) {
            Ok(open) => self.sends.push_back(open),
            Err(fault) => done(tag, Err(fault), sink),
        }
    }

    /// Puts the pieces of a message into the queue, all or none.
    fn cut(&mut self, tag: Tag, target: &str, out: &Outgoing<'_>) -> Result<OpenSend, Fault> {
        let body = without_ctcp(&out.body);
        let limit = self.room_for("PRIVMSG", target.len());
        let limit = limit - if out.action { ACTION } else { 0 };
        let texts: Vec<Text<'_>> = isthmus_kit::pieces(&body, limit)
            .map(|piece| {
                if out.action {
                    Text::Owned(format!("\u{1}ACTION {piece}\u{1}"))
                } else {
                    Text::Borrowed(piece)
                }
            })
            .collect();
        if texts.is_empty() {
            return Err(Fault::new(
                FaultKind::NotExpressible,
                "there is no text to send",
            ));
        }
        if !self.queue.fits(texts.len()) || self.sends.len() >= MOST_OPEN {
            return Err(Fault::new(
                FaultKind::Full,
                "too many lines wait to be sent to this network",
            ));
        }
        for text in &texts {
            let line = format!("PRIVMSG {target} :{text}");
            self.queue.push(line, Owner::Send(tag));
        }
        Ok(OpenSend {
            tag,
            key: self.folded(target),
            pieces: texts.iter().map(|text| hash(text)).collect(),
            written: 0,
            answered: 0,
            echoed: 0,
            ids: Vec::new(),
            time: None,
            altered: None,
            ended: false,
            proof: None,
            first: 0,
            gone: None,
        })
    }

    /// Bytes of text that fit a line with this command and a target of this length, as the server
    /// passes it on: with our prefix before it.
    pub(super) fn room_for(&self, command: &str, target_len: usize) -> usize {
        let handle = if self.handle_len > 0 {
            self.handle_len
        } else {
            LONGEST_HANDLE
        };
        let prefix = ":".len() + self.me.len() + "!".len() + handle + " ".len();
        let around = prefix + command.len() + " ".len() + target_len + " :".len() + "\r\n".len();
        self.isupport.line_len.saturating_sub(around).max(32)
    }

    /// The network shows a message of ours. False: it is none that was sent from here.
    pub(super) fn on_echo(
        &mut self,
        target: &str,
        text: &str,
        line: &Line<'_>,
        now: Instant,
        sink: &mut dyn Sink,
    ) -> bool {
        let (key, hashed) = (self.folded(target), hash(text));
        let open = |send: &OpenSend| send.key == key && send.is_open();
        let same = |send: &OpenSend| send.pieces[send.answered..send.written].contains(&hashed);
        let exact = self.sends.iter().position(|send| open(send) && same(send));
        // Some networks change what is said (colours taken out, words replaced).
        let Some(at) = exact.or_else(|| self.sends.iter().position(open)) else {
            return false;
        };
        let send = &mut self.sends[at];
        send.answered += match exact {
            Some(_) => {
                let behind = &send.pieces[send.answered..send.written];
                behind
                    .iter()
                    .position(|&piece| piece == hashed)
                    .unwrap_or(0)
                    + 1
            }
            None => 1,
        };
        send.echoed = send.echoed.saturating_add(1);
        send.ids.extend(line.tag("msgid").map(Text::into_owned));
        if exact.is_none() && send.pieces.len() == 1 {
            let inner = text.strip_prefix("\u{1}ACTION ").unwrap_or(text);
            send.altered = Some(format::plain(inner).body.into_owned());
        }
        let past = self.past(line, now);
        let send = &mut self.sends[at];
        send.time = send.time.or(past);
        if send.answered >= send.pieces.len() {
            self.settle(at, exact.is_some(), sink);
        }
        true
    }

    /// The message at `at` is answered whole. What went to the same target before it and was not
    /// answered never will be.
    fn settle(&mut self, at: usize, exact: bool, sink: &mut dyn Sink) {
        let Some(send) = self.sends.remove(at) else {
            return;
        };
        if exact {
            let mut index = 0;
            for _ in 0..at {
                let earlier = &self.sends[index];
                if earlier.key == send.key && earlier.is_open() {
                    if let Some(earlier) = self.sends.remove(index)
                        && !earlier.ended
                    {
                        let words = "the network did not pass the message on";
                        let fault = Fault::new(FaultKind::Other, words);
                        done(earlier.tag, Err(fault), sink);
                    }
                } else {
                    index += 1;
                }
            }
        }
        accepted(send, sink);
    }

    /// The answer to a PING: what was before it has been taken.
    pub(super) fn on_pong(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let number = line
            .last()
            .strip_prefix(PROOF)
            .and_then(|n| n.parse::<u32>().ok());
        let Some(number) = number else { return };
        while let Some(at) = self.sends.iter().position(|s| proves(number, s.proof)) {
            if let Some(send) = self.sends.remove(at) {
                accepted(send, sink);
            }
        }
        while let Some(at) = self.asked.iter().position(|a| proves(number, a.proof)) {
            let asked = self.asked.remove(at);
            done(asked.tag, Ok(Outcome::Finished), sink);
        }
    }

    /// The first open message that `matches`, in the order of the wire: index and place.
    pub(super) fn open_send(&self, matches: impl Fn(&OpenSend) -> bool) -> Option<(usize, u64)> {
        let mut open = self.sends.iter().enumerate();
        open.find(|(_, send)| send.is_open() && matches(send))
            .map(|(at, send)| (at, send.first))
    }

    /// The network refused a piece of the message at `at`: the message has failed, and what of it
    /// is not out yet stays here.
    pub(super) fn fail_send(&mut self, at: usize, fault: Fault, sink: &mut dyn Sink) {
        let Some(send) = self.sends.get_mut(at) else {
            return;
        };
        send.answered += 1;
        if !send.ended {
            send.ended = true;
            let parts_sent = send.echoed;
            done(
                send.tag,
                Err(Fault {
                    parts_sent,
                    ..fault
                }),
                sink,
            );
        }
        let owner = Owner::Send(send.tag);
        if send.written < send.pieces.len() {
            send.pieces.truncate(send.written);
            self.queue.waiting.retain(|waiting| waiting.owner != owner);
            if send.wants_proof(self.echo) {
                self.queue.unproven += 1;
            }
        }
        if send.proof.is_none() && self.echo && send.answered >= send.pieces.len() {
            self.sends.remove(at);
        }
    }

    /// Ends what was answered by nothing at all for a long time.
    pub(super) fn give_up(&mut self, now: Instant, sink: &mut dyn Sink) {
        let is_over =
            |gone: Option<(u64, Instant)>| gone.is_some_and(|(_, at)| now >= at + GIVE_UP);
        let fault = || Fault::new(FaultKind::TimedOut, "the network did not answer");
        while let Some(at) = self.sends.iter().position(|send| is_over(send.gone)) {
            if let Some(send) = self.sends.remove(at) {
                let owner = Owner::Send(send.tag);
                self.queue.waiting.retain(|waiting| waiting.owner != owner);
                if !send.ended {
                    done(send.tag, Err(fault()), sink);
                }
            }
        }
        while let Some(at) = self.asked.iter().position(|asked| is_over(asked.gone)) {
            let asked = self.asked.remove(at);
            done(asked.tag, Err(fault()), sink);
        }
    }

    /// Ends every open command with this fault.
    pub(super) fn end_all(&mut self, fault: &Fault, sink: &mut dyn Sink) {
        for send in std::mem::take(&mut self.sends)
            .into_iter()
            .filter(|send| !send.ended)
        {
            let parts_sent = send.echoed;
            done(
                send.tag,
                Err(Fault {
                    parts_sent,
                    ..fault.clone()
                }),
                sink,
            );
        }
        for asked in std::mem::take(&mut self.asked) {
            done(asked.tag, Err(fault.clone()), sink);
        }
        for (tag, _) in std::mem::take(&mut self.parked) {
            done(tag, Err(fault.clone()), sink);
        }
    }
}

fn accepted(send: OpenSend, sink: &mut dyn Sink) {
    if send.ended {
        return;
    }
    let keys: Vec<Key<'_>> = send.ids.iter().map(|id| Key(id.as_str().into())).collect();
    sink.event(Event::Echo {
        tag: send.tag,
        keys: keys.into(),
        time: send.time,
        altered: send.altered.as_deref().map(Into::into),
    });
    done(send.tag, Ok(Outcome::Accepted), sink);
}

/// Whether `name` can stand as the one target of a command.
pub(super) fn is_target(name: &str) -> bool {
    let bad = |c: char| c <= ' ' || c == ',';
    !name.is_empty()
        && name.len() <= LONGEST_TARGET
        && !name.starts_with(':')
        && !name.contains(bad)
}

/// A body in which nothing reads as CTCP.
fn without_ctcp(body: &str) -> Text<'_> {
    if body.contains(['\u{1}', '\0']) {
        Text::Owned(body.replace(['\u{1}', '\0'], ""))
    } else {
        Text::Borrowed(body)
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
