//! The two ends that a scenario plays: an XMPP server with components (XEP-0114), and IRC servers.
//! All connections are in memory.

use std::io;
use std::sync::{Arc, LazyLock};

use isthmus::component::{self, Transport};
use isthmus::xmpp::stream::Limits;
use isthmus::xmpp::{Frame, Splitter, Stanza, StanzaKind};
use isthmus_gateway::Later;
use isthmus_kit::{BoxedStream, Reach, Trust};
use isthmus_test_support::Https;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream,
    duplex,
};
use tokio::sync::{mpsc, oneshot};

use super::spelled;

/// Bytes a connection holds before its writer waits.
const PIPE: usize = 1 << 20;

/// The XMPP server's ends of the component's connections, as they are dialled.
pub(crate) struct Component(mpsc::UnboundedSender<DuplexStream>);

impl Component {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<DuplexStream>) {
        let (ends, dialled) = mpsc::unbounded_channel();
        (Arc::new(Self(ends)), dialled)
    }
}

impl component::Dial for Component {
    fn dial(&self) -> component::Later<io::Result<Box<dyn Transport>>> {
        let (ours, theirs) = duplex(PIPE);
        let sent = self
            .0
            .send(theirs)
            .map_err(|_| io::ErrorKind::ConnectionRefused.into());
        let transport = sent.map(|()| Box::new(ours) as Box<dyn Transport>);
        Box::pin(std::future::ready(transport))
    }
}

/// Plays the server on one connection: accepts the component, loops its pings to itself back, and
/// hands out its stanzas until the connection ends.
pub(crate) async fn serve(
    mut io: DuplexStream,
    mut out: mpsc::UnboundedReceiver<String>,
    stanzas: mpsc::UnboundedSender<Stanza>,
) {
    let mut splitter = Splitter::new(Limits::default());
    let mut open = false;
    loop {
        while let Some(frame) = splitter.next().expect("the component writes XMPP") {
            let answer = match frame {
                Frame::Header(_) => HEADER.to_owned(),
                Frame::Stanza(stanza) if stanza.kind() == StanzaKind::Handshake => {
                    open = true;
                    "<handshake/>".to_owned()
                }
                Frame::Stanza(stanza) if is_barrier(&stanza) => {
                    String::from_utf8_lossy(stanza.bytes()).into_owned()
                }
                Frame::Stanza(stanza) => {
                    let _ = stanzas.send(stanza);
                    continue;
                }
                Frame::End => return,
                other => panic!("the component sent {other:?}"),
            };
            if io.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        tokio::select! {
            read = io.read_buf(splitter.buffer()) => {
                if read.unwrap_or(0) == 0 {
                    return;
                }
            }
            text = out.recv(), if open => {
                let Some(text) = text else { return };
                if io.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' from='example.org' id='3BF96D32'>";

/// A ping of the component to itself, by which it knows what has arrived.
fn is_barrier(stanza: &Stanza) -> bool {
    stanza.kind() == StanzaKind::Iq && stanza.from() == stanza.to()
}

/// An attempt to reach an IRC server: where, and how to answer it.
pub(crate) struct Attempt {
    pub(crate) place: String,
    pub(crate) answer: oneshot::Sender<io::Result<BoxedStream>>,
}

/// Asks the scenario whenever the gateway wants a connection.
pub(crate) struct Irc(pub(crate) mpsc::UnboundedSender<Attempt>);

impl isthmus_kit::Dial for Irc {
    fn dial(&self, host: &str, port: u16, _reach: Reach) -> Later<io::Result<BoxedStream>> {
        let (answer, answered) = oneshot::channel();
        let place = format!("{host}:{port}");
        let told = self.0.send(Attempt { place, answer });
        Box::pin(async move {
            told.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            answered
                .await
                .map_err(|_| io::ErrorKind::ConnectionRefused)?
        })
    }
}

/// All web servers of all scenarios, at the port of `https`.
static WEB: LazyLock<Https> = LazyLock::new(|| Https::new("example.org"));

/// What makes their certificate good.
pub(crate) fn trust() -> Trust {
    let digest = ring::digest::digest(&ring::digest::SHA256, WEB.certificate());
    Trust::Pin(digest.as_ref().try_into().expect("32 bytes"))
}

/// The server's end of one IRC connection, or one to the web. Dropping it closes the connection.
pub(crate) struct Line {
    out: mpsc::UnboundedSender<Vec<u8>>,
    /// Spelled as in scenarios, but for control characters.
    pub(crate) lines: mpsc::UnboundedReceiver<String>,
    /// It said `QUIT`, and listens to nothing any more.
    pub(crate) quit: bool,
}

impl Line {
    pub(crate) fn accept(attempt: Attempt) -> Self {
        let (ours, theirs) = duplex(PIPE);
        // The gateway has given up if this fails, and the scenario sees that nothing comes.
        let _ = attempt.answer.send(Ok(Box::new(ours)));
        let (out, to_write) = mpsc::unbounded_channel();
        let (read, lines) = mpsc::unbounded_channel();
        if attempt.place.ends_with(":443") {
            tokio::spawn(async move {
                if let Ok(theirs) = WEB.accept(theirs).await {
                    irc(theirs, to_write, read).await;
                }
            });
        } else {
            tokio::spawn(irc(theirs, to_write, read));
        }
        Self {
            out,
            lines,
            quit: false,
        }
    }

    pub(crate) fn send(&self, text: &str) {
        let mut line = spelled::bytes(text);
        line.extend_from_slice(b"\r\n");
        let _ = self.out.send(line);
    }
}

async fn irc(
    io: impl AsyncRead + AsyncWrite,
    mut out: mpsc::UnboundedReceiver<Vec<u8>>,
    lines: mpsc::UnboundedSender<String>,
) {
    let (read, mut write) = tokio::io::split(io);
    // Not every network speaks UTF-8.
    let mut read = BufReader::new(read).split(b'\n');
    loop {
        tokio::select! {
            line = read.next_segment() => match line {
                Ok(Some(line)) => {
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    let _ = lines.send(spelled::text(line));
                }
                _ => return,
            },
            line = out.recv() => {
                let Some(line) = line else { return };
                if write.write_all(&line).await.is_err() {
                    return;
                }
            }
        }
    }
}
