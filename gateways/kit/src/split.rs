//! Cutting text into pieces of a bounded number of bytes.
//!
//! A piece ends at a line end, else between words, else between characters, and where that is
//! cheap to know between what readers see as one character (no table of grapheme clusters).

/// The pieces of `text`: none is empty, none holds CR or LF, none is longer than `max` bytes
/// (of which there must be at least four, the longest UTF-8 sequence).
pub fn pieces(text: &str, max: usize) -> impl Iterator<Item = &str> {
    let max = max.max(4);
    text.split(['\r', '\n'])
        .flat_map(move |line| Cuts { rest: line, max })
}

struct Cuts<'a> {
    rest: &'a str,
    max: usize,
}

impl<'a> Iterator for Cuts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        if self.rest.len() <= self.max {
            return Some(std::mem::take(&mut self.rest));
        }
        let (end, next) = cut(self.rest, self.max);
        let piece = &self.rest[..end];
        self.rest = &self.rest[next..];
        Some(piece)
    }
}

/// Where the piece ends and where the next one begins. Both are character boundaries.
fn cut(text: &str, max: usize) -> (usize, usize) {
    let limit = floor(text, max);
    // A space in the latter half: earlier than that a piece would be too short to be worth it.
    if text.as_bytes()[limit] == b' ' {
        return (limit, limit + 1);
    }
    if let Some(space) = text[..limit].rfind(' ')
        && space > max / 2
    {
        return (space, space + 1);
    }
    let mut end = limit;
    while end > 0 && joins(&text[..end], &text[end..]) {
        end = floor(text, end - 1);
    }
    let end = if end < limit / 2 { limit } else { end };
    (end, end)
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

/// Whether a reader sees the end of `left` and the start of `right` as one character.
pub fn joins(left: &str, right: &str) -> bool {
    const ZERO_WIDTH_JOINER: char = '\u{200d}';
    left.ends_with(ZERO_WIDTH_JOINER)
        || right.starts_with(|c| {
            matches!(
                c,
                ZERO_WIDTH_JOINER
                    | '\u{300}'..='\u{36f}'
                    | '\u{1ab0}'..='\u{1aff}'
                    | '\u{1dc0}'..='\u{1dff}'
                    | '\u{20d0}'..='\u{20ff}'
                    | '\u{fe00}'..='\u{fe0f}'
                    | '\u{fe20}'..='\u{fe2f}'
                    | '\u{1f3fb}'..='\u{1f3ff}'
                    | '\u{e0100}'..='\u{e01ef}'
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut_up(text: &str, max: usize) -> Vec<&str> {
        pieces(text, max).collect()
    }

    #[test]
    fn lines_become_pieces_and_empty_lines_vanish() {
        assert_eq!(cut_up("a\nb\r\n\n\rc\n", 100), ["a", "b", "c"]);
        assert!(cut_up("\r\n", 100).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_between_words() {
        assert_eq!(cut_up("one two three", 8), ["one two", "three"]);
        assert_eq!(cut_up("one two three", 7), ["one two", "three"]);
        assert_eq!(cut_up("abcdefghij", 4), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn what_is_seen_as_one_character_stays_whole() {
        // "e" with a combining acute accent, and a thumbs up with a skin tone.
        assert_eq!(cut_up("aaae\u{301}", 5), ["aaa", "e\u{301}"]);
        assert_eq!(
            cut_up("aaaa\u{1f44d}\u{1f3fd}", 10),
            ["aaaa", "\u{1f44d}\u{1f3fd}"]
        );
    }

    proptest! {
        #[test]
        fn every_piece_fits_and_nothing_but_spaces_and_line_ends_is_lost(
            text in "(\\PC|[ \r\n\u{301}]){0,200}", max in 4usize..64
        ) {
            let kept = |c: &char| !matches!(c, ' ' | '\r' | '\n');
            let mut joined = String::new();
            for piece in pieces(&text, max) {
                prop_assert!(!piece.is_empty() && piece.len() <= max);
                prop_assert!(!piece.contains(['\r', '\n']));
                joined.extend(piece.chars().filter(kept));
            }
            prop_assert_eq!(joined, text.chars().filter(kept).collect::<String>());
        }
    }
}
