//! Messages from phones.

use isthmus_gateway::{Place, Refusal};
use isthmus_test_support::smsc::Happened;
use serde_json::json;

use crate::host::{JULIET, OURS, Scene, THEIRS, digits};

fn text(source: &str, text: &str) -> serde_json::Value {
    json!({
        "source_addr": source, "source_addr_ton": 1, "destination_addr": digits(OURS),
        "dest_addr_ton": 1, "short_message": text,
    })
}

/// Octets with a header, for one part of several.
fn part(number: u8, octets: &[u8]) -> serde_json::Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    json!({
        "source_addr": digits(THEIRS), "source_addr_ton": 1, "destination_addr": digits(OURS),
        "esm_class": 0x40, "data_coding": 8,
        "hex": hex(&[5, 0, 3, 9, 3, number]) + &hex(octets),
    })
}

/// Until parts that came before this have been given up: a message of their kind that is new.
async fn wait_until(scene: &Scene, why: &str) {
    let mut pdu = part(1, b"\0x");
    pdu["source_addr"] = json!("14169938001");
    scene.smsc.deliver(&pdu);
    assert_eq!(scene.smsc.delivered().await, 0, "{why}");
    let delivery = scene.host.delivery().await;
    assert_eq!(
        delivery.message.body, "x[2/3 missing][3/3 missing]",
        "{why}"
    );
}

#[tokio::test]
async fn a_text_is_stored_before_the_carrier_is_told() {
    let scene = Scene::start().await;
    scene
        .smsc
        .deliver(&text(digits(THEIRS), "What's in a name? [€]"));
    let delivery = scene.host.delivery().await;
    assert_eq!(delivery.user, JULIET);
    assert_eq!(delivery.peer.id, THEIRS);
    assert_eq!(delivery.message.body, "What's in a name? [€]");
    assert_eq!(delivery.message.at, Place::Contact(THEIRS.into()));
    assert_eq!(delivery.peer_kept.as_deref(), Some(OURS.as_bytes()));
    assert_eq!(scene.smsc.delivered().await, 0);
    scene.drain().await;
}

#[tokio::test]
async fn what_the_host_cannot_take_now_is_sent_again_and_stored_once() {
    let scene = Scene::start().await;
    scene.host.refuse(Refusal::Later("full".into()));
    for expected in [0x64, 0] {
        scene.smsc.deliver(&text(digits(THEIRS), "once"));
        assert_eq!(scene.smsc.delivered().await, expected);
    }
    scene.host.refuse(Refusal::Unwanted("blocked".into()));
    scene.smsc.deliver(&text(digits(THEIRS), "never"));
    assert_eq!(scene.smsc.delivered().await, 0x65);
    assert_eq!(scene.host.deliveries.drain().len(), 1);
    scene.drain().await;
}

#[tokio::test]
async fn a_number_that_is_not_ours_is_refused() {
    let scene = Scene::start().await;
    let mut pdu = text(digits(THEIRS), "hello");
    pdu["destination_addr"] = json!("15559999999");
    scene.smsc.deliver(&pdu);
    assert_eq!(scene.smsc.delivered().await, 0x65);
    scene.drain().await;
}

#[tokio::test]
async fn parts_in_any_order_and_doubled_are_one_message() {
    let scene = Scene::start().await;
    let units: Vec<u8> = "🦀 one two"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    // The sender cut the surrogate pair.
    let (first, rest) = units.split_at(2);
    let (second, third) = rest.split_at(8);
    for (number, octets) in [(3, third), (1, first), (1, first), (2, second)] {
        scene.smsc.deliver(&part(number, octets));
    }
    assert_eq!(scene.host.delivery().await.message.body, "🦀 one two");
    for _ in 0..4 {
        assert_eq!(scene.smsc.delivered().await, 0);
    }
    scene.drain().await;
}

#[tokio::test]
async fn a_part_that_never_comes_is_marked() {
    let scene = Scene::start().await;
    scene.smsc.deliver(&part(1, b"\0a"));
    scene.smsc.deliver(&part(3, b"\0c"));
    assert_eq!(scene.smsc.delivered().await, 0);
    let delivery = scene.host.delivery().await;
    assert_eq!(delivery.message.body, "a[2/3 missing]c");
    scene.drain().await;
}

#[tokio::test]
async fn a_sender_that_is_a_name_is_shown_by_it() {
    let scene = Scene::start().await;
    let mut pdu = text("MyBank", "Your code is 1234");
    pdu["source_addr_ton"] = json!(5);
    scene.smsc.deliver(&pdu);
    let delivery = scene.host.delivery().await;
    assert_eq!(delivery.peer.id, "MyBank");
    assert_eq!(delivery.message.who.name.as_deref(), Some("MyBank"));
    scene.drain().await;
}

