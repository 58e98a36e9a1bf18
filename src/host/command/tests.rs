//! Commands from end to end, with the loopback gateway as the network.

use isthmus_loopback::Config;

use crate::host::scene::Scene;
use crate::queue::Tuning;
use crate::xmpp::element::Element;
use crate::xmpp::ns;

const JULIET: &str = "juliet@example.org/balcony";
const ROMEO: &str = "romeo@example.org/orchard";

fn command(attributes: &str, payload: &str) -> String {
    format!("<command xmlns='http://jabber.org/protocol/commands' {attributes}>{payload}</command>")
}

fn submit(id: &str) -> String {
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='id'><value>{id}</value></field></x>"
    )
}

fn stage(answer: &Element) -> &Element {
    answer.child("command", ns::COMMANDS).expect("a command")
}

fn note(answer: &Element) -> (String, String) {
    let note = stage(answer).child("note", ns::COMMANDS).expect("a note");
    let kind = note.attr("type").unwrap_or_default();
    (kind.to_owned(), note.text().into_owned())
}

/// The number of the one message in the answer to `queue`.
fn number(answer: &Element) -> String {
    let form = stage(answer).child("x", ns::DATA_FORMS).expect("a table");
    let item = form.child("item", ns::DATA_FORMS).expect("a row");
    let field = item.child("field", ns::DATA_FORMS).expect("a cell");
    let value = field.child("value", ns::DATA_FORMS).expect("a value");
    value.text().into_owned()
}

impl Scene {
    async fn execute(&mut self, from: &str, id: &str, attributes: &str, payload: &str) -> Element {
        self.ask(from, "set", id, &command(attributes, payload));
        self.answer(id).await
    }

    fn chat(&self, id: &str, body: &str) {
        self.give(&format!(
            "<message from='{JULIET}' to='loop.example.org' id='{id}' type='chat'>\
             <body>{body}</body></message>"
        ));
    }

    async fn words(&mut self) -> String {
        let message = self
            .expect("words", |it| it.child("body", ns::COMPONENT).is_some())
            .await;
        let body = message.child("body", ns::COMPONENT).expect("a body");
        body.text().into_owned()
    }
}

#[tokio::test]
async fn a_message_that_waits_is_listed_and_taken_back() {
    let mut scene = Scene::patient();
    scene.send("hold%queue", "m", "<body>hello</body>");
    let listed = scene.execute(JULIET, "a", "node='queue'", "").await;
    assert_eq!(stage(&listed).attr("status"), Some("completed"));
    assert!(
        format!("{listed:?}").contains("hold%queue@loop.example.org"),
        "{listed:?}"
    );
    let number = number(&listed);

    // Somebody else's messages are nobody's business.
    let begun = scene.execute(ROMEO, "b", "node='queue-cancel'", "").await;
    let session = stage(&begun)
        .attr("sessionid")
        .expect("a session")
        .to_owned();
    let attributes = format!("node='queue-cancel' sessionid='{session}'");
    let done = scene
        .execute(ROMEO, "c", &attributes, &submit(&number))
        .await;
    assert_eq!(note(&done).0, "error");

    let begun = scene.execute(JULIET, "d", "node='queue-cancel'", "").await;
    assert_eq!(stage(&begun).attr("status"), Some("executing"));
    let session = stage(&begun)
        .attr("sessionid")
        .expect("a session")
        .to_owned();
    let attributes = format!("node='queue-cancel' sessionid='{session}' action='complete'");
    let done = scene
        .execute(JULIET, "e", &attributes, &submit(&number))
        .await;
    assert_eq!(stage(&done).attr("status"), Some("completed"));
    assert_eq!(stage(&done).attr("sessionid"), Some(session.as_str()));
    assert_eq!(note(&done).0, "info");

    let listed = scene.execute(JULIET, "f", "node='queue'", "").await;
    assert_eq!(note(&listed).1, "no message waits");
}

