//! Cuts what a mail client sends into lines, and the content of a mail out of DATA.
//!
//! Only CRLF ends a line and only CRLF.CRLF ends the content (RFC 5321 §2.3.8, §4.1.1.4). A CR or
//! LF that stands alone makes the line or the whole mail unacceptable: where one server takes it
//! for an end and another does not, mail can be smuggled past the first.

use memchr::{memchr, memchr2};

/// Longest command line that is read, in bytes with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512,
/// its extensions for more.
const LONGEST_LINE: usize = 2048;

/// What stands at the beginning of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Not a whole line yet.
    Partial,
    /// A line of so many bytes, CRLF included.
    Line(usize),
    /// So many bytes that end with LF but hold a CR or LF that stands alone.
    Bare(usize),
    /// A line that is too long.
    TooLong,
}

/// Looks at the beginning of `input` for a line.
pub fn frame(input: &[u8]) -> Framed {
    let Some(end) = memchr(b'\n', input) else {
        return if input.len() > LONGEST_LINE {
            Framed::TooLong
        } else {
            Framed::Partial
        };
    };
    if end >= LONGEST_LINE {
        return Framed::TooLong;
    }
    match memchr(b'\r', &input[..end]) {
        Some(cr) if cr + 1 == end => Framed::Line(end + 1),
        _ => Framed::Bare(end + 1),
    }
}

/// Why the content of a mail cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It holds a CR or LF that stands alone.
    Bare,
    /// It is larger than allowed.
    TooLarge,
}

/// Takes the content of one mail until its end.
#[derive(Debug)]
pub struct Content {
    taken: Vec<u8>,
    at: At,
    bare: bool,
    too_large: bool,
    most: usize,
}

/// ```text
///          other          CR            LF
///  Start ────────▶ Line ───────▶ Cr ────────▶ Start
///    │ .                                        ▲
///    ▼       other                              │ (CRLF seen)
///   Dot ────────▶ Line (the dot is dropped)
///    │ CR            LF
///    └──────▶ DotCr ─────▶ the end
/// ```
#[derive(Clone, Copy, Debug)]
enum At {
    Start,
    Line,
    Cr,
    Dot,
    DotCr,
}

impl Content {
    /// Content of at most `most` bytes.
    pub fn new(most: usize) -> Self {
        Self {
            taken: Vec::new(),
            at: At::Start,
            bare: false,
            too_large: false,
            most,
        }
    }

    /// Takes bytes of `input`; tells how many belong to this mail and whether that was its end.
    pub fn take(&mut self, input: &[u8]) -> (usize, bool) {
        let mut rest = input;
        while let Some((&byte, tail)) = rest.split_first() {
            if let At::Line = self.at {
                let run = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                if run > 0 {
                    self.push(&rest[..run]);
                    rest = &rest[run..];
                    continue;
                }
            }
            rest = tail;
            if self.step(byte) {
                return (input.len() - rest.len(), true);
            }
        }
        (input.len(), false)
    }

    /// The content without the stuffed dots (RFC 5321 §4.5.2).
    pub fn finish(self) -> Result<Vec<u8>, Unfit> {
        if self.too_large {
            Err(Unfit::TooLarge)
        } else if self.bare {
            Err(Unfit::Bare)
        } else {
            Ok(self.taken)
        }
    }

    /// Takes one byte; true: that was the end.
    fn step(&mut self, byte: u8) -> bool {
        self.at = match (self.at, byte) {
            (At::DotCr, b'\n') => return true,
            (At::Cr, b'\n') => {
                self.push(b"\r\n");
                At::Start
            }
            (At::Start, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::Start | At::Line, b'\r') => At::Cr,
            // A CR stands alone: it was held back until the next byte was known.
            (At::Cr | At::DotCr, b'\r') => {
                self.bare = true;
                self.push(b"\r");
                At::Cr
            }
            (At::Cr | At::DotCr, _) => {
                self.bare = true;
                self.push(&[b'\r', byte]);
                At::Line
            }
            (_, b'\n') => {
                self.bare = true;
                self.push(b"\n");
                At::Line
            }
            _ => {
                self.push(&[byte]);
                At::Line
            }
        };
        false
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.taken.len() + bytes.len() > self.most {
            self.too_large = true;
            self.taken = Vec::new();
        }
        if !self.too_large {
            self.taken.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(input: &[u8]) -> (usize, bool, Result<Vec<u8>, Unfit>) {
        let mut content = Content::new(100);
        let (taken, end) = content.take(input);
        (taken, end, content.finish())
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_mail() {
        for (input, text) in [
            ("\r\nhi\r\n.\r\n", "\r\nhi\r\n"),
            (".\r\n", ""),
            ("..\r\n.\r\n", ".\r\n"),
            (".hi\r\n.\r\n", "hi\r\n"),
            ("hi.\r\n.\r\n", "hi.\r\n"),
        ] {
            let expected = (input.len(), true, Ok(text.as_bytes().to_vec()));
            assert_eq!(read(input.as_bytes()), expected, "{input:?}");
        }
        for smuggled in [
            "hi\n.\n",
            "hi\n.\r\n",
            "hi\r.\r\n",
            "hi\r\n.\n",
            "hi\r\n.\r",
            "hi\r\n.\r\r\n",
            "hi\r.\r",
            "hi\r\n\0.\r\n",
            "hi\r\n.\0\r\n",
            "\n.\r\n",
            "\r.\r\n",
        ] {
            let (_, end, _) = read(smuggled.as_bytes());
            assert!(!end, "{smuggled:?}");
            let whole = format!("{smuggled}MAIL FROM:<a@b>\r\n.\r\n");
            let (taken, end, text) = read(whole.as_bytes());
            assert_eq!((taken, end), (whole.len(), true), "{smuggled:?}");
            let has_nul = smuggled.contains('\0');
            assert!(
                has_nul || text == Err(Unfit::Bare),
                "{smuggled:?}: {text:?}"
            );
        }
    }

    #[test]
    fn a_large_mail_is_read_to_its_end_and_not_kept() {
        let mut mail = vec![b'x'; 101];
        mail.extend_from_slice(b"\r\n.\r\nRSET\r\n");
        assert_eq!(read(&mail), (106, true, Err(Unfit::TooLarge)));
    }

    #[test]
    fn a_line_ends_with_crlf() {
        assert_eq!(frame(b"NOOP\r\nQUIT\r\n"), Framed::Line(6));
        assert_eq!(frame(b"NOOP\r"), Framed::Partial);
        assert_eq!(frame(b"NOOP\nQUIT\r\n"), Framed::Bare(5));
        assert_eq!(frame(b"NO\rOP\r\n"), Framed::Bare(7));
        assert_eq!(frame(&[b'x'; 3000]), Framed::TooLong);
    }

    proptest! {
        #[test]
        fn the_split_does_not_matter(
            pieces in proptest::collection::vec(prop_oneof![
                Just("."), Just("\r\n"), Just("\r"), Just("\n"), Just("a"),
            ], 0..24),
            cut in 1usize..5
        ) {
            let mail = [pieces.concat().as_bytes(), b"\r\n.\r\nQUIT"].concat();
            let whole = read(&mail);
            let mut content = Content::new(100);
            let mut taken = 0;
            let mut end = false;
            for piece in mail.chunks(cut) {
                let (n, last) = content.take(piece);
                taken += n;
                end = last;
                if last { break; }
            }
            prop_assert_eq!((taken, end, content.finish()), whole);
        }
    }
}
