use super::*;

#[test]
fn the_motd_is_one_message_and_told_once() {
    let mut desk = Desk::new();
    let greet = |desk: &mut Desk| {
        desk.talk.connected(desk.now);
        for line in [
            "001 ferris :Welcome",
            "251 ferris :There are 3 users",
            "375 ferris :- s Message of the day -",
            "372 ferris :- Be kind.",
            "372 ferris :- Have fun.",
            "376 ferris :End of MOTD",
        ] {
            desk.hear(&format!(":s {line}"));
        }
        desk.events()
    };
    let told = greet(&mut desk);
    let expected = [
        "notice * Welcome",
        "notice * There are 3 users",
        "notice * Be kind.\nHave fun.",
        "online ferris on irc.example",
    ];
    assert_eq!(told, expected);
    desk.lose();
    desk.events();
    assert_eq!(
        greet(&mut desk),
        ["notice * Welcome", "online ferris on irc.example"]
    );
    desk.hear(":s 372 ferris :- Be kind.");
    desk.hear(":s 376 ferris :End of MOTD");
    assert_eq!(desk.events(), ["notice * Be kind."], "he asked for it");
}

#[test]
fn what_a_server_says_by_itself_is_told_as_far_as_the_user_wants_it() {
    let lines = [
        ":irc.example NOTICE * :*** Going down for maintenance",
        ":irc.example NOTICE ferris :*** You are being watched",
        ":s 263 ferris :Please wait",
        ":s 421 ferris FOO :Unknown command",
        ":s WALLOPS :hello all",
    ];
    let told = |notices| {
        let mut desk = Desk::online();
        desk.talk.settings.notices = notices;
        lines.iter().for_each(|line| desk.hear(line));
        let told = desk.events().len();
        desk.ask(Command::Raw {
            line: "LUSERS".into(),
        });
        desk.events();
        desk.hear(":s 251 ferris :There are 3 users");
        assert_eq!(desk.events().len(), 1, "he asked for it");
        desk.wait(10);
        told
    };
    assert_eq!(told(Notices::All), 5);
    assert_eq!(told(Notices::Important), 2);
    assert_eq!(told(Notices::Nothing), 0);
}

#[test]
fn what_people_say_is_told_where_they_said_it() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":bob!b@h PRIVMSG #c :hello  there");
    desk.hear(":bob!b@h PRIVMSG @#c :psst");
    desk.hear(":bob!b@h PRIVMSG ferris :in private");
    desk.hear(":bob!b@h PRIVMSG #c :\u{1}ACTION waves\u{1}");
    desk.hear(":bot!b@h NOTICE #c :noted");
    desk.hear(":NickServ!n@services NOTICE ferris :\u{2}identify\u{2} now");
    assert_eq!(
        desk.events(),
        [
            "message #c bob: hello  there",
            "message #c bob: [@] psst",
            "message bob bob: in private",
            "message action #c bob: waves",
            "message auto #c bot: [notice] noted",
            "message auto NickServ NickServ: identify now",
        ]
    );
}

#[test]
fn what_a_server_says_is_told_as_its_words() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":irc.example NOTICE ferris :*** going down");
    desk.hear(":irc.example NOTICE #c :for you all");
    desk.hear(":s 372 ferris :- message of the day");
    desk.hear(":s 376 ferris :End of MOTD");
    desk.hear(":s 328 ferris #c :https://example.org");
    assert_eq!(
        desk.events(),
        [
            "notice * *** going down",
            "notice #c for you all",
            "notice * message of the day",
            "notice #c https://example.org",
        ]
    );
}

#[test]
fn a_clients_question_is_answered_and_not_too_often() {
    let mut desk = Desk::online();
    for _ in 0..5 {
        desk.hear(":bob!b@h PRIVMSG ferris :\u{1}PING 12345\u{1}");
    }
    assert_eq!(desk.said(), vec!["NOTICE bob :\u{1}PING 12345\u{1}"; 3]);
    assert!(desk.events().is_empty());
    desk.wait(10);
    desk.hear(":bob!b@h PRIVMSG ferris :\u{1}TIME\u{1}");
    assert_eq!(
        desk.said(),
        ["NOTICE bob :\u{1}TIME 2001-09-09T01:46:50Z\u{1}"]
    );
}

#[test]
fn what_can_be_asked_is_said_and_all_of_it_is_answered() {
    let mut desk = Desk::online();
    for (query, answer) in [
        (
            "CLIENTINFO",
            "CLIENTINFO ACTION CLIENTINFO PING SOURCE TIME VERSION",
        ),
        ("SOURCE", "SOURCE https://isthmus.im"),
        (
            "version",
            concat!("VERSION Isthmus ", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        desk.hear(&format!(":bob!b@h PRIVMSG ferris :\u{1}{query}\u{1}"));
        assert_eq!(desk.said(), [format!("NOTICE bob :\u{1}{answer}\u{1}")]);
    }
}

#[test]
fn an_offered_file_is_refused_and_told() {
    let mut desk = Desk::online();
    desk.hear(":bob!b@h PRIVMSG ferris :\u{1}DCC SEND x 1 2 3\u{1}");
    assert_eq!(
        desk.events(),
        ["notice * bob offered a direct connection (DCC), which is refused"]
    );
    assert_eq!(desk.said().len(), 1);
}

#[test]
fn plain_text_is_told_without_a_copy() {
    struct Borrowed(bool);
    impl Sink for Borrowed {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Message(m) = event {
                let borrowed = matches!(m.body, std::borrow::Cow::Borrowed(_));
                self.0 = borrowed && m.style.is_empty();
            }
        }
    }
    let mut desk = Desk::online().joined("#c");
    let mut sink = Borrowed(false);
    let line = ":bob!b@h PRIVMSG #c :just text";
    desk.talk.line(line, desk.now, &mut sink);
    assert!(sink.0);
}

#[test]
fn the_networks_id_and_account_are_told_and_time_only_when_it_is_not_now() {
    struct Seen(Vec<(Option<i64>, Option<String>, Option<String>)>);
    impl Sink for Seen {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Message(m) = event {
                let text = |text: &str| text.to_owned();
                self.0.push((
                    m.time.map(|time| time.0),
                    m.key.map(|key| key.0.into_owned()),
                    m.who.account.as_deref().map(text),
                ));
            }
        }
    }
    let mut desk = Desk::online();
    let mut sink = Seen(Vec::new());
    for time in ["2001-09-09T01:46:40.500Z", "2001-09-08T00:00:00.000Z"] {
        let line = format!("@time={time};msgid=m1;account=bob :bob!b@h PRIVMSG ferris :x");
        desk.talk.line(&line, desk.now, &mut sink);
    }
    let id = || (Some("m1".to_owned()), Some("bob".to_owned()));
    assert_eq!(
        sink.0,
        [
            (None, id().0, id().1),
            (Some(999_907_200_000), id().0, id().1)
        ]
    );
}
