//! The archives of a room and of a contact, read by a client library that nobody here wrote.

use isthmus_test_support::xmpp_client::Archived;
use isthmus_test_support::xmpp_server::Kind;

use crate::world::{LOOP, LOOP_GATEWAY, World};

const ROOM: &str = "#garden%net@loop.localhost";
const ECHO: &str = "echo%net@loop.localhost";

fn said(from: &str, body: &str) -> Archived {
    Archived {
        from: from.to_owned(),
        body: body.to_owned(),
    }
}

async fn read(kind: Kind) {
    let world = World::start(kind, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    juliet.join(ROOM, "juliet").await;
    let mut expected = Vec::new();
    for body in ["one", "two <&>", "three"] {
        juliet.groupchat(ROOM, body);
        for nick in ["juliet", "echo"] {
            let from = format!("{ROOM}/{nick}");
            juliet
                .expect(|it| it.from() == from && it.body() == body)
                .await;
            expected.push(said(&from, body));
        }
    }
    assert_eq!(juliet.archive(ROOM, 2).await, expected);
    juliet.available();
    juliet.chat(ECHO, "psst");
    juliet
        .expect(|it| it.from() == ECHO && it.body() == "psst")
        .await;
    let private = juliet.archive(ECHO, 1).await;
    assert_eq!(private, [said(juliet.jid(), "psst"), said(ECHO, "psst")]);
    let romeo = world.user("romeo").await;
    assert_eq!(romeo.archive(ROOM, 10).await, []);
    assert_eq!(world.isthmus.terminate().code(), Some(0));
}

#[tokio::test]
async fn archives_are_read_on_prosody() {
    read(Kind::Prosody).await;
}

#[tokio::test]
async fn archives_are_read_on_ejabberd() {
    read(Kind::Ejabberd).await;
}

#[tokio::test]
async fn archives_are_read_on_jabberd2() {
    read(Kind::Jabberd2).await;
}
