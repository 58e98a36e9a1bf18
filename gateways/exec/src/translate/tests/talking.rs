//! Sessions: commands, events, credit, restarts.

use isthmus_gateway::{Account, Close};

use super::super::{QUEUE, WINDOW};
use super::*;

#[test]
fn a_command_is_one_line_and_its_answer_ends_it() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    bench.say(id, 7);
    let request = bench.read();
    assert_eq!(request["method"], "command");
    assert_eq!(
        request["params"],
        json!({
            "session": wire,
            "tag": 7,
            "cmd": {
                "type": "send", "to": { "contact": "bob" }, "body": "hello",
                "action": false, "style": [], "blobs": [],
            },
        })
    );
    bench.answer(
        &request,
        json!({ "outcome": "sent", "keys": ["k1"], "time": 5 }),
    );
    let told = bench.told(id, Credit::Events(10));
    let echo = json!({ "type": "echo", "tag": 7, "keys": ["k1"], "time": 5, "altered": null });
    let done = json!({ "type": "done", "tag": 7, "result": { "Ok": "sent" } });
    assert_eq!(told, [echo, done]);
}

#[test]
fn an_answer_may_leave_everything_out() {
    let mut bench = Bench::new(10, false);
    let (id, _) = bench.session();
    for (tag, result) in [(1, Value::Null), (2, json!({}))] {
        bench.say(id, tag);
        let request = bench.read();
        bench.answer(&request, result);
        let told = bench.told(id, Credit::Events(10));
        assert_eq!(told[0]["result"], json!({ "Ok": "accepted" }));
    }
    let away = Command::Away { text: None };
    bench.machine.command(id, Tag(3), &away, bench.now);
    let request = bench.read();
    bench.answer(&request, Value::Null);
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(told[0]["result"], json!({ "Ok": "finished" }));
}

#[test]
fn a_refused_command_ends_in_the_fault_of_its_error() {
    let mut bench = Bench::new(10, false);
    let (id, _) = bench.session();
    bench.say(id, 1);
    let request = bench.read();
    bench.refuse(
        &request,
        json!({ "kind": "no_such_target", "text": "who?" }),
    );
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(told[0]["result"]["Err"]["kind"], "no_such_target");
    assert_eq!(told[0]["result"]["Err"]["text"], "who?");
}

#[test]
fn a_doubled_or_a_late_answer_changes_nothing() {
    let mut bench = Bench::new(10, false);
    let (id, _) = bench.session();
    bench.say(id, 1);
    let first = bench.read();
    bench.answer(&first, json!({}));
    bench.answer(&first, json!({}));
    bench.say(id, 2);
    let second = bench.read();
    bench.now += TIMEOUT;
    bench.machine.tick(bench.now);
    bench.answer(&second, json!({}));
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1]["result"]["Err"]["kind"], "timed_out");
    assert_eq!(bench.machine.counts.late, 2);
}

#[test]
fn no_more_than_a_window_of_requests_is_unanswered() {
    let mut bench = Bench::new(10, false);
    let (id, _) = bench.session();
    let many = WINDOW + QUEUE + 1;
    for tag in (0u32..).take(many) {
        bench.say(id, tag);
    }
    // Nothing has been sent yet: all but what may wait is refused.
    let refused = bench.told(id, Credit::Events(u32::MAX));
    assert_eq!(refused.len(), many - QUEUE);
    assert_eq!(refused[0]["result"]["Err"]["kind"], "full");
    let sent: Vec<Value> = std::iter::from_fn(|| bench.try_read()).collect();
    assert_eq!(sent.len(), WINDOW);
    bench.machine.ping(bench.now);
    assert_eq!(bench.read()["method"], "ping", "it waits for nothing");
    bench.answer(&sent[9], json!({}));
    assert!(bench.try_read().is_some());
    assert!(bench.try_read().is_none());
}

#[test]
fn too_much_text_is_refused_before_it_is_sent() {
    let mut bench = Bench::new(10, false);
    let (id, _) = bench.session();
    let body = "x".repeat(super::super::rpc::LONGEST);
    let message = Outgoing::text(Place::Contact("bob".into()), body);
    let command = Command::Send(message);
    bench.machine.command(id, Tag(1), &command, bench.now);
    assert!(bench.try_read().is_none());
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(told[0]["result"]["Err"]["kind"], "too_large");
}

