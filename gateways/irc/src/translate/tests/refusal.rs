use super::*;

#[test]
fn every_refusal_of_an_entry_ends_it_once_with_the_networks_words() {
    for (number, kind) in [
        (403, FaultKind::NoSuchTarget),
        (405, FaultKind::RoomFull),
        (407, FaultKind::TooFast),
        (437, FaultKind::TooFast),
        (470, FaultKind::Moved),
        (471, FaultKind::RoomFull),
        (473, FaultKind::MembersOnly),
        (474, FaultKind::Forbidden),
        (475, FaultKind::WrongPassword),
        (476, FaultKind::NoSuchTarget),
        (477, FaultKind::NotRegistered),
        (489, FaultKind::Other),
        (520, FaultKind::Other),
        (599, FaultKind::Other),
    ] {
        let mut desk = Desk::online();
        let tag = desk.join("#Secret[");
        let line = format!(":s {number} ferris #secret{{ :Cannot join channel");
        desk.hear(&line);
        assert_eq!(
            desk.events(),
            [format!("done {tag} {kind:?}: Cannot join channel")],
            "{number}"
        );
        desk.hear(&line);
        let again = desk.events();
        assert!(
            again.iter().all(|event| event.starts_with("notice")),
            "{again:?}"
        );
    }
}

#[test]
fn a_server_that_wants_nobody_like_this_is_not_tried_again() {
    for (number, kind) in [(464, FaultKind::NotAuthorized), (465, FaultKind::Forbidden)] {
        let mut desk = Desk::new();
        desk.talk.connected(desk.now);
        desk.hear(&format!(":s {number} ferris :Not you"));
        assert!(desk.talk.ending(), "{number}");
        let end = desk.lose();
        assert_eq!(
            (end.fault.kind, end.fault.text.as_str(), end.retry),
            (kind, "Not you", false),
            "{number}"
        );
    }
    // Once welcomed a wrong password is that of an operator, and no reason to go.
    let mut desk = Desk::online();
    desk.hear(":s 464 ferris :Password incorrect");
    assert!(!desk.talk.ending());
    assert_eq!(desk.events(), ["notice * Password incorrect"]);
}

#[test]
fn a_forwarded_entry_says_where_the_channel_is_now() {
    struct Moved(Option<isthmus_gateway::Address>);
    impl Sink for Moved {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Done {
                result: Err(fault), ..
            } = event
            {
                self.0 = fault.moved;
            }
        }
    }
    let mut desk = Desk::online();
    desk.join("#old");
    let mut sink = Moved(None);
    let line = ":s 470 ferris #old ##new :Forwarding to another channel";
    desk.talk.line(line, desk.now, &mut sink);
    let moved = sink.0.expect("the new address");
    assert_eq!(
        (moved.id.as_str(), moved.network.as_str()),
        ("##new", "irc.example")
    );
}

#[test]
fn a_refused_message_ends_that_very_message() {
    for (number, kind) in [
        (401, FaultKind::NoSuchTarget),
        (404, FaultKind::NotPrivileged),
        (442, FaultKind::NotJoined),
        (477, FaultKind::NotRegistered),
        (482, FaultKind::NotPrivileged),
        (531, FaultKind::Forbidden),
        (599, FaultKind::Other),
        (716, FaultKind::Forbidden),
    ] {
        for caps in ["", "echo-message"] {
            let mut desk = Desk::online_with(caps);
            let (one, two) = (desk.say("#other", "x"), desk.say("#c", "y"));
            desk.hear(&format!(":s {number} ferris #C :No"));
            assert_eq!(desk.events(), [format!("done {two} {kind:?}: No")]);
            if caps.is_empty() {
                desk.hear(":s PONG s :proof-2");
            } else {
                desk.hear(":ferris!f@h PRIVMSG #other :x");
            }
            assert_eq!(
                desk.events(),
                [format!("echo {one} []"), format!("done {one} Accepted")]
            );
        }
    }
}

