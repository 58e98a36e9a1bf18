//! One session as the network sees it, with what it has still to be told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Waker;
use std::time::Instant;

use isthmus_gateway::{Credit, Event, Fault, FaultKind, Place, Settings, Tag, Who};

use super::{Answer, Ended, FINISHED, Queue, World, fold, magic};

/// Names one client for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(pub(super) u64);

/// How a client stands to its network; the module above draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not tried yet.
    New,
    /// Online.
    Up,
    /// Tried again then; `None`: the next tick says when.
    Waiting(Option<Instant>),
    /// Never tried again.
    Down,
}

/// One session as the network sees it.
pub(crate) struct Client {
    pub(super) network: String,
    pub(super) nick: String,
    /// What its user has set.
    pub(super) settings: Settings,
    pub(super) link: Link,
    pub(super) attempts: u32,
    away: Option<String>,
    watched: BTreeSet<String>,
    blocked: BTreeSet<String>,
    /// Commands that wait for an answer.
    pub(super) open: VecDeque<Tag>,
    /// What is to be told later.
    pub(super) timers: VecDeque<(Instant, Event<'static>)>,
    /// What is to be told now. Bounded by `Config::backlog`; nobody waits for room in it.
    pub(super) queue: Queue,
    /// Woken when something comes into an idle queue.
    pub(crate) waker: Option<Waker>,
}

impl Client {
    pub(super) fn new(network: &str, nick: &str) -> Self {
        Self {
            network: network.to_owned(),
            nick: nick.to_owned(),
            settings: Settings::default(),
            link: Link::New,
            attempts: 0,
            away: None,
            watched: BTreeSet::new(),
            blocked: BTreeSet::new(),
            open: VecDeque::new(),
            timers: VecDeque::new(),
            queue: Queue::new(),
            waker: None,
        }
    }

    /// Whether it wants this contact's presence.
    pub(super) fn watches(&self, contact: &str) -> bool {
        self.watched.contains(&fold(contact))
    }

    /// Appends an event and returns how many wait.
    pub(super) fn push(&mut self, event: Event<'static>, wake: &mut Vec<Waker>) -> usize {
        self.queue.push_back(event);
        wake.extend(self.waker.take());
        self.queue.len()
    }

    /// Ends every open command with this fault, the late ones too.
    pub(super) fn end_open(&mut self, fault: &Fault, wake: &mut Vec<Waker>) {
        for (_, event) in std::mem::take(&mut self.timers) {
            if let Event::Failed { .. } = event {
                self.push(event, wake);
            }
        }
        for tag in std::mem::take(&mut self.open) {
            let result = Err(fault.clone());
            self.push(Event::Done { tag, result }, wake);
        }
    }

    /// Takes a command out of the open ones; false: it has ended before.
    pub(super) fn end(&mut self, tag: Tag) -> bool {
        let at = self.open.iter().position(|open| *open == tag);
        at.and_then(|at| self.open.remove(at)).is_some()
    }

