//! The dictionary, with a real DICT server behind it.

use isthmus_exec::{Config, Exec};
use isthmus_gateway::{Gateway, Outcome};
use isthmus_test_support::Dictd;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Driver, Nest, python_example};

const GREETED: Option<&[u8]> = Some(b"greeted");

fn dictd() -> Dictd {
    Dictd::start(&[
        (
            "peninsula",
            "A piece of land almost surrounded by water.\nFrom Latin.\n",
        ),
        ("strait", "A narrow passage of water."),
        ("dot", ".A line that begins with a dot."),
        ("jalape\u{f1}o", "A green pepper from Xalapa."),
    ])
}

fn config(dictd: &Dictd) -> Config {
    let mut config = python_example("dict.py");
    let server = dictd.address().to_string();
    config.config.0.insert("server".into(), server.into());
    config
}

async fn ask(juliet: &mut Driver, word: &str) -> String {
    let tag = juliet.say("dictionary", word);
    let heard = juliet.heard().await;
    assert_eq!(juliet.ended(tag).await, Ok(Outcome::Accepted));
    heard
}

#[tokio::test]
async fn a_word_is_answered_with_its_meaning() {
    let (nest, dictd) = (Nest::new(), dictd());
    let exec = nest.start(config(&dictd)).await;
    assert_eq!(exec.manifest().name, "dict");
    let mut juliet = Driver::open_with(&exec, GREETED);
    juliet.wait("online").await;
    let meaning = ask(&mut juliet, "peninsula").await;
    assert!(
        meaning.contains("almost surrounded by water.\n"),
        "{meaning}"
    );
    assert!(meaning.contains("From Latin."), "{meaning}");
    let meaning = ask(&mut juliet, "Jalape\u{f1}o").await;
    assert!(meaning.contains("green pepper"), "{meaning}");
    let meaning = ask(&mut juliet, "dot").await;
    assert!(
        meaning.contains(".A line") && !meaning.contains("..A"),
        "{meaning}"
    );
}

#[tokio::test]
async fn a_word_that_nobody_knows_is_said_to_be_unknown() {
    let (nest, dictd) = (Nest::new(), dictd());
    let exec = nest.start(config(&dictd)).await;
    let mut juliet = Driver::open_with(&exec, GREETED);
    juliet.wait("online").await;
    for word in ["qwertz", "a\" b \\ c\"", "peninsula\" SHUTDOWN", "*"] {
        let answer = ask(&mut juliet, word).await;
        assert_eq!(answer, format!("I don't know about {word}."));
    }
    let tag = juliet.say("dictionary", " \n ");
    assert!(juliet.ended(tag).await.is_err());
}

#[tokio::test]
async fn the_first_word_of_a_user_is_greeted_once() {
    let nest = Nest::new();
    let exec = nest.start(python_example("dict.py")).await;
    let mut juliet = Driver::online(&exec).await;
    juliet.say("dictionary", "isthmus");
    let kept = juliet.wait("keep").await;
    assert!(juliet.heard().await.starts_with("Hello"));
    assert!(juliet.heard().await.contains("strip of land"));
    assert!(ask(&mut juliet, "gateway").await.starts_with("gateway: "));
    let state: Vec<u8> = serde_json::from_value(kept["state"].clone()).expect("bytes");
    let mut again = Driver::open_with(&exec, Some(&state));
    again.wait("online").await;
    assert!(ask(&mut again, "gateway").await.starts_with("gateway: "));
}

#[tokio::test]
async fn without_its_server_it_knows_a_few_words_of_its_own() {
    let (nest, mut dictd) = (Nest::new(), dictd());
    let exec = nest.start(config(&dictd)).await;
    dictd.kill_hard();
    let mut juliet = Driver::open_with(&exec, GREETED);
    juliet.wait("online").await;
    assert!(ask(&mut juliet, "Isthmus").await.contains("strip of land"));
    assert!(ask(&mut juliet, "strait").await.contains("don't know"));
}

#[tokio::test]
async fn a_killed_dictionary_answers_the_next_word() {
    let (nest, dictd) = (Nest::new(), dictd());
    let exec = nest.start(config(&dictd)).await;
    let mut juliet = Driver::online(&exec).await;
    juliet.say("dictionary", "strait");
    assert!(juliet.heard().await.starts_with("Hello"));
    assert!(juliet.heard().await.contains("narrow passage"));
    juliet.wait("done").await;
    let pid = process_of(&exec);
    kill_process(pid, Signal::STOP).expect("it runs");
    let tag = juliet.say("dictionary", "strait");
    kill_process(pid, Signal::KILL).expect("it runs");
    let done = juliet.next().await;
    assert_eq!(
        (&done["type"], &done["tag"]),
        (&"done".into(), &tag.0.into())
    );
    assert_eq!(done["result"]["Err"]["kind"], "network_down");
    assert_eq!(juliet.next().await["type"], "offline");
    assert_eq!(
        juliet.next().await["type"],
        "online",
        "no second end of the command"
    );
    let meaning = ask(&mut juliet, "peninsula").await;
    assert!(
        meaning.contains("surrounded"),
        "it remembers the greeting: {meaning}"
    );
}

/// The process behind a gateway.
fn process_of(exec: &Exec) -> Pid {
    let id = exec.process_id().expect("it runs");
    Pid::from_raw(i32::try_from(id).expect("a process id")).expect("not zero")
}
