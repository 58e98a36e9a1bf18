//! Jobs out, and what became of them.

use isthmus_gateway::{FaultKind, JobId, State};
use isthmus_test_support::smsc::Happened;
use serde_json::json;

use crate::host::{DEADLINE, DELIVERED, OURS, Scene, THEIRS, UNDELIVERABLE, digits, failed};

#[tokio::test]
async fn a_text_is_accepted_and_delivered() {
    let scene = Scene::start().await;
    scene.send(1, "Good night, good night! [parting]");
    let submit = scene.smsc.submit().await;
    assert_eq!(submit.text, "Good night, good night! [parting]");
    assert_eq!(submit.source, digits(OURS));
    assert_eq!(submit.destination, digits(THEIRS));
    assert_eq!((submit.source_ton, submit.destination_ton), (1, 1));
    assert_eq!((submit.data_coding, submit.registered_delivery), (0, 1));
    let accepted = scene.host.report().await;
    assert_eq!((accepted.job, accepted.state), (JobId(1), State::Accepted));
    assert_eq!(accepted.keys, [format!("one:{}", submit.id)]);

    scene.receipt(&submit.id, DELIVERED);
    scene.receipt(&submit.id, DELIVERED);
    assert_eq!(scene.host.report().await.state, State::Delivered);
    assert_eq!(scene.smsc.delivered().await, 0);
    assert_eq!(scene.smsc.delivered().await, 0);
    let (_, host) = scene.drain().await;
    assert!(
        host.reports.drain().is_empty(),
        "a doubled receipt says nothing new"
    );
}

#[tokio::test]
async fn three_parts_with_emoji_are_delivered_when_all_are() {
    let scene = Scene::start().await;
    let text = "🦀 and a rose by any other name, ".repeat(5) + "👍🏽";
    scene.send(2, &text);
    let mut ids = Vec::new();
    let mut joined = String::new();
    for number in 1..=3 {
        let submit = scene.smsc.submit().await;
        assert_eq!((submit.esm_class, submit.data_coding), (0x40, 8));
        let udh = submit.udh.expect("parts have a header");
        assert!(udh.ends_with(&format!("030{number}")), "{udh}");
        joined += &submit.text;
        ids.push(submit.id);
    }
    assert_eq!(joined, text);
    let accepted = scene.host.report().await;
    assert_eq!((accepted.state, accepted.keys.len()), (State::Accepted, 3));

    for id in [&ids[2], &ids[0]] {
        scene.receipt(id, DELIVERED);
        assert_eq!(scene.smsc.delivered().await, 0);
        assert_eq!(scene.host.report().await.state, State::Accepted);
    }
    scene.receipt(&ids[1], DELIVERED);
    assert_eq!(scene.host.report().await.state, State::Delivered);
    scene.drain().await;
}

#[tokio::test]
async fn a_receipt_that_overtakes_the_answer_counts() {
    let scene = Scene::start().await;
    scene
        .smsc
        .answers(&json!([{ "id": "early", "hold": true }]))
        .await;
    scene.send(3, "hello");
    scene.smsc.submit().await;
    scene.receipt("early", DELIVERED);
    assert_eq!(scene.smsc.delivered().await, 0);
    scene.smsc.release();
    // In one report: the receipt was answered, and the carrier will not send it again.
    assert_eq!(scene.host.report().await.state, State::Delivered);
    scene.drain().await;
}

#[tokio::test]
async fn a_receipt_of_another_run_counts_while_something_is_sent() {
    let scene = Scene::start().await;
    scene.send(3, "hello");
    let id = scene.smsc.submit().await.id;
    assert_eq!(scene.host.report().await.state, State::Accepted);
    let scene = scene.killed().await;
    scene.smsc.answers(&json!([{ "hold": true }])).await;
    scene.send(4, "on its way");
    scene.smsc.submit().await;
    scene.receipt(&id, DELIVERED);
    assert_eq!(scene.smsc.delivered().await, 0);
    let report = scene.host.report().await;
    assert_eq!((report.job, report.state), (JobId(3), State::Delivered));
    scene.smsc.release();
    assert_eq!(scene.host.report().await.state, State::Accepted);
    scene.drain().await;
}