    /// Takes what is due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Event<'static>> {
        let mut due = Vec::new();
        for (at, event) in std::mem::take(&mut self.timers) {
            match &event {
                _ if at > now => self.timers.push_back((at, event)),
                // Its command may have ended some other way.
                Event::Done { tag, .. } if !self.end(*tag) => {}
                _ => due.push(event),
            }
        }
        due
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let retry = match self.link {
            Link::Waiting(at) => at,
            _ => None,
        };
        let timers = self.timers.iter().map(|(at, _)| *at);
        timers.chain(retry).min()
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes what the host can take now.
    pub(crate) fn take(&mut self, credit: Credit) -> Vec<Event<'static>> {
        match credit {
            Credit::Events(most) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.queue.drain(..most.min(self.queue.len())).collect()
            }
            Credit::Hold => self.take_ends(),
        }
    }

    /// Takes what ends commands, unless something of the same command is held before it.
    fn take_ends(&mut self) -> Vec<Event<'static>> {
        let mut taken = Vec::new();
        let mut held = BTreeSet::new();
        for event in std::mem::take(&mut self.queue) {
            let tag = event.tag();
            if ends_a_command(&event) && !tag.is_some_and(|tag| held.contains(&tag)) {
                taken.push(event);
            } else {
                held.extend(tag);
                self.queue.push_back(event);
            }
        }
        taken
    }

    /// Takes what ends commands, and drops what else was to be told: nobody asks again.
    pub(crate) fn take_last(&mut self) -> Vec<Event<'static>> {
        self.queue.drain(..).filter(ends_a_command).collect()
    }

    /// Takes the front of the queue up to the end of this command, if that is near.
    pub(crate) fn take_through(&mut self, tag: Tag) -> Vec<Event<'static>> {
        const NEAR: usize = 4;
        let end = self
            .queue
            .iter()
            .take(NEAR)
            .position(|event| matches!(event, Event::Done { tag: ended, .. } if *ended == tag));
        self.queue.drain(..end.map_or(0, |end| end + 1)).collect()
    }
}

/// Whether an event ends a command; the echo of a message belongs to its end.
pub(super) fn ends_a_command(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Done { .. } | Event::Failed { .. } | Event::Echo { .. }
    )
}

/// Whether an event can be told while the network cannot be spoken to.
pub(super) fn passes_offline(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Done { .. } | Event::Failed { .. } | Event::Offline { .. }
    )
}

