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

use isthmus_gateway::{Close, Command, Credit, Event, Fault, FaultKind, Later, Session, Sink, Tag};
use isthmus_kit::dial::within;
use isthmus_kit::{Backoff, BoxedStream, Dial, Reach, Tls, Trust};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::translate::{Conversation, Settings};

/// One server to try.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

/// How a network is reached.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Tried in this order.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) reach: Reach,
    pub(crate) trust: Trust,
    /// For incoming bytes that are not UTF-8.
    pub(crate) encoding: &'static encoding_rs::Encoding,
}

type Dialing = Later<Result<BoxedStream, Fault>>;

/// See the drawing above.
enum Link {
    Waiting {
        until: Option<Instant>,
    },
    Dialing(Dialing),
    Up {
        stream: BoxedStream,
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
    dial: Arc<dyn Dial>,
    backoff: Backoff,
    link: Link,
    inbox: Inbox,
    closing: Option<Close>,
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
/// For the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
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
        dial: Arc<dyn Dial>,
        seed: u64,
    ) -> Self {
        let now = settings.epoch.0;
        Self {
            talk: Conversation::new(settings, now),
            route: route.map(Arc::new),
            dial,
            backoff: Backoff::new(seed),
            link: Link::Waiting { until: None },
            inbox: Inbox::default(),
            closing: None,
            now,
            unflushed: false,
        }
    }

    /// The connection is gone, or there never was one.
    fn lost(&mut self, reason: Fault, since: Instant, now: Instant, sink: &mut dyn Sink) {
        if now >= since + STABLE {
            self.backoff.reset();
        }
        self.inbox = Inbox::default();
        let for_good = self.route.is_err() || matches!(reason.kind, FaultKind::NotAllowed);
        let end = self.talk.lost(reason, sink);
        let wait = (end.retry && !for_good).then(|| self.backoff.wait());
        self.link = match wait {
            Some(wait) => Link::Waiting {
                until: Some(now + wait),
            },
            None => Link::Down,
        };
        tracing::debug!(fault = %end.fault, ?wait, "irc connection lost");
        sink.event(Event::Offline {
            fault: end.fault,
            retry: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        });
    }

    fn start_dialing(&mut self, now: Instant) {
        match &self.route {
            Ok(route) => {
                self.talk.dial();
                let attempt = connect(Arc::clone(&self.dial), Arc::clone(route));
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
        let (Ok(route), Credit::Events(left)) = (&self.route, credit) else {
            return credit != Credit::Hold;
        };
        let mut sink = Counted { sink, left };
        let (talk, inbox) = (&mut self.talk, &mut self.inbox);
        inbox.drain_rest(talk, route.encoding, now, &mut sink);
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
        let Ok(route) = &self.route else {
            return Ok(());
        };
        let encoding = route.encoding;
        let mut sink = Counted {
            sink,
            left: match credit {
                Credit::Events(count) => count,
                Credit::Hold => 0,
            },
        };
        self.talk.tick(now, &mut sink);
        loop {
            self.inbox.drain(&mut self.talk, encoding, now, &mut sink);
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
                    self.inbox
                        .take(chunk.filled(), talk, encoding, now, &mut sink);
                }
            }
        }
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
        let text = match why {
            Close::Left => "left",
            Close::Drain => "the gateway is going down",
            Close::Refused => "no longer served",
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
}

impl Session for IrcSession {
    fn command(&mut self, tag: Tag, command: Command<'_>, now: Instant, sink: &mut dyn Sink) {
        self.now = now;
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
                Link::Dialing(attempt) => match ready!(attempt.as_mut().poll(cx)) {
                    Ok(stream) => {
                        self.link = Link::Up { stream, since: now };
                        self.talk.connected(now);
                    }
                    Err(reason) => self.link = Link::Broken { reason, since: now },
                },
                Link::Broken { reason, since } => {
                    let (reason, since) = (reason.clone(), *since);
                    if !self.hand_over_rest(now, credit, sink) {
                        return Poll::Pending;
                    }
                    self.lost(reason, since, now, sink);
                }
                Link::Up { .. } => {
                    let link = std::mem::replace(&mut self.link, Link::Down);
                    let Link::Up { mut stream, since } = link else {
                        return Poll::Pending;
                    };
                    let result = self.pump(cx, &mut stream, now, credit, sink);
                    let reason = match result {
                        Ok(()) if !self.talk.ending() => {
                            self.link = Link::Up { stream, since };
                            return Poll::Pending;
                        }
                        Ok(()) => gone("connection closed"),
                        Err(fault) => gone(&words(&fault)),
                    };
                    self.link = Link::Broken { reason, since };
                }
            }
        }
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

    fn close(&mut self, why: Close) {
        self.closing.get_or_insert(why);
    }
}

/// What was read and could not be handed over yet.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// So many of the bytes were looked through for PINGs, which are answered.
    peeked: usize,
    /// What comes until the next line end belongs to a line that is too long.
    skipping: bool,
}

