use super::*;

#[test]
fn what_becomes_known_of_people_is_told_once_for_all_channels() {
    let caps = "account-notify away-notify chghost setname extended-join";
    let mut desk = Desk::online_with(caps).joined("#c");
    desk.hear(":bob!b@h ACCOUNT bobby");
    desk.hear(":bob!b@h ACCOUNT *");
    desk.hear(":bob!b@h CHGHOST user new.host");
    desk.hear(":bob!user@new.host SETNAME :Bob the Builder");
    desk.hear(":bob!b@h AWAY :lunch");
    desk.hear(":bob!b@h AWAY");
    desk.hear(":ferris!b@h AWAY :me");
    assert_eq!(
        desk.events(),
        [
            "known bob bobby b@h -",
            "known bob  b@h -",
            "known bob - user@new.host -",
            "known bob - user@new.host Bob the Builder",
            "known bob - b@h - away: lunch",
            "known bob - b@h - away: ",
        ]
    );
    desk.ask(Command::Watch {
        contact: "Bob".into(),
        on: true,
    });
    desk.events();
    desk.hear(":bob!b@h AWAY :lunch");
    assert_eq!(
        desk.events(),
        [
            "known bob - b@h - away: lunch",
            "contact bob true Some(\"lunch\")"
        ]
    );
}

#[test]
fn invitations_of_others_are_told_in_the_channel() {
    let mut desk = Desk::online_with("invite-notify").joined("#c");
    desk.hear(":alice!a@h INVITE bob #c");
    desk.hear(":alice!a@h INVITE bob #elsewhere");
    desk.hear(":alice!a@h INVITE ferris #d");
    assert_eq!(
        desk.events(),
        ["notice #c alice invites bob", "invited #d by alice"]
    );
}

#[test]
fn a_changed_host_of_ones_own_changes_how_much_fits_a_line() {
    let mut desk = Desk::online_with("chghost").joined("#c");
    let text = "x".repeat(600);
    desk.say("#c", &text);
    let before = desk.said()[0].len();
    desk.hear(":ferris!~crab@host.example CHGHOST crab a.much.longer.host.name.example");
    desk.say("#c", &text);
    assert!(desk.said()[0].len() < before);
}

#[test]
fn remarks_of_the_server_stand_where_they_belong() {
    let mut desk = Desk::online_with("standard-replies").joined("#c");
    desk.hear("NOTE * OPER_MESSAGE :the network says hello");
    desk.hear("WARN JOIN SOON_GONE #c :this channel will close");
    assert_eq!(
        desk.events(),
        [
            "notice * the network says hello",
            "notice #c this channel will close"
        ]
    );
}

#[test]
fn a_network_that_asks_for_an_account_first_is_left_with_its_words() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear("FAIL * ACCOUNT_REQUIRED_TO_CONNECT :You must log in");
    let end = desk.lose();
    assert_eq!(
        (end.fault.kind, end.retry),
        (FaultKind::NotAuthorized, false)
    );
    assert_eq!(end.fault.text, "You must log in");
}
