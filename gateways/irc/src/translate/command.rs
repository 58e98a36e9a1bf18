//! Commands of the host, as IRC lines.

use std::time::Instant;

use isthmus_gateway::{Command, Event, Fault, FaultKind, Outcome, Ranks, Sink, Tag, Text, words};

use super::asked::Want;
use super::queue::Owner;
use super::room::is_id;
use super::send::is_target;
use super::shared::in_pieces;
use super::{CURIOUS, Conversation, Phase, done};

/// Commands that wait for the network to be reached, at most.
const MOST_PARKED: usize = 64;

impl Conversation {
    /// Starts a command. While the network is being reached, messages and entries wait for it.
    pub fn command(&mut self, tag: Tag, command: Command<'_>, now: Instant, sink: &mut dyn Sink) {
        self.clock = now;
        match &self.phase {
            Phase::Down(fault) => {
                let fault = fault.clone();
                done(tag, Err(fault), sink);
            }
            Phase::Connecting | Phase::Registering(_) => self.park(tag, command, sink),
            Phase::Online => {
                self.start(tag, command, now, sink);
                self.release(now);
            }
        }
    }

    fn park(&mut self, tag: Tag, command: Command<'_>, sink: &mut dyn Sink) {
        let parked = match command {
            Command::Join {
                room,
                nick,
                password,
            } => Command::Join {
                room: owned(&room),
                nick: owned(&nick),
                password: password.as_deref().map(owned),
            },
            Command::Send(out) if !matches!(out.to, isthmus_gateway::Place::Network) => {
                Command::Send(out.into_owned())
            }
            Command::Leave { room, .. } => return self.leave_parked(tag, &room, sink),
            _ => {
                let words = ("the network is not reached yet", "尚未连上该网络");
                let fault = Fault::new(FaultKind::NetworkDown, words);
                return done(tag, Err(fault), sink);
            }
        };
        if self.parked.len() >= MOST_PARKED {
            let fault = Fault::new(
                FaultKind::Full,
                (
                    "too much waits for the network already",
                    "等待发往该网络的内容已过多",
                ),
            );
            return done(tag, Err(fault), sink);
        }
        self.parked.push((tag, parked));
    }

    /// Takes a nickname before registration has begun, if the user has none yet. During
    /// registration it is too late: the first entry asks for it.
    pub fn wish(&mut self, nick: &str) {
        let late = matches!(self.phase, Phase::Registering(_) | Phase::Online);
        if self.chosen || late || nick.is_empty() {
            return;
        }
        self.chosen = true;
        self.settings.nick = nick.to_owned();
        self.me = super::register::tidy(nick);
    }

