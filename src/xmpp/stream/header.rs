//! The stream header: XML declaration and start tag of the stream (RFC 6120 §4.7, XEP-0114 §3).

use compact_str::CompactString;

use super::super::element::{Element, XmlFault};
use super::super::ns;
use super::super::stanza::StreamCondition;
use super::super::wellformed::{self, Tag};
use super::StreamFault;

/// What the server says when the stream opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHeader {
    /// The stream id, part of the handshake (XEP-0114 §3).
    pub id: Option<String>,
    /// The domain the server speaks for: ours, or its own.
    pub from: Option<String>,
    /// Language of the server's texts.
    pub lang: Option<String>,
}

/// Namespace declarations of the header, in force in every stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    default: CompactString,
    prefixes: Vec<(CompactString, CompactString)>,
}

impl Scope {
    /// Whether they are those that [`Element::parse`] assumes.
    pub(super) fn is_usual(&self) -> bool {
        let usual =
            |(prefix, ns): &(CompactString, CompactString)| prefix == "stream" && ns == ns::STREAMS;
        self.content_is_default() && self.prefixes.iter().all(usual)
    }

    /// Whether a name without prefix is in the content namespace.
    pub(super) fn content_is_default(&self) -> bool {
        self.default == ns::COMPONENT || self.default == ns::CLIENT
    }

    /// Parses an element of the stream.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Element, XmlFault> {
        Element::parse_in(bytes, &self.default, &self.prefixes)
    }
}

/// A whole header.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) header: StreamHeader,
    /// Name of the stream element, with prefix.
    pub(super) name: Box<str>,
    pub(super) scope: Scope,
    /// `<stream:stream/>`: the stream is over already.
    pub(super) empty: bool,
}

/// Reads the header at the start of the stream; gives its length, too. `None`: more bytes needed.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, StreamFault> {
    // What lies behind the limit is not looked at: the result must not depend on chunks.
    let bytes = &bytes[..bytes.len().min(HEADER_MAX + 1)];
    let mut at = 0;
    if let Some(rest) = bytes.strip_prefix(b"<?xml") {
        let Some(end) = memchr::memchr(b'>', rest) else {
            return more(bytes);
        };
        declaration(&rest[..end])?;
        at = bytes.len() - rest.len() + end + 1;
    } else if b"<?xml".starts_with(bytes) {
        return Ok(None);
    }
    let space = |b: &u8| !matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let Some(start) = bytes[at..].iter().position(space).map(|n| at + n) else {
        return more(bytes);
    };
    match (bytes[start], bytes.get(start + 1)) {
        (b'<', None) => return more(bytes),
        (b'<', Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..)) => {}
        (b'<', Some(b'!' | b'?')) => {
            return Err(StreamFault::new(
                StreamCondition::RestrictedXml,
                "markup before the header",
            ));
        }
        _ => return Err(malformed("no stream header")),
    }
    let Some(len) = tag_len(&bytes[start..])? else {
        return more(bytes);
    };
    if start + len > HEADER_MAX {
        return Err(TOO_LONG);
    }
    let tag = std::str::from_utf8(&bytes[start + 1..start + len - 1])
        .map_err(|_| malformed("header is not UTF-8"))?;
    Ok(Some((head(tag)?, start + len)))
}

fn more<T>(bytes: &[u8]) -> Result<Option<T>, StreamFault> {
    if bytes.len() > HEADER_MAX {
        Err(TOO_LONG)
    } else {
        Ok(None)
    }
}

/// The XML declaration, without `<?xml` and `>`.
fn declaration(inner: &[u8]) -> Result<(), StreamFault> {
    let inner = inner
        .strip_suffix(b"?")
        .and_then(|inner| std::str::from_utf8(inner).ok());
    let (name, attributes) = Tag::new(inner.ok_or(malformed("bad declaration"))?);
    if !name.is_empty() {
        return Err(malformed("bad declaration"));
    }
    for item in attributes {
        match item.map_err(malformed)? {
            ("version", "1.0") | ("standalone", _) => {}
            // RFC 6120 §11.6: UTF-8 only.
            ("encoding", name) if name.eq_ignore_ascii_case("utf-8") => {}
            ("encoding", _) => {
                return Err(StreamFault::new(
                    StreamCondition::UnsupportedEncoding,
                    "not UTF-8",
                ));
            }
            _ => return Err(malformed("bad declaration")),
        }
    }
    Ok(())
}

