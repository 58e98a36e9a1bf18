//! Who comes, goes and is called what: JOIN, PART, QUIT, KICK, NICK, TOPIC, INVITE, names.

use std::borrow::Cow;

use isthmus_gateway::{
    Event, Left, Name, Outcome, Ranks, RoomFlags, Sink, Text, Time, Who, Why, words,
};

use super::asked::Want;
use super::{Conversation, Room, done, format};
use crate::line::Line;

/// Channels the network may put us into.
const MOST_ROOMS: usize = 1000;

impl Conversation {
    pub(super) fn on_join(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(channel), nick) = (line.param(0), line.nick()) else {
            return;
        };
        if channel.is_empty() || nick.is_empty() {
            return;
        }
        if self.is_me(nick) {
            return self.on_own_join(channel, line, sink);
        }
        sink.event(Event::Came {
            room: channel.into(),
            who: Who {
                name: line
                    .param(2)
                    .filter(|name| !name.is_empty())
                    .map(Into::into),
                account: account(line).or_else(|| known_account(line.param(1))),
                ..who(line)
            },
            ranks: Ranks::default(),
        });
        if account(line).is_none() {
            self.ask_who_came(nick);
        }
    }

    fn on_own_join(&mut self, channel: &str, line: &Line<'_>, sink: &mut dyn Sink) {
        if let Some(handle) = line.handle() {
            self.handle_len = handle.len();
        }
        if let Some(known) = known_account(line.param(1)) {
            self.account = Some(known.as_ref())
                .filter(|name| !name.is_empty())
                .map(Into::into);
        }
        let key = self.folded(channel);
        let mut asked = Vec::new();
        while let Some(tag) = self.take_asked(|a| a.want == Want::Join && a.key == key) {
            asked.push(tag);
        }
        if asked.is_empty() && self.rooms.len() >= MOST_ROOMS {
            // Nobody wants to be in so many, and nobody is asked.
            return;
        }
        self.forget_room(&key);
        let room = Room {
            name: channel.into(),
            key: key.into(),
            ..Room::default()
        };
        isthmus_kit::lean::push(&mut self.rooms, room);
        sink.event(Event::Joined {
            room: channel.into(),
            nick: self.me.as_str().into(),
            asked: asked.first().copied(),
        });
        for tag in asked {
            done(tag, Ok(Outcome::Finished), sink);
        }
    }

    pub(super) fn on_part(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let Some(channel) = line.param(0) else { return };
        let nick = line.nick();
        let text = line.param(1);
        self.left(Some(channel), nick, Why::Parted, None, text, sink);
        if self.is_me(nick) {
            let key = self.folded(channel);
            self.forget_room(&key);
            self.finish(|a| a.want == Want::Leave && a.key == key, sink);
        }
    }

    pub(super) fn on_quit(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let nick = line.nick();
        if nick.is_empty() || self.is_me(nick) {
            return;
        }
        self.freed(nick);
        let text = line.param(0);
        let why = if self.in_split() || text.is_some_and(is_split) {
            Why::Split
        } else {
            Why::Quit
        };
        self.left(None, nick, why, None, text, sink);
    }

    pub(super) fn on_kick(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(channel), Some(nick)) = (line.param(0), line.param(1)) else {
            return;
        };
        let (key, kicked) = (self.folded(channel), self.folded(nick));
        if self.is_me(line.nick()) {
            // Whoever kicks is answered before the others are told (XEP-0045 §8.2).
            let is_it = |a: &super::Asked| a.key == key && a.nick == kicked;
            self.finish(|a| a.want == Want::Kick && is_it(a), sink);
        }
        self.left(
            Some(channel),
            nick,
            Why::Kicked,
            Some(line.nick()),
            line.param(2),
            sink,
        );
        if self.is_me(nick) {
            self.forget_room(&key);
            self.finish(|a| a.want == Want::Leave && a.key == key, sink);
        }
    }

    fn left(
        &self,
        room: Option<&str>,
        nick: &str,
        why: Why,
        by: Option<&str>,
        text: Option<&str>,
        sink: &mut dyn Sink,
    ) {
        sink.event(Event::Left(Left {
            room: room.map(Into::into),
            nicks: Cow::Borrowed(&[Cow::Borrowed(nick)]),
            why,
            by: by.map(Into::into),
            text: text
                .filter(|text| !text.is_empty())
                .map(|text| format::plain(text).body),
        }));
    }

    pub(super) fn on_nick(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(to), from) = (line.param(0), line.nick()) else {
            return;
        };
        if to.is_empty() || from.is_empty() {
            return;
        }
        let me = self.me.clone();
        // InspIRCd 3 answers with a label as if one had the new nickname already.
        let answered = self.context.label.is_some() && self.folded(from) == self.folded(to);
        let from = if answered { me.as_str() } else { from };
        let mine = self.is_me(from);
        if mine {
            self.me = to.to_owned();
            self.is_called(to);
        } else {
            self.freed(from);
        }
        sink.event(Event::Renamed {
            from: from.into(),
            to: to.into(),
        });
        if mine {
            self.have_nick(to, sink);
        }
    }

    /// The network calls us so: because it was asked, or not.
    fn have_nick(&mut self, to: &str, sink: &mut dyn Sink) {
        let (key, is_id) = (self.folded(to), is_id(to));
        let raw = self.has_given_up_nick();
        // InspIRCd and UnrealIRCd answer `NICK 0` with the user's id.
        let asked = self.take_asked(|asked| {
            let gives_up = is_id && asked.key.first().is_some_and(u8::is_ascii_digit);
            asked.want == Want::Nick && (asked.key == key || gives_up)
        });
        if let Some(tag) = asked {
            // The next connection begins with it; a name that was forced on us is not kept, and
            // an id is of one connection.
            if !is_id {
                self.settings.nick = to.to_owned();
            }
            self.content();
            done(tag, Ok(Outcome::Finished), sink);
        } else if is_id && !raw {
            self.want_back(self.clock);
        }
    }

    pub(super) fn on_topic(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let Some(channel) = line.param(0) else { return };
        sink.event(Event::Subject {
            room: channel.into(),
            text: format::plain(line.param(1).unwrap_or("")).body,
            by: Some(line.nick().into()),
            time: None,
            live: true,
        });
        if self.is_me(line.nick()) {
            let key = self.folded(channel);
            self.finish(|a| a.want == Want::Subject && a.key == key, sink);
        }
    }

    /// 332: the topic on entry; 333 says who set it and comes next, if at all.
    pub(super) fn on_topic_told(&mut self, line: &Line<'_>) {
        let topic = format::plain(line.last()).body.into_owned();
        if let Some(room) = line.param(1).and_then(|name| self.room(name)) {
            room.topic = Some(topic);
        }
    }

    /// `333 me #channel nick!user@host seconds`.
    pub(super) fn on_topic_author(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let Some(name) = line.param(1) else { return };
        let by = line.param(2).and_then(|mask| mask.split(['!', '@']).next());
        let seconds = line.param(3).and_then(|text| text.parse::<i64>().ok());
        let time = seconds
            .and_then(|seconds| seconds.checked_mul(1000))
            .map(Time);
        self.tell_topic(name, by, time, sink);
    }

    fn tell_topic(
        &mut self,
        name: &str,
        by: Option<&str>,
        time: Option<Time>,
        sink: &mut dyn Sink,
    ) {
        let Some(topic) = self.room(name).and_then(|room| room.topic.take()) else {
            return;
        };
        sink.event(Event::Subject {
            room: name.into(),
            text: topic.into(),
            by: by.map(Into::into),
            time,
            live: false,
        });
    }

    /// `353 me = #channel :@alice +bob`, with several signs (multi-prefix) and with
    /// `nick!user@host` (userhost-in-names).
    pub(super) fn on_names(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let Some(name) = line.params().iter().rev().nth(1).copied() else {
            return;
        };
        if self.room(name).is_none() {
            return;
        }
        let some: Vec<Name<'_>> = line
            .last()
            .split_ascii_whitespace()
            .map(|word| self.name(word))
            .filter(|name| !name.who.nick.is_empty())
            .collect();
        if let Some(room) = self.room(name) {
            room.people += some.len();
        }
        sink.event(Event::Names {
            room: name.into(),
            some: some.into(),
            last: false,
        });
    }

    fn name<'a>(&self, word: &'a str) -> Name<'a> {
        let mut ranks = Ranks::default();
        let mut rest = word;
        while let Some(sign) = rest.chars().next() {
            let Some(bit) = self
                .isupport
                .ranks
                .iter()
                .position(|rank| rank.sign == sign)
            else {
                break;
            };
            ranks.0 |= 1 << bit;
            rest = &rest[sign.len_utf8()..];
        }
        let (nick, handle) = match rest.split_once('!') {
            Some((nick, handle)) => (nick, Some(handle.into())),
            None => (rest, None),
        };
        // Names do not tell accounts; by ours others know us (XEP-0421).
        let ours = self.account.as_deref().filter(|_| self.is_me(nick));
        Name {
            who: Who {
                handle,
                account: ours.map(|account| account.to_owned().into()),
                ..Who::nick(nick)
            },
            ranks,
        }
    }

    /// 366: the names of a channel are complete.
    pub(super) fn on_names_end(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let Some(name) = line.param(1) else { return };
        if self.room(name).is_none() {
            return;
        }
        self.tell_topic(name, None, None, sink);
        sink.event(Event::Names {
            room: name.into(),
            some: Cow::Borrowed(&[]),
            last: true,
        });
        self.want_modes(name);
        self.ask_modes(self.clock);
        self.ask_who_is_in(name);
    }

    pub(super) fn on_invite(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(whom), Some(channel)) = (line.param(0), line.param(1)) else {
            return;
        };
        if self.is_me(whom) {
            sink.event(Event::Invited {
                room: channel.into(),
                by: who(line),
                reason: None,
            });
        } else if self.room(channel).is_some() {
            // IRCv3 invite-notify.
            let nick = line.nick();
            let text = words!("{nick} invites {whom}", "{nick} 邀请了 {whom}");
            self.remark(Some(channel), text, sink);
        }
    }

    /// `341 me nick #channel`: the invitation went out.
    pub(super) fn on_inviting(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(nick), Some(channel)) = (line.param(1), line.param(2)) else {
            return;
        };
        let (key, nick) = (self.folded(channel), self.folded(nick));
        // Some servers swap the two.
        let is_it =
            |a: &super::Asked| (a.key == key && a.nick == nick) || (a.key == nick && a.nick == key);
        self.finish(|a| a.want == Want::Invite && is_it(a), sink);
    }

    /// Tells a room's flags and its key, if they differ from what was told; or in any case.
    pub(super) fn tell_flags(
        &mut self,
        name: &str,
        (flags, key): (RoomFlags, Option<&str>),
        anyway: bool,
        sink: &mut dyn Sink,
    ) {
        let Some(room) = self.room(name) else { return };
        let key = key.filter(|&key| flags.password && is_shown(key));
        let new = key.is_some() && room.secret.as_deref() != key;
        if new || !flags.password {
            room.secret = key.map(Into::into);
        }
        if room.flags != flags || new || anyway {
            room.flags = flags;
            sink.event(Event::Flags {
                room: name.into(),
                flags,
                password: key.map(Into::into),
            });
        }
    }

    /// The flags told last.
    pub(super) fn flags(&mut self, name: &str) -> RoomFlags {
        self.room(name).map(|room| room.flags).unwrap_or_default()
    }
}

