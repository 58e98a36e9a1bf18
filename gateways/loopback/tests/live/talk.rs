//! What is said, and who hears it.

use isthmus_gateway::{Command, Event, FaultKind, Key, Outcome, Outgoing, Place, Time};
use isthmus_loopback::{Config, Loopback};

use crate::support::{Driver, kind};

fn say(to: Place<'static>, text: &'static str) -> Command<'static> {
    Command::Send(Outgoing::text(to, text))
}

#[test]
fn two_sessions_in_a_room_hear_each_other_and_echo() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let mut bob = Driver::open(&gateway, "bob", "");
    assert_eq!(alice.join("#garden"), Ok(Outcome::Finished));
    assert_eq!(bob.join("#Garden"), Ok(Outcome::Finished));
    alice.news();
    bob.news();
    let room = Place::Room("#garden".into());
    assert_eq!(alice.run(say(room, "hello")), Ok(Outcome::Accepted));
    let told = alice.news();
    assert!(matches!(
        told.as_slice(),
        [Event::Echo { .. }, Event::Done { .. }, Event::Message(said)] if said.who.nick == "echo"
    ));
    assert_eq!(bob.heard(), ["alice: hello", "echo: hello"]);
}

#[test]
fn the_contact_echo_answers_with_the_same_text() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let echo = Place::Contact("echo".into());
    assert_eq!(alice.run(say(echo, "hello")), Ok(Outcome::Accepted));
    assert_eq!(alice.heard(), ["echo: hello"]);
}

#[test]
fn a_message_to_a_nickname_reaches_that_session() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let mut bob = Driver::open(&gateway, "bob", "");
    let to = Place::Contact("bob".into());
    assert_eq!(alice.run(say(to, "psst")), Ok(Outcome::Accepted));
    assert_eq!(bob.heard(), ["alice: psst"]);
}

#[test]
fn sessions_of_different_networks_do_not_meet() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "one");
    let _bob = Driver::open(&gateway, "bob", "two");
    let sent = alice.run(say(Place::Contact("bob".into()), "psst"));
    assert_eq!(kind(sent), Some(FaultKind::NoSuchTarget));
}

#[test]
fn without_lines_a_text_goes_out_in_parts_with_a_key_each() {
    let mut config = Config::default();
    config.caps.multiline = false;
    config.caps.max_text = 4;
    let gateway = Loopback::new(config);
    let mut alice = Driver::open(&gateway, "alice", "");
    let echo = Place::Contact("echo".into());
    alice.run(say(echo, "a\n\nroses é")).expect("echo is there");
    let news = alice.news();
    let keys = news.iter().find_map(|event| match event {
        Event::Echo { keys, .. } => Some(keys.len()),
        _ => None,
    });
    assert_eq!(keys, Some(3));
    let parts = news.iter().filter_map(|event| match event {
        Event::Message(said) => Some(said.body.as_ref()),
        _ => None,
    });
    assert_eq!(parts.collect::<Vec<_>>(), ["a", "rose", "s é"]);
}

#[test]
fn a_correction_reaches_the_room_only_from_its_author() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let mut bob = Driver::open(&gateway, "bob", "");
    alice.join("#garden").expect("an open room");
    bob.join("#garden").expect("an open room");
    let room = || Place::Room("#garden".into());
    alice.run(say(room(), "helo")).expect("she is in the room");
    let key = alice.news().into_iter().find_map(|event| match event {
        Event::Echo { keys, .. } => keys.first().cloned(),
        _ => None,
    });
    let key = key.expect("a message has a key");
    bob.news();
    let edit = |key: &Key<'static>| Command::edit(room(), key.clone(), "hello");
    assert_eq!(kind(bob.run(edit(&key))), Some(FaultKind::NotPrivileged));
    bob.news();
    assert_eq!(alice.run(edit(&key)), Ok(Outcome::Accepted));
    assert!(matches!(
        bob.news().first(),
        Some(Event::Edit { key: of, message }) if *of == key && message.body == "hello"
    ));
}

#[test]
fn who_is_blocked_is_not_heard() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let mut bob = Driver::open(&gateway, "bob", "");
    let block = Command::Block {
        contact: "Alice".into(),
        on: true,
    };
    bob.run(block).expect("anybody can be blocked");
    bob.news();
    alice
        .run(say(Place::Contact("bob".into()), "psst"))
        .expect("bob is there");
    assert_eq!(bob.heard(), Vec::<String>::new());
}

#[test]
fn old_messages_are_told_where_the_network_has_them() {
    let mut config = Config::default();
    config.caps.history = true;
    let gateway = Loopback::new(config);
    gateway.control().say("", "#garden", "ferris", "first");
    gateway.control().say("", "#garden", "ferris", "second");
    let mut alice = Driver::open(&gateway, "alice", "");
    alice.join("#garden").expect("an open room");
    alice.news();
    let history = Command::History {
        at: Place::Room("#garden".into()),
        after: Time(0),
        max: 10,
    };
    alice.run(history).expect("history is on");
    let past = alice.news().into_iter().filter_map(|event| match event {
        Event::Past { message, .. } => Some(message.body.into_owned()),
        _ => None,
    });
    assert_eq!(past.collect::<Vec<_>>(), ["first", "second"]);
}

#[test]
fn a_watched_contact_is_seen_to_come_and_go() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let watch = Command::Watch {
        contact: "bob".into(),
        on: true,
    };
    alice.run(watch).expect("anybody can be watched");
    let mut bob = Driver::open(&gateway, "bob", "");
    let _ = bob.close();
    let seen = alice.news().into_iter().filter_map(|event| match event {
        Event::Contact { online, .. } => Some(online),
        _ => None,
    });
    assert_eq!(seen.collect::<Vec<_>>(), [false, true, false]);
}
