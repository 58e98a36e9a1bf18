use isthmus_gateway::Ranks;

use super::*;

/// In `#c`, on a network that says this, with nothing left to be said at once.
fn busy(caps: &str, words: &str) -> Desk {
    let mut desk = Desk::online_on(caps, words).joined("#c");
    desk.wait(60);
    desk.hear("PING :x");
    desk.talk.heard(desk.now);
    desk.say("#busy", &"x\n".repeat(12));
    desk.said();
    desk.events();
    desk
}

fn voice(desk: &mut Desk, nick: &str) -> u32 {
    desk.ask(Command::Rank {
        room: "#c".into(),
        nick: nick.to_owned().into(),
        set: Ranks(0b10000),
        cleared: Ranks(0),
    })
}

fn kick(desk: &mut Desk, nick: &str) -> u32 {
    desk.ask(Command::Kick {
        room: "#c".into(),
        nick: nick.to_owned().into(),
        reason: None,
    })
}

/// What goes out of the channel's business when the throttle allows.
fn later(desk: &mut Desk) -> Vec<String> {
    desk.wait(30);
    let said = desk.said().into_iter();
    said.filter(|line| line.contains(" #c ")).collect()
}

#[test]
fn modes_that_wait_share_a_line_as_far_as_the_network_allows() {
    let mut desk = busy("", "MODES=2");
    let tags = ["bob", "carol", "dave"].map(|nick| voice(&mut desk, nick));
    assert_eq!(
        later(&mut desk),
        ["MODE #c +v+v bob carol", "MODE #c +v dave"]
    );
    desk.events();
    desk.hear(":ferris!f@h MODE #c +vv bob carol");
    let done = |tag: u32| format!("done {tag} Finished");
    assert_eq!(desk.events()[..2], [done(tags[0]), done(tags[1])]);
    desk.hear(":ferris!f@h MODE #c +v dave");
    assert_eq!(desk.events()[0], done(tags[2]));
}

#[test]
fn a_refusal_in_a_shared_line_is_of_whom_it_names_or_of_all() {
    let mut desk = busy("", "MODES=4");
    let tags = ["bob", "carol"].map(|nick| voice(&mut desk, nick));
    assert_eq!(later(&mut desk), ["MODE #c +v+v bob carol"]);
    desk.events();
    desk.hear(":s 401 ferris carol :No such nick");
    let gone = format!("done {} NoSuchTarget: No such nick", tags[1]);
    assert_eq!(desk.events(), [gone]);
    desk.hear(":ferris!f@h MODE #c +v bob");
    assert_eq!(desk.events()[0], format!("done {} Finished", tags[0]));

    let mut desk = busy("", "MODES=4");
    let tags = ["bob", "carol"].map(|nick| voice(&mut desk, nick));
    later(&mut desk);
    desk.events();
    desk.hear(":s 482 ferris #c :You're not channel operator");
    let refused = tags.map(|tag| format!("done {tag} NotPrivileged: You're not channel operator"));
    assert_eq!(desk.events(), refused);
}

#[test]
fn a_change_of_more_modes_than_a_line_takes_gets_several_and_ends_with_the_last() {
    for caps in ["", "labeled-response batch message-tags"] {
        let mut desk = Desk::online_on(caps, "MODES=2").joined("#c");
        desk.ask(Command::Rank {
            room: "#c".into(),
            nick: "bob".into(),
            set: Ranks(0b111),
            cleared: Ranks(0),
        });
        let said = desk.said();
        let modes = said.iter().filter(|line| line.contains("MODE"));
        let modes: Vec<_> = modes.collect();
        assert!(modes[0].ends_with("MODE #c +qa bob bob"), "{said:?}");
        assert!(modes[1].ends_with("MODE #c +o bob"), "{said:?}");
        let label = |at: usize| match modes[at].split_once(' ') {
            Some((label, _)) if label.starts_with('@') => format!("{label} "),
            _ => String::new(),
        };
        desk.hear(&format!("{}:ferris!f@h MODE #c +qa bob bob", label(0)));
        let first = desk.events();
        assert!(first.iter().all(|it| !it.starts_with("done")), "{first:?}");
        desk.hear(&format!("{}:ferris!f@h MODE #c +o bob", label(1)));
        assert_eq!(desk.events()[0], "done 2 Finished");
    }
}

#[test]
fn kicks_that_wait_share_a_line_where_the_network_says_how_many() {
    for (words, lines) in [
        (
            "TARGMAX=NAMES:1,KICK:2",
            vec!["KICK #c bob,carol :", "KICK #c dave :"],
        ),
        ("TARGMAX=NAMES:1,KICK:", vec!["KICK #c bob,carol,dave :"]),
        (
            "",
            vec!["KICK #c bob :", "KICK #c carol :", "KICK #c dave :"],
        ),
    ] {
        let mut desk = busy("", words);
        let tags = ["bob", "carol", "dave"].map(|nick| kick(&mut desk, nick));
        assert_eq!(later(&mut desk), lines, "{words}");
        desk.events();
        desk.hear(":s 441 ferris carol #c :They aren't on that channel");
        desk.hear(":ferris!f@h KICK #c bob :ferris");
        desk.hear(":ferris!f@h KICK #c dave :ferris");
        let events = desk.events();
        let done = events.iter().filter(|it| it.starts_with("done"));
        let done: Vec<_> = done.collect();
        let words = "NoSuchTarget: They aren't on that channel";
        assert_eq!(
            done,
            [
                &format!("done {} {words}", tags[1]),
                &format!("done {} Finished", tags[0]),
                &format!("done {} Finished", tags[2]),
            ]
        );
    }
}

#[test]
fn a_change_by_a_line_of_the_users_own_ends_no_command() {
    for caps in ["", "labeled-response batch message-tags"] {
        let mut desk = Desk::online_with(caps).joined("#c");
        desk.ask(Command::Raw {
            line: "MODE #c +o alice".into(),
        });
        let flags = isthmus_gateway::RoomFlags {
            password: true,
            ..Default::default()
        };
        desk.events();
        let tag = desk.ask(Command::Config {
            room: "#c".into(),
            flags,
            password: Some("ours".into()),
        });
        let said = desk.said();
        let line = said.iter().find(|line| line.ends_with("MODE #c +k ours"));
        let label = line.and_then(|line| line.split_once(' '));
        let label = label.filter(|(label, _)| label.starts_with('@'));
        let label = label.map_or(String::new(), |(label, _)| format!("{label} "));
        assert_eq!(label.is_empty(), caps.is_empty());
        desk.hear(":ferris!f@h MODE #c +o alice");
        let told = desk.events();
        assert!(told.iter().all(|it| !it.starts_with("done")), "{told:?}");
        desk.hear(":alice!a@h MODE #c +k hers");
        desk.events();
        desk.hear(&format!("{label}:s 467 ferris #c :Channel key already set"));
        let told = desk.events();
        assert!(told[0].starts_with(&format!("done {tag} ")), "{told:?}");
        assert!(told[0].ends_with("key already set"), "{told:?}");
    }
}
