//! The state machine between the contract and one IRC connection. Pure: commands and lines in,
//! events and lines out; `now` is an argument and nothing here reads a clock or a socket.
//!
//! ```text
//!            dial()             connected()             001, end of MOTD
//!   Down ----------> Connecting ----------> Registering ----------------> Online
//!    ^                   |                       |                          |
//!    +-------------------+------- lost() --------+--------------------------+
//! ```
//!
//! Occupants are not kept here: the host keeps them. What is kept is what IRC's answers must be
//! matched with: open commands, open messages, the names of joined channels.

mod asked;
mod batch;
mod caps;
mod command;
mod ctcp;
mod encoding;
mod format;
mod isupport;
mod lookup;
mod message;
mod metadata;
mod mode;
mod moderate;
mod monitor;
mod numeric;
mod people;
mod queue;
mod read;
mod register;
mod room;
mod sasl;
mod send;
mod services;
mod settings;
mod shared;
mod sts;
mod tags;
mod told;
mod who;

use std::time::{Duration, Instant, SystemTime};

use isthmus_gateway::{Command, Event, Fault, FaultKind, RoomFlags, Sink, Tag, Time};
use isthmus_kit::Bucket;

use self::asked::Asked;
use self::batch::{Batch, Context};
use self::caps::Capabilities;
use self::isupport::Isupport;
use self::lookup::Whois;
use self::metadata::Metadata;
use self::monitor::Watch;
use self::queue::Queue;
use self::read::Marks;
use self::register::Registration;
use self::sasl::Sasl;
use self::send::OpenSend;
use self::tags::Aside;

pub use self::encoding::{Encodings, Own};
pub(crate) use self::register::caps;
pub use self::sasl::Login;
pub use self::settings::{Notices, Settings};
pub use self::sts::Sts;
use crate::ledger::Standing;
use crate::line::Line;

/// Why the connection is to be ended, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What the user is told.
    pub fault: Fault,
    /// Trying again later may help.
    pub retry: bool,
}

/// How safe the connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Safety {
    /// Encrypted.
    Tls,
    /// Plain text, as it was set.
    #[default]
    Plain,
    /// Plain text, because TLS could not be had.
    Fallback,
}

/// How far the connection is. See the drawing above.
enum Phase {
    Down(Fault),
    Connecting,
    Registering(Registration),
    Online,
}

/// A channel the user is in.
#[derive(Default)]
struct Room {
    /// As the network spells it.
    name: Box<str>,
    /// The folded name.
    key: Box<[u8]>,
    /// The topic told on entry, until it is known who set it.
    topic: Option<String>,
    flags: RoomFlags,
    /// Names it was said to hold.
    people: usize,
    /// Who they are was asked.
    asked_who: bool,
    /// Whether the network has told all that holds.
    modes: Modes,
    /// Answers that are still to come and tell nothing new, and how long they may take.
    owed: usize,
    owed_until: Option<Instant>,
    /// When the user has asked for its modes by a line of his own.
    asked_modes: Option<Instant>,
    /// Its key, where the network has shown it.
    secret: Option<Box<str>>,
}

/// How much is known of a channel's modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Modes {
    #[default]
    Unasked,
    Asked,
    Known,
}

