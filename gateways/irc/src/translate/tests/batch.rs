use isthmus_gateway::{Span, Style, Time};

use super::*;

const LABELS: &str = "message-tags batch labeled-response";

#[test]
fn a_label_ties_an_answer_to_its_message() {
    let mut desk = Desk::online_with(LABELS).joined("#c");
    let (one, two) = (desk.say("#c", "a"), desk.say("#c", "b"));
    let said = desk.said();
    assert_eq!(said.len(), 2, "no PING is needed: {said:?}");
    let label = |line: &str| {
        line.split([' ', '='])
            .nth(1)
            .map(str::to_owned)
            .expect("a label")
    };
    assert!(label(&said[0]).starts_with(&format!("{one}.")));
    desk.hear(&format!(
        "@label={} :s 404 ferris #c :Cannot send",
        label(&said[1])
    ));
    desk.hear(&format!("@label={} :s ACK", label(&said[0])));
    assert_eq!(
        desk.events(),
        [
            format!("done {two} NotPrivileged: Cannot send"),
            format!("echo {one} []"),
            format!("done {one} Accepted")
        ]
    );
}

#[test]
fn an_error_with_a_label_needs_no_name() {
    let mut desk = Desk::online_with(LABELS).joined("#c");
    let first = desk.say("#c", "a");
    let second = desk.ask(Command::Subject {
        room: "#c".into(),
        text: "x".into(),
    });
    desk.hear(&format!("@label={second}.2 :s 461 ferris :Odd"));
    desk.hear(&format!("@label={first}.1 FAIL PRIVMSG WHATEVER :Never"));
    assert_eq!(
        desk.events(),
        [
            format!("done {second} BadRequest: Odd"),
            format!("done {first} Other: Never")
        ]
    );
}

#[test]
fn an_echo_with_a_label_belongs_to_its_message_whatever_the_network_made_of_it() {
    let mut desk = Desk::online_with(&format!("{LABELS} echo-message")).joined("#c");
    let (one, two) = (desk.say("#c", "same"), desk.say("#c", "same"));
    desk.hear(&format!(
        "@label={two}.2;msgid=m2 :ferris!f@h PRIVMSG #c :same"
    ));
    desk.hear(&format!(
        "@label={one}.1;msgid=m1 :ferris!f@h PRIVMSG #c :****"
    ));
    assert_eq!(
        desk.events(),
        [
            format!("echo {two} [m2]"),
            format!("done {two} Accepted"),
            format!("echo {one} [m1] as ****"),
            format!("done {one} Accepted")
        ]
    );
}

#[test]
fn an_answer_of_several_lines_ends_with_its_batch() {
    let mut desk = Desk::online_with(LABELS).joined("#c");
    let tag = desk.tell("bob", "hi");
    desk.hear(&format!("@label={tag}.1 :s BATCH +x labeled-response"));
    desk.hear("@batch=x :s 301 ferris bob :gone fishing");
    assert_eq!(desk.events(), ["notice * bob is away: gone fishing"]);
    desk.hear(":s BATCH -x");
    assert_eq!(
        desk.events(),
        [format!("echo {tag} []"), format!("done {tag} Accepted")]
    );
}

#[test]
fn a_labelled_command_that_changes_nothing_ends_at_its_acknowledgement() {
    let mut desk = Desk::online_with(LABELS).joined("#c");
    let away = desk.ask(Command::Away { text: None });
    let join = desk.join("#d");
    assert_eq!(desk.said().len(), 2);
    desk.hear(&format!("@label={away}.1 ACK"));
    desk.hear(&format!("@label={join}.2 ACK"));
    assert_eq!(desk.events(), [format!("done {away} Finished")]);
    desk.hear(":ferris!f@h JOIN #d");
    assert_eq!(desk.events()[1], format!("done {join} Finished"));
}

#[test]
fn a_netsplit_is_one_event() {
    let mut desk = Desk::online_with("batch").joined("#c");
    desk.hear(":s BATCH +x netsplit a.example b.example");
    for nick in ["bob", "eve"] {
        desk.hear(&format!("@batch=x :{nick}!u@h QUIT :a.example b.example"));
    }
    assert!(desk.events().is_empty());
    desk.hear(":s BATCH -x");
    assert_eq!(
        desk.events(),
        ["left * bob,eve Split by - \"a.example b.example\""]
    );
    desk.hear(":s BATCH +y netjoin a.example b.example");
    desk.hear("@batch=y :bob!u@h JOIN #c");
    desk.hear(":s BATCH -y");
    assert_eq!(desk.events(), ["came #c bob"]);
}

#[test]
fn a_message_of_several_lines_is_one_message() {
    let mut desk =
        Desk::online_with("batch message-tags draft/multiline=max-bytes=4096,max-lines=9")
            .joined("#c");
    desk.hear("@msgid=m1 :bob!b@h BATCH +x draft/multiline #c");
    desk.hear("@batch=x :bob!b@h PRIVMSG #c :one");
    desk.hear(":eve!b@h PRIVMSG #c :between");
    desk.hear("@batch=x :bob!b@h PRIVMSG #c :");
    desk.hear("@batch=x :bob!b@h PRIVMSG #c :two ");
    desk.hear("@batch=x;draft/multiline-concat :bob!b@h PRIVMSG #c :three");
    desk.hear(":bob!b@h BATCH -x");
    assert_eq!(
        desk.events(),
        [
            "message #c eve: between",
            "message #c bob: one\n\ntwo three"
        ]
    );
}

