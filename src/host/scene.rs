//! A served domain with the loopback gateway as its network, whose XMPP server is the test.

use std::sync::Arc;
use std::time::Duration;

use isthmus_loopback::{Config, Control, Loopback};
use tempfile::TempDir;

use crate::component::{Inbound, Outbox, Tap};
use crate::host::courier::CourierHost;
use crate::host::{Access, Domain, Limits, Reader, Shared};
use crate::queue::Tuning;
use crate::store::jobs::NewJob;
use crate::store::{SqliteStore, Store};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;
use crate::xmpp::stream::{Frame, Limits as StreamLimits, Splitter, Stanza};

/// What nobody said by then is taken for never said; a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A served domain whose XMPP server is the test.
pub(crate) struct Scene {
    reader: Reader,
    tap: Tap,
    pub(crate) seen: Vec<Element>,
    pub(crate) store: Arc<dyn Store>,
    /// The foreign side.
    pub(crate) control: Control,
    outbox: Outbox,
    config: Config,
    _dir: TempDir,
}

/// Limits that no test reaches by accident.
pub(crate) fn limits() -> Limits {
    Limits {
        history: 20,
        rooms_per_user: 10,
        networks_per_user: 10,
        sessions: 100,
        inbox: 64,
        stanzas_per_second: 1000,
        stanzas_burst: 1000,
        attachment: 1024,
        attachments_total: 1_048_576,
        attachments_per_user: 0,
        attachment_age: std::time::Duration::ZERO,
        receipt_timeout: std::time::Duration::from_secs(3600),
    }
}

impl Scene {
    pub(crate) fn open() -> Self {
        Self::with(Config {
            delay_ms: 20,
            ..Config::default()
        })
    }

    /// With a network where nothing that is late comes within a test.
    pub(crate) fn patient() -> Self {
        Self::with(Config {
            delay_ms: 600_000,
            ..Config::default()
        })
    }

    /// With a network of these settings.
    pub(crate) fn with(config: Config) -> Self {
        Self::tuned(config, Tuning::default())
    }

    /// The program is started again; what was on disk is.
    pub(crate) fn restart(self) -> Self {
        let Self {
            _dir: dir,
            config,
            store,
            ..
        } = self;
        drop(store);
        Self::in_dir(config, Tuning::default(), dir)
    }

    /// With a queue of this tuning, its retries apart.
    pub(crate) fn tuned(config: Config, tuning: Tuning) -> Self {
        let dir = tempfile::tempdir().expect("a scratch directory");
        Self::in_dir(config, tuning, dir)
    }

    fn in_dir(config: Config, tuning: Tuning, dir: TempDir) -> Self {
        let store = SqliteStore::open(&dir.path().join("isthmus.db")).expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let tuning = Tuning {
            retry: 10,
            retry_max: 20,
            ..tuning
        };
        let shared = Arc::new(Shared::new(Arc::clone(&store), limits()).with_queue(tuning));
        let gateway = Loopback::new(config.clone());
        let control = gateway.control();
        let gateway = Arc::new(gateway);
        let allow = [BareJid::parse("example.org").expect("a JID")];
        let domain = Domain::new(gateway, shared, Access::new(&allow, &[]));
        let (outbox, tap) = Tap::new("loop.example.org");
        domain.attach(outbox.clone());
        Self {
            reader: Reader(domain),
            tap,
            seen: Vec::new(),
            store,
            control,
            outbox,
            config,
            _dir: dir,
        }
    }

    /// Breaks the stream; what has been read was confirmed.
    pub(crate) fn cut(&self) {
        self.tap.cut();
        self.reader.down();
    }

    /// Brings the stream up again.
    pub(crate) fn up(&self) {
        self.tap.up();
        self.reader.up(self.outbox.confirmed());
    }

    /// Hands over a stanza as the server would.
    pub(crate) fn give(&self, text: &str) {
        self.reader.stanza(stanza(text));
    }

    /// An iq to the gateway itself, from a resource of a user.
    pub(crate) fn ask(&self, from: &str, kind: &str, id: &str, payload: &str) {
        self.give(&format!(
            "<iq from='{from}' to='loop.example.org' type='{kind}' id='{id}'>{payload}</iq>"
        ));
    }

    /// Puts a message into the queue, as if a stanza had asked for it.
    pub(crate) async fn hand_out(&self, job: NewJob) {
        let courier = self.reader.0.courier().expect("a gateway with a queue");
        courier.take(job).await.expect("taken");
    }

    /// The store-and-forward face.
    pub(crate) fn courier(&self) -> Arc<CourierHost> {
        let courier = self.reader.0.courier();
        Arc::clone(courier.expect("a gateway with a queue"))
    }

    pub(crate) fn send(&self, to: &str, id: &str, payload: &str) {
        let to = format!("{to}@loop.example.org");
        let text = format!(
            "<message from='juliet@example.org/balcony' to='{to}' id='{id}' type='chat'>{payload}\
             </message>"
        );
        self.give(&text);
    }

    /// The answer to an iq; a second one would be left over.
    pub(crate) async fn answer(&mut self, id: &str) -> Element {
        self.expect("answer", |it| {
            it.name() == "iq" && it.attr("id") == Some(id)
        })
        .await
    }

    /// Waits for a stanza.
    pub(crate) async fn expect(
        &mut self,
        what: &str,
        wanted: impl Fn(&Element) -> bool,
    ) -> Element {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(at) = self.seen.iter().position(&wanted) {
                    return self.seen.remove(at);
                }
                let stanzas = self.tap.read();
                if stanzas.is_empty() {
                    self.tap.stirred().await;
                    continue;
                }
                self.tap.confirm();
                let stream = format!("<all xmlns='{}'>{stanzas}</all>", ns::COMPONENT);
                let all = Element::parse(stream.as_bytes()).expect("well-formed");
                self.seen.extend(all.children().cloned());
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("no {what}; there was {:?}", self.seen),
        }
    }

    pub(crate) async fn expect_receipt(&mut self, id: &str) -> Element {
        self.expect("receipt", |stanza| {
            stanza
                .child("received", ns::RECEIPTS)
                .is_some_and(|r| r.attr("id") == Some(id))
        })
        .await
    }

    pub(crate) async fn expect_error(&mut self, id: &str, condition: &str) {
        self.expect("error", |stanza| {
            stanza.attr("type") == Some("error")
                && stanza.attr("id") == Some(id)
                && stanza
                    .child("error", ns::COMPONENT)
                    .is_some_and(|error| error.child(condition, ns::STANZA_ERRORS).is_some())
        })
        .await;
    }
}

fn stanza(text: &str) -> Stanza {
    let mut splitter = Splitter::new(StreamLimits::default());
    let open = "<stream:stream xmlns='jabber:component:accept' \
                xmlns:stream='http://etherx.jabber.org/streams'>";
    splitter.buffer().extend_from_slice(open.as_bytes());
    splitter.buffer().extend_from_slice(text.as_bytes());
    loop {
        if let Some(Frame::Stanza(stanza)) = splitter.next().expect("well-formed") {
            return stanza;
        }
    }
}
