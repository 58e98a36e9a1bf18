use super::*;

#[test]
fn without_echo_a_message_counts_when_the_ping_behind_it_is_answered() {
    let mut desk = Desk::online().joined("#c");
    let tag = desk.say("#c", "hello");
    assert_eq!(desk.said(), ["PRIVMSG #c :hello", "PING :proof-1"]);
    assert!(desk.events().is_empty());
    desk.hear(":s PONG s :proof-1");
    assert_eq!(
        desk.events(),
        [format!("echo {tag} []"), format!("done {tag} Accepted")]
    );
}

#[test]
fn with_echo_a_message_counts_when_the_network_shows_it() {
    let mut desk = Desk::online_with("echo-message message-tags").joined("#c");
    let (one, two) = (desk.say("#c", "same"), desk.say("#c", "same"));
    assert_eq!(desk.said(), ["PRIVMSG #c :same", "PRIVMSG #c :same"]);
    desk.hear(":bob!b@h PRIVMSG #c :between");
    desk.hear("@msgid=m1 :ferris!f@h PRIVMSG #c :same");
    desk.hear("@msgid=m2 :ferris!f@h PRIVMSG #c :same");
    assert_eq!(
        desk.events(),
        [
            "message #c bob: between".to_owned(),
            format!("echo {one} [m1]"),
            format!("done {one} Accepted"),
            format!("echo {two} [m2]"),
            format!("done {two} Accepted"),
        ]
    );
}

#[test]
fn what_waits_for_its_turn_is_minded_until_it_ends() {
    let mut desk = Desk::online().joined("#c");
    let tags: Vec<u32> = (0..15).map(|_| desk.say("#c", "hello")).collect();
    let last = tags[tags.len() - 1];
    for second in 0..60 {
        assert!(desk.talk.minds(Tag(last)), "after {second} s");
        desk.wait(1);
        desk.talk.heard(desk.now);
    }
    desk.hear(":s PONG s :proof-100");
    assert!(!desk.talk.minds(Tag(last)), "it has ended");
    let join = desk.join("#d");
    assert!(desk.talk.minds(Tag(join)));
    desk.wait(120);
    assert!(!desk.talk.minds(Tag(join)), "it was given up");
}

#[test]
fn text_the_network_has_changed_is_told() {
    let mut desk = Desk::online_with("echo-message").joined("#c");
    let tag = desk.say("#c", "darn");
    desk.hear(":ferris!f@h PRIVMSG #c :****");
    assert_eq!(desk.events()[0], format!("echo {tag} [] as ****"));
}

#[test]
fn what_the_user_says_elsewhere_is_told_as_his() {
    let mut desk = Desk::online_with("echo-message").joined("#c");
    desk.hear(":ferris!f@h PRIVMSG #c :from my phone");
    desk.hear(":ferris!f@h PRIVMSG bob :from my phone");
    assert_eq!(
        desk.events(),
        [
            "message mine #c ferris: from my phone",
            "message mine bob ferris: from my phone"
        ]
    );
}

#[test]
fn the_echo_of_a_raw_line_to_a_person_is_nobodys_message() {
    let mut desk = Desk::online_with("echo-message").joined("#c");
    for line in ["PRIVMSG NickServ :IDENTIFY x", "privmsg #c :hello"] {
        desk.ask(Command::Raw { line: line.into() });
    }
    desk.said();
    desk.events();
    desk.hear(":ferris!f@h PRIVMSG nickserv :IDENTIFY ****");
    desk.hear(":ferris!f@h PRIVMSG #c :hello");
    desk.hear(":ferris!f@h PRIVMSG NickServ :from my phone");
    let told = [
        "message mine #c ferris: hello",
        "message mine NickServ ferris: from my phone",
    ];
    assert_eq!(desk.events(), told);
}

#[test]
fn several_lines_are_one_message_with_one_end() {
    let mut desk = Desk::online_with("echo-message message-tags").joined("#c");
    let tag = desk.say("#c", "one\r\n\r\ntwo\rQUIT :x\nthree");
    assert_eq!(
        desk.said(),
        [
            "PRIVMSG #c :one",
            "PRIVMSG #c :two",
            "PRIVMSG #c :QUIT :x",
            "PRIVMSG #c :three"
        ]
    );
    for (id, text) in [("1", "one"), ("2", "two"), ("3", "QUIT :x"), ("4", "three")] {
        assert!(desk.events().is_empty());
        desk.hear(&format!("@msgid={id} :ferris!f@h PRIVMSG #c :{text}"));
    }
    assert_eq!(
        desk.events(),
        [
            format!("echo {tag} [1,2,3,4]"),
            format!("done {tag} Accepted")
        ]
    );
}

