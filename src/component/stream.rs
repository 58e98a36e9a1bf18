//! One stream to the server, from its header to its end.
//!
//! Reader and writer are two halves of one task. The reader hands each stanza to [`Inbound`] and
//! goes on; it waits for nothing but bytes, however slow the writer's peer is. The writer takes
//! what the outbox has next, puts a ping behind it when one is due, and otherwise sleeps.
//!
//! Not here: connecting, deciding when to try again.

use std::{
    borrow::Cow,
    future::Future,
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{info, warn};

use crate::xmpp::stream::{Frame, Limits, Splitter, Stanza, StanzaKind, StreamHeader};

use super::{
    Inbound,
    barrier::{Answer, Barrier, Notice},
    diagnosis::{self, Cut, Stage},
    dial::Transport,
    handshake,
    ledger::{Chunk, Next},
    outbox::Outbox,
    refuse,
};

/// What the streams of one component have in common.
pub(super) struct Streams {
    pub(super) outbox: Outbox,
    pub(super) inbound: std::sync::Arc<dyn Inbound>,
    pub(super) barrier: Mutex<Barrier>,
    pub(super) limits: Limits,
    /// Time to flush in once we drain.
    pub(super) grace: Duration,
    /// True from the moment the component is to stop.
    pub(super) shutdown: watch::Receiver<bool>,
    /// Told once that the server sends us what is not ours.
    pub(super) told_misdirected: AtomicBool,
}

/// A stream whose handshake was accepted.
pub(super) struct Established {
    transport: Box<dyn Transport>,
    splitter: Splitter,
    /// What the server calls itself or us, for the log.
    pub(super) header: StreamHeader,
}

impl Streams {
    /// Opens the stream and proves the secret (XEP-0114 §3). `stage` tells how far it came.
    pub(super) async fn open(
        &self,
        mut transport: Box<dyn Transport>,
        secret: &str,
        stage: &mut Stage,
    ) -> Result<Established, Cut> {
        let mut splitter = Splitter::new(self.limits);
        *stage = Stage::Opening;
        send(
            &mut transport,
            handshake::header(self.outbox.domain()).into(),
        )
        .await?;
        let header = match frame(&mut transport, &mut splitter).await? {
            Frame::Header(header) => header,
            other => return Err(ending(other).unwrap_or(Cut::NoId)),
        };
        // A refusal may follow right behind a header that has no id.
        if let Some(id) = &header.id {
            *stage = Stage::Authenticating;
            send(&mut transport, handshake::handshake(id, secret).into()).await?;
        }
        loop {
            match frame(&mut transport, &mut splitter).await? {
                Frame::Stanza(stanza) if stanza.kind() == StanzaKind::Handshake => {
                    return Ok(Established {
                        transport,
                        splitter,
                        header,
                    });
                }
                other => {
                    if let Some(cut) = ending(other) {
                        let close = handshake::CLOSE.as_bytes().into();
                        let _ = timeout(CLOSING, send(&mut transport, close)).await;
                        return Err(cut);
                    }
                    if header.id.is_none() {
                        return Err(Cut::NoId);
                    }
                }
            }
        }
    }

    /// Runs the stream to its end and closes it.
    pub(super) async fn run(&self, stream: Established) -> Cut {
        let Established {
            transport,
            mut splitter,
            ..
        } = stream;
        let (mut reader, mut writer) = tokio::io::split(transport);
        let cut = tokio::select! {
            cut = self.read(&mut reader, &mut splitter) => cut,
            cut = self.write(&mut writer) => cut,
            () = self.grace_over() => Cut::Drained,
        };
        let farewell = match &cut {
            Cut::Malformed(fault) => handshake::error(fault.condition),
            _ => handshake::CLOSE.to_owned(),
        };
        let _ = timeout(CLOSING, async {
            send(&mut writer, farewell.into()).await?;
            if matches!(cut, Cut::Drained) {
                // The server may still be sending; wait for its close (RFC 6120 §4.4).
                while ending(frame(&mut reader, &mut splitter).await?).is_none() {}
            }
            writer.shutdown().await.map_err(Cut::Io)
        })
        .await;
        cut
    }

    async fn read(&self, reader: &mut (impl AsyncRead + Unpin), splitter: &mut Splitter) -> Cut {
        loop {
            let next = match frame(reader, splitter).await {
                Ok(next) => next,
                Err(cut) => return cut,
            };
            match next {
                Frame::Stanza(stanza) => self.stanza(stanza),
                Frame::Refused(refusal) => self.inbound.refused(refusal),
                other => {
                    if let Some(cut) = ending(other) {
                        return cut;
                    }
                }
            }
        }
    }

    fn stanza(&self, stanza: Stanza) {
        if stanza.kind() == StanzaKind::Iq && self.is_barrier(&stanza) {
            return;
        }
        if !self.is_ours(stanza.to()) {
            if is_bounce(&stanza) && self.is_ours(stanza.from()) {
                // COMPAT(jabberd2 2.7): its router returns what it cannot deliver (its session
                // manager starts last) with the addresses unswapped. It was not received.
                return self.inbound.stanza(stanza.turned());
            }
            // COMPAT(ejabberd 23.01): a listener with several hosts sends each of them
            // everybody's. An answer would go round in circles.
            if !self.told_misdirected.swap(true, Ordering::Relaxed) {
                let to = stanza.to();
                warn!(
                    domain = self.outbox.domain(),
                    to = to.as_deref(),
                    "the server sends stanzas for another domain; ejabberd: global_routes: false, \
                     or one listener for each component"
                );
            }
            return;
        }
        if *self.shutdown.borrow() && refuse::stanza(&self.outbox, &stanza) {
            return;
        }
        self.inbound.stanza(stanza);
    }

    fn is_ours(&self, to: Option<Cow<'_, str>>) -> bool {
        to.is_none_or(|to| {
            let bare = to.split_once('/').map_or(&*to, |(bare, _)| bare);
            // COMPAT(jabberd2 2.7): delivers a@b@domain.
            let domain = bare.rsplit_once('@').map_or(bare, |(_, domain)| domain);
            domain.eq_ignore_ascii_case(self.outbox.domain())
        })
    }

    fn is_barrier(&self, stanza: &Stanza) -> bool {
        let (Some(id), Some(from)) = (stanza.id(), stanza.from()) else {
            return false;
        };
        let (answer, notice) = self.barrier().answer(&id, &from, Instant::now());
        if let Some(notice) = notice {
            self.tell(notice);
        }
        match answer {
            Answer::Unrelated => false,
            Answer::Spent => true,
            Answer::Proof(number) => {
                self.outbox.confirm(number);
                true
            }
        }
    }

    fn tell(&self, notice: Notice) {
        let domain = self.outbox.domain();
        let hint = diagnosis::second_connection(domain);
        match notice {
            Notice::Stranger => warn!(domain, hint, "a ping of another process came to us"),
            Notice::Losing => warn!(domain, hint, "our pings come back only now and then"),
            Notice::NoLoop => info!(
                domain,
                "the server does not send our pings to ourselves back; asking the server instead"
            ),
        }
    }

    async fn write(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Cut {
        loop {
            match self.step(writer).await {
                Ok(()) => {}
                Err(cut) => return cut,
            }
        }
    }

    /// Writes the next thing, or waits until there may be one.
    async fn step(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), Cut> {
        if self.barrier().is_dead(Instant::now()) {
            return Err(Cut::Silent);
        }
        match self.outbox.take() {
            Next::Write(chunk) => self.put(writer, Some(chunk)).await,
            Next::Load { after, upto } => match self.outbox.load(after, upto).await {
                Ok(chunk) => self.put(writer, chunk).await,
                Err(error) => {
                    warn!(domain = self.outbox.domain(), %error, "the spool cannot be read");
                    sleep(SPOOL_RETRY).await;
                    Ok(())
                }
            },
            Next::Full => self.rest(writer).await,
            Next::Idle if *self.shutdown.borrow() && self.outbox.is_settled() => Err(Cut::Drained),
            Next::Idle => self.rest(writer).await,
        }
    }

    /// Writes a chunk, if any, and the ping that is due behind it, if any.
    async fn put(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        chunk: Option<Chunk>,
    ) -> Result<(), Cut> {
        let (bytes, ping) = {
            let mut barrier = self.barrier();
            if let Some(chunk) = &chunk {
                barrier.writing(chunk.number, chunk.stanzas);
            }
            (
                chunk.map_or(Bytes::new(), |chunk| chunk.bytes),
                barrier.due(Instant::now()),
            )
        };
        let asked = ping.is_some();
        let ping: Bytes = ping.unwrap_or_default().into();
        send_all(writer, bytes.chain(ping)).await?;
        if asked {
            self.barrier().asked(Instant::now());
        }
        Ok(())
    }

    async fn rest(&self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), Cut> {
        let (deadline, give_up) = {
            let barrier = self.barrier();
            (barrier.deadline(), barrier.give_up())
        };
        if deadline <= Instant::now() {
            return self.put(writer, None).await;
        }
        tokio::select! {
            () = self.outbox.stirred() => {}
            () = sleep_until(give_up.map_or(deadline, |give_up| give_up.min(deadline))) => {}
            () = self.told_to_stop(), if !*self.shutdown.borrow() => {}
        }
        Ok(())
    }

    /// Waits for the order to stop.
    pub(super) async fn told_to_stop(&self) {
        let mut shutdown = self.shutdown.clone();
        if shutdown.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left to give the order: run on.
            std::future::pending::<()>().await;
        }
    }

    async fn grace_over(&self) {
        self.told_to_stop().await;
        sleep(self.grace).await;
    }

    pub(super) fn barrier(&self) -> MutexGuard<'_, Barrier> {
        self.barrier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message or presence that came back: nobody answers it, whoever takes it up.
fn is_bounce(stanza: &Stanza) -> bool {
    let kind = matches!(stanza.kind(), StanzaKind::Message | StanzaKind::Presence);
    kind && stanza.from().is_some() && stanza.kind_attr().as_deref() == Some("error")
}

/// The next frame of the stream.
async fn frame(
    reader: &mut (impl AsyncRead + Unpin),
    splitter: &mut Splitter,
) -> Result<Frame, Cut> {
    loop {
        if let Some(frame) = splitter.next().map_err(Cut::Malformed)? {
            return Ok(frame);
        }
        let buffer = splitter.buffer();
        buffer.reserve(READ);
        if reader.read_buf(buffer).await.map_err(Cut::Io)? == 0 {
            return Err(Cut::Eof);
        }
    }
}

/// Why the stream ends with this frame, if it does.
fn ending(frame: Frame) -> Option<Cut> {
    match frame {
        Frame::StreamError(error) => Some(Cut::Error(error)),
        Frame::End => Some(Cut::Closed),
        Frame::Header(_) | Frame::Stanza(_) | Frame::Refused(_) => None,
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), bytes: Bytes) -> Result<(), Cut> {
    send_all(writer, bytes).await
}

async fn send_all(writer: &mut (impl AsyncWrite + Unpin), mut bytes: impl Buf) -> Result<(), Cut> {
    let write = async {
        writer.write_all_buf(&mut bytes).await?;
        writer.flush().await
    };
    bounded(write).await
}

async fn bounded(write: impl Future<Output = io::Result<()>>) -> Result<(), Cut> {
    match timeout(STALL, write).await {
        Ok(done) => done.map_err(Cut::Io),
        Err(_) => Err(Cut::Stalled),
    }
}

/// Room for one read.
const READ: usize = 32 * 1024;
/// A peer that takes less than one segment in this time is given up, like one that is silent.
const STALL: Duration = Duration::from_secs(90);
/// Time for the farewell.
const CLOSING: Duration = Duration::from_secs(2);
const SPOOL_RETRY: Duration = Duration::from_secs(1);
