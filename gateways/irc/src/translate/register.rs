//! From a connection to being online: capabilities, nickname, welcome.
//!
//! RFC 2812 §3.1. Capabilities and the login are negotiated in `caps` and `sasl`.

use std::time::{Duration, Instant};

use isthmus_gateway::{Affiliation, Caps, Event, Facts, Fault, FaultKind, Role, Sink};

use super::caps::{Cap, Capabilities};
use super::isupport::Isupport;
use super::queue::Owner;
use super::sasl::Sasl;
use super::{Conversation, End, Phase, Safety};
use crate::line::Line;

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
    /// The negotiation of capabilities was ended.
    pub(super) negotiated: bool,
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

/// `wish` where names are Unicode: without what no name holds anywhere.
fn tidy_unicode(wish: &str) -> String {
    let bad = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, ',' | ':' | '!' | '@' | '*' | '?' | '#')
    };
    let nick: String = wish
        .chars()
        .map(|c| if bad(c) { '_' } else { c })
        .take(30)
        .collect();
    if nick
        .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '$' | '&' | '~' | '+' | '%'))
    {
        return format!("_{nick}");
    }
    nick
}

impl Conversation {
    /// The nickname that comes nearest to a wish here.
    pub(super) fn nick_for(&self, wish: &str) -> String {
        match self.isupport.has_unicode_names() && !wish.is_ascii() {
            true => tidy_unicode(wish),
            false => tidy(wish),
        }
    }

    /// What nickname the network would take is only known once it has welcomed us.
    fn true_nick(&mut self) {
        let nick = self.nick_for(&self.settings.nick);
        if !nick.is_ascii() && self.me == tidy(&self.settings.nick) {
            self.take_first(&nick);
        }
    }

    pub(super) fn register(&mut self, now: Instant) {
        self.queue.clear();
        self.isupport = Isupport::default();
        self.caps = Capabilities::default();
        self.sasl = Sasl::default();
        self.handle_len = 0;
        self.account = None;
        self.me = tidy(&self.settings.nick);
        self.phase = Phase::Registering(Registration {
            since: now,
            welcome: None,
            negotiated: false,
            refused: 0,
        });
        let wire = &mut self.queue.wire;
        if let Some(line) = &self.settings.webirc {
            // <https://ircv3.net/specs/extensions/webirc>: an option says that the user's own
            // connection is safe, as far as ours is.
            let option = if self.safety == Safety::Tls {
                " :secure"
            } else {
                ""
            };
            wire.line(&[&line.0, option]);
        }
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
            let words = if self.sasl.is_open() {
                (
                    "the server does not answer the login (SASL)",
                    "服务器未答复登录（SASL）",
                )
            } else {
                ("the server does not answer", "服务器没有应答")
            };
            self.end = Some(End {
                fault: Fault::new(FaultKind::NetworkDown, words),
                retry: true,
            });
        }
    }

    /// 001.
    pub(super) fn on_welcome(&mut self, line: &Line<'_>, now: Instant, sink: &mut dyn Sink) {
        if let Some(me) = line.param(0)
            && !me.is_empty()
        {
            self.me = me.to_owned();
        }
        if let Phase::Registering(registration) = &mut self.phase {
            registration.welcome = Some(now);
            self.sasl_missed(sink);
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
        let Phase::Registering(registration) = &self.phase else {
            return;
        };
        let refused = registration.refused > 0;
        self.phase = Phase::Online;
        self.greeted = true;
        sink.event(Event::Online(self.facts()));
        self.true_nick();
        self.after_connect();
        self.await_services(now);
        self.follow_keys();
        if refused {
            self.want_back(now);
        }
        for (tag, command) in std::mem::take(&mut self.parked) {
            self.command(tag, command, now, sink);
        }
    }

    /// What the user wants said first: logging in by NickServ, modes.
    fn after_connect(&mut self) {
        if self.settings.bot
            && let Some(letter) = self.isupport.bot
        {
            let line = format!("MODE {} +{letter}", self.me);
            self.queue.push(line, Owner::None);
        }
        for line in self.settings.after_connect.clone() {
            self.push_raw(line);
        }
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            network: self
                .isupport
                .network
                .clone()
                .unwrap_or_else(|| self.settings.network.clone()),
            fold: self.isupport.fold.clone(),
            ranks: self.isupport.ranks.clone(),
            caps: self.features(),
            me: self.me.clone(),
        }
    }

    fn features(&self) -> Caps {
        let batch = self.can(Cap::Batch);
        Caps {
            // For a channel with a name of 50 bytes; longer text is cut by ourselves.
            max_text: u32::try_from(self.room_for("PRIVMSG", 50)).unwrap_or(0),
            typing: self.may_tag("typing"),
            react: self.may_tag("draft/react"),
            reply: self.may_tag("draft/reply"),
            retract: self.can(Cap::Redaction),
            moderate: self.can(Cap::Redaction),
            read: self.can(Cap::ReadMarker),
            multiline: batch && self.can(Cap::Multiline),
            pictures: self.has_metadata(),
            avatar: self.has_metadata(),
            history: batch && self.can(Cap::ChatHistory),
            ..caps()
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
        watch: true,
        lookup: true,
        avatar: true,
        style: true,
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
