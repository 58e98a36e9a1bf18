//! Texts through the second SMSC: romeo's.

use isthmus_test_support::smsc::PASSWORD;

use super::{DELIVERED, LONG, PHONE, Scene, THEIRS, UNDELIVERABLE};
use crate::world::{RECEIPT, error_text, is_receipt};

/// Romeo's number.
const ROMEOS: &str = "15551230001";
/// A number that who asks for it gets.
pub(super) const OPEN: &str = "15551230002";

/// From the phone to romeo.
const TO_ROMEO: (&str, &str) = (THEIRS, ROMEOS);

/// The tables of the second carrier and its numbers.
pub(super) fn carrier(port: u16) -> String {
    format!(
        r#"
[gateway.sms.carriers.two]
host = "127.0.0.1"
port = {port}
system_id = "isthmus"
password = "{PASSWORD}"
lines = ["+{ROMEOS}", "+{OPEN}"]

[gateway.sms.lines."+{ROMEOS}"]
users = ["romeo@localhost"]

[gateway.sms.lines."+{OPEN}"]
open = true
"#
    )
}

/// The same phone, from another user's number, through the carrier that has it; and back to him.
pub(super) async fn out_and_in(scene: &Scene) {
    let body = "Parting is such sweet sorrow";
    let id = scene.romeo.message_with("chat", PHONE, body, RECEIPT);
    let submit = scene.second.submit().await;
    assert_eq!(submit.short_message, body.as_bytes());
    let numbers = (
        submit.source_addr.as_str(),
        submit.destination_addr.as_str(),
    );
    assert_eq!(numbers, (ROMEOS, THEIRS));
    assert!(scene.second.receipt("m1", DELIVERED, TO_ROMEO).await);
    scene.romeo.expect(|s| is_receipt(s, &id)).await;

    let text = b"What's in a name?".to_vec();
    assert!(scene.second.deliver(TO_ROMEO, (0, 0), text).await);
    let heard = |s: &isthmus_test_support::Stanza| s.is_message("chat", "What's in a name?");
    let heard = scene.romeo.expect(heard).await;
    assert_eq!(heard.from().split('/').next(), Some(PHONE));
}

/// Three parts with emoji out, and the same octets back in another order.
pub(super) async fn long(scene: &Scene) {
    let id = scene.romeo.message_with("chat", PHONE, LONG, RECEIPT);
    let mut parts = Vec::new();
    for number in 1..=3 {
        let part = scene.second.submit().await.short_message;
        assert_eq!(
            (&part[..3], &part[4..6]),
            (&[5, 0, 3][..], &[3, number][..])
        );
        parts.push(part);
    }
    let octets: Vec<u8> = parts.iter().flat_map(|part| &part[6..]).copied().collect();
    let units = octets
        .chunks_exact(2)
        .map(|it| u16::from_be_bytes([it[0], it[1]]));
    let text = String::from_utf16(&units.collect::<Vec<_>>());
    assert_eq!(text.ok().as_deref(), Some(LONG));
    for part in ["m3", "m2", "m4"] {
        assert!(scene.second.receipt(part, DELIVERED, TO_ROMEO).await);
    }
    scene.romeo.expect(|s| is_receipt(s, &id)).await;
    for at in [2, 0, 1] {
        let part = parts[at].clone();
        assert!(scene.second.deliver(TO_ROMEO, (0x40, 8), part).await);
    }
    scene.romeo.expect(|s| s.is_message("chat", LONG)).await;
}

/// Romeo writes; the stanza's id, and that of the SMSC.
pub(super) async fn unanswered(scene: &Scene) -> (String, String) {
    let id = scene
        .romeo
        .message_with("chat", PHONE, "Farewell!", RECEIPT);
    assert_eq!(scene.second.submit().await.short_message, b"Farewell!");
    (id, "m6".to_owned())
}

/// It did not arrive, as is said in another run of the program.
pub(super) async fn undeliverable(scene: &Scene, id: &str, submission: &str) {
    assert!(
        scene
            .second
            .receipt(submission, UNDELIVERABLE, TO_ROMEO)
            .await
    );
    let error = scene
        .romeo
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    let words = error_text(&error);
    assert!(words.contains("cannot be delivered"), "{words}");
}
