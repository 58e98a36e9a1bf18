//! What a server can do beyond RFC 2812, and asking for it.
//!
//! IRCv3 capability negotiation 302 with cap-notify. Only what is used here is asked for, in lines
//! that fit; a line that is refused as a whole is asked for again, one capability at a time. What a
//! capability then means stands where it is used.

use std::collections::VecDeque;

use isthmus_gateway::{Event, Sink};

use super::metadata::most_keys;
use super::{Conversation, Phase};
use crate::line::Line;

/// A capability that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cap {
    AccountNotify,
    AccountTag,
    AwayNotify,
    Batch,
    Notify,
    ChatHistory,
    ChgHost,
    EchoMessage,
    ExtendedJoin,
    ExtendedMonitor,
    InviteNotify,
    LabeledResponse,
    MessageTags,
    Metadata,
    MultiPrefix,
    Multiline,
    ReadMarker,
    Redaction,
    Sasl,
    ServerTime,
    SetName,
    StandardReplies,
    UserhostInNames,
}

/// Names on the wire. The last of several names of one capability is the best.
const NAMES: [(&str, Cap); 24] = [
    ("account-notify", Cap::AccountNotify),
    ("account-tag", Cap::AccountTag),
    ("away-notify", Cap::AwayNotify),
    ("batch", Cap::Batch),
    ("cap-notify", Cap::Notify),
    ("draft/chathistory", Cap::ChatHistory),
    ("chghost", Cap::ChgHost),
    ("echo-message", Cap::EchoMessage),
    ("extended-join", Cap::ExtendedJoin),
    ("draft/extended-monitor", Cap::ExtendedMonitor),
    ("extended-monitor", Cap::ExtendedMonitor),
    ("invite-notify", Cap::InviteNotify),
    ("labeled-response", Cap::LabeledResponse),
    ("message-tags", Cap::MessageTags),
    ("draft/metadata-2", Cap::Metadata),
    ("multi-prefix", Cap::MultiPrefix),
    ("draft/multiline", Cap::Multiline),
    ("draft/read-marker", Cap::ReadMarker),
    ("draft/message-redaction", Cap::Redaction),
    ("sasl", Cap::Sasl),
    ("server-time", Cap::ServerTime),
    ("setname", Cap::SetName),
    ("standard-replies", Cap::StandardReplies),
    ("userhost-in-names", Cap::UserhostInNames),
];

/// An index into [`NAMES`].
type Name = u8;

/// Bytes of a line without its end.
const LINE: usize = 510;

/// What is offered, asked for and granted.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    /// Granted: a bit for each [`Cap`].
    on: u32,
    /// Offered, in the server's order.
    offered: Vec<Name>,
    /// Requests that are not answered yet, each with what it asks for: bits of [`Name`]s.
    asked: VecDeque<u32>,
    /// A request was refused: what is left is asked for one at a time.
    singly: bool,
    /// The value of `sasl`.
    sasl: Option<Box<str>>,
    /// Bytes and lines of one message (draft/multiline).
    pub(super) multiline: (usize, usize),
    /// Keys of metadata that can be subscribed to, where the server says so (draft/metadata-2).
    pub(super) keys: Option<u32>,
    /// The value of `sts`.
    pub(super) sts: Option<Box<str>>,
}

impl Capabilities {
    pub(super) fn has(&self, cap: Cap) -> bool {
        self.on & bit(cap) != 0
    }

    /// Whether `sasl` is offered, and the mechanisms where the server names them.
    pub(super) fn sasl(&self) -> Option<&str> {
        let offered = self.offered.iter().any(|&name| cap_of(name) == Cap::Sasl);
        offered.then(|| self.sasl.as_deref().unwrap_or(""))
    }

    /// Takes one word of a list.
    fn offer(&mut self, word: &str) -> Option<Name> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        if name == "sts" {
            self.sts = Some(value.into());
            return None;
        }
        let name = name_of(name)?;
        match cap_of(name) {
            Cap::Sasl => self.sasl = Some(value.into()),
            Cap::Multiline => self.multiline = multiline(value),
            Cap::Metadata => self.keys = most_keys(value),
            _ => {}
        }
        if !self.offered.contains(&name) {
            self.offered.push(name);
        }
        Some(name)
    }
}

impl Conversation {
    /// Whether a capability is in use.
    pub(super) fn can(&self, cap: Cap) -> bool {
        self.caps.has(cap)
    }

    pub(super) fn on_cap(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let list = line.last();
        match line.param(1) {
            Some("LS") => self.on_cap_list(list, line.params().len() > 3),
            Some("ACK") => self.on_cap_ack(list, sink),
            Some("NAK") => self.on_cap_nak(sink),
            Some("NEW") => {
                let words = list.split_ascii_whitespace();
                let new: Vec<Name> = words.filter_map(|word| self.caps.offer(word)).collect();
                self.on_sts();
                self.request(&new);
            }
            Some("DEL") => {
                for word in list.split_ascii_whitespace() {
                    if let Some(name) = name_of(word) {
                        self.caps.offered.retain(|&offered| offered != name);
                        self.caps.on &= !bit(cap_of(name));
                    }
                }
                self.follow_keys();
                self.tell_caps(sink);
            }
            _ => {}
        }
    }

