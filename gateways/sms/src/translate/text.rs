//! Texts from carriers: bytes by their data coding (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).

use encoding_rs::{EUC_JP, EUC_KR, Encoding, ISO_2022_JP, ISO_8859_5, ISO_8859_8, SHIFT_JIS};

use super::gsm;
use super::smpp::pdu::latin1;

/// What data coding 0, the carrier's own alphabet, means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 7-bit, one septet a byte.
    #[default]
    Gsm7,
    /// ISO 8859-1; counted in septets all the same.
    Latin1,
    /// UTF-8, as some carriers deliver; sent as GSM 7-bit.
    Utf8,
}

/// How bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Default,
    Gsm7,
    Ascii,
    Latin1,
    Utf16,
    Table(&'static Encoding),
    Binary,
}

/// Reads a text. Nothing is dropped: what is no text is told in hexadecimal digits.
pub fn decode(bytes: &[u8], data_coding: u8, alphabet: Alphabet) -> String {
    match coding(data_coding) {
        Coding::Default => match alphabet {
            Alphabet::Gsm7 => gsm::decode(bytes),
            Alphabet::Latin1 => latin1(bytes),
            Alphabet::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        },
        Coding::Gsm7 => gsm::decode(bytes),
        // COMPAT(node-smpp 0.5): calls the GSM alphabet ASCII. Its escape is no ASCII text.
        Coding::Ascii if bytes.contains(&gsm::ESCAPE) || bytes.contains(&0) => gsm::decode(bytes),
        Coding::Ascii | Coding::Latin1 => latin1(bytes),
        Coding::Utf16 => utf16(bytes),
        Coding::Table(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        Coding::Binary => binary(bytes),
    }
}

fn coding(data_coding: u8) -> Coding {
    match data_coding {
        0x00 => Coding::Default,
        0x01 => Coding::Ascii,
        0x03 => Coding::Latin1,
        0x05 => Coding::Table(SHIFT_JIS),
        0x06 => Coding::Table(ISO_8859_5),
        0x07 => Coding::Table(ISO_8859_8),
        0x08 => Coding::Utf16,
        0x0a => Coding::Table(ISO_2022_JP),
        0x0d => Coding::Table(EUC_JP),
        0x0e => Coding::Table(EUC_KR),
        // TS 23.038 §4: general data coding with a class; message waiting, stored; likewise in
        // UCS2; data coding with a class.
        0x10..=0x3f => match data_coding & 0x0c {
            0x00 => Coding::Gsm7,
            0x08 => Coding::Utf16,
            _ => Coding::Binary,
        },
        0xc0..=0xdf => Coding::Gsm7,
        0xe0..=0xef => Coding::Utf16,
        0xf0..=0xff if data_coding & 0x04 == 0 => Coding::Gsm7,
        _ => Coding::Binary,
    }
}

/// UTF-16BE; half a pair becomes a replacement character, half a unit vanishes.
fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn binary(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\r') => {
            text.to_owned()
        }
        _ => format!("[binary message: {}]", hex::encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_data_coding_is_read_by_its_own_table() {
        let gsm = Alphabet::Gsm7;
        for (bytes, coding, alphabet, text) in [
            (&b"\x00\x1b\x65"[..], 0x00, gsm, "@\u{20ac}"),
            (b"\xe9", 0x00, Alphabet::Latin1, "\u{e9}"),
            (b"\xc3\xa9", 0x00, Alphabet::Utf8, "\u{e9}"),
            (b"@", 0x01, gsm, "@"),
            (b"\x1b\x65", 0x01, gsm, "\u{20ac}"),
            (b"\xe9", 0x03, gsm, "\u{e9}"),
            (b"\xd8\x3e\xdd\x80", 0x08, gsm, "\u{1f980}"),
            (b"\xd8\x3e", 0x08, gsm, "\u{fffd}"),
            (b"\x00A\x00", 0x08, gsm, "A"),
            (b"\xb4", 0x06, gsm, "\u{414}"),
            (b"\x00", 0xf1, gsm, "@"),
            (b"\x00A", 0xe0, gsm, "A"),
            (b"\x00A", 0x18, gsm, "A"),
            (b"\x00\x01", 0x04, gsm, "[binary message: 0001]"),
            (b"plain", 0x04, gsm, "plain"),
        ] {
            assert_eq!(decode(bytes, coding, alphabet), text, "{coding:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            bytes in prop::collection::vec(any::<u8>(), 0..300), coding in any::<u8>()
        ) {
            decode(&bytes, coding, Alphabet::Gsm7);
        }
    }
}
