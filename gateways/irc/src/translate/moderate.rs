//! Keeping order in a channel: bans and their list, its modes, asking to be let in (KNOCK).

use isthmus_gateway::{Event, Fault, FaultKind, RoomFlags, Sink, Tag};

use super::asked::Want;
use super::command::one_line;
use super::send::is_target;
use super::{Conversation, done};
use crate::line::{Line, to_iso};

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
        let mut fields = vec![("mask".into(), mask.into())];
        if let Some(by) = line.param(3).filter(|by| !by.is_empty()) {
            fields.push(("by".into(), by.into()));
        }
        if let Some(Ok(seconds)) = line.param(4).map(str::parse::<i64>) {
            let time = isthmus_gateway::Time(seconds.saturating_mul(1000));
            fields.push(("time".into(), to_iso(time).into()));
        }
        let tag = asked.tag;
        sink.event(Event::Found { tag, fields });
        true
    }

    /// 368: that was the last ban.
    pub(super) fn on_ban_end(&mut self, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let key = self.folded(line.param(1).unwrap_or(""));
        let Some(tag) = self.take_asked(|a| a.want == Want::Bans && a.key == key) else {
            return false;
        };
        done(tag, Ok(isthmus_gateway::Outcome::Finished), sink);
        true
    }

    /// Sets the modes that differ. A password is not among them: it has a value.
    pub(super) fn config(&mut self, tag: Tag, room: &str, flags: RoomFlags, sink: &mut dyn Sink) {
        if self.room(room).is_none() {
            let fault = Fault::new(FaultKind::NotJoined, "not in that channel");
            return done(tag, Err(fault), sink);
        }
        let now = self.flags(room);
        let mut letters = [String::from("+"), String::from("-")];
        for (letter, is, shall) in [
            ('m', now.moderated, flags.moderated),
            ('i', now.members_only, flags.members_only),
            ('s', now.hidden, flags.hidden),
            ('t', now.subject_locked, flags.subject_locked),
        ] {
            if is != shall {
                letters[usize::from(!shall)].push(letter);
            }
        }
        let change: String = letters
            .into_iter()
            .filter(|letters| letters.len() > 1)
            .collect();
        if change.is_empty() {
            return done(tag, Ok(isthmus_gateway::Outcome::Finished), sink);
        }
        let line = format!("MODE {room} {change}");
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
        let Some(tag) = self.take_asked(|a| a.want == Want::Knock && a.key == key) else {
            return false;
        };
        done(tag, Ok(isthmus_gateway::Outcome::Finished), sink);
        true
    }

    /// `710 #channel #channel nick!user@host :words`: somebody knocks.
    pub(super) fn on_knock(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let names = line.params().iter().copied();
        let channel = names.clone().find(|name| self.isupport.is_channel(name));
        let who = names.clone().find(|name| name.contains('!')).unwrap_or("");
        let nick = who.split('!').next().unwrap_or(who);
        self.notice(channel, &format!("{nick} {}", line.last()), sink);
    }
}
