//! Open commands that are not messages, and which error ends which of them.

use std::time::Instant;

use isthmus_gateway::{Address, Fault, FaultKind, Kind, Outcome, Sink, Tag};

use super::queue::Owner;
use super::shared::letters;
use super::{Conversation, MOST_OPEN, done, numeric};
use crate::line::Line;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Join,
    Leave,
    Nick,
    Subject,
    Kick,
    Rank,
    Invite,
    Away,
    Avatar,
    Retract,
    React,
    Read,
    History,
    Lookup,
    Query,
    List,
    Ban,
    Bans,
    Config,
    Flags,
    Knock,
}

impl Want {
    /// The IRC command that asks for it.
    fn command(self) -> &'static str {
        match self {
            Self::Join => "JOIN",
            Self::Leave => "PART",
            Self::Nick => "NICK",
            Self::Subject => "TOPIC",
            Self::Kick => "KICK",
            Self::Rank => "MODE",
            Self::Invite => "INVITE",
            Self::Away => "AWAY",
            Self::Avatar => "METADATA",
            Self::Retract => "REDACT",
            Self::React => "TAGMSG",
            Self::Read => "MARKREAD",
            Self::History => "CHATHISTORY",
            Self::Lookup => "WHOIS",
            Self::Query => "PRIVMSG",
            Self::List => "LIST",
            Self::Ban | Self::Bans | Self::Config | Self::Flags => "MODE",
            Self::Knock => "KNOCK",
        }
    }

    /// Its labelled answer is its end. Entering and leaving are told by their own lines, which
    /// some networks let wait; history by its batch; a question by who is asked.
    pub(super) fn ends_with_label(self) -> bool {
        !matches!(self, Self::Join | Self::Leave | Self::History | Self::Query)
    }

    /// It is a `MODE` that changes something.
    pub(super) fn changes_modes(self) -> bool {
        matches!(self, Self::Rank | Self::Ban | Self::Config)
    }

    /// The network may answer it with nothing at all, and does so in order. A list of channels
    /// comes beside other things; what holds for a channel is always told.
    fn may_be_silent(self) -> bool {
        self.ends_with_label() && !matches!(self, Self::List | Self::Flags)
    }
}

/// An open command.
pub(super) struct Asked {
    pub(super) tag: Tag,
    pub(super) want: Want,
    /// The folded channel, or nickname for `Nick`; empty for `Away` and `Avatar`.
    pub(super) key: Vec<u8>,
    /// The folded nickname of somebody it concerns; may be empty.
    pub(super) nick: Vec<u8>,
    /// Its place in the order of all lines, and when it went out.
    pub(super) gone: Option<(u64, Instant)>,
    pub(super) proof: Option<u32>,
    /// It went out in the line of this command.
    pub(super) with: Option<Tag>,
    /// Lines it needs that the network has not shown.
    pub(super) lines: u8,
    /// Those of them that are not out.
    pub(super) waiting: u8,
    /// The modes it changes, as in its line.
    pub(super) letters: Box<str>,
}

impl Asked {
    /// A command that waits.
    pub(super) fn new(tag: Tag, want: Want, key: Vec<u8>, nick: Vec<u8>) -> Self {
        Self {
            tag,
            want,
            key,
            nick,
            gone: None,
            proof: None,
            with: None,
            lines: 1,
            waiting: 1,
            letters: Box::default(),
        }
    }

    /// The command whose line it is in.
    pub(super) fn line(&self) -> Tag {
        self.with.unwrap_or(self.tag)
    }

    /// It is out, the network may answer nothing at all (a change that changes nothing), and no
    /// PING is behind it. Entering and leaving are always answered, some networks let it wait.
    pub(super) fn wants_proof(&self) -> bool {
        self.gone.is_some()
            && self.waiting == 0
            && self.proof.is_none()
            && self.want.may_be_silent()
    }
}

impl Conversation {
    /// Whether a command is open here: it will be ended, or given up in time.
    pub fn minds(&self, tag: Tag) -> bool {
        // Whoever asks somebody's program, or what holds for a channel, has a patience of his own.
        let own = |asked: &Asked| match asked.want {
            Want::Query => asked.gone.is_some(),
            want => want == Want::Flags,
        };
        let asked = self.asked.iter().find(|asked| asked.tag == tag);
        asked.is_some_and(|asked| !own(asked))
            || self.sends.iter().any(|send| send.minds(tag))
            || self.parked.iter().any(|(parked, _)| *parked == tag)
            || self.services.holds(tag)
    }

