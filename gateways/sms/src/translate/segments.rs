//! Texts to carriers: which encoding, how many parts, and the bytes of each.
//!
//! GSM 7-bit where the alphabet has every character, else UTF-16. A cut falls between what a
//! reader sees as characters, where that is cheap to know, and never inside one character of
//! Unicode. Parts are tied together by a user data header with an 8-bit reference
//! (3GPP TS 23.040 §9.2.3.24.1).

use isthmus_kit::split::joins;

use super::gsm::{self, Septets};
use super::text::Alphabet;

/// How a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 7-bit.
    Gsm7,
    /// UTF-16, big endian.
    Utf16,
}

impl Encoding {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM 7-bit",
            Self::Utf16 => "UTF-16",
        }
    }

    /// Its data coding (SMPP 3.4 §5.2.19).
    pub fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7 => 0,
            Self::Utf16 => 8,
        }
    }

    /// Units (septets, 16-bit units) in a message of one part, and in each of several.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Utf16 => (70, 67),
        }
    }

    /// Units of one character.
    fn units(self, c: char) -> usize {
        match self {
            Self::Gsm7 => gsm::septets(c).map_or(1, Septets::count),
            Self::Utf16 => c.len_utf16(),
        }
    }
}

/// A text, cut up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it is encoded.
    pub encoding: Encoding,
    /// The bytes of each part, without headers. At least one.
    pub parts: Vec<Vec<u8>>,
}

/// Cuts and encodes a text. Line ends become LF.
pub fn segments(text: &str, alphabet: Alphabet) -> Segments {
    let text = text.replace("\r\n", "\n");
    let fits = |c: char| {
        let latin = alphabet != Alphabet::Latin1 || u32::from(c) < 0x100;
        latin && gsm::septets(c).is_some()
    };
    let encoding = if text.chars().all(fits) {
        Encoding::Gsm7
    } else {
        Encoding::Utf16
    };
    let parts = cut(&text, encoding).into_iter();
    Segments {
        encoding,
        parts: parts.map(|part| encode(part, encoding, alphabet)).collect(),
    }
}

/// The user data header of part `number` (from 1) of `total` (IEI 0).
pub fn header(reference: u8, total: u8, number: u8) -> [u8; 6] {
    [5, 0, 3, reference, total, number]
}

fn cut(text: &str, encoding: Encoding) -> Vec<&str> {
    let units = |text: &str| text.chars().map(|c| encoding.units(c)).sum::<usize>();
    let (alone, several) = encoding.limits();
    if units(text) <= alone {
        return vec![text];
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = end_of_part(rest, encoding, several);
        let (part, next) = rest.split_at(end);
        parts.push(part);
        rest = next;
    }
    parts
}

/// Where the first part of `text` ends: at the last place within the limit where the text may be
/// cut, or at the limit where that would leave less than half a part.
fn end_of_part(text: &str, encoding: Encoding, limit: usize) -> usize {
    let mut used = 0;
    let mut hard = text.len();
    for (at, c) in text.char_indices() {
        used += encoding.units(c);
        if used > limit {
            hard = at;
            break;
        }
    }
    let mut end = hard;
    while end > hard / 2 && joins(&text[..end], &text[end..]) {
        end = text[..end]
            .char_indices()
            .next_back()
            .map_or(0, |(at, _)| at);
    }
    if end > hard / 2 { end } else { hard }
}

fn encode(text: &str, encoding: Encoding, alphabet: Alphabet) -> Vec<u8> {
    match encoding {
        Encoding::Utf16 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Gsm7 if alphabet == Alphabet::Latin1 => {
            let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(b'?');
            text.chars().map(byte).collect()
        }
        Encoding::Gsm7 => {
            let mut bytes = Vec::with_capacity(text.len());
            for c in text.chars() {
                match gsm::septets(c) {
                    Some(Septets::One(septet)) => bytes.push(septet),
                    Some(Septets::Escaped(septet)) => bytes.extend([gsm::ESCAPE, septet]),
                    None => bytes.push(b'?'),
                }
            }
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translate::text::decode;

    fn lengths(text: &str) -> (Encoding, Vec<usize>) {
        let segments = segments(text, Alphabet::Gsm7);
        let lengths = segments.parts.iter().map(Vec::len).collect();
        (segments.encoding, lengths)
    }

    #[test]
    fn parts_are_as_large_as_a_message_may_be() {
        use Encoding::{Gsm7, Utf16};
        for (text, encoding, parts) in [
            ("a".repeat(160), Gsm7, vec![160]),
            ("a".repeat(161), Gsm7, vec![153, 8]),
            ("a".repeat(306), Gsm7, vec![153, 153]),
            ("[".repeat(80), Gsm7, vec![160]),
            // An escaped character does not fit into the one septet that is left.
            ("[".repeat(81), Gsm7, vec![152, 10]),
            ("я".repeat(70), Utf16, vec![140]),
            ("я".repeat(71), Utf16, vec![134, 8]),
            // A surrogate pair does not fit into the one unit that is left.
            ("🦀".repeat(70), Utf16, vec![132, 132, 16]),
            (String::new(), Gsm7, vec![0]),
        ] {
            assert_eq!(lengths(&text), (encoding, parts), "{text}");
        }
    }

    #[test]
    fn what_is_seen_as_one_character_stays_in_one_part() {
        let text = format!("{}👍🏽{}", "я".repeat(64), "я".repeat(20));
        let segments = segments(&text, Alphabet::Gsm7);
        let second = decode(&segments.parts[1], 8, Alphabet::Gsm7);
        assert!(second.starts_with("👍🏽"), "{second}");
    }

    #[test]
    fn latin_1_is_counted_in_septets_and_sent_in_bytes() {
        let text = "\u{e9}[]".repeat(40);
        let segments = segments(&text, Alphabet::Latin1);
        assert_eq!(segments.parts.len(), 2);
        assert_eq!(
            segments.parts.concat(),
            "\u{e9}[]"
                .repeat(40)
                .chars()
                .map(|c| u8::try_from(u32::from(c)).expect("latin"))
                .collect::<Vec<_>>()
        );
    }

    proptest! {
        #[test]
        fn parts_fit_and_read_alone_add_up_to_the_text(
            text in "(\\PC|[a-z\\[\\]€🦀👍🏽\u{301}\u{200d}\n]){0,400}"
        ) {
            let segments = segments(&text, Alphabet::Gsm7);
            let several = segments.parts.len() > 1;
            let most = match (segments.encoding, several) {
                (Encoding::Gsm7, false) => 160,
                (Encoding::Gsm7, true) => 153,
                (Encoding::Utf16, false) => 140,
                (Encoding::Utf16, true) => 134,
            };
            let coding = segments.encoding.data_coding();
            let mut joined = String::new();
            for part in &segments.parts {
                prop_assert!(part.len() <= most);
                prop_assert!(!several || !part.is_empty());
                joined += &decode(part, coding, Alphabet::Gsm7);
            }
            prop_assert_eq!(joined, text);
        }
    }
}
