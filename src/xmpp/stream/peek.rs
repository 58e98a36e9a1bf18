//! A stanza as cut from the stream, and the few attributes that route it. No tree.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::super::element::{Element, XmlFault};
use super::super::{ns, wellformed};
use super::header::Scope;

/// What a first-level element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StanzaKind {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
    /// `<handshake/>` (XEP-0114)
    Handshake,
    /// Anything else.
    Other,
}

/// One whole first-level element, not parsed yet.
#[derive(Clone, Debug)]
pub struct Stanza {
    bytes: Bytes,
    peek: Peek,
    scope: Option<Arc<Scope>>,
}

impl Stanza {
    pub(super) fn new(bytes: Bytes, peek: Peek, scope: Option<Arc<Scope>>) -> Stanza {
        Stanza { bytes, peek, scope }
    }

    /// The same stanza as if it had been sent the other way. The tree of [`Self::element`] keeps
    /// the addresses as they came.
    pub(crate) fn turned(mut self) -> Stanza {
        std::mem::swap(&mut self.peek.to, &mut self.peek.from);
        self
    }

    /// What it is; only elements of the content namespace are stanzas.
    pub fn kind(&self) -> StanzaKind {
        self.peek.kind
    }

    /// The `to` attribute.
    pub fn to(&self) -> Option<Cow<'_, str>> {
        self.peek.to.value(&self.bytes)
    }

    /// The `from` attribute.
    pub fn from(&self) -> Option<Cow<'_, str>> {
        self.peek.from.value(&self.bytes)
    }

    /// The `id` attribute.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.peek.id.value(&self.bytes)
    }

    /// The `type` attribute.
    pub fn kind_attr(&self) -> Option<Cow<'_, str>> {
        self.peek.type_.value(&self.bytes)
    }

    /// The bytes, from the first `<` to the last `>`.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Builds the tree.
    ///
    /// # Errors
    /// What the splitter did not look at can be malformed still; answer with
    /// [`XmlFault::condition`].
    pub fn element(&self) -> Result<Element, XmlFault> {
        match &self.scope {
            None => Element::parse(&self.bytes),
            Some(scope) => scope.parse(&self.bytes),
        }
    }

    /// The addresses, copied.
    pub fn to_peek(&self) -> OwnedPeek {
        self.peek.to_owned(&self.bytes)
    }
}

impl PartialEq for Stanza {
    fn eq(&self, other: &Stanza) -> bool {
        self.bytes == other.bytes && self.scope == other.scope
    }
}

/// What is known of a stanza that was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedPeek {
    /// What it was.
    pub kind: StanzaKind,
    /// Its `to` attribute.
    pub to: Option<String>,
    /// Its `from` attribute.
    pub from: Option<String>,
    /// Its `type` attribute.
    pub type_: Option<String>,
    /// Its `id` attribute.
    pub id: Option<String>,
    /// Its `xml:lang` attribute.
    pub lang: Option<String>,
}

/// Where the attributes are in the bytes of the stanza.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peek {
    kind: StanzaKind,
    to: Range,
    from: Range,
    type_: Range,
    id: Range,
    lang: Range,
}

/// Start and end; no attribute value starts at 0.
#[derive(Clone, Copy, Debug, Default)]
struct Range(u32, u32);

impl Range {
    fn raw(self, bytes: &[u8]) -> Option<&str> {
        let Range(start, end) = self;
        if start == 0 {
            return None;
        }
        std::str::from_utf8(bytes.get(start as usize..end as usize)?).ok()
    }

    fn value(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        wellformed::attribute_value(self.raw(bytes)?)
    }

    fn owned(self, bytes: &[u8]) -> Option<String> {
        self.value(bytes).map(Cow::into_owned)
    }
}