#[tokio::test]
async fn a_chat_with_the_gateway_does_the_same() {
    let mut scene = Scene::patient();
    scene.chat("a", "Help");
    let help = scene.words().await;
    assert!(help.contains("queue cancel"), "{help}");
    scene.send("hold%queue", "m", "<body>hello</body>");
    scene.chat("b", "queue");
    let listed = scene.words().await;
    assert!(listed.starts_with("1 message waits\nnumber: "), "{listed}");
    let number = listed
        .split("number: ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    scene.chat("c", &format!("queue cancel {}", number.expect("a number")));
    assert!(scene.words().await.contains("was taken back"));
    scene.chat("d", "queue cancel");
    assert!(scene.words().await.contains("is missing"));
    scene.chat("e", "good morning");
    scene.expect_error("e", "service-unavailable").await;
}

#[tokio::test]
async fn a_session_belongs_to_who_began_it_and_ends_once() {
    let mut scene = Scene::open();
    let begun = scene.execute(JULIET, "a", "node='queue-cancel'", "").await;
    let session = stage(&begun)
        .attr("sessionid")
        .expect("a session")
        .to_owned();
    let attributes = format!("node='queue-cancel' sessionid='{session}' action='cancel'");
    let others = scene.execute(ROMEO, "b", &attributes, "").await;
    let specific = |answer: &Element, name| {
        let error = answer.child("error", ns::COMPONENT);
        error.is_some_and(|error| error.child(name, ns::COMMANDS).is_some())
    };
    assert!(specific(&others, "bad-sessionid"), "{others:?}");
    let cancelled = scene.execute(JULIET, "c", &attributes, "").await;
    assert_eq!(stage(&cancelled).attr("status"), Some("canceled"));
    let again = scene.execute(JULIET, "d", &attributes, "").await;
    assert!(specific(&again, "bad-sessionid"), "{again:?}");
    let odd = scene
        .execute(JULIET, "e", "node='queue' action='dance'", "")
        .await;
    assert!(specific(&odd, "malformed-action"), "{odd:?}");
    let unknown = scene.execute(JULIET, "f", "node='nothing'", "").await;
    let error = unknown.child("error", ns::COMPONENT).expect("an error");
    assert!(error.child("item-not-found", ns::STANZA_ERRORS).is_some());
}

/// A cell of the table in the answer to `queue`.
fn cell(answer: &Element, row: usize, name: &str) -> String {
    let form = stage(answer).child("x", ns::DATA_FORMS).expect("a table");
    let mut items = form.children().filter(|it| it.is("item", ns::DATA_FORMS));
    let item = items.nth(row).expect("a row");
    let mut fields = item.children();
    let field = fields.find(|it| it.attr("var") == Some(name));
    let value = field.and_then(|field| field.child("value", ns::DATA_FORMS));
    value.expect("a value").text().into_owned()
}

#[tokio::test]
async fn a_message_that_is_taken_back_gives_its_place_to_the_next() {
    let config = Config {
        delay_ms: 600_000,
        ..Config::default()
    };
    let tuning = Tuning {
        window: 1,
        ..Tuning::default()
    };
    for way in ["command", "retraction"] {
        let mut scene = Scene::tuned(config.clone(), tuning.clone());
        scene.send("hold%queue", "m1", "<body>one</body>");
        scene.send("hold%queue", "m2", "<body>two</body>");
        let attempts = async |scene: &mut Scene, row, wanted: &str| loop {
            let listed = scene.execute(JULIET, "l", "node='queue'", "").await;
            if cell(&listed, row, "attempts") == wanted {
                return cell(&listed, row, "id");
            }
        };
        let first = attempts(&mut scene, 0, "1").await;
        attempts(&mut scene, 1, "0").await;
        if way == "command" {
            scene.chat("c", &format!("queue cancel {first}"));
            assert!(scene.words().await.contains("was taken back"));
        } else {
            let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>";
            scene.send("hold%queue", "r", retract);
        }
        attempts(&mut scene, 0, "1").await;
        let recalled = scene.control.recalled();
        assert_eq!(recalled.len(), 1, "{way}: the gateway was told");
        assert_eq!(recalled[0].0.to_string(), first, "{way}");
    }
}

#[tokio::test]
async fn the_list_tells_why_a_message_waits_and_when_it_is_tried_again() {
    let config = Config {
        delay_ms: 600_000,
        ..Config::default()
    };
    let mut scene = Scene::with(config);
    scene.send("retry%queue", "m", "<body>hello</body>");
    let listed = loop {
        let listed = scene.execute(JULIET, "l", "node='queue'", "").await;
        if !cell(&listed, 0, "why").is_empty() {
            break listed;
        }
    };
    assert_eq!(cell(&listed, 0, "why"), "the network does not answer");
    assert_eq!(cell(&listed, 0, "next"), "in 10 min");
    assert_eq!(cell(&listed, 0, "state"), "waits");
}
