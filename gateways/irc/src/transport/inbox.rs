//! What was read: cut into lines, handed over as far as the host takes events, and looked through
//! for PINGs while it does not.

use std::time::Instant;

use isthmus_gateway::{Event, Sink};

use super::LONGEST_LINE;
use crate::translate::Conversation;

/// What was read and could not be handed over yet.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) bytes: Vec<u8>,
    /// So many of the bytes were looked through for PINGs, which are answered.
    peeked: usize,
    /// What comes until the next line end belongs to a line that is too long.
    pub(super) skipping: bool,
}

impl Inbox {
    /// Takes what was just read: whole lines go on at once if the sink takes them.
    pub(super) fn take(
        &mut self,
        chunk: &[u8],
        talk: &mut Conversation,
        now: Instant,
        sink: &mut Counted<'_>,
    ) {
        let chunk = self.unskipped(chunk);
        if self.bytes.is_empty() {
            let used = hand_over(chunk, 0, talk, now, sink);
            self.bytes.extend_from_slice(&chunk[used..]);
        } else {
            self.bytes.extend_from_slice(chunk);
            self.drain(talk, now, sink);
        }
        let tail = memchr::memrchr(b'\n', &self.bytes).map_or(0, |end| end + 1);
        if self.bytes.len() - tail > LONGEST_LINE {
            tracing::debug!("irc line too long, dropped");
            self.bytes.truncate(tail);
            self.skipping = true;
        }
        if sink.left == 0 {
            self.peek(talk);
        }
    }

    /// Hands over the lines that wait, as far as the sink takes them.
    pub(super) fn drain(&mut self, talk: &mut Conversation, now: Instant, sink: &mut Counted<'_>) {
        if self.bytes.is_empty() {
            return;
        }
        let used = hand_over(&self.bytes, self.peeked, talk, now, sink);
        self.bytes.drain(..used);
        self.peeked = self.peeked.saturating_sub(used);
    }

    /// As [`drain`](Self::drain), of a connection that is gone: the conversation's end is behind
    /// all of it.
    pub(super) fn drain_rest(
        &mut self,
        talk: &mut Conversation,
        now: Instant,
        sink: &mut Counted<'_>,
    ) {
        let mut used = 0;
        while sink.left > 0
            && let Some(end) = memchr::memchr(b'\n', &self.bytes[used..])
        {
            let line = text(&self.bytes[used..used + end], talk);
            used += end + 1;
            talk.line(&line, now, sink);
        }
        self.bytes.drain(..used);
    }

    /// Answers the PINGs among the lines that wait.
    pub(super) fn peek(&mut self, talk: &mut Conversation) {
        while let Some(end) = memchr::memchr(b'\n', &self.bytes[self.peeked..]) {
            let line = &self.bytes[self.peeked..self.peeked + end];
            talk.peek(&text(line, talk));
            self.peeked += end + 1;
        }
    }

    fn unskipped<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        if !self.skipping {
            return chunk;
        }
        match memchr::memchr(b'\n', chunk) {
            Some(end) => {
                self.skipping = false;
                &chunk[end + 1..]
            }
            None => &[],
        }
    }

    /// Gives memory back that is not in use.
    pub(super) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
            self.peeked = 0;
        }
    }
}

/// Hands whole lines to the conversation while the sink takes events; returns the bytes used.
/// PINGs in the first `peeked` bytes are answered already.
fn hand_over(
    bytes: &[u8],
    peeked: usize,
    talk: &mut Conversation,
    now: Instant,
    sink: &mut Counted<'_>,
) -> usize {
    let mut used = 0;
    while sink.left > 0 && !talk.ending() {
        let Some(end) = memchr::memchr(b'\n', &bytes[used..]) else {
            break;
        };
        let line = text(&bytes[used..used + end], talk);
        used += end + 1;
        let answered = used <= peeked && crate::line::is_ping(&line);
        if !answered {
            talk.line(&line, now, sink);
        }
    }
    used
}

/// A line as text, without its end.
fn text<'a>(line: &'a [u8], talk: &Conversation) -> std::borrow::Cow<'a, str> {
    talk.encodings()
        .read(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Counts events against the host's credit.
pub(super) struct Counted<'a> {
    pub(super) sink: &'a mut dyn Sink,
    pub(super) left: u32,
}

impl Sink for Counted<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.left = self.left.saturating_sub(1);
        self.sink.event(event);
    }
}
