//! Texts between XMPP users and phones, through two SMSCs whose authors have read SMPP on their
//! own: npm's `smpp` and the `smpp34` package.

mod lines;
mod second;

use isthmus_test_support::smsc::{Happened, PASSWORD};
use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{NodeSmsc, SecondSmsc, XmppClient};
use serde_json::{Value, json};

use crate::world::{RECEIPT, World, error_text, is_receipt};

pub(crate) const SMS: &str = "sms.localhost";
const PHONE: &str = "+14169938000@sms.localhost";
/// The numbers of the phone and of juliet, as the SMSC writes them.
pub(crate) const THEIRS: &str = "14169938000";
pub(crate) const OURS: &str = "15551230000";

const DELIVERED: (u8, &str) = (2, "DELIVRD");
const UNDELIVERABLE: (u8, &str) = (5, "UNDELIV");

/// Longer than two parts of 67.
const LONG: &str = "🦀 and a rose by any other name, 🦀 and a rose by any other name, \
                    🦀 and a rose by any other name, 🦀 and a rose by any other name, 👍🏽";

/// Juliet and romeo on XMPP, two SMSCs, and the gateway between them. Juliet's number is at the
/// first, romeo's at the second, and so is one that is open.
struct Scene {
    world: World,
    juliet: XmppClient,
    romeo: XmppClient,
    smsc: NodeSmsc,
    second: SecondSmsc,
}

impl Scene {
    async fn open(kind: Kind) -> Self {
        let smsc = NodeSmsc::start().await;
        let second = SecondSmsc::start().await;
        let both = gateway(smsc.port(), "") + &second::carrier(second.port());
        let world = World::serving(kind, &[SMS], &both);
        let juliet = world.user("juliet").await;
        let romeo = world.user("romeo").await;
        world.attached(&juliet, SMS).await;
        smsc.expect(|event| *event == Happened::Bound).await;
        second.bound().await;
        Self {
            world,
            juliet,
            romeo,
            smsc,
            second,
        }
    }

    /// Juliet writes to the phone and wants to know whether it arrives; returns the id.
    fn write(&self, body: &str) -> String {
        self.juliet.message_with("chat", PHONE, body, RECEIPT)
    }

    fn receipt(&self, id: &str, state: (u8, &str)) {
        self.smsc.receipt(id, state, THEIRS, OURS);
    }

    /// The phone writes, and juliet gets it from the phone's address.
    async fn hears(&self, body: &str) {
        let heard = self.juliet.expect(|s| s.is_message("chat", body)).await;
        assert_eq!(heard.from().split('/').next(), Some(PHONE));
    }
}

/// The gateway's configuration, with `more` in the carrier's.
pub(crate) fn gateway(port: u16, more: &str) -> String {
    format!(
        r#"
[gateway.sms]
domain = "{SMS}"
allow = ["localhost"]
region = "US"

[gateway.sms.carriers.one]
host = "127.0.0.1"
port = {port}
system_id = "isthmus"
password = "{PASSWORD}"
lines = ["+{OURS}"]
{more}

[gateway.sms.lines."+{OURS}"]
users = ["juliet@localhost"]
"#
    )
}

async fn texts(kind: Kind) {
    let scene = Scene::open(kind).await;
    out_and_in(&scene).await;
    long_out(&scene).await;
    long_in(&scene).await;
    undeliverable(&scene).await;
    odd(&scene).await;
    second::out_and_in(&scene).await;
    second::long(&scene).await;
    lines::registered(&scene).await;
    late(&scene).await;
    let ended = scene.world.isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", scene.world.isthmus.log());
}

#[tokio::test]
async fn sms_texts_on_prosody() {
    texts(Kind::Prosody).await;
}

#[tokio::test]
async fn sms_texts_on_ejabberd() {
    texts(Kind::Ejabberd).await;
}

#[tokio::test]
async fn sms_texts_on_jabberd2() {
    texts(Kind::Jabberd2).await;
}

async fn out_and_in(scene: &Scene) {
    let id = scene.write("Good night, good night! [parting]");
    let submit = scene.smsc.submit().await;
    assert_eq!(submit.text, "Good night, good night! [parting]");
    let numbers = (submit.source.as_str(), submit.destination.as_str());
    assert_eq!(numbers, (OURS, THEIRS));
    scene.receipt(&submit.id, DELIVERED);
    let receipt = scene.juliet.expect(|s| is_receipt(s, &id)).await;
    assert_eq!(receipt.from().split('/').next(), Some(PHONE));
    assert_eq!(scene.smsc.delivered().await, 0);

    scene.smsc.deliver(&json!({
        "source_addr": THEIRS, "source_addr_ton": 1, "destination_addr": OURS,
        "dest_addr_ton": 1, "short_message": "What's in a name? [€]",
    }));
    scene.hears("What's in a name? [€]").await;
    assert_eq!(scene.smsc.delivered().await, 0);
}

