//! The gateway against a second SMSC, whose authors have read SMPP on their own: that of the
//! `smpp34` package.

use isthmus_gateway::{JobId, State};
use isthmus_test_support::SecondSmsc;
use isthmus_test_support::second_smsc::Submission;
use serde_json::json;

use crate::host::{Host, JULIET, OURS, Running, THEIRS, digits};

/// The SMSC, and the gateway that is bound to it.
struct Scene {
    smsc: SecondSmsc,
    gateway: Running,
}

impl Scene {
    async fn start() -> Self {
        let smsc = SecondSmsc::start().await;
        let gateway = Running::start(smsc.port(), Host::default(), &json!({}));
        smsc.bound().await;
        Self { smsc, gateway }
    }

    async fn submit(&self) -> Submission {
        self.smsc.submit().await
    }

    async fn receipt(&self, id: &str) {
        let between = (digits(THEIRS), digits(OURS));
        assert!(self.smsc.receipt(id, (2, "DELIVRD"), between).await);
    }

    async fn deliver(&self, esm_class: u8, data_coding: u8, octets: Vec<u8>) -> bool {
        let between = (digits(THEIRS), digits(OURS));
        self.smsc
            .deliver(between, (esm_class, data_coding), octets)
            .await
    }

    async fn end(self) {
        self.gateway.drain().await;
        self.smsc.stop().await;
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
