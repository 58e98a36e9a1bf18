//! mIRC formatting codes (<https://modern.ircdocs.horse/formatting>) taken out of text.
//!
//! Colours and reverse leave no trace; the rest is told as spans. The other direction does not
//! exist yet.

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
    if text.bytes().all(|b| b >= b' ' || b == b'\t') {
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
            for span in got.style {
                prop_assert!(span.start < span.end);
                prop_assert!(got.body.get(span.start as usize..span.end as usize).is_some());
            }
        }
    }
}
