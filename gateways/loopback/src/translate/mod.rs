//! The state machine: commands in, events out. Pure; `now` is an argument.
//!
//! One [`World`] holds the networks, their rooms and the sessions ("clients") on them. What a
//! client is told waits in its queue until the transport takes it. This file has what all commands
//! share; `room` enters and governs rooms, `talk` carries what is said, `picture` shows
//! people, `foreign` plays the other side for tests, `magic` knows the names that stand for trouble.
//!
//! ```text
//!            reached                     go_offline, backlog overflow
//!   New ---------------------> Up ------------------------------------+
//!    | not reached             ^                                      v
//!    +--> Waiting(when) -------+ (when due, or go_online) <------- Waiting
//!    +--> Down (never tried again)
//! ```

mod client;
mod foreign;
mod govern;
mod magic;
mod picture;
mod room;
mod talk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Affiliation, Command, Dialog, Event, Facts, Fault, FaultKind, Field, Fold, Left, Message,
    Outcome, Outgoing, Rank, Role, Settings, Tag, Time, Why,
};

use crate::{Config, setting};
use room::Room;

pub(crate) use client::{Client, ClientId, Link};
pub(crate) use magic::{fault, kind, named};
pub(crate) use picture::Look;

/// Commands of one client that may wait for an answer; the oldest ends when one more comes.
const MOST_OPEN: usize = 1_024;

/// How a handler wants its command ended.
pub(crate) enum Answer {
    /// At once.
    Now(Outcome),
    /// After a while.
    Later(Duration, Outcome),
    /// Not before the connection breaks: the host's deadline comes first.
    Never,
    /// Twice, which the contract forbids.
    Twice(Outcome),
}

/// What a handler returns.
type Ended = Result<Answer, Fault>;

/// The command was not a message and is done.
const FINISHED: Ended = Ok(Answer::Now(Outcome::Finished));

/// One network: rooms by folded name.
#[derive(Default)]
pub(crate) struct Network {
    offline: bool,
    rooms: BTreeMap<String, Room>,
    /// What was whispered, oldest first: to whom, by folded name.
    whispers: VecDeque<(String, Message<'static>)>,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) config: Config,
    networks: BTreeMap<String, Network>,
    clients: BTreeMap<ClientId, Client>,
    /// By network and folded name.
    pictures: BTreeMap<(String, String), Look>,
    /// Events that follow the `Done` of the command in hand.
    behind: Vec<(ClientId, Event<'static>)>,
    /// Whom to wake once the lock is free.
    pub(crate) wake: Vec<Waker>,
    /// A moment on both clocks; later times are reckoned from it.
    epoch: (Instant, Time),
    /// The last `now` that was passed in.
    now: Instant,
    last_client: u64,
    last_key: u64,
}

impl World {
    /// An empty world that begins at this moment.
    pub(crate) fn new(config: Config, now: Instant, time: Time) -> Self {
        Self {
            config,
            networks: BTreeMap::new(),
            clients: BTreeMap::new(),
            pictures: BTreeMap::new(),
            behind: Vec::new(),
            wake: Vec::new(),
            epoch: (now, time),
            now,
            last_client: 0,
            last_key: 0,
        }
    }

    /// A new client that will connect at its first [`tick`](Self::tick).
    pub(crate) fn open(&mut self, network: &str, nick: &str, settings: &Settings) -> ClientId {
        self.last_client += 1;
        let id = ClientId(self.last_client);
        self.clients.insert(id, Client::new(network, nick));
        self.set(id, settings);
        id
    }

    /// What a client has set is other than it was.
    pub(crate) fn set(&mut self, id: ClientId, settings: &Settings) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.settings = settings.clone();
        }
    }

    /// The client, if it has not been closed.
    pub(crate) fn client(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.get_mut(&id)
    }

    /// Carries out one command. It is open from here until the first of its answer, its timer and
    /// a broken connection ends it, so it gets exactly one `Done`.
    pub(crate) fn command(&mut self, me: ClientId, tag: Tag, command: Command<'_>, now: Instant) {
        self.now = now;
        self.begin(me, tag);
        let ended = if self.is_up(me) {
            self.dispatch(me, tag, command)
        } else {
            Err(down())
        };
        match ended {
            Ok(Answer::Now(outcome)) => self.done(me, tag, Ok(outcome)),
            Ok(Answer::Twice(outcome)) => {
                let result = Ok(outcome);
                self.done(me, tag, result.clone());
                self.push(me, Event::Done { tag, result });
            }
            Ok(Answer::Later(after, outcome)) => {
                let result = Ok(outcome);
                self.after(me, after, Event::Done { tag, result });
            }
            Ok(Answer::Never) => {}
            Err(fault) => self.done(me, tag, Err(fault)),
        }
        for (id, event) in std::mem::take(&mut self.behind) {
            self.push(id, event);
        }
    }