#[test]
fn an_error_belongs_to_the_message_between_its_pings() {
    let mut desk = Desk::online().joined("#c");
    let (one, two) = (desk.say("#c", "fine"), desk.say("#c", "bad"));
    assert_eq!(
        desk.said(),
        [
            "PRIVMSG #c :fine",
            "PING :proof-1",
            "PRIVMSG #c :bad",
            "PING :proof-2"
        ]
    );
    desk.hear(":s PONG s :proof-1");
    desk.hear(":s 404 ferris #c :Cannot send to channel");
    desk.hear(":s PONG s :proof-2");
    assert_eq!(
        desk.events(),
        [
            format!("echo {one} []"),
            format!("done {one} Accepted"),
            format!("done {two} NotPrivileged: Cannot send to channel"),
        ]
    );
}

#[test]
fn the_errors_of_all_lines_of_a_message_end_it_once_and_no_other() {
    for caps in ["", "echo-message"] {
        let mut desk = Desk::online_with(caps);
        let (one, two) = (desk.say("#c", "a\nb\nc"), desk.say("#c", "d"));
        for _ in 0..3 {
            desk.hear(":s 404 ferris #c :No");
        }
        assert_eq!(desk.events(), [format!("done {one} NotPrivileged: No")]);
        if caps.is_empty() {
            desk.hear(":s PONG s :proof-1");
            desk.hear(":s PONG s :proof-2");
        } else {
            desk.hear(":ferris!f@h PRIVMSG #c :d");
        }
        assert_eq!(
            desk.events(),
            [format!("echo {two} []"), format!("done {two} Accepted")]
        );
    }
}

#[test]
fn what_waits_of_a_failed_message_is_not_sent() {
    let mut desk = Desk::online().joined("#c");
    desk.wait(60);
    desk.say("#c", &"x\n".repeat(15));
    assert_eq!(desk.said().len(), 10);
    desk.hear(":s 404 ferris #c :No");
    desk.wait(20);
    assert_eq!(desk.said(), ["PING :proof-1"]);
    desk.hear(":s PONG s :proof-1");
    assert_eq!(desk.events().len(), 1);
}

#[test]
fn a_private_message_to_nobody_fails() {
    let mut desk = Desk::online();
    let tag = desk.tell("nobody", "hello?");
    desk.hear(":s 401 ferris nobody :No such nick/channel");
    assert_eq!(
        desk.events(),
        [format!("done {tag} NoSuchTarget: No such nick/channel")]
    );
    desk.hear(":s PONG s :proof-1");
    assert!(desk.events().is_empty());
}

#[test]
fn errors_without_a_target_end_the_first_open_message() {
    let mut desk = Desk::online();
    let (one, two) = (desk.tell("bob", "x"), desk.tell("carol", "y"));
    desk.hear(":s 412 ferris :No text to send");
    desk.hear(":s PONG s :proof-1");
    desk.hear("FAIL PRIVMSG CANNOT_SEND carol :Not now");
    assert_eq!(
        desk.events(),
        [
            format!("done {one} BadRequest: No text to send"),
            format!("done {two} NotPrivileged: Not now")
        ]
    );
}

#[test]
fn a_refused_nickname_ends_that_wish_and_nothing_else() {
    let mut desk = Desk::online();
    for (line, kind) in [
        (
            ":s 433 ferris crab :Nickname is already in use",
            FaultKind::NickTaken,
        ),
        (
            ":s 432 ferris crab :Erroneous nickname",
            FaultKind::NickRefused,
        ),
        (
            ":s 438 ferris crab :Nick change too fast",
            FaultKind::TooFast,
        ),
        (
            ":s 447 ferris :Cannot change nickname",
            FaultKind::NickRefused,
        ),
    ] {
        let tag = desk.ask(Command::Nick {
            nick: "crab".into(),
        });
        desk.said();
        desk.hear(line);
        let events = desk.events();
        assert!(
            events[0].starts_with(&format!("done {tag} {kind:?}")),
            "{events:?}"
        );
        assert_eq!(events.len(), 1);
        assert!(desk.said().is_empty(), "no other nickname is tried");
    }
}