/// Whether a network would take this nickname.
pub(super) fn is_nick(nick: &str) -> bool {
    !nick.is_empty()
        && nick.len() <= 64
        && !nick.starts_with('#')
        && !nick.contains([',', '*'])
        && !nick.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Commands about the user and other people.
impl World {
    pub(super) fn rename(&mut self, me: ClientId, nick: &str) -> Ended {
        if let Some(fault) = magic::named(nick) {
            return Err(fault);
        }
        if !is_nick(nick) {
            let text = "a nickname is 1 to 64 bytes without spaces";
            return Err(Fault::new(FaultKind::NickRefused, text));
        }
        if self.is_taken(me, nick) {
            let text = format!("{nick} is in use");
            return Err(Fault::new(FaultKind::NickTaken, text));
        }
        let old = self.nick_of(me);
        if old == nick {
            return FINISHED;
        }
        let neighbours = self.neighbours(me);
        if let Some(client) = self.clients.get_mut(&me) {
            client.nick = nick.to_owned();
        }
        let network = self.network_of(me);
        self.rename_member(&network, &old, nick);
        let event = Event::Renamed {
            from: old.into(),
            to: nick.to_owned().into(),
        };
        self.push(me, event.clone());
        self.tell(&neighbours, &event);
        // The host hands it back when it opens the session anew.
        let state = nick.as_bytes().to_vec();
        self.push(me, Event::Keep { state });
        FINISHED
    }

    pub(super) fn away(&mut self, me: ClientId, text: Option<&str>) -> Ended {
        if let Some(client) = self.clients.get_mut(&me) {
            client.away = text.map(str::to_owned);
        }
        self.presence_changed(me);
        FINISHED
    }

    pub(super) fn watch(&mut self, me: ClientId, contact: &str, on: bool) -> Ended {
        self.must(|caps| caps.watch)?;
        if let Some(fault) = magic::named(contact) {
            return Err(fault);
        }
        let Some(client) = self.clients.get_mut(&me) else {
            return FINISHED;
        };
        if !on {
            client.watched.remove(&fold(contact));
            return FINISHED;
        }
        client.watched.insert(fold(contact));
        let event = self.presence(me, contact);
        self.push(me, event);
        self.show_contact(me, contact);
        FINISHED
    }

    fn presence(&self, me: ClientId, contact: &str) -> Event<'static> {
        let peer = self.peer(me, contact).and_then(|id| self.clients.get(&id));
        let away = peer.and_then(|peer| peer.away.clone());
        let there = peer.is_some()
            || contact.eq_ignore_ascii_case(magic::ECHO)
            || self.is_resident(me, contact);
        Event::Contact {
            contact: contact.to_owned().into(),
            online: there,
            away: away.map(Into::into),
            since: None,
        }
    }

    /// Tells those who watch this client how it is now.
    pub(super) fn presence_changed(&mut self, me: ClientId) {
        let (nick, network) = (self.nick_of(me), self.network_of(me));
        let event = self.presence(me, &nick);
        let key = fold(&nick);
        let watching = self
            .clients
            .iter()
            .filter(|(_, client)| client.network == network && client.watched.contains(&key))
            .filter(|(_, client)| client.link == Link::Up)
            .map(|(id, _)| *id)
            .collect();
        self.tell(&watching, &event);
    }

    pub(super) fn block(&mut self, me: ClientId, contact: &str, on: bool) -> Ended {
        if let Some(fault) = magic::named(contact) {
            return Err(fault);
        }
        if let Some(client) = self.clients.get_mut(&me) {
            match on {
                true => client.blocked.insert(fold(contact)),
                false => client.blocked.remove(&fold(contact)),
            };
        }
        FINISHED
    }

    /// Whether `me` wants to hear nothing from this nickname.
    pub(super) fn blocks(&self, me: ClientId, nick: &str) -> bool {
        self.clients
            .get(&me)
            .is_some_and(|client| client.blocked.contains(&fold(nick)))
    }

    pub(super) fn look_up(&mut self, me: ClientId, tag: Tag, contact: &str) -> Ended {
        self.must(|caps| caps.lookup)?;
        if let Some(fault) = magic::named(contact) {
            return Err(fault);
        }
        let Event::Contact { online, away, .. } = self.presence(me, contact) else {
            return FINISHED;
        };
        if !online {
            return Err(Fault::new(FaultKind::NoSuchTarget, "nobody of that name"));
        }
        let facts = BTreeMap::from([
            ("nickname", Some(contact.to_owned())),
            ("away", away.map(|text| text.into_owned())),
        ]);
        let fields = facts
            .into_iter()
            .filter_map(|(label, value)| Some((label.into(), value?.into())))
            .collect();
        self.push(me, Event::Found { tag, fields });
        FINISHED
    }

    /// Everybody's program is this one; `mute` has one that does not answer.
    pub(super) fn query(&mut self, me: ClientId, tag: Tag, contact: &str, what: &str) -> Ended {
        if let Some(fault) = magic::named(contact) {
            return Err(fault);
        }
        if contact == "mute" {
            return Ok(Answer::Never);
        }
        if !matches!(
            self.presence(me, contact),
            Event::Contact { online: true, .. }
        ) {
            return Err(Fault::new(FaultKind::NoSuchTarget, "nobody of that name"));
        }
        let answer = match what {
            "version" => format!("Loopback {}", env!("CARGO_PKG_VERSION")),
            "time" => "1970-01-01T00:00:00Z".to_owned(),
            _ => what.to_owned(),
        };
        let fields = vec![("answer".into(), answer.into())];
        self.push(me, Event::Found { tag, fields });
        FINISHED
    }

    /// Tells one client that somebody invites it.
    pub(super) fn push_invitation(
        &mut self,
        to: ClientId,
        room: &str,
        by: &str,
        reason: Option<&str>,
    ) {
        let event = Event::Invited {
            room: room.to_owned().into(),
            by: Who::nick(by.to_owned()),
            reason: reason.map(|text| text.to_owned().into()),
        };
        self.push(to, event);
    }
}

/// The place, with nothing borrowed.
pub(super) fn owned(place: &Place<'_>) -> Place<'static> {
    let own = |text: &str| text.to_owned().into();
    match place {
        Place::Room(room) => Place::Room(own(room)),
        Place::Occupant { room, nick } => Place::Occupant {
            room: own(room),
            nick: own(nick),
        },
        Place::Contact(nick) => Place::Contact(own(nick)),
        Place::Network => Place::Network,
    }
}
