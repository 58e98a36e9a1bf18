//! What people and servers say: PRIVMSG and NOTICE.
//!
//! The hot path of the gateway: a plain message becomes an event without allocation.

use std::borrow::Cow;
use std::time::Instant;

use isthmus_gateway::{Key, Message, Sink, Text, words};

use super::format::{Plain, plain};
use super::room::who;
use super::{Conversation, Phase};
use crate::line::Line;

impl Conversation {
    pub(super) fn on_privmsg(&mut self, line: &Line<'_>, now: Instant, sink: &mut dyn Sink) {
        let (Some(target), Some(text), nick) = (line.param(0), line.param(1), line.nick()) else {
            return;
        };
        if nick.is_empty() {
            return;
        }
        let mine = self.is_me(nick);
        if mine && self.context.past.is_none() && self.on_echo(target, text, line, now, sink) {
            return;
        }
        let Some(ctcp) = text.strip_prefix('\u{1}') else {
            return self.say(line, target, text, (mine, false), now, sink);
        };
        let ctcp = ctcp.strip_suffix('\u{1}').unwrap_or(ctcp);
        match ctcp.strip_prefix("ACTION") {
            Some(action) if action.is_empty() || action.starts_with(' ') => {
                let action = action.trim_start_matches(' ');
                self.say(line, target, action, (mine, true), now, sink);
            }
            _ if self.context.past.is_some() => {}
            _ if !mine && self.is_me(target) => self.on_ctcp(nick, ctcp, now, sink),
            _ => {}
        }
    }

    pub(super) fn on_notice(&mut self, line: &Line<'_>, now: Instant, sink: &mut dyn Sink) {
        let (Some(target), Some(text), nick) = (line.param(0), line.param(1), line.nick()) else {
            return;
        };
        let from_server = line.handle().is_none() && (nick.is_empty() || nick.contains('.'));
        if from_server || !matches!(self.phase, Phase::Online) {
            if let Some(room) = self.isupport.channel(target) {
                return self.notice(Some(room), text, sink);
            }
            // Not what is said to everybody, or before one is anybody.
            let important = matches!(self.phase, Phase::Online) && self.is_me(target);
            return self.chatter(text, important, sink);
        }
        let mine = self.is_me(nick);
        match text.strip_prefix('\u{1}') {
            Some(ctcp) => {
                let ctcp = ctcp.trim_end_matches('\u{1}');
                if !self.on_reply(nick, ctcp, sink) && !mine {
                    let text = words!("{nick} answers {ctcp}", "{nick} 答复：{ctcp}");
                    self.remark(None, text, sink);
                }
            }
            None if mine => {}
            None => {
                let message = self.message(line, target, (false, true), plain(text), now);
                self.tell(message, line, sink);
            }
        }
    }

    /// A message of several lines (draft/multiline).
    pub(super) fn said(
        &mut self,
        head: &Line<'_>,
        target: &str,
        text: &str,
        notice: bool,
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        let mine = self.is_me(head.nick());
        if mine && self.context.past.is_none() && self.on_echo(target, text, head, now, sink) {
            return;
        }
        let message = self.message(head, target, (mine, notice), plain(text), now);
        self.tell(message, head, sink);
    }

    fn say(
        &mut self,
        line: &Line<'_>,
        target: &str,
        text: &str,
        (mine, action): (bool, bool),
        now: Instant,
        sink: &mut dyn Sink,
    ) {
        let mut message = self.message(line, target, (mine, false), plain(text), now);
        message.action = action;
        self.tell(message, line, sink);
    }

    fn message<'a>(
        &self,
        line: &Line<'a>,
        target: &'a str,
        (mine, notice): (bool, bool),
        plain: Plain<'a>,
        now: Instant,
    ) -> Message<'a> {
        let at = self.place(line, target);
        let mut message = Message::text(at, who(line), plain.body);
        message.mine = mine;
        message.style = Cow::Owned(plain.style);
        message.key = line.tag("msgid").map(|id: Text<'a>| Key(id));
        message.time = self.past(line, now);
        message.auto = notice;
        if !line.tags.is_empty() {
            message.reply = self.reply(line);
            // IRCv3 bot-mode.
            message.auto |= line.has_tag("bot");
        }
        if let Some(channel) = self.isupport.channel(target) {
            let signs = target.strip_suffix(channel).unwrap_or("");
            mark(&mut message, notice, signs);
        }
        message
    }
}

/// What is no ordinary line of a channel says so in front: a notice, and what is said to those with
/// a rank alone (`[@]`, STATUSMSG).
fn mark(message: &mut Message<'_>, notice: bool, signs: &str) {
    if !notice && signs.is_empty() {
        return;
    }
    let notice = if notice { "[notice] " } else { "" };
    let signs = match signs {
        "" => String::new(),
        signs => format!("[{signs}] "),
    };
    let by = u32::try_from(notice.len() + signs.len()).unwrap_or(u32::MAX);
    message.body = format!("{notice}{signs}{}", message.body).into();
    for span in message.style.to_mut() {
        (span.start, span.end) = (span.start.saturating_add(by), span.end.saturating_add(by));
    }
}
