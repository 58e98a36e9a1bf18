//! The whole way of a message through the queue, with the loopback gateway as the network.

use std::sync::Arc;

use isthmus_gateway::{
    Address, Delivery, Fault, FaultKind, Handle, JobId, Key, Kind, Message, Place, Report, State,
    Stored, Uplink, Who,
};
use isthmus_loopback::{Config, Loopback};

use super::CourierHost;
use super::handout::Handout;
use super::uplink::HostUplink;
use crate::component::Tap;
use crate::host::scene::{Scene, limits};
use crate::host::{Access, Shared};
use crate::queue::Courier as _;
use crate::store::archives::Stretch;
use crate::store::jobs::{CopyState, NewJob, OpenJob};
use crate::store::{SqliteStore, Store};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

const REQUEST: &str = "<body>hello</body><request xmlns='urn:xmpp:receipts'/>";

#[tokio::test]
async fn a_delivered_message_ends_in_one_receipt() {
    let mut scene = Scene::open();
    for (name, id) in [("ok", "a"), ("late", "b"), ("twice", "c"), ("retry", "d")] {
        scene.send(&format!("{name}%queue"), id, REQUEST);
        let receipt = scene.expect_receipt(id).await;
        assert_eq!(receipt.attr("to"), Some("juliet@example.org"));
    }
    // A barrier: what was doubled would have come before the answer to a later message.
    scene.send("ok%queue", "last", REQUEST);
    scene.expect_receipt("last").await;
    let doubled = scene
        .seen
        .iter()
        .any(|stanza| stanza.child("received", ns::RECEIPTS).is_some());
    assert!(!doubled, "one receipt each: {:?}", scene.seen);
}

#[tokio::test]
async fn a_failed_message_comes_back_with_the_reason() {
    let mut scene = Scene::open();
    scene.send("fail-no_such_target%queue", "a", REQUEST);
    scene.expect_error("a", "item-not-found").await;
    scene.send("fail-too_large%queue", "b", REQUEST);
    scene.expect_error("b", "policy-violation").await;
    scene.send("lost%queue", "c", REQUEST);
    scene.expect_error("c", "remote-server-timeout").await;
}

#[tokio::test]
async fn what_a_queue_cannot_carry_is_refused_and_not_sent_as_text() {
    let mut scene = Scene::open();
    let reaction = "<body>+</body><reactions xmlns='urn:xmpp:reactions:0' id='a'>\
                    <reaction>+</reaction></reactions>";
    scene.send("echo%queue", "r", reaction);
    scene.expect_error("r", "not-acceptable").await;
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    scene.send("echo%queue", "t", state);
    let reply = "<body>&gt; hi\nand to you</body><reply xmlns='urn:xmpp:reply:0' id='x'/>\
                 <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>\
                 <body start='0' end='5'/></fallback>";
    scene.send("echo%queue", "a", reply);
    let answer = scene
        .expect("answer", |stanza| {
            stanza.child("body", ns::COMPONENT).is_some() && stanza.attr("type") != Some("error")
        })
        .await;
    let body = answer.child("body", ns::COMPONENT).expect("a body");
    // Nobody there knows what is answered: the quote says it.
    assert_eq!(body.text(), "> hi\nand to you");
}

#[tokio::test]
async fn an_answer_comes_to_the_bare_jid_under_an_id_of_its_own() {
    let mut scene = Scene::open();
    scene.send("echo%queue", "a", "<body>anybody there?</body>");
    let answer = scene
        .expect("answer", |stanza| {
            stanza.child("body", ns::COMPONENT).is_some()
        })
        .await;
    assert_eq!(answer.attr("from"), Some("echo%queue@loop.example.org"));
    assert_eq!(answer.attr("to"), Some("juliet@example.org"));
    assert_eq!(
        answer
            .child("body", ns::COMPONENT)
            .map(|b| b.text().to_string())
            .as_deref(),
        Some("anybody there?")
    );
    assert!(answer.attr("id").is_some_and(|id| id.len() == 32));
}

#[tokio::test]
async fn a_message_that_has_not_begun_can_be_changed_and_taken_back() {
    let mut scene = Scene::open();
    scene.send("hold%queue", "a", REQUEST);
    scene.send(
        "hold%queue",
        "b",
        "<retract xmlns='urn:xmpp:message-retract:1' id='a'/>",
    );
    scene.send(
        "hold%queue",
        "c",
        "<retract xmlns='urn:xmpp:message-retract:1' id='nothing'/>",
    );
    scene.expect_error("c", "item-not-found").await;
    scene.send("ok%queue", "d", REQUEST);
    scene.expect_receipt("d").await;
    let late = "<retract xmlns='urn:xmpp:message-retract:1' id='d'/>";
    scene.send("ok%queue", "e", late);
    scene.expect_error("e", "not-acceptable").await;
}

