//! What keeps the program from attaching: it says what to change on that server, and attaches by
//! itself once that is done.

use std::time::Duration;

use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Isthmus, XmppClient};

use crate::world::{IRC, LOOP, LOOP_GATEWAY, PATIENCE, PING, World, config, config_at, isthmus};

const ELSE: &str = "elsewhere.localhost";
const WRONG: &str = "not what the server has";

/// Two gateways: one whose secret is wrong, one whose domain the server may not know.
fn gateways() -> String {
    format!(
        "[gateway.wrong]\nkind = \"loopback\"\ndomain = \"{IRC}\"\nsecret = \"{WRONG}\"\n\
         allow = [\"localhost\"]\n\
         [gateway.unknown]\nkind = \"loopback\"\ndomain = \"{ELSE}\"\nallow = [\"localhost\"]\n"
    )
}

fn said(log: &str, parts: &[&str]) -> bool {
    log.lines()
        .any(|line| parts.iter().all(|part| line.contains(part)))
}

/// Waits for a line of the log that has all of this in it.
async fn says(isthmus: &Isthmus, parts: &[&str]) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !said(&isthmus.log(), parts) {
        assert!(
            tokio::time::Instant::now() < end,
            "{parts:?} not in:\n{}",
            isthmus.log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_refused_and_returns(kind: Kind, secret: &[&str], unknown: Option<&[&str]>) {
    let mut world = World::start(kind, LOOP_GATEWAY);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    let port = world.xmpp.component_port();
    let refused = isthmus(&config_at(port, world.xmpp.secret(), "info", &gateways()));
    says(
        &refused,
        &[&[IRC, "no stream to the server"], secret].concat(),
    )
    .await;
    match unknown {
        Some(words) => {
            says(
                &refused,
                &[&[ELSE, "no stream to the server"], words].concat(),
            )
            .await
        }
        None => says(&refused, &["component connected", ELSE]).await,
    }
    second(kind, &world, &juliet).await;

    let usual = world.xmpp.secret().to_owned();
    world
        .xmpp
        .configure(&[(IRC, WRONG), (ELSE, &usual), (LOOP, &usual)]);
    tokio::task::block_in_place(|| world.xmpp.restart());
    let attached = World {
        isthmus: refused,
        xmpp: world.xmpp,
    };
    let mut juliet = juliet;
    juliet.reconnect().await;
    attached.attached(&juliet, IRC).await;
    if unknown.is_some() {
        attached.attached(&juliet, ELSE).await;
    }
}

/// A second process under the name of the first: what is said, and what is well again without it.
async fn second(kind: Kind, world: &World, juliet: &XmppClient) {
    let second = isthmus(&config(&*world.xmpp, LOOP_GATEWAY));
    if kind == Kind::Prosody {
        says(&second, &["conflict", "component_conflict_resolve"]).await;
        tokio::task::block_in_place(|| world.isthmus.terminate());
        says(&second, &["component connected", LOOP]).await;
        return;
    }
    // The others take both: a ping of the one that comes to the other is told. Answers to us make
    // them ping.
    let words = [
        "a ping of another process came to us",
        "one process per loop.localhost",
    ];
    let end = tokio::time::Instant::now() + PATIENCE;
    while !said(&world.isthmus.log(), &words) && !said(&second.log(), &words) {
        assert!(tokio::time::Instant::now() < end, "none of the two tells");
        juliet.iq("get", LOOP, PING).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::task::block_in_place(|| second.terminate());
    for _ in 0..20 {
        world.attached(juliet, LOOP).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attach_to_prosody() {
    let secret = ["not-authorized", "component_secret under Component"];
    let unknown = ["host-unknown", "with component_secret, then reload"];
    is_refused_and_returns(Kind::Prosody, &secret, Some(&unknown)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attach_to_ejabberd() {
    let secret = ["not-authorized", "password under hosts: irc.localhost"];
    let unknown = [
        "not-authorized",
        "where elsewhere.localhost is missing there",
    ];
    is_refused_and_returns(Kind::Ejabberd, &secret, Some(&unknown)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attach_to_jabberd2() {
    let secret = ["not-authorized", "secret under local in router.xml"];
    is_refused_and_returns(Kind::Jabberd2, &secret, None).await;
}
