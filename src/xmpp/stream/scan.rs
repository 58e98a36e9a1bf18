//! Finds the borders of first-level elements. Knows quotes, tags and CDATA; not names.

use memchr::{memchr, memchr2};

use super::super::stanza::StreamCondition;
use super::{Limits, StreamFault};

/// A border, just before the scanner's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The end of a first-level element.
    Stanza,
    /// The element that is open went beyond depth or attributes.
    Beyond,
    /// The end tag of the stream.
    End,
}

/// A lexer that stops anywhere; positions count from the start of the buffer it is given, which
/// must begin with the bytes of last time unless [`Scanner::rewind`] was called.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    lex: Lex,
    position: usize,
    /// First-level elements are at 1.
    depth: usize,
    /// Attributes of the tag that is open.
    attributes: usize,
    /// The stream header was an empty element.
    over: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lex {
    /// Text.
    #[default]
    Text,
    /// After `<`.
    Less,
    /// After `<!` and so many bytes of [`CDATA`].
    Bang(u8),
    /// In CDATA, after so many `]` (2 stands for more).
    Cdata(u8),
    /// In a start tag.
    Start,
    /// In an attribute value, up to this quote.
    Value(u8),
    /// In a start tag, after `/`.
    Slash,
    /// In an end tag.
    End,
}

const CDATA: &[u8] = b"[CDATA[";

impl Scanner {
    /// Whether no first-level element is open, nor a tag.
    pub(super) fn is_between_stanzas(&self) -> bool {
        self.depth == 0 && self.lex == Lex::Text && !self.over
    }

    /// How many bytes have been scanned.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The scanned bytes have been taken off the buffer.
    pub(super) fn rewind(&mut self) {
        self.position = 0;
    }

    /// The stream ends where it began.
    pub(super) fn end_of_stream(&mut self) {
        self.over = true;
    }

    /// Goes on until a border or the end of the bytes.
    pub(super) fn scan(
        &mut self,
        buffer: &[u8],
        limits: &Limits,
    ) -> Result<Option<Event>, StreamFault> {
        if self.over {
            return Ok(Some(Event::End));
        }
        while let Some(rest) = buffer.get(self.position..).filter(|rest| !rest.is_empty()) {
            let event = match self.lex {
                Lex::Text => self.text(rest),
                Lex::Less => self.less(rest[0])?,
                Lex::Bang(seen) => self.bang(rest[0], seen)?,
                Lex::Cdata(brackets) => self.cdata(rest, brackets),
                Lex::Start => self.start(rest, limits)?,
                Lex::Value(quote) => self.value(rest, quote)?,
                Lex::Slash => self.slash(rest[0], limits)?,
                Lex::End => self.end(rest)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn text(&mut self, rest: &[u8]) -> Option<Event> {
        // Tags often follow each other.
        let found = if rest[0] == b'<' {
            Some(0)
        } else {
            memchr(b'<', rest)
        };
        match found {
            Some(at) => {
                self.position += at + 1;
                self.lex = Lex::Less;
            }
            None => self.position += rest.len(),
        }
        None
    }

    fn less(&mut self, byte: u8) -> Result<Option<Event>, StreamFault> {
        self.lex = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => Lex::Start,
            b'/' => Lex::End,
            b'!' => Lex::Bang(0),
            b'?' => return Err(restricted("processing instruction")),
            _ => return Err(malformed("no name after <")),
        };
        self.attributes = 0;
        self.position += 1;
        Ok(None)
    }

    /// Only CDATA may follow `<!`: RFC 6120 §11.1 forbids comments and document types.
    fn bang(&mut self, byte: u8, seen: u8) -> Result<Option<Event>, StreamFault> {
        if CDATA.get(usize::from(seen)) != Some(&byte) {
            return Err(restricted("comment or document type"));
        }
        if self.depth == 0 {
            return Err(StreamFault::new(
                StreamCondition::BadFormat,
                "text between stanzas",
            ));
        }
        self.position += 1;
        let seen = seen + 1;
        self.lex = if usize::from(seen) == CDATA.len() {
            Lex::Cdata(0)
        } else {
            Lex::Bang(seen)
        };
        Ok(None)
    }

    fn cdata(&mut self, rest: &[u8], brackets: u8) -> Option<Event> {
        self.lex = match (rest[0], brackets) {
            (b']', _) => Lex::Cdata((brackets + 1).min(2)),
            (b'>', 2) => Lex::Text,
            _ => {
                self.position += memchr(b']', rest).unwrap_or(rest.len());
                self.lex = Lex::Cdata(0);
                return None;
            }
        };
        self.position += 1;
        None
    }

    fn start(&mut self, rest: &[u8], limits: &Limits) -> Result<Option<Event>, StreamFault> {
        let Some(at) = rest.iter().position(|&b| SPECIAL[usize::from(b)]) else {
            self.position += rest.len();
            return Ok(None);
        };
        self.position += at + 1;
        match rest[at] {
            b'>' => {
                self.lex = Lex::Text;
                self.depth += 1;
                Ok((self.depth > limits.depth).then_some(Event::Beyond))
            }
            b'/' => {
                self.lex = Lex::Slash;
                Ok(None)
            }
            b'<' => Err(malformed("< in a tag")),
            quote => {
                self.lex = Lex::Value(quote);
                self.attributes += 1;
                Ok((self.attributes > limits.attributes).then_some(Event::Beyond))
            }
        }
    }

    fn value(&mut self, rest: &[u8], quote: u8) -> Result<Option<Event>, StreamFault> {
        match memchr2(quote, b'<', rest) {
            None => self.position += rest.len(),
            Some(at) if rest[at] == quote => {
                self.position += at + 1;
                self.lex = Lex::Start;
            }
            Some(_) => return Err(malformed("< in an attribute")),
        }
        Ok(None)
    }

    fn slash(&mut self, byte: u8, limits: &Limits) -> Result<Option<Event>, StreamFault> {
        if byte != b'>' {
            return Err(malformed("/ in a tag"));
        }
        self.position += 1;
        self.lex = Lex::Text;
        if self.depth == 0 {
            return Ok(Some(Event::Stanza));
        }
        Ok((self.depth >= limits.depth).then_some(Event::Beyond))
    }

    fn end(&mut self, rest: &[u8]) -> Result<Option<Event>, StreamFault> {
        let Some(at) = rest.iter().position(|&b| SPECIAL[usize::from(b)]) else {
            self.position += rest.len();
            return Ok(None);
        };
        if rest[at] != b'>' {
            return Err(malformed("bad end tag"));
        }
        self.position += at + 1;
        self.lex = Lex::Text;
        if self.depth == 0 {
            return Ok(Some(Event::End));
        }
        self.depth -= 1;
        Ok((self.depth == 0).then_some(Event::Stanza))
    }
}

/// Bytes that mean something in a tag outside of attribute values.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b'>' as usize] = true;
    table[b'/' as usize] = true;
    table[b'<' as usize] = true;
    table[b'"' as usize] = true;
    table[b'\'' as usize] = true;
    table
};

fn malformed(reason: &'static str) -> StreamFault {
    StreamFault::new(StreamCondition::NotWellFormed, reason)
}

fn restricted(reason: &'static str) -> StreamFault {
    StreamFault::new(StreamCondition::RestrictedXml, reason)
}