/// One user's conversation with one network, across its connections.
pub struct Conversation {
    settings: Settings,
    phase: Phase,
    /// The nickname in use, or the one asked for last.
    me: String,
    /// A nickname was chosen by the user: later joins do not change it.
    chosen: bool,
    /// Bytes of `user@host` of the user as others see him.
    handle_len: usize,
    /// The services account we are logged in to.
    account: Option<Box<str>>,
    isupport: Isupport,
    /// What the server can do beyond RFC 2812.
    caps: Capabilities,
    sasl: Sasl,
    /// The account that the user's nickname once was, where he names none.
    proven: Option<Box<str>>,
    sts: Option<Sts>,
    safety: Safety,
    /// A client certificate is shown.
    certificate: bool,
    batches: Vec<Batch>,
    /// What the line that is being read is part of.
    context: Context,
    aside: Aside,
    marks: Marks,
    watch: Watch,
    metadata: Metadata,
    whois: Whois,
    /// Questions by WHO that are open: folded masks.
    who_open: Vec<Vec<u8>>,
    queue: Queue,
    sends: std::collections::VecDeque<OpenSend>,
    /// Whom raw lines spoke to whose echo is still to come, folded.
    raw_to: std::collections::VecDeque<Vec<u8>>,
    asked: Vec<Asked>,
    rooms: Vec<Room>,
    parked: Vec<(Tag, Command<'static>)>,
    services: services::Services,
    /// When the user last sent a line of his own.
    curious: Option<Instant>,
    /// The channel it is about, where it changes modes.
    curious_of: Option<Box<str>>,
    /// The lines of the MOTD that have come.
    motd: String,
    /// He was online before: what a server says to everybody who comes he has read.
    greeted: bool,
    ctcp_bucket: Bucket,
    /// The time of what is being done.
    clock: Instant,
    heard_at: Instant,
    pinged_at: Option<Instant>,
    end: Option<End>,
    /// Scratch space for folded names.
    key: Vec<u8>,
}

/// Open commands of each sort at most; more are refused as too fast.
const MOST_OPEN: usize = 512;
/// What comes so soon after a line of the user's own is taken for its answer.
const CURIOUS: Duration = Duration::from_secs(10);
/// So long an answer is waited for that somebody else has told already; the host waits as long.
const LATE: Duration = Duration::from_secs(20);
/// After this an open command that got no answer is given up.
const GIVE_UP: Duration = Duration::from_secs(120);

impl Conversation {
    /// A conversation that is about to connect.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            me: register::tidy(&settings.nick),
            queue: Queue::new(
                Bucket::new(settings.throttle_burst, settings.throttle_rate),
                settings.queue,
            ),
            chosen: settings.set_nick.is_some(),
            settings,
            phase: Phase::Connecting,
            handle_len: 0,
            account: None,
            isupport: Isupport::default(),
            caps: Capabilities::default(),
            sasl: Sasl::default(),
            proven: None,
            sts: None,
            safety: Safety::default(),
            certificate: false,
            batches: Vec::new(),
            context: Context::default(),
            aside: Aside::default(),
            marks: Marks::default(),
            watch: Watch::default(),
            metadata: Metadata::default(),
            whois: Whois::default(),
            who_open: Vec::new(),
            sends: Default::default(),
            raw_to: Default::default(),
            asked: Vec::new(),
            rooms: Vec::new(),
            parked: Vec::new(),
            services: services::Services::default(),
            curious: None,
            curious_of: None,
            motd: String::new(),
            greeted: false,
            ctcp_bucket: Bucket::new(3, 0.1),
            clock: now,
            heard_at: now,
            pinged_at: None,
            end: None,
            key: Vec::new(),
        }
    }

    /// The account of an earlier session, of which nothing was said since.
    pub(crate) fn remember_account(&mut self, account: &[u8]) {
        let account = std::str::from_utf8(account).ok();
        self.proven = account.filter(|it| !it.is_empty()).map(Into::into);
    }

    /// What holds from now on; who the user is and what he says first, from the next connection.
    pub fn set(&mut self, mut settings: Settings) {
        let old = &mut self.settings;
        if settings.set_nick == old.set_nick {
            // The nickname he took meanwhile.
            settings.nick = std::mem::take(&mut old.nick);
        } else {
            self.chosen = settings.set_nick.is_some();
        }
        if settings.login != old.login {
            self.proven = None;
        }
        settings.epoch = old.epoch;
        self.queue.throttle(settings.throttle_burst);
        self.settings = settings;
    }

    /// The encodings of the network.
    pub fn encodings(&self) -> &Encodings {
        &self.settings.encodings
    }

    /// A new attempt to connect has begun: commands wait for it.
    pub fn dial(&mut self) {
        self.phase = Phase::Connecting;
    }

    /// What the next connection is like, and whether a client certificate is shown over it.
    pub fn secured(&mut self, safety: Safety, certificate: bool) {
        self.safety = safety;
        self.certificate = certificate;
    }

    /// There is a connection: registration begins.
    pub fn connected(&mut self, now: Instant) {
        self.heard_at = now;
        self.pinged_at = None;
        self.register(now);
    }

    /// The connection is gone or could not be made, for this reason. Ends every open command and
    /// tells what the user should be told: the server's own last words where there are some.
    pub fn lost(&mut self, reason: Fault, sink: &mut dyn Sink) -> End {
        let end = self.end.take().unwrap_or(End {
            fault: reason,
            retry: true,
        });
        self.end_all(&end.fault, sink);
        self.queue.clear();
        self.services = services::Services::default();
        self.rooms = Vec::new();
        self.who_open = Vec::new();
        self.batches = Vec::new();
        self.context = Context::default();
        self.unwatch();
        self.forget_keys();
        self.phase = Phase::Down(end.fault.clone());
        end
    }

    /// One line from the server, without its end.
    pub fn line(&mut self, text: &str, now: Instant, sink: &mut dyn Sink) {
        let Some(line) = Line::parse(text) else {
            return;
        };
        self.clock = now;
        self.context = self.context(&line);
        if !self.collects(&line) {
            self.dispatch(text, &line, now, sink);
            self.settle_label(sink);
        }
        self.release(now);
    }

    fn dispatch(&mut self, text: &str, line: &Line<'_>, now: Instant, sink: &mut dyn Sink) {
        match line.command {
            "PRIVMSG" => self.on_privmsg(line, now, sink),
            "NOTICE" => self.on_notice(line, now, sink),
            "PING" => self.queue.wire.line(&["PONG :", line.last()]),
            "PONG" => self.on_pong(line, sink),
            "JOIN" => self.on_join(line, sink),
            "PART" => self.on_part(line, sink),
            "QUIT" => self.on_quit(line, sink),
            "KICK" => self.on_kick(line, sink),
            "NICK" => self.on_nick(line, sink),
            "TOPIC" => self.on_topic(line, sink),
            "MODE" => self.on_mode(line, now, sink),
            "INVITE" => self.on_invite(line, sink),
            "CAP" => self.on_cap(line, sink),
            "AUTHENTICATE" => self.on_authenticate(line, sink),
            "BATCH" => self.on_batch(text, line, now, sink),
            "TAGMSG" => self.on_tagmsg(line, sink),
            "REDACT" => self.on_redact(line, sink),
            "MARKREAD" => self.on_markread(line, sink),
            "CHATHISTORY" => self.on_chathistory(line, sink),
            "METADATA" => self.on_metadata(line, sink),
            "AWAY" => self.on_away(line, sink),
            "ACCOUNT" => self.on_account(line, sink),
            "CHGHOST" => self.on_chghost(line, sink),
            "SETNAME" => self.on_setname(line, sink),
            "ERROR" => self.on_error(line),
            "FAIL" => self.on_fail(line, sink),
            "WARN" | "NOTE" => self.on_remark(line, sink),
            "WALLOPS" => self.chatter(line.last(), false, sink),
            _ => {
                if let Some(number) = line.numeric() {
                    self.on_numeric(number, line, now, sink);
                }
            }
        }
    }

    /// Answers what must not wait, in a line that will be handed to [`line`](Self::line) later.
    /// True: it was a PING and is answered, it need not be handed over.
    pub fn peek(&mut self, text: &str) -> bool {
        match Line::parse(text) {
            Some(line) if line.command == "PING" => {
                self.queue.wire.line(&["PONG :", line.last()]);
                true
            }
            _ => false,
        }
    }

    /// Bytes came in: the connection lives.
    pub fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.pinged_at = None;
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Instant, sink: &mut dyn Sink) {
        self.clock = now;
        self.register_tick(now, sink);
        self.keep_alive(now);
        self.watch_tick(now);
        self.sync_tick(now);
        self.services_tick(now, sink);
        self.give_up(now, sink);
        self.release(now);
    }

    /// When [`tick`](Self::tick) has something to do.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let alive = match &self.phase {
            Phase::Down(_) | Phase::Connecting => None,
            Phase::Registering(registration) => Some(registration.deadline()),
            Phase::Online => Some(match self.pinged_at {
                Some(at) => at + self.settings.ping_timeout,
                None => self.heard_at + self.settings.ping_after,
            }),
        };
        let oldest_asked = self
            .asked
            .iter()
            .filter_map(|a| a.gone.map(|(_, at)| at))
            .min();
        let oldest_send = self
            .sends
            .iter()
            .filter_map(|s| s.gone.map(|(_, at)| at))
            .min();
        let give_up = oldest_asked.into_iter().chain(oldest_send).min();
        let release = matches!(self.phase, Phase::Online)
            .then(|| self.queue.ready(now))
            .flatten();
        let give_up = give_up.map(|since| since + GIVE_UP);
        let ask = self.modes_ready(now);
        let services = self.services.deadline();
        [
            alive,
            give_up,
            release,
            ask,
            services,
            self.watch_deadline(),
            self.sync_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How the user stands, while he is online.
    pub(crate) fn standing(&self) -> Option<Standing<'_>> {
        let online = matches!(self.phase, Phase::Online);
        online.then(|| Standing {
            nick: self.me.as_str().into(),
            rooms: self.rooms.len(),
            waiting: self.queue.waiting.len(),
        })
    }

    /// Bytes that wait for the socket.
    pub fn wire(&mut self) -> &mut Vec<u8> {
        &mut self.queue.wire.bytes
    }

    /// How many bytes wait for the socket.
    pub fn unwritten(&self) -> usize {
        self.queue.wire.bytes.len()
    }

    /// Why the connection should be ended, where the conversation has decided so.
    pub fn ending(&self) -> bool {
        self.end.is_some()
    }

    /// Says good-bye and ends every open command.
    pub fn quit(&mut self, text: &str, sink: &mut dyn Sink) {
        self.end_all(
            &Fault::new(
                FaultKind::NetworkDown,
                ("the session has been closed", "会话已关闭"),
            ),
            sink,
        );
        self.queue.clear_waiting();
        if matches!(self.phase, Phase::Registering(_) | Phase::Online) {
            self.queue.wire.line(&["QUIT :", text]);
        }
    }

    /// Gives memory back that is not in use: nothing more was to be read.
    pub fn rest(&mut self) {
        if self.queue.waiting.is_empty() {
            self.queue.waiting.shrink_to_fit();
        }
        if self.sends.is_empty() {
            self.sends.shrink_to_fit();
        }
        if self.asked.is_empty() {
            self.asked.shrink_to_fit();
        }
        self.key = Vec::new();
    }

    fn keep_alive(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Online) || self.end.is_some() {
            return;
        }
        match self.pinged_at {
            Some(at) if now >= at + self.settings.ping_timeout => {
                self.end = Some(End {
                    fault: Fault::new(
                        FaultKind::NetworkDown,
                        ("ping timeout", "连接超时：服务器没有应答"),
                    ),
                    retry: true,
                });
            }
            None if now >= self.heard_at + self.settings.ping_after => {
                self.pinged_at = Some(now);
                self.queue.wire.line(&["PING :", queue::KEEP_ALIVE]);
            }
            _ => {}
        }
    }

    /// The folded spelling of a name, owned.
    fn folded(&self, name: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(name.len());
        self.isupport.fold.fold_into(name, &mut key);
        key
    }

    fn is_me(&self, nick: &str) -> bool {
        self.isupport.fold.same(nick, &self.me)
    }

    /// The joined channel of that name.
    fn room(&mut self, name: &str) -> Option<&mut Room> {
        self.isupport.fold.fold_into(name, &mut self.key);
        let key = &self.key;
        self.rooms.iter_mut().find(|room| *room.key == **key)
    }

    /// The user is not in that channel any more.
    fn forget_room(&mut self, key: &[u8]) {
        self.rooms.retain(|room| *room.key != *key);
    }

    /// The time of day at `now`.
    fn wall(&self, now: Instant) -> Time {
        let (instant, day) = self.settings.epoch;
        let day = day + now.saturating_duration_since(instant);
        let since = day
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The server's time of a line, where that is not now: a bouncer's replay, a slow link.
    fn past(&self, line: &Line<'_>, now: Instant) -> Option<Time> {
        const NOW_MILLIS: i64 = 10_000;
        let time = line.time()?;
        ((time.0 - self.wall(now).0).abs() > NOW_MILLIS).then_some(time)
    }
}

fn done(tag: Tag, result: Result<isthmus_gateway::Outcome, Fault>, sink: &mut dyn Sink) {
    sink.event(Event::Done { tag, result });
}

#[cfg(test)]
mod tests;
