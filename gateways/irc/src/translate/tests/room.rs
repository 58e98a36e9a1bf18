use isthmus_gateway::Ranks;

use super::*;

#[test]
fn entering_tells_names_with_ranks_and_the_topic_with_its_author() {
    let mut desk = Desk::online();
    let tag = desk.join("#Garden");
    assert_eq!(desk.said(), ["JOIN #Garden"]);
    desk.hear(":ferris!~crab@host.example JOIN :#garden");
    desk.hear(":s 332 ferris #garden :plants \u{2}only\u{2}");
    desk.hear(":s 333 ferris #garden alice!a@h 1700000000");
    desk.hear(":s 353 ferris = #garden :~@alice +bob ferris dave!d@h ");
    desk.hear(":s 366 ferris #garden :End of /NAMES list.");
    assert_eq!(
        desk.events(),
        [
            "joined #garden as ferris for Some(1)",
            &format!("done {tag} Finished"),
            "subject #garden \"plants only\" by alice at Some(1700000000000)",
            "names #garden [alice:5 bob:16 ferris:0 dave:0]",
            "names #garden [] last",
        ]
    );
}

#[test]
fn a_topic_without_author_is_told_with_the_names() {
    let mut desk = Desk::online();
    desk.join("#c");
    desk.hear(":ferris!f@h JOIN #c");
    desk.hear(":s 332 ferris #c :words");
    desk.events();
    desk.hear(":s 366 ferris #c :End");
    assert_eq!(
        desk.events(),
        ["subject #c \"words\" by - at None", "names #c [] last"]
    );
}

#[test]
fn entering_with_a_password_hands_it_over() {
    let mut desk = Desk::online();
    desk.ask(Command::Join {
        room: "#c".into(),
        nick: "ferris".into(),
        password: Some("sesame".into()),
    });
    assert_eq!(desk.said(), ["JOIN #c sesame"]);
}

#[test]
fn entering_a_channel_again_tells_its_names_again() {
    let mut desk = Desk::online().joined("#c");
    desk.join("#C");
    assert_eq!(desk.said(), ["NAMES #c"]);
    assert_eq!(
        desk.events(),
        ["joined #c as ferris for Some(2)", "done 2 Finished"]
    );
}

#[test]
fn being_put_into_a_channel_is_told_as_nobodys_wish() {
    let mut desk = Desk::online();
    desk.hear(":ferris!f@h JOIN #lobby");
    assert_eq!(desk.events(), ["joined #lobby as ferris for None"]);
}

#[test]
fn coming_and_going_is_told() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":bob!b@h JOIN #c account :Bob B");
    desk.hear(":bob!b@h NICK bobby");
    desk.hear(":bobby!b@h PART #c :bye");
    desk.hear(":carol!c@h QUIT :Quit: home");
    desk.hear(":dave!d@h QUIT :one.example two.example");
    desk.hear(":alice!a@h KICK #c eve :enough");
    assert_eq!(
        desk.events(),
        [
            "came #c bob",
            "renamed bob bobby",
            "left #c bobby Parted by - \"bye\"",
            "left * carol Quit by - \"Quit: home\"",
            "left * dave Split by - \"\""
                .replace("\"\"", "\"one.example two.example\"")
                .as_str(),
            "left #c eve Kicked by alice \"enough\"",
        ]
    );
}

#[test]
fn leaving_ends_when_the_network_shows_it() {
    let mut desk = Desk::online().joined("#c[");
    let tag = desk.ask(Command::Leave {
        room: "#c{".into(),
        reason: Some("off\nto bed".into()),
    });
    assert_eq!(desk.said(), ["PART #c{ :off to bed"]);
    desk.hear(":ferris!f@h PART #c[ :off");
    assert_eq!(
        desk.events(),
        [
            "left #c[ ferris Parted by - \"off\"".to_owned(),
            format!("done {tag} Finished")
        ]
    );
    let again = desk.ask(Command::Leave {
        room: "#c[".into(),
        reason: None,
    });
    assert_eq!(
        desk.events(),
        [format!("done {again} NotJoined: not in that channel")]
    );
}

#[test]
fn being_kicked_is_told_with_the_own_nickname() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":alice!a@h KICK #c FERRIS :out");
    assert_eq!(desk.events(), ["left #c FERRIS Kicked by alice \"out\""]);
    desk.join("#c");
    assert_eq!(desk.said(), ["JOIN #c"]);
}

#[test]
fn ranks_follow_the_networks_own_letters() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":alice!a@h MODE #c +ov-v bob bob carol");
    assert_eq!(desk.events(), ["ranks #c bob+20-0 carol+0-16 by alice"]);
    desk.hear(":alice!a@h MODE #c +bklo *!*@x key 5 :dave");
    assert_eq!(
        desk.events()[0],
        "ranks #c dave+4-0 by alice",
        "arguments of other modes are skipped"
    );
    desk.hear(":alice!a@h MODE #c -kl+o key :erin");
    assert_eq!(desk.events()[0], "ranks #c erin+4-0 by alice");
}

#[test]
fn what_holds_for_a_channel_is_told_when_it_changes() {
    let mut desk = Desk::online().joined("#c");
    desk.hear(":alice!a@h MODE #c +mi");
    let events = desk.events();
    assert!(
        events[0].contains("moderated: true, members_only: true"),
        "{events:?}"
    );
    assert_eq!(events[1], "notice #c mode +mi by alice");
    desk.hear(":s 324 ferris #c +mi");
    assert!(desk.events()[0].starts_with("flags"), "now all is known");
    desk.hear(":s 324 ferris #c +mi");
    assert_eq!(
        desk.events(),
        ["notice #c mode +mi"],
        "asked for by somebody"
    );
}

