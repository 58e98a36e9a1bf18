//! The GSM 7-bit default alphabet and its extension (3GPP TS 23.038 §6.2.1).
//!
//! One septet a byte, as SMPP carries them; packing seven bits is the carrier's work.

/// Leads an extension character.
pub const ESCAPE: u8 = 0x1b;

/// The default alphabet in order. The escape stands as a no-break space.
#[rustfmt::skip]
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{a0}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// What stands behind an escape.
#[rustfmt::skip]
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'), (0x14, '^'), (0x28, '{'), (0x29, '}'), (0x2f, '\\'),
    (0x3c, '['), (0x3d, '~'), (0x3e, ']'), (0x40, '|'), (0x65, '€'),
];

/// One character in septets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Septets {
    /// In the default alphabet.
    One(u8),
    /// In the extension: this one behind an escape.
    Escaped(u8),
}

impl Septets {
    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Escaped(_) => 2,
        }
    }
}

/// A character in septets, where the alphabet has it.
pub fn septets(c: char) -> Option<Septets> {
    if c == '\u{a0}' {
        return None;
    }
    let byte = |at: usize| u8::try_from(at).ok();
    if let Some(at) = DEFAULT.iter().position(|&known| known == c) {
        return byte(at).map(Septets::One);
    }
    let found = EXTENSION.iter().find(|(_, known)| *known == c);
    found.map(|(septet, _)| Septets::Escaped(*septet))
}

/// Reads septets. An escape before what has no extension counts as a space (§6.2.1.1, note 3),
/// and a byte that is no septet as Latin-1, which is what carriers mean by it.
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        let c = if byte == ESCAPE {
            let Some(next) = bytes.next() else {
                text.push(' ');
                break;
            };
            let found = EXTENSION.iter().find(|(septet, _)| *septet == next);
            found.map_or_else(|| plain(next), |(_, c)| *c)
        } else {
            plain(byte)
        };
        text.push(c);
    }
    text
}

fn plain(byte: u8) -> char {
    match byte {
        ESCAPE => ' ',
        byte => DEFAULT
            .get(usize::from(byte))
            .copied()
            .unwrap_or(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_the_septets_of_the_specification() {
        for (c, expected) in [
            ('@', Some(Septets::One(0))),
            ('A', Some(Septets::One(0x41))),
            ('Δ', Some(Septets::One(0x10))),
            ('à', Some(Septets::One(0x7f))),
            ('Ç', Some(Septets::One(0x09))),
            ('ç', None),
            ('€', Some(Septets::Escaped(0x65))),
            ('[', Some(Septets::Escaped(0x3c))),
            ('`', None),
            ('\u{a0}', None),
        ] {
            assert_eq!(septets(c), expected, "{c}");
        }
    }

    #[test]
    fn every_character_is_read_as_it_was_written() {
        let chars = DEFAULT.iter().chain(EXTENSION.iter().map(|(_, c)| c));
        for &c in chars.filter(|&&c| c != '\u{a0}') {
            let bytes = match septets(c) {
                Some(Septets::One(septet)) => vec![septet],
                Some(Septets::Escaped(septet)) => vec![ESCAPE, septet],
                None => panic!("{c} has no septets"),
            };
            assert_eq!(decode(&bytes), c.to_string());
        }
    }

    #[test]
    fn what_is_no_septet_is_read_all_the_same() {
        assert_eq!(decode(&[0x61, 0xe9, ESCAPE, 0x61, ESCAPE]), "a\u{e9}a ");
    }
}
