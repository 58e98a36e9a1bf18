//! Registration from end to end, with the loopback gateway as the network.

use isthmus_loopback::Config;

use crate::host::courier::line_name;
use crate::host::scene::Scene;
use crate::xmpp::element::Element;
use crate::xmpp::ns;

const JULIET: &str = "juliet@example.org/balcony";
const ROMEO: &str = "romeo@example.org/orchard";
const DOMAIN: &str = "loop.example.org";

fn scene() -> Scene {
    Scene::with(Config {
        register: true,
        delay_ms: 20,
        ..Config::default()
    })
}

fn query(payload: &str) -> String {
    format!("<query xmlns='jabber:iq:register'>{payload}</query>")
}

fn form(fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("<field var='{name}'><value>{value}</value></field>"));
    let fields: String = fields.collect();
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

impl Scene {
    async fn set(&mut self, from: &str, id: &str, payload: &str) -> Element {
        self.ask(from, "set", id, &query(payload));
        self.answer(id).await
    }

    async fn users_of(&self, line: &str) -> Vec<String> {
        let kept = self.store.kept("", DOMAIN, &line_name(line)).await;
        let kept = kept
            .expect("a store that answers")
            .unwrap_or(b"[]".to_vec());
        serde_json::from_slice(&kept).expect("a list of users")
    }

    async fn sealed(&self, user: &str) -> Option<String> {
        let sealed = self.store.unseal(user, DOMAIN, "account").await;
        Some(sealed.expect("a store that answers")?.expose().to_owned())
    }
}

fn is_result(answer: &Element) -> bool {
    answer.attr("type") == Some("result")
}

