//! Channel modes: who gained and lost which rank, and what holds for the channel.
//!
//! How many parameters a letter takes is only known from PREFIX and CHANMODES.

use std::time::Instant;

use isthmus_gateway::{
    Event, Fault, FaultKind, Outcome, RankChange, Ranks, RoomFlags, Sink, Tag, words,
};

use super::asked::Want;
use super::{CURIOUS, Conversation, LATE, Modes, Phase, Room, done};
use crate::line::Line;

impl Conversation {
    pub(super) fn on_mode(&mut self, line: &Line<'_>, now: Instant, sink: &mut dyn Sink) {
        let (Some(channel), Some(letters)) = (line.param(0), line.param(1)) else {
            return;
        };
        if !self.isupport.is_channel(channel) {
            if self.is_me(channel) && gains(letters, 'r') {
                self.services_know(sink, now);
            }
            return;
        }
        if self.is_me(line.nick()) {
            // Whoever gives a rank is answered before the others are told (XEP-0045 §9).
            let key = self.folded(channel);
            self.change_shown(&key, letters, sink);
        }
        let args = line.params().get(2..).unwrap_or(&[]);
        let mut flags = self.flags(channel);
        let change = self.read_modes(letters, args, &mut flags);
        let key = change.key;
        if !change.ranks.is_empty() {
            sink.event(Event::Ranks {
                room: channel.into(),
                changes: change.ranks.into(),
                by: Some(line.nick().into()),
            });
        }
        self.tell_flags(channel, (flags, key), false, sink);
        if change.others {
            let (modes, nick) = (line.params()[1..].join(" "), line.nick());
            let text = words!("mode {modes} by {nick}", "{nick} 设置了模式 {modes}");
            self.remark(Some(channel), text, sink);
        }
    }

