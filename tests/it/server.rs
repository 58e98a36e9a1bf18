//! A scripted XMPP server at the other end of a component's stream (XEP-0114), in memory.
//!
//! It takes the handshake, hands every stanza in order to whoever plays the clients, sends the
//! component's pings to itself back, and does what servers do on bad days: cut the stream at any
//! byte, answer late or never, stop reading.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use isthmus::component::{Dial, Later, Transport};
use isthmus::xmpp::element::Element;
use isthmus::xmpp::stream::{Frame, Limits, Splitter, Stanza, StanzaKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::dice::Dice;

/// Where in the whole of what was received a stanza stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Stanzas before it, on all streams.
    pub(crate) index: usize,
    /// What came before this index was confirmed to the component on an earlier stream: it must
    /// not come again.
    pub(crate) settled: usize,
    /// It came before, on an earlier stream.
    pub(crate) repeated: bool,
}

/// Whoever plays the clients behind the server. Returns stanzas for the component.
pub(crate) trait Clients: Send {
    fn receive(&mut self, stanza: &Element, at: Position) -> Vec<String>;
}

/// How the server behaves.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// A stream is cut after at most so many bytes from the component; `None`: never.
    pub(crate) cut_within: Option<u64>,
    /// A ping is answered after up to so many milliseconds.
    pub(crate) pong_ms: u64,
    /// One ping in so many is not answered; 0: all are.
    pub(crate) lost_pongs: u64,
    /// Whether it reads.
    pub(crate) reads: bool,
}

impl Manner {
    /// A server on a good day.
    pub(crate) fn calm() -> Self {
        Self {
            cut_within: None,
            pong_ms: 0,
            lost_pongs: 0,
            reads: true,
        }
    }
}

struct State {
    manner: Manner,
    dice: Dice,
    /// Stanzas for the component.
    out: VecDeque<String>,
    up: bool,
    cut: bool,
    /// Stanzas received, on all streams.
    index: usize,
    settled: usize,
    streams: usize,
    /// What may come again, oldest first: messages, and that somebody is out.
    unsettled: VecDeque<(usize, Vec<u8>)>,
}

struct Inner {
    state: Mutex<State>,
    stirred: Notify,
    dialled: mpsc::UnboundedSender<DuplexStream>,
    pipe: usize,
}

/// A handle to the server.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

impl Server {
    /// A server whose connections hold `pipe` bytes each way; `clients` get what it receives.
    pub(crate) fn start<C: Clients + 'static>(
        manner: Manner,
        dice: Dice,
        pipe: usize,
        clients: Arc<Mutex<C>>,
    ) -> Self {
        let (dialled, mut connections) = mpsc::unbounded_channel();
        let state = State {
            manner,
            dice,
            out: VecDeque::new(),
            up: false,
            cut: false,
            index: 0,
            settled: 0,
            streams: 0,
            unsettled: VecDeque::new(),
        };
        let server = Self(Arc::new(Inner {
            state: Mutex::new(state),
            stirred: Notify::new(),
            dialled,
            pipe,
        }));
        let this = server.clone();
        tokio::spawn(async move {
            while let Some(io) = connections.recv().await {
                let mut stream = Stream::new(io, this.clone());
                // What ends a stream is a cut, whoever made it.
                let _ = stream.run(&clients).await;
                stream.end().await;
            }
        });
        server
    }

    /// Sends a stanza to the component; false: there is no stream, and it is lost.
    pub(crate) fn send(&self, stanza: String) -> bool {
        let mut state = self.state();
        if state.up {
            state.out.push_back(stanza);
            self.0.stirred.notify_one();
        }
        state.up
    }

    /// Behaves like that from now on.
    pub(crate) fn behave(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state().manner);
        self.0.stirred.notify_one();
    }

    /// Cuts the stream.
    pub(crate) fn cut(&self) {
        let mut state = self.state();
        state.cut = state.up;
        self.0.stirred.notify_one();
    }

    /// Streams so far.
    pub(crate) fn streams(&self) -> usize {
        self.state().streams
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no test panics with it")
    }
}

impl Dial for Server {
    fn dial(&self) -> Later<io::Result<Box<dyn Transport>>> {
        let (ours, theirs) = duplex(self.0.pipe);
        let sent = self.0.dialled.send(theirs);
        Box::pin(async move {
            sent.map_err(io::Error::other)?;
            Ok(Box::new(ours) as Box<dyn Transport>)
        })
    }
}

/// How long a component needs at most to take an answer to heart that it can read.
const HEARD: Duration = Duration::from_millis(50);

struct Stream {
    io: DuplexStream,
    server: Server,
    splitter: Splitter,
    /// Bytes until the cut.
    left: Option<u64>,
    /// Answers to pings, and what was received before each.
    pongs: VecDeque<(Instant, usize, String)>,
    /// Answers that went out, and what was received before the ping.
    proofs: Vec<(Instant, usize)>,
    /// What came on earlier streams and may come again on this one.
    before: VecDeque<(usize, Vec<u8>)>,
}

impl Stream {
    fn new(io: DuplexStream, server: Server) -> Self {
        let (left, before) = {
            let mut state = server.state();
            state.streams += 1;
            let within = state.manner.cut_within;
            let left = within.map(|bytes| state.dice.roll(bytes));
            (left, std::mem::take(&mut state.unsettled))
        };
        Self {
            io,
            server,
            splitter: Splitter::new(Limits::default()),
            left,
            pongs: VecDeque::new(),
            proofs: Vec::new(),
            before,
        }
    }

