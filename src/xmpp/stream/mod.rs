//! The component stream, bytes in and stanzas out (RFC 6120 §4, XEP-0114 1.6).
//!
//! [`Splitter`] cuts the stream at the borders of its first-level elements and looks at the
//! addresses of each; the tree is built later, where the stanza is handled. It gives the same
//! frames however the bytes arrive, holds at most one stanza within [`Limits`], and skips those
//! beyond, so that one big stanza does not cost everybody the stream.
//!
//! Not done here: sockets, the handshake, building trees ([`Stanza::element`] does), answering.
//!
//! ```text
//! Prolog --header--> Open --</stream:stream>--> Closed
//!    |                | ^
//!    |                v | (beyond limits, until its end)
//!    +----> Failed <- Skipping
//! ```

mod header;
mod peek;
mod scan;

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::element::Element;
use super::ns;
use super::stanza::{Condition, StreamCondition};
pub use header::StreamHeader;
use header::{Head, Scope};
use peek::Peek;
pub use peek::{OwnedPeek, Stanza, StanzaKind};
use scan::{Event, Scanner};

/// What one stanza may be; beyond, it is skipped and reported as [`Frame::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, from the first `<` to the last `>`.
    pub stanza: usize,
    /// Elements open at the same time.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            stanza: 256 * 1024,
            depth: super::element::DEPTH_MAX,
            attributes: super::element::ATTRIBUTES_MAX,
        }
    }
}

/// What the stream says next.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The stream is open.
    Header(StreamHeader),
    /// A stanza, or another first-level element such as `<handshake/>`.
    Stanza(Stanza),
    /// A stanza was dropped; the stream lives.
    Refused(Refusal),
    /// `<stream:error/>`: the end follows.
    StreamError(StreamError),
    /// `</stream:stream>`.
    End,
}

/// A stanza that is not handed out, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its addresses, as far as they could be read.
    pub peek: OwnedPeek,
    /// What to answer it with.
    pub condition: Condition,
}

/// The server's reason for closing the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// The condition; `undefined-condition` if the server gave none that is known.
    pub condition: StreamCondition,
    /// The server's words, if any.
    pub text: Option<String>,
}

/// The bytes are no XMPP stream: send the condition, close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{condition}: {reason}")]
pub struct StreamFault {
    /// The stream error to send.
    pub condition: StreamCondition,
    /// For the log.
    pub reason: &'static str,
}

impl StreamFault {
    const fn new(condition: StreamCondition, reason: &'static str) -> StreamFault {
        StreamFault { condition, reason }
    }
}

/// Cuts a stream into frames; resumable at every byte.
///
/// Read into [`buffer`](Splitter::buffer), call [`next`](Splitter::next) until it gives `None`,
/// and again. At the end of the connection, [`reset`](Splitter::reset).
#[derive(Debug)]
pub struct Splitter {
    limits: Limits,
    buffer: BytesMut,
    state: State,
    scanner: Scanner,
}

#[derive(Debug)]
enum State {
    /// Waiting for the stream header.
    Prolog,
    /// Between or in stanzas.
    Open(Open),
    /// In a stanza that will be refused.
    Skipping(Open, Box<OwnedPeek>),
    /// After the end tag.
    Closed,
    /// After a fault, which is repeated.
    Failed(StreamFault),
}

/// What later frames need of the stream header.
#[derive(Clone, Debug)]
struct Open {
    /// Name of the stream element with its prefix.
    name: Box<str>,
    /// Whether names without prefix are in the content namespace.
    content_is_default: bool,
    /// Declarations in force, if others than usual.
    scope: Option<Arc<Scope>>,
}

impl Splitter {
    /// A splitter at the beginning of a stream.
    pub fn new(limits: Limits) -> Splitter {
        Splitter {
            limits,
            buffer: BytesMut::new(),
            state: State::Prolog,
            scanner: Scanner::default(),
        }
    }

    /// Where to append what was read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Forgets everything: the next byte is the first of a new stream.
    pub fn reset(&mut self) {
        *self = Splitter::new(self.limits);
    }