/// One receipt when all three parts have arrived, not before.
async fn long_out(scene: &Scene) {
    let id = scene.write(LONG);
    let mut joined = String::new();
    let mut ids = Vec::new();
    for number in 1..=3 {
        let part = scene.smsc.submit().await;
        let udh = part.udh.expect("parts have a header");
        assert!(udh.ends_with(&format!("030{number}")), "{udh}");
        joined += &part.text;
        ids.push(part.id);
    }
    assert_eq!(joined, LONG);
    for part in &ids[..2] {
        scene.receipt(part, DELIVERED);
        assert_eq!(scene.smsc.delivered().await, 0);
    }
    let early = scene.juliet.collect(SMS).await;
    assert!(!early.iter().any(|s| is_receipt(s, &id)), "{early:?}");
    scene.receipt(&ids[2], DELIVERED);
    scene.juliet.expect(|s| is_receipt(s, &id)).await;
    assert_eq!(scene.smsc.delivered().await, 0);
}

/// Three parts in another order, cut inside surrogate pairs, are one message.
async fn long_in(scene: &Scene) {
    let octets: Vec<u8> = LONG.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let (first, rest) = octets.split_at(2);
    let (second, third) = rest.split_at(130);
    for (number, octets) in [(3, third), (1, first), (2, second)] {
        scene.smsc.deliver(&part(number, octets));
    }
    scene.hears(LONG).await;
    for _ in 0..3 {
        assert_eq!(scene.smsc.delivered().await, 0);
    }
}

/// Octets of UTF-16 with a header, for one part of three.
fn part(number: u8, octets: &[u8]) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    json!({
        "source_addr": THEIRS, "source_addr_ton": 1, "destination_addr": OURS,
        "esm_class": 0x40, "data_coding": 8,
        "hex": hex(&[5, 0, 3, 9, 3, number]) + &hex(octets),
    })
}

async fn undeliverable(scene: &Scene) {
    let id = scene.write("Art thou not Romeo?");
    let submit = scene.smsc.submit().await;
    scene.receipt(&submit.id, UNDELIVERABLE);
    let error = scene
        .juliet
        .expect(|s| s.id() == id && s.type_() == "error");
    let error = error.await;
    assert_eq!(error.from().split('/').next(), Some(PHONE));
    let words = error_text(&error);
    assert!(words.contains("cannot be delivered"), "{words}");
    assert_eq!(scene.smsc.delivered().await, 0);
}

/// A command that nobody knows, and a delivery whose fields are wrong: both are answered, and the
/// bind goes on.
async fn odd(scene: &Scene) {
    scene
        .smsc
        .raw(&[0, 0, 0, 16, 0, 0, 7, 7, 0, 0, 0, 0, 0, 0, 0, 120]);
    let nack = |event: &Happened| matches!(event, Happened::Nack { sequence: 120, .. });
    scene.smsc.expect(nack).await;
    let fields = [
        b"\0\x01\x01",
        THEIRS.as_bytes(),
        b"\0\x01\x01",
        OURS.as_bytes(),
    ]
    .concat();
    // The text is said to be longer than it is.
    let body = [&fields[..], b"\0\0\0\0\0\0\0\0\0\0", b"\xc8hi there"].concat();
    let length = u8::try_from(16 + body.len()).expect("short");
    let head = [0, 0, 0, length, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 121];
    scene.smsc.raw(&[&head[..], &body].concat());
    scene.hears("hi there").await;
    assert_eq!(scene.smsc.delivered().await, 0);
    let bound = scene.smsc.log().into_iter();
    let bound = bound.filter(|event| *event == Happened::Bound).count();
    assert_eq!(bound, 1, "the bind lives");
}

/// The receipt comes when the program has been stopped and started: it knows whose it is.
async fn late(scene: &Scene) {
    let id = scene.write("till it be morrow");
    let submit = scene.smsc.submit().await;
    let (other, id_there) = second::unanswered(scene).await;
    let ended = scene.world.isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", scene.world.isthmus.log());
    scene.world.isthmus.restart();
    scene.smsc.expect(|event| *event == Happened::Bound).await;
    scene.second.bound().await;
    scene.receipt(&submit.id, DELIVERED);
    scene.juliet.expect(|s| is_receipt(s, &id)).await;
    assert_eq!(scene.smsc.delivered().await, 0);
    second::undeliverable(scene, &other, &id_there).await;
}