#[test]
fn credit_is_granted_as_events_are_taken() {
    let mut bench = Bench::new(4, false);
    let (id, wire) = bench.session();
    for _ in 0..4 {
        bench.typing(wire);
    }
    assert_eq!(bench.told(id, Credit::Events(1)).len(), 1);
    assert!(bench.try_read().is_none(), "half of it must be used up");
    assert_eq!(bench.told(id, Credit::Hold).len(), 0);
    assert_eq!(bench.told(id, Credit::Events(9)).len(), 3);
    let grant = bench.read();
    assert_eq!(grant["method"], "session.credit");
    assert_eq!(grant["params"], json!({ "session": wire, "events": 4 }));
}

#[test]
fn while_the_host_holds_only_ends_of_commands_pass() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    bench.say(id, 1);
    let request = bench.read();
    bench.typing(wire);
    bench.answer(&request, json!({ "keys": ["k"] }));
    let kinds: Vec<Value> = bench.told(id, Credit::Hold);
    let kinds: Vec<&str> = kinds.iter().filter_map(|it| it["type"].as_str()).collect();
    assert_eq!(kinds, ["echo", "done"]);
    assert_eq!(bench.types(id), ["typing"]);
}

#[test]
fn a_session_that_says_far_more_than_its_credit_is_closed_and_opened_again() {
    let mut bench = Bench::new(4, false);
    let (id, wire) = bench.session();
    bench.say(id, 1);
    let request = bench.read();
    for _ in 0..50 {
        bench.typing(wire);
    }
    let close = bench.read();
    assert_eq!(close["method"], "session.close");
    let told = bench.told(id, Credit::Events(u32::MAX));
    let last = &told[told.len() - 2..];
    assert_eq!(
        (&last[0]["type"], &last[0]["tag"]),
        (&json!("done"), &json!(1))
    );
    assert_eq!(last[1]["fault"]["kind"], "full");
    assert!(told.len() < 16, "{}", told.len());
    bench.answer(&request, json!({}));
    assert!(bench.types(id).is_empty(), "the command has ended");
    bench.answer(&close, json!({}));
    bench.now += Duration::from_secs(30);
    bench.machine.tick(bench.now);
    let again = bench.accept();
    assert_ne!(again, wire);
    bench.typing(wire);
    bench.typing(again);
    assert_eq!(bench.types(id), ["typing"], "the old number is over");
}

#[test]
fn an_unknown_event_is_counted_and_a_broken_one_complained_of() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    assert_eq!(
        bench.event(wire, json!({ "type": "hologram", "x": 1 })),
        Ok(())
    );
    assert_eq!(bench.machine.counts.unknown, 1);
    assert_eq!(bench.event(wire + 99, json!({ "type": "online" })), Ok(()));
    assert_eq!(bench.machine.counts.late, 1);
    let done = json!({ "type": "done", "tag": 1, "result": { "Ok": "sent" } });
    let ranks =
        vec![json!({ "sign": "@", "letter": "o", "affiliation": "none", "role": "none" }); 9];
    let online = json!({
        "type": "online", "network": "n", "fold": "exact", "ranks": ranks, "caps": {}, "me": "m",
    });
    for broken in [json!({ "type": "typing" }), json!(3), done, online] {
        assert!(bench.event(wire, broken.clone()).is_err(), "{broken}");
    }
    assert_eq!(bench.machine.counts.malformed, 4);
    assert!(bench.types(id).is_empty());
}

#[test]
fn an_echo_of_no_open_command_is_late() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    let echo = json!({ "type": "echo", "tag": 5, "keys": [], "time": null, "altered": null });
    assert_eq!(bench.event(wire, echo), Ok(()));
    assert!(bench.types(id).is_empty());
    assert_eq!(bench.machine.counts.late, 1);
}

#[test]
fn what_a_session_keeps_is_given_to_the_next_process() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    let keep = json!({ "type": "keep", "state": [1, 2] });
    bench.event(wire, keep).expect("a sound event");
    bench.say(id, 1);
    bench.down();
    assert_eq!(bench.types(id), ["keep", "done", "offline"]);
    bench.say(id, 2);
    assert_eq!(bench.types(id), ["done"], "there is nobody to ask");
    bench.machine.up(bench.now);
    let open = bench.read();
    assert_eq!(open["method"], "session.open");
    assert_eq!(open["params"]["kept"], json!([1, 2]));
    assert!(
        bench.try_read().is_none(),
        "the old command is not sent again"
    );
}