#[tokio::test]
async fn what_a_gateway_keeps_for_itself_is_its_own_and_outlives_a_restart() {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let open = || -> Arc<dyn Store> {
        let store = SqliteStore::open(&dir.path().join("isthmus.db"));
        Arc::new(store.expect("a store"))
    };
    let uplink = |store: &Arc<dyn Store>, domain: &str| {
        let gateway = Arc::new(Loopback::new(Config::default()));
        let access = Arc::new(Access::new(&[], &[]));
        let (outbox, tap) = Tap::new(domain);
        let shared = Arc::new(Shared::new(Arc::clone(store), limits()));
        let asker = crate::host::asker::Asker::new(outbox.clone());
        let host = CourierHost::start(gateway, shared, access, outbox, asker);
        (HostUplink(host), tap)
    };
    let store = open();
    let (up, _tap) = uplink(&store, "one.example.org");
    let (other, _other_tap) = uplink(&store, "two.example.org");
    let line = super::line_name("+15551230000");
    let (parts, named) = (
        up.keep("parts", Some(vec![1])),
        up.keep(&line, Some(vec![2])),
    );
    assert_eq!((parts.await, named.await), (Ok(()), Ok(())));
    assert_eq!(other.kept("parts").await, Ok(None));
    // The host's own values are elsewhere.
    let hosts = store.kept("", "one.example.org", &line).await;
    assert_eq!(hosts.expect("an answer"), None);

    let (again, _again_tap) = uplink(&open(), "one.example.org");
    assert_eq!(again.kept("parts").await, Ok(Some(vec![1])));
    assert_eq!(again.keep("parts", None).await, Ok(()));
    assert_eq!(up.kept("parts").await, Ok(None));
}

#[tokio::test]
async fn of_several_recipients_only_the_one_that_failed_is_tried_again() {
    let mut scene = Scene::open();
    // The gateway has answered before: its tasks run.
    scene.send("ok%queue", "a", REQUEST);
    scene.expect_receipt("a").await;
    let to = ["ok", "retry", "fail-too_large"].map(|name| {
        let to = Address::new(Kind::Contact, name, "queue");
        serde_json::to_string(&to).expect("JSON")
    });
    let first = scene.store.job(1).await.expect("an answer").expect("a job");
    let job = NewJob {
        user: first.user,
        number: 7,
        gateway: "loop.example.org".to_owned(),
        stanza_id: "b".to_owned(),
        to: to.to_vec(),
        lane: "lane".to_owned(),
        origin: String::from_utf8(first.origin)
            .expect("JSON")
            .replace("\"a\"", "\"b\"")
            .into_bytes(),
        message: first.message,
        now: 0,
        expires: i64::MAX,
    };
    scene.hand_out(job).await;
    scene.expect_error("b", "policy-violation").await;
    let store = Arc::clone(&scene.store);
    let arrived = async {
        let arrived = |job: &OpenJob| {
            let mut copies = job.copies.iter().take(2);
            copies.all(|(_, state)| *state == CopyState::Delivered)
        };
        while !arrived(&store.job(2).await.expect("an answer").expect("a job")) {}
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, arrived)
        .await
        .expect("the others have it");
    // That would say that all have it.
    scene.send("ok%queue", "c", REQUEST);
    scene.expect_receipt("c").await;
    let receipt = |it: &Element| it.child("received", ns::RECEIPTS).is_some();
    assert!(!scene.seen.iter().any(receipt), "{:?}", scene.seen);
    let sent = scene.control.sent();
    let of = |to| sent.iter().filter(|&&sent| sent == (JobId(2), to)).count();
    assert_eq!((of(0), of(1), of(2)), (1, 1, 1), "{sent:?}");
    let job = scene.store.job(2).await.expect("an answer").expect("a job");
    assert_eq!(job.attempt, 3, "the second recipient was tried three times");
}

/// A message to two of the network, of which one is sent and never answered; the other waits.
async fn one_of_two_is_begun(scene: &Scene) -> OpenJob {
    let to = |name| format!("<address type='to' jid='{name}%queue@loop.example.org'/>");
    let (one, other) = (to("silent"), to("hold"));
    scene.give(&format!(
        "<message from='juliet@example.org/balcony' to='loop.example.org' id='a' type='chat'>\
         <addresses xmlns='http://jabber.org/protocol/address'>{one}{other}</addresses>{REQUEST}\
         </message>"
    ));
    the_job(scene, |job| job.copies[0].1 == CopyState::Begun).await
}