/// Servers that do not show a key put stars, or words in angle brackets, in its place.
fn is_shown(key: &str) -> bool {
    !key.trim_matches('*').is_empty() && !key.starts_with('<')
}

/// Who a line is from.
pub(super) fn who<'a>(line: &Line<'a>) -> Who<'a> {
    Who {
        handle: line.handle().map(Into::into),
        account: account(line),
        // IRCv3 bot-mode.
        bot: line.has_tag("bot").then_some(true),
        ..Who::nick(line.nick())
    }
}

/// The services account in the line's tag (IRCv3 account-tag).
fn account<'a>(line: &Line<'a>) -> Option<Text<'a>> {
    line.tag("account")
}

/// The account in an extended JOIN; `*` stands for none, which is then known.
fn known_account(word: Option<&str>) -> Option<Text<'_>> {
    let word = word.filter(|word| !word.is_empty())?;
    Some(if word == "*" { "" } else { word }.into())
}

/// Whether nobody chooses such a nickname (RFC 2812 §2.3.1): servers that find two of one name after
/// a netsplit give both their internal ids (solanum, InspIRCd, UnrealIRCd: `42XAAAAAB`), and some
/// whoever asks for his (`NICK 0`). What services rename to (`Guest123`) is chosen by them.
pub(super) fn is_id(nick: &str) -> bool {
    nick.starts_with(|c: char| c.is_ascii_digit())
}

/// `one.example two.example`: two servers have lost each other.
fn is_split(text: &str) -> bool {
    let mut words = text.split(' ');
    let is_server = |word: Option<&str>| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*');
        word.is_some_and(|w| w.contains('.') && w.len() > 2 && w.chars().all(good))
    };
    is_server(words.next()) && is_server(words.next()) && words.next().is_none()
}
