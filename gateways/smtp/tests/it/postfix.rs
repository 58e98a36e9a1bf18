//! Both ways through a real Postfix.

use std::sync::Arc;

use isthmus_gateway::{FaultKind, State, UserId};
use isthmus_test_support::DEADLINE;
use isthmus_test_support::mail::{Back, LOST, Postfix};
use isthmus_test_support::port::Port;
use serde_json::json;

use crate::host::{DOMAIN, Running, job};

/// A Postfix and a gateway that know each other.
async fn pair(lmtp: bool) -> (Arc<Postfix>, Running) {
    let port = Port::reserve();
    let number = port.number();
    let back = if lmtp {
        Back::Lmtp(number)
    } else {
        Back::Smtp(number)
    };
    let start = move || Arc::new(Postfix::start(DOMAIN, back));
    let postfix = tokio::task::spawn_blocking(start)
        .await
        .expect("Postfix starts");
    let listener = if lmtp { "lmtp" } else { "listen" };
    let running = Running::start(&json!({
        "smarthost": format!("localhost:{}", postfix.port()),
        "authority": postfix.authority(),
        listener: [port.address()],
    }));
    (postfix, running)
}

async fn mail(postfix: &Arc<Postfix>, subject: &'static str) -> String {
    let postfix = Arc::clone(postfix);
    let wait = move || postfix.wait_for_mail(|mail| mail.contains(subject));
    tokio::task::spawn_blocking(wait)
        .await
        .expect("the mail comes")
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {mail}"))
}

async fn conversation(lmtp: bool) {
    let (postfix, running) = pair(lmtp).await;
    let mut first = job(
        1,
        &["alice@peer.example"],
        "Kommst du zum Mittag?\nIch wäre da.",
    );
    running.submit(first.clone());
    let report = running.report().await;
    assert_eq!(report.state, State::Accepted, "{}", postfix.log());
    let sent = mail(&postfix, "Subject: Kommst du zum Mittag?").await;
    assert!(sent.contains("Ich w=C3=A4re da."), "{sent}");

    // Alice answers as any mail program does.
    let id = header(&sent, "Message-ID");
    let back = header(&sent, "From");
    let back = back[back.find('<').map_or(0, |at| at + 1)..]
        .trim_end_matches('>')
        .to_owned();
    let answer = format!(
        "From: Alice <Alice@peer.example>\nTo: {back}\nMessage-ID: <answer@peer.example>\n\
         In-Reply-To: {id}\nReferences: {id}\nSubject: Re: Kommst du zum Mittag?\n\nJa.\n"
    );
    let by = Arc::clone(&postfix);
    let submit = move || by.submit("alice@peer.example", &back, &answer);
    tokio::task::spawn_blocking(submit)
        .await
        .expect("swaks runs")
        .expect("taken");
    let delivery = running.delivery().await;
    assert_eq!(delivery.user, UserId(1));
    assert_eq!(delivery.peer.id, "alice@peer.example");
    assert_eq!(delivery.message.body, "Ja.");
    let reply = delivery.message.reply.expect("it answers");
    assert_eq!(reply.key.0, report.keys[0]);

    // And the next mail goes on from there.
    first.id.0 = 2;
    first.message.body = "Bis dann.".into();
    first.peer_kept = delivery.peer_kept;
    running.submit(first);
    assert_eq!(running.report().await.state, State::Accepted);
    let next = mail(&postfix, "Bis dann.").await;
    assert_eq!(header(&next, "Subject"), "Re: Kommst du zum Mittag?");
    assert_eq!(header(&next, "In-Reply-To"), "<answer@peer.example>");
    running.drain().await;
}

#[tokio::test]
async fn a_conversation_by_smtp() {
    conversation(false).await;
}

#[tokio::test]
async fn a_conversation_by_lmtp() {
    conversation(true).await;
}

#[tokio::test]
async fn an_unknown_recipient_fails_at_once_and_an_unreachable_one_by_bounce() {
    let (postfix, running) = pair(false).await;
    running.submit(job(1, &["nobody@peer.example"], "hello"));
    match running.report().await.state {
        State::Failed(fault) => {
            assert_eq!(fault.kind, FaultKind::NoSuchTarget);
            assert!(fault.text.starts_with("550 5.1.1"), "{}", fault.text);
        }
        other => panic!("{other:?}"),
    }
    let lost: &'static str = format!("somebody@{LOST}").leak();
    running.submit(job(2, &[lost], "hello"));
    let accepted = running.report().await;
    assert_eq!(accepted.state, State::Accepted);
    let bounced = running.host.reports.take(DEADLINE, |_| true).await;
    let bounced = bounced.unwrap_or_else(|fault| panic!("{fault}\n{}", postfix.log()));
    assert_eq!((bounced.job, bounced.keys), (accepted.job, accepted.keys));
    match bounced.state {
        State::Failed(fault) => {
            assert_eq!(fault.kind, FaultKind::Expired);
            assert!(fault.text.contains("refused"), "{}", fault.text);
        }
        other => panic!("{other:?}"),
    }
    assert!(running.host.deliveries.drain().is_empty());
}