#[test]
fn a_long_line_is_cut_so_that_others_receive_it_whole() {
    let mut desk = Desk::online().joined("#c");
    desk.say("#c", &"ö".repeat(1000));
    let said = desk.said();
    let prefix = ":ferris!~crab@host.example ".len();
    let lines: Vec<_> = said
        .iter()
        .filter(|line| line.starts_with("PRIVMSG"))
        .collect();
    assert!(lines.iter().all(|line| prefix + line.len() + 2 <= 512));
    assert!(prefix + lines[0].len() + 2 >= 511, "no byte is wasted");
    let text: String = lines
        .iter()
        .map(|line| &line["PRIVMSG #c :".len()..])
        .collect();
    assert_eq!(text, "ö".repeat(1000));
}

#[test]
fn an_action_is_sent_as_one() {
    let mut desk = Desk::online().joined("#c");
    let out = Outgoing {
        action: true,
        ..Outgoing::text(Place::Room("#c".into()), "waves")
    };
    desk.ask(Command::Send(out));
    assert_eq!(desk.said()[0], "PRIVMSG #c :\u{1}ACTION waves\u{1}");
}

#[test]
fn a_private_message_goes_to_the_nickname() {
    let mut desk = Desk::online();
    desk.tell("bob", "psst");
    desk.ask(Command::Send(Outgoing::text(
        Place::Occupant {
            room: "#c".into(),
            nick: "alice".into(),
        },
        "psst",
    )));
    assert_eq!(
        desk.said(),
        [
            "PRIVMSG bob :psst",
            "PING :proof-1",
            "PRIVMSG alice :psst",
            "PING :proof-2"
        ]
    );
}

#[test]
fn lines_go_out_at_the_pace_the_network_bears() {
    let mut desk = Desk::online_with("echo-message").joined("#c");
    desk.wait(60);
    for n in 0..15 {
        desk.say("#c", &n.to_string());
    }
    assert_eq!(desk.said().len(), 10);
    let due = desk.talk.deadline(desk.now).expect("lines wait");
    assert_eq!(due, desk.now + Duration::from_secs(1));
    desk.wait(2);
    assert_eq!(desk.said(), ["PRIVMSG #c :10", "PRIVMSG #c :11"]);
}

#[test]
fn a_full_queue_refuses_the_whole_message() {
    let mut desk = Desk::online_with("echo-message").joined("#c");
    let tag = desk.say("#c", &"x\n".repeat(21));
    assert_eq!(
        desk.events(),
        [format!(
            "done {tag} Full: too many lines wait to be sent to this network"
        )]
    );
    assert!(desk.said().is_empty());
}

#[test]
fn answers_to_pings_do_not_wait_in_the_queue() {
    let mut desk = Desk::online().joined("#c");
    desk.say("#c", &"x\n".repeat(20));
    desk.said();
    desk.hear("PING :token");
    assert_eq!(desk.said(), ["PONG :token"]);
}

#[test]
fn nothing_a_body_holds_can_become_a_line_or_a_question() {
    let mut desk = Desk::online();
    desk.tell("bob", "a\0\u{1}VERSION\u{1}");
    desk.tell("bob\r\nQUIT", "x");
    desk.tell("bob,carol", "x");
    desk.tell("", "x");
    desk.tell("bob", "\r\n");
    assert_eq!(desk.said(), ["PRIVMSG bob :aVERSION", "PING :proof-1"]);
    let refused: Vec<_> = desk.events();
    assert_eq!(refused.len(), 4);
    assert!(refused[3].contains("NotExpressible"));
}

#[test]
fn messages_wait_for_a_network_that_is_being_reached() {
    let mut desk = Desk::new();
    desk.tell("bob", "hello");
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s 001 ferris :Welcome");
    desk.hear(":s 376 ferris :End");
    assert_eq!(desk.said(), ["PRIVMSG bob :hello", "PING :proof-1"]);
}

#[test]
fn a_lost_connection_ends_every_open_command_once() {
    let mut desk = Desk::online().joined("#c");
    desk.join("#d");
    desk.say("#c", "hello");
    desk.lose();
    assert_eq!(
        desk.events(),
        ["done 3 NetworkDown: reset", "done 2 NetworkDown: reset"]
    );
    let tag = desk.say("#c", "anybody?");
    assert_eq!(desk.events(), [format!("done {tag} NetworkDown: reset")]);
}

#[test]
fn a_raw_line_is_sent_as_it_is() {
    let mut desk = Desk::online();
    desk.ask(Command::Raw {
        line: "WHOIS bob".into(),
    });
    desk.ask(Command::Raw {
        line: "WHOIS bob\r\nQUIT".into(),
    });
    assert_eq!(desk.said(), ["WHOIS bob"]);
    assert_eq!(desk.events()[0], "done 1 Finished");
    assert!(desk.events().is_empty());
}

#[test]
fn what_cannot_be_done_yet_is_refused() {
    let mut desk = Desk::online();
    desk.ask(Command::Typing {
        to: Place::Contact("bob".into()),
        on: true,
    });
    assert!(desk.events()[0].starts_with("done 1 Unsupported"));
}