    /// Leaving a room whose entry still waits takes the entry back.
    fn leave_parked(&mut self, tag: Tag, leave: &str, sink: &mut dyn Sink) {
        let fold = &self.isupport.fold;
        let is_it = |command: &Command<'_>| match command {
            Command::Join { room, .. } => fold.same(room, leave),
            _ => false,
        };
        let parked = std::mem::take(&mut self.parked);
        let (taken, kept): (Vec<_>, Vec<_>) = parked.into_iter().partition(|(_, c)| is_it(c));
        self.parked = kept;
        for (join, _) in taken {
            let fault = Fault::new(
                FaultKind::NotJoined,
                ("left before it was entered", "尚未进入便已离开"),
            );
            done(join, Err(fault), sink);
        }
        done(tag, Ok(Outcome::Finished), sink);
    }

    fn start(&mut self, tag: Tag, command: Command<'_>, now: Instant, sink: &mut dyn Sink) {
        match command {
            Command::Send(out) => self.send(tag, &out, sink),
            Command::Join {
                room,
                nick,
                password,
            } => self.join(tag, &room, &nick, password.as_deref(), sink),
            Command::Leave { room, reason } => self.leave(tag, &room, reason.as_deref(), sink),
            Command::Nick { nick } => self.nick(tag, &nick, sink),
            Command::Subject { room, text } => {
                let text = one_line(&text);
                let line = format!("TOPIC {room} :{text}");
                self.ask_about(tag, Want::Subject, (&room, ""), line, sink);
            }
            Command::Kick { room, nick, reason } => {
                let reason = one_line(reason.as_deref().unwrap_or(""));
                let line = format!("KICK {room} {nick} :{reason}");
                self.ask_about(tag, Want::Kick, (&room, &nick), line, sink);
            }
            Command::Invite { room, contact, .. } => {
                let line = format!("INVITE {contact} {room}");
                self.ask_about(tag, Want::Invite, (&room, &contact), line, sink);
            }
            Command::Rank {
                room,
                nick,
                set,
                cleared,
            } => self.rank(tag, (&room, &nick), set, cleared, sink),
            Command::Away { text } => {
                let line = match text.as_deref() {
                    Some(text) => format!("AWAY :{}", one_line(text)),
                    None => "AWAY".to_owned(),
                };
                self.ask(tag, Want::Away, ("", ""), line, sink);
            }
            Command::Avatar { url } => self.show_avatar(tag, url.as_deref(), sink),
            Command::Raw { line } => self.raw(tag, &line, sink),
            Command::Retract { to, key, reason } => {
                self.retract(tag, &to, (&key, reason.as_deref()), sink);
            }
            Command::React { to, key, with } => self.react(tag, &to, &key, &with, sink),
            Command::Typing { to, on } => self.typing(tag, &to, on, now, sink),
            Command::Read { to, key } => self.read(tag, &to, &key, sink),
            Command::History { at, after, max } => self.history(tag, &at, (after, max), now, sink),
            Command::Lookup { contact } => self.lookup(tag, &contact, sink),
            Command::Query { contact, what } => self.query(tag, &contact, &what, sink),
            Command::ListRooms { search } => self.list(tag, search.as_deref(), sink),
            Command::Ban { room, whom, on, .. } => self.ban(tag, &room, &whom, on, sink),
            Command::Bans { room } => self.bans(tag, &room, sink),
            Command::Config {
                room,
                flags,
                password,
            } => self.config(tag, &room, (flags, password.as_deref()), sink),
            Command::Flags { room } => self.tell_modes(tag, &room, sink),
            Command::Knock { room, reason } => self.knock(tag, &room, reason.as_deref(), sink),
            Command::Watch { contact, on } => self.watch(tag, &contact, on, now, sink),
            _ => {
                let words = (
                    "this gateway cannot do that on IRC yet",
                    "此网关尚不能在 IRC 上这样做",
                );
                done(tag, Err(Fault::new(FaultKind::Unsupported, words)), sink);
            }
        }
    }

    /// [`ask`](Self::ask), after a look at the names.
    pub(super) fn ask_about(
        &mut self,
        tag: Tag,
        want: Want,
        names: (&str, &str),
        line: String,
        sink: &mut dyn Sink,
    ) {
        if is_target(names.0) && (names.1.is_empty() || is_target(names.1)) {
            self.ask(tag, want, names, line, sink);
        } else {
            let fault = Fault::new(
                FaultKind::BadAddress,
                ("not a name that IRC can carry", "不是 IRC 可用的名称"),
            );
            done(tag, Err(fault), sink);
        }
    }

    fn join(
        &mut self,
        tag: Tag,
        room: &str,
        nick: &str,
        password: Option<&str>,
        sink: &mut dyn Sink,
    ) {
        if !self.isupport.is_channel(room) {
            let words = words!(
                "{room} is not the name of a channel on this network",
                "{room} 不是此网络上的频道名称"
            );
            return done(tag, Err(Fault::new(FaultKind::NoSuchTarget, words)), sink);
        }
        if password.is_some_and(|key| !is_target(key)) {
            let words = (
                "a channel's password holds neither spaces nor commas",
                "频道密码不得含有空格或逗号",
            );
            return done(tag, Err(Fault::new(FaultKind::WrongPassword, words)), sink);
        }
        if let Some(joined) = self.room(room) {
            let name = joined.name.clone();
            sink.event(Event::Joined {
                room: (&*name).into(),
                nick: self.me.as_str().into(),
                asked: Some(tag),
            });
            done(tag, Ok(Outcome::Finished), sink);
            // The network is silent about entering twice; its names complete this entry too.
            return self.queue.push(format!("NAMES {name}"), Owner::None);
        }
        self.choose(nick);
        if self.services.are_awaited() {
            return self.services.hold(tag, room, nick, password);
        }
        let line = match password {
            Some(key) => format!("JOIN {room} {key}"),
            None => format!("JOIN {room}"),
        };
        self.ask_about(tag, Want::Join, (room, ""), line, sink);
    }

    /// The nickname wished for with the first entry is the one for the whole network.
    fn choose(&mut self, nick: &str) {
        if self.chosen || nick.is_empty() {
            return;
        }
        self.chosen = true;
        self.settings.nick = nick.to_owned();
        // Whatever he was to be called until now.
        self.content();
        let nick = self.nick_for(nick);
        if nick != self.me && self.rooms.is_empty() {
            self.take_first(&nick);
        }
    }

    fn leave(&mut self, tag: Tag, room: &str, reason: Option<&str>, sink: &mut dyn Sink) {
        let key = self.folded(room);
        let entering = self
            .asked
            .iter()
            .any(|a| a.want == Want::Join && a.key == key);
        if let Some(join) = self.services.give_back(&self.isupport.fold, room) {
            let fault = Fault::new(
                FaultKind::NotJoined,
                ("left before it was entered", "进入之前已离开"),
            );
            done(join, Err(fault), sink);
            return done(tag, Ok(Outcome::Finished), sink);
        }
        if self.room(room).is_none() && !entering {
            let fault = Fault::new(
                FaultKind::NotJoined,
                ("not in that channel", "不在该频道中"),
            );
            return done(tag, Err(fault), sink);
        }
        let line = match reason {
            Some(reason) => format!("PART {room} :{}", one_line(reason)),
            None => format!("PART {room}"),
        };
        self.ask_about(tag, Want::Leave, (room, ""), line, sink);
    }

    fn nick(&mut self, tag: Tag, nick: &str, sink: &mut dyn Sink) {
        if nick == self.me {
            return done(tag, Ok(Outcome::Finished), sink);
        }
        if !is_target(nick) {
            let words = (
                "a nickname holds neither spaces nor commas",
                "昵称不得含有空格或逗号",
            );
            return done(tag, Err(Fault::new(FaultKind::NickRefused, words)), sink);
        }
        self.chosen = true;
        self.ask(tag, Want::Nick, (nick, ""), format!("NICK {nick}"), sink);
    }

    fn rank(
        &mut self,
        tag: Tag,
        names: (&str, &str),
        set: Ranks,
        cleared: Ranks,
        sink: &mut dyn Sink,
    ) {
        let mut letters = Vec::new();
        for (sign, ranks) in [('+', set), ('-', cleared)] {
            let held = self.isupport.ranks.iter().enumerate();
            let chosen = held.filter(|(bit, _)| ranks.0 & (1 << bit) != 0);
            letters.extend(chosen.map(|(_, rank)| (sign, rank.letter)));
        }
        let line = |(letters, count): &(String, usize)| {
            let nicks = format!(" {}", names.1).repeat(*count);
            format!("MODE {} {letters}{nicks}", names.0)
        };
        let pieces = in_pieces(&letters, self.isupport.modes);
        let Some((first, more)) = pieces.split_first() else {
            return done(tag, Ok(Outcome::Finished), sink);
        };
        if !self.queue.fits(pieces.len()) {
            let fault = Fault::new(
                FaultKind::Full,
                (
                    "too many lines wait for this network",
                    "等待发往此网络的行过多",
                ),
            );
            return done(tag, Err(fault), sink);
        }
        self.ask_about(tag, Want::Rank, names, line(first), sink);
        let asked = self.asked.iter_mut().find(|it| it.tag == tag);
        if let Some(asked) = asked.filter(|_| !more.is_empty()) {
            asked.lines = u8::try_from(pieces.len()).unwrap_or(u8::MAX);
            asked.waiting = asked.lines;
            asked.letters = pieces.iter().map(|(letters, _)| letters.as_str()).collect();
            for piece in more {
                self.queue.push(line(piece), Owner::Asked(tag));
            }
        }
    }

    /// One line in IRC's own language.
    pub(super) fn raw(&mut self, tag: Tag, line: &str, sink: &mut dyn Sink) {
        let line = line.trim_end_matches(['\r', '\n']);
        let most = self.isupport.line_len - 2;
        if line.trim().is_empty() || line.contains(['\r', '\n', '\0']) || line.len() > most {
            let fault = Fault::new(
                FaultKind::BadRequest,
                (
                    "not one line that IRC can carry",
                    "不是 IRC 可发送的单行内容",
                ),
            );
            return done(tag, Err(fault), sink);
        }
        if !self.queue.fits(1) {
            let fault = Fault::new(
                FaultKind::Full,
                (
                    "too many lines wait for this network",
                    "等待发往此网络的行过多",
                ),
            );
            return done(tag, Err(fault), sink);
        }
        let mut words = line.split_ascii_whitespace();
        if words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("NICK"))
            && let Some(nick) = words.next()
        {
            // His own will, as by a command.
            self.chosen = true;
            let nick = nick.trim_start_matches(':');
            if is_id(nick) {
                self.give_up_nick();
            } else {
                self.settings.nick = nick.to_owned();
            }
            self.content();
        }
        self.curious = Some(self.clock);
        self.curious_of = self.changed_by(line);
        self.asks_modes(line);
        self.push_raw(line.to_owned());
        done(tag, Ok(Outcome::Finished), sink);
    }

    /// The joined channel whose modes a line of the user's own changes.
    fn changed_by(&mut self, line: &str) -> Option<Box<str>> {
        let mut words = line.split_ascii_whitespace();
        let is_mode = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("MODE"));
        let channel = words.next().filter(|_| is_mode)?;
        self.room(channel).map(|room| room.name.clone())
    }

    /// That channel, while answers to the line may come.
    pub(super) fn raw_room(&self) -> Option<&str> {
        let recent = self.curious.is_some_and(|at| self.clock < at + CURIOUS);
        self.curious_of.as_deref().filter(|_| recent)
    }
}

/// Text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn owned(text: &str) -> Text<'static> {
    Text::Owned(text.to_owned())
}
