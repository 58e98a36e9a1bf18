//! What every part of a session works with: whose it is, where its stanzas go, what is open.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Address, Caps, Command, Facts, Fault, Gateway, Kind, Message, Place, Settings, Tag,
};

use super::Wish;
use super::pending::{Open, Pending};
use crate::component::{Mark, Outbox};
use crate::host::contact::Hub;
use crate::host::desk::Desk;
use crate::host::disco;
use crate::host::fault;
use crate::host::ids::Ids;
use crate::host::names::Names;
use crate::host::reply::Origin;
use crate::host::setting;
use crate::host::shared::Shared;
use crate::host::words::Lang;
use crate::store::{Conversation, ConversationId, Later, Page, Row, StoreFault};
use crate::xmpp::escape::escape;
use crate::xmpp::jid::BareJid;

/// How long a command may stay unanswered before its sender is told so, where the gateway does not
/// mind it.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);

/// How long a message that is only known to be sent may still fail.
const FAILURE_WINDOW: Duration = Duration::from_secs(300);

/// Places whose own capabilities are remembered.
const MOST_PLACES: usize = 256;

/// Hashes of files that are remembered.
const MOST_SUMS: usize = 64;

/// Whether the network can be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Never was yet.
    Connecting,
    /// Now.
    Online,
    /// No longer; the gateway tries again by itself.
    Away,
    /// No longer, and it will not try again.
    Over,
}

/// A read of the archive that a room waits for.
pub(crate) struct Load {
    /// The room's folded name.
    pub(crate) room: Box<[u8]>,
    /// The resource that enters.
    pub(crate) resource: String,
    /// The rows up to this number are read.
    pub(crate) until: i64,
    /// The read itself.
    pub(crate) rows: Later<Result<Vec<Row>, StoreFault>>,
}

/// An archive being opened.
pub(crate) type Opening = Later<Result<Conversation, StoreFault>>;

