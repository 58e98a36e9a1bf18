//! How commands end: each exactly once, with every fault there is.

use std::collections::BTreeSet;
use std::time::Duration;

use isthmus_gateway::{
    Command, Event, FaultKind, Key, Outcome, Outgoing, Place, Ranks, RoomFlags, Tag, Time,
};
use isthmus_loopback::{Config, Loopback};

use crate::support::{Driver, kind};

const DELAY: Duration = Duration::from_millis(1_000);

/// One command of each sort, about `place`.
fn every_command(place: &Place<'static>) -> Vec<Command<'static>> {
    let to = || place.clone();
    let key = || Key("k".into());
    let (room, nick) = (|| "#garden".into(), || "echo".into());
    vec![
        Command::Send(Outgoing::text(to(), "hello")),
        Command::edit(to(), key(), "hi"),
        Command::Retract {
            to: to(),
            key: key(),
            reason: None,
        },
        Command::React {
            to: to(),
            key: key(),
            with: vec!["+".into()],
        },
        Command::Delivered {
            to: to(),
            key: key(),
        },
        Command::Read {
            to: to(),
            key: key(),
        },
        Command::Typing { to: to(), on: true },
        Command::Away {
            text: Some("tea".into()),
        },
        Command::Avatar { url: None },
        Command::Watch {
            contact: nick(),
            on: true,
        },
        Command::Join {
            room: room(),
            nick: "alice".into(),
            password: None,
        },
        Command::Nick {
            nick: "alice2".into(),
        },
        Command::Subject {
            room: room(),
            text: "roses".into(),
        },
        Command::Kick {
            room: room(),
            nick: nick(),
            reason: None,
        },
        Command::Rank {
            room: room(),
            nick: nick(),
            set: Ranks(4),
            cleared: Ranks(0),
        },
        Command::Ban {
            room: room(),
            whom: "eve".into(),
            on: true,
            reason: None,
        },
        Command::Bans { room: room() },
        Command::Flags { room: room() },
        Command::Invite {
            room: room(),
            contact: nick(),
            reason: None,
        },
        Command::Knock {
            room: room(),
            reason: None,
        },
        Command::Config {
            room: room(),
            flags: RoomFlags::default(),
            password: None,
        },
        Command::ListRooms { search: None },
        Command::Lookup { contact: nick() },
        Command::Query {
            contact: nick(),
            what: "ping".into(),
        },
        Command::History {
            at: to(),
            after: Time(0),
            max: 10,
        },
        Command::Block {
            contact: nick(),
            on: true,
        },
        Command::Raw {
            line: "PING".into(),
        },
        Command::Leave {
            room: room(),
            reason: None,
        },
    ]
}

/// The number of sorts; the match fails to compile when the contract gets one more.
fn sort(command: &Command<'_>) -> u8 {
    match command {
        Command::Send(_) => 0,
        Command::Edit { .. } => 1,
        Command::Retract { .. } => 2,
        Command::React { .. } => 3,
        Command::Read { .. } => 4,
        Command::Typing { .. } => 5,
        Command::Away { .. } => 6,
        Command::Watch { .. } => 7,
        Command::Join { .. } => 8,
        Command::Leave { .. } => 9,
        Command::Nick { .. } => 10,
        Command::Subject { .. } => 11,
        Command::Kick { .. } => 12,
        Command::Rank { .. } => 13,
        Command::Ban { .. } => 14,
        Command::Bans { .. } => 15,
        Command::Invite { .. } => 16,
        Command::Knock { .. } => 17,
        Command::Config { .. } => 18,
        Command::ListRooms { .. } => 19,
        Command::Lookup { .. } => 20,
        Command::History { .. } => 21,
        Command::Block { .. } => 22,
        Command::Raw { .. } => 23,
        Command::Delivered { .. } => 24,
        Command::Query { .. } => 25,
        Command::Avatar { .. } => 26,
        Command::Flags { .. } => 27,
    }
}

const SORTS: usize = 28;

#[test]
fn every_command_ends_exactly_once_wherever_it_is_given() {
    let places = [
        Place::Room("#garden".into()),
        Place::Occupant {
            room: "#garden".into(),
            nick: "echo".into(),
        },
        Place::Contact("echo".into()),
        Place::Contact("nobody".into()),
        Place::Contact("slow".into()),
        Place::Network,
    ];
    for network in ["", "down"] {
        for place in &places {
            let gateway = Loopback::new(Config::default());
            let mut alice = Driver::open(&gateway, "alice", network);
            let commands = every_command(place);
            let sorts: BTreeSet<_> = commands.iter().map(sort).collect();
            assert_eq!(sorts.len(), SORTS);
            let tags: Vec<Tag> = commands.into_iter().map(|it| alice.give(it)).collect();
            alice.pass(DELAY);
            for tag in tags {
                assert_eq!(
                    alice.ends(tag).len(),
                    1,
                    "{tag:?} at {place:?} on {network:?}"
                );
            }
        }
    }
}

#[test]
fn a_name_made_of_a_fault_refuses_with_that_fault() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    for wanted in FaultKind::ALL {
        let word = serde_json::to_value(wanted).expect("a kind is a word");
        let word = word.as_str().expect("a kind is a word");
        assert_eq!(kind(alice.join(&format!("#fault-{word}"))), Some(wanted));
        let to = Place::Contact(format!("fault-{word}").into());
        let sent = alice.run(Command::Send(Outgoing::text(to, "hello")));
        assert_eq!(kind(sent), Some(wanted));
        let nick = format!("fault-{word}").into();
        assert_eq!(kind(alice.run(Command::Nick { nick })), Some(wanted));
        let mut bob = Driver::open(&gateway, "bob", &format!("fault-{word}"));
        let news = bob.news();
        let [Event::Offline { fault, retry: None }] = news.as_slice() else {
            panic!("not offline: {news:?}");
        };
        assert_eq!(fault.kind, wanted);
    }
}

