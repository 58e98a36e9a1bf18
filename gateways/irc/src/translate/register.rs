//! From a connection to being online: capabilities, nickname, welcome.
//!
//! IRCv3 capability negotiation 302, RFC 2812 §3.1. Not yet: SASL, STS.

use std::time::{Duration, Instant};

use isthmus_gateway::{Affiliation, Caps, Event, Facts, Fault, FaultKind, Role, Sink};

use super::isupport::Isupport;
use super::{Conversation, End, Phase};
use crate::line::Line;

/// Capabilities whose consequences are handled here.
const WANTED: [&str; 7] = [
    "account-tag",
    "echo-message",
    "extended-join",
    "message-tags",
    "multi-prefix",
    "server-time",
    "userhost-in-names",
];

/// How long the server may take to welcome us.
const WELCOME_WITHIN: Duration = Duration::from_secs(60);
/// How long after the welcome the end of the MOTD is waited for.
const MOTD_WITHIN: Duration = Duration::from_secs(10);
/// Nicknames that are tried.
const MOST_NICKS: u32 = 8;

/// How far registration is.
pub(super) struct Registration {
    since: Instant,
    /// When the server welcomed us.
    welcome: Option<Instant>,
    /// Wanted capabilities the server has shown so far.
    offered: Vec<&'static str>,
    /// How many nicknames were refused.
    refused: u32,
}

impl Registration {
    /// When it must have gone on.
    pub(super) fn deadline(&self) -> Instant {
        match self.welcome {
            Some(at) => at + MOTD_WITHIN,
            None => self.since + WELCOME_WITHIN,
        }
    }
}

/// `wish` with everything replaced that no server would take (RFC 2812 §2.3.1).
pub(super) fn tidy(wish: &str) -> String {
    let special = |c: char| matches!(c, '[' | ']' | '\\' | '`' | '_' | '^' | '{' | '|' | '}');
    let mut nick: String = wish
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || c == '-' || special(c) => c,
            _ => '_',
        })
        .take(30)
        .collect();
    if !nick.starts_with(|c: char| c.is_ascii_alphabetic() || special(c)) {
        nick.insert(0, '_');
    }
    nick
}

impl Conversation {
    pub(super) fn register(&mut self, now: Instant) {
        self.queue.clear();
        self.isupport = Isupport::default();
        self.echo = false;
        self.handle_len = 0;
        self.me = tidy(&self.settings.nick);
        self.phase = Phase::Registering(Registration {
            since: now,
            welcome: None,
            offered: Vec::new(),
            refused: 0,
        });
        let wire = &mut self.queue.wire;
        wire.line(&["CAP LS 302"]);
        if let Some(password) = &self.settings.password {
            wire.line(&["PASS :", &password.0]);
        }
        wire.line(&["NICK ", &self.me]);
        let realname = self.settings.realname.as_deref().unwrap_or(&self.me);
        wire.line(&["USER ", &self.settings.username, " 0 * :", realname]);
    }

    pub(super) fn register_tick(&mut self, now: Instant, sink: &mut dyn Sink) {
        let Phase::Registering(registration) = &self.phase else {
            return;
        };
        if now < registration.deadline() {
            return;
        }
        if registration.welcome.is_some() {
            self.online(now, sink);
        } else if self.end.is_none() {
            self.end = Some(End {
                fault: Fault::new(FaultKind::NetworkDown, "the server does not answer"),
                retry: true,
            });
        }
    }

    pub(super) fn on_cap(&mut self, line: &Line<'_>) {
        let list = line.last();
        match line.param(1) {
            Some("LS") => self.on_cap_list(list, line.params().len() > 3),
            Some("ACK") => {
                for word in list.split_ascii_whitespace() {
                    match word.strip_prefix('-') {
                        Some("echo-message") => self.echo = false,
                        None if word == "echo-message" => self.echo = true,
                        _ => {}
                    }
                }
                self.cap_end();
            }
            Some("NAK") => self.cap_end(),
            Some("DEL")
                if list
                    .split_ascii_whitespace()
                    .any(|cap| cap == "echo-message") =>
            {
                self.echo = false;
            }
            _ => {}
        }
    }