impl Inbox {
    /// Takes what was just read: whole lines go on at once if the sink takes them.
    fn take(
        &mut self,
        chunk: &[u8],
        talk: &mut Conversation,
        encoding: &'static encoding_rs::Encoding,
        now: Instant,
        sink: &mut Counted<'_>,
    ) {
        let chunk = self.unskipped(chunk);
        if self.bytes.is_empty() {
            let used = hand_over(chunk, 0, talk, encoding, now, sink);
            self.bytes.extend_from_slice(&chunk[used..]);
        } else {
            self.bytes.extend_from_slice(chunk);
            self.drain(talk, encoding, now, sink);
        }
        let tail = memchr::memrchr(b'\n', &self.bytes).map_or(0, |end| end + 1);
        if self.bytes.len() - tail > LONGEST_LINE {
            tracing::debug!("irc line too long, dropped");
            self.bytes.truncate(tail);
            self.skipping = true;
        }
        if sink.left == 0 {
            self.peek(talk, encoding);
        }
    }

    /// Hands over the lines that wait, as far as the sink takes them.
    fn drain(
        &mut self,
        talk: &mut Conversation,
        encoding: &'static encoding_rs::Encoding,
        now: Instant,
        sink: &mut Counted<'_>,
    ) {
        if self.bytes.is_empty() {
            return;
        }
        let used = hand_over(&self.bytes, self.peeked, talk, encoding, now, sink);
        self.bytes.drain(..used);
        self.peeked = self.peeked.saturating_sub(used);
    }

    /// As [`drain`](Self::drain), of a connection that is gone: the conversation's end is behind
    /// all of it.
    fn drain_rest(
        &mut self,
        talk: &mut Conversation,
        encoding: &'static encoding_rs::Encoding,
        now: Instant,
        sink: &mut Counted<'_>,
    ) {
        let mut used = 0;
        while sink.left > 0
            && let Some(end) = memchr::memchr(b'\n', &self.bytes[used..])
        {
            let line = text(&self.bytes[used..used + end], encoding);
            used += end + 1;
            talk.line(&line, now, sink);
        }
        self.bytes.drain(..used);
    }

    /// Answers the PINGs among the lines that wait.
    fn peek(&mut self, talk: &mut Conversation, encoding: &'static encoding_rs::Encoding) {
        while let Some(end) = memchr::memchr(b'\n', &self.bytes[self.peeked..]) {
            let line = &self.bytes[self.peeked..self.peeked + end];
            talk.peek(&text(line, encoding));
            self.peeked += end + 1;
        }
    }

    fn unskipped<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        if !self.skipping {
            return chunk;
        }
        match memchr::memchr(b'\n', chunk) {
            Some(end) => {
                self.skipping = false;
                &chunk[end + 1..]
            }
            None => &[],
        }
    }

    /// Gives memory back that is not in use.
    fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
            self.peeked = 0;
        }
    }
}

/// Hands whole lines to the conversation while the sink takes events; returns the bytes used.
/// PINGs in the first `peeked` bytes are answered already.
fn hand_over(
    bytes: &[u8],
    peeked: usize,
    talk: &mut Conversation,
    encoding: &'static encoding_rs::Encoding,
    now: Instant,
    sink: &mut Counted<'_>,
) -> usize {
    let mut used = 0;
    while sink.left > 0 && !talk.ending() {
        let Some(end) = memchr::memchr(b'\n', &bytes[used..]) else {
            break;
        };
        let line = text(&bytes[used..used + end], encoding);
        used += end + 1;
        let answered = used <= peeked && crate::line::is_ping(&line);
        if !answered {
            talk.line(&line, now, sink);
        }
    }
    used
}

/// A line as text, without its end.
fn text<'a>(line: &'a [u8], encoding: &'static encoding_rs::Encoding) -> std::borrow::Cow<'a, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) => text.into(),
        Err(_) => encoding.decode_without_bom_handling(line).0,
    }
}

/// Counts events against the host's credit.
struct Counted<'a> {
    sink: &'a mut dyn Sink,
    left: u32,
}

impl Sink for Counted<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.left = self.left.saturating_sub(1);
        self.sink.event(event);
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

/// Connects to the first server of the route that answers.
async fn connect(dial: Arc<dyn Dial>, route: Arc<Route>) -> Result<BoxedStream, Fault> {
    let mut told = String::new();
    let mut kind = FaultKind::NetworkDown;
    for candidate in &route.candidates {
        match connect_to(&*dial, candidate, &route).await {
            Ok(stream) => return Ok(stream),
            Err(fault) => {
                kind = match fault.kind() {
                    io::ErrorKind::NotFound => FaultKind::NoSuchNetwork,
                    io::ErrorKind::PermissionDenied => FaultKind::NotAllowed,
                    _ => FaultKind::NetworkDown,
                };
                let Candidate { host, port, .. } = candidate;
                let separator = if told.is_empty() { "" } else { "; " };
                told.push_str(&format!("{separator}{host} port {port}: {}", words(&fault)));
            }
        }
    }
    Err(Fault::new(kind, told))
}

async fn connect_to(
    dial: &dyn Dial,
    candidate: &Candidate,
    route: &Route,
) -> io::Result<BoxedStream> {
    let Candidate { host, port, tls } = candidate;
    let stream = dial.dial(host, *port, route.reach).await?;
    if !tls {
        return Ok(stream);
    }
    let tls = Tls::shared(route.trust)?;
    within(HANDSHAKE, tls.connect(host, stream)).await
}

fn gone(words: &str) -> Fault {
    Fault::new(FaultKind::NetworkDown, words)
}

/// What the user is told of an I/O error.
fn words(fault: &io::Error) -> String {
    match fault.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by the server".to_owned(),
        io::ErrorKind::UnexpectedEof => "connection closed by the server".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => fault.to_string(),
    }
}

#[cfg(test)]
mod tests;
