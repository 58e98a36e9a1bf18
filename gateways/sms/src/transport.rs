//! The connection to a carrier: the only I/O of this gateway.
//!
//! One task owns the socket of a bind and never waits for anybody but the socket: submissions
//! come through a channel, deliveries go into a bounded one, and where that is full the carrier
//! is asked to send again. A bind that ends is made again with growing waits until drained.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_kit::{Backoff, BoxedStream, Dial, Reach, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};

use crate::config::Carrier;
use crate::translate::smpp::session::Request;
use crate::translate::smpp::{Event, Session, Settings, Sm, Status};

/// Whether there is a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    Down,
    Up,
    /// There will be none any more.
    Over,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The carrier answered.
    Answered { status: Status, id: String },
    /// No answer came: whether the carrier has it is not known.
    Lost,
    /// There is no bind; nothing was sent.
    Down,
}

/// What is asked of the task.
pub(crate) enum Command {
    Submit(Box<Sm>, oneshot::Sender<Verdict>),
    Answer(Ticket, Status),
}

/// A delivery that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// Over which bind it came.
    pub(crate) bind: u64,
    request: Request,
}

/// What comes from a carrier.
#[derive(Debug)]
pub(crate) enum Inbound {
    Delivered(Ticket, Box<Sm>),
    /// A bind ended.
    Ended,
}

/// The courier's end of a carrier.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) bind: watch::Receiver<Bind>,
}

impl Link {
    /// Submits a message. Whoever drops this future loses the verdict, not the submission.
    pub(crate) async fn submit(&self, sm: Sm) -> Verdict {
        let (reply, verdict) = oneshot::channel();
        if self
            .commands
            .send(Command::Submit(Box::new(sm), reply))
            .is_err()
        {
            return Verdict::Down;
        }
        verdict.await.unwrap_or(Verdict::Lost)
    }

    /// Waits until there is a bind; false: there was none in time.
    pub(crate) async fn up(&mut self, limit: Duration) -> bool {
        let up = self.bind.wait_for(|bind| *bind != Bind::Down);
        matches!(timeout(limit, up).await, Ok(Ok(bind)) if *bind == Bind::Up)
    }
}

/// The task of one carrier.
pub(crate) struct Transport {
    pub(crate) name: String,
    pub(crate) carrier: Carrier,
    pub(crate) dial: Arc<dyn Dial>,
    /// Unbounded: what is in it is leased by the host, which bounds that.
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) inbound: mpsc::Sender<Inbound>,
    pub(crate) bind: watch::Sender<Bind>,
    /// When all must have ended, once that is known.
    pub(crate) drained: watch::Receiver<Option<Instant>>,
    pub(crate) seed: u64,
}

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Commands taken at once, so that what they write goes out in one piece.
const BATCH: usize = 64;
/// What a last write may take.
const LAST_WRITE: Duration = Duration::from_millis(500);
/// For connecting and shaking hands.
const CONNECT: Duration = Duration::from_secs(30);

impl Transport {
    /// Binds, again and again, until drained.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(self.seed);
        let mut binds = 0;
        while self.drained.borrow().is_none() {
            match self.connect_or_drain().await {
                Some(Ok(stream)) => {
                    binds += 1;
                    let was_up = Connection::new(&mut self, stream, binds).run().await;
                    self.bind.send_replace(Bind::Down);
                    // Nobody listens only where all ends.
                    let _ = self.inbound.send(Inbound::Ended).await;
                    if was_up {
                        backoff.reset();
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(carrier = self.name, %error, "the carrier cannot be reached");
                }
                None => break,
            }
            self.wait(backoff.wait()).await;
        }
        self.bind.send_replace(Bind::Over);
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            refuse(command);
        }
    }

    async fn connect_or_drain(&mut self) -> Option<io::Result<BoxedStream>> {
        let (carrier, dial) = (self.carrier.clone(), Arc::clone(&self.dial));
        let mut drained = self.drained.clone();
        let connect = timeout(CONNECT, connect(carrier, dial));
        tokio::pin!(connect);
        loop {
            tokio::select! {
                result = &mut connect => {
                    let late = || Err(io::Error::from(io::ErrorKind::TimedOut));
                    return Some(result.unwrap_or_else(|_| late()));
                }
                command = self.commands.recv() => refuse(command?),
                _ = drained.wait_for(Option::is_some) => return None,
            }
        }
    }

    /// Waits for the next try; whoever submits meanwhile is told at once.
    async fn wait(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        let mut drained = self.drained.clone();
        loop {
            tokio::select! {
                () = sleep_until(end) => return,
                command = self.commands.recv() => match command {
                    Some(command) => refuse(command),
                    None => return,
                },
                _ = drained.wait_for(Option::is_some) => return,
            }
        }
    }
}

async fn connect(carrier: Carrier, dial: Arc<dyn Dial>) -> io::Result<BoxedStream> {
    // The operator named the host: private addresses are fine.
    let stream = dial.dial(&carrier.host, carrier.port, Reach::Any).await?;
    match carrier.tls {
        Some(trust) => Tls::shared(trust)?.connect(&carrier.host, stream).await,
        None => Ok(stream),
    }
}

/// Nothing was sent, and an answer has nowhere to go.
fn refuse(command: Command) {
    if let Command::Submit(_, reply) = command {
        // Whoever asked may have gone.
        let _ = reply.send(Verdict::Down);
    }
}

