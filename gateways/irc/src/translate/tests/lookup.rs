use isthmus_gateway::RoomFlags;

use super::*;

#[test]
fn what_is_known_of_somebody_is_told_together() {
    let mut desk = Desk::online();
    let tag = desk.ask(Command::Lookup {
        contact: "Bob".into(),
    });
    assert_eq!(desk.said()[0], "WHOIS Bob");
    for line in [
        "311 ferris bob b host.example * :Bob \u{2}the\u{2} Builder",
        "319 ferris bob :@#c +#d",
        "312 ferris bob irc.example :A server",
        "317 ferris bob 42 1000000000 :seconds idle, signon time",
        "330 ferris bob bobby :is logged in as",
        "671 ferris bob :is using a secure connection",
        "301 ferris bob :lunch",
    ] {
        desk.hear(&format!(":s {line}"));
    }
    assert!(desk.events().is_empty());
    desk.hear(":s 318 ferris bob :End of /WHOIS list");
    assert_eq!(
        desk.events(),
        [
            format!(
                "found {tag} nick=bob user=b host=host.example name=Bob the Builder \
                 channels=@#c +#d server=irc.example idle=42 since=2001-09-09T01:46:40Z \
                 account=bobby secure=is using a secure connection away=lunch"
            ),
            format!("done {tag} Finished")
        ]
    );
}

#[test]
fn nobody_of_that_name_is_an_error() {
    let mut desk = Desk::online();
    let tag = desk.ask(Command::Lookup {
        contact: "bob".into(),
    });
    desk.hear(":s 401 ferris bob :No such nick");
    assert_eq!(
        desk.events(),
        [format!("done {tag} NoSuchTarget: No such nick")]
    );
    let tag = desk.ask(Command::Lookup {
        contact: "bob".into(),
    });
    desk.hear(":s 318 ferris bob :End of /WHOIS list");
    assert!(desk.events()[0].starts_with(&format!("done {tag} NoSuchTarget")));
}

#[test]
fn channels_are_told_with_topic_and_users_and_only_those_searched_for() {
    let mut desk = Desk::online();
    let tag = desk.ask(Command::ListRooms {
        search: Some("Rust".into()),
    });
    let second = desk.ask(Command::ListRooms { search: None });
    assert_eq!(desk.said()[0], "LIST");
    desk.hear(":s 321 ferris Channel :Users  Name");
    desk.hear(":s 322 ferris #rust 12 :\u{2}All\u{2} of it");
    desk.hear(":s 322 ferris #crabs 3 :we love rust");
    desk.hear(":s 322 ferris #c 5 :");
    desk.hear(":s 322 ferris * 1 :rust");
    desk.hear(":s 323 ferris :End of LIST");
    assert_eq!(
        desk.events(),
        [
            format!("done {second} TooFast: the network is being asked for its channels already"),
            format!("found {tag} room=#rust occupants=12 subject=All of it"),
            format!("found {tag} room=#crabs occupants=3 subject=we love rust"),
            format!("done {tag} Finished"),
        ]
    );
}

#[test]
fn bans_are_set_lifted_and_listed() {
    let mut desk = Desk::online().joined("#c");
    let ban = |whom: &'static str, on| Command::Ban {
        room: "#c".into(),
        whom: whom.into(),
        on,
        reason: None,
    };
    let one = desk.ask(ban("bob", true));
    assert_eq!(desk.said()[0], "MODE #c +b bob!*@*");
    desk.hear(":ferris!f@h MODE #c +b bob!*@*");
    assert_eq!(desk.events()[0], format!("done {one} Finished"));
    let two = desk.ask(ban("*!*@evil.example", false));
    desk.hear(":s 482 ferris #c :You're not channel operator");
    assert_eq!(
        desk.events(),
        [format!(
            "done {two} NotPrivileged: You're not channel operator"
        )]
    );
    let three = desk.ask(Command::Bans { room: "#c".into() });
    desk.hear(":s 367 ferris #c *!*@evil.example alice 1000000000");
    desk.hear(":s 367 ferris #c bob!*@*");
    desk.hear(":s 368 ferris #c :End");
    assert_eq!(
        desk.events(),
        [
            format!("found {three} whom=*!*@evil.example by=alice time=1000000000000"),
            format!("found {three} whom=bob!*@*"),
            format!("done {three} Finished"),
        ]
    );
}