#[tokio::test]
async fn what_comes_again_after_a_broken_connection_is_the_same() {
    let scene = Scene::start().await;
    for expected in [1, 2] {
        scene.smsc.deliver(&text(digits(THEIRS), "ok"));
        assert_eq!(scene.smsc.delivered().await, 0);
        // Two of the same words are two messages.
        assert_eq!(scene.host.delivery().await.message.body, "ok", "{expected}");
    }
    scene.smsc.cut();
    scene.smsc.expect(|event| *event == Happened::Bound).await;
    scene.smsc.deliver(&text(digits(THEIRS), "ok"));
    assert_eq!(scene.smsc.delivered().await, 0);
    let (_, host) = scene.drain().await;
    assert!(host.deliveries.drain().is_empty());
}

#[tokio::test]
async fn parts_that_were_answered_outlive_a_kill() {
    let scene = Scene::start().await;
    scene.smsc.deliver(&part(2, b"\0b"));
    assert_eq!(scene.smsc.delivered().await, 0);
    let scene = scene.killed().await;
    scene.smsc.deliver(&part(3, b"\0c"));
    assert_eq!(scene.smsc.delivered().await, 0);
    let scene = scene.killed().await;
    scene.smsc.deliver(&part(1, b"\0a"));
    let delivery = scene.host.delivery().await;
    assert_eq!(delivery.message.body, "abc");
    assert_eq!(delivery.peer.id, THEIRS);
    assert_eq!(scene.smsc.delivered().await, 0);
    // The carrier has not read the last answer.
    let scene = scene.killed().await;
    scene.smsc.deliver(&part(1, b"\0a"));
    assert_eq!(scene.smsc.delivered().await, 0);
    wait_until(&scene, "nothing is given up as a message of its own").await;
    let (_, host) = scene.drain().await;
    assert!(host.deliveries.drain().is_empty());
}

#[tokio::test]
async fn what_a_drain_leaves_is_given_up_in_time_by_the_next_run() {
    let scene = Scene::start().await;
    scene.smsc.deliver(&part(2, b"\0b"));
    assert_eq!(scene.smsc.delivered().await, 0);
    let (smsc, host) = scene.drain().await;
    assert!(host.deliveries.drain().is_empty());
    let scene = Scene::with(smsc, host, json!({})).await;
    let delivery = scene.host.delivery().await;
    assert_eq!(delivery.message.body, "[1/3 missing]b[3/3 missing]");
    scene.drain().await;
}

#[tokio::test]
async fn a_part_that_cannot_be_kept_is_sent_again() {
    let scene = Scene::start().await;
    scene.host.full(true);
    scene.smsc.deliver(&part(1, b"\0a"));
    assert_eq!(scene.smsc.delivered().await, 0x64);
    scene.host.full(false);
    assert_eq!(scene.host.names(), Vec::<String>::new());
    for (number, octets) in [(1, b"\0a"), (2, b"\0b"), (3, b"\0c")] {
        scene.smsc.deliver(&part(number, octets));
        assert_eq!(scene.smsc.delivered().await, 0);
    }
    assert_eq!(scene.host.delivery().await.message.body, "abc");
    scene.drain().await;
}

#[tokio::test]
async fn parts_in_hand_are_kept_while_the_host_cannot_take_the_whole() {
    let scene = Scene::start().await;
    for (number, octets) in [(1, b"\0a"), (2, b"\0b")] {
        scene.smsc.deliver(&part(number, octets));
        assert_eq!(scene.smsc.delivered().await, 0);
    }
    scene.host.refuse(Refusal::Later("full".into()));
    scene.smsc.deliver(&part(3, b"\0c"));
    assert_eq!(scene.smsc.delivered().await, 0x64);
    let scene = scene.killed().await;
    scene.smsc.deliver(&part(3, b"\0c"));
    assert_eq!(scene.smsc.delivered().await, 0);
    assert_eq!(scene.host.delivery().await.message.body, "abc");
    scene.drain().await;
}

#[tokio::test]
async fn what_comes_again_after_a_kill_is_the_same() {
    let scene = Scene::start().await;
    scene.smsc.deliver(&text(digits(THEIRS), "ok"));
    let first = scene.host.delivery().await;
    assert_eq!(scene.smsc.delivered().await, 0);
    let scene = scene.killed().await;
    scene.smsc.deliver(&text(digits(THEIRS), "ok"));
    assert_eq!(scene.smsc.delivered().await, 0);
    assert!(scene.host.deliveries.drain().is_empty());
    // Once more over the same bind: somebody says it again.
    scene.smsc.deliver(&text(digits(THEIRS), "ok"));
    assert_eq!(scene.smsc.delivered().await, 0);
    assert_ne!(scene.host.delivery().await.dedup, first.dedup);
    scene.drain().await;
}
