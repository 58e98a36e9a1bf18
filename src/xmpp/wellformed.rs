//! The parts of XML 1.0 and Namespaces 1.0 well-formedness that quick-xml leaves to its caller.
//!
//! Characters, names, start tags and references; nothing here knows of nesting.

use std::borrow::Cow;

/// Whether XML 1.0 (production 2) allows the character.
pub(crate) fn is_char(ch: char) -> bool {
    matches!(ch, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Whether every character is allowed by XML 1.0.
pub(crate) fn is_clean(text: &str) -> bool {
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
    let suspect = |b: u8| (b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')) || b == 0xef;
    !text.bytes().any(suspect) || text.chars().all(is_char)
}

/// Whether the text is a name with at most one prefix (Namespaces 1.0, production 7).
pub(crate) fn is_name(name: &str) -> bool {
    match name.split_once(':') {
        None => is_ncname(name),
        Some((prefix, local)) => is_ncname(prefix) && is_ncname(local),
    }
}

fn is_ncname(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// XML 1.0 production 4, without the colon.
fn is_name_start(ch: char) -> bool {
    matches!(ch, 'a'..='z' | 'A'..='Z' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}' | '\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// XML 1.0 production 4a, without the colon.
fn is_name_char(ch: char) -> bool {
    is_name_start(ch)
        || matches!(ch, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}'
            | '\u{203f}' | '\u{2040}')
}

/// What a reference (the text between `&` and `;`) stands for; only the five predefined entities
/// and characters (RFC 6120 §11.1 forbids all others).
pub(crate) fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => {}
    }
    let digits = name.strip_prefix('#')?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    // from_str_radix would accept a sign.
    if digits.is_empty() || !digits.chars().all(|ch| ch.is_digit(radix)) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|&ch| is_char(ch))
}

/// The value of an attribute as written: references replaced, white space normalised
/// (XML 1.0 §3.3.3). `None` if it holds `<`, a forbidden character or an unknown reference.
pub(crate) fn attribute_value(raw: &str) -> Option<Cow<'_, str>> {
    let plain = |b: u8| matches!(b, b' '..=b'~') && b != b'&' && b != b'<';
    if raw.bytes().all(plain) {
        return Some(Cow::Borrowed(raw));
    }
    if !is_clean(raw) || raw.contains('<') {
        return None;
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        let (ch, len) = match rest.as_bytes()[at] {
            b'&' => {
                let end = rest[at..].find(';')?;
                (reference(&rest[at + 1..at + end])?, end + 1)
            }
            // XML 1.0 §2.11: a line end is one character, however it is written.
            b'\r' if rest[at + 1..].starts_with('\n') => (' ', 2),
            _ => (' ', 1),
        };
        out.push(ch);
        rest = &rest[at + len..];
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The longest start of the text that has at most `max` bytes and ends between characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Line ends as XML 1.0 §2.11 wants them reported.
pub(crate) fn line_ends(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

/// The name and the attributes of a start tag, given what stands between `<` and `>` or `/>`.
///
/// The iterator ends after the first error. Values are as written; duplicates are not looked for.
pub(crate) struct Tag<'a> {
    rest: &'a str,
    failed: bool,
}

impl<'a> Tag<'a> {
    /// Splits off the name, unchecked.
    pub(crate) fn new(inner: &'a str) -> (&'a str, Tag<'a>) {
        let end = inner.find(is_space).unwrap_or(inner.len());
        (
            &inner[..end],
            Tag {
                rest: &inner[end..],
                failed: false,
            },
        )
    }

    fn step(&mut self) -> Result<Option<(&'a str, &'a str)>, &'static str> {
        let trimmed = self.rest.trim_start_matches(is_space);
        if trimmed.is_empty() {
            return Ok(None);
        }
        if trimmed.len() == self.rest.len() {
            return Err("no space before an attribute");
        }
        let (name, rest) = trimmed.split_once('=').ok_or("attribute without a value")?;
        let name = name.trim_end_matches(is_space);
        if !is_name(name) {
            return Err("bad attribute name");
        }
        let rest = rest.trim_start_matches(is_space);
        let quote = match rest.as_bytes().first() {
            Some(b'"') => '"',
            Some(b'\'') => '\'',
            _ => return Err("attribute value without quotes"),
        };
        let (value, rest) = rest[1..]
            .split_once(quote)
            .ok_or("attribute value without end")?;
        self.rest = rest;
        Ok(Some((name, value)))
    }
}

impl<'a> Iterator for Tag<'a> {
    type Item = Result<(&'a str, &'a str), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.step().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

/// White space of XML 1.0 (production 3).
pub(crate) fn is_space(ch: char) -> bool {
    matches!(ch, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_references_to_allowed_characters_are_resolved() {
        assert_eq!(
            attribute_value("a&lt;&#x20;&#98;&amp;c").as_deref(),
            Some("a< b&c")
        );
        assert_eq!(attribute_value("a\r\n\tb&#10;").as_deref(), Some("a  b\n"));
        for raw in [
            "&foo;",
            "&",
            "&;",
            "&#;",
            "&#x;",
            "&#X20;",
            "&#+32;",
            "&#0;",
            "&#3;",
            "&#xD800;",
            "&#xFFFE;",
            "&#x110000;",
            "&#99999999999;",
            "&amp",
            "<",
            "\u{1}",
            "\u{ffff}",
        ] {
            assert_eq!(attribute_value(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn names_are_checked() {
        for name in ["a", "_a-b.c", "a:b", "é", "a1"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", "1a", "-a", ":a", "a:", "a:b:c", "a:1", "a b", "a<", "a/", "a\u{d7}",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn tags_are_cut_into_attributes() {
        let (name, tag) = Tag::new("a  b = '1'\tc=\"'\" ");
        assert_eq!(name, "a");
        assert_eq!(
            tag.collect::<Result<Vec<_>, _>>(),
            Ok(vec![("b", "1"), ("c", "'")])
        );
        for inner in [
            "a b='1'c='2'",
            "a b",
            "a b=c",
            "a b='",
            "a ='1'",
            "a 1='1'",
            "a /",
        ] {
            assert!(Tag::new(inner).1.any(|item| item.is_err()), "{inner}");
        }
    }
}
