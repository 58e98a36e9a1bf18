//! Every command ends in exactly one `Done`, whatever it is and whenever it is given.

use isthmus_gateway::{Close, Command, Key, Outgoing, Place, Ranks, Reply, RoomFlags, Style, Time};

use super::bench::{Bench, Live};
use super::rules;

rules! {
    irc_early_commands_end_once: Irc, early_commands_end_once;
    fixed_irc_early_commands_end_once: IrcFixed, early_commands_end_once;
    smtp_early_commands_end_once: Smtp, early_commands_end_once;
    sms_early_commands_end_once: Sms, early_commands_end_once;
    exec_early_commands_end_once: Exec, early_commands_end_once;
    dict_early_commands_end_once: Dict, early_commands_end_once;
    echo_early_commands_end_once: Echo, early_commands_end_once;
    loopback_early_commands_end_once: Loopback, early_commands_end_once;

    irc_every_command_ends_once: Irc, every_command_ends_once;
    fixed_irc_every_command_ends_once: IrcFixed, every_command_ends_once;
    smtp_every_command_ends_once: Smtp, every_command_ends_once;
    sms_every_command_ends_once: Sms, every_command_ends_once;
    exec_every_command_ends_once: Exec, every_command_ends_once;
    dict_every_command_ends_once: Dict, every_command_ends_once;
    echo_every_command_ends_once: Echo, every_command_ends_once;
    loopback_every_command_ends_once: Loopback, every_command_ends_once;
    bare_loopback_every_command_ends_once: Bare, every_command_ends_once;

    irc_commands_behind_the_close_end_once: Irc, commands_behind_the_close_end_once;
    smtp_commands_behind_the_close_end_once: Smtp, commands_behind_the_close_end_once;
    sms_commands_behind_the_close_end_once: Sms, commands_behind_the_close_end_once;
    exec_commands_behind_the_close_end_once: Exec, commands_behind_the_close_end_once;
    loopback_commands_behind_the_close_end_once: Loopback, commands_behind_the_close_end_once;

    irc_commands_to_nowhere_end_once: Irc, commands_to_nowhere_end_once;
    exec_commands_to_nowhere_end_once: Exec, commands_to_nowhere_end_once;
    loopback_commands_to_nowhere_end_once: Loopback, commands_to_nowhere_end_once;
}

/// How many sorts of commands there are; the match below does not compile without each.
const SORTS: usize = 28;

fn sort(command: &Command<'_>) -> usize {
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

/// Messages to each place, plain and with all there can be in one.
fn messages(room: &str, who: &str) -> Vec<Command<'static>> {
    let (room, who) = (room.to_owned(), who.to_owned());
    let places = [
        Place::Room(room.clone().into()),
        Place::Occupant {
            room: room.into(),
            nick: who.clone().into(),
        },
        Place::Contact(who.clone().into()),
        Place::Network,
    ];
    let rich = Outgoing {
        action: true,
        style: vec![isthmus_gateway::Span {
            start: 0,
            end: 2,
            style: Style::Bold,
        }]
        .into(),
        reply: Some(Reply {
            key: Key("k".into()),
            who: who.into(),
        }),
        thread: Some("t".into()),
        subject: Some("s".into()),
        ..Outgoing::text(places[0].clone(), "one\ntwo\n\n\u{0}\u{1f980}")
    };
    let plain = places.map(|place| Command::Send(Outgoing::text(place, "hello")));
    plain.into_iter().chain([Command::Send(rich)]).collect()
}

/// Commands about what was said, and the user's own.
fn said(room: &str, who: &str) -> Vec<Command<'static>> {
    let to = Place::Room(room.to_owned().into());
    let key = Key("k".into());
    let contact: isthmus_gateway::Text<'static> = who.to_owned().into();
    vec![
        Command::edit(to.clone(), key.clone(), "better"),
        Command::Retract {
            to: to.clone(),
            key: key.clone(),
            reason: Some("because".into()),
        },
        Command::Delivered {
            to: to.clone(),
            key: key.clone(),
        },
        Command::React {
            to: to.clone(),
            key: key.clone(),
            with: vec!["\u{1f44d}".into()],
        },
        Command::Read {
            to: to.clone(),
            key,
        },
        Command::Typing {
            to: to.clone(),
            on: true,
        },
        Command::Away {
            text: Some("out".into()),
        },
        Command::Away { text: None },
        Command::Avatar {
            url: Some("https://files.example/me.png".into()),
        },
        Command::Avatar { url: None },
        Command::Watch {
            contact: contact.clone(),
            on: true,
        },
        Command::Nick {
            nick: contact.clone(),
        },
        Command::Lookup {
            contact: contact.clone(),
        },
        Command::Query {
            contact: contact.clone(),
            what: "version".into(),
        },
        Command::Block { contact, on: true },
        Command::ListRooms { search: None },
        Command::History {
            at: to,
            after: Time(0),
            max: 10,
        },
        Command::Raw {
            line: "VERSION".into(),
        },
    ]
}