/// Length of the tag at the start, if it is whole.
fn tag_len(bytes: &[u8]) -> Result<Option<usize>, StreamFault> {
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        match (byte, quote) {
            (b'<', _) => return Err(malformed("< in the stream header")),
            (_, Some(open)) if byte == open => quote = None,
            (_, Some(_)) => {}
            (b'"' | b'\'', None) => quote = Some(byte),
            (b'>', None) => return Ok(Some(at + 1)),
            _ => {}
        }
    }
    Ok(None)
}

/// Understands the start tag, given without `<` and `>`.
fn head(tag: &str) -> Result<Head, StreamFault> {
    let (inner, empty) = match tag.strip_suffix('/') {
        Some(inner) => (inner, true),
        None => (tag, false),
    };
    let (name, attributes) = Tag::new(inner);
    if !wellformed::is_name(name) {
        return Err(malformed("bad name in the stream header"));
    }
    let mut header = StreamHeader::default();
    let mut scope = Scope {
        default: CompactString::const_new(""),
        prefixes: Vec::new(),
    };
    let mut seen = Vec::new();
    for item in attributes {
        let (key, raw) = item.map_err(malformed)?;
        if seen.contains(&key) {
            return Err(malformed("attribute given twice"));
        }
        seen.push(key);
        let value = wellformed::attribute_value(raw).ok_or(malformed("bad attribute"))?;
        match key {
            "id" => header.id = Some(value.into_owned()),
            "from" => header.from = Some(value.into_owned()),
            "xml:lang" => header.lang = Some(value.into_owned()),
            "xmlns" => scope.default = value.into(),
            _ => {
                if let Some(prefix) = key.strip_prefix("xmlns:") {
                    scope.prefixes.push((prefix.into(), value.into()));
                }
            }
        }
    }
    check_names(name, &scope)?;
    Ok(Head {
        header,
        name: name.into(),
        scope,
        empty,
    })
}

/// RFC 6120 §4.8: the stream namespace, and a content namespace that is ours.
fn check_names(name: &str, scope: &Scope) -> Result<(), StreamFault> {
    let namespace = |reason| StreamFault::new(StreamCondition::InvalidNamespace, reason);
    let (local, ns) = match name.split_once(':') {
        None => (name, Some(&scope.default)),
        Some((prefix, local)) => {
            let bound = scope.prefixes.iter().find(|(name, _)| name == prefix);
            (local, bound.map(|(_, ns)| ns))
        }
    };
    match ns {
        None => {
            return Err(StreamFault::new(
                StreamCondition::BadNamespacePrefix,
                "not bound",
            ));
        }
        Some(ns) if ns != ns::STREAMS => return Err(namespace("not the stream namespace")),
        Some(_) if local != "stream" => {
            return Err(StreamFault::new(StreamCondition::BadFormat, "not a stream"));
        }
        Some(_) => {}
    }
    // RFC 6120 §4.8.3: without prefix for the stream, content declares its namespace itself.
    if name.contains(':') && !scope.default.is_empty() && !scope.content_is_default() {
        return Err(namespace("not a content namespace"));
    }
    Ok(())
}

fn malformed(reason: &'static str) -> StreamFault {
    StreamFault::new(StreamCondition::NotWellFormed, reason)
}

/// The most bytes of a header, declaration and white space included.
const HEADER_MAX: usize = 8 * 1024;

const TOO_LONG: StreamFault =
    StreamFault::new(StreamCondition::PolicyViolation, "stream header too long");
