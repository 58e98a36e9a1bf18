//! Lines on their way out: the bytes that wait for the socket, and before them a bounded queue
//! that is let out as fast as the network bears.
//!
//! Nothing with CR, LF or NUL inside passes [`Wire::line`], whatever the caller hands it.

use std::collections::VecDeque;
use std::time::Instant;

use isthmus_gateway::Tag;
use isthmus_kit::Bucket;

use super::caps::Cap;
use super::encoding::Encodings;
use super::{Conversation, Phase};

/// Parameter of the PING that asks whether the connection lives.
pub(super) const KEEP_ALIVE: &str = "keep-alive";
/// What the parameter of a PING that proves something begins with.
pub(super) const PROOF: &str = "proof-";
/// Bytes that wait for the socket before the queue is held back.
const ENOUGH_UNWRITTEN: usize = 16 * 1024;

/// Whole lines as bytes.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) bytes: Vec<u8>,
}

impl Wire {
    /// Adds one line made of these parts.
    pub(super) fn line(&mut self, parts: &[&str]) {
        for part in parts {
            let clean = part.bytes().filter(|b| !matches!(b, b'\r' | b'\n' | b'\0'));
            self.bytes.extend(clean);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Adds one line that is encoded as the network wants it.
    fn encoded(&mut self, line: &str, encodings: &Encodings) {
        let bytes = encodings.write(line);
        let clean = bytes.iter().filter(|b| !matches!(b, b'\r' | b'\n' | b'\0'));
        self.bytes.extend(clean);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// Whose a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A piece of a message.
    Send(Tag),
    /// What begins a message of several lines.
    Opening(Tag),
    /// Any other command.
    Asked(Tag),
    /// Nobody's: an automatic answer.
    None,
}

impl Owner {
    fn tag(self) -> Option<Tag> {
        match self {
            Self::Send(tag) | Self::Opening(tag) | Self::Asked(tag) => Some(tag),
            Self::None => None,
        }
    }
}

/// Whether a line bears a label: parts of a batch are answered with what began it.
fn is_labelled(line: &str) -> bool {
    !line.starts_with("BATCH -") && !line.starts_with("@batch=")
}

/// A line that waits.
pub(super) struct Waiting {
    pub(super) line: String,
    pub(super) owner: Owner,
}

/// The lines on their way out.
pub(super) struct Queue {
    pub(super) wire: Wire,
    pub(super) waiting: VecDeque<Waiting>,
    /// Channels whose modes are to be asked for when nothing else waits: their folded names.
    pub(super) modes: VecDeque<Box<[u8]>>,
    bucket: Bucket,
    full: Bucket,
    most: usize,
    /// The number of the last proving PING.
    proof: u32,
    /// How many lines went out.
    seq: u64,
    /// How many things have gone out whole and want a PING behind them.
    pub(super) unproven: usize,
}

impl Queue {
    pub(super) fn new(bucket: Bucket, most: usize) -> Self {
        Self {
            wire: Wire::default(),
            waiting: VecDeque::new(),
            modes: VecDeque::new(),
            full: bucket.clone(),
            bucket,
            most,
            proof: 0,
            seq: 0,
            unproven: 0,
        }
    }

    /// Whether so many more lines fit.
    pub(super) fn fits(&self, lines: usize) -> bool {
        self.waiting.len() + lines <= self.most
    }

    pub(super) fn push(&mut self, line: String, owner: Owner) {
        self.waiting.push_back(Waiting { line, owner });
    }

    /// So many lines may go out at once from now on.
    pub(super) fn throttle(&mut self, burst: u32) {
        self.bucket.resize(burst);
        self.full.resize(burst);
    }

    /// Forgets everything: the connection is gone, and the next one begins with a full bucket.
    pub(super) fn clear(&mut self) {
        self.wire = Wire::default();
        self.bucket = self.full.clone();
        self.unproven = 0;
        self.clear_waiting();
    }

    pub(super) fn clear_waiting(&mut self) {
        self.waiting = VecDeque::new();
        self.modes = VecDeque::new();
    }

    /// When the next waiting line may go out.
    pub(super) fn ready(&self, now: Instant) -> Option<Instant> {
        let nothing = self.waiting.is_empty();
        self.pace(now).filter(|_| !nothing)
    }

    /// When a line may go out; `None`: when the socket has caught up.
    pub(super) fn pace(&self, now: Instant) -> Option<Instant> {
        (!self.is_held()).then(|| self.bucket.ready(now))
    }

    /// Puts a line on the wire that nobody waits for, and takes its token.
    pub(super) fn say_idly(&mut self, line: &str, encodings: &Encodings, now: Instant) {
        self.bucket.debit(now);
        self.seq += 1;
        self.wire.encoded(line, encodings);
    }

    /// The socket is behind: the queue waits for it and not for the clock.
    pub(super) fn is_held(&self) -> bool {
        self.wire.bytes.len() > ENOUGH_UNWRITTEN
    }

    /// Puts the first waiting line on the wire and takes its token. Returns whose it was and its
    /// place in the order of all lines.
    fn send_first(
        &mut self,
        label: bool,
        encodings: &Encodings,
        now: Instant,
    ) -> Option<(Owner, u64)> {
        let waiting = self.waiting.pop_front()?;
        self.bucket.debit(now);
        self.seq += 1;
        let label = waiting
            .owner
            .tag()
            .filter(|_| label && is_labelled(&waiting.line));
        match label {
            // IRCv3 labeled-response: one label, one answer.
            Some(tag) => {
                let label = format!("@label={}.{}", tag.0, self.seq);
                let line = waiting.line.as_str();
                let line = match line.strip_prefix('@') {
                    Some(tagged) => format!("{label};{tagged}"),
                    None => format!("{label} {line}"),
                };
                self.wire.encoded(&line, encodings);
            }
            None => self.wire.encoded(&waiting.line, encodings),
        }
        Some((waiting.owner, self.seq))
    }

    /// Sends a PING whose answer proves that everything before it was dealt with, and takes a
    /// token for it. Returns its number.
    fn prove(&mut self, now: Instant) -> u32 {
        self.proof = self.proof.wrapping_add(1);
        self.bucket.debit(now);
        self.wire.line(&["PING :", PROOF, &self.proof.to_string()]);
        self.proof
    }
}

/// So many unproven things are proven by one PING at the latest.
const MOST_UNPROVEN: usize = 5;

impl Conversation {
    /// Lets waiting lines out as far as the bucket and the socket allow, with the PINGs that prove
    /// them: one behind a run of lines that do not concern the same target, so that an error can
    /// only belong to one of them.
    pub(super) fn release(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Online) {
            return;
        }
        while let Some(first) = self.queue.waiting.front() {
            let owner = first.owner;
            if self.queue.is_held() || self.queue.bucket.ready(now) > now {
                return;
            }
            if self.queue.unproven > 0 && self.must_prove_before(owner) {
                self.prove(now);
                continue;
            }
            let label = self.can(Cap::LabeledResponse);
            if let Some((owner, seq)) = self.queue.send_first(label, &self.settings.encodings, now)
            {
                self.has_gone(owner, seq, now);
            }
        }
        if self.queue.unproven > 0 {
            self.prove(now);
        }
        self.ask_modes(now);
    }

    fn must_prove_before(&self, owner: Owner) -> bool {
        if self.queue.unproven >= MOST_UNPROVEN {
            return true;
        }
        let key = match owner {
            Owner::Send(tag) => self.sends.iter().find(|s| s.tag == tag).map(|s| &s.key),
            Owner::Asked(tag) => self.asked.iter().find(|a| a.tag == tag).map(|a| &a.key),
            // Nothing may come between its lines.
            Owner::Opening(_) => return true,
            Owner::None => None,
        };
        let Some(key) = key else { return false };
        let echo = self.confirms();
        self.sends
            .iter()
            .any(|s| s.wants_proof(echo) && s.key == *key)
            || (!self.can(Cap::LabeledResponse)
                && self.asked.iter().any(|a| a.wants_proof() && a.key == *key))
    }

    /// The network answers each message, by its echo or by its label.
    pub(super) fn confirms(&self) -> bool {
        self.can(Cap::EchoMessage) || self.can(Cap::LabeledResponse)
    }

    fn prove(&mut self, now: Instant) {
        let proof = self.queue.prove(now);
        let echo = self.confirms();
        for send in self.sends.iter_mut().filter(|s| s.wants_proof(echo)) {
            send.proof = Some(proof);
        }
        for asked in self.asked.iter_mut().filter(|a| a.wants_proof()) {
            asked.proof = Some(proof);
        }
        self.queue.unproven = 0;
    }

    fn has_gone(&mut self, owner: Owner, seq: u64, now: Instant) {
        let mut wants = false;
        let confirms = self.confirms();
        let labelled = self.can(Cap::LabeledResponse);
        match owner {
            Owner::Send(tag) => {
                if let Some(send) = self.sends.iter_mut().find(|s| s.tag == tag) {
                    send.has_gone(seq, now);
                    wants = send.wants_proof(confirms);
                }
            }
            Owner::Asked(tag) => {
                for asked in self.asked.iter_mut().filter(|a| a.line() == tag) {
                    asked.gone.get_or_insert((seq, now));
                    asked.waiting = asked.waiting.saturating_sub(1);
                    wants = !labelled && asked.wants_proof();
                }
            }
            Owner::Opening(_) | Owner::None => {}
        }
        if wants {
            self.queue.unproven += 1;
        }
    }
}

/// Whether the PONG numbered `pong` proves what waits for `proof`: its own or an earlier one.
pub(super) fn proves(pong: u32, proof: Option<u32>) -> bool {
    proof.is_some_and(|proof| pong.wrapping_sub(proof) < u32::MAX / 2)
}
