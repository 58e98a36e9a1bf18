use isthmus_gateway::Ranks;
use proptest::prelude::*;

use super::*;

fn line() -> impl Strategy<Value = String> {
    let word = "[#&@+~]?[a-z]{0,4}|#c|ferris|\\*|=|[+-][ovbkl]{1,6}|proof-[0-9]|[0-9]{1,9}";
    let command = prop_oneof![
        (0u32..1000).prop_map(|n| format!("{n:03}")),
        "BATCH \\+[ab] (labeled-response|chathistory #c|draft/multiline #c|netsplit)|BATCH -[ab]",
        "TAGMSG #c|REDACT #c m1|MARKREAD #c timestamp=2001-09-09T01:46:40Z|AUTHENTICATE|ACK",
        "CAP ferris (NEW|DEL|ACK|NAK) :(batch|labeled-response|sasl|echo-message)",
        "ACCOUNT|CHGHOST|SETNAME|WARN|NOTE|FAIL (PRIVMSG|BATCH|REDACT|METADATA) X",
        "PRIVMSG|NOTICE|JOIN|PART|QUIT|KICK|NICK|TOPIC|MODE|INVITE|CAP|PING|PONG|FAIL|WARN|AWAY",
        "METADATA (#c|bob|ferris) avatar|77[04] ferris (#c|avatar)|76[016] ferris bob avatar",
        Just("CAP ferris".to_owned()),
        Just("353 ferris = #c".to_owned()),
        "\\PC{0,6}",
    ];
    let prefix = prop_oneof![
        Just(String::new()),
        Just(":s ".to_owned()),
        Just(":ferris!f@h ".to_owned()),
        "@(batch=[ab]|label=[0-9]\\.1|draft/multiline-concat|msgid=m1|[+]draft/react=a;[+]draft/reply=m1)(;batch=[ab])? :(ferris|bob)!b@h ",
        Just("@time=2001-09-09T01:46:40Z;msgid=x :bob!b@h ".to_owned()),
        "[:@]\\PC{0,8} ",
    ];
    (
        prefix,
        command,
        prop::collection::vec(word, 0..5),
        "( :\\PC{0,12}|\u{1}|\u{2})?",
    )
        .prop_map(|(prefix, command, words, last)| {
            format!("{prefix}{command} {}{last}", words.join(" "))
        })
}

/// How often each command ended.
struct Ends(Vec<u32>);

impl Sink for Ends {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Done { tag, .. } = event {
            self.0[tag.0 as usize] += 1;
        }
    }
}

/// A line without its tags, which have a limit of their own (IRCv3 message-tags).
fn untagged(line: &[u8]) -> &[u8] {
    match (line.first(), line.iter().position(|&b| b == b' ')) {
        (Some(b'@'), Some(end)) => &line[end + 1..],
        _ => line,
    }
}

fn command(n: u32) -> Command<'static> {
    let (room, nick) = ("#c".into(), "bob".into());
    let key = || isthmus_gateway::Key("m1".into());
    match n % 21 {
        0 => Command::Join {
            room,
            nick,
            password: None,
        },
        1 => Command::Leave { room, reason: None },
        2 => Command::Nick { nick },
        3 => Command::Kick {
            room,
            nick,
            reason: None,
        },
        4 => Command::Rank {
            room,
            nick,
            set: Ranks(255),
            cleared: Ranks(1),
        },
        5 => Command::Away { text: None },
        6 => Command::Send(Outgoing::text(Place::Contact(nick), "one\ntwo")),
        7 => Command::Retract {
            to: Place::Room(room),
            key: key(),
            reason: None,
        },
        8 => Command::React {
            to: Place::Room(room),
            key: key(),
            with: vec![if n > 128 { "a" } else { "b" }.into()],
        },
        9 => Command::Read {
            to: Place::Room(room),
            key: key(),
        },
        10 => Command::History {
            at: Place::Room(room),
            after: isthmus_gateway::Time(0),
            max: 10,
        },
        11 => Command::Watch {
            contact: nick,
            on: n > 128,
        },
        12 => Command::Lookup { contact: nick },
        13 => Command::ListRooms { search: None },
        14 => Command::Bans { room },
        15 => Command::Ban {
            room,
            whom: nick,
            on: true,
            reason: None,
        },
        16 => Command::Knock { room, reason: None },
        17 => Command::Typing {
            to: Place::Room(room),
            on: true,
        },
        18 => Command::Avatar {
            url: (n > 128).then(|| "https://a.example/me.png".into()),
        },
        19 => Command::Flags { room },
        _ => Command::Send(Outgoing::text(Place::Room(room), "hello")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_a_server_says_every_command_ends_once(
        lines in prop::collection::vec((line(), any::<Option<u8>>(), 0u64..40), 0..60),
        echo in any::<bool>(),
        all in any::<bool>(),
    ) {
        let all = if all {
            "message-tags server-time batch labeled-response draft/multiline=max-bytes=999 \
             draft/chathistory draft/read-marker draft/message-redaction draft/metadata-2"
        } else {
            ""
        };
        let echo = if echo { "echo-message" } else { "" };
        let mut desk = Desk::online_with(&format!("{echo} {all}"));
        let mut ends = Ends(vec![0; lines.len() + 2]);
        let mut tag = 0;
        for (line, ask, seconds) in &lines {
            desk.talk.line(line, desk.now, &mut ends);
            if let Some(ask) = ask {
                tag += 1;
                desk.talk.command(Tag(tag), command((*ask).into()), desk.now, &mut ends);
            }
            desk.now += Duration::from_secs(*seconds);
            desk.talk.tick(desk.now, &mut ends);
            if let Some(due) = desk.talk.deadline(desk.now) {
                prop_assert!(desk.talk.ending() || due > desk.now, "a deadline lies ahead");
            }
            let said = std::mem::take(desk.talk.wire());
            prop_assert!(said.split(|b| *b == b'\n').all(|line| untagged(line).len() <= 512));
        }
        let reason = Fault::new(FaultKind::NetworkDown, "reset");
        desk.talk.lost(reason, &mut ends);
        prop_assert!(ends.0[1..=tag as usize].iter().all(|&count| count == 1), "{:?}", ends.0);
    }
}
