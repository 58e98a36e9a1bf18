use super::*;

/// Welcomed by a network where this line logs in.
fn logging_in(line: &str) -> Desk {
    let mut desk = Desk::with(|settings| settings.after_connect = vec![line.to_owned()]);
    desk.talk.connected(desk.now);
    let tag = desk.join("#c");
    assert!(desk.talk.minds(Tag(tag)));
    desk.hear(":s 001 ferris :Welcome");
    desk.said();
    desk.hear(":s 422 ferris :No MOTD");
    assert!(desk.talk.minds(Tag(tag)));
    desk
}

#[test]
fn rooms_wait_a_moment_for_services_that_are_logged_in_to() {
    const LINE: &str = "PRIVMSG NickServ :IDENTIFY hunter2";
    for known in [
        ":s 900 ferris ferris!f@h ferris :You are now logged in",
        ":ferris MODE ferris +ir",
    ] {
        let mut desk = logging_in(LINE);
        assert_eq!(desk.said(), [LINE]);
        desk.hear(known);
        assert_eq!(desk.said(), ["JOIN #c"], "{known}");
    }
    let mut desk = logging_in(LINE);
    desk.said();
    let due = desk.now + Duration::from_secs(5);
    assert_eq!(desk.talk.deadline(desk.now), Some(due));
    desk.wait(4);
    assert!(desk.said().is_empty());
    desk.wait(1);
    assert_eq!(desk.said(), ["JOIN #c"], "nobody answers");
    let mut desk = logging_in(LINE);
    let part = desk.ask(Command::Leave {
        room: "#C".into(),
        reason: None,
    });
    desk.wait(5);
    assert_eq!(desk.said(), [LINE], "the entry was taken back");
    assert!(desk.events().contains(&format!("done {part} Finished")));
    assert_eq!(
        logging_in("MODE ferris +x").said(),
        ["MODE ferris +x", "JOIN #c"]
    );
}

#[test]
fn a_nickname_stays_as_it_is_where_names_are_unicode() {
    let start = |words: &str| {
        let mut desk = Desk::with(|settings| settings.nick = "jörg".to_owned());
        desk.talk.connected(desk.now);
        assert!(desk.said().contains(&"NICK j_rg".to_owned()));
        desk.hear(":s 001 j_rg :Welcome");
        desk.hear(&format!(":s 005 j_rg {words} :are supported"));
        desk.hear(":s 422 j_rg :No MOTD");
        desk
    };
    let mut desk = start("CASEMAPPING=rfc8265 MONITOR=10");
    assert_eq!(desk.said(), ["NICK jörg"]);
    desk.events();
    desk.hear(":s 433 j_rg jörg :Nickname is already in use");
    assert_eq!(desk.said(), ["MONITOR + jörg"]);
    assert_eq!(desk.events(), Vec::<String>::new());
    assert!(start("CASEMAPPING=ascii").said().is_empty());
}

#[test]
fn a_connection_begins_with_capabilities_and_a_nickname() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    assert_eq!(
        desk.said(),
        ["CAP LS 302", "NICK ferris", "USER crab 0 * :ferris"]
    );
    desk.hear(":s CAP * LS * :sasl=PLAIN multi-prefix");
    assert!(desk.said().is_empty());
    desk.hear(":s CAP * LS :echo-message server-time draft/unknown");
    assert_eq!(
        desk.said(),
        ["CAP REQ :multi-prefix echo-message server-time"]
    );
    desk.hear(":s CAP ferris ACK :multi-prefix echo-message server-time");
    assert_eq!(desk.said(), ["CAP END"]);
    desk.hear(":s 001 ferris :Welcome to Example");
    desk.hear(":s 005 ferris NETWORK=Example :are supported by this server");
    assert_eq!(desk.events(), ["notice * Welcome to Example"]);
    desk.hear(":s 422 ferris :MOTD File is missing");
    assert_eq!(desk.events(), ["online ferris on Example"]);
}

#[test]
fn a_server_without_capabilities_is_greeted_all_the_same() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s 421 * CAP :Unknown command");
    desk.hear(":s 001 ferris :Welcome");
    desk.hear(":s 376 ferris :End of MOTD");
    assert!(desk.said().is_empty());
    assert_eq!(
        desk.events(),
        ["notice * Welcome", "online ferris on irc.example"]
    );
}

#[test]
fn a_server_that_has_no_motd_and_does_not_say_so_is_online_after_a_while() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(":s 001 ferris :Welcome");
    desk.events();
    desk.wait(10);
    assert_eq!(desk.events(), ["online ferris on irc.example"]);
}

#[test]
fn a_nickname_in_use_is_replaced_by_another() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s 433 * ferris :Nickname is already in use");
    desk.hear(":s 433 * ferris_ :Nickname is already in use");
    assert_eq!(desk.said(), ["NICK ferris_", "NICK ferris__"]);
    desk.hear(":s 001 ferris__ :Welcome");
    desk.hear(":s 376 ferris__ :End");
    assert!(
        desk.events()
            .contains(&"online ferris__ on irc.example".to_owned())
    );
}

