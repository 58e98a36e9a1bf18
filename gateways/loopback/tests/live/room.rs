//! Who enters, who governs, who is told.

use isthmus_gateway::{Command, Event, FaultKind, Outcome, Ranks, RoomFlags, Why};
use isthmus_loopback::{Config, Loopback};

use crate::support::{Driver, kind};

fn pair(gateway: &Loopback) -> (Driver, Driver) {
    let mut alice = Driver::open(gateway, "alice", "");
    let mut bob = Driver::open(gateway, "bob", "");
    alice.join("#garden").expect("an open room");
    bob.join("#garden").expect("an open room");
    alice.news();
    bob.news();
    (alice, bob)
}

fn kick(nick: &'static str) -> Command<'static> {
    Command::Kick {
        room: "#garden".into(),
        nick: nick.into(),
        reason: Some("weeds".into()),
    }
}

/// Every occupant told in `Names`, with ranks, and how many portions there were.
fn names(news: &[Event<'static>]) -> (Vec<(String, Ranks)>, usize) {
    let mut all = Vec::new();
    let mut portions = 0;
    for event in news {
        if let Event::Names { some, .. } = event {
            portions += 1;
            all.extend(
                some.iter()
                    .map(|name| (name.who.nick.to_string(), name.ranks)),
            );
        }
    }
    (all, portions)
}

#[test]
fn the_first_to_come_governs_and_echo_owns() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    alice.join("#garden").expect("an open room");
    let (all, _) = names(&alice.news());
    assert_eq!(all, [("alice".into(), Ranks(2)), ("echo".into(), Ranks(1))]);
    let mut bob = Driver::open(&gateway, "bob", "");
    bob.join("#garden").expect("an open room");
    assert!(matches!(
        alice.news().as_slice(),
        [Event::Came { who, ranks: Ranks(0), .. }] if who.nick == "bob"
    ));
}

#[test]
fn a_big_room_comes_in_portions() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    alice.join("#big-5000").expect("an open room");
    let news = alice.news();
    let (all, portions) = names(&news);
    assert_eq!((all.len(), portions), (5_002, 51));
    let lasts = |event: &&Event<'_>| matches!(event, Event::Names { last: true, .. });
    assert_eq!(news.iter().filter(lasts).count(), 1);
    assert!(all.iter().any(|(nick, _)| nick == "m0001"));
}

#[test]
fn rooms_that_refuse_say_why() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    assert_eq!(kind(alice.join("#full")), Some(FaultKind::RoomFull));
    assert_eq!(kind(alice.join("#banned")), Some(FaultKind::Forbidden));
    assert_eq!(kind(alice.join("#key")), Some(FaultKind::WrongPassword));
    assert_eq!(kind(alice.join("#invite")), Some(FaultKind::MembersOnly));
    let with_key = alice.run(Command::Join {
        room: "#key".into(),
        nick: "alice".into(),
        password: Some("key".into()),
    });
    assert_eq!(with_key, Ok(Outcome::Finished));
}

#[test]
fn echo_invites_who_knocks() {
    let gateway = Loopback::new(Config::default());
    let mut alice = Driver::open(&gateway, "alice", "");
    let room = "#invite";
    let knocked = alice.run(Command::Knock {
        room: room.into(),
        reason: None,
    });
    assert_eq!(knocked, Ok(Outcome::Finished));
    assert!(
        alice
            .news()
            .iter()
            .any(|event| matches!(event, Event::Invited { .. }))
    );
    assert_eq!(alice.join(room), Ok(Outcome::Finished));
}

#[test]
fn a_nickname_in_use_is_taken_in_any_case() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, mut bob) = pair(&gateway);
    let taken = bob.run(Command::Nick {
        nick: "ALICE".into(),
    });
    assert_eq!(kind(taken), Some(FaultKind::NickTaken));
    assert_eq!(
        bob.run(Command::Nick { nick: "Bob".into() }),
        Ok(Outcome::Finished)
    );
    assert!(matches!(
        alice.news().as_slice(),
        [Event::Renamed { from, to }] if from == "bob" && to == "Bob"
    ));
}