    fn dispatch(&mut self, me: ClientId, tag: Tag, command: Command<'_>) -> Ended {
        match command {
            Command::Send(message) => self.send(me, tag, &message),
            Command::Edit {
                to,
                key,
                body,
                action,
                style,
            } => {
                let mut changed = Outgoing::text(to, body);
                (changed.action, changed.style) = (action, style);
                self.edit(me, &key, &changed)
            }
            Command::Retract { to, key, reason } => self.retract(me, &to, &key, reason.as_deref()),
            Command::React { to, key, with } => self.react(me, &to, &key, &with),
            Command::Delivered { to, key } => self.delivered(me, &to, &key),
            Command::Read { to, key } => self.read(me, &to, &key),
            Command::Typing { to, on } => self.typing(me, &to, on),
            Command::Away { text } => self.away(me, text.as_deref()),
            Command::Avatar { url } => self.wears(me, url.as_deref()),
            Command::Watch { contact, on } => self.watch(me, &contact, on),
            Command::Join {
                room,
                nick,
                password,
            } => self.join(me, tag, &room, &nick, password.as_deref()),
            Command::Leave { room, reason } => self.leave(me, &room, reason.as_deref()),
            Command::Nick { nick } => self.rename(me, &nick),
            Command::Subject { room, text } => self.subject(me, &room, &text),
            Command::Kick { room, nick, reason } => {
                self.remove(me, &room, &nick, Why::Kicked, reason.as_deref())
            }
            Command::Rank {
                room,
                nick,
                set,
                cleared,
            } => self.rank(me, &room, &nick, set, cleared),
            Command::Ban {
                room,
                whom,
                on,
                reason,
            } => self.ban(me, &room, &whom, on, reason.as_deref()),
            Command::Bans { room } => self.bans(me, tag, &room),
            Command::Invite {
                room,
                contact,
                reason,
            } => self.invite(me, &room, &contact, reason.as_deref()),
            Command::Knock { room, reason } => self.knock(me, &room, reason.as_deref()),
            Command::Config {
                room,
                flags,
                password,
            } => self.configure(me, &room, flags, password.as_deref()),
            Command::Flags { room } => self.flags(me, &room),
            Command::ListRooms { search } => self.list(me, tag, search.as_deref()),
            Command::Lookup { contact } => self.look_up(me, tag, &contact),
            Command::Query { contact, what } => self.query(me, tag, &contact, &what),
            Command::History { at, after, max } => self.history(me, tag, &at, after, max),
            Command::Block { contact, on } => self.block(me, &contact, on),
            Command::Raw { line } => self.raw(me, &line),
        }
    }

    /// Tells a client something, in order with all else. Too much of it breaks the connection.
    fn push(&mut self, to: ClientId, event: Event<'static>) {
        let most = self.config.backlog;
        let Some(client) = self.clients.get_mut(&to) else {
            return;
        };
        if client.link != Link::Up && !client::passes_offline(&event) {
            return;
        }
        if client.push(event, &mut self.wake) > most && client.link == Link::Up {
            client.queue.retain(client::ends_a_command);
            let fault = Fault::new(FaultKind::TooFast, "too much was waiting to be read");
            self.disconnect(to, fault);
        }
    }

    fn tell(&mut self, to: &BTreeSet<ClientId>, event: &Event<'static>) {
        for id in to {
            self.push(*id, event.clone());
        }
    }

    /// Notes a command as open, the one in hand too: whatever ends it first takes it out.
    fn begin(&mut self, me: ClientId, tag: Tag) {
        let Some(client) = self.clients.get_mut(&me) else {
            return;
        };
        client.open.push_back(tag);
        if client.open.len() > MOST_OPEN
            && let Some(oldest) = client.open.front().copied()
        {
            let fault = Fault::new(FaultKind::TimedOut, "too many commands wait");
            self.done(me, oldest, Err(fault));
        }
    }

    /// Ends a command, unless a broken connection has ended it already.
    fn done(&mut self, me: ClientId, tag: Tag, result: Result<Outcome, Fault>) {
        if self
            .clients
            .get_mut(&me)
            .is_some_and(|client| client.end(tag))
        {
            self.push(me, Event::Done { tag, result });
        }
    }

