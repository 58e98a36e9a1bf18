//! The component against a scripted server: in-memory connections, paused clock.

mod cuts;
mod life;
mod pings;
mod pressure;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::xmpp::{
    stream::{Frame, Limits as StreamLimits, Refusal, Splitter, Stanza, StanzaKind},
    write::{Head, Sender, StanzaName},
};

use super::{
    Batch, Class, Component, ComponentConfig, Dial, Inbound, Later, Mark, MemorySpool, Outbox,
    Transport,
};

pub(super) const DOMAIN: &str = "irc.example.org";

/// What the host was told.
#[derive(Debug)]
pub(super) enum Event {
    Stanza(Stanza),
    Refused(Refusal),
    Up(Mark),
    Down,
}

struct Host(mpsc::UnboundedSender<Event>);

impl Inbound for Host {
    fn stanza(&self, stanza: Stanza) {
        let _ = self.0.send(Event::Stanza(stanza));
    }

    fn refused(&self, refusal: Refusal) {
        let _ = self.0.send(Event::Refused(refusal));
    }

    fn up(&self, confirmed: Mark) {
        let _ = self.0.send(Event::Up(confirmed));
    }

    fn down(&self) {
        let _ = self.0.send(Event::Down);
    }
}

/// Hands the server's end of each connection to the test.
pub(super) struct Wire {
    room: usize,
    refuse: Mutex<usize>,
    dialled: Mutex<Vec<Instant>>,
    ends: mpsc::UnboundedSender<DuplexStream>,
}

impl Dial for Wire {
    fn dial(&self) -> Later<io::Result<Box<dyn Transport>>> {
        self.dialled.lock().unwrap().push(Instant::now());
        let mut refuse = self.refuse.lock().unwrap();
        let result = if *refuse > 0 {
            *refuse -= 1;
            Err(io::ErrorKind::ConnectionRefused.into())
        } else {
            let (ours, theirs) = duplex(self.room);
            let _ = self.ends.send(theirs);
            Ok(Box::new(ours) as Box<dyn Transport>)
        };
        Box::pin(std::future::ready(result))
    }
}

/// A component and everything around it.
pub(super) struct Rig {
    pub(super) outbox: Outbox,
    pub(super) spool: Arc<MemorySpool>,
    pub(super) wire: Arc<Wire>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) task: JoinHandle<()>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    ends: mpsc::UnboundedReceiver<DuplexStream>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| {}, Arc::default(), 64 * 1024)
    }

    pub(super) fn with(
        change: impl FnOnce(&mut ComponentConfig),
        spool: Arc<MemorySpool>,
        room: usize,
    ) -> Self {
        let mut config = ComponentConfig::new(DOMAIN, "localhost", 5347, "secret");
        change(&mut config);
        let (ends_in, ends) = mpsc::unbounded_channel();
        let (told, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let wire = Arc::new(Wire {
            room,
            refuse: Mutex::new(0),
            dialled: Mutex::default(),
            ends: ends_in,
        });
        let (outbox, task) = Component::spawn_over(
            wire.clone(),
            config,
            Arc::new(Host(told)),
            spool.clone(),
            stopped,
        );
        Self {
            outbox,
            spool,
            wire,
            stop,
            task,
            events,
            ends,
        }
    }

    /// The next connection, nothing said yet.
    pub(super) async fn connection(&mut self) -> Peer {
        Peer::new(soon(self.ends.recv()).await.expect("the component lives"))
    }

    /// The next connection, with its handshake accepted.
    pub(super) async fn stream(&mut self) -> Peer {
        let mut peer = self.connection().await;
        peer.open().await;
        peer.send("<handshake/>").await;
        peer
    }

    pub(super) async fn event(&mut self) -> Event {
        soon(self.events.recv()).await.expect("the component lives")
    }

    /// Waits for the stream to be up.
    pub(super) async fn up(&mut self) -> Mark {
        loop {
            if let Event::Up(mark) = self.event().await {
                return mark;
            }
        }
    }
}

