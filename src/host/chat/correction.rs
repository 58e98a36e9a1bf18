//! XEP-0308 (1.2) corrections where the network knows none: words that tell of the change.

/// How a correction is told where the network cannot change a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corrections {
    /// `s/old/new/` where that is short and plain, else the whole text behind `* `.
    #[default]
    Short,
    /// The whole text behind `* `.
    Text,
    /// Not at all: the sender is told that it cannot be done.
    Refuse,
}

/// The longest old or new part of the short form, in bytes.
const LONGEST: usize = 40;

/// The line that tells of a correction. `old` is the text that was sent, where it is known.
pub(crate) fn told(old: Option<&str>, new: &str, form: Corrections) -> String {
    let short = old
        .filter(|_| form == Corrections::Short)
        .and_then(|old| substitution(old, new));
    short.unwrap_or_else(|| format!("* {new}"))
}

/// `s/old/new/`, if the texts differ in one short stretch of words of a line that stands in the old
/// text once.
fn substitution(old: &str, new: &str) -> Option<String> {
    if old == new || old.contains('\n') || new.contains('\n') {
        return None;
    }
    let front = word_start(old, common(old.chars(), new.chars()).min(old.len()));
    let (old_rest, new_rest) = (&old[front..], new.get(front..)?);
    let back = common(old_rest.chars().rev(), new_rest.chars().rev());
    let back = word_end(old_rest, back.min(old_rest.len()).min(new_rest.len()));
    let from = &old_rest[..old_rest.len() - back];
    let to = &new_rest[..new_rest.len() - back];
    let plain = |part: &str| part.len() <= LONGEST && !part.contains(['/', '\\']);
    let clear = !from.trim().is_empty()
        && plain(from)
        && plain(to)
        && from.len() < old.len()
        && old.matches(from).count() == 1;
    clear.then(|| format!("s/{from}/{to}/"))
}

/// Bytes of the characters that both begin with.
fn common(one: impl Iterator<Item = char>, other: impl Iterator<Item = char>) -> usize {
    one.zip(other)
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum()
}

/// The start of the word that stands at or before `at`.
fn word_start(text: &str, at: usize) -> usize {
    text[..at].rfind(' ').map_or(0, |space| space + 1)
}

/// How much of the end can be left without cutting a word.
fn word_end(text: &str, back: usize) -> usize {
    let tail = &text[text.len() - back..];
    match tail.find(' ') {
        // A word that ends where the common end begins is whole.
        _ if back == text.len() => 0,
        Some(space) => tail.len() - space,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(old: &str, new: &str) -> String {
        told(Some(old), new, Corrections::Short)
    }

    #[test]
    fn a_short_change_is_told_by_its_words() {
        assert_eq!(short("see you at five", "see you at six"), "s/five/six/");
        assert_eq!(short("teh cat sat", "the cat sat"), "s/teh/the/");
        assert_eq!(short("the cat sat down", "the dog sat down"), "s/cat/dog/");
        assert_eq!(short("a \u{e4}b c", "a \u{e4}c c"), "s/\u{e4}b/\u{e4}c/");
    }

    #[test]
    fn what_is_not_clear_is_said_again() {
        for (old, new) in [
            ("one", "another thing"),
            ("cat and cat", "dog and cat"),
            ("a/b it is", "a/c it is"),
            ("one\ntwo", "one\nthree"),
            ("same", "same"),
            ("", "now"),
        ] {
            assert_eq!(short(old, new), format!("* {new}"), "{old:?}");
        }
        assert_eq!(told(None, "new", Corrections::Short), "* new");
        let text = told(Some("see you at five"), "see you at six", Corrections::Text);
        assert_eq!(text, "* see you at six");
    }
}
