//! From handshake to drain.

use tokio::time::advance;

use super::*;
use crate::xmpp::Condition;

#[tokio::test(start_paused = true)]
async fn every_spelling_of_the_answer_to_the_handshake_is_understood() {
    for answer in [
        "<handshake/>",
        "<handshake />",
        "<handshake></handshake>",
        "\n <handshake xmlns='jabber:component:accept'></handshake>\n",
        "<handshake xmlns=\"jabber:component:accept\"/>",
    ] {
        let mut rig = Rig::new();
        let mut peer = rig.connection().await;
        peer.open().await;
        peer.send(answer).await;
        assert_eq!(rig.up().await, Mark(0), "{answer}");
        assert!(rig.outbox.is_up());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_tried_again_ever_more_slowly_and_never_given_up() {
    let mut rig = Rig::new();
    *rig.wire.refuse.lock().unwrap() = 40;
    rig.stream().await;
    rig.up().await;
    let dialled = rig.wire.dialled.lock().unwrap().clone();
    let waits: Vec<f64> = dialled
        .windows(2)
        .map(|two| (two[1] - two[0]).as_secs_f64())
        .collect();
    assert_eq!(waits.len(), 40);
    assert!((1.0..=2.01).contains(&waits[0]), "{waits:?}");
    assert!(
        waits.iter().all(|wait| (1.0..=60.01).contains(wait)),
        "{waits:?}"
    );
    assert!(waits[6..].iter().any(|wait| *wait > 20.0), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_tried_again_slowly_until_it_is_put_right() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        let mut peer = rig.connection().await;
        peer.open().await;
        peer.send(
            "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             </stream:error></stream:stream>",
        )
        .await;
        assert_eq!(peer.next().await, Some(Frame::End), "the close is answered");
    }
    rig.stream().await;
    rig.up().await;
    let dialled = rig.wire.dialled.lock().unwrap().clone();
    for two in dialled.windows(2) {
        assert!(two[1] - two[0] >= Duration::from_secs(30));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_left() {
    let mut rig = Rig::new();
    let _mute = rig.connection().await;
    rig.stream().await;
    rig.up().await;
}

#[tokio::test(start_paused = true)]
async fn stanzas_right_behind_the_handshake_arrive() {
    let mut rig = Rig::new();
    let mut peer = rig.connection().await;
    peer.open().await;
    peer.send("<handshake/><message from='a@b' to='c@irc.example.org' id='1'/>")
        .await;
    rig.up().await;
    let Event::Stanza(stanza) = rig.event().await else {
        panic!("no stanza")
    };
    assert_eq!(id(&stanza), "1");
}

#[tokio::test(start_paused = true)]
async fn the_server_s_close_is_answered_and_the_next_stream_follows() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    peer.send("</stream:stream>").await;
    assert!(peer.loop_back().await.is_empty());
    assert!(matches!(rig.event().await, Event::Down));
    rig.stream().await;
    rig.up().await;
}

#[tokio::test(start_paused = true)]
async fn a_doctype_ends_the_stream_with_an_error_and_the_next_follows() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    peer.send("<!DOCTYPE a [<!ENTITY b 'c'>]>").await;
    loop {
        match peer.next().await {
            Some(Frame::StreamError(_)) => break,
            Some(Frame::Stanza(stanza)) if is_ping(&stanza) => {}
            other => panic!("expected a stream error, got {other:?}"),
        }
    }
    assert_eq!(peer.next().await, Some(Frame::End));
    rig.stream().await;
    rig.up().await;
}

#[tokio::test(start_paused = true)]
async fn a_stanza_beyond_the_limit_is_refused_and_the_stream_lives() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    let body = "x".repeat(300_000);
    peer.send(&format!(
        "<message from='a@b' to='c@irc.example.org' id='big'><body>{body}</body></message>\
         <message from='a@b' to='c@irc.example.org' id='next'/>"
    ))
    .await;
    let Event::Refused(refusal) = rig.event().await else {
        panic!("no refusal")
    };
    assert_eq!(refusal.condition, Condition::PolicyViolation);
    assert_eq!(refusal.peek.id.as_deref(), Some("big"));
    let Event::Stanza(stanza) = rig.event().await else {
        panic!("no stanza")
    };
    assert_eq!(id(&stanza), "next");
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_with_its_addresses_unswapped_is_taken_as_returned() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    peer.send(
        "<message type='error' from='c@irc.example.org' to='a@nowhere.example/x' id='bounce'/>",
    )
    .await;
    let Event::Stanza(stanza) = rig.event().await else {
        panic!("no stanza")
    };
    assert_eq!(id(&stanza), "bounce");
    assert_eq!(stanza.to().as_deref(), Some("c@irc.example.org"));
    assert_eq!(stanza.from().as_deref(), Some("a@nowhere.example/x"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_our_domain_is_dropped_unanswered() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    peer.send(
        "<message type='error' from='c@other.example' to='a@nowhere.example' id='bounce'/>\
         <iq type='get' from='c@irc.example.org' to='a@nowhere.example' id='unswapped'/>\
         <message from='a@b' to='C@d@IRC.example.org/x@y' id='ours'/>",
    )
    .await;
    let Event::Stanza(stanza) = rig.event().await else {
        panic!("no stanza")
    };
    assert_eq!(id(&stanza), "ours");
}

#[tokio::test(start_paused = true)]
async fn draining_flushes_waits_for_the_proof_and_closes() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    for n in 0..1000 {
        push(&rig.outbox, Class::Message, &format!("m{n}"));
    }
    rig.stop.send_replace(true);
    let ids = peer.loop_back().await;
    assert_eq!(ids, (0..1000).map(|n| format!("m{n}")).collect::<Vec<_>>());
    peer.send("</stream:stream>").await;
    soon(rig.task).await.unwrap();
    assert_eq!(rig.spool.lane(DOMAIN), []);
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_something_while_we_drain_is_told_to_come_back() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    push(&rig.outbox, Class::Message, "m");
    rig.stop.send_replace(true);
    let ping = peer.ping().await;
    peer.send(
        "<message from='a@b' to='c@irc.example.org' id='q1'><body>hi</body></message>\
         <iq type='get' from='a@b' to='irc.example.org' id='q2'><q xmlns='q'/></iq>\
         <message type='error' from='a@b' to='c@irc.example.org' id='q3'/>",
    )
    .await;
    for expected in ["q1", "q2"] {
        let answer = peer.stanza().await;
        assert_eq!(id(&answer), expected);
        assert_eq!(answer.kind_attr().as_deref(), Some("error"));
        assert!(text(&answer).contains("type='wait'"), "{answer:?}");
    }
    peer.send(&ping).await;
    assert!(peer.loop_back().await.is_empty());
    drop(peer);
    soon(rig.task).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_proven_within_the_grace_is_left_to_the_next_process() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    push(&rig.outbox, Class::Presence, "p");
    push(&rig.outbox, Class::Message, "m1");
    push(&rig.outbox, Class::Message, "m2");
    assert_eq!(id(&peer.stanza().await), "p");
    let stopping = Instant::now();
    rig.stop.send_replace(true);
    soon(rig.task).await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(10));

    let mut next = Rig::with(|_| {}, rig.spool.clone(), 64 * 1024);
    push(&next.outbox, Class::Message, "m3");
    let mut peer = next.stream().await;
    for expected in ["m1", "m2", "m3"] {
        assert_eq!(id(&peer.stanza().await), expected);
    }
    for ping in std::mem::take(&mut peer.pings) {
        peer.send(&ping).await;
    }
    tokio::spawn(async move { peer.loop_back().await });
    soon(next.outbox.until_confirmed(Mark(1))).await;
    assert_eq!(next.spool.lane(DOMAIN), []);
}

#[tokio::test(start_paused = true)]
async fn stopping_without_a_stream_is_prompt_and_keeps_the_messages() {
    let rig = Rig::new();
    *rig.wire.refuse.lock().unwrap() = usize::MAX;
    push(&rig.outbox, Class::Message, "m");
    push(&rig.outbox, Class::IqRequest, "i");
    advance(Duration::from_secs(90)).await;
    rig.stop.send_replace(true);
    soon(rig.task).await.unwrap();
    let blobs = rig.spool.lane(DOMAIN);
    assert_eq!(blobs.len(), 1);
    let blob = String::from_utf8_lossy(&blobs[0].1).into_owned();
    assert!(
        blob.contains("id='m'") && !blob.contains("id='i'"),
        "{blob}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_host_learns_what_was_confirmed_and_may_push_presence_at_once() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    assert_eq!(rig.up().await, Mark(0));
    let seen = push(&rig.outbox, Class::Presence, "p1");
    peer.stanza().await;
    let ping = peer.ping().await;
    peer.send(&ping).await;
    soon(rig.outbox.until_confirmed(seen)).await;
    push(&rig.outbox, Class::Presence, "p2");
    drop(peer);
    assert!(matches!(rig.event().await, Event::Down));
    push(&rig.outbox, Class::Presence, "p3");

    let mut peer = rig.stream().await;
    assert_eq!(rig.up().await, seen);
    push(&rig.outbox, Class::Presence, "p4");
    assert_eq!(
        id(&peer.stanza().await),
        "p4",
        "p2 and p3 are for the host to derive"
    );
}

#[tokio::test]
async fn tcp_connects_and_a_closed_port_is_an_error() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = crate::component::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
    };
    let (dialled, accepted) = tokio::join!(tcp.dial(), listener.accept());
    dialled.unwrap().write_all(b"x").await.unwrap();
    assert_eq!(accepted.unwrap().0.read_u8().await.unwrap(), b'x');
    drop(listener);
    assert_eq!(
        tcp.dial().await.err().map(|e| e.kind()),
        Some(io::ErrorKind::ConnectionRefused)
    );
}
