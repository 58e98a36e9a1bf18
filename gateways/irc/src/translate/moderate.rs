//! Keeping order in a channel: bans and their list, its modes, asking to be let in (KNOCK).

use isthmus_gateway::{Event, Fault, FaultKind, RoomFlags, Sink, Tag, Who};

use super::asked::Want;
use super::command::one_line;
use super::send::is_target;
use super::{Conversation, done};
use crate::line::Line;

/// Letters of a MODE with their signs, and what they take.
#[derive(Default)]
struct Changes {
    letters: String,
    values: String,
    sign: Option<char>,
}

impl Changes {
    fn add(&mut self, on: bool, letter: char, value: Option<&str>) {
        let sign = if on { '+' } else { '-' };
        if self.sign.replace(sign) != Some(sign) {
            self.letters.push(sign);
        }
        self.letters.push(letter);
        if let Some(value) = value {
            self.values.push(' ');
            self.values.push_str(value);
        }
    }
}

impl Conversation {
    pub(super) fn ban(&mut self, tag: Tag, room: &str, whom: &str, on: bool, sink: &mut dyn Sink) {
        let is_mask = whom.contains(['!', '@', '*', '?', '$', '~', ':']);
        let mask = if is_mask {
            whom.to_owned()
        } else {
            format!("{whom}!*@*")
        };
        let sign = if on { '+' } else { '-' };
        let line = format!("MODE {room} {sign}b {mask}");
        self.ask_about(tag, Want::Ban, (room, whom), line, sink);
    }

    pub(super) fn bans(&mut self, tag: Tag, room: &str, sink: &mut dyn Sink) {
        let line = format!("MODE {room} b");
        self.ask_about(tag, Want::Bans, (room, ""), line, sink);
    }

    /// `367 me #channel mask [by [seconds]]`. False: nobody has asked for it.
    pub(super) fn on_ban(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let key = self.folded(line.param(1).unwrap_or(""));
        let open = |asked: &&super::Asked| {
            asked.want == Want::Bans && asked.key == key && asked.gone.is_some()
        };
        let (Some(asked), Some(mask)) = (self.asked.iter().find(open), line.param(2)) else {
            return false;
        };
        let mut fields = vec![("whom".into(), mask.into())];
        if let Some(by) = line.param(3).filter(|by| !by.is_empty()) {
            fields.push(("by".into(), by.into()));
        }
        if let Some(Ok(seconds)) = line.param(4).map(str::parse::<i64>) {
            let millis = seconds.saturating_mul(1000).to_string();
            fields.push(("time".into(), millis.into()));
        }
        let tag = asked.tag;
        sink.event(Event::Found { tag, fields });
        true
    }

    /// 368: that was the last ban.
    pub(super) fn on_ban_end(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let key = self.folded(line.param(1).unwrap_or(""));
        self.finish(|a| a.want == Want::Bans && a.key == key, sink)
    }

    /// Sets the modes that differ, and the password where there is a new one.
    pub(super) fn config(
        &mut self,
        tag: Tag,
        room: &str,
        (flags, password): (RoomFlags, Option<&str>),
        sink: &mut dyn Sink,
    ) {
        if self.room(room).is_none() {
            let fault = Fault::new(
                FaultKind::NotJoined,
                ("not in that channel", "不在该频道中"),
            );
            return done(tag, Err(fault), sink);
        }
        let password = password.filter(|_| flags.password);
        if password.is_some_and(|password| !is_target(password)) {
            let words = (
                "a channel's password holds neither spaces nor commas",
                "频道密码不得含有空格或逗号",
            );
            return done(tag, Err(Fault::new(FaultKind::NotExpressible, words)), sink);
        }
        let joined = self.room(room);
        let known = joined.map(|room| (room.flags, room.secret.clone()));
        let (now, secret) = known.unwrap_or_default();
        let mut change = Changes::default();
        for (letter, is, shall) in [
            ('m', now.moderated, flags.moderated),
            ('i', now.members_only, flags.members_only),
            ('s', now.hidden, flags.hidden),
            ('t', now.subject_locked, flags.subject_locked),
            ('n', now.closed, flags.closed),
        ] {
            if is != shall {
                change.add(shall, letter, None);
            }
        }
        if flags.limit > 0 && flags.limit != now.limit {
            change.add(true, 'l', Some(&flags.limit.to_string()));
        } else if flags.limit == 0 && now.limit > 0 {
            change.add(false, 'l', None);
        }
        let new = password.filter(|&new| !now.password || secret.as_deref() != Some(new));
        if now.password && (new.is_some() || !flags.password) {
            // Some servers (InspIRCd) lift a key only for who names it, and set none over another;
            // the others take any word.
            change.add(false, 'k', Some(secret.as_deref().unwrap_or("*")));
        }
        if let Some(new) = new {
            change.add(true, 'k', Some(new));
        }
        if change.letters.is_empty() {
            return done(tag, Ok(isthmus_gateway::Outcome::Finished), sink);
        }
        let line = format!("MODE {room} {}{}", change.letters, change.values);
        self.ask_about(tag, Want::Config, (room, ""), line, sink);
    }

    pub(super) fn knock(
        &mut self,
        tag: Tag,
        room: &str,
        reason: Option<&str>,
        sink: &mut dyn Sink,
    ) {
        let line = match reason.filter(|reason| is_target(room) && !reason.is_empty()) {
            Some(reason) => format!("KNOCK {room} :{}", one_line(reason)),
            None => format!("KNOCK {room}"),
        };
        self.ask_about(tag, Want::Knock, (room, ""), line, sink);
    }

    /// 711: the knock was heard.
    pub(super) fn on_knocked(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let key = self.folded(line.param(1).unwrap_or(""));
        self.finish(|a| a.want == Want::Knock && a.key == key, sink)
    }

    /// `710 #channel #channel nick!user@host :words`: somebody knocks.
    pub(super) fn on_knock(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let mut names = line.params().iter().copied();
        let channel = names.clone().find(|name| self.isupport.is_channel(name));
        let (Some(channel), Some(who)) = (channel, names.find(|name| name.contains('!'))) else {
            return;
        };
        let (nick, handle) = who.split_once('!').unwrap_or((who, ""));
        sink.event(Event::Knocked {
            room: channel.into(),
            who: Who {
                handle: Some(handle.into()),
                ..Who::nick(nick)
            },
            // The last words are the server's.
            reason: None,
        });
    }
}
