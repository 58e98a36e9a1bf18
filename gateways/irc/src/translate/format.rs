//! mIRC formatting codes (<https://modern.ircdocs.horse/formatting>), taken out of text and put
//! into it.
//!
//! Colours and reverse leave no trace; the rest is told as spans, and spans become codes.

use std::borrow::Cow;

use isthmus_gateway::{Span, Style};

/// Text without codes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub(super) body: Cow<'a, str>,
    pub(super) style: Vec<Span>,
}

const STYLES: [(char, Style); 5] = [
    ('\u{02}', Style::Bold),
    ('\u{1d}', Style::Italic),
    ('\u{1f}', Style::Underline),
    ('\u{1e}', Style::Strike),
    ('\u{11}', Style::Monospace),
];

/// Takes the codes out. Text without codes is borrowed.
pub(super) fn plain(text: &str) -> Plain<'_> {
    if text
        .bytes()
        .all(|b| b >= b' ' || matches!(b, b'\t' | b'\n'))
    {
        return Plain {
            body: Cow::Borrowed(text),
            style: Vec::new(),
        };
    }
    let mut body = String::with_capacity(text.len());
    let mut style = Vec::new();
    let mut open: [Option<u32>; STYLES.len()] = [None; STYLES.len()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let at = u32::try_from(body.len()).unwrap_or(u32::MAX);
        match c {
            '\u{03}' => rest = skip_colour(rest),
            '\u{04}' => rest = skip_hex_colour(rest),
            '\u{0f}' => close_all(&mut open, at, &mut style),
            // Each line of a message begins without codes.
            '\n' => {
                close_all(&mut open, at, &mut style);
                body.push(c);
            }
            '\t' => body.push(c),
            c if c < ' ' => {
                if let Some(index) = STYLES.iter().position(|(code, _)| *code == c) {
                    match open[index].take() {
                        Some(start) => close(index, start, at, &mut style),
                        None => open[index] = Some(at),
                    }
                }
            }
            c => body.push(c),
        }
    }
    let end = u32::try_from(body.len()).unwrap_or(u32::MAX);
    close_all(&mut open, end, &mut style);
    style.sort_unstable_by_key(|span| (span.start, u32::MAX - span.end));
    Plain {
        body: Cow::Owned(body),
        style,
    }
}

/// Bytes that codes may add to one line of a text with these styles.
pub(super) fn codes(style: &[Span]) -> usize {
    // Five codes open at the line's start and close at its end; inside, two for each span.
    style.len().min(MOST_SPANS) * 2
}

/// Spans that get codes; a text with more is sent without.
const MOST_SPANS: usize = 40;

/// A piece of `body` with codes for the styles in it. The piece must be a slice of the body.
pub(super) fn coded<'a>(body: &str, piece: &'a str, style: &[Span]) -> Cow<'a, str> {
    let start = (piece.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    let end = start.wrapping_add(piece.len());
    if style.is_empty() || style.len() > MOST_SPANS || end > body.len() {
        return Cow::Borrowed(piece);
    }
    // Places and codes, in order; what ends comes before what begins.
    let mut codes: Vec<(usize, bool, char)> = Vec::new();
    for span in style {
        let from = (span.start as usize).max(start);
        let to = (span.end as usize).min(end);
        let code = STYLES.iter().find(|(_, style)| *style == span.style);
        let sound = body.is_char_boundary(from) && body.is_char_boundary(to);
        if let Some(&(code, _)) = code.filter(|_| from < to && sound) {
            codes.push((from - start, true, code));
            codes.push((to - start, false, code));
        }
    }
    if codes.is_empty() {
        return Cow::Borrowed(piece);
    }
    codes.sort_by_key(|&(at, begins, _)| (at, begins));
    let mut coded = String::with_capacity(piece.len() + codes.len());
    let mut done = 0;
    for (at, _, code) in codes {
        coded.push_str(&piece[done..at]);
        coded.push(code);
        done = at;
    }
    coded.push_str(&piece[done..]);
    Cow::Owned(coded)
}