    /// The next frame, or `None` until there are more bytes (and for ever after [`Frame::End`]).
    ///
    /// # Errors
    /// [`StreamFault`] when no later byte can be trusted; repeated until [`Splitter::reset`].
    // Not an Iterator: it can have a next item after None.
    #[expect(
        clippy::should_implement_trait,
        reason = "resumes after None, unlike an iterator"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, StreamFault> {
        let result = match self.state {
            State::Prolog => self.header(),
            State::Open(_) | State::Skipping(..) => self.stanza(),
            State::Closed => {
                self.buffer.clear();
                Ok(None)
            }
            State::Failed(fault) => Err(fault),
        };
        if let Err(fault) = &result {
            self.state = State::Failed(*fault);
            self.buffer = BytesMut::new();
        }
        result
    }

    fn header(&mut self) -> Result<Option<Frame>, StreamFault> {
        let Some((
            Head {
                header,
                name,
                scope,
                empty,
            },
            len,
        )) = header::parse(&self.buffer)?
        else {
            return Ok(None);
        };
        self.buffer.advance(len);
        let content_is_default = scope.content_is_default();
        let scope = (!scope.is_usual()).then(|| Arc::new(scope));
        self.state = State::Open(Open {
            name,
            content_is_default,
            scope,
        });
        if empty {
            self.scanner.end_of_stream();
        }
        Ok(Some(Frame::Header(header)))
    }

    fn stanza(&mut self) -> Result<Option<Frame>, StreamFault> {
        loop {
            if self.scanner.is_between_stanzas() {
                self.skip_space()?;
            }
            let skipping = matches!(self.state, State::Skipping(..));
            let before = self.scanner.position();
            let event = self.scanner.scan(&self.buffer, &self.limits)?;
            let scanned = self.scanner.position();
            if skipping {
                debug_assert_eq!(before, 0);
                self.buffer.advance(scanned);
                self.scanner.rewind();
                match event {
                    Some(Event::Stanza) => return Ok(self.end_of_skipping()),
                    Some(Event::Beyond) => continue,
                    Some(Event::End) | None => return Ok(None),
                }
            }
            match event {
                Some(Event::End) => return self.end(scanned).map(Some),
                Some(Event::Stanza) if scanned <= self.limits.stanza => {
                    return self.cut(scanned).map(Some);
                }
                None if scanned <= self.limits.stanza => return Ok(None),
                Some(Event::Stanza) => {
                    self.start_skipping(scanned);
                    return Ok(self.end_of_skipping());
                }
                Some(Event::Beyond) | None if self.buffer.starts_with(b"</") => {
                    return Err(StreamFault::new(
                        StreamCondition::NotWellFormed,
                        "bad end tag",
                    ));
                }
                Some(Event::Beyond) | None => self.start_skipping(scanned),
            }
        }
    }

