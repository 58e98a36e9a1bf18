use super::*;

const CAPS: &str = "batch standard-replies draft/metadata-2=max-subs=10";

fn online(caps: &str) -> Desk {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(&format!(":s CAP * LS :{caps}"));
    let names = caps.split(' ').map(|cap| cap.split('=').next());
    let names: Vec<_> = names.flatten().collect();
    desk.hear(&format!(":s CAP * ACK :{}", names.join(" ")));
    desk.hear(":s 001 ferris :Welcome");
    desk.hear(":s BATCH +own metadata ferris");
    desk.hear("@batch=own :s METADATA ferris avatar * :https://a.example/ferris.png");
    desk.hear(":s BATCH -own");
    desk.said();
    desk.events();
    desk.hear(":s 376 ferris :End of MOTD");
    desk
}

#[test]
fn avatars_are_subscribed_to_where_the_network_lets_it() {
    for (caps, subscribed) in [
        (CAPS, true),
        ("batch draft/metadata-2", true),
        ("batch draft/metadata-2=foo,max-subs=1,bar", true),
        ("batch draft/metadata-2=max-subs=0", false),
        ("draft/metadata-2", false),
        ("batch", false),
    ] {
        let mut desk = online(caps);
        let said = desk.said();
        let asked = said.iter().any(|line| line == "METADATA * SUB avatar");
        assert_eq!(asked, subscribed, "{caps}: {said:?}");
        // What came before anybody was known is not told.
        assert_eq!(desk.events(), ["online ferris on irc.example"]);
    }
}

#[test]
fn a_network_that_learns_of_metadata_later_is_asked_then_and_once() {
    let mut desk = online("batch cap-notify");
    desk.said();
    desk.hear(":s CAP ferris NEW :draft/metadata-2=max-subs=10");
    assert_eq!(desk.said(), ["CAP REQ :draft/metadata-2"]);
    desk.hear(":s CAP ferris ACK :draft/metadata-2");
    assert_eq!(desk.said(), ["METADATA * SUB avatar"]);
    desk.hear(":s CAP ferris ACK :cap-notify");
    assert!(desk.said().is_empty());
    desk.hear(":s CAP ferris DEL :draft/metadata-2");
    desk.hear(":s CAP ferris NEW :draft/metadata-2");
    desk.hear(":s CAP ferris ACK :draft/metadata-2");
    let said = desk.said();
    assert_eq!(said, ["CAP REQ :draft/metadata-2", "METADATA * SUB avatar"]);
}

#[test]
fn an_avatar_is_told_as_a_link_with_a_size_and_that_there_is_none_too() {
    let mut desk = online(CAPS).joined("#c");
    for (line, told) in [
        (
            ":s METADATA alice avatar * :https://a.example/{size}/alice.png",
            "picture alice https://a.example/96/alice.png",
        ),
        (
            ":alice!a@h METADATA #c avatar * https://a.example/c.png",
            "picture #c https://a.example/c.png",
        ),
        (":s METADATA alice avatar *", "picture alice -"),
        (":s METADATA alice avatar * :", "picture alice -"),
        (
            ":s 761 ferris * avatar * :https://a.example/me.png",
            "picture ferris https://a.example/me.png",
        ),
        (
            ":s 760 ferris alice avatar * :https://a.example/w.png",
            "picture alice https://a.example/w.png",
        ),
        (":s 766 ferris alice avatar :key not set", "picture alice -"),
    ] {
        desk.hear(line);
        assert_eq!(desk.events(), [told], "{line}");
    }
    for line in [
        ":s METADATA alice homepage * :https://a.example/",
        ":s METADATA alice",
        ":s METADATA",
        ":s 760 ferris alice homepage * :https://a.example/",
        ":s 770 ferris avatar",
        ":s 772 ferris avatar",
    ] {
        desk.hear(line);
        assert!(desk.events().is_empty(), "{line}");
    }
    assert!(desk.said().is_empty());
}

