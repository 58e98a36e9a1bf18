//! Several changes in one line: modes up to MODES, kicks up to TARGMAX. A change that has to wait
//! anyway goes with the one before it; one that is larger than a line gets several.

use isthmus_gateway::{Fault, Outcome, Sink, Tag};

use super::asked::{Asked, Want};
use super::mode::in_common;
use super::queue::Owner;
use super::{Conversation, done};

impl Conversation {
    /// Adds a change to the line of the one before it, where that still waits and the network takes
    /// so many in one. True: it did, and shares its fate.
    pub(super) fn shares_line(
        &mut self,
        tag: Tag,
        want: Want,
        (key, nick): (&[u8], &[u8]),
        line: &str,
    ) -> bool {
        let Some(last) = self.queue.waiting.back_mut() else {
            return false;
        };
        let Owner::Asked(first) = last.owner else {
            return false;
        };
        let same = |it: &&Asked| it.tag == first && it.want == want && it.key == key;
        if !self.asked.iter().any(|it| same(&it) && it.lines == 1) {
            return false;
        }
        let joined = match want {
            Want::Rank | Want::Ban => modes_joined(&last.line, line, self.isupport.modes),
            Want::Kick => kicks_joined(&last.line, line, self.isupport.most_targets("KICK")),
            _ => None,
        };
        let most = self.isupport.line_len - 2;
        let Some(joined) = joined.filter(|joined| joined.len() <= most) else {
            return false;
        };
        if let Some(asked) = self.asked.iter_mut().find(|it| it.tag == first) {
            asked.letters = letters(&joined);
        }
        last.line = joined;
        self.asked.push(Asked {
            with: Some(first),
            ..Asked::new(tag, want, key.to_vec(), nick.to_vec())
        });
        true
    }

    /// The open command at `at` is refused, or the one like it about whom the refusal names; and
    /// with it those of its line that the refusal does not tell apart. `names` are the folded names
    /// in it.
    pub(super) fn refuse_asked(
        &mut self,
        at: usize,
        names: &[Vec<u8>],
        fault: &Fault,
        sink: &mut dyn Sink,
    ) {
        let first = &self.asked[at];
        let alike = |it: &&Asked| it.want == first.want && it.key == first.key;
        let out = |it: &&Asked| it.gone.is_some() && names.contains(&it.nick);
        let mut all = self.asked.iter();
        let named = all.find(|it| alike(it) && out(it));
        let (line, only) = match named {
            Some(named) => (named.line(), Some(named.tag)),
            None => (first.line(), None),
        };
        if first.want == Want::Lookup {
            let key = first.key.clone();
            self.lookup_failed(key);
        }
        self.end_line(line, only, &Err(fault.clone()), sink);
    }

    /// What one line asked for has ended; `only` one command of it, or all.
    pub(super) fn end_line(
        &mut self,
        line: Tag,
        only: Option<Tag>,
        result: &Result<Outcome, Fault>,
        sink: &mut dyn Sink,
    ) {
        let ends = |it: &Asked| it.line() == line && only.is_none_or(|only| it.tag == only);
        while let Some(at) = self.asked.iter().position(ends) {
            let asked = self.asked.remove(at);
            done(asked.tag, result.clone(), sink);
        }
    }

    /// The network shows a change of the user's in a channel: the first line that asked for one is
    /// done, or one of its lines. A change that he made by a line of his own is none of them.
    pub(super) fn change_shown(&mut self, key: &[u8], shown: &str, sink: &mut dyn Sink) {
        let label = self.context.label;
        let is_it = |it: &&mut Asked| {
            let answers = match label {
                Some(label) => label == it.tag,
                None => in_common(&it.letters, shown),
            };
            answers && it.gone.is_some() && it.want.changes_modes() && it.key == key
        };
        let Some(asked) = self.asked.iter_mut().find(is_it) else {
            return;
        };
        if asked.lines > 1 {
            asked.lines -= 1;
            // The label of this line is not that of the last.
            self.context.used = true;
            return;
        }
        let line = asked.tag;
        self.end_line(line, None, &Ok(Outcome::Finished), sink);
    }
}

/// The letters of `MODE #channel letters args`.
pub(super) fn letters(line: &str) -> Box<str> {
    line.split(' ').nth(2).unwrap_or("").into()
}

/// Two `MODE #channel letters args` as one, if that changes no more than `most`.
fn modes_joined(one: &str, other: &str, most: usize) -> Option<String> {
    let (head, letters, args) = parts(one)?;
    let (other_head, more, more_args) = parts(other)?;
    let count = |letters: &str| letters.chars().filter(|c| !matches!(c, '+' | '-')).count();
    let fits = head == other_head && count(letters) + count(more) <= most;
    fits.then(|| format!("{head} {letters}{more} {args} {more_args}"))
}

/// `MODE #channel`, its letters and what follows them.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let mut spaces = line.match_indices(' ').map(|(at, _)| at);
    let (channel, letters) = (spaces.nth(1)?, spaces.next()?);
    Some((
        &line[..channel],
        &line[channel + 1..letters],
        &line[letters + 1..],
    ))
}

/// Two `KICK #channel nick :reason` of the same reason as one, if there are no more than `most`.
fn kicks_joined(one: &str, other: &str, most: usize) -> Option<String> {
    let (head, nicks, reason) = parts(one)?;
    let (other_head, nick, other_reason) = parts(other)?;
    let fits = head == other_head && reason == other_reason && nicks.split(',').count() < most;
    fits.then(|| format!("{head} {nicks},{nick} {reason}"))
}

/// Letters with their signs, in pieces of at most `most`.
pub(super) fn in_pieces(letters: &[(char, char)], most: usize) -> Vec<(String, usize)> {
    let pieces = letters.chunks(most.max(1)).map(|piece| {
        let (mut text, mut sign) = (String::new(), ' ');
        for &(its, letter) in piece {
            if its != sign {
                text.push(its);
                sign = its;
            }
            text.push(letter);
        }
        (text, piece.len())
    });
    pieces.collect()
}