#[test]
fn a_body_made_of_a_fault_is_refused_in_a_room() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    alice.join("#garden").expect("an open room");
    let body = "!fault-too_fast";
    let sent = alice.run(Command::Send(Outgoing::text(
        Place::Room("#garden".into()),
        body,
    )));
    assert_eq!(kind(sent), Some(FaultKind::TooFast));
}

fn send_to(alice: &mut Driver, contact: &'static str) -> Tag {
    alice.give(Command::Send(Outgoing::text(
        Place::Contact(contact.into()),
        "hello",
    )))
}

#[test]
fn late_is_sent_and_fails_after_the_delay() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let tag = send_to(&mut alice, "late");
    assert_eq!(alice.ends(tag), [Ok(Outcome::Sent)]);
    assert_eq!(alice.session.deadline(), Some(alice.now + DELAY));
    alice.pass(DELAY / 2);
    let failed = |event: &Event<'_>| matches!(event, Event::Failed { tag: of, .. } if *of == tag);
    assert!(!alice.told.0.iter().any(failed));
    alice.pass(DELAY / 2);
    assert!(alice.told.0.iter().any(failed));
    assert_eq!(alice.session.deadline(), None);
}

#[test]
fn slow_ends_after_the_delay() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let tag = send_to(&mut alice, "slow");
    assert_eq!(alice.ends(tag), []);
    alice.pass(DELAY);
    assert_eq!(alice.ends(tag), [Ok(Outcome::Accepted)]);
}

#[test]
fn mute_ends_only_before_the_network_goes_offline() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let tag = send_to(&mut alice, "mute");
    alice.pass(DELAY * 100);
    assert_eq!(alice.ends(tag), []);
    alice.news();
    gateway.control().go_offline("");
    let news = alice.news();
    assert!(matches!(
        news.as_slice(),
        [Event::Done { tag: of, result: Err(_) }, Event::Offline { .. }] if *of == tag
    ));
}

#[test]
fn twice_ends_twice_only_where_misbehaviour_is_asked_for() {
    for (misbehave, ends) in [(false, 1), (true, 2)] {
        let gateway = Loopback::new(Config {
            misbehave,
            ..Config::default()
        });
        let mut alice = Driver::open(&gateway, "alice", "");
        let tag = send_to(&mut alice, "twice");
        alice.poll();
        assert_eq!(alice.ends(tag).len(), ends);
    }
}

#[test]
fn what_the_network_cannot_express_is_unsupported() {
    let mut config = Config::default();
    config.caps.typing = false;
    let gateway = Loopback::new(config);
    let mut alice = Driver::open(&gateway, "alice", "");
    let to = Place::Contact("echo".into());
    let typing = alice.run(Command::Typing { to, on: true });
    assert_eq!(kind(typing), Some(FaultKind::Unsupported));
}
