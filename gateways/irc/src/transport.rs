//! The only I/O of the gateway: one connection to one network, made again when it breaks.
//!
//! ```text
//!   Waiting --until--> Dialing --stream--> Up --close()--> Parting --EOF or 2 s--> over
//!      ^                  |                |
//!      |                  +-----> Broken <-+
//!      +--- back-off ----------------+              no use in trying again: Down
//! ```
//!
//! Buffers exist only while they hold something: an idle connection has none. Lines are cut from
//! the stack, and copied only when they are not complete or cannot be taken yet.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Close, Command, Credit, Event, Fault, FaultKind, Later, Place, Session, Sink, Tag, Words, words,
};
use isthmus_kit::reason::reason;
use isthmus_kit::{Backoff, BoxedStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) use self::connect::{Candidate, Common, Connector, Route};

use self::connect::{About, Connected};
use self::inbox::{Counted, Inbox};
use crate::ledger::Listed;
use crate::profile::Profile;
use crate::translate::{Conversation, Settings, Sts};

type Dialing = Later<Result<Connected, Fault>>;

/// See the drawing above.
enum Link {
    Waiting {
        until: Option<Instant>,
    },
    Dialing(Dialing),
    Up {
        stream: BoxedStream,
        about: Box<About>,
        since: Instant,
    },
    /// Gone, which is told behind what was read before, when the host takes events again.
    Broken {
        reason: Fault,
        since: Instant,
    },
    Parting {
        stream: BoxedStream,
        until: Instant,
    },
    Down,
}

/// One user on one IRC network.
pub(crate) struct IrcSession {
    talk: Conversation,
    route: Result<Arc<Route>, Fault>,
    connector: Arc<Connector>,
    /// What holds for the user; none where nothing can be set.
    profile: Option<Profile>,
    backoff: Backoff,
    link: Link,
    /// The server has asked for TLS, and this is where it has it (IRCv3 sts).
    upgrade: Option<Candidate>,
    /// The connection ends for that: the next one takes its place at once.
    upgrading: bool,
    inbox: Inbox,
    closing: Option<Close>,
    /// The next attempt, as the user sees it among his connections and ends it.
    waiting: Option<Listed>,
    /// The time of the last call.
    now: Instant,
    /// A command has left bytes that no poll has tried to write.
    unflushed: bool,
}

/// Bytes read at once.
const CHUNK: usize = 8 * 1024;
/// Longest line: tags and the rest (IRCv3 message-tags, RFC 2812 §2.3).
const LONGEST_LINE: usize = 8191 + 512;
/// Bytes that are read ahead while the host takes no events.
const READ_AHEAD: usize = 64 * 1024;
/// Bytes that wait for the socket before reading stops: who does not read our answers is not read.
const MOST_UNWRITTEN: usize = 64 * 1024;
/// For saying good-bye.
const PARTING: Duration = Duration::from_secs(2);
/// A connection that lived so long was a good one: the next wait is short again.
const STABLE: Duration = Duration::from_secs(60);

impl IrcSession {
    /// A session that connects when it is first polled; with a fault for a route it tells that
    /// instead.
    pub(crate) fn new(
        settings: Settings,
        route: Result<Route, Fault>,
        connector: Connector,
        seed: u64,
    ) -> Self {
        let now = settings.epoch.0;
        Self {
            talk: Conversation::new(settings, now),
            route: route.map(Arc::new),
            connector: Arc::new(connector),
            profile: None,
            backoff: Backoff::new(seed),
            link: Link::Waiting { until: None },
            upgrade: None,
            upgrading: false,
            inbox: Inbox::default(),
            closing: None,
            waiting: None,
            now,
            unflushed: false,
        }
    }

    /// The session, knowing what an earlier one kept.
    pub(crate) fn remembering(mut self, kept: Option<&[u8]>) -> Self {
        if let Some(account) = kept {
            self.talk.remember_account(account);
        }
        self
    }

