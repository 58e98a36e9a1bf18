//! Channel modes: who gained and lost which rank, and what holds for the channel.
//!
//! How many parameters a letter takes is only known from PREFIX and CHANMODES.

use isthmus_gateway::{Event, RankChange, Ranks, RoomFlags, Sink};

use super::Conversation;
use crate::line::Line;

impl Conversation {
    pub(super) fn on_mode(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(channel), Some(letters)) = (line.param(0), line.param(1)) else {
            return;
        };
        if !self.isupport.is_channel(channel) {
            return;
        }
        if self.is_me(line.nick()) {
            // Whoever gives a rank is answered before the others are told (XEP-0045 §9).
            let key = self.folded(channel);
            self.change_shown(&key, sink);
        }
        let args = line.params().get(2..).unwrap_or(&[]);
        let mut flags = self.flags(channel);
        let change = self.read_modes(letters, args, &mut flags);
        if !change.ranks.is_empty() {
            sink.event(Event::Ranks {
                room: channel.into(),
                changes: change.ranks.into(),
                by: Some(line.nick().into()),
            });
        }
        self.tell_flags(channel, flags, sink);
        if change.others {
            let text = format!("mode {} by {}", line.params()[1..].join(" "), line.nick());
            self.notice(Some(channel), &text, sink);
        }
    }

    /// `324 me #channel +modes args`.
    pub(super) fn on_modes_told(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(channel), Some(letters)) = (line.param(1), line.param(2)) else {
            return;
        };
        let mut flags = RoomFlags::default();
        let args = line.params().get(3..).unwrap_or(&[]);
        self.read_modes(letters, args, &mut flags);
        self.tell_flags(channel, flags, sink);
    }

    fn read_modes<'a>(&self, letters: &str, args: &[&'a str], flags: &mut RoomFlags) -> Change<'a> {
        let mut args = args.iter().copied();
        let mut change = Change::default();
        let mut on = true;
        for letter in letters.chars() {
            match letter {
                '+' => on = true,
                '-' => on = false,
                letter => {
                    let rank = self.isupport.ranks.iter().position(|r| r.letter == letter);
                    if let Some(bit) = rank {
                        if let Some(nick) = args.next() {
                            change.rank(nick, Ranks(1 << bit), on);
                        }
                        continue;
                    }
                    change.others = true;
                    set_flag(flags, letter, on);
                    if self.takes_argument(letter, on) {
                        let value = args.next();
                        if letter == 'l' {
                            flags.limit = value.and_then(|it| it.parse().ok()).unwrap_or(0);
                        }
                    }
                }
            }
        }
        change
    }

    fn takes_argument(&self, letter: char, on: bool) -> bool {
        let isupport = &self.isupport;
        isupport.lists.contains(letter)
            || isupport.always.contains(letter)
            || (on && isupport.when_set.contains(letter))
    }
}

/// What one MODE changes.
#[derive(Default)]
struct Change<'a> {
    ranks: Vec<RankChange<'a>>,
    /// Something that is not a rank.
    others: bool,
}

impl<'a> Change<'a> {
    fn rank(&mut self, nick: &'a str, rank: Ranks, on: bool) {
        let known = self.ranks.iter().position(|change| change.nick == nick);
        let at = known.unwrap_or_else(|| {
            self.ranks.push(RankChange {
                nick: nick.into(),
                set: Ranks::default(),
                cleared: Ranks::default(),
            });
            self.ranks.len() - 1
        });
        let change = &mut self.ranks[at];
        let (given, taken) = if on {
            (&mut change.set, &mut change.cleared)
        } else {
            (&mut change.cleared, &mut change.set)
        };
        given.0 |= rank.0;
        taken.0 &= !rank.0;
    }
}

/// RFC 2811 §4: the modes a XEP-0045 room has words for.
fn set_flag(flags: &mut RoomFlags, letter: char, on: bool) {
    match letter {
        'm' => flags.moderated = on,
        'i' => flags.members_only = on,
        'k' => flags.password = on,
        'l' if !on => flags.limit = 0,
        's' | 'p' => flags.hidden = on,
        't' => flags.subject_locked = on,
        _ => {}
    }
}