#[test]
fn what_is_said_in_several_lines_goes_out_as_one() {
    let caps = "batch message-tags echo-message draft/multiline=max-bytes=4096,max-lines=9";
    let mut desk = Desk::online_with(caps).joined("#c");
    let tag = desk.say("#c", "one\n\ntwo");
    assert_eq!(
        desk.said(),
        [
            format!("BATCH +{tag} draft/multiline #c"),
            format!("@batch={tag} PRIVMSG #c :one"),
            format!("@batch={tag} PRIVMSG #c :"),
            format!("@batch={tag} PRIVMSG #c :two"),
            format!("BATCH -{tag}"),
        ]
    );
    desk.hear("@msgid=m1 :ferris!f@h BATCH +y draft/multiline #c");
    for text in ["one", "", "two"] {
        desk.hear(&format!("@batch=y :ferris!f@h PRIVMSG #c :{text}"));
    }
    desk.hear(":s BATCH -y");
    assert_eq!(
        desk.events(),
        [format!("echo {tag} [m1]"), format!("done {tag} Accepted")]
    );
}

#[test]
fn a_long_line_goes_out_whole_in_joined_pieces() {
    let caps = "batch message-tags labeled-response draft/multiline=max-bytes=4096,max-lines=9";
    let mut desk = Desk::online_with(caps).joined("#c");
    let text = "some words and ".repeat(60);
    let tag = desk.say("#c", text.trim_end());
    let said = desk.said();
    let mut whole = String::new();
    for line in &said[1..said.len() - 1] {
        whole.push_str(line.split_once(" :").expect("text").1);
    }
    assert_eq!(whole, text.trim_end());
    assert!(
        said[0].starts_with(&format!("@label={tag}.")),
        "{}",
        said[0]
    );
    assert!(said[2].contains(";draft/multiline-concat PRIVMSG"));
    desk.hear(&format!(
        "@label={tag}.1 FAIL BATCH MULTILINE_MAX_LINES 1 :Too many lines"
    ));
    assert_eq!(
        desk.events(),
        [format!("done {tag} TooLarge: Too many lines")]
    );
}

#[test]
fn what_is_too_much_for_one_message_goes_out_in_several() {
    let caps = "batch message-tags draft/multiline=max-bytes=4096,max-lines=2";
    let mut desk = Desk::online_with(caps).joined("#c");
    desk.say("#c", "one\ntwo\nthree");
    assert_eq!(
        desk.said()[..3],
        ["PRIVMSG #c :one", "PRIVMSG #c :two", "PRIVMSG #c :three"]
    );
}

#[test]
fn styles_go_out_as_codes() {
    let mut desk = Desk::online().joined("#c");
    let style = [Span {
        start: 2,
        end: 6,
        style: Style::Bold,
    }];
    let mut out = Outgoing::text(Place::Room("#c".into()), "a bold word");
    out.style = std::borrow::Cow::Borrowed(&style);
    desk.ask(Command::Send(out));
    assert_eq!(desk.said()[0], "PRIVMSG #c :a \u{2}bold\u{2} word");
}

#[test]
fn old_messages_are_fetched_and_told_as_such() {
    for labels in ["", " labeled-response"] {
        let caps = format!("batch server-time message-tags echo-message draft/chathistory{labels}");
        let mut desk = Desk::online_with(&caps).joined("#c");
        let tag = desk.ask(Command::History {
            at: Place::Room("#C".into()),
            after: Time(1_000_000_000_123),
            max: 500,
        });
        let said = desk.said();
        let asked = "CHATHISTORY AFTER #C timestamp=2001-09-09T01:46:40.123Z 100";
        assert!(said[0].ends_with(asked), "{said:?}");
        assert_eq!(said.len(), 1);
        let label = if labels.is_empty() {
            ""
        } else {
            &said[0][..said[0].find(' ').unwrap_or(0) + 1]
        };
        desk.hear(&format!("{label}:s BATCH +h chathistory #c"));
        desk.hear("@batch=h;time=2001-09-09T01:46:41.000Z :bob!b@h PRIVMSG #c :old");
        desk.hear("@batch=h;time=2001-09-09T01:46:42.000Z :ferris!b@h PRIVMSG #c :mine");
        desk.hear("@batch=h;time=2001-09-09T01:46:42.000Z :bob!b@h JOIN #c");
        desk.hear("@batch=h;time=2001-09-09T01:46:43.000Z :s BATCH +m draft/multiline #c");
        desk.hear(":s BATCH -m");
        desk.hear(":s BATCH -h");
        assert_eq!(
            desk.events(),
            [
                format!("past {tag} #c bob at Some(1000000001000): old"),
                format!("past {tag} #c ferris at Some(1000000002000): mine"),
                format!("done {tag} Finished"),
            ]
        );
    }
}

#[test]
fn a_refused_request_for_old_messages_ends_with_the_networks_words() {
    let mut desk = Desk::online_with("batch draft/chathistory").joined("#c");
    let tag = desk.ask(Command::History {
        at: Place::Room("#c".into()),
        after: Time(0),
        max: 5,
    });
    desk.hear("FAIL CHATHISTORY INVALID_TARGET AFTER #c :No such channel");
    assert_eq!(
        desk.events(),
        [format!("done {tag} NoSuchTarget: No such channel")]
    );
}

#[test]
fn batches_without_end_are_bounded() {
    let mut desk = Desk::online_with("batch message-tags").joined("#c");
    for n in 0..100 {
        desk.hear(&format!(":s BATCH +{n} whatever"));
    }
    for n in [0, 99] {
        desk.hear(&format!("@batch={n} :bob!b@h PRIVMSG #c :{n}"));
    }
    assert_eq!(desk.events(), ["message #c bob: 0", "message #c bob: 99"]);
}
