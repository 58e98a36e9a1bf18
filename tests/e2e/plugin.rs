//! Gateways that are programs of their own: a dictionary in Python in front of a real dictd, and
//! an echo in shell.

use std::time::Duration;

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{DEADLINE, Dictd, Isthmus, Stanza, XmppClient, paths};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::World;

const DICT: &str = "dict.localhost";
const ECHO: &str = "echo.localhost";
const DICTIONARY: &str = "dictionary@dict.localhost";
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plugins");

fn gateways(dictd: &Dictd) -> String {
    format!(
        r#"
[gateway.dict]
kind = "exec"
domain = "{DICT}"
allow = ["localhost"]
exec = ["{python}", "{EXAMPLES}/dict.py"]

[gateway.dict.config]
server = "{server}"

[gateway.echo]
kind = "exec"
domain = "{ECHO}"
allow = ["localhost"]
exec = ["/bin/sh", "{EXAMPLES}/echo.sh"]
"#,
        python = paths::need("usr/bin/python3").display(),
        server = dictd.address(),
    )
}

async fn look_up(kind: Kind) {
    let dictd = Dictd::start(&[
        ("peninsula", "A piece of land almost surrounded by water."),
        ("jalapeño", "A green pepper <from> Xalapa & around."),
    ]);
    let world = World::serving(kind, &[DICT, ECHO], &gateways(&dictd));
    let juliet = world.user("juliet").await;
    world.attached(&juliet, DICT).await;
    world.attached(&juliet, ECHO).await;
    words(&juliet).await;
    echo(&juliet).await;
    asked(&juliet).await;
    killed(&world, &juliet).await;
    kept(&juliet, "test").await;
    let ended = world.isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", world.isthmus.log());
}

#[tokio::test]
async fn plugin_looks_up_on_prosody() {
    look_up(Kind::Prosody).await;
}

#[tokio::test]
async fn plugin_looks_up_on_ejabberd() {
    look_up(Kind::Ejabberd).await;
}

#[tokio::test]
async fn plugin_looks_up_on_jabberd2() {
    look_up(Kind::Jabberd2).await;
}

/// What the dictionary says next.
async fn said(juliet: &XmppClient) -> Stanza {
    let said = |s: &Stanza| s.kind() == "message" && !s.body().is_empty() && s.type_() == "chat";
    let said = juliet.expect(said).await;
    assert_eq!(said.from().split('/').next(), Some(DICTIONARY));
    said
}

async fn words(juliet: &XmppClient) {
    juliet.chat(DICTIONARY, "peninsula");
    let greeting = said(juliet).await;
    assert!(greeting.body().starts_with("Hello"), "{greeting:?}");
    let meaning = said(juliet).await;
    assert!(
        meaning.body().contains("surrounded by water."),
        "{meaning:?}"
    );
    juliet.chat(DICTIONARY, "Jalapeño");
    let meaning = said(juliet).await;
    assert!(
        meaning.body().contains("pepper <from> Xalapa & around."),
        "{meaning:?}"
    );
    juliet.chat(DICTIONARY, "qwertz");
    assert_eq!(said(juliet).await.body(), "I don't know about qwertz.");
}

/// What the plugin itself says next: it has one network only, so its own address asks.
async fn says(juliet: &XmppClient) -> String {
    let says = |s: &Stanza| s.kind() == "message" && s.from() == DICT && !s.body().is_empty();
    juliet.expect(says).await.body().to_owned()
}

/// The plugin asks something; an answer it does not take is asked for again, in its words.
async fn asked(juliet: &XmppClient) {
    juliet.chat(DICTIONARY, "?");
    let question = says(juliet).await;
    assert!(
        question.ends_with("Which dictionary (* asks all of them) [- for “*”]?"),
        "{question}"
    );
    juliet.chat(DICT, "two words");
    assert!(says(juliet).await.contains("Which dictionary"));
    juliet.chat(DICT, "nonesuch");
    let again = says(juliet).await;
    assert!(
        again.starts_with("I cannot ask nonesuch: the dictionary server says: 550"),
        "{again}"
    );
    juliet.chat(DICT, "test");
    assert_eq!(says(juliet).await, "From now on I ask test.");
    juliet.chat(DICTIONARY, "peninsula");
    assert!(said(juliet).await.body().contains("surrounded by water."));
}

/// What the plugin has kept of the user is what it is opened with, after its end.
async fn kept(juliet: &XmppClient, database: &str) {
    juliet.chat(DICTIONARY, "?");
    let question = says(juliet).await;
    let proposed = format!("[- for “{database}”]?");
    assert!(question.ends_with(&proposed), "{question}");
    juliet.chat(DICT, "cancel");
    says(juliet).await;
}

async fn echo(juliet: &XmppClient) {
    let body = "one \"two\"\nthree \\ <four> & 🌹";
    juliet.chat("narcissus@echo.localhost", body);
    let heard = juliet.expect(|s| s.is_message("chat", body)).await;
    assert_eq!(
        heard.from().split('/').next(),
        Some("narcissus@echo.localhost")
    );
}

/// The program is killed while words wait: each is answered or comes back as an error, and the
/// next one is answered by the program that was started instead.
async fn killed(world: &World, juliet: &XmppClient) {
    let pid = process_of(&world.isthmus);
    kill_process(pid, Signal::STOP).expect("it runs");
    let mut words: Vec<(String, String)> = Vec::new();
    for number in 0..10 {
        let word = format!("word{number}");
        words.push((juliet.chat(DICTIONARY, &word), word));
    }
    // Whatever juliet said before has reached the program's pipe.
    juliet.collect(DICT).await;
    kill_process(pid, Signal::KILL).expect("it runs");
    for (id, word) in words {
        let answer = format!("I don't know about {word}.");
        let fate = juliet.try_expect(DEADLINE, |s| {
            s.is_message("chat", &answer) || (s.id() == id && s.type_() == "error")
        });
        let fate = fate.await;
        fate.unwrap_or_else(|fault| panic!("{word} is lost: {fault}\n{}", world.isthmus.log()));
    }
    world.isthmus.wait_for_log_count("plugin started", 3);
    assert_ne!(process_of(&world.isthmus), pid);
    let meaning = next_answer(juliet, "peninsula").await;
    assert!(
        meaning.contains("surrounded by water."),
        "not greeted again: {meaning}"
    );
}

/// Asks until there is an answer: the program says when it is ready, and until then what is sent
/// comes back.
async fn next_answer(juliet: &XmppClient, word: &str) -> String {
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        let id = juliet.chat(DICTIONARY, word);
        let answer = juliet.expect(|s| {
            let error = s.id() == id && s.type_() == "error";
            error || s.type_() == "chat" && s.from().starts_with(DICTIONARY)
        });
        let answer = answer.await;
        if answer.type_() == "chat" {
            return answer.body().to_owned();
        }
        assert!(tokio::time::Instant::now() < end, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The process of the dictionary, which the log tells.
fn process_of(isthmus: &Isthmus) -> Pid {
    let log = isthmus.log();
    let started = log
        .lines()
        .rfind(|line| line.contains("plugin started") && line.contains("dict"));
    let pid = started.and_then(|line| {
        let digits = line.split("pid=").nth(1)?;
        let end = digits.find(|c: char| !c.is_ascii_digit());
        digits[..end.unwrap_or(digits.len())].parse().ok()
    });
    let pid = pid.and_then(Pid::from_raw);
    pid.unwrap_or_else(|| panic!("no process of the dictionary:\n{log}"))
}