#[test]
fn metadata_that_is_put_off_is_asked_for_when_the_server_says() {
    let mut desk = online(CAPS).joined("#c");
    desk.hear(":s 774 ferris #c 4");
    desk.hear(":s 774 ferris #elsewhere 4");
    assert!(desk.said().is_empty() && desk.events().is_empty());
    desk.wait(3);
    assert!(desk.said().is_empty());
    desk.wait(1);
    assert_eq!(desk.said(), ["METADATA #c SYNC"]);
    desk.hear(":s 774 ferris #c");
    assert_eq!(
        desk.talk.deadline(desk.now),
        Some(desk.now + Duration::from_secs(30))
    );
    desk.hear(":ferris!~crab@host.example PART #c");
    desk.events();
    desk.wait(30);
    assert!(desk.said().is_empty(), "nobody is there any more");
}

#[test]
fn what_the_user_asks_himself_is_answered_to_him_and_a_refusal_of_ours_is_not() {
    let refusal = "FAIL METADATA TOO_MANY_SUBS avatar :Too many subscriptions!";
    let mut desk = online(CAPS);
    desk.events();
    desk.hear(refusal);
    assert!(desk.events().is_empty());
    desk.ask(Command::Raw {
        line: "METADATA alice LIST".into(),
    });
    desk.said();
    desk.events();
    desk.hear(":s 761 ferris alice homepage * :https://a.example/");
    desk.hear(refusal);
    assert_eq!(
        desk.events(),
        [
            "notice * alice homepage * https://a.example/",
            "notice * Too many subscriptions!",
        ]
    );
}

/// Answers to the user's avatar, and how each ends it.
const ENDS: [(&str, &str); 5] = [
    (":s 761 ferris * avatar * :https://a.example/", "Finished"),
    (":s 766 ferris ferris avatar :key not set", "Finished"),
    (
        ":s FAIL METADATA KEY_NOT_SET * avatar :key not set",
        "Finished",
    ),
    (
        ":s FAIL METADATA RATE_LIMITED * avatar 5 :slow down",
        "TooFast: slow down",
    ),
    (
        ":s FAIL METADATA KEY_NO_PERMISSION * avatar :no",
        "NotPrivileged: no",
    ),
];

#[test]
fn the_users_own_avatar_is_set_and_taken_away_and_each_ends_once() {
    let url = "https://files.example/f/a/avatar.png";
    for (answer, end) in ENDS {
        for url in [Some(url), None] {
            let mut desk = online(CAPS);
            desk.said();
            desk.events();
            let tag = desk.ask(Command::Avatar {
                url: url.map(Into::into),
            });
            let value = url.map(|url| format!(" :{url}")).unwrap_or_default();
            let line = format!("METADATA * SET avatar{value}");
            assert!(desk.said().contains(&line));
            desk.hear(answer);
            assert_eq!(
                desk.events(),
                [format!("done {tag} {end}")],
                "{answer} {url:?}"
            );
        }
    }
    let mut desk = online("batch");
    desk.events();
    let tag = desk.ask(Command::Avatar { url: None });
    let told = format!("done {tag} Unsupported: this network shows no pictures");
    assert_eq!(desk.events(), [told]);
}

#[test]
fn an_avatar_with_a_label_ends_once_by_the_answer_that_names_it() {
    for (answer, end) in ENDS {
        let mut desk = online(&format!("{CAPS} message-tags labeled-response"));
        desk.said();
        desk.events();
        let tag = desk.ask(Command::Avatar { url: None });
        let said = desk.said();
        let line = said.iter().find(|line| line.contains("SET avatar"));
        let label = line.and_then(|line| line.split(' ').next());
        let label = label.filter(|label| label.starts_with("@label="));
        let label = label
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{said:?}"));
        // Of another command: it ends nothing here.
        desk.hear("@label=999.1 :s FAIL METADATA KEY_NOT_SET * avatar :key not set");
        desk.events();
        desk.hear(&format!("{label} {answer}"));
        assert_eq!(desk.events(), [format!("done {tag} {end}")], "{answer}");
    }
}