#[tokio::test]
async fn a_failed_receipt_says_why_and_how_many_parts_went_out() {
    let scene = Scene::start().await;
    scene.send(4, &"x".repeat(200));
    let ids = [scene.smsc.submit().await.id, scene.smsc.submit().await.id];
    assert_eq!(scene.host.report().await.state, State::Accepted);
    scene.receipt(&ids[1], UNDELIVERABLE);
    let report = scene.host.report().await;
    let fault = failed(&report);
    assert_eq!((fault.kind, fault.parts_sent), (FaultKind::Offline, 1));
    assert!(fault.text.contains("cannot be delivered"), "{fault}");
    scene.drain().await;
}

#[tokio::test]
async fn a_late_receipt_finds_its_job_in_another_run() {
    let scene = Scene::start().await;
    scene.send(5, "one part");
    scene.send(6, &"y".repeat(200));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(scene.smsc.submit().await);
    }
    for _ in 0..2 {
        assert_eq!(scene.host.report().await.state, State::Accepted);
    }
    let (smsc, host) = scene.drain().await;
    smsc.expect(|event| *event == Happened::Unbound).await;

    let scene = Scene::with(smsc, host, json!({})).await;
    let single = ids.iter().find(|submit| submit.text == "one part");
    scene.receipt(&single.expect("it was sent").id, DELIVERED);
    let report = scene.host.report().await;
    assert_eq!((report.job, report.state), (JobId(5), State::Delivered));
    let mut states = Vec::new();
    for part in ids.iter().filter(|submit| submit.udh.is_some()) {
        scene.receipt(&part.id, DELIVERED);
        let report = scene.host.report().await;
        assert_eq!(report.job, JobId(6));
        states.push(report.state);
    }
    assert_eq!(states, [State::Accepted, State::Delivered]);
    scene.drain().await;
}

#[tokio::test]
async fn receipts_on_both_sides_of_a_restart_end_in_one_delivery() {
    let scene = Scene::start().await;
    scene.send(8, &"y".repeat(400));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(scene.smsc.submit().await.id);
    }
    assert_eq!(scene.host.report().await.state, State::Accepted);
    scene.receipt(&ids[1], DELIVERED);
    assert_eq!(scene.smsc.delivered().await, 0);
    assert_eq!(scene.host.report().await.state, State::Accepted);

    let scene = scene.killed().await;
    scene.receipt(&ids[1], DELIVERED);
    scene.receipt(&ids[2], DELIVERED);
    for _ in 0..2 {
        assert_eq!(scene.smsc.delivered().await, 0);
    }
    assert_eq!(scene.host.report().await.state, State::Accepted);

    let scene = scene.killed().await;
    scene.receipt(&ids[0], DELIVERED);
    assert_eq!(scene.smsc.delivered().await, 0);
    let report = scene.host.report().await;
    assert_eq!((report.job, report.state), (JobId(8), State::Delivered));
    for id in &ids {
        scene.receipt(id, DELIVERED);
        assert_eq!(scene.smsc.delivered().await, 0);
    }
    let (_, host) = scene.drain().await;
    assert!(host.reports.drain().is_empty(), "it is delivered once");
}

#[tokio::test]
async fn a_restart_between_parts_sends_the_rest() {
    let scene = Scene::start().await;
    scene.smsc.answers(&json!([{}, { "status": 0x08 }])).await;
    let text = "w".repeat(400);
    scene.send(9, &text);
    let first = scene.smsc.submit().await.id;
    scene.smsc.submit().await;
    let report = scene.host.report().await;
    assert!(matches!(report.state, State::Retry { .. }), "{report:?}");

    let scene = scene.killed().await;
    // Of the part that is out; the job is handed out again only after it.
    scene.receipt(&first, DELIVERED);
    assert_eq!(scene.smsc.delivered().await, 0);
    scene.send_again(9, &text, 1, report.kept);
    let mut ids = Vec::new();
    for number in ["02", "03"] {
        let submit = scene.smsc.submit().await;
        assert!(submit.udh.is_some_and(|udh| udh.ends_with(number)));
        ids.push(submit.id);
    }
    assert_eq!(scene.host.report().await.state, State::Accepted);
    scene.receipt(&ids[0], DELIVERED);
    assert_eq!(scene.host.report().await.state, State::Accepted);
    scene.receipt(&ids[1], DELIVERED);
    assert_eq!(scene.host.report().await.state, State::Delivered);
    scene.drain().await;
}