#[test]
fn a_server_that_takes_no_nickname_at_all_is_left() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    for _ in 0..9 {
        assert!(!desk.talk.ending());
        desk.hear(":s 433 * x :Nickname is already in use");
    }
    assert!(desk.talk.ending());
    assert_eq!(desk.lose().fault.kind, FaultKind::NickTaken);
}

#[test]
fn a_nickname_the_server_has_cut_is_the_users_nickname() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(":s 001 ferr :Welcome");
    desk.hear(":s 376 ferr :End");
    assert!(
        desk.events()
            .contains(&"online ferr on irc.example".to_owned())
    );
}

#[test]
fn a_banned_user_is_told_why_and_does_not_come_back() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(":s 465 ferris :You are banned from this server");
    desk.hear("ERROR :Closing Link: (K-Lined)");
    let end = desk.lose();
    assert_eq!(end.fault.text, "You are banned from this server");
    assert_eq!((end.fault.kind, end.retry), (FaultKind::Forbidden, false));
}

#[test]
fn the_servers_last_words_are_the_reason() {
    let mut desk = Desk::online();
    desk.hear("ERROR :Closing Link: server is going down");
    let end = desk.lose();
    assert_eq!(end.fault.text, "Closing Link: server is going down");
    assert!(end.retry);
}

#[test]
fn silence_is_asked_about_and_then_taken_for_death() {
    let mut desk = Desk::online();
    assert_eq!(
        desk.talk.deadline(desk.now),
        Some(desk.now + Duration::from_secs(90))
    );
    desk.wait(90);
    assert_eq!(desk.said(), ["PING :keep-alive"]);
    desk.wait(59);
    assert!(!desk.talk.ending());
    desk.wait(1);
    assert!(desk.talk.ending());
    assert_eq!(desk.lose().fault.text, "ping timeout");
}

#[test]
fn a_server_that_never_welcomes_is_given_up() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.wait(60);
    assert!(desk.talk.ending());
}

#[test]
fn the_nickname_is_kept_across_connections() {
    let mut desk = Desk::online();
    desk.ask(Command::Nick {
        nick: "crab".into(),
    });
    desk.hear(":ferris!f@h NICK :crab");
    desk.lose();
    desk.said();
    desk.talk.dial();
    desk.talk.connected(desk.now);
    assert!(desk.said().contains(&"NICK crab".to_owned()));
}

#[test]
fn the_nickname_of_an_early_entry_is_the_one_asked_for() {
    let mut desk = Desk::new();
    desk.talk.wish("Crab One");
    desk.talk.wish("ferris");
    desk.talk.connected(desk.now);
    assert!(desk.said().contains(&"NICK Crab_One".to_owned()));
    // Too late: the first one counts.
    desk.talk.wish("ferris");
    desk.hear(":s 001 Crab_One :Welcome");
    desk.hear(":s 376 Crab_One :End");
    desk.join_as("ferris", "#c");
    assert_eq!(desk.said(), ["JOIN #c"]);
}

#[test]
fn a_nickname_that_is_set_is_the_one_whatever_an_entry_asks_for() {
    let mut desk = Desk::with(|settings| settings.set_nick = Some("ferris".into()));
    desk.talk.wish("crab");
    desk.talk.connected(desk.now);
    assert!(desk.said().contains(&"NICK ferris".to_owned()));
}

#[test]
fn the_nickname_of_a_late_first_entry_is_had_when_it_is_free() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    // What he was called before anybody asked is nothing he wants back.
    desk.hear(":s 433 * ferris :Nickname is already in use");
    desk.hear(":s 001 ferris_ :Welcome");
    desk.hear(":s 005 ferris_ MONITOR=100 :are supported by this server");
    desk.hear(":s 376 ferris_ :End");
    desk.said();
    desk.events();
    desk.join_as("crab", "#c");
    assert_eq!(desk.said(), ["NICK crab", "JOIN #c"]);
    desk.hear(":s 433 ferris_ crab :Nickname is already in use");
    assert_eq!(desk.said(), ["MONITOR + crab"]);
    assert_eq!(desk.events(), Vec::<String>::new());
    desk.hear(":ferris!f@h NICK :carla");
    assert_eq!(desk.said(), Vec::<String>::new());
    desk.hear(":s 731 ferris_ :crab");
    assert_eq!(desk.said(), ["NICK crab"]);
}

#[test]
fn a_nickname_that_was_in_use_is_tried_again_with_the_next_connection() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(":s 433 * ferris :Nickname is already in use");
    desk.hear(":s 001 ferris_ :Welcome");
    desk.hear(":s 376 ferris_ :End");
    desk.hear(":ferris_!f@h NICK Guest1");
    desk.lose();
    desk.said();
    desk.talk.connected(desk.now);
    assert!(desk.said().contains(&"NICK ferris".to_owned()));
}

#[test]
fn a_nickname_by_a_line_of_ones_own_is_refused_aloud_and_not_fought_for() {
    let mut desk = Desk::online_on("", "MONITOR=100");
    desk.ask(Command::Raw {
        line: "NICK crab".into(),
    });
    desk.said();
    desk.events();
    desk.hear(":s 433 ferris crab :Nickname is already in use");
    let told = desk.events();
    assert!(
        told.iter().any(|it| it.contains("already in use")),
        "{told:?}"
    );
    assert_eq!(desk.said(), Vec::<String>::new());
}