    fn on_cap_list(&mut self, list: &str, more: bool) {
        if !matches!(self.phase, Phase::Registering(_)) {
            return;
        }
        for word in list.split_ascii_whitespace() {
            self.caps.offer(word);
        }
        if more {
            return;
        }
        if self.on_sts() {
            return;
        }
        let offered = self.caps.offered.clone();
        self.request(&offered);
        self.cap_end();
    }

    fn on_cap_ack(&mut self, list: &str, sink: &mut dyn Sink) {
        let mut sasl = false;
        for word in list.split_ascii_whitespace() {
            let (off, word) = match word.strip_prefix('-') {
                Some(word) => (true, word),
                None => (false, word),
            };
            let Some(name) = name_of(word) else { continue };
            if let Some(asked) = self.caps.asked.front_mut() {
                *asked &= !(1 << name);
            }
            let cap = cap_of(name);
            if off {
                self.caps.on &= !bit(cap);
            } else {
                self.caps.on |= bit(cap);
                sasl |= cap == Cap::Sasl;
            }
        }
        if self.caps.asked.front() == Some(&0) {
            self.caps.asked.pop_front();
        }
        if sasl {
            self.sasl_begin(sink);
        }
        self.follow_keys();
        self.tell_caps(sink);
        self.cap_end();
    }

    /// The oldest request was refused, all of it. Servers cut the list they send back.
    fn on_cap_nak(&mut self, sink: &mut dyn Sink) {
        let Some(refused) = self.caps.asked.pop_front() else {
            return;
        };
        if refused.count_ones() > 1 {
            self.caps.singly = true;
            let offered = self.caps.offered.iter().copied();
            let again: Vec<Name> = offered.filter(|&name| refused & (1 << name) != 0).collect();
            self.request(&again);
        } else if refused & named(Cap::Sasl) != 0 {
            self.sasl_failed(
                (
                    "the network offers a login (SASL) and refuses it",
                    "该网络提供登录（SASL）却又拒绝",
                ),
                true,
                sink,
            );
        }
        self.cap_end();
    }

    /// Asks for these, as far as they are of use.
    fn request(&mut self, names: &[Name]) {
        let login = self.settings.login.is_some() || self.certificate;
        let login = login && !self.sasl.is_done();
        let useful = |name: Name| {
            let cap = cap_of(name);
            let better = NAMES.iter().rposition(|&(_, other)| other == cap);
            let best = better == Some(usize::from(name))
                || better.is_none_or(|at| !names.iter().any(|&other| usize::from(other) == at));
            best && (cap != Cap::Sasl || login) && !self.caps.has(cap)
        };
        let wanted: Vec<Name> = names.iter().copied().filter(|&name| useful(name)).collect();
        let mut line = String::new();
        let mut asked = 0;
        for name in wanted {
            let word = NAMES[usize::from(name)].0;
            let fits = "CAP REQ :".len() + line.len() + " ".len() + word.len() <= LINE;
            if asked != 0 && (!fits || self.caps.singly) {
                self.send_request(&line, asked);
                (line, asked) = (String::new(), 0);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            asked |= 1 << name;
        }
        if asked != 0 {
            self.send_request(&line, asked);
        }
    }

    fn send_request(&mut self, words: &str, asked: u32) {
        self.queue.wire.line(&["CAP REQ :", words]);
        self.caps.asked.push_back(asked);
    }

    /// Ends the negotiation, if nothing of it is open.
    pub(super) fn cap_end(&mut self) {
        let open = !self.caps.asked.is_empty() || self.sasl.is_open() || self.end.is_some();
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        if open || registration.negotiated {
            return;
        }
        registration.negotiated = true;
        self.queue.wire.line(&["CAP END"]);
    }

    /// What can be expressed has changed.
    fn tell_caps(&mut self, sink: &mut dyn Sink) {
        if matches!(self.phase, Phase::Online) {
            let caps = self.facts().caps;
            sink.event(Event::Caps { at: None, caps });
        }
    }
}

fn bit(cap: Cap) -> u32 {
    1 << cap as u32
}

/// Bits of all names of a capability.
fn named(cap: Cap) -> u32 {
    let names = NAMES.iter().enumerate();
    let names = names.filter(|(_, (_, other))| *other == cap);
    names.fold(0, |bits, (at, _)| bits | 1 << at)
}

fn name_of(word: &str) -> Option<Name> {
    let at = NAMES.iter().position(|&(name, _)| name == word)?;
    u8::try_from(at).ok()
}

fn cap_of(name: Name) -> Cap {
    NAMES[usize::from(name)].1
}

/// `max-bytes=4096,max-lines=24`.
fn multiline(value: &str) -> (usize, usize) {
    let number = |key: &str| {
        let found = value.split(',').find_map(|word| word.strip_prefix(key));
        found.and_then(|digits| digits.parse::<usize>().ok())
    };
    let bytes = number("max-bytes=").unwrap_or(0);
    (bytes, number("max-lines=").unwrap_or(usize::MAX))
}

/// Every name that can be asked for.
#[cfg(test)]
pub(super) fn all() -> Vec<&'static str> {
    NAMES.iter().map(|&(name, _)| name).collect()
}