/// Commands about a room and who is in it.
fn governed(room: &str, who: &str) -> Vec<Command<'static>> {
    let (room, who) = (room.to_owned(), who.to_owned());
    let room = || room.clone().into();
    let nick = || who.clone().into();
    let reason = || Some("because".into());
    vec![
        Command::Subject {
            room: room(),
            text: "roses".into(),
        },
        Command::Rank {
            room: room(),
            nick: nick(),
            set: Ranks(1),
            cleared: Ranks(2),
        },
        Command::Ban {
            room: room(),
            whom: nick(),
            on: true,
            reason: reason(),
        },
        Command::Bans { room: room() },
        Command::Flags { room: room() },
        Command::Invite {
            room: room(),
            contact: nick(),
            reason: reason(),
        },
        Command::Knock {
            room: room(),
            reason: reason(),
        },
        Command::Config {
            room: room(),
            flags: RoomFlags::default(),
            password: Some("key".into()),
        },
        Command::Kick {
            room: room(),
            nick: nick(),
            reason: reason(),
        },
        Command::Leave {
            room: room(),
            reason: reason(),
        },
    ]
}

/// Every sort of command, with these names.
fn commands(room: &str, who: &str) -> Vec<Command<'static>> {
    let join = Command::Join {
        room: room.to_owned().into(),
        nick: "juliet".into(),
        password: None,
    };
    let mut all = vec![join];
    all.extend(messages(room, who));
    all.extend(said(room, who));
    all.extend(governed(room, who));
    let sorts: std::collections::BTreeSet<usize> = all.iter().map(sort).collect();
    assert_eq!(sorts.len(), SORTS, "a sort of command is missing");
    all
}

/// Names that people have, that nobody has, and that cannot be.
const NAMES: [[&str; 2]; 4] = [
    ["#garden", "bob"],
    ["#", "no body, here"],
    ["", ""],
    ["\u{1f339}\r\nQUIT", "%:\0"],
];

async fn early_commands_end_once<B: Bench>() {
    let bench = B::start().await;
    let mut driver = bench.open();
    for [room, who] in NAMES {
        for command in commands(room, who) {
            driver.command(command);
        }
    }
    driver.until_ended().await;
    driver.close(Close::Left);
    driver.until_over().await;
}

async fn every_command_ends_once<B: Bench>() {
    let bench = B::start().await;
    let mut driver = bench.open();
    let told = |driver: &super::driver::Told| driver.has("online") || driver.has("offline");
    driver.when("tried", told).await;
    for [room, who] in NAMES {
        // One after the other, so that each finds what the one before it has left.
        for command in commands(room, who) {
            driver.command(command);
            driver.until_ended().await;
        }
        for command in commands(room, who) {
            driver.command(command);
        }
        driver.until_ended().await;
    }
    driver.close(Close::Left);
    driver.until_over().await;
}

async fn commands_behind_the_close_end_once<B: Bench>() {
    let bench = B::start().await;
    for fresh in [true, false] {
        let mut driver = bench.open();
        if !fresh {
            let told = |told: &super::driver::Told| told.has("online") || told.has("offline");
            driver.when("tried", told).await;
        }
        driver.close(Close::Drain);
        for command in commands("#garden", "bob") {
            driver.command(command);
        }
        driver.until_over().await;
    }
}

async fn commands_to_nowhere_end_once<B: Live>() {
    let bench = B::start().await;
    let mut driver = bench.open_on(B::DOWN);
    for command in commands("#garden", "bob") {
        driver.command(command);
    }
    driver.until("offline").await;
    for command in commands("#garden", "bob") {
        driver.command(command);
    }
    driver.until_ended().await;
    assert!(!driver.told.has("online"));
    driver.close(Close::Left);
    driver.until_over().await;
}