#[test]
fn only_modes_that_differ_are_changed() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":s 324 ferris #c +mt");
    desk.events();
    let flags = RoomFlags {
        subject_locked: true,
        members_only: true,
        ..RoomFlags::default()
    };
    let config = || Command::Config {
        room: "#c".into(),
        flags,
        password: None,
    };
    let tag = desk.ask(config());
    assert_eq!(desk.said()[0], "MODE #c -m+i");
    desk.hear(":ferris!f@h MODE #c -m+i");
    assert_eq!(desk.events()[0], format!("done {tag} Finished"));
    let tag = desk.ask(config());
    assert!(desk.said().is_empty());
    assert_eq!(desk.events(), [format!("done {tag} Finished")]);
    let shut = |flags, password| Command::Config {
        room: "#c".into(),
        flags,
        password,
    };
    let mut limited = RoomFlags {
        limit: 5,
        password: true,
        ..flags
    };
    desk.ask(shut(limited, Some("key".into())));
    assert_eq!(desk.said()[0], "MODE #c +lk 5 key");
    desk.hear(":ferris!f@h MODE #c +kl key 5");
    limited.limit = 0;
    limited.password = false;
    desk.ask(shut(limited, None));
    assert_eq!(desk.said()[0], "MODE #c -lk key");
    desk.hear(":ferris!f@h MODE #c -lk key");
    desk.events();
    limited.password = true;
    let tag = desk.ask(shut(limited, Some("a b".into())));
    assert!(desk.events()[0].starts_with(&format!("done {tag} NotExpressible")));
}

#[test]
fn what_holds_for_a_channel_is_asked_for_once_and_behind_everything_else() {
    let mut desk = Desk::online();
    desk.join("#c");
    desk.hear(":ferris!f@h JOIN #c");
    for _ in 0..9 {
        desk.tell("bob", "hello");
    }
    desk.hear(":s 366 ferris #c :End of NAMES");
    let asked = |said: Vec<String>| said.iter().filter(|it| *it == "MODE #c").count();
    assert_eq!(asked(desk.said()), 0, "messages wait");
    desk.wait(60);
    assert_eq!(asked(desk.said()), 1);
    desk.events();
    desk.hear(":s 324 ferris #c +imk secret");
    let told = desk.events();
    assert!(
        told[0].contains("moderated: true") && told[0].ends_with("key secret"),
        "{told:?}"
    );
    assert_eq!(told.len(), 1, "nobody else has asked");
    desk.hear(":s 366 ferris #c :End of NAMES");
    desk.wait(1);
    assert_eq!(asked(desk.said()), 0);
    let open = Command::Config {
        room: "#c".into(),
        flags: RoomFlags::default(),
        password: None,
    };
    desk.ask(open);
    assert_eq!(desk.said()[0], "MODE #c -mik secret");
}

#[test]
fn a_key_is_lifted_by_its_name_before_another_is_set() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":alice!a@h MODE #c +k old");
    let told = desk.events();
    assert!(told[0].ends_with("key old"), "{told:?}");
    desk.hear(":s 324 ferris #c +k *");
    assert!(!desk.events()[0].contains(" key "), "stars are no key");
    let flags = RoomFlags {
        password: true,
        ..RoomFlags::default()
    };
    let config = |password: Option<&'static str>| Command::Config {
        room: "#c".into(),
        flags,
        password: password.map(Into::into),
    };
    desk.ask(config(Some("new")));
    assert_eq!(desk.said()[0], "MODE #c -k+k old new");
    desk.hear(":ferris!f@h MODE #c -k+k old new");
    let told = desk.events();
    assert!(told.iter().any(|it| it.ends_with("key new")), "{told:?}");
    desk.ask(config(Some("new")));
    desk.ask(config(None));
    assert!(desk.said().is_empty(), "nothing changes");
}

#[test]
fn the_rest_of_a_look_up_that_failed_is_not_told() {
    let mut desk = Desk::online();
    let tag = desk.ask(Command::Lookup {
        contact: "bob".into(),
    });
    desk.hear(":s 401 ferris bob :No such nick");
    desk.hear(":s 301 ferris Bob :gone");
    desk.hear(":s 318 ferris bob :End of WHOIS");
    assert_eq!(
        desk.events(),
        [format!("done {tag} NoSuchTarget: No such nick")]
    );
    desk.hear(":s 318 ferris bob :End of WHOIS");
    assert_eq!(desk.events().len(), 1, "that one is new");
}

#[test]
fn a_long_list_is_waited_for_as_long_as_channels_come() {
    let mut desk = Desk::online();
    let tag = desk.ask(Command::ListRooms { search: None });
    for _ in 0..5 {
        desk.wait(100);
        desk.hear(":s PONG s :keep-alive");
        desk.talk.heard(desk.now);
        desk.hear(":s 322 ferris #c 3 :Topic");
    }
    assert!(desk.events().iter().all(|it| it.starts_with("found")));
    desk.wait(120);
    assert!(desk.events()[0].starts_with(&format!("done {tag} TimedOut")));
}

#[test]
fn knocking_is_heard_or_refused_and_knocks_are_told() {
    let mut desk = Desk::online().joined("#c");
    let knock = || Command::Knock {
        room: "#d".into(),
        reason: Some("let me\nin".into()),
    };
    let one = desk.ask(knock());
    assert_eq!(desk.said()[0], "KNOCK #d :let me in");
    desk.hear(":s 711 ferris #d :Your KNOCK has been delivered");
    let two = desk.ask(knock());
    desk.hear(":s 713 ferris #d :Channel is open");
    desk.hear(":s 710 #c #c bob!b@h :has asked for an invite");
    assert_eq!(
        desk.events(),
        [
            format!("done {one} Finished"),
            format!("done {two} Other: Channel is open"),
            "knocked #c bob".to_owned(),
        ]
    );
}
