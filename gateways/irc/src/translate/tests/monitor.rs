use super::*;

fn watch(contact: &'static str, on: bool) -> Command<'static> {
    let contact = contact.into();
    Command::Watch { contact, on }
}

#[test]
fn contacts_are_watched_by_monitor() {
    let mut desk = Desk::online_on("", "MONITOR=100 WATCH=128");
    let tag = desk.ask(watch("Bob[", true));
    assert_eq!(desk.said(), ["MONITOR + Bob["]);
    desk.hear(":s 731 ferris :Bob[");
    desk.hear(":s 730 ferris :bob{!b@h,eve!e@h");
    desk.hear(":s 730 ferris :Bob[!b@h");
    desk.hear(":s 731 ferris :bob[");
    assert_eq!(
        desk.events(),
        [
            format!("done {tag} Finished"),
            "contact Bob[ false None".to_owned(),
            "contact Bob[ true None".to_owned(),
            "contact Bob[ false None".to_owned(),
        ]
    );
    desk.ask(watch("bob[", false));
    assert_eq!(desk.said(), ["MONITOR - bob["]);
    desk.hear(":s 730 ferris :Bob[!b@h");
    assert_eq!(desk.events().len(), 1);
}

#[test]
fn without_monitor_contacts_are_watched_by_watch() {
    let mut desk = Desk::online_on("", "WATCH=128");
    desk.ask(watch("bob", true));
    assert_eq!(desk.said(), ["WATCH +bob"]);
    desk.hear(":s 605 ferris bob * * 0 :is offline");
    desk.hear(":s 600 ferris bob b h 1 :logged online");
    assert_eq!(
        desk.events()[1..],
        ["contact bob false None", "contact bob true None"]
    );
}

#[test]
fn without_either_contacts_are_asked_for_every_minute() {
    let mut desk = Desk::online();
    desk.ask(watch("bob", true));
    desk.ask(watch("eve", true));
    desk.wait(0);
    assert_eq!(desk.said(), ["ISON bob eve"]);
    desk.hear(":s 303 ferris :Eve");
    assert_eq!(
        desk.events()[2..],
        ["contact bob false None", "contact eve true None"]
    );
    desk.wait(59);
    assert!(desk.said().is_empty());
    desk.wait(1);
    assert_eq!(desk.said(), ["ISON bob eve"]);
    desk.hear(":s 303 ferris :");
    assert_eq!(desk.events(), ["contact eve false None"]);
}

#[test]
fn many_contacts_are_asked_for_in_lines_that_fit() {
    let mut desk = Desk::online();
    for n in 0..100 {
        let contact = format!("somebody{n}").into();
        desk.ask(Command::Watch { contact, on: true });
    }
    desk.wait(0);
    let said = desk.said();
    assert!(
        said.len() > 1 && said.iter().all(|line| line.len() <= 510),
        "{said:?}"
    );
}

#[test]
fn who_does_not_fit_the_networks_list_is_asked_for() {
    let mut desk = Desk::online_on("", "MONITOR=1");
    desk.ask(watch("bob", true));
    desk.ask(watch("eve", true));
    desk.said();
    desk.hear(":s 734 ferris 1 eve :Monitor list is full");
    desk.wait(0);
    assert_eq!(desk.said(), ["ISON eve"]);
}

#[test]
fn away_is_said_without_a_change_of_nickname() {
    let mut desk = Desk::online();
    desk.ask(Command::Away {
        text: Some("out\r\nNICK x".into()),
    });
    desk.ask(Command::Away { text: None });
    let said = desk.said();
    assert_eq!(said[0], "AWAY :out  NICK x");
    assert!(said.contains(&"AWAY".to_owned()));
    assert!(said.iter().all(|line| !line.starts_with("NICK")));
}

/// Welcomed as `ferris_`, because `ferris` was in use.
fn renamed(words: &str) -> Desk {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(":s 433 * ferris :Nickname is already in use");
    desk.hear(":s 001 ferris_ :Welcome");
    desk.hear(&format!(":s 005 ferris_ {words} :are supported"));
    desk.said();
    desk.hear(":s 422 ferris_ :No MOTD");
    desk.events();
    desk
}

#[test]
fn a_nickname_that_was_in_use_is_taken_back_when_it_is_free() {
    let mut desk = renamed("MONITOR=100");
    assert_eq!(desk.said(), ["MONITOR + ferris"]);
    desk.hear(":s 730 ferris_ :ferris!f@h");
    assert!(desk.said().is_empty());
    desk.hear(":s 731 ferris_ :ferris");
    assert_eq!(desk.said(), ["NICK ferris"]);
    desk.hear(":ferris_!f@h NICK ferris");
    assert_eq!(desk.events(), ["renamed ferris_ ferris"]);
    let mut desk = renamed("X=y");
    assert!(desk.said().is_empty());
    desk.wait(60);
    assert_eq!(desk.said(), ["ISON ferris"]);
    desk.hear(":s 303 ferris_ :ferris");
    assert!(desk.said().is_empty());
    desk.hear(":Ferris!f@h QUIT :bye");
    assert_eq!(desk.said(), ["NICK ferris"]);
}

#[test]
fn who_takes_another_nickname_is_not_renamed_behind_his_back() {
    let mut desk = renamed("MONITOR=100");
    desk.ask(Command::Nick {
        nick: "crab".into(),
    });
    desk.said();
    desk.hear(":ferris_!f@h NICK crab");
    desk.hear(":s 731 crab :ferris");
    assert!(desk.said().is_empty());
}

#[test]
fn a_nickname_that_services_hold_back_or_take_away_is_tried_again() {
    let mut desk = renamed("MONITOR=100");
    desk.said();
    desk.hear(":s 731 ferris_ :ferris");
    assert_eq!(desk.said(), ["NICK ferris"]);
    desk.hear(":s 437 ferris_ ferris :Nick is temporarily unavailable");
    desk.hear(":ferris_!f@h NICK Guest12");
    assert_eq!(
        desk.events(),
        ["renamed ferris_ Guest12"],
        "nobody asked for it"
    );
    desk.wait(59);
    assert!(desk.said().is_empty());
    assert_eq!(
        desk.talk.deadline(desk.now),
        Some(desk.now + Duration::from_secs(1))
    );
    desk.wait(1);
    assert_eq!(desk.said(), ["NICK ferris"]);
    desk.hear(":s 433 Guest12 ferris :Nickname is already in use");
    desk.wait(60);
    assert!(desk.said().iter().all(|line| !line.starts_with("NICK")));
    desk.wait(60);
    assert!(desk.said().contains(&"NICK ferris".to_owned()));
    desk.hear(":Guest12!f@h NICK ferris");
    desk.wait(7200);
    assert!(desk.said().iter().all(|line| !line.starts_with("NICK")));
}

#[test]
fn who_asks_for_his_id_in_place_of_a_nickname_keeps_it() {
    let zero = || Command::Nick { nick: "0".into() };
    let raw = |line: &'static str| Command::Raw { line: line.into() };
    for (command, answer) in [
        (zero(), ":ferris!f@h NICK 42XAAAAAB"),
        (raw("NICK 0"), ":ferris!f@h NICK 42XAAAAAB"),
        (raw("nick :0"), ":ferris!f@h NICK 42XAAAAAB"),
    ] {
        let mut desk = Desk::online_on("", "MONITOR=100");
        let tag = desk.ask(command);
        desk.said();
        desk.hear(answer);
        let mut told = desk.events();
        told.sort();
        assert_eq!(
            told,
            [
                format!("done {tag} Finished"),
                "renamed ferris 42XAAAAAB".to_owned()
            ]
        );
        desk.wait(60);
        desk.hear(":s 731 42XAAAAAB :ferris");
        assert!(desk.said().is_empty(), "it is what he wanted");
        // The id was that connection's.
        desk.lose();
        desk.talk.dial();
        desk.talk.connected(desk.now);
        assert!(desk.said().contains(&"NICK ferris".to_owned()));
    }
}

#[test]
fn a_collision_after_an_id_was_refused_or_another_nickname_was_asked_for_is_one() {
    let mut desk = Desk::online_on("", "MONITOR=100");
    desk.ask(Command::Raw {
        line: "NICK 0".into(),
    });
    desk.hear(":s 432 ferris 0 :Erroneous nickname");
    desk.said();
    desk.hear(":ferris!f@h NICK 42XAAAAAB");
    assert_eq!(desk.said(), ["MONITOR + ferris"]);

    let mut desk = Desk::online_on("", "MONITOR=100");
    let tag = desk.ask(Command::Nick {
        nick: "crab".into(),
    });
    desk.said();
    desk.hear(":ferris!f@h NICK 42XAAAAAB");
    assert_eq!(desk.events(), ["renamed ferris 42XAAAAAB"]);
    assert_eq!(desk.said(), ["MONITOR + ferris"]);
    desk.hear(":42XAAAAAB!f@h NICK crab");
    assert!(desk.events().contains(&format!("done {tag} Finished")));
    desk.hear(":s 731 crab :ferris");
    assert!(desk.said().is_empty());
}

#[test]
fn a_network_that_takes_the_nickname_again_at_once_is_fought_ever_more_rarely() {
    let mut desk = Desk::online_on("", "MONITOR=100");
    let mut tries = Vec::new();
    let began = desk.now;
    let mut me = "ferris";
    for _ in 0..1200 {
        if me == "ferris" {
            desk.hear(":ferris!f@h NICK 42XAAAAAB");
            desk.hear(":s 731 42XAAAAAB :ferris");
            me = "42XAAAAAB";
        }
        if desk.said().contains(&"NICK ferris".to_owned()) {
            tries.push((desk.now - began).as_secs());
            desk.hear(":42XAAAAAB!f@h NICK ferris");
            me = "ferris";
        }
        desk.talk.heard(desk.now);
        desk.wait(1);
    }
    assert_eq!(tries.len(), 5, "{tries:?}");
    let pauses: Vec<_> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(pauses, [60, 120, 240, 480], "{tries:?}");
    // When it has long been left alone, that is forgotten.
    desk.wait(960);
    assert!(desk.said().contains(&"NICK ferris".to_owned()));
    desk.hear(":42XAAAAAB!f@h NICK ferris");
    desk.talk.heard(desk.now);
    desk.wait(3 * 3600);
    desk.said();
    desk.hear(":ferris!f@h NICK 42XAAAAAB");
    desk.hear(":s 731 42XAAAAAB :ferris");
    assert!(desk.said().contains(&"NICK ferris".to_owned()));
}