#[test]
fn a_session_without_a_process_is_told_when_there_will_be_one() {
    let mut bench = Bench::new(10, false);
    bench.down();
    bench.now += Duration::from_millis(500);
    let id = bench
        .machine
        .open(&juliet(), None, ("", &Settings::default(), None), bench.now);
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(told[0]["retry"], 1500);
    bench.machine.up(bench.now);
    bench.accept();
}

#[test]
fn a_session_that_is_refused_is_tried_again_only_where_the_plugin_says_so() {
    let mut bench = Bench::new(10, false);
    let account = Account::default();
    let settings: Settings =
        serde_json::from_value(json!({ "network": { "nick": "jules" } })).expect("settings");
    let opening = ("net", &settings, Some(&b"k"[..]));
    let id = bench
        .machine
        .open(&juliet(), Some(&account), opening, bench.now);
    let open = bench.read();
    assert_eq!(open["params"]["network"], "net");
    assert_eq!(open["params"]["kept"], json!([107]));
    assert_eq!(open["params"]["settings"]["network"]["nick"], "jules");
    bench.refuse(&open, json!({ "kind": "network_down", "after": 5000 }));
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(told[0]["retry"], 5000);
    assert!(
        bench.try_read().is_none(),
        "what was never open is not closed"
    );
    bench.now += Duration::from_secs(5);
    bench.machine.tick(bench.now);
    let open = bench.read();
    bench.refuse(&open, json!({ "kind": "not_authorized" }));
    let told = bench.told(id, Credit::Events(10));
    assert_eq!(
        (&told[0]["type"], &told[0]["retry"]),
        (&json!("offline"), &Value::Null)
    );
    bench.now += Duration::from_secs(86_400);
    bench.machine.tick(bench.now);
    bench.down();
    bench.machine.up(bench.now);
    assert!(bench.try_read().is_none(), "it is never asked again");
}

#[test]
fn closing_ends_what_is_open() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    bench.say(id, 1);
    let request = bench.read();
    bench.machine.close(id, Close::Left, bench.now);
    assert_eq!(bench.types(id), ["done"]);
    let close = bench.read();
    assert_eq!(close["params"], json!({ "session": wire, "why": "left" }));
    bench.answer(&request, json!({}));
    bench.typing(wire);
    assert!(bench.types(id).is_empty());
    bench.machine.forget(id, bench.now);
    assert!(bench.try_read().is_none());
}

#[test]
fn a_picture_is_told_as_it_came_and_one_that_is_no_base64_is_counted_out() {
    let mut bench = Bench::new(8, false);
    let (id, wire) = bench.session();
    let picture =
        |data: &str| json!({ "type": "picture", "at": { "contact": "bob" }, "picture": data });
    bench.event(wire, picture("R0lGODlh")).expect("sound");
    bench.event(wire, picture("no!")).expect_err("no picture");
    let none = json!({ "type": "picture", "at": { "contact": "bob" }, "picture": null });
    bench.event(wire, none.clone()).expect("sound");
    let told = bench.told(id, Credit::Events(u32::MAX));
    assert_eq!(told, [picture("R0lGODlh"), none]);
}

#[test]
fn the_link_of_a_picture_is_told_as_it_came() {
    let mut bench = Bench::new(8, false);
    let (id, wire) = bench.session();
    let at = json!({ "contact": "bob" });
    for url in [json!("https://files.example/bob.png"), json!(null)] {
        let link = json!({ "type": "picture_link", "at": at, "url": url });
        bench.event(wire, link.clone()).expect("sound");
        assert_eq!(bench.told(id, Credit::Events(u32::MAX)), [link]);
    }
    let bad = json!({ "type": "picture_link", "at": at, "url": 7 });
    bench.event(wire, bad).expect_err("no link");
}

#[test]
fn a_notice_may_be_in_several_languages() {
    let mut bench = Bench::new(10, false);
    let (id, wire) = bench.session();
    let words = json!({ "en": "tea is ready", "zh": "茶好了" });
    let both = json!({ "type": "notice", "room": "#garden", "text": words });
    let one = json!({ "type": "notice", "text": "tea is ready" });
    bench.event(wire, both.clone()).expect("a sound event");
    bench.event(wire, one).expect("a sound event");
    let one = json!({ "type": "notice", "room": null, "text": "tea is ready" });
    assert_eq!(bench.told(id, Credit::Events(10)), [both, one]);
}
