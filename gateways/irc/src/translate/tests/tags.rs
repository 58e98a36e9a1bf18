use isthmus_gateway::{Key, Reply};

use super::*;

const ALL: &str = "message-tags echo-message batch labeled-response draft/message-redaction \
                   draft/read-marker server-time";

fn room() -> Place<'static> {
    Place::Room("#c".into())
}

#[test]
fn typing_is_told_both_ways() {
    let mut desk = Desk::online_with("message-tags").joined("#c");
    desk.hear("@+typing=active :bob!b@h TAGMSG #c");
    desk.hear("@+typing=paused :bob!b@h TAGMSG ferris");
    desk.hear("@+typing=active :ferris!f@h TAGMSG #c");
    assert_eq!(
        desk.events(),
        ["typing #c bob true", "typing bob bob false"]
    );
    let tag = desk.ask(Command::Typing {
        to: room(),
        on: true,
    });
    desk.ask(Command::Typing {
        to: room(),
        on: true,
    });
    desk.ask(Command::Typing {
        to: room(),
        on: false,
    });
    assert_eq!(
        desk.said(),
        ["@+typing=active TAGMSG #c", "@+typing=done TAGMSG #c"]
    );
    assert_eq!(desk.events()[0], format!("done {tag} Finished"));
}

#[test]
fn a_network_without_tags_refuses_what_needs_them() {
    let mut desk = Desk::online().joined("#c");
    let key = || Key("m1".into());
    for command in [
        Command::Typing {
            to: room(),
            on: true,
        },
        Command::React {
            to: room(),
            key: key(),
            with: vec!["+1".into()],
        },
        Command::Retract {
            to: room(),
            key: key(),
            reason: None,
        },
        Command::Read {
            to: room(),
            key: key(),
        },
    ] {
        let tag = desk.ask(command);
        assert_eq!(
            desk.events(),
            [format!(
                "done {tag} Unsupported: this network cannot do that"
            )]
        );
    }
    assert!(desk.said().is_empty());
    let mut out = Outgoing::text(room(), "sure");
    out.reply = Some(Reply {
        key: key(),
        who: "bob".into(),
    });
    desk.ask(Command::Send(out));
    assert_eq!(desk.said()[0], "PRIVMSG #c :sure");
}

#[test]
fn a_reply_names_what_it_answers() {
    let mut desk = Desk::online_with("message-tags").joined("#c");
    let mut out = Outgoing::text(room(), "sure\nreally");
    out.reply = Some(Reply {
        key: Key("a;b c".into()),
        who: "bob".into(),
    });
    desk.ask(Command::Send(out));
    assert_eq!(
        desk.said()[..2],
        [
            "@+draft/reply=a\\:b\\sc PRIVMSG #c :sure",
            "PRIVMSG #c :really"
        ]
    );
    struct Replies(Vec<Option<String>>);
    impl Sink for Replies {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Message(m) = event {
                self.0.push(m.reply.map(|reply| reply.key.0.into_owned()));
            }
        }
    }
    let mut sink = Replies(Vec::new());
    for tags in ["@+draft/reply=a\\:b\\sc;msgid=m2 ", "@msgid=m3 ", ""] {
        let line = format!("{tags}:bob!b@h PRIVMSG #c :x");
        desk.talk.line(&line, desk.now, &mut sink);
    }
    assert_eq!(sink.0, [Some("a;b c".to_owned()), None, None]);
}

#[test]
fn reactions_of_others_are_told_as_sets() {
    let mut desk = Desk::online_with("message-tags").joined("#c");
    desk.hear("@+draft/reply=m1;+draft/react=a :bob!b@h TAGMSG #c");
    desk.hear("@+draft/reply=m1;+draft/react=b :BOB!b@h TAGMSG #c");
    desk.hear("@+draft/reply=m1;+draft/react=c :eve!b@h TAGMSG #c");
    desk.hear("@+draft/reply=m1;+draft/unreact=a :bob!b@h TAGMSG #c");
    desk.hear("@+draft/react=a :bob!b@h TAGMSG #c");
    assert_eq!(
        desk.events(),
        [
            "react #c m1 bob [\"a\"]",
            "react #c m1 BOB [\"a\", \"b\"]",
            "react #c m1 eve [\"c\"]",
            "react #c m1 bob [\"b\"]",
        ]
    );
}

