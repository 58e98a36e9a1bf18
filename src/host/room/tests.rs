//! What a cut stream does to a room, with a server that says nothing of what it drops.

use crate::host::scene::Scene;
use crate::xmpp::element::Element;
use crate::xmpp::ns;

const ROOM: &str = "#garden%net@loop.example.org";

fn enter(scene: &Scene, resource: &str) {
    scene.give(&format!(
        "<presence from='juliet@example.org/{resource}' to='{ROOM}/juliet' id='{resource}'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
}

fn body(stanza: &Element) -> Option<String> {
    let body = stanza.child("body", ns::COMPONENT)?;
    Some(body.text().into_owned())
}

async fn has_entered(scene: &mut Scene, resource: &str) {
    let to = format!("juliet@example.org/{resource}");
    let subject = |stanza: &Element| {
        stanza.attr("to") == Some(&to) && stanza.child("subject", ns::COMPONENT).is_some()
    };
    scene.expect("end of the entrance", subject).await;
}

#[tokio::test]
async fn what_was_sent_to_nobody_is_shown_to_who_enters_again() {
    let mut scene = Scene::open();
    enter(&scene, "balcony");
    has_entered(&mut scene, "balcony").await;
    scene.cut();
    let lines: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
    for line in &lines {
        scene.control.say("net", "#garden", "echo", line);
    }
    scene.up();
    // It is sent again, and the server drops it without a word: juliet's client is gone.
    let last = |stanza: &Element| body(stanza).as_deref() == Some("line 49");
    scene.expect("last line", last).await;
    scene.seen.clear();
    enter(&scene, "phone");
    has_entered(&mut scene, "phone").await;
    let to_phone = |stanza: &&Element| stanza.attr("to") == Some("juliet@example.org/phone");
    let shown: Vec<_> = scene
        .seen
        .iter()
        .filter(to_phone)
        .filter_map(body)
        .collect();
    assert_eq!(shown, lines, "more than the newest few, and in order");
}

#[tokio::test]
async fn who_gives_a_sign_of_life_has_heard_what_follows() {
    let mut scene = Scene::open();
    enter(&scene, "balcony");
    has_entered(&mut scene, "balcony").await;
    scene.cut();
    scene.up();
    scene.give(&format!(
        "<iq from='juliet@example.org/balcony' to='{ROOM}/juliet' type='get' id='alive'>\
         <ping xmlns='urn:xmpp:ping'/></iq>"
    ));
    scene.answer("alive").await;
    for n in 0..50 {
        scene
            .control
            .say("net", "#garden", "echo", &format!("line {n}"));
    }
    let last = |stanza: &Element| body(stanza).as_deref() == Some("line 49");
    scene.expect("last line", last).await;
    scene.seen.clear();
    enter(&scene, "phone");
    has_entered(&mut scene, "phone").await;
    let to_phone = |stanza: &&Element| stanza.attr("to") == Some("juliet@example.org/phone");
    let shown = scene.seen.iter().filter(to_phone).filter_map(body).count();
    assert_eq!(
        shown,
        crate::host::scene::limits().history,
        "the newest few"
    );
}
