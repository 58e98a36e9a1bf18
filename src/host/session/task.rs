//! The task of one session: the only place where its state meets time and I/O.
//!
//! ```text
//!   open ──nobody needs it──▶ closing ──gateway session ended──▶ gone
//!     └──the gateway ends the session by itself──────────────────▶ ┘
//! ```
//!
//! One turn takes some stanzas, lets time pass, hands commands to the gateway, moves the gateway's
//! bytes and shows rooms to who enters. Turns repeat while there is progress, up to a bound: then
//! other tasks get their share. Nothing in a turn waits.
//!
//! The gateway's session is opened when something first needs the network: a stanza that is only
//! refused makes no connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use isthmus_gateway::{Account, Close, Credit, Event, Settings, Sink, User};
use tokio::time::Sleep;

use super::asking::{Before, before};
use super::messages::IN_FLIGHT;
use super::{Base, Link, Session};
use crate::component::{Level, Mark, Outbox};
use crate::host::contact::account_of;
use crate::host::domain::{Domain, Place};
use crate::host::inbox::Inbox;
use crate::host::setting::{Kept, kept};
use crate::host::shared::now_ms;
use crate::host::words::{Denial, Notice, Said};
use crate::store::{Later, StoreFault};

/// Turns before other tasks get their share.
const TURNS: usize = 16;
/// Stanzas of one turn.
const STANZAS: usize = 32;
/// Events of one turn.
const EVENTS: u32 = 256;
/// How often a store that has fallen behind is looked at again: nothing wakes us when it is not
/// behind any more.
const STORE_LOOK: Duration = Duration::from_millis(20);
/// How long what the user has just set is waited for when the program ends.
const KEPT_WITHIN: Duration = Duration::from_secs(1);
/// How long a closing session may take.
const CLOSING: Duration = Duration::from_secs(3);

/// Half of the bytes that a session may have on the way to the XMPP server: what one user's network
/// makes us say is not to keep the lines of others, which go the same way. It is more stanzas than
/// are written without asking for a proof, so that the first half is proven while the second fills.
const HALF: u64 = 64 * 1024;
/// A server that confirms nothing for so long is not waited for: it stands still, and what comes
/// meanwhile is kept on disk.
const UNCONFIRMED: Duration = Duration::from_secs(1);

/// How much of its share of the way out a session has used.
#[derive(Default)]
struct Share {
    /// Bytes pushed when the last half was full.
    before: u64,
    /// The ends of full halves that are not confirmed, and since when; with the second the session
    /// waits.
    full: [Option<(Mark, Instant)>; 2],
    /// The server stands still: until this is confirmed nothing is waited for.
    still: Mark,
}

impl Share {
    /// Whether the session is to wait.
    fn is_used_up(&mut self, outbox: &Outbox, now: Instant) -> bool {
        let confirmed = outbox.confirmed();
        while let [Some((mark, since)), second] = self.full {
            let late = now >= since + UNCONFIRMED;
            if confirmed < mark && !late && outbox.is_up() {
                break;
            }
            if confirmed < mark && late {
                self.still = mark;
            }
            self.full = [second, None];
        }
        let poured = outbox.poured();
        if poured - self.before >= HALF && outbox.is_up() {
            self.before = poured;
            let free = self.full.iter_mut().find(|it| it.is_none());
            if let Some(free) = free {
                *free = Some((outbox.pushed(), now));
            }
        }
        self.full[1].is_some() && confirmed >= self.still
    }
}

/// What the user has set, read when the session begins and whenever it changes.
enum Setting {
    Asked(Later<Result<Kept, StoreFault>>),
    Known,
}

/// The user's account, read when a network is first opened.
enum Registered {
    Unasked,
    Asked(Later<Result<Option<Account>, StoreFault>>),
}

impl Registered {
    fn poll(&mut self, cx: &mut Context<'_>, base: &Base) -> Poll<Option<Account>> {
        if base.gateway.manifest().register.is_empty() {
            return Poll::Ready(None);
        }
        loop {
            match self {
                Self::Unasked => {
                    let (store, domain) = (base.shared.store(), base.outbox.domain().to_owned());
                    *self = Self::Asked(Box::pin(account_of(store, base.user.clone(), domain)));
                }
                Self::Asked(account) => {
                    let account = std::task::ready!(account.as_mut().poll(cx));
                    *self = Self::Unasked;
                    return Poll::Ready(account.unwrap_or_else(|fault| {
                        tracing::error!(%fault, "credentials cannot be read");
                        None
                    }));
                }
            }
        }
    }
}

