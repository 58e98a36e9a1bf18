//! What becomes known of people: away-notify, account-notify, chghost, setname, invite-notify
//! (IRCv3). One event, whatever channels they are in.

use isthmus_gateway::{Event, Sink, Who};

use super::Conversation;
use super::room::who;
use crate::line::Line;

impl Conversation {
    /// `AWAY [:words]` of somebody in a common channel, or watched (extended-monitor).
    pub(super) fn on_away(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let nick = line.nick();
        if nick.is_empty() || self.is_me(nick) {
            return;
        }
        let words = line.param(0).unwrap_or("");
        sink.event(Event::Known {
            who: Who {
                away: Some(words.into()),
                ..who(line)
            },
        });
        if self.is_watched(nick) {
            sink.event(Event::Contact {
                contact: nick.into(),
                online: true,
                away: Some(words)
                    .filter(|words| !words.is_empty())
                    .map(Into::into),
                since: None,
            });
        }
    }

    /// `ACCOUNT name`, `*` for none.
    pub(super) fn on_account(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let whose = who(line);
        let account = line.param(0).filter(|name| !name.is_empty());
        if whose.nick.is_empty() || account.is_none() {
            return;
        }
        if self.is_me(&whose.nick) {
            self.account = account.filter(|name| *name != "*").map(Into::into);
        }
        // Empty: logged in to none.
        let account = account.map(|name| if name == "*" { "" } else { name }.into());
        sink.event(Event::Known {
            who: Who { account, ..whose },
        });
    }

    /// `CHGHOST user host`.
    pub(super) fn on_chghost(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let (Some(user), Some(host)) = (line.param(0), line.param(1)) else {
            return;
        };
        let handle = format!("{user}@{host}");
        if self.is_me(line.nick()) {
            self.handle_len = handle.len();
        }
        if !line.nick().is_empty() {
            let handle = Some(handle.into());
            sink.event(Event::Known {
                who: Who {
                    handle,
                    ..who(line)
                },
            });
        }
    }

    /// `SETNAME :real name`.
    pub(super) fn on_setname(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let name = line
            .param(0)
            .filter(|name| !name.is_empty())
            .map(Into::into);
        if !line.nick().is_empty() && name.is_some() {
            sink.event(Event::Known {
                who: Who { name, ..who(line) },
            });
        }
    }
}