    /// `324 me #channel +modes args`.
    pub(super) fn on_modes_told(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(channel), Some(letters)) = (line.param(1), line.param(2)) else {
            return;
        };
        let mut flags = RoomFlags::default();
        let args = line.params().get(3..).unwrap_or(&[]);
        let key = self.read_modes(letters, args, &mut flags).key;
        let name = self.folded(channel);
        let mut tags = Vec::new();
        while let Some(tag) = self.take_asked(|a| a.want == Want::Flags && a.key == name) {
            tags.push(tag);
        }
        let now = self.clock;
        // Of a channel that was left meanwhile nothing is told but what he asks for.
        let (mut first, mut ours) = (false, !tags.is_empty() || !self.is_curious());
        if let Some(room) = self.room(channel) {
            first = room.modes != Modes::Known;
            (ours, room.owed) = room.answered(tags.len(), now);
            room.owed_until = Some(now + LATE);
            room.modes = Modes::Known;
        }
        self.tell_flags(channel, (flags, key), first || !tags.is_empty(), sink);
        for tag in tags {
            done(tag, Ok(Outcome::Finished), sink);
        }
        if !ours {
            // Somebody wants to read it.
            let modes = line.params()[2..].join(" ");
            let text = words!("mode {modes}", "模式 {modes}");
            self.remark(Some(channel), text, sink);
        }
    }

    /// The host must know what holds for a channel.
    pub(super) fn tell_modes(&mut self, tag: Tag, name: &str, sink: &mut dyn Sink) {
        let known = self.room(name).map(|room| (room.modes, room.flags));
        match known {
            None => {
                let words = ("not in that channel", "不在该频道中");
                done(tag, Err(Fault::new(FaultKind::NotJoined, words)), sink);
            }
            Some((Modes::Known, flags)) => {
                sink.event(Event::Flags {
                    room: name.into(),
                    flags,
                    password: None,
                });
                done(tag, Ok(Outcome::Finished), sink);
            }
            Some(_) => {
                self.ask_about(tag, Want::Flags, (name, ""), format!("MODE {name}"), sink);
                if self.asked.iter().any(|asked| asked.tag == tag) {
                    // It need not be asked twice.
                    let key = self.folded(name);
                    self.queue.modes.retain(|waiting| **waiting != *key);
                }
            }
        }
    }

    /// A line of the user's own, `MODE #channel`, asks for what holds in a joined channel.
    pub(super) fn asks_modes(&mut self, line: &str) {
        let now = self.clock;
        let mut words = line.split_ascii_whitespace();
        let is_mode = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("MODE"));
        if let (true, Some(channel), None) = (is_mode, words.next(), words.next())
            && let Some(room) = self.room(channel)
        {
            room.asked_modes = Some(now);
        }
    }

    /// What holds for a channel is asked for once, when nothing else waits: 324 tells it.
    pub(super) fn want_modes(&mut self, name: &str) {
        let Some(room) = self.room(name).filter(|room| room.modes == Modes::Unasked) else {
            return;
        };
        let key = room.key.clone();
        let leaves = |asked: &super::Asked| asked.want == Want::Leave && *asked.key == *key;
        if !self.asked.iter().any(leaves) {
            self.queue.modes.push_back(key);
        }
    }

    /// When the next of these questions may go out.
    pub(super) fn modes_ready(&self, now: Instant) -> Option<Instant> {
        let idle = self.queue.waiting.is_empty() && !self.queue.modes.is_empty();
        (idle && matches!(self.phase, Phase::Online)).then(|| self.queue.pace(now))?
    }

    /// Asks as far as the bucket allows.
    pub(super) fn ask_modes(&mut self, now: Instant) {
        while self.modes_ready(now).is_some_and(|at| at <= now) {
            let Some(key) = self.queue.modes.pop_front() else {
                return;
            };
            let room = self.rooms.iter_mut().find(|room| *room.key == *key);
            let Some(room) = room.filter(|room| room.modes == Modes::Unasked) else {
                continue;
            };
            room.modes = Modes::Asked;
            let line = format!("MODE {}", room.name);
            self.queue.say_idly(&line, &self.settings.encodings, now);
        }
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
                        match letter {
                            'l' => {
                                flags.limit = value.and_then(|it| it.parse().ok()).unwrap_or(0);
                            }
                            'k' => change.key = value.filter(|_| on),
                            _ => {}
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

impl Room {
    /// What holds was told. Whether that answers only questions of the host, of which so many
    /// were open, and how many answers are still to come: they say the same again.
    fn answered(&mut self, asked: usize, now: Instant) -> (bool, usize) {
        let owed = self.owed_until.filter(|&until| now < until);
        let owed = owed.map_or(0, |_| self.owed);
        let open = asked + usize::from(self.modes == Modes::Asked) + owed;
        let reads = self.asked_modes.take();
        match reads.is_some_and(|at| now < at + CURIOUS) {
            // The user reads the first of them: his own may never come.
            true => (false, open),
            false => (open > 0, open.saturating_sub(1)),
        }
    }
}

/// The letters of a change of modes, each with whether it is given.
fn each(letters: &str) -> impl Iterator<Item = (bool, char)> {
    let mut on = true;
    letters.chars().filter_map(move |letter| {
        match letter {
            '+' => on = true,
            '-' => on = false,
            _ => return Some((on, letter)),
        }
        None
    })
}

/// Whether a change of modes gives this one.
fn gains(letters: &str, wanted: char) -> bool {
    each(letters).any(|change| change == (true, wanted))
}

/// Whether two changes of modes have one in common.
pub(super) fn in_common(one: &str, other: &str) -> bool {
    each(one).any(|change| each(other).any(|it| it == change))
}

/// What one MODE changes.
#[derive(Default)]
struct Change<'a> {
    ranks: Vec<RankChange<'a>>,
    /// The key that was set.
    key: Option<&'a str>,
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
        'n' => flags.closed = on,
        _ => {}
    }
}