/// The start tag is malformed or cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Peek {
    /// Looks at the start tag at the beginning of the bytes; in case of an error also gives what
    /// was found before it.
    pub(super) fn of(bytes: &[u8], content_is_default: bool) -> Result<Peek, (Peek, Malformed)> {
        let none = Range::default();
        let mut peek = Peek {
            kind: StanzaKind::Other,
            to: none,
            from: none,
            type_: none,
            id: none,
            lang: none,
        };
        match peek.read(bytes, content_is_default) {
            Some(()) => Ok(peek),
            None => Err((peek, Malformed)),
        }
    }

    pub(super) fn kind(&self) -> StanzaKind {
        self.kind
    }

    pub(super) fn to_owned(self, bytes: &[u8]) -> OwnedPeek {
        OwnedPeek {
            kind: self.kind,
            to: self.to.owned(bytes),
            from: self.from.owned(bytes),
            type_: self.type_.owned(bytes),
            id: self.id.owned(bytes),
            lang: self.lang.owned(bytes),
        }
    }

    fn read(&mut self, bytes: &[u8], content_is_default: bool) -> Option<()> {
        let mut at = name_end(bytes, 1)?;
        let kind = match &bytes[1..at] {
            b"message" => StanzaKind::Message,
            b"presence" => StanzaKind::Presence,
            b"iq" => StanzaKind::Iq,
            b"handshake" => StanzaKind::Handshake,
            _ => StanzaKind::Other,
        };
        if content_is_default {
            self.kind = kind;
        }
        loop {
            let start = skip_space(bytes, at);
            match bytes.get(start)? {
                b'>' | b'/' => return Some(()),
                _ if start == at => return None,
                _ => {}
            }
            let end = name_end(bytes, start)?;
            let equals = skip_space(bytes, end);
            if *bytes.get(equals)? != b'=' || end == start {
                return None;
            }
            let open = skip_space(bytes, equals + 1);
            let quote = *bytes.get(open)?;
            if quote != b'"' && quote != b'\'' {
                return None;
            }
            let close = open + 1 + bytes[open + 1..].iter().position(|&b| b == quote)?;
            let value = Range(u32::try_from(open + 1).ok()?, u32::try_from(close).ok()?);
            let place = match &bytes[start..end] {
                b"to" => &mut self.to,
                b"from" => &mut self.from,
                b"type" => &mut self.type_,
                b"id" => &mut self.id,
                b"xml:lang" => &mut self.lang,
                b"xmlns" => {
                    let content = [ns::COMPONENT.as_bytes(), ns::CLIENT.as_bytes()];
                    let content = content.contains(&&bytes[open + 1..close]);
                    self.kind = if content { kind } else { StanzaKind::Other };
                    at = close + 1;
                    continue;
                }
                _ => {
                    at = close + 1;
                    continue;
                }
            };
            // Given twice, or nothing anybody could answer.
            if place.0 != 0 || !is_good(&bytes[open + 1..close]) {
                return None;
            }
            *place = value;
            at = close + 1;
        }
    }
}

fn is_good(value: &[u8]) -> bool {
    value.iter().all(|&b| matches!(b, b' '..=b'~') && b != b'&')
        || std::str::from_utf8(value).is_ok_and(|v| wellformed::attribute_value(v).is_some())
}

/// Whether an element's end tag has the name of its start tag; both must be whole.
pub(super) fn ends_as_it_starts(bytes: &[u8]) -> bool {
    if bytes.ends_with(b"/>") {
        return true;
    }
    let Some(name) = name_end(bytes, 1).map(|end| &bytes[1..end]) else {
        return false;
    };
    let end = memchr::memrchr(b'<', bytes).unwrap_or(0);
    is_end_tag(&bytes[end..], name)
}

/// Whether the bytes are the end tag with this name.
pub(super) fn is_end_of(bytes: &[u8], name: &str) -> bool {
    is_end_tag(bytes, name.as_bytes())
}

fn is_end_tag(bytes: &[u8], name: &[u8]) -> bool {
    let inner = bytes
        .strip_prefix(b"</")
        .and_then(|rest| rest.strip_suffix(b">"));
    inner
        .and_then(|inner| inner.strip_prefix(name))
        .is_some_and(|rest| {
            rest.iter()
                .all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
        })
}

/// Whether the local name is `error`.
pub(super) fn is_error(bytes: &[u8]) -> bool {
    let name = name_end(bytes, 1).map_or(&[][..], |end| &bytes[1..end]);
    name.rsplit(|&b| b == b':').next() == Some(b"error")
}

/// Where the name at `start` ends; `None` if the bytes end first.
fn name_end(bytes: &[u8], start: usize) -> Option<usize> {
    let ends = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'=' | b'>' | b'/');
    Some(start + bytes.get(start..)?.iter().position(ends)?)
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}
