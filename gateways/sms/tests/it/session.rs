//! The bind itself.

use std::sync::Arc;

use isthmus_test_support::NodeSmsc;
use isthmus_test_support::smsc::Happened;
use serde_json::json;

use crate::host::{Host, OURS, Scene, THEIRS, digits};

/// A `deliver_sm` with these bytes behind its header.
fn frame(sequence: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).expect("small");
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend([0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, sequence]);
    frame.extend(body);
    frame
}

/// The fields of a plain one, from source to text.
fn body(source: &[u8], validity: &[u8], length: u8, text: &[u8], tlvs: &[u8]) -> Vec<u8> {
    let to = digits(OURS).as_bytes();
    [
        &[0, 1, 1][..],
        source,
        &[0, 1, 1],
        to,
        &[0, 0, 0, 0, 0],
        validity,
        &[0, 0, 0, 0, 0, length],
        text,
        tlvs,
    ]
    .concat()
}

#[tokio::test]
async fn odd_pdus_are_read_and_the_session_lives() {
    let scene = Scene::start().await;
    let from = digits(THEIRS).as_bytes();
    let odd: [(&str, Vec<u8>); 9] = [
        ("a byte of Latin-1", body(b"caf\xe9", b"", 2, b"hi", b"")),
        ("a long source", body(&[b'1'; 25], b"", 2, b"hi", b"")),
        (
            "no NUL in a parameter",
            body(from, b"", 2, b"hi", &[0, 0x1e, 0, 2, b'4', b'2']),
        ),
        (
            "an error code of four",
            body(from, b"", 2, b"hi", &[4, 0x23, 0, 4, 3, 0, 1, 0]),
        ),
        (
            "a short validity period",
            body(from, b"00001", 2, b"hi", b""),
        ),
        (
            "bytes behind the end",
            body(from, b"", 2, b"hi", &[1, 2, 3]),
        ),
        (
            "a parameter cut short",
            body(from, b"", 2, b"hi", &[4, 0x24, 0, 9, 1]),
        ),
        ("a length that lies", body(from, b"", 200, b"hi", b"")),
        (
            "a vendor's parameter",
            body(from, b"", 2, b"hi", &[0x14, 1, 0, 1, 7]),
        ),
    ];
    for (sequence, (what, body)) in (100u8..).zip(&odd) {
        scene.smsc.raw(&frame(sequence, body));
        assert_eq!(scene.smsc.delivered().await, 0, "{what}");
        assert_eq!(scene.host.delivery().await.message.body, "hi", "{what}");
    }
    // Unknown, too large, a body that is missing.
    scene
        .smsc
        .raw(&[0, 0, 0, 16, 0, 0, 7, 7, 0, 0, 0, 0, 0, 0, 0, 120]);
    let nack = |event: &Happened| {
        matches!(
            event,
            Happened::Nack {
                sequence: 120,
                status: 3
            }
        )
    };
    scene.smsc.expect(nack).await;
    let mut large = frame(121, &[]);
    large[..4].copy_from_slice(&0x0002_0000u32.to_be_bytes());
    large.resize(0x0002_0000, 0);
    scene.smsc.raw(&large);
    let nack = |event: &Happened| {
        matches!(
            event,
            Happened::Nack {
                sequence: 121,
                status: 2
            }
        )
    };
    scene.smsc.expect(nack).await;
    scene.smsc.raw(&frame(122, &[]));
    assert_eq!(scene.smsc.delivered().await, 0x65);

    scene.smsc.enquire();
    scene
        .smsc
        .expect(|event| *event == Happened::Enquired)
        .await;
    let (smsc, _) = scene.drain().await;
    smsc.expect(|event| *event == Happened::Unbound).await;
    let binds = smsc
        .log()
        .into_iter()
        .filter(|event| *event == Happened::Bound);
    assert_eq!(binds.count(), 1);
}

#[tokio::test]
async fn a_length_that_cannot_be_closes_the_connection_and_it_is_made_again() {
    let scene = Scene::start().await;
    scene.smsc.raw(&[0, 0, 0, 8, 0, 0, 0, 5]);
    scene.smsc.expect(|event| *event == Happened::Closed).await;
    scene.smsc.expect(|event| *event == Happened::Bound).await;
    scene.drain().await;
}

#[tokio::test]
async fn a_carrier_that_unbinds_is_bound_to_again() {
    let scene = Scene::start().await;
    scene.smsc.unbind();
    scene.smsc.expect(|event| *event == Happened::Bound).await;
    scene.send(1, "hello");
    scene.smsc.submit().await;
    scene.drain().await;
}

#[tokio::test]
async fn tls_with_a_certificate_that_is_not_verified() {
    let smsc = Arc::new(NodeSmsc::start_tls().await);
    let more = json!({ "tls": true, "verify": false });
    let scene = Scene::with(smsc, Host::default(), more).await;
    scene.send(1, "hello");
    assert_eq!(scene.smsc.submit().await.text, "hello");
    scene.drain().await;
}

#[tokio::test]
async fn a_thousand_messages_go_through_a_window_of_ten() {
    let scene = Scene::start().await;
    for id in 0..1000 {
        scene.send(id, &id.to_string());
    }
    for _ in 0..1000 {
        scene.smsc.submit().await;
        scene.host.report().await;
    }
    scene.drain().await;
}
