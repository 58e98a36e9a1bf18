//! Messages on their way, and the truth about them.
//!
//! A message is told to have been sent when the network shows that it took it: by its echo
//! (IRCv3 echo-message), else by the answer to a PING behind it. Servers answer in order, so an
//! error that comes before that answer belongs to it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use isthmus_gateway::{
    Event, Fault, FaultKind, Key, Outcome, Outgoing, Place, Sink, Span, Tag, Text, Time,
};

use super::caps::Cap;
use super::queue::{Owner, PROOF, proves};
use super::{Conversation, GIVE_UP, MOST_OPEN, done, format};
use crate::line::{Line, escape};

/// Raw lines to people whose echo is waited for.
const MOST_RAW: usize = 32;

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

    /// It is this one, and has not ended.
    pub(super) fn minds(&self, tag: Tag) -> bool {
        self.tag == tag && !self.ended
    }

    /// A piece is on the wire and the network has not answered it.
    pub(super) fn is_open(&self) -> bool {
        self.answered < self.written
    }
}

/// Longest target in bytes; no network has longer names.
const LONGEST_TARGET: usize = 200;
/// Longest id of a message that is answered, in bytes.
const LONGEST_KEY: usize = 256;
/// Bytes of text that a line holds at least, whatever its style.
const LEAST: usize = 64;
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
            let fault = Fault::new(
                FaultKind::BadAddress,
                ("not a name that IRC can carry", "不是 IRC 可用的名称"),
            );
            return done(tag, Err(fault), sink);
        }
        let cut = match self.lines(tag, target, out) {
            Some(open) => Ok(open),
            None => self.cut(tag, target, out),
        };
        match cut {
            Ok(open) => self.sends.push_back(open),
            Err(fault) => done(tag, Err(fault), sink),
        }
    }

    /// Puts the pieces of a message into the queue, all or none.
    fn cut(&mut self, tag: Tag, target: &str, out: &Outgoing<'_>) -> Result<OpenSend, Fault> {
        let body = without_ctcp(&out.body);
        let style = if body.len() == out.body.len() {
            &*out.style
        } else {
            &[]
        };
        let limit = self.room_for("PRIVMSG", target.len());
        let limit = limit - if out.action { ACTION } else { 0 };
        let limit = limit.saturating_sub(format::codes(style)).max(LEAST);
        let texts: Vec<Text<'_>> = isthmus_kit::pieces(&body, limit)
            .map(|piece| {
                let piece = format::coded(&body, piece, style);
                if out.action {
                    Text::Owned(format!("\u{1}ACTION {piece}\u{1}"))
                } else {
                    piece
                }
            })
            .collect();
        if texts.is_empty() {
            return Err(Fault::new(
                FaultKind::NotExpressible,
                ("there is no text to send", "没有可发送的内容"),
            ));
        }
        if !self.queue.fits(texts.len()) || self.sends.len() >= MOST_OPEN {
            return Err(Fault::new(
                FaultKind::Full,
                (
                    "too many lines wait to be sent to this network",
                    "等待发往此网络的行过多",
                ),
            ));
        }
        let reply = self.reply_tag(out);
        for (at, text) in texts.iter().enumerate() {
            let reply = reply.as_deref().filter(|_| at == 0).unwrap_or("");
            let line = format!("{reply}PRIVMSG {target} :{text}");
            self.queue.push(line, Owner::Send(tag));
        }
        let pieces = texts.iter().map(|text| hash(text)).collect();
        Ok(self.open_with(tag, target, pieces))
    }

    fn open_with(&self, tag: Tag, target: &str, pieces: Vec<u64>) -> OpenSend {
        OpenSend {
            tag,
            key: self.folded(target),
            pieces,
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
        }
    }

    /// The tag of a reply, with the `@` and the space around it.
    fn reply_tag(&self, out: &Outgoing<'_>) -> Option<String> {
        let reply = out.reply.as_ref().filter(|_| self.may_tag("draft/reply"))?;
        let fits = !reply.key.0.is_empty() && reply.key.0.len() <= LONGEST_KEY;
        fits.then(|| format!("@+draft/reply={} ", escape(&reply.key.0)))
    }

    /// Puts a message of several lines, or a long one, into the queue as one message
    /// (draft/multiline). `None`: the network has no such thing, or it is too much for it.
    fn lines(&mut self, tag: Tag, target: &str, out: &Outgoing<'_>) -> Option<OpenSend> {
        if !self.can(Cap::Multiline) || !self.can(Cap::Batch) || out.action {
            return None;
        }
        let body = without_ctcp(&out.body)
            .replace("\r\n", "\n")
            .replace('\r', "\n");
        let body = body.trim_matches('\n');
        let limit = self.room_for("PRIVMSG", target.len());
        if body.len() <= limit && !body.contains('\n') {
            return None;
        }
        let style: &[Span] = if *body == *out.body { &out.style } else { &[] };
        let limit = limit.saturating_sub(format::codes(style)).max(LEAST);
        let (most_bytes, most_lines) = self.caps.multiline;
        let (mut lines, mut whole) = (Vec::new(), String::new());
        for line in body.split('\n') {
            for (at, piece) in whole_pieces(line, limit).into_iter().enumerate() {
                let text = format::coded(body, piece, style);
                let concat = if at > 0 {
                    ";draft/multiline-concat"
                } else {
                    ""
                };
                if at == 0 && !lines.is_empty() {
                    whole.push('\n');
                }
                whole.push_str(&text);
                lines.push(format!("@batch={}{concat} PRIVMSG {target} :{text}", tag.0));
            }
        }
        let fits = whole.len() <= most_bytes && lines.len() <= most_lines;
        let queued = self.queue.fits(lines.len() + 2) && self.sends.len() < MOST_OPEN;
        if !fits || !queued || whole.trim().is_empty() {
            return None;
        }
        let reply = self.reply_tag(out).unwrap_or_default();
        let begin = format!("{reply}BATCH +{} draft/multiline {target}", tag.0);
        self.queue.push(begin, Owner::Opening(tag));
        for line in lines {
            self.queue.push(line, Owner::None);
        }
        self.queue
            .push(format!("BATCH -{}", tag.0), Owner::Send(tag));
        Some(self.open_with(tag, target, vec![hash(&whole)]))
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

    /// Sends a line as it is. What it says to a person (logins to services are said so) is nobody's
    /// message: its echo is not told.
    pub(super) fn push_raw(&mut self, line: String) {
        let words = line.split_ascii_whitespace();
        let mut words = words.skip_while(|word| word.starts_with(['@', ':']));
        let says = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("PRIVMSG"));
        let targets = words.next().filter(|_| says && self.can(Cap::EchoMessage));
        for target in targets.into_iter().flat_map(|targets| targets.split(',')) {
            if self.isupport.channel(target).is_some() {
                continue;
            }
            if self.raw_to.len() == MOST_RAW {
                self.raw_to.pop_front();
            }
            let target = self.folded(target);
            self.raw_to.push_back(target);
        }
        self.queue.push(line, Owner::None);
    }

    /// Whether this is the echo of what a raw line said. Not by its words: networks hide passwords.
    fn is_raw_echo(&mut self, target: &str) -> bool {
        if self.raw_to.is_empty() {
            return false;
        }
        let target = self.folded(target);
        let at = self.raw_to.iter().position(|to| *to == target);
        at.is_some_and(|at| self.raw_to.remove(at).is_some())
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
        let labelled = self.labelled_send();
        self.context.used |= labelled.is_some();
        let exact = match labelled {
            Some(at) => Some(at).filter(|&at| same(&self.sends[at])),
            None => self.sends.iter().position(|send| open(send) && same(send)),
        };
        // Some networks change what is said (colours taken out, words replaced).
        let found = labelled
            .or(exact)
            .or_else(|| self.sends.iter().position(open));
        // What is not a message of the user's word for word may be that of a raw line.
        if exact.is_none() && labelled.is_none() && self.is_raw_echo(target) {
            return true;
        }
        let Some(at) = found else {
            return false;
        };
        let send = &mut self.sends[at];
        send.answered += match exact {
            Some(_) if labelled.is_none() => {
                let behind = &send.pieces[send.answered..send.written];
                behind
                    .iter()
                    .position(|&piece| piece == hashed)
                    .unwrap_or(0)
                    + 1
            }
            _ => 1,
        };
        send.echoed = send.echoed.saturating_add(1);
        send.ids.extend(line.tag("msgid").map(Text::into_owned));
        if exact.is_none() && send.pieces.len() == 1 {
            let inner = text.strip_prefix("\u{1}ACTION ").unwrap_or(text);
            send.altered = Some(super::batch::bare(inner.trim_end_matches('\u{1}')));
        }
        let past = self.past(line, now);
        let send = &mut self.sends[at];
        send.time = send.time.or(past);
        if send.answered >= send.pieces.len() {
            // Labels tell of each message by itself.
            self.settle(at, exact.is_some() && labelled.is_none(), sink);
        }
        true
    }

    /// A piece of the message at `at` was taken, and nothing said of it.
    pub(super) fn piece_taken(&mut self, at: usize, sink: &mut dyn Sink) {
        let Some(send) = self.sends.get_mut(at) else {
            return;
        };
        send.answered += 1;
        if send.answered >= send.pieces.len() {
            self.settle(at, false, sink);
        }
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
                        let words = (
                            "the network did not pass the message on",
                            "该网络没有转发此消息",
                        );
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
        let confirms = self.confirms();
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
            // What has begun as a batch must end as one.
            let stays = |line: &str| line.starts_with("BATCH -");
            let waiting = &mut self.queue.waiting;
            waiting.retain(|waiting| waiting.owner != owner || stays(&waiting.line));
            if send.wants_proof(confirms) {
                self.queue.unproven += 1;
            }
        }
        if send.proof.is_none() && confirms && send.answered >= send.pieces.len() {
            self.sends.remove(at);
        }
    }

    /// Ends what was answered by nothing at all for a long time.
    pub(super) fn give_up(&mut self, now: Instant, sink: &mut dyn Sink) {
        let is_over =
            |gone: Option<(u64, Instant)>| gone.is_some_and(|(_, at)| now >= at + GIVE_UP);
        let fault = || {
            Fault::new(
                FaultKind::TimedOut,
                ("the network did not answer", "该网络没有答复"),
            )
        };
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
            self.refuse(at, fault(), sink);
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
        let parked = std::mem::take(&mut self.parked);
        for (tag, _) in parked.into_iter().chain(self.services.take()) {
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

/// The pieces of one line of which nothing is lost: a space between two stays with the first.
fn whole_pieces(line: &str, max: usize) -> Vec<&str> {
    let base = line.as_ptr() as usize;
    let mut starts: Vec<usize> = isthmus_kit::pieces(line, max - 1)
        .map(|piece| piece.as_ptr() as usize - base)
        .collect();
    if let Some(first) = starts.first_mut() {
        *first = 0;
    } else {
        return vec![line];
    }
    let ends = starts.iter().skip(1).copied().chain([line.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| &line[start..end])
        .collect()
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
