//! A reply to a command (RFC 5321 §4.2) with its enhanced code (RFC 2034).

use std::borrow::Cow;

use crate::translate::{clip, one_line};

/// Longest text of a reply, in bytes: RFC 5321 §4.5.3.1.5 allows 512 for the line.
const LONGEST: usize = 400;

/// One reply of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// RFC 3463.
    pub enhanced: &'static str,
    /// Words for people.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with these words.
    pub fn new(code: u16, enhanced: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            enhanced,
            text: text.into(),
        }
    }

    /// The mail was taken.
    pub fn taken() -> Self {
        Self::new(250, "2.0.0", "delivered")
    }

    /// Writes the line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let text: String = one_line(&self.text)
            .chars()
            .map(|c| if c.is_ascii() { c } else { '?' })
            .collect();
        let line = format!(
            "{} {} {}\r\n",
            self.code,
            self.enhanced,
            clip(&text, LONGEST)
        );
        out.extend_from_slice(line.as_bytes());
    }
}