/// The server's end of one connection.
pub(super) struct Peer {
    io: DuplexStream,
    splitter: Splitter,
    pub(super) pings: Vec<String>,
}

impl Peer {
    fn new(io: DuplexStream) -> Self {
        Self {
            io,
            splitter: Splitter::new(StreamLimits::default()),
            pings: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.io
            .write_all(text.as_bytes())
            .await
            .expect("the component reads");
    }

    /// Reads the component's header and handshake, gives ours.
    pub(super) async fn open(&mut self) {
        assert!(matches!(self.next().await, Some(Frame::Header(_))));
        self.send(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' from='irc.example.org' \
             version='1.0' xml:lang='en' id='3BF96D32'>",
        )
        .await;
        let Some(Frame::Stanza(stanza)) = self.next().await else {
            panic!("no handshake")
        };
        assert_eq!(stanza.kind(), StanzaKind::Handshake);
    }

    /// The next frame; `None` at the end of the connection.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.splitter.next().expect("we write XMPP") {
                return Some(frame);
            }
            let n = soon(self.io.read_buf(self.splitter.buffer()))
                .await
                .unwrap_or(0);
            if n == 0 {
                return None;
            }
        }
    }

    /// The next stanza that is no ping to itself; pings are kept in `pings`.
    pub(super) async fn stanza(&mut self) -> Stanza {
        loop {
            match self.next().await {
                Some(Frame::Stanza(stanza)) if is_ping(&stanza) => {
                    self.pings.push(text(&stanza));
                }
                Some(Frame::Stanza(stanza)) => return stanza,
                other => panic!("expected a stanza, got {other:?}"),
            }
        }
    }

    /// The next ping.
    pub(super) async fn ping(&mut self) -> String {
        loop {
            if let Some(ping) = self.pings.pop() {
                return ping;
            }
            match self.next().await {
                Some(Frame::Stanza(stanza)) if is_ping(&stanza) => return text(&stanza),
                Some(_) => {}
                None => panic!("the connection ended before a ping"),
            }
        }
    }

    /// Loops pings back until the connection or the stream ends. Returns the ids of the rest.
    pub(super) async fn loop_back(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        while let Some(frame) = self.next().await {
            match frame {
                Frame::Stanza(stanza) if is_ping(&stanza) => self.send(&text(&stanza)).await,
                Frame::Stanza(stanza) => ids.push(id(&stanza)),
                Frame::End => break,
                other => panic!("unexpected {other:?}"),
            }
        }
        ids
    }
}

pub(super) fn is_ping(stanza: &Stanza) -> bool {
    stanza.kind() == StanzaKind::Iq && id(stanza).starts_with("barrier-")
}

pub(super) fn id(stanza: &Stanza) -> String {
    stanza.id().unwrap_or_default().into_owned()
}

pub(super) fn text(stanza: &Stanza) -> String {
    String::from_utf8(stanza.bytes().to_vec()).expect("XML is UTF-8")
}

/// Bounds a wait by far more than anything takes, on the paused clock.
pub(super) async fn soon<T>(wait: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(3600), wait)
        .await
        .expect("nothing happened for an hour")
}

/// Adds a stanza with this id.
pub(super) fn add(batch: &mut Batch<'_>, class: Class, id: &str) -> Mark {
    let (name, kind) = match class {
        Class::Message => (StanzaName::Message, Some("chat")),
        Class::IqResult => (StanzaName::Iq, Some("result")),
        Class::IqRequest => (StanzaName::Iq, Some("get")),
        Class::Presence => (StanzaName::Presence, None),
    };
    let head = Head {
        name,
        domain: "",
        from: Sender::default(),
        to: "juliet@example.org",
        kind,
        id: Some(id),
    };
    batch.stanza(class, head, |xml| {
        if class == Class::Message {
            xml.text_element("body", "wherefore art thou");
        }
    })
}

pub(super) fn push(outbox: &Outbox, class: Class, id: &str) -> Mark {
    outbox.push(|batch| {
        add(batch, class, id);
    })
}
