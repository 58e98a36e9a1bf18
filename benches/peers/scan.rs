//! Cuts an XML stream into the elements right below its root, and looks at their attributes.
//!
//! Just enough for what gateways write; it shares no code with any of them, so that a benchmark
//! never believes the product about itself.

use memchr::{memchr, memchr3, memmem};

/// What was found next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The stream's own start tag.
    Open,
    /// A whole element, by its place in the buffer.
    Element(std::ops::Range<usize>),
    /// The stream's end tag.
    Close,
}

/// Where in the stream we are.
#[derive(Default)]
pub(crate) struct Splitter {
    depth: usize,
    start: usize,
    at: usize,
}

impl Splitter {
    /// The next thing in `buffer`, or nothing until there is more.
    pub(crate) fn next(&mut self, buffer: &[u8]) -> Option<Found> {
        loop {
            let Some(found) = memchr(b'<', &buffer[self.at..]) else {
                self.at = buffer.len();
                return None;
            };
            let open = self.at + found;
            self.at = open;
            let end = tag_end(buffer, open)?;
            self.at = end;
            match buffer[open + 1] {
                b'?' => {}
                b'/' => {
                    self.depth = self.depth.saturating_sub(1);
                    match self.depth {
                        0 => return Some(Found::Close),
                        1 => return Some(Found::Element(self.start..end)),
                        _ => {}
                    }
                }
                _ => {
                    if self.depth == 1 {
                        self.start = open;
                    }
                    if buffer[end - 2] != b'/' {
                        self.depth += 1;
                        if self.depth == 1 {
                            return Some(Found::Open);
                        }
                    } else if self.depth == 1 {
                        return Some(Found::Element(open..end));
                    }
                }
            }
        }
    }

    /// Drops from `buffer` what has been found.
    pub(crate) fn compact(&mut self, buffer: &mut Vec<u8>) {
        let keep = if self.depth > 1 { self.start } else { self.at };
        buffer.drain(..keep);
        self.at -= keep;
        self.start = 0;
    }
}

/// Where the tag that starts at `open` ends, after its `>`.
fn tag_end(buffer: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr3(b'>', b'\'', b'"', &buffer[at..])?;
        let sign = buffer[at];
        if sign == b'>' {
            return Some(at + 1);
        }
        at += 1;
        at += memchr(sign, &buffer[at..])? + 1;
    }
}

/// An attribute of the element's own start tag.
pub(crate) fn attribute<'a>(element: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let tag = &element[..tag_end(element, 0)?];
    let mut from = 0;
    loop {
        let at = from + memmem::find(&tag[from..], name.as_bytes())?;
        let after = at + name.len();
        if tag[at - 1] == b' ' && tag.get(after) == Some(&b'=') {
            let quote = *tag.get(after + 1)?;
            let value = &tag[after + 2..];
            return Some(&value[..memchr(quote, value)?]);
        }
        from = after;
    }
}

/// The text of the first element that starts with `tag`, such as `<body`.
pub(crate) fn text_of<'a>(element: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    let open = memmem::find(element, tag.as_bytes())?;
    let text = &element[tag_end(element, open)?..];
    Some(&text[..memchr(b'<', text)?])
}

/// The decimal number at the start of `text` behind `sign`, and what follows it.
pub(crate) fn number(text: &[u8], sign: u8) -> Option<(usize, &[u8])> {
    let digits = text.strip_prefix(&[sign])?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = digits.split_at(end.unwrap_or(digits.len()));
    let number = digits.iter().try_fold(0usize, |sum, digit| {
        sum.checked_mul(10)?.checked_add(usize::from(digit - b'0'))
    })?;
    (!digits.is_empty()).then_some((number, rest))
}
