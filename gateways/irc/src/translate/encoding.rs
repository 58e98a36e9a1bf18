//! Character encodings of lines: how bytes that are not UTF-8 are read, and how lines are written,
//! for the network as a whole and for single channels.
//!
//! What is UTF-8 is always read as that. Tags are UTF-8 both ways (IRCv3 message-tags). Channels
//! whose names are not UTF-8 have no encodings of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::{Encoder, EncoderResult, Encoding, UTF_8, WINDOWS_1252};

use crate::line::Line;

/// How one channel differs; `None`: as the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// For reading.
    pub reads: Option<&'static Encoding>,
    /// For writing.
    pub writes: Option<&'static Encoding>,
}

/// The encodings of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encodings {
    /// How bytes that are not UTF-8 are read.
    pub reads: &'static Encoding,
    /// How lines are written.
    pub writes: &'static Encoding,
    /// Of single channels, by name in lower case.
    pub rooms: BTreeMap<String, Own>,
}

impl Default for Encodings {
    fn default() -> Self {
        Self {
            reads: WINDOWS_1252,
            writes: UTF_8,
            rooms: BTreeMap::new(),
        }
    }
}

impl Encodings {
    /// A line from the server as text.
    pub fn read<'a>(&self, line: &'a [u8]) -> Cow<'a, str> {
        if let Ok(text) = std::str::from_utf8(line) {
            return text.into();
        }
        let mut encoding = self.reads;
        if !self.rooms.is_empty()
            && let Some(own) = self.of(&String::from_utf8_lossy(line))
        {
            encoding = own.reads.unwrap_or(encoding);
        }
        // Tags stay what they are: no encoding changes ASCII, and other tags are rare.
        encoding.decode_without_bom_handling(line).0
    }

    /// A line for the server as bytes. Characters the encoding has not become `?`; a line that
    /// would grow too long by it stays UTF-8.
    pub(super) fn write<'a>(&self, line: &'a str) -> Cow<'a, [u8]> {
        let plain = line.as_bytes();
        if line.is_ascii() || (self.writes == UTF_8 && self.rooms.is_empty()) {
            return plain.into();
        }
        let own = self.of(line).and_then(|own| own.writes);
        let encoding = own.unwrap_or(self.writes);
        if encoding == UTF_8 {
            return plain.into();
        }
        let tags = match line.strip_prefix('@').and_then(|rest| rest.find(' ')) {
            Some(end) => end + 2,
            None => 0,
        };
        let mut bytes = plain[..tags].to_vec();
        encode(&mut encoding.new_encoder(), &line[tags..], &mut bytes);
        if bytes.len() > plain.len() {
            return plain.into();
        }
        bytes.into()
    }

    /// What is set of the channel a line is about.
    fn of(&self, line: &str) -> Option<Own> {
        let line = Line::parse(line)?;
        // The last parameter is what is said, unless it is alone.
        let params = line.params();
        let about = params.len().saturating_sub(1).max(1);
        let mut about = params.iter().take(about);
        about.find_map(|param| self.rooms.get(&param.to_lowercase()).copied())
    }
}

fn encode(encoder: &mut Encoder, mut text: &str, to: &mut Vec<u8>) {
    loop {
        let most = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
        to.reserve(most.unwrap_or(text.len() * 4));
        let (end, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, to, true);
        text = &text[read..];
        match end {
            EncoderResult::InputEmpty => return,
            EncoderResult::Unmappable(_) => to.push(b'?'),
            EncoderResult::OutputFull => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{ISO_8859_2, KOI8_R};

    fn encodings() -> Encodings {
        let own = |reads, writes| Own { reads, writes };
        Encodings {
            rooms: BTreeMap::from([
                ("#\u{43c}ir".to_owned(), own(Some(KOI8_R), None)),
                ("#mir".to_owned(), own(Some(KOI8_R), Some(KOI8_R))),
            ]),
            ..Encodings::default()
        }
    }

    #[test]
    fn what_is_not_utf_8_is_read_as_its_channel_says() {
        let encodings = encodings();
        let line = b":bob!b@h PRIVMSG #Mir :\xd0\xd2\xc9\xd7\xc5\xd4";
        let text = encodings.read(line);
        assert!(
            text.ends_with(":\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}"),
            "{text}"
        );
        let line = b":bob!b@h PRIVMSG #other :caf\xe9";
        assert!(encodings.read(line).ends_with(":caf\u{e9}"));
        let line = ":bob!b@h PRIVMSG #mir :\u{43f}";
        assert_eq!(encodings.read(line.as_bytes()), line);
    }

    #[test]
    fn a_line_is_written_as_its_channel_or_the_network_says() {
        let mut encodings = encodings();
        let written = encodings.write("PRIVMSG #mir :\u{43f} \u{e9}");
        assert_eq!(&*written, b"PRIVMSG #mir :\xd0 ?");
        let other = "PRIVMSG #other :\u{43f}";
        assert_eq!(&*encodings.write(other), other.as_bytes());
        encodings.writes = ISO_8859_2;
        let written = encodings.write("@+draft/reply=\u{e9} PRIVMSG bob :\u{159}");
        assert_eq!(&*written, b"@+draft/reply=\xc3\xa9 PRIVMSG bob :\xf8");
        // What is said does not choose the encoding.
        let said = encodings.write("PRIVMSG bob #mir\u{e9}");
        assert_eq!(&*said, b"PRIVMSG bob #mir\xe9");
    }
}