fn condition(answer: &Element) -> String {
    let error = answer.child("error", ns::COMPONENT);
    let condition = error.and_then(|error| error.children().next());
    condition.map(|it| it.name().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn the_form_wins_over_legacy_fields_and_the_account_is_sealed() {
    let mut scene = scene();
    let both = format!(
        "<nick>old</nick>{}",
        form(&[("nick", "jules"), ("password", "swan")])
    );
    assert!(is_result(&scene.set(JULIET, "a", &both).await));
    let sealed = scene
        .sealed("juliet@example.org")
        .await
        .expect("an account");
    assert!(
        sealed.contains("jules") && sealed.contains("swan"),
        "{sealed}"
    );
    assert_eq!(scene.sealed("romeo@example.org").await, None);

    scene.ask(JULIET, "get", "b", &query(""));
    let shown = format!("{:?}", scene.answer("b").await);
    assert!(
        shown.contains("registered") && shown.contains("jules"),
        "{shown}"
    );
    assert!(!shown.contains("swan"), "a secret is never shown: {shown}");
}

#[tokio::test]
async fn legacy_fields_alone_register_and_an_empty_password_keeps_the_old_one() {
    let mut scene = scene();
    let fields = "<nick>jules</nick><password>swan</password>";
    assert!(is_result(&scene.set(JULIET, "a", fields).await));
    assert!(is_result(
        &scene
            .set(JULIET, "b", "<nick>juliet</nick><password/>")
            .await
    ));
    let sealed = scene
        .sealed("juliet@example.org")
        .await
        .expect("an account");
    assert!(
        sealed.contains("juliet") && sealed.contains("swan"),
        "{sealed}"
    );
}

#[tokio::test]
async fn what_is_missing_or_refused_changes_nothing() {
    let mut scene = scene();
    let missing = scene.set(JULIET, "a", "").await;
    assert_eq!(condition(&missing), "not-acceptable");
    let refused = scene
        .set(JULIET, "b", "<nick>fault-not_authorized</nick>")
        .await;
    assert_eq!(condition(&refused), "not-authorized");
    let more = scene.set(JULIET, "c", "<nick>twice</nick>").await;
    assert_eq!(condition(&more), "feature-not-implemented");
    assert_eq!(scene.sealed("juliet@example.org").await, None);
}

#[tokio::test]
async fn a_line_names_its_users_as_long_as_they_have_it() {
    let mut scene = scene();
    let (juliet, romeo) = ("juliet@example.org", "romeo@example.org");
    let on = |line| form(&[("nick", "n"), ("line", line)]);
    assert!(is_result(&scene.set(JULIET, "a", &on("+1")).await));
    assert!(is_result(&scene.set(ROMEO, "b", &on("+1")).await));
    assert!(is_result(&scene.set(ROMEO, "c", &on("+1")).await));
    assert_eq!(scene.users_of("+1").await, [juliet, romeo]);
    assert!(is_result(&scene.set(JULIET, "d", &on("+2")).await));
    assert_eq!(scene.users_of("+1").await, [romeo]);
    assert_eq!(scene.users_of("+2").await, [juliet]);
    assert!(is_result(&scene.set(JULIET, "e", "<remove/>").await));
    assert_eq!(scene.users_of("+2").await, [""; 0]);
    assert_eq!(scene.users_of("+1").await, [romeo]);
    assert_eq!(scene.sealed(juliet).await, None);
}

#[tokio::test]
async fn removing_says_nothing_else_and_needs_a_registration() {
    let mut scene = scene();
    let unknown = scene.set(JULIET, "a", "<remove/>").await;
    assert_eq!(condition(&unknown), "registration-required");
    let more = scene.set(JULIET, "b", "<remove/><nick>jules</nick>").await;
    assert_eq!(condition(&more), "bad-request");
}

#[tokio::test]
async fn a_gateway_that_asks_nothing_has_no_registration() {
    let mut scene = Scene::open();
    scene.ask(JULIET, "get", "a", &query(""));
    assert_eq!(condition(&scene.answer("a").await), "service-unavailable");
}

fn command(attributes: &str, payload: &str) -> String {
    format!(
        "<command xmlns='{}' node='register' {attributes}>{payload}</command>",
        ns::COMMANDS
    )
}

#[tokio::test]
async fn a_dialog_outlives_the_program_and_keeps_no_secret_in_the_open() {
    let mut scene = scene();
    scene.ask(JULIET, "set", "a", &command("", ""));
    let begun = scene.answer("a").await;
    let stage = begun.child("command", ns::COMMANDS).expect("a stage");
    let session = stage.attr("sessionid").expect("a session").to_owned();
    let next = format!("sessionid='{session}' action='next'");
    let first = form(&[("nick", "twice"), ("password", "swan")]);
    scene.ask(JULIET, "set", "b", &command(&next, &first));
    let second = format!("{:?}", scene.answer("b").await);
    assert!(
        second.contains("executing") && !second.contains("swan"),
        "{second}"
    );

    let mut scene = scene.restart();
    // It is nobody else's.
    scene.ask(
        ROMEO,
        "set",
        "c",
        &command(&next, &form(&[("code", "4711")])),
    );
    assert_eq!(condition(&scene.answer("c").await), "bad-request");
    scene.ask(
        JULIET,
        "set",
        "d",
        &command(&next, &form(&[("code", "1234")])),
    );
    let wrong = format!("{:?}", scene.answer("d").await);
    assert!(
        wrong.contains("that is not the code") && wrong.contains("executing"),
        "{wrong}"
    );
    assert_eq!(scene.sealed("juliet@example.org").await, None);
    scene.ask(
        JULIET,
        "set",
        "e",
        &command(&next, &form(&[("code", "4711")])),
    );
    let done = format!("{:?}", scene.answer("e").await);
    assert!(
        done.contains("completed") && done.contains("you are confirmed"),
        "{done}"
    );
    let sealed = scene
        .sealed("juliet@example.org")
        .await
        .expect("an account");
    assert!(
        sealed.contains("twice") && sealed.contains("swan"),
        "{sealed}"
    );
    scene.ask(
        JULIET,
        "set",
        "f",
        &command(&next, &form(&[("code", "4711")])),
    );
    assert_eq!(condition(&scene.answer("f").await), "bad-request");
}

#[tokio::test]
async fn who_unregisters_leaves_the_network_and_gets_his_messages_back() {
    let mut scene = Scene::with(Config {
        register: true,
        delay_ms: 600_000,
        ..Config::default()
    });
    assert!(is_result(
        &scene.set(JULIET, "a", "<nick>jules</nick>").await
    ));
    scene.give(&format!(
        "<presence from='{JULIET}' to='#garden@{DOMAIN}/jules'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    scene
        .expect("own presence", |it| {
            it.name() == "presence" && format!("{it:?}").contains("110")
        })
        .await;
    scene.send("hold%queue", "m", "<body>hello</body>");
    scene.ask(
        JULIET,
        "set",
        "q",
        "<command xmlns='http://jabber.org/protocol/commands' node='queue'/>",
    );
    assert!(format!("{:?}", scene.answer("q").await).contains("1 message waits"));
    assert!(is_result(&scene.set(JULIET, "b", "<remove/>").await));
    scene.expect_error("m", "registration-required").await;
    let left = scene
        .expect("leave", |it| {
            it.attr("type") == Some("unavailable")
                && it
                    .attr("from")
                    .is_some_and(|from| from.starts_with("#garden"))
        })
        .await;
    assert!(
        format!("{left:?}").contains("removed your registration"),
        "{left:?}"
    );
    let jobs = scene.store.jobs_of("juliet@example.org", DOMAIN, 10).await;
    assert_eq!(jobs, Ok(Vec::new()));
}

async fn presence(scene: &mut Scene, from: &str, kind: Option<&str>) -> Element {
    scene
        .expect("presence", |it| {
            it.name() == "presence"
                && it.attr("type") == kind
                && it.attr("from") == Some(&format!("{from}{DOMAIN}"))
        })
        .await
}

#[tokio::test]
async fn subscriptions_outlive_the_program() {
    let mut scene = Scene::patient();
    let to_echo = |kind: &str| {
        format!("<presence from='juliet@example.org' to='echo@{DOMAIN}' type='{kind}'/>")
    };
    scene.give(&to_echo("subscribe"));
    presence(&mut scene, "echo@", Some("subscribe")).await;
    presence(&mut scene, "echo@", None).await;
    scene.give(&to_echo("subscribed"));

    scene.store.synced().await.expect("on disk");
    let mut scene = scene.restart();
    scene.up();
    presence(&mut scene, "echo@", Some("probe")).await;
    scene.give(&format!("<presence from='{JULIET}' to='echo@{DOMAIN}'/>"));
    presence(&mut scene, "echo@", None).await;

    scene.give(&to_echo("unsubscribe"));
    presence(&mut scene, "echo@", Some("unsubscribe")).await;
    scene.store.synced().await.expect("on disk");
    let mut scene = scene.restart();
    scene.up();
    scene.give(&to_echo("probe"));
    presence(&mut scene, "echo@", Some("unsubscribed")).await;
}
