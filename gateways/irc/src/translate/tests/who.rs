use super::*;

const ANSWER: &str = ":s 354 ferris 497 ~a host.example alice H*@ ally :Alice A";

fn enter(desk: &mut Desk, names: &str) {
    desk.join("#c");
    desk.hear(":ferris!~crab@host.example JOIN #c");
    desk.hear(&format!(":s 353 ferris = #c :{names}"));
    desk.hear(":s 366 ferris #c :End of NAMES");
    desk.events();
}

#[test]
fn who_is_logged_in_is_asked_once_after_entering_and_told_of_those_who_are() {
    let mut desk = Desk::online_on("", "WHOX BOT=B");
    enter(&mut desk, "ferris @alice bob");
    assert_eq!(desk.said(), ["JOIN #c", "MODE #c", "WHO #c %tuhnfar,497"]);
    desk.hear(ANSWER);
    desk.hear(":s 354 ferris 497 ~b host.example bob H 0 :Bob");
    desk.hear(":s 354 ferris 497 ~c host.example carol HB 0 :Carol");
    desk.hear(":s 315 ferris #c :End of /WHO list.");
    assert_eq!(
        desk.events(),
        [
            "known alice ally ~a@host.example Alice A",
            "known carol - ~c@host.example Carol",
        ]
    );
    desk.hear(":s 366 ferris #c :End of NAMES");
    assert!(desk.said().is_empty(), "names that are told again");
}

#[test]
fn who_comes_is_asked_about_where_nothing_else_tells() {
    for (caps, asked) in [("", true), ("extended-join", false), ("account-tag", true)] {
        let mut desk = Desk::online_on(caps, "WHOX");
        enter(&mut desk, "ferris");
        desk.said();
        desk.hear(":bob!b@h JOIN #c");
        assert_eq!(desk.said() == ["WHO bob %tuhnfar,497"], asked, "{caps}");
        desk.hear("@account=bobby :bob!b@h JOIN #c");
        assert!(desk.said().is_empty(), "{caps}");
    }
}

#[test]
fn crowds_and_networks_without_whox_are_not_asked() {
    let crowd = (0..201)
        .map(|n| format!("n{n}"))
        .collect::<Vec<_>>()
        .join(" ");
    for (words, names) in [("", "ferris"), ("WHOX", crowd.as_str())] {
        let mut desk = Desk::online_on("", words);
        enter(&mut desk, names);
        assert_eq!(desk.said(), ["JOIN #c", "MODE #c"]);
    }
}

#[test]
fn what_the_user_asks_himself_is_told_him() {
    let mut desk = Desk::online_on("", "WHOX");
    desk.hear(":s 354 ferris 1 alice");
    desk.hear(":s 315 ferris alice :End of /WHO list.");
    assert_eq!(
        desk.events(),
        ["notice * 1 alice", "notice * alice End of /WHO list."]
    );
}
