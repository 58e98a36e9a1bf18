//! Subjects: what a mail from chat is about.

use super::{clip, one_line};

/// Longest subject made of a message's first line, in bytes.
const LONGEST_MADE: usize = 60;
/// Longest subject that is passed on, in bytes.
const LONGEST: usize = 800;

/// What answers and forwards are marked with, in the languages that are common.
const MARKS: [&str; 14] = [
    "re", "fwd", "fw", "aw", "wg", "sv", "vs", "antw", "tr", "rv", "res", "enc", "odp", "r",
];

/// A subject without `Re:` and the like before it.
pub fn bare(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((mark, tail)) = rest.split_once(':') {
        // `Re[2]:` counts answers.
        let word = mark
            .split_once(['[', '('])
            .map_or(mark, |(word, _)| word)
            .trim();
        if !MARKS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            break;
        }
        rest = tail.trim_start();
    }
    rest
}

/// The subject of an answer in a thread about `subject`.
pub fn answer(subject: &str) -> String {
    format!("Re: {}", bare(subject))
}

/// The subject a user gave, made fit for a header.
pub fn given(subject: &str) -> String {
    clip(&one_line(subject), LONGEST).to_owned()
}

/// A subject for a thread's first mail: its first line, cut between words where possible, without
/// punctuation at the end.
pub fn made(body: &str) -> String {
    let first = body.lines().map(one_line).find(|line| !line.is_empty());
    let first = first.unwrap_or_default();
    let mut cut = clip(&first, LONGEST_MADE);
    if cut.len() < first.len()
        && let Some((whole, _)) = cut.rsplit_once(' ')
    {
        cut = whole;
    }
    let end = |c: char| c.is_whitespace() || matches!(c, '.' | ',' | ';' | ':' | '!' | '-');
    let cut = cut.trim_end_matches(end);
    if cut.is_empty() {
        "message".to_owned()
    } else {
        cut.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_answers_are_taken_off() {
        for (subject, expected) in [
            ("Re: lunch", "lunch"),
            ("RE: AW: Fwd: lunch", "lunch"),
            ("Re[2]: Antw: lunch", "lunch"),
            ("Regarding: lunch", "Regarding: lunch"),
            ("12:30 lunch", "12:30 lunch"),
            ("Re:", ""),
        ] {
            assert_eq!(bare(subject), expected);
        }
        assert_eq!(answer("Re: Re: lunch"), "Re: lunch");
    }

    #[test]
    fn a_first_line_becomes_a_subject() {
        assert_eq!(made("\n  Lunch at noon?\nOr later."), "Lunch at noon?");
        assert_eq!(made("Hello there!"), "Hello there");
        assert_eq!(made(" \n..."), "message");
        let long = "word ".repeat(30);
        assert_eq!(made(&long), "word ".repeat(12).trim_end());
        assert_eq!(made(&"ü".repeat(60)).len(), 60);
        assert_eq!(given("a\r\nBcc: b"), "a Bcc: b");
    }
}