    /// Drops white space between stanzas (RFC 6120 §4.6.1); nothing else may be there.
    fn skip_space(&mut self) -> Result<(), StreamFault> {
        let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        let len = self
            .buffer
            .iter()
            .position(|b| !space(b))
            .unwrap_or(self.buffer.len());
        if len > 0 {
            self.buffer.advance(len);
        }
        if self.buffer.is_empty() && self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = BytesMut::new();
        }
        match self.buffer.first() {
            Some(b'<') | None => Ok(()),
            Some(_) => Err(StreamFault::new(
                StreamCondition::BadFormat,
                "text between stanzas",
            )),
        }
    }

    /// A whole stanza of `len` bytes is at the start of the buffer.
    fn cut(&mut self, len: usize) -> Result<Frame, StreamFault> {
        let State::Open(open) = &self.state else {
            return Err(StreamFault::new(
                StreamCondition::InternalServerError,
                "splitter state",
            ));
        };
        let bytes = &self.buffer[..len];
        let peeked = Peek::of(bytes, open.content_is_default);
        if !peek::ends_as_it_starts(bytes) {
            return Err(StreamFault::new(
                StreamCondition::NotWellFormed,
                "mismatched end tag",
            ));
        }
        let frame = match peeked {
            Err((peek, _)) => {
                let peek = peek.to_owned(bytes);
                Frame::Refused(Refusal {
                    peek,
                    condition: Condition::BadRequest,
                })
            }
            Ok(peek) if peek.kind() == StanzaKind::Other && peek::is_error(bytes) => {
                match stream_error(bytes, open.scope.as_deref()) {
                    Some(error) => Frame::StreamError(error),
                    None => Frame::Stanza(Stanza::new(self.take(len), peek, self.scope())),
                }
            }
            Ok(peek) => {
                let scope = open.scope.clone();
                let bytes = self.take(len);
                self.scanner.rewind();
                return Ok(Frame::Stanza(Stanza::new(bytes, peek, scope)));
            }
        };
        if !matches!(frame, Frame::Stanza(_)) {
            self.buffer.advance(len);
        }
        self.scanner.rewind();
        Ok(frame)
    }

    fn scope(&self) -> Option<Arc<Scope>> {
        match &self.state {
            State::Open(open) | State::Skipping(open, _) => open.scope.clone(),
            _ => None,
        }
    }

    /// Takes bytes off the front; copies unless they make up much of the buffer, lest a short
    /// stanza that is kept pins a long buffer.
    fn take(&mut self, len: usize) -> Bytes {
        if len >= SHARE_FROM && len * 2 >= self.buffer.capacity() {
            return self.buffer.split_to(len).freeze();
        }
        let bytes = Bytes::copy_from_slice(&self.buffer[..len]);
        self.buffer.advance(len);
        bytes
    }

    /// The stanza at the start of the buffer, scanned so far, will be refused.
    fn start_skipping(&mut self, scanned: usize) {
        let State::Open(open) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        // Up to the limit only, so that what is seen does not depend on how the bytes arrived.
        let bytes = &self.buffer[..scanned.min(self.limits.stanza)];
        let peek = match Peek::of(bytes, open.content_is_default) {
            Ok(peek) | Err((peek, _)) => peek.to_owned(bytes),
        };
        self.buffer.advance(scanned);
        self.scanner.rewind();
        self.state = State::Skipping(open, Box::new(peek));
    }

    fn end_of_skipping(&mut self) -> Option<Frame> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Skipping(open, peek) => {
                self.state = State::Open(open);
                let condition = Condition::PolicyViolation;
                Some(Frame::Refused(Refusal {
                    peek: *peek,
                    condition,
                }))
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The end tag of the stream is at the start of the buffer.
    fn end(&mut self, len: usize) -> Result<Frame, StreamFault> {
        let matches = match &self.state {
            State::Open(open) => len == 0 || peek::is_end_of(&self.buffer[..len], &open.name),
            _ => false,
        };
        if !matches || len > self.limits.stanza {
            return Err(StreamFault::new(
                StreamCondition::NotWellFormed,
                "mismatched end tag",
            ));
        }
        self.state = State::Closed;
        self.buffer.clear();
        Ok(Frame::End)
    }
}

/// Reads `<stream:error/>` (RFC 6120 §4.9.2); `None` if the element is something else.
fn stream_error(bytes: &[u8], scope: Option<&Scope>) -> Option<StreamError> {
    let error = scope
        .map_or_else(|| Element::parse(bytes), |scope| scope.parse(bytes))
        .ok()?;
    if !error.is("error", ns::STREAMS) {
        return None;
    }
    let condition = error
        .children()
        .filter(|child| child.ns() == ns::STREAM_ERRORS)
        .find_map(|child| StreamCondition::parse(child.name()))
        .unwrap_or(StreamCondition::UndefinedCondition);
    let text = error
        .child("text", ns::STREAM_ERRORS)
        .map(|text| text.text().into_owned());
    Some(StreamError { condition, text })
}

/// From this length on a stanza may share the read buffer.
const SHARE_FROM: usize = 4096;
/// An empty read buffer of more than this capacity is released.
const BUFFER_KEPT: usize = 64 * 1024;

#[cfg(test)]
mod tests;