fn asked(base: &Base) -> Later<Result<Kept, StoreFault>> {
    let (store, domain) = (base.shared.store(), base.outbox.domain().to_owned());
    Box::pin(kept(store, base.user.clone(), domain))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Closing { until: Instant },
}

/// The task of one session.
pub(crate) struct SessionTask {
    session: Session,
    network: Option<Box<dyn isthmus_gateway::Session>>,
    user: User,
    account: Registered,
    /// Stanzas wait until they are known: who sets something and then acts finds it set.
    settings: Setting,
    /// What is on disk of this session, until it has been read.
    before: Option<Later<Before>>,
    /// What the gateway kept of the last one.
    kept: Option<Vec<u8>>,
    inbox: Arc<Inbox>,
    place: Place,
    stage: Stage,
    /// The program ends, and so does this session when what the user has set is known and kept, or
    /// then at the latest.
    drains: Option<Instant>,
    /// When to look at the store and the way out again, while one of them is behind.
    look: Option<Instant>,
    share: Share,
    timer: Pin<Box<Sleep>>,
}

impl SessionTask {
    /// A session that occupies `place` until it is dropped.
    pub(crate) fn new(session: Session, user: User, inbox: Arc<Inbox>, place: Place) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let settings = Setting::Asked(asked(&session.base));
        let before = before(&session.base);
        Self {
            session,
            network: None,
            user,
            account: Registered::Unasked,
            settings,
            before: Some(before),
            kept: None,
            inbox,
            place,
            stage: Stage::Open,
            drains: None,
            look: None,
            share: Share::default(),
            timer,
        }
    }

    /// One turn; returns whether there was progress, `None` when the session is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Option<bool> {
        let now = tokio::time::Instant::now().into_std();
        self.session.base.now = now;
        self.session.base.now_ms = now_ms();
        // Before the notices: what is known to have arrived on a new stream comes behind its notice.
        self.session.base.confirmed = self.session.base.outbox.confirmed();
        self.notices();
        self.settings(cx, now);
        self.restore(cx);
        let mut progress = self.stanzas(cx);
        if let Some(network) = &self.network
            && self.session.base.deadline().is_some_and(|due| due <= now)
        {
            self.session.base.bear_with(|tag| network.minds(tag));
        }
        self.session.tick();
        let ahead = self.share.is_used_up(&self.session.base.outbox, now);
        progress |= self.drive(cx, now, ahead)?;
        // Behind what the network told: a read it made necessary is polled, and a door it opened
        // is gone through, although nothing else may happen that wakes this task.
        progress |= self.reads(cx);
        if !ahead {
            progress |= self.session.rooms.advance(&mut self.session.base);
        }
        // The last room may be gone by now: from here on the session's own end is a deadline.
        self.session.tick();
        if self.stage == Stage::Open {
            progress |= self.session.settle();
            progress |= self.drain();
        }
        self.inbox.set_rooms(self.session.rooms.len());
        match self.stage {
            Stage::Closing { until } if until <= now => None,
            Stage::Closing { .. } if self.network.is_none() => None,
            Stage::Closing { .. } => Some(progress),
            Stage::Open => {
                if self.session.is_over() && self.place.close_if(&self.inbox) {
                    self.close(Close::Left);
                    progress = true;
                }
                Some(progress)
            }
        }
    }

    fn notices(&mut self) {
        let notices = self.inbox.take_notices();
        if let Some(confirmed) = notices.up {
            self.session.stream_up(confirmed);
        }
        if self.stage != Stage::Open {
            return;
        }
        if notices.contacts {
            self.session.contacts_changed();
        }
        if notices.settings {
            // A read under way may have begun before the change.
            self.settings = Setting::Asked(asked(&self.session.base));
        }
        if notices.drain {
            let until = self.session.base.now + KEPT_WITHIN;
            self.drains.get_or_insert(until);
        }
        if notices.refused {
            self.dismiss(&Notice::SessionRefused.into(), Close::Refused);
        } else if notices.unregistered {
            self.session.forget_wanted();
            self.dismiss(&Notice::SessionUnregistered.into(), Close::Refused);
        } else if let Some(words) = notices.ended {
            let text = words.within(self.session.base.lang(None)).into();
            self.dismiss(&words, Close::Ended { text });
        }
    }

    /// Ends the session for now: the next run of the program takes up again what lasts. Whether it
    /// did.
    fn drain(&mut self) -> bool {
        let known = matches!(self.settings, Setting::Known);
        // A store that does not answer now is not waited for.
        let now = self.session.base.now;
        let drains = self.drains.is_some_and(|until| known || until <= now);
        if drains {
            self.session.abandon(&Denial::GatewayShuttingAgain.into());
            self.session.farewell(true, &Notice::SessionShutting.into());
            self.place.close();
            self.close(Close::Drain);
        }
        drains
    }

    /// Ends the session for a reason that its user is told.
    fn dismiss(&mut self, text: &Said, why: Close) {
        self.session.abandon(text);
        self.session.farewell(false, text);
        self.place.close();
        self.close(why);
    }

    /// Takes what the user has set, when it has been read.
    fn settings(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Setting::Asked(read) = &mut self.settings else {
            return;
        };
        let Poll::Ready(kept) = read.as_mut().poll(cx) else {
            return;
        };
        self.settings = Setting::Known;
        let kept = match kept {
            Ok(kept) => kept,
            Err(fault) => {
                return tracing::error!(%fault, "settings cannot be read");
            }
        };
        let settings = kept.of(&self.session.base.network);
        self.session.base.blocked = kept.blocked().clone();
        // It may have been set when nobody marked that yet.
        let base = &self.session.base;
        let domain = base.outbox.domain();
        base.shared
            .language_set(domain, &base.user, kept.language());
        if let Some(network) = &mut self.network {
            network.settings(&settings, now);
        }
        self.session.settings(settings);
    }

    /// Takes up again what lasts, when it and the settings have been read.
    fn restore(&mut self, cx: &mut Context<'_>) {
        let known = matches!(self.settings, Setting::Known);
        let Some(before) = self.before.as_mut().filter(|_| known) else {
            return;
        };
        if let Poll::Ready(Before { wanted, kept }) = before.as_mut().poll(cx) {
            (self.before, self.kept) = (None, kept);
            self.session.restore(&wanted);
        }
    }

    fn close(&mut self, why: Close) {
        self.stage = Stage::Closing {
            until: self.session.base.now + CLOSING,
        };
        if let Some(network) = &mut self.network {
            network.close(why);
        }
    }

    fn stanzas(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stage != Stage::Open
            || self.drains.is_some()
            || matches!(self.settings, Setting::Asked(_))
            || self.before.is_some()
        {
            self.inbox.register(cx);
            return false;
        }
        for _ in 0..STANZAS {
            if self.session.waiting.is_some() || self.session.base.open_commands() >= IN_FLIGHT {
                self.inbox.register(cx);
                return false;
            }
            // What stood behind a file was sent before what is queued.
            if self.session.take_released() {
                continue;
            }
            match self.inbox.poll(cx) {
                Poll::Ready(stanza) => self.session.stanza(&stanza),
                Poll::Pending => return false,
            }
        }
        true
    }

    /// Reads of the store that have come.
    fn reads(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = self.session.poll_held(cx);
        progress |= self.session.poll_fetched(cx);
        progress |= self.session.poll_before(cx);
        progress |= self.session.poll_shown(cx);
        progress |= self.session.poll_looks(cx);
        progress |= self.session.poll_own(cx);
        if let Some(waiting) = &mut self.session.waiting
            && let Poll::Ready(known) = waiting.known.as_mut().poll(cx)
        {
            self.session.looked_up(known);
            progress = true;
        }
        let mut at = 0;
        while at < self.session.base.archives.len() {
            if let Poll::Ready(opened) = self.session.base.archives[at].1.as_mut().poll(cx) {
                let (room, _) = self.session.base.archives.swap_remove(at);
                self.session.archive_opened(&room, opened);
                progress = true;
            } else {
                at += 1;
            }
        }
        at = 0;
        while at < self.session.base.loads.len() {
            if let Poll::Ready(rows) = self.session.base.loads[at].rows.as_mut().poll(cx) {
                let load = self.session.base.loads.swap_remove(at);
                self.session.rows_loaded(&load, rows);
                progress = true;
            } else {
                at += 1;
            }
        }
        progress
    }

    /// Moves the gateway's session; `None` when it has ended and nothing is left to do.
    fn drive(&mut self, cx: &mut Context<'_>, now: Instant, ahead: bool) -> Option<bool> {
        let behind = ahead || self.session.base.shared.store_is_behind();
        self.look = behind.then(|| now + STORE_LOOK);
        let Some(mut network) = self.network.take() else {
            return Some(self.open(cx));
        };
        if self.session.base.link != Link::Online
            && let Some(nick) = self.session.base.wish.untold()
        {
            network.wish(nick);
        }
        self.hand_over(&mut *network, now);
        let slow = behind || self.session.base.outbox.level() == Level::Hold;
        let credit = if slow {
            Credit::Hold
        } else {
            Credit::Events(EVENTS)
        };
        let mut counted = Counted {
            session: &mut self.session,
            events: 0,
        };
        let over = network.poll(cx, now, credit, &mut counted).is_ready();
        let more = counted.events >= EVENTS;
        self.session.seal_kept();
        if over {
            let text = &Denial::ConnectionOver.into();
            self.session.abandon(text);
            self.session.farewell(false, text);
            self.place.close();
            return None;
        }
        let commands = self.session.base.link == Link::Online;
        let commands = commands && !self.session.base.commands.is_empty();
        self.hand_over(&mut *network, now);
        self.session.seal_kept();
        self.network = Some(network);
        Some(more || commands)
    }

    /// Opens the gateway's session if something needs the network.
    fn open(&mut self, cx: &mut Context<'_>) -> bool {
        let needed = self.session.needs_network();
        let known = matches!(self.settings, Setting::Known);
        if self.drains.is_some()
            || !needed
            || !known
            || self.before.is_some()
            || self.stage != Stage::Open
        {
            return false;
        }
        let base = &self.session.base;
        let Poll::Ready(account) = self.account.poll(cx, base) else {
            return false;
        };
        let nothing = Settings::default();
        let settings = base.settings.as_deref().unwrap_or(&nothing);
        let (kept, account) = (self.kept.take(), account.as_ref());
        let (gateway, network) = (&base.gateway, &base.network);
        let opened = gateway.open(&self.user, account, network, settings, kept.as_deref());
        self.network = Some(opened);
        true
    }

    /// Hands commands to the gateway, once its network can be spoken to.
    fn hand_over(&mut self, network: &mut dyn isthmus_gateway::Session, now: Instant) {
        while self.session.base.link == Link::Online {
            let Some((tag, command)) = self.session.base.commands.pop_front() else {
                return;
            };
            // One that ended while it waited (its deadline has passed) is not sent any more.
            if self.session.base.pending(tag).is_some() {
                network.command(tag, command, now, &mut self.session);
            }
        }
    }

    fn set_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let closing = match self.stage {
            Stage::Closing { until } => Some(until),
            Stage::Open => self.drains,
        };
        let network = self.network.as_ref().and_then(|network| network.deadline());
        let deadlines = [self.session.deadline(), network, closing, self.look];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
            return Poll::Pending;
        };
        let deadline = tokio::time::Instant::from_std(deadline);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx)
    }
}

impl Future for SessionTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..TURNS {
            match this.turn(cx) {
                None => return Poll::Ready(()),
                Some(true) => {}
                Some(false) => {
                    this.session.rest();
                    if this.set_timer(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Counts what the gateway tells in one turn: it stops by itself when the credit is used up.
struct Counted<'s> {
    session: &'s mut Session,
    events: u32,
}

impl Sink for Counted<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.events += 1;
        self.session.event(event);
    }
}

/// A place in a domain's table, and what keeps it consistent whatever happens to the task: when
/// the task ends, by a panic too, its place is given to what was parked meanwhile.
impl Drop for SessionTask {
    fn drop(&mut self) {
        self.session.base.network_lost();
        let unread = self.inbox.drain();
        Domain::vacate(&self.place, unread);
    }
}
