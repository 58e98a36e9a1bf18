//! What no good peer sends: the program answers clearly, stays small, and serves the others.

use std::time::Duration;

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Isthmus, Stanza};

use crate::double::Double;
use crate::world::{LOOP, LOOP_GATEWAY, PING, World, config_at, isthmus};

/// What the program may hold in memory whatever a peer does, in bytes, above what it began with.
const GROWTH: u64 = 64 * 1024 * 1024;

async fn attached() -> (Double, Isthmus) {
    let double = Double::start().await;
    let isthmus = isthmus(&config_at(double.port(), "any", "info", LOOP_GATEWAY));
    double.attached().await;
    answers(&double).await;
    (double, isthmus)
}

/// The gateway answers another user.
async fn answers(double: &Double) {
    double.send(format!(
        "<iq type='get' id='well' from='juliet@localhost/x' to='{LOOP}'>{PING}</iq>"
    ));
    double.expect(&["<iq", "id='well'", "type='result'"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_xml_ends_the_stream_with_its_condition_and_the_next_one_is_well() {
    let (double, isthmus) = attached().await;
    let user = "from='mallory@localhost/x' to='echo%net@loop.localhost'";
    let table = [
        (
            "<!DOCTYPE lolz [<!ENTITY lol 'lol'>]>".to_owned(),
            "restricted-xml",
        ),
        (format!("<message {user}><body>&lol;</body></message>"), ""),
        ("<!-- a comment -->".to_owned(), "restricted-xml"),
        ("<?php echo 1 ?>".to_owned(), "restricted-xml"),
        (format!("<message {user}><body></message></message>"), ""),
        (format!("<message {user}></presence>"), "not-well-formed"),
        ("<<<".to_owned(), "not-well-formed"),
    ];
    for (bytes, condition) in table {
        double.send(bytes.clone());
        if !condition.is_empty() {
            double.expect(&["<stream:error>", condition]).await;
            double.attached().await;
        }
        answers(&double).await;
        assert!(isthmus.is_running(), "{bytes}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_ends_in_the_middle_of_a_stanza_lose_nothing_else() {
    let (double, _isthmus) = attached().await;
    let user = "from='mallory@localhost/x' to='echo%net@loop.localhost'";
    double.send(format!("<message {user}><body>unclosed"));
    double.cut();
    double.attached().await;
    answers(&double).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_sizes_are_refused_to_their_sender_and_the_stream_lives() {
    let (double, isthmus) = attached().await;
    let before = isthmus.rss();
    let body = "x".repeat(300 * 1024);
    for number in 0..100 {
        double.send(format!(
            "<message type='chat' id='big{number}' from='mallory@localhost/x' \
             to='echo%net@loop.localhost'><body>{body}</body></message>"
        ));
    }
    for number in 0..100 {
        let id = format!("id='big{number}'");
        double
            .expect(&["<message", &id, "type='error'", "policy-violation"])
            .await;
    }
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    double.send(format!(
        "<iq type='get' id='deep' from='mallory@localhost/x' to='{LOOP}'>{deep}</iq>"
    ));
    double
        .expect(&["<iq", "id='deep'", "type='error'", "policy-violation"])
        .await;
    answers(&double).await;
    let grown = isthmus.rss().saturating_sub(before);
    assert!(grown < GROWTH, "grew by {grown} bytes");
    let handshakes = double
        .heard
        .log()
        .iter()
        .filter(|s| s.starts_with("<handshake"))
        .count();
    assert_eq!(handshakes, 1, "one stream for all of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_numbers_of_presences_are_answered_and_others_undisturbed() {
    let (double, isthmus) = attached().await;
    let before = isthmus.rss();
    let flood: String = (0..10_000)
        .map(|n| {
            format!(
                "<presence id='f{n}' from='mallory@localhost/x' to='#r{n}%net@{LOOP}/mallory'>\
                 <x xmlns='http://jabber.org/protocol/muc'/></presence>"
            )
        })
        .collect();
    double.send(flood);
    for number in 0..20 {
        double.send(format!(
            "<message type='chat' id='j{number}' from='juliet@localhost/x' \
             to='echo%net@{LOOP}'><body>juliet speaks {number}</body></message>"
        ));
        let words = format!("<body>juliet speaks {number}</body>");
        double.expect(&["to='juliet@localhost", &words]).await;
    }
    // Each is let in or refused, and a refusal is the very presence's.
    let answered = |n: usize| {
        let (id, from) = (
            format!("id='f{n}'"),
            format!("from='#r{n}%net@{LOOP}/mallory'"),
        );
        move |s: &String| {
            let refused = s.contains(&id) && s.contains("resource-constraint");
            s.starts_with("<presence") && (refused || (s.contains(&from) && s.contains("'110'")))
        }
    };
    for n in 0..10_000 {
        let found = double
            .heard
            .take(Duration::from_secs(60), answered(n))
            .await;
        assert!(found.is_ok(), "presence {n} was never answered");
    }
    answers(&double).await;
    let grown = isthmus.rss().saturating_sub(before);
    println!("10,000 presences: grew by {grown} bytes");
    assert!(grown < GROWTH, "grew by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_presences_through_prosody_leave_another_conversation_alone() {
    let world = World::start(Kind::Prosody, LOOP_GATEWAY);
    let (mallory, juliet) = (world.user("mallory").await, world.user("juliet").await);
    let romeo = world.user("romeo").await;
    world.attached(&juliet, LOOP).await;
    let room = "#garden%net@loop.localhost";
    juliet.join(room, "juliet").await;
    romeo.join(room, "romeo").await;
    let before = world.isthmus.rss();
    for n in 0..10_000 {
        mallory.send_join(&format!("#r{n}%net@{LOOP}"), "mallory", "");
    }
    for number in 0..20 {
        let body = format!("line {number}");
        juliet.groupchat(room, &body);
        romeo
            .expect(|s: &Stanza| s.is_message("groupchat", &body))
            .await;
    }
    // The server delivers in order: behind the answer to this nothing of the flood is left.
    mallory.collect(LOOP).await;
    let grown = world.isthmus.rss().saturating_sub(before);
    println!("10,000 presences through Prosody: grew by {grown} bytes");
    assert!(grown < GROWTH, "grew by {grown} bytes");
}
