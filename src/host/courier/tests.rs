//! The whole way of a message through the queue, with the loopback gateway as the network.

use crate::host::scene::Scene;
use crate::xmpp::ns;

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
