//! Transactions that no usual mail server makes, by swaks and by Python's client, straight to our
//! listener.

use isthmus_test_support::mail::{self, PEER};

use super::{JULIET, LARGEST, Scene, letter};
use crate::world::PING;

/// All at once, and everything the listener offers. What goes through Postfix comes by STARTTLS,
/// as it insists on it.
pub(super) async fn transactions(scene: &Scene) {
    let mail = letter("<pipe@peer.example>", "pipe", "", "Durch die Röhre, 🌹");
    let piped = scene.swaks(JULIET, &["--pipeline"], &mail);
    piped.expect("a group of commands is taken");
    scene.hears("Durch die Röhre, 🌹").await;

    let port = scene.listener.number();
    let size = format!("SIZE={LARGEST}");
    let options = ["BODY=8BITMIME", "SMTPUTF8", &size];
    let mail = letter("<eight@peer.example>", "grüße", "", "Acht Bits: ÄÖÜ");
    let sent = mail::smtplib(port, "älice@peer.example", &options, JULIET, &mail);
    sent.expect("it is taken as it is");
    let heard = scene.hears("Acht Bits: ÄÖÜ").await;
    assert_eq!(heard.subject(), Some("grüße"), "{heard:?}");

    let encrypted = scene.world.isthmus.log().contains("starttls=true");
    assert!(encrypted, "{}", scene.world.isthmus.log());
}

/// Lines that end with LF alone, and a mail in such a mail: all of it is refused, nothing arrives.
pub(super) async fn smuggled(scene: &Scene) {
    let plain = letter("<bare@peer.example>", "bare", "", "bare lines").replace("\r\n", "\n");
    let outer = letter("<outer@peer.example>", "outer", "", "outer words").replace('\n', "\r\n");
    let inner = letter("<inner@peer.example>", "inner", "", "inner words").replace('\n', "\r\n");
    let commands = format!("MAIL FROM:<eve@{PEER}>\r\nRCPT TO:<{JULIET}>\r\nDATA\r\n");
    let mut mails = vec![plain + "\r\n.\r\n"];
    for end in ["\n.\r\n", "\n.\n", "\r\n.\n", "\r.\r\n", "\r\n.\r"] {
        mails.push(format!("{outer}{end}{commands}{inner}\r\n.\r\n"));
    }
    for mail in &mails {
        let words = scene.swaks(JULIET, &["--no-data-fixup"], mail);
        let words = words.expect_err("it is no mail");
        assert!(words.contains("550 5.6.0"), "{mail:?}: {words}");
    }
    // What is behind the gateway has come when its answer has.
    scene.juliet.iq("get", super::MAIL, PING).await;
    for stanza in scene.juliet.log() {
        for words in ["bare lines", "outer words", "inner words"] {
            assert!(!stanza.body().contains(words), "{stanza:?}");
        }
    }
}

/// A mail beyond the limit: refused where it is announced, where it is not, and by way of Postfix,
/// which tells alice.
pub(super) async fn too_large(scene: &Scene) {
    let line = "It is too rash, too unadvised, too sudden.\n";
    let body = line.repeat(LARGEST / line.len() + 1);
    let mail = letter("<large@peer.example>", "large", "", &body);
    let words = scene.swaks(JULIET, &[], &mail).expect_err("too large");
    assert!(words.contains("552 5.3.4"), "{words}");
    let size = format!("SIZE={}", mail.len());
    let port = scene.listener.number();
    let words = mail::smtplib(port, "alice@peer.example", &[&size], JULIET, &mail);
    let words = words.expect_err("too large as announced");
    assert!(words.starts_with("552 5.3.4"), "{words}");
    let taken = scene.postfix.submit("alice@peer.example", JULIET, &mail);
    taken.expect("Postfix has no such limit");
    let bounce = |mail: &str| mail.contains("Status: 5.3.4") && mail.contains("Action: failed");
    scene.postfix.wait_for_mail(bounce);
}
