//! What is said, and who hears it.

use isthmus_gateway::{Command, Event, Outcome, Outgoing, Place};
use isthmus_loopback::{Config, Loopback};

use crate::support::Driver;

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