    /// Puts the line of a command into the queue.
    pub(super) fn ask(
        &mut self,
        tag: Tag,
        want: Want,
        names: (&str, &str),
        line: String,
        sink: &mut dyn Sink,
    ) {
        if !self.queue.fits(1) || self.asked.len() >= MOST_OPEN {
            let fault = Fault::new(
                FaultKind::Full,
                (
                    "too many lines wait for this network",
                    "等待发往此网络的行过多",
                ),
            );
            return done(tag, Err(fault), sink);
        }
        let (key, nick) = (self.folded(names.0), self.folded(names.1));
        if self.shares_line(tag, want, (&key, &nick), &line) {
            return;
        }
        let letters = match want.changes_modes() {
            true => letters(&line),
            false => Box::default(),
        };
        self.asked.push(Asked {
            letters,
            ..Asked::new(tag, want, key, nick)
        });
        self.queue.push(line, Owner::Asked(tag));
    }

    /// Takes the first command that is out and `matches`.
    pub(super) fn take_asked(&mut self, matches: impl Fn(&Asked) -> bool) -> Option<Tag> {
        let found = self
            .asked
            .iter()
            .position(|a| a.gone.is_some() && matches(a))?;
        Some(self.asked.remove(found).tag)
    }

    /// Ends the first command that is out and `matches` well; false: there is none.
    pub(super) fn finish(&mut self, matches: impl Fn(&Asked) -> bool, sink: &mut dyn Sink) -> bool {
        let tag = self.take_asked(matches);
        if let Some(tag) = tag {
            done(tag, Ok(Outcome::Finished), sink);
        }
        tag.is_some()
    }

    /// A refusal: ends the command or message it belongs to. False: it belongs to none.
    pub(super) fn on_refusal(&mut self, number: u16, line: &Line<'_>, sink: &mut dyn Sink) -> bool {
        let params = line.params();
        let names = params.get(1..params.len().saturating_sub(1)).unwrap_or(&[]);
        let keys: Vec<Vec<u8>> = names.iter().map(|name| self.folded(name)).collect();
        if self.on_labelled_refusal(&keys, |talk| talk.refusal(number, line), sink) {
            return true;
        }
        let fault = self.refusal(number, line);

        let named = |asked: &Asked| {
            keys.contains(&asked.key) || (!asked.nick.is_empty() && keys.contains(&asked.nick))
        };
        let mut send =
            self.open_send(|send| numeric::suits_send(number) && keys.contains(&send.key));
        let mut asked =
            self.first_asked(|asked| named(asked) && numeric::suits(number, asked.want));
        if send.is_none() && asked.is_none() && !names.is_empty() {
            // An odd answer, but to nothing else.
            send = self.open_send(|send| keys.contains(&send.key));
            asked = self.first_asked(named);
        }
        match (send, asked) {
            (Some((at, place)), asked) if asked.is_none_or(|(_, other)| place < other) => {
                self.fail_send(at, fault, sink);
                true
            }
            (_, Some((at, _))) => {
                self.refuse_asked(at, &keys, &fault, sink);
                true
            }
            _ => self.on_nameless_refusal(number, names, fault, sink),
        }
    }

    /// A refusal of the command that its label names. False: it has none, or that is over.
    fn on_labelled_refusal(
        &mut self,
        names: &[Vec<u8>],
        fault: impl Fn(&Self) -> Fault,
        sink: &mut dyn Sink,
    ) -> bool {
        let Some(tag) = self.context.label else {
            return false;
        };
        self.context.used = true;
        if let Some(at) = self.labelled_send() {
            let fault = fault(self);
            self.fail_send(at, fault, sink);
            return true;
        }
        let Some(at) = self.asked.iter().position(|asked| asked.line() == tag) else {
            return false;
        };
        let fault = fault(self);
        self.refuse_asked(at, names, &fault, sink);
        true
    }