    /// The session, following what the user sets.
    pub(crate) fn following(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// The connection is gone, or there never was one.
    fn lost(&mut self, reason: Fault, since: Instant, now: Instant, sink: &mut dyn Sink) {
        if now >= since + STABLE {
            self.backoff.reset();
        }
        self.inbox = Inbox::default();
        let for_good = self.route.is_err() || matches!(reason.kind, FaultKind::NotAllowed);
        let upgrade = std::mem::take(&mut self.upgrading);
        let end = self.talk.lost(reason, sink);
        let wait = (end.retry && !for_good).then(|| self.backoff.wait());
        if upgrade && end.retry {
            // Nobody was told of this connection: the next one takes its place.
            self.link = Link::Waiting { until: None };
            return;
        }
        self.link = match wait {
            Some(wait) => Link::Waiting {
                until: Some(now + wait),
            },
            None => Link::Down,
        };
        self.waiting = wait.map(|_| {
            let Connector {
                common,
                user,
                network,
                ..
            } = &*self.connector;
            let why = &end.fault.text;
            let ((_, why), (_, why_zh)) = (why.told_in("en"), why.told_in("zh"));
            let words = words!(
                "Not connected ({why}); it will be tried again.",
                "未连接（{why_zh}）；将会重试。"
            );
            common.ledger.enter(*user, network, words)
        });
        tracing::debug!(fault = %end.fault, ?wait, "irc connection lost");
        sink.event(Event::Offline {
            fault: end.fault,
            retry: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        });
    }

    /// Follows what the server has said of TLS: it is kept, or the server met there at once.
    fn follow(&mut self, about: &About) {
        match self.talk.take_sts() {
            Some(Sts::Keep(seconds)) => self.connector.keep_policy(about, seconds),
            Some(Sts::Upgrade(port)) => {
                let mut at = about.at.clone();
                (at.port, at.tls) = (port, true);
                self.upgrade = Some(at);
                self.upgrading = true;
            }
            None => {}
        }
    }

    fn start_dialing(&mut self, now: Instant) {
        match &self.route {
            Ok(route) => {
                self.talk.dial();
                let connector = Arc::clone(&self.connector);
                let attempt = connector.connect(Arc::clone(route), self.upgrade.clone());
                self.link = Link::Dialing(Box::pin(attempt));
            }
            Err(fault) => {
                self.link = Link::Broken {
                    reason: fault.clone(),
                    since: now,
                };
            }
        }
    }

    /// Hands over what was read before the connection broke; false: there is more of it than the
    /// host takes now.
    fn hand_over_rest(&mut self, now: Instant, credit: Credit, sink: &mut dyn Sink) -> bool {
        let Credit::Events(left) = credit else {
            return false;
        };
        let mut sink = Counted { sink, left };
        let (talk, inbox) = (&mut self.talk, &mut self.inbox);
        inbox.drain_rest(talk, now, &mut sink);
        memchr::memchr(b'\n', &inbox.bytes).is_none()
    }

    /// Reads, translates and writes as far as that goes. An error ends the connection.
    fn pump(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut BoxedStream,
        now: Instant,
        credit: Credit,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let mut sink = Counted {
            sink,
            left: match credit {
                Credit::Events(count) => count,
                Credit::Hold => 0,
            },
        };
        self.talk.tick(now, &mut sink);
        loop {
            self.inbox.drain(&mut self.talk, now, &mut sink);
            flush(cx, stream, self.talk.wire())?;
            if self.talk.ending() {
                return Ok(());
            }
            let full = match credit {
                Credit::Events(_) => sink.left == 0,
                Credit::Hold => self.inbox.bytes.len() >= READ_AHEAD,
            };
            if full {
                // What the server has sent meanwhile is not seen: it must not count as silence.
                self.talk.heard(now);
                return Ok(());
            }
            if self.talk.unwritten() > MOST_UNWRITTEN {
                return Ok(());
            }
            let mut space = [const { MaybeUninit::uninit() }; CHUNK];
            let mut chunk = ReadBuf::uninit(&mut space);
            match Pin::new(&mut *stream).poll_read(cx, &mut chunk) {
                Poll::Pending => {
                    self.inbox.release();
                    self.talk.rest();
                    return Ok(());
                }
                Poll::Ready(Err(fault)) => return Err(fault),
                Poll::Ready(Ok(())) if chunk.filled().is_empty() => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Poll::Ready(Ok(())) => {
                    self.talk.heard(now);
                    let talk = &mut self.talk;
                    self.inbox.take(chunk.filled(), talk, now, &mut sink);
                }
            }
        }
    }

    /// The user ends this connection; the next need of the network makes another.
    fn leave(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut BoxedStream,
        words: &str,
        sink: &mut dyn Sink,
    ) {
        self.talk.quit(words, sink);
        // What cannot be written at once is not waited for: the server sees the connection end.
        let _ = flush(cx, stream, self.talk.wire());
        self.inbox = Inbox::default();
    }

    /// Waits for the server to close after our QUIT, so that the QUIT is not lost to a reset.
    fn poll_parting(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Link::Parting { stream, until } = &mut self.link else {
            return Poll::Ready(());
        };
        if now >= *until || flush(cx, stream, self.talk.wire()).is_err() {
            return Poll::Ready(());
        }
        loop {
            let mut space = [const { MaybeUninit::uninit() }; CHUNK];
            let mut chunk = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut chunk));
            if read.is_err() || chunk.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Begins to part: what is open ends, QUIT goes out.
    fn part(&mut self, why: Close, now: Instant, sink: &mut dyn Sink) {
        let text = match &why {
            Close::Left => "left",
            Close::Drain => "the gateway is going down",
            Close::Refused => "no longer served",
            Close::Ended { text } => text,
        };
        self.talk.quit(text, sink);
        self.link = match std::mem::replace(&mut self.link, Link::Down) {
            Link::Up { stream, .. } => Link::Parting {
                stream,
                until: now + PARTING,
            },
            parting @ Link::Parting { .. } => parting,
            _ => Link::Down,
        };
    }

    /// The server was reached, or it was not.
    fn dialled(&mut self, result: Result<Connected, Fault>, now: Instant) {
        match result {
            Ok(Connected { stream, about }) => {
                self.waiting = None;
                self.talk.secured(about.safety, about.certificate);
                self.link = Link::Up {
                    stream,
                    about: Box::new(about),
                    since: now,
                };
                self.talk.connected(now);
            }
            Err(reason) => self.link = Link::Broken { reason, since: now },
        }
    }

    /// Talks with the server as long as there is something to say; ready once the link broke.
    fn poll_up(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()> {
        let link = std::mem::replace(&mut self.link, Link::Down);
        let Link::Up {
            mut stream,
            mut about,
            since,
        } = link
        else {
            self.link = link;
            return Poll::Ready(());
        };
        let reason = if let Some(words) = about.listed.poll_leave(cx) {
            self.leave(cx, &mut stream, &words, sink);
            left()
        } else {
            let result = self.pump(cx, &mut stream, now, credit, sink);
            self.follow(&about);
            if let Some(standing) = self.talk.standing() {
                about.listed.tell(standing);
            }
            match result {
                Ok(()) if !self.talk.ending() => {
                    self.link = Link::Up {
                        stream,
                        about,
                        since,
                    };
                    return Poll::Pending;
                }
                Ok(()) => gone(("connection closed", "连接已关闭")),
                Err(fault) => gone(reason(&fault)),
            }
        };
        self.link = Link::Broken { reason, since };
        Poll::Ready(())
    }
}

impl Session for IrcSession {
    fn command(&mut self, tag: Tag, command: Command<'_>, now: Instant, sink: &mut dyn Sink) {
        self.now = now;
        if let Some(words) = parting(&command) {
            let Connector {
                common,
                user,
                network,
                ..
            } = &*self.connector;
            common.ledger.leave(*user, network, &words);
            let result = Ok(isthmus_gateway::Outcome::Finished);
            self.unflushed = true;
            return sink.event(Event::Done { tag, result });
        }
        self.talk.command(tag, command, now, sink);
        self.unflushed = matches!(self.link, Link::Up { .. }) && self.talk.unwritten() > 0;
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()> {
        self.now = now;
        self.unflushed = false;
        if let Some(why) = self.closing.take() {
            self.part(why, now, sink);
            if !matches!(self.link, Link::Parting { .. }) {
                return Poll::Ready(());
            }
        }
        let leave = self.waiting.as_mut().and_then(|it| it.poll_leave(cx));
        if leave.is_some() && !matches!(self.link, Link::Up { .. } | Link::Parting { .. }) {
            let reason = left();
            self.link = Link::Broken { reason, since: now };
        }
        loop {
            match &mut self.link {
                Link::Down => return Poll::Pending,
                Link::Parting { .. } => return self.poll_parting(cx, now),
                Link::Waiting { until } => {
                    if until.is_some_and(|until| now < until) {
                        return Poll::Pending;
                    }
                    self.start_dialing(now);
                }
                Link::Dialing(attempt) => {
                    let dialled = ready!(attempt.as_mut().poll(cx));
                    self.dialled(dialled, now);
                }
                Link::Broken { reason, since } => {
                    let (reason, since) = (reason.clone(), *since);
                    if !self.hand_over_rest(now, credit, sink) {
                        return Poll::Pending;
                    }
                    self.lost(reason, since, now, sink);
                }
                Link::Up { .. } => ready!(self.poll_up(cx, now, credit, sink)),
            }
        }
    }

    fn minds(&self, tag: Tag) -> bool {
        self.talk.minds(tag)
    }

    fn deadline(&self) -> Option<Instant> {
        let now = self.now;
        if self.closing.is_some() || self.unflushed {
            return Some(now);
        }
        match &self.link {
            Link::Waiting { until } => until.or(Some(now)),
            Link::Dialing(_) | Link::Broken { .. } | Link::Down => None,
            Link::Up { .. } => self.talk.deadline(now),
            Link::Parting { until, .. } => Some(*until),
        }
    }

    fn wish(&mut self, nick: &str) {
        self.talk.wish(nick);
    }

    fn settings(&mut self, settings: &isthmus_gateway::Settings, _now: Instant) {
        let Some(profile) = &self.profile else {
            return;
        };
        self.route = profile.route(settings).map(Arc::new);
        let ours = profile.settings(settings);
        if ours.username != self.connector.ident {
            let mut connector = Connector::clone(&self.connector);
            connector.ident.clone_from(&ours.username);
            self.connector = Arc::new(connector);
        }
        self.talk.set(ours);
    }

    fn close(&mut self, why: Close) {
        self.closing.get_or_insert(why);
    }
}

/// Writes as much as goes without waiting.
fn flush(cx: &mut Context<'_>, stream: &mut BoxedStream, wire: &mut Vec<u8>) -> io::Result<()> {
    if wire.is_empty() {
        return Ok(());
    }
    let mut written = 0;
    while written < wire.len() {
        match Pin::new(&mut *stream).poll_write(cx, &wire[written..]) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => written += count,
            Poll::Ready(Err(fault)) => return Err(fault),
            Poll::Pending => break,
        }
    }
    if written == wire.len() {
        *wire = Vec::new();
    } else {
        wire.drain(..written);
    }
    match Pin::new(stream).poll_flush(cx) {
        Poll::Ready(Err(fault)) => Err(fault),
        _ => Ok(()),
    }
}

/// `QUIT` by a line of the user's own ends the connection until he needs it again; these are his
/// parting words.
fn parting(command: &Command<'_>) -> Option<String> {
    let line = match command {
        Command::Raw { line } => line.trim(),
        Command::Send(out) if out.to == Place::Network => out.body.trim(),
        _ => return None,
    };
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start();
    let quits = word.eq_ignore_ascii_case("QUIT") && !line.contains(['\r', '\n']);
    quits.then(|| rest.strip_prefix(':').unwrap_or(rest).to_owned())
}

/// The user ended the connection himself.
fn left() -> Fault {
    let words = ("you have disconnected", "您已断开连接");
    Fault::new(FaultKind::NotAllowed, words)
}

fn gone(words: impl Into<Words>) -> Fault {
    Fault::new(FaultKind::NetworkDown, words)
}

mod connect;
mod inbox;

#[cfg(test)]
mod tests;