#[tokio::test]
async fn ids_in_another_base_are_the_same_ids() {
    let scene = Scene::start().await;
    scene.smsc.answers(&json!([{ "id": "1F4" }])).await;
    scene.send(7, "hello");
    scene.smsc.submit().await;
    assert_eq!(scene.host.report().await.state, State::Accepted);
    scene.receipt("0000000500", DELIVERED);
    assert_eq!(scene.host.report().await.state, State::Delivered);
    scene.drain().await;
}

#[tokio::test]
async fn what_the_carrier_answers_decides() {
    let scene = Scene::start().await;
    scene
        .smsc
        .answers(&json!([
            { "status": 0x0b }, { "status": 0x58 }, { "status": 0x08 }, { "status": 0x777 },
        ]))
        .await;
    let expected: [fn(&State) -> bool; 4] = [
        |state| matches!(state, State::Failed(fault) if fault.kind == FaultKind::NoSuchTarget),
        |state| {
            matches!(state, State::Retry { after: 1000, fault }
            if fault.kind == FaultKind::TooFast)
        },
        |state| matches!(state, State::Retry { fault, .. } if fault.kind == FaultKind::NetworkDown),
        |state| matches!(state, State::Failed(fault) if fault.text.contains("0x777")),
    ];
    for (id, fits) in (10..).zip(expected) {
        scene.send(id, "hello");
        let report = scene.host.report().await;
        assert!(fits(&report.state), "{report:?}");
    }
    scene.drain().await;
}

#[tokio::test]
async fn a_part_that_is_refused_ends_the_message_and_counts_those_before() {
    let scene = Scene::start().await;
    scene.smsc.answers(&json!([{}, { "status": 0x45 }])).await;
    scene.send(20, &"z".repeat(400));
    let report = scene.host.report().await;
    assert_eq!(failed(&report).parts_sent, 1);
    let (smsc, _) = scene.drain().await;
    let submits = smsc.log().into_iter();
    let submits = submits.filter(|event| matches!(event, Happened::Submit(_)));
    assert_eq!(submits.count(), 2, "the third part is not paid for");
}

#[tokio::test]
async fn a_message_goes_on_where_it_stopped() {
    let scene = Scene::start().await;
    scene.smsc.answers(&json!([{}, { "status": 0x08 }])).await;
    let text = "w".repeat(400);
    scene.send(21, &text);
    let report = scene.host.report().await;
    assert!(
        matches!(&report.state, State::Retry { fault, .. } if fault.parts_sent == 1),
        "{report:?}"
    );
    for _ in 0..2 {
        scene.smsc.submit().await;
    }
    scene.send_again(21, &text, 1, report.kept);
    let second = scene.smsc.submit().await;
    assert!(second.udh.is_some_and(|udh| udh.ends_with("02")));
    scene.smsc.submit().await;
    let report = scene.host.report().await;
    assert_eq!((report.state, report.keys.len()), (State::Accepted, 3));
    scene.drain().await;
}

#[tokio::test]
async fn an_answer_that_never_comes_is_an_unknown_outcome() {
    let smsc = isthmus_test_support::NodeSmsc::start().await;
    let more = json!({ "response_timeout": 1 });
    let scene = Scene::with(smsc.into(), crate::host::Host::default(), more).await;
    scene.smsc.answers(&json!([{ "hold": true }])).await;
    scene.send(22, "hello");
    assert_eq!(scene.host.report().await.state, State::Unknown);
    scene.smsc.answers(&json!([{ "hold": true }])).await;
    scene.send(23, "hello");
    scene.smsc.submit().await;
    scene.smsc.submit().await;
    scene.smsc.cut();
    assert_eq!(scene.host.report().await.state, State::Unknown);
    scene.drain().await;
}

#[tokio::test]
async fn what_is_taken_back_in_time_is_not_sent() {
    let scene = Scene::start().await;
    scene.host.recall();
    scene.send(24, "hello");
    let begun = scene.host.begun.take(DEADLINE, |_| true).await;
    assert_eq!(begun, Ok(JobId(24)));
    let (smsc, host) = scene.drain().await;
    let sent = smsc
        .log()
        .into_iter()
        .any(|event| matches!(event, Happened::Submit(_)));
    assert!(!sent && host.reports.drain().is_empty());
}