    fn on_cap_list(&mut self, list: &str, more: bool) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        for word in list.split_ascii_whitespace() {
            let name = word.split('=').next().unwrap_or(word);
            if let Some(wanted) = WANTED.iter().find(|&&wanted| wanted == name)
                && !registration.offered.contains(wanted)
            {
                registration.offered.push(wanted);
            }
        }
        if more {
            return;
        }
        if registration.offered.is_empty() {
            self.cap_end();
        } else {
            let request = registration.offered.join(" ");
            self.queue.wire.line(&["CAP REQ :", &request]);
        }
    }

    fn cap_end(&mut self) {
        if matches!(self.phase, Phase::Registering(_)) {
            self.queue.wire.line(&["CAP END"]);
        }
    }

    /// 001.
    pub(super) fn on_welcome(&mut self, line: &Line<'_>, now: Instant) {
        if let Some(me) = line.param(0)
            && !me.is_empty()
        {
            self.me = me.to_owned();
        }
        if let Phase::Registering(registration) = &mut self.phase {
            registration.welcome = Some(now);
        }
    }

    /// The nickname was refused before we were welcomed: another one, a bounded number of times.
    /// False: this is not such a refusal.
    pub(super) fn on_nick_refused(&mut self, taken: bool, line: &Line<'_>) -> bool {
        let Phase::Registering(registration) = &mut self.phase else {
            return false;
        };
        if registration.welcome.is_some() {
            return false;
        }
        registration.refused += 1;
        let refused = registration.refused;
        let wish = tidy(&self.settings.nick);
        self.me = match refused {
            1..=3 if taken => format!("{}_", self.me),
            1 => wish.chars().take(9).collect(),
            _ => {
                // A server with a short limit cuts what is added: change what is before the cut.
                let stem: String = wish.chars().take(7).collect();
                format!("{stem}{}", refused)
            }
        };
        if refused > MOST_NICKS {
            let kind = if taken {
                FaultKind::NickTaken
            } else {
                FaultKind::NickRefused
            };
            self.me = wish;
            self.end = Some(End {
                fault: Fault::new(kind, line.last()),
                retry: true,
            });
        } else {
            self.queue.wire.line(&["NICK ", &self.me]);
        }
        true
    }

    /// The network can be spoken to.
    pub(super) fn online(&mut self, now: Instant, sink: &mut dyn Sink) {
        if !matches!(self.phase, Phase::Registering(_)) {
            return;
        }
        self.phase = Phase::Online;
        sink.event(Event::Online(self.facts()));
        for (tag, command) in std::mem::take(&mut self.parked) {
            self.command(tag, command, now, sink);
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            network: self
                .isupport
                .network
                .clone()
                .unwrap_or_else(|| self.settings.network.clone()),
            fold: self.isupport.fold.clone(),
            ranks: self.isupport.ranks.clone(),
            caps: Caps {
                // For a channel with a name of 50 bytes; longer text is cut by ourselves.
                max_text: u32::try_from(self.room_for("PRIVMSG", 50)).unwrap_or(0),
                ..caps()
            },
            me: self.me.clone(),
        }
    }

    /// ERROR: the server ends the connection and says why.
    pub(super) fn on_error(&mut self, line: &Line<'_>) {
        if self.end.is_some() {
            return;
        }
        let words = line.last();
        let lower = words.to_ascii_lowercase();
        let unwanted = [
            "k-line", "kline", "g-line", "gline", "z-line", "zline", "banned",
        ]
        .iter()
        .chain(&["not allowed", "not authori", "no authori"])
        .any(|sign| lower.contains(sign));
        self.end = Some(if unwanted {
            refused(FaultKind::Forbidden, words)
        } else {
            End {
                fault: Fault::new(FaultKind::NetworkDown, words),
                retry: true,
            }
        });
    }
}

/// The end of a connection that trying again would not mend.
pub(super) fn refused(kind: FaultKind, words: &str) -> End {
    End {
        fault: Fault::new(kind, words),
        retry: false,
    }
}

/// What IRC can express before a network has said more.
pub(crate) fn caps() -> Caps {
    Caps {
        rooms: true,
        subject: false,
        max_text: 400,
        ..Caps::default()
    }
}

/// What a rank means to XEP-0045, by its letter.
pub(super) fn standing(letter: char) -> (Affiliation, Role) {
    match letter {
        'q' | 'a' => (Affiliation::Owner, Role::Moderator),
        'o' => (Affiliation::Admin, Role::Moderator),
        'h' => (Affiliation::Member, Role::Moderator),
        'v' => (Affiliation::Member, Role::Participant),
        // Ranks of single networks (`Y`, `y`) stand above the rest.
        _ => (Affiliation::Owner, Role::Moderator),
    }
}