#[test]
fn ones_own_reactions_are_sent_as_what_changes() {
    let mut desk = Desk::online_with("message-tags").joined("#c");
    let key = || Key("m1".into());
    let react = |with: &[&'static str]| Command::React {
        to: room(),
        key: key(),
        with: with.iter().map(|&with| with.into()).collect(),
    };
    let tag = desk.ask(react(&["a", "b"]));
    assert_eq!(
        desk.said(),
        [
            "@+draft/reply=m1;+draft/react=a TAGMSG #c",
            "@+draft/reply=m1;+draft/react=b TAGMSG #c",
            "PING :proof-1",
        ]
    );
    desk.hear(":s PONG s :proof-1");
    assert_eq!(desk.events(), [format!("done {tag} Finished")]);
    desk.ask(react(&["b"]));
    assert_eq!(
        desk.said()[0],
        "@+draft/reply=m1;+draft/unreact=a TAGMSG #c"
    );
    desk.hear(":s PONG s :proof-2");
    desk.events();
    let tag = desk.ask(react(&["b"]));
    assert!(desk.said().is_empty());
    assert_eq!(desk.events(), [format!("done {tag} Finished")]);
}

#[test]
fn the_echo_of_a_reaction_is_its_end_and_one_from_elsewhere_is_told() {
    let mut desk = Desk::online_with("message-tags echo-message").joined("#c");
    let tag = desk.ask(Command::React {
        to: room(),
        key: Key("m1".into()),
        with: vec!["a".into()],
    });
    desk.hear("@+draft/reply=m1;+draft/react=a :ferris!f@h TAGMSG #c");
    assert_eq!(desk.events(), [format!("done {tag} Finished")]);
    desk.hear("@+draft/reply=m1;+draft/react=b :ferris!f@h TAGMSG #c");
    assert_eq!(desk.events(), ["react #c m1 ferris [\"a\", \"b\"]"]);
}

#[test]
fn a_message_is_taken_back_both_ways() {
    let mut desk = Desk::online_with(ALL).joined("#c");
    desk.hear(":bob!b@h REDACT #c m1 :spam");
    desk.hear(":bob!b@h REDACT ferris m2");
    assert_eq!(
        desk.events(),
        ["retract #c m1 by bob spam", "retract bob m2 by bob -"]
    );
    let retract = |key: &'static str| Command::Retract {
        to: room(),
        key: Key(key.into()),
        reason: Some("typo".into()),
    };
    let (one, two) = (desk.ask(retract("m3")), desk.ask(retract("m4")));
    let said = desk.said();
    assert!(said[0].ends_with(" REDACT #c m3 :typo"), "{said:?}");
    desk.hear(&format!(
        "@label={two}.9 FAIL REDACT REDACT_FORBIDDEN #c m4 :Not yours"
    ));
    desk.hear(":ferris!f@h REDACT #c m3 :typo");
    assert_eq!(
        desk.events(),
        [
            format!("done {two} NotPrivileged: Not yours"),
            format!("done {one} Finished")
        ]
    );
}

#[test]
fn what_was_read_crosses_both_ways_by_its_time() {
    let mut desk = Desk::online_with(ALL).joined("#c");
    desk.hear("@time=2001-09-09T01:46:40.100Z;msgid=m1 :bob!b@h PRIVMSG #c :one");
    desk.hear("@time=2001-09-09T01:46:41.200Z;msgid=m2 :bob!b@h PRIVMSG #c :two");
    desk.events();
    let read = |key: &'static str| Command::Read {
        to: room(),
        key: Key(key.into()),
    };
    let tag = desk.ask(read("m2"));
    let said = desk.said();
    assert!(
        said[0].ends_with(" MARKREAD #c timestamp=2001-09-09T01:46:41.200Z"),
        "{said:?}"
    );
    desk.hear(":s MARKREAD #c timestamp=2001-09-09T01:46:41.200Z");
    assert_eq!(desk.events(), [format!("done {tag} Finished")]);
    desk.hear(":s MARKREAD #c timestamp=2001-09-09T01:46:40.900Z");
    desk.hear(":s MARKREAD #c timestamp=*");
    desk.hear(":s MARKREAD #d timestamp=2001-09-09T01:46:40.900Z");
    assert_eq!(desk.events(), ["read #c m1 ferris"]);
    let tag = desk.ask(read("m9"));
    assert!(desk.events()[0].starts_with(&format!("done {tag} NoSuchTarget")));
}

#[test]
fn a_bot_is_told_as_one() {
    let mut desk = Desk::online_with("message-tags").joined("#c");
    desk.hear("@bot :bob!b@h PRIVMSG #c :beep");
    assert_eq!(desk.events(), ["message auto #c bob: beep"]);
}