#[test]
fn a_refused_moderation_ends_it() {
    let mut desk = Desk::online().joined("#c");
    let kick = |desk: &mut Desk| {
        desk.ask(Command::Kick {
            room: "#c".into(),
            nick: "bob".into(),
            reason: None,
        })
    };
    for (line, kind) in [
        (
            ":s 482 ferris #c :You're not channel operator",
            FaultKind::NotPrivileged,
        ),
        (
            ":s 441 ferris bob #c :They aren't on that channel",
            FaultKind::NoSuchTarget,
        ),
        (":s 401 ferris bob :No such nick", FaultKind::NoSuchTarget),
        (
            ":s 461 ferris KICK :Not enough parameters",
            FaultKind::BadRequest,
        ),
    ] {
        let tag = kick(&mut desk);
        desk.hear(line);
        let events = desk.events();
        assert!(
            events[0].starts_with(&format!("done {tag} {kind:?}")),
            "{line}: {events:?}"
        );
    }
}

#[test]
fn what_is_never_answered_is_given_up() {
    let mut desk = Desk::online();
    let (join, send) = (desk.join("#void"), desk.tell("bob", "x"));
    desk.wait(60);
    desk.hear("PING :x");
    desk.talk.heard(desk.now);
    desk.wait(60);
    assert_eq!(
        desk.events(),
        [
            format!("done {send} TimedOut: the network did not answer"),
            format!("done {join} TimedOut: the network did not answer"),
        ]
    );
}

/// What XEP-0045 has a condition for; any other number is not allowed.
fn kind_of_entry(number: u16) -> FaultKind {
    use FaultKind as F;
    match number {
        401 | 403 | 441 | 476 => F::NoSuchTarget,
        405 | 471 => F::RoomFull,
        478 => F::Full,
        407 | 437 | 438 => F::TooFast,
        411 | 412 | 461 => F::BadRequest,
        421 | 472 => F::Unsupported,
        404 | 481 | 482 | 484 | 485 => F::NotPrivileged,
        431 | 432 | 447 => F::NickRefused,
        433 | 436 => F::NickTaken,
        442 => F::NotJoined,
        465 | 474 | 494 | 531 => F::Forbidden,
        470 => F::Moved,
        473 | 480 => F::MembersOnly,
        475 => F::WrongPassword,
        477 | 486 => F::NotRegistered,
        _ => F::Other,
    }
}

/// How often the command has ended, and how.
#[derive(Default)]
struct Ended(Vec<FaultKind>);

impl Sink for Ended {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Done { result, .. } = event {
            self.0.extend(result.err().map(|fault| fault.kind));
        }
    }
}

#[test]
fn every_refusal_there_could_be_ends_an_entry_and_a_message_exactly_once() {
    for number in 400..=599u16 {
        for (caps, entry) in [("", true), ("", false), ("echo-message", false)] {
            // In full, and with as little as a server may say.
            for words in ["#c :No", ":No"] {
                let mut desk = Desk::online_with(caps);
                let mut ended = Ended::default();
                if entry {
                    desk.join("#c");
                } else {
                    desk.say("#c", "x");
                }
                for _ in 0..2 {
                    let line = format!(":s {number} ferris {words}");
                    desk.talk.line(&line, desk.now, &mut ended);
                }
                let reason = Fault::new(FaultKind::NetworkDown, "reset");
                desk.talk.lost(reason, &mut ended);
                let kind = kind_of_entry(number);
                assert_eq!(ended.0, [kind], "{number} {words} entry {entry} {caps}");
            }
        }
    }
}
