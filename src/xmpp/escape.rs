//! JID escaping (XEP-0106 1.1): foreign addresses in localparts.
//!
//! Only the escaping transformation; case and length are the business of [`super::jid`].

use std::borrow::Cow;

/// Escapes what a localpart may not hold (XEP-0106 §4.2).
///
/// A backslash is escaped only where it would otherwise start a valid escape sequence, so that
/// `c:\net` stays readable (§4.3). A space at either end cannot be represented (§2, rule
/// on `\20`) and is dropped.
pub fn escape(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches(' ');
    if !trimmed.bytes().any(|b| b == b'\\' || code(b).is_some()) {
        return Cow::Borrowed(trimmed);
    }
    let bytes = trimmed.as_bytes();
    let mut out = String::with_capacity(trimmed.len() + 12);
    for (at, ch) in trimmed.char_indices() {
        let code = match ch {
            '\\' if sequence(&bytes[at..]).is_some() => Some("\\5c"),
            '\\' => None,
            _ => u8::try_from(ch).ok().and_then(code),
        };
        match code {
            Some(code) => out.push_str(code),
            None => out.push(ch),
        }
    }
    Cow::Owned(out)
}

/// Reverts [`escape`]; what is not a valid escape sequence stays as it is (XEP-0106 §4.3).
///
/// `\20` at either end is not a valid escape and stays (§2).
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    while let Some(found) = text[rest..].find('\\') {
        let at = rest + found;
        out.push_str(&text[rest..at]);
        let at_an_end = at == 0 || at + 3 == bytes.len();
        match sequence(&bytes[at..]) {
            Some(b' ') if at_an_end => {
                out.push_str("\\20");
                rest = at + 3;
            }
            Some(byte) => {
                out.push(char::from(byte));
                rest = at + 3;
            }
            None => {
                out.push('\\');
                rest = at + 1;
            }
        }
    }
    out.push_str(&text[rest..]);
    Cow::Owned(out)
}

/// The escape code of a byte that must be escaped wherever it stands (XEP-0106 table 1).
pub(super) fn code(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b' ' => "\\20",
        b'"' => "\\22",
        b'&' => "\\26",
        b'\'' => "\\27",
        b'/' => "\\2f",
        b':' => "\\3a",
        b'<' => "\\3c",
        b'>' => "\\3e",
        b'@' => "\\40",
        _ => return None,
    })
}

/// The byte that the escape sequence at the start of `bytes` stands for.
fn sequence(bytes: &[u8]) -> Option<u8> {
    let &[b'\\', high, low, ..] = bytes else {
        return None;
    };
    Some(match (high, low) {
        (b'2', b'0') => b' ',
        (b'2', b'2') => b'"',
        (b'2', b'6') => b'&',
        (b'2', b'7') => b'\'',
        (b'2', b'f' | b'F') => b'/',
        (b'3', b'a' | b'A') => b':',
        (b'3', b'c' | b'C') => b'<',
        (b'3', b'e' | b'E') => b'>',
        (b'4', b'0') => b'@',
        (b'5', b'c' | b'C') => b'\\',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples_of_the_specification_hold() {
        // XEP-0106 §5.1 and §5.2
        for (plain, escaped) in [
            ("space cadet", r"space\20cadet"),
            (r#"call me "ishmael""#, r"call\20me\20\22ishmael\22"),
            ("at&t guy", r"at\26t\20guy"),
            ("d'artagnan", r"d\27artagnan"),
            ("/.fanboy", r"\2f.fanboy"),
            ("::foo::", r"\3a\3afoo\3a\3a"),
            ("<foo>", r"\3cfoo\3e"),
            ("user@host", r"user\40host"),
            (r"c:\net", r"c\3a\net"),
            (r"c:\\net", r"c\3a\\net"),
            (r"c:\cool stuff", r"c\3a\cool\20stuff"),
            (r"c:\5commas", r"c\3a\5c5commas"),
        ] {
            assert_eq!(escape(plain), escaped);
            assert_eq!(unescape(escaped), plain);
        }
    }

    #[test]
    fn space_at_an_end_is_never_escaped_nor_unescaped() {
        assert_eq!(escape(" a b "), r"a\20b");
        assert_eq!(unescape(r"\20a\20"), r"\20a\20");
    }

    #[test]
    fn capital_hexadecimal_digits_are_understood() {
        assert_eq!(unescape(r"a\2Fb\5C40"), r"a/b\40");
        assert_eq!(escape(r"a\2Fb"), r"a\5c2Fb");
    }

    proptest! {
        #[test]
        fn unescape_reverts_escape(text in "[ a-z0-9@/:<>&'\"\\\\é]{0,24}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.bytes().any(|b| code(b).is_some()));
            prop_assert_eq!(unescape(&escaped), text.trim_matches(' '));
        }
    }
}