    async fn run<C: Clients>(&mut self, clients: &Mutex<C>) -> io::Result<()> {
        loop {
            while let Some(frame) = self.splitter.next().expect("the component writes XML") {
                match frame {
                    Frame::Header(_) => {
                        let open = "<stream:stream xmlns='jabber:component:accept' \
                            xmlns:stream='http://etherx.jabber.org/streams' from='c' id='s1'>";
                        self.io.write_all(open.as_bytes()).await?;
                    }
                    Frame::Stanza(stanza) if stanza.kind() == StanzaKind::Handshake => {
                        self.io.write_all(b"<handshake/>").await?;
                        self.server.state().up = true;
                    }
                    Frame::Stanza(stanza) => self.stanza(&stanza, clients),
                    Frame::End => return Ok(()),
                    other => panic!("the component wrote {other:?}"),
                }
            }
            self.step().await?;
        }
    }

    fn stanza<C: Clients>(&mut self, stanza: &Stanza, clients: &Mutex<C>) {
        if stanza.id().is_some_and(|id| id.starts_with("barrier-")) {
            return self.ping(stanza);
        }
        let repeated = self.is_repeated(stanza);
        let at = {
            let mut state = self.server.state();
            let index = state.index;
            state.index += 1;
            // Who is never cut need not know.
            if self.left.is_some() && is_kept(stanza) {
                state.unsettled.push_back((index, stanza.bytes().to_vec()));
            }
            Position {
                index,
                settled: state.settled,
                repeated,
            }
        };
        let element = stanza.element().expect("the component writes XML");
        let answers = clients.lock().expect("no panic").receive(&element, at);
        self.server.state().out.extend(answers);
        self.server.0.stirred.notify_one();
    }

    /// Whether it came before. What is sent again comes in order, so what stood before it does not.
    fn is_repeated(&mut self, stanza: &Stanza) -> bool {
        let mut before = self.before.iter();
        let found = before.position(|(_, bytes)| bytes[..] == stanza.bytes()[..]);
        if let Some(at) = found {
            self.before.drain(..=at);
        }
        found.is_some()
    }

    fn ping(&mut self, stanza: &Stanza) {
        let mut state = self.server.state();
        let manner = state.manner.clone();
        if manner.lost_pongs > 0 && state.dice.one_in(manner.lost_pongs) {
            return;
        }
        let at = Instant::now() + state.dice.up_to_ms(manner.pong_ms);
        // A server answers in order.
        let at = self.pongs.back().map_or(at, |(last, ..)| at.max(*last));
        let (from, to) = (
            stanza.from().unwrap_or_default(),
            stanza.to().unwrap_or_default(),
        );
        let pong = if from == to {
            String::from_utf8_lossy(stanza.bytes()).into_owned()
        } else {
            let id = stanza.id().unwrap_or_default();
            format!("<iq type='result' from='{to}' to='{from}' id='{id}'/>")
        };
        self.pongs.push_back((at, state.index, pong));
    }

    /// Waits for one thing and does it.
    async fn step(&mut self) -> io::Result<()> {
        let (reads, out, cut) = {
            let mut state = self.server.state();
            if state.manner.cut_within.is_none() {
                // What was rolled on a bad day is not for a good one.
                self.left = None;
            }
            (state.manner.reads, state.out.pop_front(), state.cut)
        };
        if cut {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if let Some(out) = out {
            return self.io.write_all(out.as_bytes()).await;
        }
        if self
            .pongs
            .front()
            .is_some_and(|(at, ..)| *at <= Instant::now())
            && let Some((_, index, pong)) = self.pongs.pop_front()
        {
            self.io.write_all(pong.as_bytes()).await?;
            self.proofs.push((Instant::now() + HEARD, index));
            return Ok(());
        }
        let far = Instant::now() + Duration::from_secs(3600);
        let due = self.pongs.front().map_or(far, |(at, ..)| *at);
        let room = self.left.unwrap_or(READ).min(READ);
        if room == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let mut chunk = vec![0; usize::try_from(room).expect("small")];
        tokio::select! {
            biased;
            () = self.server.0.stirred.notified() => {}
            read = self.io.read(&mut chunk), if reads => match read? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    self.left = self.left.map(|left| left - n as u64);
                    self.splitter.buffer().extend_from_slice(&chunk[..n]);
                }
            },
            () = tokio::time::sleep_until(due) => {}
        }
        Ok(())
    }

    /// The stream is over. What was to go out is lost, but for a part of the first stanza.
    async fn end(&mut self) {
        let now = Instant::now();
        let torn = {
            let mut state = self.server.state();
            state.up = false;
            state.cut = false;
            let heard = self.proofs.iter().filter(|(at, _)| *at <= now);
            let heard = heard.map(|(_, index)| *index).max().unwrap_or(0);
            state.settled = state.settled.max(heard);
            let settled = state.settled;
            // What this stream did not come to say again follows what it said.
            let mut unsettled = std::mem::take(&mut state.unsettled);
            unsettled.append(&mut self.before);
            unsettled.retain(|(index, _)| *index >= settled);
            state.unsettled = unsettled;
            let first = state.out.pop_front().unwrap_or_default();
            state.out.clear();
            let bytes = usize::try_from(state.dice.roll(first.len() as u64 + 1)).expect("small");
            first.as_bytes()[..bytes].to_vec()
        };
        // The component may be gone.
        let _ = tokio::time::timeout(HEARD, self.io.write_all(&torn)).await;
    }
}

/// Whether a component sends that again when it was not proven to have arrived.
fn is_kept(stanza: &Stanza) -> bool {
    match stanza.kind() {
        StanzaKind::Message => true,
        StanzaKind::Presence => stanza.kind_attr().as_deref() == Some("unavailable"),
        _ => false,
    }
}

/// Bytes read at once.
const READ: u64 = 16 * 1024;
