//! Mail that no person wrote, and what clients say of their own accord: neither is ever answered
//! by a mail. What a person writes to nobody comes back once.

use super::{ALICE, JULIET, Scene, header, letter};
use crate::world::RECEIPT;

/// Rosaline, who may use the gateway and has no account: the XMPP server sends back what comes for
/// her.
const ROSALINE: &str = "rosaline=localhost@mail.localhost";

pub(super) async fn are_not_answered(scene: &Scene) {
    let before = scene.postfix.mails().len();
    let machines = [
        (
            "alice@peer.example",
            "Auto-Submitted: auto-replied\n",
            "I am away.",
        ),
        (
            "alice@peer.example",
            "Precedence: bulk\nList-Id: <roses.peer.example>\n",
            "Digest 4.",
        ),
        ("<>", "", "From nobody."),
    ];
    for (at, (sender, fields, body)) in machines.into_iter().enumerate() {
        let id = format!("<machine{at}@peer.example>");
        let mail = letter(&id, "machine", fields, body);
        let sent = scene.postfix.submit(sender, JULIET, &mail);
        sent.expect("Postfix takes it");
        let heard = scene.hears(body).await;
        client_answers(scene, heard.id());
    }
    // She is admitted and has no account: who wrote to her himself is told so, a machine is not.
    for (id, fields) in [
        ("<away@peer.example>", "Auto-Submitted: auto-replied\n"),
        ("<rosaline@peer.example>", ""),
    ] {
        let lost = letter(id, "hello", fields, "Is she there?");
        let sent = scene.postfix.submit("alice@peer.example", ROSALINE, &lost);
        sent.expect("Postfix takes it");
    }
    let back = scene
        .postfix
        .wait_for_mail(|mail| mail.contains(&format!("Final-Recipient: rfc822; {ROSALINE}")));
    for (name, value) in [
        ("Return-Path", "<>"),
        ("Auto-Submitted", "auto-replied"),
        ("In-Reply-To", "<rosaline@peer.example>"),
    ] {
        assert_eq!(header(&back, name), value, "{back}");
    }
    assert!(back.contains("could not be delivered"), "{back}");

    // Mails to one mailbox go in order: what would have been answered has been when this is here.
    let id = scene
        .juliet
        .message_with("chat", ALICE, "After them all.", RECEIPT);
    scene
        .juliet
        .expect(|s| crate::world::is_receipt(s, &id))
        .await;
    scene
        .postfix
        .wait_for_mail(|mail| mail.contains("After them all."));
    let mails = scene.postfix.mails();
    assert_eq!(mails.len(), before + 2, "{mails:#?}");
}

/// What juliet's client says without her: receipt, marker, chat state, and an error.
fn client_answers(scene: &Scene, id: &str) {
    let id = isthmus_test_support::node::escape(id);
    for (kind, payload) in [
        (
            "chat",
            format!("<received xmlns='urn:xmpp:receipts' id='{id}'/>"),
        ),
        (
            "chat",
            format!("<displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/>"),
        ),
        (
            "chat",
            "<active xmlns='http://jabber.org/protocol/chatstates'/>".to_owned(),
        ),
        (
            "error",
            "<body>I am away.</body><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                .to_owned(),
        ),
    ] {
        let to = isthmus_test_support::node::escape(ALICE);
        let fresh = scene.juliet.fresh_id();
        scene.juliet.send(&format!(
            "<message type='{kind}' id='{fresh}' to='{to}'>{payload}</message>"
        ));
    }
}