/// What every part of a session works with.
pub(crate) struct Base {
    /// Whose session it is.
    pub(crate) user: BareJid,
    /// The network, as the localpart spells it.
    pub(crate) network: Box<str>,
    /// The gateway.
    pub(crate) gateway: Arc<dyn Gateway>,
    /// What all sessions of the program share.
    pub(crate) shared: Arc<Shared>,
    /// Where stanzas go.
    pub(crate) outbox: Outbox,
    /// Nicknames of the network.
    pub(crate) names: Names,
    /// Presence and subscriptions.
    pub(crate) hub: Arc<Hub>,
    /// The rules of the network; those of `Facts::default_of` until it is online.
    pub(crate) facts: Facts,
    /// What the user wants to be called.
    pub(crate) wish: Wish,
    /// What single places can, where that differs from the network.
    places: Vec<(Place<'static>, Caps)>,
    /// Whether the network can be spoken to.
    pub(crate) link: Link,
    /// Where commands are answered.
    pub(crate) desk: Option<Arc<Desk>>,
    /// What the user has set; `None`: nothing.
    pub(crate) settings: Option<Box<Settings>>,
    /// Localparts of those the user has blocked.
    pub(crate) blocked: BTreeSet<String>,
    /// Tells apart sessions and runs of the program in ids.
    pub(crate) number: u64,
    /// The time of this turn.
    pub(crate) now: Instant,
    /// The time of this turn, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// Commands for the gateway, in order.
    pub(crate) commands: VecDeque<(Tag, Command<'static>)>,
    /// Reads that rooms wait for.
    pub(crate) loads: Vec<Load>,
    /// Archives being opened, each with its room's folded name.
    pub(crate) archives: Vec<(Box<[u8]>, Opening)>,
    /// Ids of private messages.
    pub(crate) ids: Ids,
    /// What the server had read when this turn began. In the middle of a turn a stream may come up
    /// and prove what was pushed behind something that had been dropped while there was none.
    pub(crate) confirmed: Mark,
    /// When the user last did something.
    pub(crate) active: Instant,
    /// SHA-256 of files by their links, of those shown last.
    sums: VecDeque<(String, [u8; 32])>,
    /// Requests of several commands.
    pub(super) batches: Vec<super::batch::Batch>,
    pub(super) last_batch: u32,
    next_tag: u32,
    open: HashMap<Tag, Open>,
    /// Deadlines in the order they fall due; an entry whose command is gone means nothing.
    due: VecDeque<(Instant, Tag)>,
    /// The same for messages that are sent and may still fail.
    doubtful: VecDeque<(Instant, Tag)>,
}

/// What a session is made of.
pub(crate) struct Origins {
    /// Whose session it is.
    pub(crate) user: BareJid,
    /// The network, as the localpart spells it.
    pub(crate) network: Box<str>,
    /// The gateway.
    pub(crate) gateway: Arc<dyn Gateway>,
    /// What all sessions share.
    pub(crate) shared: Arc<Shared>,
    /// Where stanzas go.
    pub(crate) outbox: Outbox,
    /// Nicknames of the network.
    pub(crate) names: Names,
    /// Presence and subscriptions.
    pub(crate) hub: Arc<Hub>,
    /// Tells apart sessions and runs of the program.
    pub(crate) number: u64,
    /// Where the gateway's commands are answered.
    pub(crate) desk: Option<Arc<Desk>>,
}

impl Base {
    /// The parts of a new session.
    pub(crate) fn new(origins: Origins, now: Instant, now_ms: i64) -> Self {
        let Origins {
            user,
            network,
            gateway,
            shared,
            outbox,
            names,
            hub,
            number,
            desk,
        } = origins;
        let facts = Facts {
            network: network.to_string(),
            fold: isthmus_gateway::Fold::ascii(),
            ranks: Vec::new(),
            caps: gateway.manifest().caps.clone(),
            me: String::new(),
        };
        let ids = Ids::new(&shared.message_key, user.as_str(), number);
        Self {
            user,
            network,
            gateway,
            shared,
            outbox,
            names,
            hub,
            facts,
            places: Vec::new(),
            link: Link::Connecting,
            desk,
            wish: Wish::default(),
            settings: None,
            blocked: BTreeSet::new(),
            number,
            now,
            now_ms,
            commands: VecDeque::new(),
            loads: Vec::new(),
            archives: Vec::new(),
            ids,
            confirmed: Mark(0),
            active: now,
            sums: VecDeque::new(),
            batches: Vec::new(),
            last_batch: 0,
            next_tag: 0,
            open: HashMap::new(),
            due: VecDeque::new(),
            doubtful: VecDeque::new(),
        }
    }

    /// Remembers the hash of a file that is about to be shown.
    pub(crate) fn note_sum(&mut self, url: &str, sum: Option<[u8; 32]>) {
        if let Some(sum) = sum {
            if self.sums.len() >= MOST_SUMS {
                self.sums.pop_front();
            }
            self.sums.push_back((url.to_owned(), sum));
        }
    }

    /// The hash of the file a message bears, where it is known.
    pub(crate) fn sum_of(&self, message: &Message<'_>) -> Option<[u8; 32]> {
        let [file] = message.blobs.as_slice() else {
            return None;
        };
        let mut sums = self.sums.iter().rev();
        sums.find(|it| it.0 == file.url).map(|it| it.1)
    }

    /// Issues a command; `pending` is what becomes of its end.
    pub(crate) fn issue(&mut self, command: Command<'static>, pending: Pending) -> Tag {
        self.issue_within(command, pending, COMMAND_DEADLINE)
    }

    /// The same, with a deadline of its own.
    pub(crate) fn issue_within(
        &mut self,
        command: Command<'static>,
        pending: Pending,
        patience: Duration,
    ) -> Tag {
        self.next_tag = self.next_tag.wrapping_add(1);
        let tag = Tag(self.next_tag);
        self.open.insert(
            tag,
            Open {
                pending,
                doubtful: false,
            },
        );
        self.fall_due(self.now + patience, tag);
        self.commands.push_back((tag, command));
        tag
    }

    fn fall_due(&mut self, deadline: Instant, tag: Tag) {
        // Nearly always at the end.
        let later = self.due.iter().rev().take_while(|due| due.0 > deadline);
        let at = self.due.len() - later.count();
        self.due.insert(at, (deadline, tag));
    }

    /// Commands that are due and that the gateway minds get more time: they wait for their turn,
    /// and what was given up here must not be carried out there.
    pub(crate) fn bear_with(&mut self, minds: impl Fn(Tag) -> bool) {
        let mut given = Vec::new();
        let now = self.now;
        let open = &self.open;
        self.due.retain(|&(at, tag)| {
            let more = at <= now && open.contains_key(&tag) && minds(tag);
            if more {
                given.push(tag);
            }
            !more
        });
        for tag in given {
            self.fall_due(now + COMMAND_DEADLINE, tag);
        }
    }

    /// Ends a command: what was pending, unless it has ended before.
    pub(crate) fn end(&mut self, tag: Tag) -> Option<Open> {
        self.open.remove(&tag)
    }

    /// What is pending under a tag.
    pub(crate) fn pending(&mut self, tag: Tag) -> Option<&mut Pending> {
        self.open.get_mut(&tag).map(|open| &mut open.pending)
    }

    /// Everything that is pending.
    pub(super) fn open_pending(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.open.values_mut().map(|open| &mut open.pending)
    }

    /// Keeps what was pending, for a failure that may still come.
    pub(crate) fn doubt(&mut self, tag: Tag, pending: Pending) {
        self.open.insert(
            tag,
            Open {
                pending,
                doubtful: true,
            },
        );
        self.doubtful.push_back((self.now + FAILURE_WINDOW, tag));
    }

    /// Gives memory back that is not in use: most sessions are idle most of the time.
    pub(crate) fn rest(&mut self) {
        // No table has an allocation to give back unless something was issued since the last rest.
        if self.commands.is_empty() {
            self.commands.shrink_to_fit();
        }
        if self.open.is_empty() {
            self.open.shrink_to_fit();
            // What is left in these are deadlines of what has ended.
            self.due = VecDeque::new();
            self.doubtful = VecDeque::new();
        }
        if self.loads.is_empty() {
            self.loads.shrink_to_fit();
        }
        if self.archives.is_empty() {
            self.archives.shrink_to_fit();
        }
    }

    /// How many commands wait for their end.
    pub(crate) fn open_commands(&self) -> usize {
        self.open.len() - self.doubtful.len().min(self.open.len())
    }

    /// The next deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let first = |queue: &VecDeque<(Instant, Tag)>| queue.front().map(|&(at, _)| at);
        [first(&self.due), first(&self.doubtful)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Commands whose deadline has passed: each is to end in a fault.
    pub(crate) fn overdue(&mut self) -> Vec<Tag> {
        while self.doubtful.front().is_some_and(|&(at, _)| at <= self.now) {
            if let Some((_, tag)) = self.doubtful.pop_front()
                && self.open.get(&tag).is_some_and(|open| open.doubtful)
            {
                self.open.remove(&tag);
            }
        }
        let mut overdue = Vec::new();
        while let Some(&(at, tag)) = self.due.front() {
            let open = self.open.get(&tag).is_some_and(|open| !open.doubtful);
            if open && at > self.now {
                break;
            }
            self.due.pop_front();
            if open {
                overdue.push(tag);
            }
        }
        overdue
    }

    /// Everything that waits for its end, oldest first.
    pub(crate) fn all_open(&self) -> Vec<Tag> {
        let mut tags: Vec<Tag> = self
            .open
            .iter()
            .filter(|(_, open)| !open.doubtful)
            .map(|(&tag, _)| tag)
            .collect();
        tags.sort_unstable();
        tags
    }

    /// The escaped localpart of something on this network.
    pub(crate) fn local(&self, kind: Kind, id: &str) -> Result<String, Fault> {
        let address = Address::new(kind, id, &*self.network);
        match self.gateway.format(&address) {
            Ok(local) => Ok(prepared(&escape(&local), self.outbox.domain())),
            Err(fault) => Err(fault::address(fault)),
        }
    }

    /// The escaped localpart of the network itself; `None`: it speaks from the gateway's address.
    pub(crate) fn own_local(&self) -> Option<String> {
        let local = self.local(Kind::Network, "").ok();
        local.filter(|local| !local.is_empty())
    }

    /// The network can be spoken to: who has it as a contact is told.
    pub(crate) fn network_found(&self) {
        let local = self.own_local();
        self.hub
            .network_found(&self.user, &self.network, local.as_deref());
    }

    /// It cannot any more: its contacts and itself are gone.
    pub(crate) fn network_lost(&self) {
        let local = self.own_local();
        self.hub
            .network_lost(&self.user, &self.network, local.as_deref());
    }

    /// Whether the user has blocked somebody.
    pub(crate) fn is_blocked(&self, kind: Kind, id: &str) -> bool {
        let listed = |local: String| self.blocked.contains(&local);
        !self.blocked.is_empty() && self.local(kind, id).is_ok_and(listed)
    }

    /// What the user has set of a room, else of its network, else of all networks.
    pub(crate) fn set_in(&self, room: &str, key: &str) -> Option<&str> {
        self.settings.as_deref()?.in_room(room, key)
    }

    /// The language the user is answered in, who asks in this one.
    pub(crate) fn lang(&self, asked: Option<&str>) -> Lang {
        let set = || self.shared.language_of(self.outbox.domain(), &self.user);
        asked.and_then(Lang::of).unwrap_or_else(set)
    }

    /// Whether what is said in a room is kept.
    pub(crate) fn records(&self, room: &str) -> bool {
        self.set_in(room, setting::RECORD_HISTORY) != Some("false")
    }

    /// Whether the user stays in a room when his last device has left.
    pub(crate) fn stays_in(&self, room: &str) -> bool {
        match self.set_in(room, setting::PERSISTENT) {
            Some(set) => set == "true",
            None => self.shared.stays(self.outbox.domain()),
        }
    }

    /// Messages shown on entering a room, if the client asks for nothing else.
    pub(crate) fn history_of(&self, room: &str) -> usize {
        let set = self.set_in(room, setting::MAX_HISTORY);
        let set = set.and_then(|set| set.parse().ok());
        set.unwrap_or_else(|| self.shared.limits().history)
    }

    /// Answers a stanza with a fault; one that says where the addressee is now, with that address.
    pub(crate) fn answer_fault(&self, origin: &Origin, fault: &Fault) {
        let moved = fault.moved.as_ref();
        match moved.and_then(|to| self.local(to.kind, &to.id).ok()) {
            Some(local) => {
                let proper = format!("{local}@{}", self.outbox.domain());
                origin.moved(&self.outbox, &proper);
            }
            None => origin.fault(&self.outbox, fault),
        }
    }

    /// Whether what is said is archived.
    pub(crate) fn archives(&self) -> bool {
        self.shared.archives(self.outbox.domain())
    }

    /// The folded spelling of a name.
    pub(crate) fn folded(&self, name: &str) -> Box<[u8]> {
        let mut folded = Vec::with_capacity(name.len());
        self.facts.fold.fold_into(name, &mut folded);
        folded.into_boxed_slice()
    }

    /// A room's folded name is another now: reads under way find it under that.
    pub(crate) fn rekey(&mut self, from: &[u8], to: &[u8]) {
        let rooms = self.loads.iter_mut().map(|load| &mut load.room);
        let archives = self.archives.iter_mut().map(|(room, _)| room);
        for room in rooms.chain(archives).filter(|room| ***room == *from) {
            *room = to.into();
        }
    }

    /// What can be expressed at a place.
    pub(crate) fn caps_at(&self, at: &Place<'_>) -> &Caps {
        if self.places.is_empty() {
            return &self.facts.caps;
        }
        let own = self.places.iter().find(|(place, _)| self.same(place, at));
        own.map_or(&self.facts.caps, |(_, caps)| caps)
    }

    /// What can be expressed at a place has changed; `None`: everywhere.
    pub(crate) fn set_caps(&mut self, at: Option<Place<'_>>, caps: Caps) {
        let Some(at) = at else {
            self.facts.caps = caps;
            return;
        };
        let known = self
            .places
            .iter()
            .position(|(place, _)| self.same(place, &at));
        if let Some(known) = known {
            self.places.remove(known);
        } else if self.places.len() == MOST_PLACES {
            self.places.remove(0);
        }
        self.places.push((at.into_owned(), caps));
    }

    /// The hash of what a contact can do (XEP-0115), as `disco` answers for him.
    pub(crate) fn ver_of(&self, contact: &str) -> String {
        let at = Place::Contact(contact.into());
        let to = Address::new(Kind::Contact, contact, &*self.network);
        let rules = disco::Rules::of(&self.shared, self.outbox.domain());
        disco::of_contact(&*self.gateway, &to, Some(self.caps_at(&at)), rules).hash()
    }

    /// Whether two places are one to the network.
    pub(super) fn same(&self, one: &Place<'_>, other: &Place<'_>) -> bool {
        let fold = &self.facts.fold;
        match (one, other) {
            (Place::Room(one), Place::Room(other))
            | (Place::Contact(one), Place::Contact(other)) => fold.same(one, other),
            _ => one == other,
        }
    }

    /// Whether a nickname is the user's own.
    pub(crate) fn is_me(&self, nick: &str) -> bool {
        self.facts.fold.same(&self.facts.me, nick)
    }

    /// Begins to read the archive for a resource that enters a room.
    pub(crate) fn load(
        &mut self,
        room: Box<[u8]>,
        resource: String,
        conversation: ConversationId,
        page: Page,
    ) {
        let until = page.until.unwrap_or(i64::MAX);
        let rows = self.shared.store.rows(conversation, page);
        self.loads.push(Load {
            room,
            resource,
            until,
            rows,
        });
    }
}

/// A localpart as addresses are compared (RFC 7622 §3.3). One that no address may have stays as
/// it is: the writer sees to it that it does no harm.
fn prepared(local: &str, domain: &str) -> String {
    let jid = BareJid::new(Some(local), domain);
    let prepared = jid.as_ref().ok().and_then(BareJid::local);
    prepared.unwrap_or(local).to_owned()
}
