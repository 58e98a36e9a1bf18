//! The whole way of a message through the queue, with the loopback gateway as the network.

use std::sync::Arc;
use std::time::Duration;

use isthmus_loopback::{Config, Loopback};
use tempfile::TempDir;

use crate::component::{Inbound, Tap};
use crate::host::{Access, Domain, Limits, Reader, Shared};
use crate::queue::Tuning;
use crate::store::{SqliteStore, Store};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;
use crate::xmpp::stream::{Frame, Limits as StreamLimits, Splitter, Stanza};

/// A served domain whose XMPP server is the test.
struct Scene {
    reader: Reader,
    tap: Tap,
    seen: Vec<Element>,
    _dir: TempDir,
}

fn limits() -> Limits {
    Limits {
        history: 20,
        rooms_per_user: 10,
        networks_per_user: 10,
        sessions: 100,
        inbox: 64,
        stanzas_per_second: 1000,
        stanzas_burst: 1000,
    }
}

impl Scene {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a scratch directory");
        let store = SqliteStore::open(&dir.path().join("isthmus.db")).expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let tuning = Tuning {
            retry: 10,
            retry_max: 20,
            ..Tuning::default()
        };
        let shared = Arc::new(Shared::new(store, limits()).with_queue(tuning));
        let config = Config {
            delay_ms: 20,
            ..Config::default()
        };
        let gateway = Arc::new(Loopback::new(config));
        let allow = [BareJid::parse("example.org").expect("a JID")];
        let domain = Domain::new(gateway, shared, Access::new(&allow, &[]));
        let (outbox, tap) = Tap::new("loop.example.org");
        domain.attach(outbox);
        Self {
            reader: Reader(domain),
            tap,
            seen: Vec::new(),
            _dir: dir,
        }
    }

    fn send(&self, to: &str, id: &str, payload: &str) {
        let to = format!("{to}@loop.example.org");
        let text = format!(
            "<message from='juliet@example.org/balcony' to='{to}' id='{id}' type='chat'>{payload}\
             </message>"
        );
        self.reader.stanza(stanza(&text));
    }

    /// Waits for a stanza.
    async fn expect(&mut self, what: &str, wanted: impl Fn(&Element) -> bool) -> Element {
        let found = tokio::time::timeout(Duration::from_secs(10), async {
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

    async fn expect_receipt(&mut self, id: &str) -> Element {
        self.expect("receipt", |stanza| {
            stanza
                .child("received", ns::RECEIPTS)
                .is_some_and(|r| r.attr("id") == Some(id))
        })
        .await
    }

    async fn expect_error(&mut self, id: &str, condition: &str) {
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

const REQUEST: &str = "<body>hello</body><request xmlns='urn:xmpp:receipts'/>";

#[tokio::test]
async fn a_delivered_message_ends_in_one_receipt() {
    let mut scene = Scene::open();
    for (name, id) in [("ok", "a"), ("late", "b"), ("twice", "c"), ("retry", "d")] {
        scene.send(&format!("{name}%queue"), id, REQUEST);
        let receipt = scene.expect_receipt(id).await;
        assert_eq!(receipt.attr("to"), Some("juliet@example.org"));
    }
    // A barrier: what was doubled would have come before the answer to a later message.
    scene.send("ok%queue", "last", REQUEST);
    scene.expect_receipt("last").await;
    let doubled = scene
        .seen
        .iter()
        .any(|stanza| stanza.child("received", ns::RECEIPTS).is_some());
    assert!(!doubled, "one receipt each: {:?}", scene.seen);
}

#[tokio::test]
async fn a_failed_message_comes_back_with_the_reason() {
    let mut scene = Scene::open();
    scene.send("fail-no_such_target%queue", "a", REQUEST);
    scene.expect_error("a", "item-not-found").await;
    scene.send("fail-too_large%queue", "b", REQUEST);
    scene.expect_error("b", "policy-violation").await;
    scene.send("lost%queue", "c", REQUEST);
    scene.expect_error("c", "remote-server-timeout").await;
}

#[tokio::test]
async fn an_answer_comes_to_the_bare_jid_under_an_id_of_its_own() {
    let mut scene = Scene::open();
    scene.send("echo%queue", "a", "<body>anybody there?</body>");
    let answer = scene
        .expect("answer", |stanza| {
            stanza.child("body", ns::COMPONENT).is_some()
        })
        .await;
    assert_eq!(answer.attr("from"), Some("echo%queue@loop.example.org"));
    assert_eq!(answer.attr("to"), Some("juliet@example.org"));
    assert_eq!(
        answer
            .child("body", ns::COMPONENT)
            .map(|b| b.text().to_string())
            .as_deref(),
        Some("anybody there?")
    );
    assert!(answer.attr("id").is_some_and(|id| id.len() == 32));
}

#[tokio::test]
async fn a_message_that_has_not_begun_can_be_changed_and_taken_back() {
    let mut scene = Scene::open();
    scene.send("hold%queue", "a", REQUEST);
    scene.send(
        "hold%queue",
        "b",
        "<retract xmlns='urn:xmpp:message-retract:1' id='a'/>",
    );
    scene.send(
        "hold%queue",
        "c",
        "<retract xmlns='urn:xmpp:message-retract:1' id='nothing'/>",
    );
    scene.expect_error("c", "item-not-found").await;
    scene.send("ok%queue", "d", REQUEST);
    scene.expect_receipt("d").await;
    let late = "<retract xmlns='urn:xmpp:message-retract:1' id='d'/>";
    scene.send("ok%queue", "e", late);
    scene.expect_error("e", "not-acceptable").await;
}