    fn after(&mut self, me: ClientId, after: Duration, event: Event<'static>) {
        let at = self.now + after;
        if let Some(client) = self.clients.get_mut(&me) {
            client.timers.push_back((at, event));
        }
    }

    /// Does what is due for a client: connects, tries again, ends what was late.
    pub(crate) fn tick(&mut self, me: ClientId, now: Instant) {
        self.now = now;
        let retry = Duration::from_millis(self.config.retry_ms);
        let Some(client) = self.clients.get_mut(&me) else {
            return;
        };
        match client.link {
            Link::Waiting(None) => client.link = Link::Waiting(Some(now + retry)),
            Link::New => self.connect(me),
            Link::Waiting(Some(at)) if at <= now => self.connect(me),
            _ => {}
        }
        for event in self
            .clients
            .get_mut(&me)
            .map(|client| client.due(now))
            .unwrap_or_default()
        {
            self.push(me, event);
        }
    }

    fn connect(&mut self, me: ClientId) {
        let Some(client) = self.clients.get_mut(&me) else {
            return;
        };
        client.attempts += 1;
        let (name, attempts) = (client.network.clone(), client.attempts);
        let offline = self.networks.get(&name).is_some_and(|net| net.offline);
        let refused = magic::unreachable(&name, attempts).or(offline.then(|| (down(), true)));
        if let Some((fault, again)) = refused {
            let wait = Duration::from_millis(self.config.retry_ms);
            let retry = again.then_some(self.config.retry_ms);
            client.link = match again {
                true => Link::Waiting(Some(self.now + wait)),
                false => Link::Down,
            };
            return self.push(me, Event::Offline { fault, retry });
        }
        let wished = client.nick.clone();
        let nick = self.free_nick(me, &wished);
        let facts = self.facts(&name, &nick);
        if let Some(client) = self.clients.get_mut(&me) {
            client.link = Link::Up;
            client.nick = nick;
        }
        self.push(me, Event::Online(facts));
        self.presence_changed(me);
    }

    fn facts(&self, network: &str, me: &str) -> Facts {
        let rank = |sign, letter, affiliation, role| Rank {
            sign,
            letter,
            affiliation,
            role,
        };
        Facts {
            network: match network {
                "" => "loopback".to_owned(),
                name => name.to_owned(),
            },
            fold: Fold::ascii(),
            ranks: vec![
                rank('~', 'q', Affiliation::Owner, Role::Moderator),
                rank('@', 'o', Affiliation::Admin, Role::Moderator),
                rank('+', 'v', Affiliation::Member, Role::Participant),
            ],
            caps: self.config.caps.clone(),
            me: me.to_owned(),
        }
    }

    /// Breaks a client's connection: ends what is open, empties its place in every room.
    fn disconnect(&mut self, me: ClientId, fault: Fault) {
        self.vacate(me, Why::Split, true);
        let retry = Some(self.config.retry_ms);
        let Some(client) = self.clients.get_mut(&me) else {
            return;
        };
        client.end_open(&fault, &mut self.wake);
        client.link = Link::Waiting(None);
        client.push(Event::Offline { fault, retry }, &mut self.wake);
        self.presence_changed(me);
    }

    /// Ends a client; what ends its open commands is left in its queue for the transport.
    pub(crate) fn close(&mut self, me: ClientId) {
        if self.is_up(me) {
            self.vacate(me, Why::Quit, false);
        }
        if let Some(client) = self.clients.get_mut(&me) {
            client.end_open(&down(), &mut self.wake);
            client.link = Link::Down;
            self.wake.extend(client.waker.take());
        }
        self.presence_changed(me);
    }

    /// Forgets a closed client.
    pub(crate) fn forget(&mut self, me: ClientId) {
        if self.is_up(me) {
            self.close(me);
        }
        self.clients.remove(&me);
    }

    /// Takes a client out of every room and tells those who saw it.
    fn vacate(&mut self, me: ClientId, why: Why, keep_rooms: bool) {
        let neighbours = self.neighbours(me);
        let Some(client) = self.clients.get(&me) else {
            return;
        };
        let (nick, network) = (client.nick.clone(), client.network.clone());
        if let Some(network) = self.networks.get_mut(&network) {
            for room in network.rooms.values_mut() {
                room.members.remove(&fold(&nick));
            }
            network.rooms.retain(|_, room| keep_rooms || room.is_used());
        }
        let left = Left {
            room: None,
            nicks: vec![nick.into()].into(),
            why,
            by: None,
            text: None,
        };
        self.tell(&neighbours, &Event::Left(left));
    }