#[test]
fn giving_a_rank_ends_at_the_echo_or_at_the_answer_to_a_ping() {
    let mut desk = Desk::online().joined("#c");
    let give = |desk: &mut Desk| {
        desk.ask(Command::Rank {
            room: "#c".into(),
            nick: "bob".into(),
            set: Ranks(0b100),
            cleared: Ranks(0b10000),
        })
    };
    give(&mut desk);
    assert_eq!(desk.said(), ["MODE #c +o-v bob bob", "PING :proof-1"]);
    desk.hear(":ferris!f@h MODE #c +o-v bob bob");
    desk.hear(":s PONG s :proof-1");
    let events = desk.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0], "done 2 Finished");
    give(&mut desk);
    desk.said();
    desk.hear(":s PONG s :proof-2");
    assert_eq!(desk.events(), ["done 3 Finished"]);
}

#[test]
fn a_subject_a_kick_and_an_invitation_end_at_their_echo() {
    let mut desk = Desk::online().joined("#c");
    desk.ask(Command::Subject {
        room: "#c".into(),
        text: "new\nwords".into(),
    });
    desk.hear(":ferris!f@h TOPIC #c :new words");
    desk.ask(Command::Kick {
        room: "#c".into(),
        nick: "bob".into(),
        reason: None,
    });
    desk.hear(":ferris!f@h KICK #c bob :ferris");
    desk.ask(Command::Invite {
        room: "#c".into(),
        contact: "dave".into(),
        reason: None,
    });
    desk.hear(":s 341 ferris dave #c");
    let said = desk.said();
    let said: Vec<_> = said
        .iter()
        .filter(|line| !line.starts_with("PING"))
        .collect();
    assert_eq!(
        said,
        ["TOPIC #c :new words", "KICK #c bob :", "INVITE dave #c"]
    );
    let events = desk.events();
    let ends: Vec<_> = events
        .iter()
        .filter(|event| event.starts_with("done"))
        .collect();
    assert_eq!(
        ends,
        ["done 2 Finished", "done 3 Finished", "done 4 Finished"]
    );
}

#[test]
fn an_invitation_is_told() {
    let mut desk = Desk::online();
    desk.hear(":alice!a@h INVITE ferris :#c");
    desk.hear(":alice!a@h INVITE bob :#c");
    assert_eq!(desk.events(), ["invited #c by alice"]);
}

#[test]
fn a_changed_nickname_is_followed_even_if_nobody_asked() {
    let mut desk = Desk::online();
    desk.hear(":ferris!f@h NICK Guest1");
    desk.hear(":bob!b@h PRIVMSG Guest1 :\u{1}VERSION\u{1}");
    assert_eq!(desk.events(), ["renamed ferris Guest1"]);
    assert_eq!(desk.said().len(), 1);
}

fn asks_flags(desk: &mut Desk) -> u32 {
    desk.ask(Command::Flags { room: "#c".into() })
}

fn asks_raw(desk: &mut Desk) {
    let line = "MODE #c".into();
    desk.ask(Command::Raw { line });
    desk.events();
}

const MODES: &str = ":s 324 ferris #c +nt";
const SHOWN: &str = "notice #c mode +nt";

fn shown(desk: &mut Desk) -> usize {
    desk.hear(MODES);
    desk.events().iter().filter(|it| *it == SHOWN).count()
}

#[test]
fn an_answer_that_never_comes_does_not_swallow_one_that_the_user_asked_for() {
    let mut desk = Desk::online().joined("#c");
    // The host asks beside the question that is out already.
    let tag = asks_flags(&mut desk);
    desk.hear(MODES);
    assert!(desk.events().contains(&format!("done {tag} Finished")));
    asks_raw(&mut desk);
    assert_eq!(shown(&mut desk), 1, "he reads the first");
    assert_eq!(shown(&mut desk), 0, "the other was owed");

    let mut desk = Desk::online().joined("#c");
    asks_flags(&mut desk);
    desk.hear(MODES);
    desk.wait(19);
    assert_eq!(shown(&mut desk), 0);
    let mut desk = Desk::online().joined("#c");
    asks_flags(&mut desk);
    desk.hear(MODES);
    desk.wait(21);
    assert_eq!(shown(&mut desk), 1, "what was owed so long comes no more");
}

#[test]
fn what_holds_for_a_channel_that_was_left_meanwhile_is_told_to_nobody() {
    let mut desk = Desk::online().joined("#c");
    let tag = asks_flags(&mut desk);
    desk.hear(":ferris!f@h PART #c");
    desk.events();
    desk.hear(MODES);
    assert_eq!(desk.events(), [format!("done {tag} Finished")]);
    desk.hear(MODES);
    assert!(desk.events().is_empty(), "the idle question's");
    asks_raw(&mut desk);
    assert_eq!(shown(&mut desk), 1, "but who asks is answered");
}

#[test]
fn a_question_that_found_no_place_leaves_the_idle_one() {
    let mut desk = Desk::online();
    desk.join("#c");
    desk.hear(":ferris!f@h JOIN #c");
    while desk.events().iter().all(|it| !it.contains("Full")) {
        desk.tell("bob", "hello");
    }
    desk.hear(":s 366 ferris #c :End of NAMES");
    desk.said();
    desk.events();
    let tag = asks_flags(&mut desk);
    let told = desk.events();
    assert!(told[0].starts_with(&format!("done {tag} Full")), "{told:?}");
    // A line a second, and nothing else waits.
    (0..60).for_each(|_| desk.wait(1));
    assert!(desk.said().contains(&"MODE #c".to_owned()));
}