fn close(index: usize, start: u32, end: u32, style: &mut Vec<Span>) {
    if start < end {
        style.push(Span {
            start,
            end,
            style: STYLES[index].1,
        });
    }
}

fn close_all(open: &mut [Option<u32>; STYLES.len()], end: u32, style: &mut Vec<Span>) {
    for (index, slot) in open.iter_mut().enumerate() {
        if let Some(start) = slot.take() {
            close(index, start, end, style);
        }
    }
}

/// One or two digits, and a comma with one or two digits.
fn skip_colour(text: &str) -> &str {
    let after = skip_digits(text, 2, |b| b.is_ascii_digit());
    match after.strip_prefix(',') {
        Some(background) if after.len() < text.len() => {
            let end = skip_digits(background, 2, |b| b.is_ascii_digit());
            if end.len() < background.len() {
                end
            } else {
                after
            }
        }
        _ => after,
    }
}

/// Six hexadecimal digits, and a comma with six more.
fn skip_hex_colour(text: &str) -> &str {
    let six = |text: &str| {
        let after = skip_digits(text, 6, |b| b.is_ascii_hexdigit());
        (text.len() - after.len() == 6).then(|| text.len() - 6)
    };
    let Some(left) = six(text) else { return text };
    let after = &text[text.len() - left..];
    match after.strip_prefix(',').and_then(six) {
        Some(left) => &text[text.len() - left..],
        None => after,
    }
}

fn skip_digits(text: &str, most: usize, is_digit: impl Fn(u8) -> bool) -> &str {
    let count = text.bytes().take(most).take_while(|&b| is_digit(b)).count();
    &text[count..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_vanish_and_styles_are_told() {
        let got = plain("\u{2}bold\u{2} \u{3}04,12red\u{f} \u{4}ff0000,00ff00hex \u{1d}it");
        assert_eq!(got.body, "bold red hex it");
        let span = |start, end, style| Span { start, end, style };
        assert_eq!(
            got.style,
            [span(0, 4, Style::Bold), span(13, 15, Style::Italic)]
        );
    }

    #[test]
    fn a_comma_behind_a_colour_is_text_unless_digits_follow() {
        assert_eq!(plain("\u{3}4,text").body, ",text");
        assert_eq!(plain("\u{3},5").body, ",5");
        assert_eq!(plain("\u{4}12x").body, "12x");
    }

    #[test]
    fn styles_become_codes_in_each_piece() {
        let body = "a bold word\nand more";
        let span = |start, end, style| Span { start, end, style };
        let style = [span(2, 15, Style::Bold), span(7, 11, Style::Italic)];
        let mut lines = body.split('\n');
        let mut line = || coded(body, lines.next().expect("two lines"), &style).into_owned();
        assert_eq!(line(), "a \u{2}bold \u{1d}word\u{2}\u{1d}");
        assert_eq!(line(), "\u{2}and\u{2} more");
        assert!(matches!(coded(body, body, &[]), Cow::Borrowed(_)));
        assert_eq!(coded("other", "text", &style), "text");
    }

    #[test]
    fn a_line_does_not_carry_its_codes_into_the_next() {
        let got = plain("\u{2}bold\nplain");
        assert_eq!(got.body, "bold\nplain");
        let (start, end, style) = (0, 4, Style::Bold);
        assert_eq!(got.style, [Span { start, end, style }]);
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(plain("just\ttext").body, Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn spans_lie_on_character_boundaries(
            text in "([\u{2}\u{3}\u{4}\u{f}\u{11}\u{1d}\u{1e}\u{1f}]|[0-9a-f,]|é|🦀){0,40}"
        ) {
            let got = plain(&text);
            prop_assert!(got.body.chars().all(|c| c >= ' '));
            let again = coded(&got.body, &got.body, &got.style).into_owned();
            prop_assert_eq!(plain(&again).body, got.body.as_ref());
            for span in got.style {
                prop_assert!(span.start < span.end);
                prop_assert!(got.body.get(span.start as usize..span.end as usize).is_some());
            }
        }
    }
}