/// The first message, as soon as it is what is wanted.
async fn the_job(scene: &Scene, wanted: impl Fn(&OpenJob) -> bool) -> OpenJob {
    let found = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        loop {
            match scene.store.job(1).await.expect("an answer") {
                Some(job) if wanted(&job) => return job,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    found.await.expect("it comes to that")
}

#[tokio::test]
async fn what_one_of_several_waits_for_is_not_handed_out_beside_another_that_is_sent() {
    let scene = Scene::patient();
    let job = one_of_two_is_begun(&scene).await;
    let queue = Handout(scene.courier());
    queue.overdue(job, false).await;
    let job = the_job(&scene, |_| true).await;
    assert_eq!(job.copies[0].1, CopyState::Unknown);
    assert_eq!((job.attempt, job.turn.as_slice()), (1, &[1][..]));
    // Nothing was heard of it for as long again: nobody is at it.
    queue.overdue(job, false).await;
    let job = the_job(&scene, |job| job.attempt == 2).await;
    assert_eq!(
        (job.copies[1].1, job.turn.as_slice()),
        (CopyState::Queued, &[1][..])
    );
}

#[tokio::test]
async fn a_receipt_does_not_wait_for_whom_a_message_was_taken_back_from() {
    let mut scene = Scene::patient();
    one_of_two_is_begun(&scene).await;
    let up = HostUplink(scene.courier());
    let report = async |state| up.report(Report::new(JobId(1), 0, state)).await;
    assert_eq!(report(State::Accepted).await, Ok(()));
    let to = |name| format!("<address type='to' jid='{name}%queue@loop.example.org'/>");
    let (one, other) = (to("hold"), to("silent"));
    scene.give(&format!(
        "<message from='juliet@example.org/balcony' to='loop.example.org' id='b' type='chat'>\
         <addresses xmlns='http://jabber.org/protocol/address'>{one}{other}</addresses>\
         <retract xmlns='urn:xmpp:message-retract:1' id='a'/></message>"
    ));
    scene.expect_error("b", "not-acceptable").await;
    assert_eq!(report(State::Delivered).await, Ok(()));
    scene.expect_receipt("a").await;
}

#[tokio::test]
async fn an_arrival_at_several_is_told_once_whoever_reads_it_first() {
    let mut scene = Scene::patient();
    one_of_two_is_begun(&scene).await;
    let up = HostUplink(scene.courier());
    let moves = [
        (0, State::Delivered),
        (1, State::Delivered),
        (1, State::Read),
        (0, State::Read),
    ];
    for (to, state) in moves {
        let reported = up.report(Report::new(JobId(1), to, state)).await;
        assert_eq!(reported, Ok(()));
    }
    scene.expect_receipt("a").await;
    // A barrier, as above.
    scene.send("ok%queue", "last", REQUEST);
    scene.expect_receipt("last").await;
    assert!(scene.seen.is_empty(), "told once: {:?}", scene.seen);
}

/// What is archived of juliet and that person, as soon as it is what is wanted.
async fn archived(scene: &Scene, peer: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
    let peer = format!("{peer}@loop.example.org");
    let found = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        loop {
            let (store, domain) = (&scene.store, "loop.example.org");
            let kept = store.archives("juliet@example.org", domain, Some(&peer));
            let mut said = Vec::new();
            for kept in kept.await.expect("an answer") {
                let rows = store.stretch(kept.id, Stretch::ALL, false, 100).await;
                let rows = rows.expect("rows").into_iter();
                said.extend(rows.map(|row| String::from_utf8(row.stanza).expect("text")));
            }
            if wanted(&said) {
                return said;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.expect("it is archived")
}

#[tokio::test]
async fn both_sides_are_archived_once() {
    let mut scene = Scene::open();
    scene.send("echo%queue", "a", REQUEST);
    let body = |stanza: &Element| stanza.child("body", ns::COMPONENT).is_some();
    let answer = scene.expect("answer", body).await;
    let said = archived(&scene, "echo%queue", |said| said.len() >= 2).await;
    assert_eq!(said.len(), 2, "{said:?}");
    let own = |said: &&String| said.contains("from='juliet@example.org/balcony'");
    assert_eq!(said.iter().filter(own).count(), 1, "{said:?}");
    let id = format!("id='{}'", answer.attr("id").expect("an id"));
    assert!(said.iter().any(|said| said.contains(&id)), "{said:?}");
}

#[tokio::test]
async fn what_was_taken_back_in_time_is_a_tombstone() {
    let scene = Scene::patient();
    scene.send("hold%queue", "a", "<body>a secret</body>");
    archived(&scene, "hold%queue", |said| said.len() == 1).await;
    let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='a'/><body>gone</body>";
    scene.send("hold%queue", "b", retract);
    let said = archived(&scene, "hold%queue", |said| said.len() == 2).await;
    assert!(said[0].contains("<retracted"), "{said:?}");
    assert!(!said.concat().contains("a secret"), "{said:?}");
    assert!(said[1].contains("<retract "), "{said:?}");
}

/// Something arrives from the network for `nobody`; the stanza's id.
async fn delivered(scene: &mut Scene, key: &str, auto: bool) -> String {
    let up = HostUplink(scene.courier());
    let peer = Address::new(Kind::Contact, "ok", "queue");
    let (local, domain) = ("nobody".to_owned(), "example.org".to_owned());
    let users = up.find(Handle::Jid { local, domain }, &peer).await;
    let mut message = Message::text(Place::Contact("ok".into()), Who::nick("ok"), key.to_owned());
    message.key = Some(Key(key.to_owned().into()));
    message.auto = auto;
    let delivery = Delivery {
        user: users.expect("his domain is admitted")[0],
        dedup: key.to_owned(),
        peer,
        message,
        peer_kept: None,
        returns: None,
    };
    assert_eq!(up.deliver(vec![delivery], true).await, [Ok(Stored::Fresh)]);
    let said = |stanza: &Element| {
        let body = stanza.child("body", ns::COMPONENT);
        body.is_some_and(|body| body.text() == key)
    };
    let stanza = scene.expect("delivery", said).await;
    stanza.attr("id").expect("an id").to_owned()
}

/// A stanza comes back.
fn comes_back(scene: &Scene, from: &str, id: &str, kind: &str, condition: &str) {
    scene.give(&format!(
        "<message from='{from}' to='ok%queue@loop.example.org' id='{id}' type='error'>\
         <error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>\
         </message>"
    ));
}

#[tokio::test]
async fn what_a_users_server_returns_is_told_once_and_of_no_machine() {
    let mut scene = Scene::open();
    let auto = delivered(&mut scene, "auto", true).await;
    let gone = delivered(&mut scene, "gone", false).await;
    let last = delivered(&mut scene, "last", false).await;
    let nobody = "nobody@example.org";
    for (from, id, kind, condition) in [
        (nobody, auto.as_str(), "cancel", "service-unavailable"),
        (nobody, "unknown", "cancel", "service-unavailable"),
        // It may pass.
        (nobody, &gone, "wait", "service-unavailable"),
        (nobody, &gone, "cancel", "remote-server-timeout"),
        // Not the server of the one it was for.
        ("nobody@example.org/phone", &gone, "cancel", "not-allowed"),
        ("tybalt@example.org", &gone, "cancel", "not-allowed"),
        (nobody, &gone, "cancel", "service-unavailable"),
        (nobody, &gone, "cancel", "service-unavailable"),
        (nobody, &last, "cancel", "item-not-found"),
    ] {
        comes_back(&scene, from, id, kind, condition);
    }
    // The store answers in order: what comes before the last has been told before it.
    let all = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        loop {
            let returned = scene.control.returned();
            if returned.iter().any(|(_, key, _)| key == "last") {
                return returned;
            }
            tokio::task::yield_now().await;
        }
    });
    let told =
        |key: &str, kind, text: &str| ("ok".to_owned(), key.to_owned(), Fault::new(kind, text));
    let expected = [
        told("gone", FaultKind::Offline, "service-unavailable"),
        told("last", FaultKind::NoSuchTarget, "item-not-found"),
    ];
    assert_eq!(all.await.expect("it is told"), expected);
}

#[tokio::test]
async fn what_a_user_has_read_is_told_once_for_what_was_delivered() {
    let mut scene = Scene::open();
    let first = delivered(&mut scene, "first", false).await;
    let last = delivered(&mut scene, "last", false).await;
    for id in [first.as_str(), "unknown", &last] {
        scene.give(&format!(
            "<message from='nobody@example.org/phone' to='ok%queue@loop.example.org' type='chat'>\
             <displayed xmlns='urn:xmpp:chat-markers:0' id='{id}'/></message>"
        ));
    }
    let all = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        loop {
            let read = scene.control.read();
            if read.len() >= 2 {
                return read;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut read = all.await.expect("it is told");
    // Each look-up ends by itself.
    read.sort();
    let told = |key: &str| ("ok".to_owned(), key.to_owned());
    assert_eq!(read, [told("first"), told("last")]);
}