#[test]
fn only_the_ranked_may_kick_and_nobody_kicks_the_owner() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, mut bob) = pair(&gateway);
    assert_eq!(kind(bob.run(kick("alice"))), Some(FaultKind::NotPrivileged));
    assert_eq!(
        kind(alice.run(kick("echo"))),
        Some(FaultKind::NotPrivileged)
    );
    assert_eq!(kind(alice.run(kick("eve"))), Some(FaultKind::NoSuchTarget));
    assert_eq!(alice.run(kick("bob")), Ok(Outcome::Finished));
    assert!(matches!(
        bob.news().last(),
        Some(Event::Left(left)) if left.why == Why::Kicked && left.by.as_deref() == Some("alice")
    ));
    assert_eq!(bob.join("#garden"), Ok(Outcome::Finished));
}

#[test]
fn who_is_banned_leaves_and_stays_out_until_the_ban_is_lifted() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, mut bob) = pair(&gateway);
    let ban = |on| Command::Ban {
        room: "#garden".into(),
        whom: "bob".into(),
        on,
        reason: None,
    };
    assert_eq!(alice.run(ban(true)), Ok(Outcome::Finished));
    assert!(matches!(bob.news().last(), Some(Event::Left(left)) if left.why == Why::Banned));
    assert_eq!(kind(bob.join("#garden")), Some(FaultKind::Forbidden));
    assert_eq!(alice.run(ban(false)), Ok(Outcome::Finished));
    assert_eq!(bob.join("#garden"), Ok(Outcome::Finished));
}

#[test]
fn nobody_gives_a_rank_above_his_own() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, mut bob) = pair(&gateway);
    let give = |set| Command::Rank {
        room: "#garden".into(),
        nick: "bob".into(),
        set,
        cleared: Ranks(0),
    };
    assert_eq!(
        kind(alice.run(give(Ranks(1)))),
        Some(FaultKind::NotPrivileged)
    );
    assert_eq!(alice.run(give(Ranks(4))), Ok(Outcome::Finished));
    assert!(matches!(
        bob.news().as_slice(),
        [Event::Ranks { changes, .. }] if changes[0].set == Ranks(4)
    ));
}

#[test]
fn in_a_moderated_room_only_the_ranked_speak() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, mut bob) = pair(&gateway);
    let flags = RoomFlags {
        moderated: true,
        ..RoomFlags::default()
    };
    let room = "#garden";
    alice
        .run(Command::Config {
            room: room.into(),
            flags,
            password: None,
        })
        .expect("she governs");
    let to = isthmus_gateway::Place::Room(room.into());
    let said = bob.run(Command::Send(isthmus_gateway::Outgoing::text(to, "hello")));
    assert_eq!(kind(said), Some(FaultKind::NotPrivileged));
}

#[test]
fn an_invitation_reaches_the_other_session_and_opens_the_room() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, mut bob) = pair(&gateway);
    alice.join("#shed").expect("an open room");
    let flags = RoomFlags {
        members_only: true,
        ..RoomFlags::default()
    };
    alice
        .run(Command::Config {
            room: "#shed".into(),
            flags,
            password: None,
        })
        .expect("she governs");
    assert_eq!(kind(bob.join("#shed")), Some(FaultKind::MembersOnly));
    let invite = Command::Invite {
        room: "#shed".into(),
        contact: "bob".into(),
        reason: None,
    };
    assert_eq!(alice.run(invite), Ok(Outcome::Finished));
    assert!(matches!(bob.news().last(), Some(Event::Invited { by, .. }) if by.nick == "alice"));
    assert_eq!(bob.join("#shed"), Ok(Outcome::Finished));
}

#[test]
fn the_foreign_side_comes_renames_and_splits_in_one_event() {
    let gateway = Loopback::new(Config::default());
    let (mut alice, _bob) = pair(&gateway);
    let control = gateway.control();
    control.come("", "#garden", "carol", Ranks(4));
    control.come("", "#garden", "dave", Ranks(0));
    control.rename("", "carol", "caro");
    control.split("", &["caro", "dave"]);
    let news = alice.news();
    let [
        Event::Came { .. },
        Event::Came { .. },
        Event::Renamed { .. },
        Event::Left(left),
    ] = news.as_slice()
    else {
        panic!("other events: {news:?}");
    };
    assert_eq!(
        (left.why, left.nicks.len(), &left.room),
        (Why::Split, 2, &None)
    );
}
