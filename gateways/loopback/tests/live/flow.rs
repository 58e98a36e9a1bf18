//! Credit, waking, broken connections, and the end of a session.

use std::task::Poll;
use std::time::Duration;

use isthmus_gateway::{Command, Credit, Event, FaultKind, Outcome, Outgoing, Place};
use isthmus_loopback::{Config, Loopback};

use crate::support::Driver;

fn in_garden(gateway: &Loopback, user: &str) -> Driver {
    let mut driver = Driver::open(gateway, user, "");
    driver.join("#garden").expect("an open room");
    driver.news();
    driver
}

#[test]
fn what_the_foreign_side_says_wakes_the_session() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    let before = alice.wakes();
    gateway.control().say("", "#garden", "ferris", "hello");
    assert_eq!(alice.wakes(), before + 1);
    assert_eq!(alice.heard(), ["ferris: hello"]);
}

#[test]
fn no_more_events_come_than_there_is_credit() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    gateway.control().flood("", "#garden", 5);
    assert!(alice.poll_with(Credit::Events(2)).is_pending());
    assert_eq!(alice.told.0.len(), 2);
    assert_eq!(alice.heard().len(), 5);
}

#[test]
fn on_hold_commands_end_and_messages_keep_their_order() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    gateway.control().flood("", "#garden", 2);
    let room = Place::Room("#garden".into());
    let tag = alice.give(Command::Send(Outgoing::text(room, "hello")));
    assert!(alice.poll_with(Credit::Hold).is_pending());
    assert_eq!(alice.ends(tag), [Ok(Outcome::Accepted)]);
    let told = std::mem::take(&mut alice.told.0);
    assert!(matches!(
        told.as_slice(),
        [Event::Echo { .. }, Event::Done { .. }]
    ));
    assert_eq!(
        alice.heard(),
        ["flood: line 1", "flood: line 2", "echo: hello"]
    );
}

#[test]
fn on_hold_a_join_does_not_end_before_it_was_told() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let tag = alice.give(Command::Join {
        room: "#big-1000".into(),
        nick: "alice".into(),
        password: None,
    });
    assert!(alice.poll_with(Credit::Hold).is_pending());
    assert_eq!(alice.ends(tag), []);
    alice.poll();
    assert_eq!(alice.ends(tag), [Ok(Outcome::Finished)]);
}

#[test]
fn too_much_unread_breaks_the_connection() {
    let gateway = Loopback::new(Config {
        backlog: 10,
        ..Config::default()
    });
    let mut alice = in_garden(&gateway, "alice");
    gateway.control().flood("", "#garden", 11);
    let news = alice.news();
    let [
        Event::Offline {
            fault,
            retry: Some(_),
        },
    ] = news.as_slice()
    else {
        panic!("not offline: {news:?}");
    };
    assert_eq!(fault.kind, FaultKind::TooFast);
}

#[test]
fn a_network_that_is_down_is_tried_again_at_the_deadline() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "flaky");
    assert!(matches!(
        alice.news().as_slice(),
        [Event::Offline {
            retry: Some(1_000),
            ..
        }]
    ));
    let due = alice.session.deadline().expect("it tries again");
    assert_eq!(due, alice.now + Duration::from_millis(1_000));
    alice.pass(Duration::from_millis(1_000));
    assert!(matches!(alice.news().as_slice(), [Event::Online(_)]));
}

#[test]
fn a_network_that_comes_back_is_online_at_once_and_empty_of_the_user() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    gateway.control().go_offline("");
    assert!(matches!(alice.news().as_slice(), [Event::Offline { .. }]));
    gateway.control().go_online("");
    assert!(matches!(alice.news().as_slice(), [Event::Online(_)]));
    let room = Place::Room("#garden".into());
    let sent = alice.run(Command::Send(Outgoing::text(room, "hello")));
    assert_eq!(sent.map_err(|fault| fault.kind), Err(FaultKind::NotJoined));
}

#[test]
fn a_closed_session_ends_its_commands_and_is_seen_to_quit() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    let mut bob = in_garden(&gateway, "bob");
    alice.news();
    let tag = alice.give(Command::Send(Outgoing::text(
        Place::Contact("mute".into()),
        "hello",
    )));
    assert_eq!(alice.close(), Poll::Ready(()));
    assert_eq!(alice.ends(tag).len(), 1);
    assert!(matches!(
        bob.news().as_slice(),
        [Event::Left(left)] if left.room.is_none() && left.nicks[0] == "alice"
    ));
}

#[test]
fn a_nickname_is_found_again_when_the_session_is_opened_anew() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    alice
        .run(Command::Nick {
            nick: "rose".into(),
        })
        .expect("a free nickname");
    let kept = alice.news().into_iter().find_map(|event| match event {
        Event::Keep { state } => Some(state),
        _ => None,
    });
    assert_eq!(kept.as_deref(), Some(b"rose".as_slice()));
}

#[test]
fn a_command_whose_answer_breaks_the_connection_ends_before_it() {
    let gateway = Loopback::new(Config {
        backlog: 10,
        ..Config::default()
    });
    let mut alice = Driver::open(&gateway, "alice", "");
    alice.news();
    let tag = alice.give(Command::Join {
        room: "#big-5000".into(),
        nick: "alice".into(),
        password: None,
    });
    let news = alice.news();
    assert!(
        matches!(
            news.as_slice(),
            [Event::Done { tag: of, result: Err(_) }, Event::Offline { .. }] if *of == tag
        ),
        "{news:?}"
    );
}

#[test]
fn a_user_the_network_renames_or_removes_is_told() {
    let gateway = Loopback::new(Config::default());
    let mut alice = in_garden(&gateway, "alice");
    let control = gateway.control();
    control.rename("", "alice", "guest7");
    control.kick("", "#garden", "guest7", "services");
    let news = alice.news();
    let [Event::Renamed { to, .. }, Event::Left(left)] = news.as_slice() else {
        panic!("other events: {news:?}");
    };
    assert_eq!((to.as_ref(), left.nicks[0].as_ref()), ("guest7", "guest7"));
    assert_eq!(left.by.as_deref(), Some("services"));
}
