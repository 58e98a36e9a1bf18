//! What the plugin asks.

use isthmus_gateway::{Address, Handle, Kind, Message, Who};

use super::super::{Question, WINDOW};
use super::*;

fn ask(bench: &mut Bench, id: Value, method: &str, params: Value) {
    let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    bench.write(&line).expect("a sound request");
}

fn find() -> Value {
    json!({
        "handle": { "alias": "juliet" },
        "from": { "kind": "contact", "id": "bob", "network": "" },
    })
}

#[test]
fn a_question_is_answered_under_its_own_id() {
    let mut bench = Bench::new(10, false);
    ask(&mut bench, json!("a-1"), "host.find", find());
    let question = bench.machine.next_ask().expect("a question");
    let handle = Handle::Alias("juliet".into());
    let from = Address::new(Kind::Contact, "bob", "");
    assert_eq!(question.question, Question::Find { handle, from });
    bench
        .machine
        .ask_answered(&question.ticket, &Ok("[1]".into()));
    let answer = bench.read();
    assert_eq!(
        answer,
        json!({ "jsonrpc": "2.0", "id": "a-1", "result": [1] })
    );
}

#[test]
fn a_delivery_outlives_its_line() {
    let mut bench = Bench::new(10, false);
    let batch = json!([{
        "user": 1, "dedup": "d", "peer_kept": null,
        "peer": { "kind": "contact", "id": "bob", "network": "" },
        "message": {
            "at": { "contact": "bob" }, "who": { "nick": "bob" }, "body": "hi\n",
            "reply": { "key": "k", "who": "w" }, "style": [{ "start": 0, "end": 2, "style": "bold" }],
            "blobs": [{ "name": "n", "mime": "m", "url": "u", "size": 1 }],
        },
    }]);
    ask(
        &mut bench,
        json!(1),
        "host.deliver",
        json!({ "batch": batch }),
    );
    let question = bench.machine.next_ask().expect("a question").question;
    let Question::Deliver {
        batch: read,
        all_or_none,
    } = question
    else {
        panic!("not a delivery: {question:?}");
    };
    assert!(!all_or_none);
    let at = Place::Contact("bob".into());
    let plain = Message::text(at, Who::nick("bob"), "hi\n");
    assert_eq!(
        (&read[0].message.at, &read[0].message.body),
        (&plain.at, &plain.body)
    );
    let written = serde_json::to_value(&read).expect("serialisable");
    for (key, value) in batch[0]["message"].as_object().expect("a table") {
        if key != "who" {
            assert_eq!(&written[0]["message"][key], value, "{key}");
        }
    }
}

#[test]
fn what_is_not_a_question_is_refused() {
    let mut bench = Bench::new(10, false);
    ask(&mut bench, json!(1), "host.reboot", json!({}));
    assert_eq!(bench.read()["error"]["code"], -32601);
    assert_eq!(bench.machine.counts.unknown, 1);
    ask(&mut bench, json!(2), "host.find", json!({ "handle": 3 }));
    assert_eq!(bench.read()["error"]["code"], -32602);
    ask(&mut bench, json!(3), "ping", Value::Null);
    assert_eq!(bench.read()["result"], json!({}));
    assert!(bench.machine.next_ask().is_none());
}

#[test]
fn no_more_than_a_window_of_questions_is_open() {
    let mut bench = Bench::new(10, false);
    for id in 0..WINDOW {
        ask(&mut bench, json!(id), "host.find", find());
    }
    assert!(bench.try_read().is_none());
    ask(&mut bench, json!("more"), "host.find", find());
    assert_eq!(bench.read()["error"]["code"], -32000);
    let question = bench.machine.next_ask().expect("a question");
    bench
        .machine
        .ask_answered(&question.ticket, &Ok("[]".into()));
    assert_eq!(bench.read()["id"], 0);
    ask(&mut bench, json!("fits"), "host.find", find());
    assert!(bench.try_read().is_none());
}

#[test]
fn an_answer_to_a_process_that_is_gone_goes_nowhere() {
    let mut bench = Bench::new(10, false);
    ask(&mut bench, json!(1), "host.find", find());
    let question = bench.machine.next_ask().expect("a question");
    bench.down();
    bench.machine.up(bench.now);
    bench
        .machine
        .ask_answered(&question.ticket, &Ok("[1]".into()));
    assert!(bench.try_read().is_none());
}

#[test]
fn a_plugin_that_reads_nothing_is_found_out() {
    let mut bench = Bench::new(10, false);
    let line = json!({ "id": "x".repeat(200), "method": "ping" });
    for _ in 0..100_000 {
        bench.write(&line).expect("a sound request");
        if bench.machine.is_stuck() {
            return;
        }
    }
    panic!("it holds answers without bound");
}

#[test]
fn what_is_kept_and_attached_is_asked_of_the_host() {
    let mut bench = Bench::new(10, false);
    let kept = json!({ "name": "cursor", "value": [1, 2] });
    ask(&mut bench, json!(1), "host.keep", kept);
    ask(
        &mut bench,
        json!(2),
        "host.kept",
        json!({ "name": "cursor" }),
    );
    let blob = json!({ "name": "a.png", "mime": "image/png", "file": "f1" });
    ask(&mut bench, json!(3), "host.store_blob", blob);
    let name = || "cursor".to_owned();
    let expected = [
        Question::Keep {
            name: name(),
            value: Some(vec![1, 2]),
        },
        Question::Kept { name: name() },
        Question::StoreBlob {
            name: "a.png".to_owned(),
            mime: "image/png".to_owned(),
            file: "f1".to_owned(),
        },
    ];
    for question in expected {
        assert_eq!(
            bench.machine.next_ask().expect("a question").question,
            question
        );
    }
}