    /// Every other client that shares a room with this one.
    fn neighbours(&self, me: ClientId) -> BTreeSet<ClientId> {
        let Some(network) = self.clients.get(&me).map(|client| &client.network) else {
            return BTreeSet::new();
        };
        let Some(network) = self.networks.get(network) else {
            return BTreeSet::new();
        };
        let mut all: BTreeSet<_> = network
            .rooms
            .values()
            .filter(|room| room.has(me))
            .flat_map(Room::clients)
            .collect();
        all.remove(&me);
        all
    }

    fn is_up(&self, me: ClientId) -> bool {
        self.clients
            .get(&me)
            .is_some_and(|client| client.link == Link::Up)
    }

    fn nick_of(&self, me: ClientId) -> String {
        self.clients
            .get(&me)
            .map(|client| client.nick.clone())
            .unwrap_or_default()
    }

    fn network_of(&self, me: ClientId) -> String {
        self.clients
            .get(&me)
            .map(|client| client.network.clone())
            .unwrap_or_default()
    }

    /// The client with this nickname on the same network as `me`.
    fn peer(&self, me: ClientId, nick: &str) -> Option<ClientId> {
        let network = &self.clients.get(&me)?.network;
        self.clients
            .iter()
            .find(|(_, client)| {
                client.link == Link::Up
                    && client.network == *network
                    && client.nick.eq_ignore_ascii_case(nick)
            })
            .map(|(id, _)| *id)
    }

    /// Whether a resident of some room on the network of `me` has this nickname.
    fn is_resident(&self, me: ClientId, nick: &str) -> bool {
        let network = self.clients.get(&me).map(|client| &client.network);
        let nick = fold(nick);
        network
            .and_then(|network| self.networks.get(network))
            .is_some_and(|network| {
                let mut rooms = network.rooms.values();
                rooms.any(|room| {
                    room.members
                        .get(&nick)
                        .is_some_and(|member| member.client.is_none())
                })
            })
    }

    fn is_taken(&self, me: ClientId, nick: &str) -> bool {
        magic::RESERVED.contains(&fold(nick).as_str())
            || self.peer(me, nick).is_some_and(|id| id != me)
            || self.is_resident(me, nick)
    }

    /// The wished nickname, made acceptable, with as many `_` as it takes.
    fn free_nick(&self, me: ClientId, wished: &str) -> String {
        let mut nick = match client::is_nick(wished) {
            true => wished.to_owned(),
            false => "guest".to_owned(),
        };
        while self.is_taken(me, &nick) {
            nick.push('_');
        }
        nick
    }

    fn next_key(&mut self) -> String {
        self.last_key += 1;
        // The start time keeps the keys of one run apart from those of the next.
        format!("{:x}-{}", self.epoch.1.0, self.last_key)
    }

    fn time(&self) -> Time {
        let since = self.now.saturating_duration_since(self.epoch.0).as_millis();
        Time(
            self.epoch
                .1
                .0
                .saturating_add(i64::try_from(since).unwrap_or(i64::MAX)),
        )
    }

    fn raw(&mut self, me: ClientId, line: &str) -> Ended {
        if let Some(fault) = magic::named(line) {
            return Err(fault);
        }
        if self.draws(me, line).is_some() || self.pushes(me, line) {
            return FINISHED;
        }
        let event = if line == "ask" {
            Event::Ask(question())
        } else if let Some(state) = line.strip_prefix("keep ") {
            let state = state.as_bytes().to_vec();
            Event::Keep { state }
        } else if line == "me" {
            let nick = self.clients.get(&me).map(|client| client.nick.clone());
            Event::Notice {
                room: None,
                text: nick.unwrap_or_default().into(),
            }
        } else if line == "settings" {
            let set = self.clients.get(&me).map(|client| &client.settings);
            Event::Notice {
                room: None,
                text: set.map(setting::shown).unwrap_or_default().into(),
            }
        } else {
            Event::Notice {
                room: None,
                text: line.to_owned().into(),
            }
        };
        self.push(me, event);
        FINISHED
    }
}

/// The one question this gateway asks.
pub(crate) fn question() -> Dialog {
    Dialog {
        name: "word".into(),
        title: "Say a word".into(),
        fields: vec![Field {
            name: "word".into(),
            label: "A word".into(),
            required: true,
            ..Field::default()
        }],
        ..Dialog::default()
    }
}

/// The names of this network fold ASCII letters only.
fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn down() -> Fault {
    Fault::new(FaultKind::NetworkDown, "the network does not answer")
}

/// What waits for one client, oldest first.
type Queue = VecDeque<Event<'static>>;