/// One bind on one connection.
struct Connection<'a> {
    transport: &'a mut Transport,
    reader: ReadHalf<BoxedStream>,
    writer: WriteHalf<BoxedStream>,
    session: Session,
    number: u64,
    replies: HashMap<u64, oneshot::Sender<Verdict>>,
    token: u64,
    /// Written and not flushed.
    dirty: bool,
    was_up: bool,
}

/// Writes what goes, or flushes where there is nothing to write.
async fn push(writer: &mut WriteHalf<BoxedStream>, out: &[u8]) -> io::Result<usize> {
    if out.is_empty() {
        writer.flush().await?;
        return Ok(0);
    }
    match writer.write(out).await? {
        0 => Err(io::Error::from(io::ErrorKind::WriteZero)),
        count => Ok(count),
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl<'a> Connection<'a> {
    fn new(transport: &'a mut Transport, stream: BoxedStream, number: u64) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let carrier = &transport.carrier;
        let settings = Settings {
            system_id: carrier.system_id.clone(),
            password: carrier.password.0.clone(),
            system_type: carrier.system_type.clone(),
            window: usize::try_from(carrier.window).unwrap_or(1),
            rate: carrier.rate,
            keep_alive: carrier.keep_alive,
            response_timeout: carrier.response_timeout,
        };
        Self {
            transport,
            reader,
            writer,
            session: Session::new(settings, now()),
            number,
            replies: HashMap::new(),
            token: 0,
            dirty: false,
            was_up: false,
        }
    }

    /// Runs until the bind ends; whether it ever stood.
    async fn run(mut self) -> bool {
        let mut buffer = vec![0; CHUNK];
        let mut drained = self.transport.drained.clone();
        let mut ending = false;
        while !self.session.is_closed() {
            let deadline = self.deadline(ending, &drained);
            let to_write = !self.session.out().is_empty();
            tokio::select! {
                read = self.reader.read(&mut buffer) => match read {
                    Ok(0) => self.session.close("the carrier closed the connection"),
                    Ok(count) => self.session.receive(&buffer[..count], now()),
                    Err(error) => self.session.close(&error.to_string()),
                },
                pushed = push(&mut self.writer, self.session.out()), if to_write || self.dirty => {
                    match pushed {
                        Ok(count) => {
                            self.session.written(count);
                            self.dirty = count > 0;
                        }
                        Err(error) => self.session.close(&error.to_string()),
                    }
                }
                Some(command) = self.transport.commands.recv() => self.commands(command),
                () = sleep_until(deadline.into()) => self.session.tick(now()),
                _ = drained.wait_for(Option::is_some), if !ending => ending = true,
            }
            if ending {
                self.end(&drained);
            }
            self.events();
        }
        self.events();
        self.last_write().await;
        self.was_up
    }

    fn deadline(&self, ending: bool, drained: &watch::Receiver<Option<Instant>>) -> Instant {
        let far = now() + Duration::from_secs(3600);
        let own = self.session.deadline(now()).unwrap_or(far);
        match *drained.borrow() {
            Some(until) if ending => own.min(until),
            _ => own,
        }
    }

    /// Says goodbye as soon as nothing is open, and ends in time whatever is.
    fn end(&mut self, drained: &watch::Receiver<Option<Instant>>) {
        let until = *drained.borrow();
        if until.is_some_and(|until| until <= now()) {
            self.session.close("the time to drain is over");
        } else if self.session.is_idle() {
            self.session.unbind(now());
        }
    }

    /// Takes what is there, so that it goes out in one piece.
    fn commands(&mut self, first: Command) {
        self.command(first);
        for _ in 1..BATCH {
            let Ok(command) = self.transport.commands.try_recv() else {
                return;
            };
            self.command(command);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Submit(sm, reply) if self.session.is_bound() => {
                self.token += 1;
                self.replies.insert(self.token, reply);
                self.session.submit(self.token, *sm, now());
            }
            // An answer belongs to the bind the request came over.
            Command::Answer(ticket, status) if ticket.bind == self.number => {
                self.session.answer(ticket.request, status);
            }
            other => refuse(other),
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.session.event() {
            match event {
                Event::Bound(system) => {
                    self.was_up = true;
                    self.transport.bind.send_replace(Bind::Up);
                    let carrier = &self.transport.name;
                    tracing::info!(carrier, system, "bound to the carrier");
                }
                Event::Answered { token, status, id } => {
                    self.reply(token, Verdict::Answered { status, id });
                }
                Event::Lost(token) => self.reply(token, Verdict::Lost),
                Event::Delivered { request, sm } => {
                    let bind = self.number;
                    let ticket = Ticket { bind, request };
                    let inbound = Inbound::Delivered(ticket, sm);
                    if self.transport.inbound.try_send(inbound).is_err() {
                        self.session.answer(request, Status::RECEIVER_TEMPORARY);
                    }
                }
                Event::Closed(reason) => {
                    let carrier = &self.transport.name;
                    tracing::warn!(carrier, reason, "the bind ended");
                }
            }
        }
    }

    fn reply(&mut self, token: u64, verdict: Verdict) {
        if let Some(reply) = self.replies.remove(&token) {
            // Whoever asked may have gone.
            let _ = reply.send(verdict);
        }
    }

    /// What was said last, an answer to an unbind for instance, if the carrier still listens.
    async fn last_write(&mut self) {
        let out = self.session.out().to_vec();
        let write = async {
            self.writer.write_all(&out).await?;
            self.writer.shutdown().await
        };
        // It is over in any case.
        let _ = timeout(LAST_WRITE, write).await;
    }
}
