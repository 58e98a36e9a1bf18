//! The gateway against a second SMSC, whose authors have read SMPP on their own: that of the
//! `smpp34` package, in this process.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use isthmus_gateway::{JobId, State};
use isthmus_test_support::inbox::Inbox;
use isthmus_test_support::port::Port;
use isthmus_test_support::smsc::PASSWORD;
use serde_json::json;
use smpp34::server::ESME;
use smpp34::{
    SmppConnectionInformation, SmppError, SmppServer, SmppServerListener, TlvTag, bind_transceiver,
    bind_transceiver_resp, submit_sm, submit_sm_resp,
};
use tokio::sync::mpsc;

use crate::host::{DEADLINE, Host, JULIET, OURS, Running, THEIRS, digits};

/// What the SMSC sees.
#[derive(Default)]
struct Seen {
    submits: Inbox<submit_sm>,
    count: Mutex<u32>,
}

struct Listener {
    seen: Arc<Seen>,
    bound: mpsc::UnboundedSender<ESME>,
}

#[async_trait]
impl SmppServerListener for Listener {
    async fn on_bind_transceiver(
        &self,
        request: bind_transceiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transceiver_resp {
        if request.system_id == "isthmus" && request.password == PASSWORD {
            request.accept("second".to_owned(), Some(0x34))
        } else {
            request.reject(SmppError::ESME_RINVPASWD)
        }
    }

    async fn on_esme_bound(&self, esme: ESME, _: &String) {
        // Who waits for it has gone only with a test that has failed.
        let _ = self.bound.send(esme);
    }

    async fn on_submit_sm(
        &self,
        request: submit_sm,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> submit_sm_resp {
        self.seen.submits.push(request.clone());
        let mut count = self
            .seen
            .count
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        request.accept(format!("m{count}"))
    }
}

/// The SMSC, and the gateway that is bound to it.
struct Scene {
    seen: Arc<Seen>,
    esme: ESME,
    gateway: Running,
    server: SmppServer,
    _port: Port,
}

impl Scene {
    async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let (to_us, mut bound) = mpsc::unbounded_channel();
        let port = Port::reserve();
        let listener = Arc::new(Listener {
            seen: Arc::clone(&seen),
            bound: to_us,
        });
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut server = SmppServer::new(address, port.number(), listener);
        server.start().await;
        let gateway = Running::start(port.number(), Host::default(), &json!({}));
        let esme = tokio::time::timeout(DEADLINE, bound.recv()).await;
        Self {
            esme: esme.expect("a bind in time").expect("the SMSC lives"),
            seen,
            gateway,
            server,
            _port: port,
        }
    }

    async fn submit(&self) -> submit_sm {
        let submit = self.seen.submits.take(DEADLINE, |_| true).await;
        submit.unwrap_or_else(|error| panic!("no submission: {error}"))
    }

    async fn receipt(&self, id: &str) {
        let message = self.esme.deliver_sm().esm_class(4);
        let message = message.source_addr(digits(THEIRS)).source_addr_ton(1);
        let message = message.destination_addr(digits(OURS)).dest_addr_ton(1);
        let answer = message
            .short_message(format!("id:{id} stat:DELIVRD err:000").into_bytes())
            .tlv(TlvTag::ReceiptedMessageId, format!("{id}\0").into_bytes())
            .tlv(TlvTag::MessageStateTlv, [2])
            .send()
            .await;
        assert!(answer.is_ok_and(|answer| answer.is_success()));
    }

    async fn deliver(&self, esm_class: u8, data_coding: u8, octets: Vec<u8>) -> bool {
        let message = self.esme.deliver_sm().esm_class(esm_class);
        let message = message.source_addr(digits(THEIRS)).source_addr_ton(1);
        let message = message.destination_addr(digits(OURS)).dest_addr_ton(1);
        let message = message.data_coding(data_coding).short_message(octets);
        message.send().await.is_ok_and(|answer| answer.is_success())
    }

    async fn end(mut self) {
        self.gateway.drain().await;
        self.server.stop().await;
    }
}

#[tokio::test]
async fn a_text_and_its_receipt() {
    let scene = Scene::start().await;
    scene.gateway.send(1, "Good night, good night!");
    let submit = scene.submit().await;
    assert_eq!(submit.short_message, b"Good night, good night!");
    assert_eq!(submit.source_addr, digits(OURS));
    assert_eq!(submit.destination_addr, digits(THEIRS));
    assert_eq!((submit.data_coding, submit.registered_delivery), (0, 1));
    let accepted = scene.gateway.host.report().await;
    assert_eq!((accepted.job, accepted.state), (JobId(1), State::Accepted));
    assert_eq!(accepted.keys, ["one:m1"]);
    scene.receipt("m1").await;
    assert_eq!(scene.gateway.host.report().await.state, State::Delivered);
    scene.end().await;
}

#[tokio::test]
async fn three_parts_with_emoji_out_and_in() {
    let scene = Scene::start().await;
    let text = "\u{1f980} and a rose by any other name, ".repeat(5) + "\u{1f44d}\u{1f3fd}";
    scene.gateway.send(2, &text);
    let mut parts = Vec::new();
    for number in 1..=3 {
        let submit = scene.submit().await;
        assert_eq!((submit.esm_class, submit.data_coding), (0x40, 8));
        assert_eq!(submit.short_message[..3], [5, 0, 3]);
        assert_eq!(submit.short_message[4..6], [3, number]);
        parts.push(submit.short_message);
    }
    let octets = parts.iter().flat_map(|part| &part[6..]);
    let octets: Vec<u8> = octets.copied().collect();
    let units = octets
        .chunks_exact(2)
        .map(|it| u16::from_be_bytes([it[0], it[1]]));
    let read = String::from_utf16(&units.collect::<Vec<_>>());
    assert_eq!(read.ok(), Some(text.clone()));
    assert_eq!(scene.gateway.host.report().await.state, State::Accepted);
    for (id, state) in [
        ("m3", State::Accepted),
        ("m1", State::Accepted),
        ("m2", State::Delivered),
    ] {
        scene.receipt(id).await;
        assert_eq!(scene.gateway.host.report().await.state, state);
    }

    // The same parts back, one after the other as this SMSC does it, and out of order.
    for at in [2, 0, 1] {
        assert!(scene.deliver(0x40, 8, parts[at].clone()).await);
    }
    let delivery = scene.gateway.host.delivery().await;
    assert_eq!(
        (delivery.user, delivery.message.body.as_ref()),
        (JULIET, text.as_str())
    );
    scene.end().await;
}

#[tokio::test]
async fn a_text_from_a_phone() {
    let scene = Scene::start().await;
    assert!(scene.deliver(0, 0, b"What's in a name?".to_vec()).await);
    let delivery = scene.gateway.host.delivery().await;
    assert_eq!(delivery.message.body, "What's in a name?");
    assert_eq!(delivery.peer.id, THEIRS);
    scene.end().await;
}