    /// A refusal that names no target we know.
    fn on_nameless_refusal(
        &mut self,
        number: u16,
        names: &[&str],
        fault: Fault,
        sink: &mut dyn Sink,
    ) -> bool {
        let command = names.first().copied().unwrap_or("");
        let is_send = numeric::is_about_text(number) || command.eq_ignore_ascii_case("PRIVMSG");
        if is_send && let Some((at, _)) = self.open_send(|_| true) {
            self.fail_send(at, fault, sink);
            return true;
        }
        let found = self.first_asked(|asked| {
            asked.want.command().eq_ignore_ascii_case(command)
                || numeric::is_only_about(number, asked.want)
        });
        if let Some((at, _)) = found {
            self.refuse(at, fault, sink);
            return true;
        }
        // It names nothing: it is about the only thing there is, if there is only one.
        if !names.is_empty() || self.sends.len() + self.asked.len() != 1 {
            return false;
        }
        if self.open_send(|_| true).is_some() {
            self.fail_send(0, fault, sink);
            return true;
        }
        if self.asked.first().is_none_or(|asked| asked.gone.is_none()) {
            return false;
        }
        self.refuse(0, fault, sink);
        true
    }

    /// `FAIL command code context... :words` (IRCv3 standard-replies).
    pub(super) fn on_fail(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let code = line.param(1).unwrap_or("");
        if self.on_nothing_to_unset(code, line, sink) {
            return;
        }
        let fault = Fault::new(numeric::fail_kind(code), line.last());
        if self.on_labelled_refusal(&[], |_| fault.clone(), sink) || self.on_fatal_fail(code, line)
        {
            return;
        }
        let command = line.param(0).unwrap_or("");
        if command == "METADATA" {
            return self.on_metadata_fail(code, line, sink);
        }
        let params = line.params();
        let context = params.get(2..params.len().saturating_sub(1)).unwrap_or(&[]);
        let keys: Vec<Vec<u8>> = context.iter().map(|name| self.folded(name)).collect();
        if ["PRIVMSG", "BATCH"]
            .iter()
            .any(|it| command.eq_ignore_ascii_case(it))
        {
            let named = self.open_send(|send| keys.contains(&send.key));
            if let Some((at, _)) = named.or_else(|| self.open_send(|_| true)) {
                return self.fail_send(at, fault, sink);
            }
        }
        let is_it = |asked: &Asked| asked.want.command().eq_ignore_ascii_case(command);
        let named = self.first_asked(|asked| is_it(asked) && keys.contains(&asked.key));
        match named.or_else(|| self.first_asked(is_it)) {
            Some((at, _)) => {
                self.refuse(at, fault, sink);
            }
            None => self.chatter(line.last(), true, sink),
        }
    }

    /// `WARN`, `NOTE`: words for people, about a channel or the network.
    pub(super) fn on_remark(&mut self, line: &Line<'_>, sink: &mut dyn Sink) {
        let params = line.params();
        let context = params.get(2..params.len().saturating_sub(1)).unwrap_or(&[]);
        let channel = context.iter().find_map(|name| self.isupport.channel(name));
        match channel {
            Some(channel) => self.notice(Some(channel), line.last(), sink),
            None => self.chatter(line.last(), line.command == "WARN", sink),
        }
    }

    /// Ends the open command at `at` with a fault.
    pub(super) fn refuse(&mut self, at: usize, fault: Fault, sink: &mut dyn Sink) {
        let asked = self.asked.remove(at);
        if asked.want == Want::Lookup {
            self.lookup_failed(asked.key);
        }
        done(asked.tag, Err(fault), sink);
    }

    fn first_asked(&self, matches: impl Fn(&Asked) -> bool) -> Option<(usize, u64)> {
        let open = self.asked.iter().enumerate();
        open.filter(|(_, asked)| matches(asked))
            .filter_map(|(at, asked)| asked.gone.map(|(place, _)| (at, place)))
            .min_by_key(|&(_, place)| place)
    }

    fn refusal(&self, number: u16, line: &Line<'_>) -> Fault {
        let mut fault = Fault::new(numeric::fault_kind(number), line.last());
        // 470: the channel lives elsewhere, and the server has put us there.
        if number == numeric::FORWARD
            && let Some(to) = line.param(2)
        {
            fault.moved = Some(Address::new(Kind::Room, to, &*self.settings.network));
        }
        fault
    }
}
