//! Requests without a pause: each is answered exactly once, with a result or with the word that
//! there are too many. The long form is `ISTHMUS_ENDURE=1`.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_test_support::Stanza;

use super::{Cast, FACE};
use crate::double::Double;
use crate::world::{DISCO_INFO, LOOP, config_at, isthmus};

/// Requests that one client sends by its server.
const FEW: usize = 300;
/// Requests at the component's own stream; the second in the long form.
const MANY: [usize; 2] = [20_000, 100_000];
/// What the program may hold in memory above what it began with, in bytes.
const GROWTH: u64 = 64 * 1024 * 1024;

/// Whom the flood is for: the gateway, a network, rooms, a contact.
fn target(n: usize) -> String {
    match n % 4 {
        0 => LOOP.to_owned(),
        1 => format!("%net@{LOOP}"),
        2 => format!("#r{}%net@{LOOP}", n % 100),
        _ => format!("echo%net@{LOOP}"),
    }
}

/// By the server: the answers come to the client, one an iq, and none twice.
pub(super) async fn pipelined(cast: &Cast) {
    let tybalt = &cast.tybalt;
    tybalt.collect(LOOP).await;
    for n in 0..FEW {
        let to = target(n);
        tybalt.send(&format!(
            "<iq type='get' id='flood{n}' to='{to}'>{DISCO_INFO}</iq>"
        ));
    }
    let mut answers = BTreeMap::new();
    for _ in 0..FEW {
        let fits = |s: &Stanza| s.kind() == "iq" && s.id().starts_with("flood");
        let answer = tybalt.expect(fits).await;
        judge(&answer.xml, answer.type_() == "result");
        *answers.entry(answer.id().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(answers.len(), FEW, "each of them");
    let late = tybalt.collect(LOOP).await;
    let twice = late.iter().any(|s| s.id().starts_with("flood"));
    assert!(!twice, "{late:?}");
}

/// An answer is a result, or says that there are too many.
fn judge(xml: &str, result: bool) {
    assert!(result || xml.contains("resource-constraint"), "{xml}");
}

/// The id of an answer to the flood.
fn number(xml: &str) -> Option<usize> {
    let rest = &xml[xml.find("id='f")? + 5..];
    rest[..rest.find('\'')?].parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_requests_is_answered_one_by_one_and_held_in_little_memory() {
    let double = Double::start().await;
    let isthmus = isthmus(&config_at(double.port(), "any", "info", FACE));
    double.attached().await;
    let ping = |id: &str| {
        double.send(format!(
            "<iq type='get' id='{id}' from='juliet@localhost/x' to='{LOOP}'>\
             <ping xmlns='urn:xmpp:ping'/></iq>"
        ));
    };
    ping("before");
    double.expect(&["id='before'", "type='result'"]).await;
    // With a session of his own: what is asked of it waits in its queue, and there it can be full.
    double.send(format!(
        "<presence from='mallory@localhost/x' to='#r0%net@{LOOP}/mallory'>\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    double.expect(&["<presence", "'110'"]).await;
    let before = isthmus.rss();
    let endure = std::env::var("ISTHMUS_ENDURE").is_ok_and(|value| value == "1");
    let many = MANY[usize::from(endure)];
    let flood: String = (0..many)
        .map(|n| {
            let to = target(n);
            format!(
                "<iq type='get' id='f{n}' from='mallory@localhost/x' to='{to}'>{DISCO_INFO}</iq>"
            )
        })
        .collect();
    double.send(flood);
    let (mut answered, mut refused) = (vec![false; many], 0);
    for _ in 0..many {
        let fits = |s: &String| s.starts_with("<iq") && number(s).is_some();
        let answer = double.heard.take(Duration::from_secs(60), fits).await;
        let answer = answer.expect("every request is answered");
        let result = answer.contains("type='result'");
        judge(&answer, result);
        refused += usize::from(!result);
        let n = number(&answer).expect("it fits");
        assert!(
            !std::mem::replace(&mut answered[n], true),
            "twice: {answer}"
        );
    }
    assert!(answered.iter().all(|it| *it), "each of them");
    let grown = isthmus.rss().saturating_sub(before);
    println!("{many} requests: {refused} too many, grew by {grown} bytes");
    assert!(grown < GROWTH, "grew by {grown} bytes");
    ping("after");
    double.expect(&["id='after'", "type='result'"]).await;
    let log = double.heard.log();
    let answers = log.iter().filter(|s| number(s).is_some()).count();
    assert_eq!(answers, many, "none twice");
    assert_eq!(isthmus.terminate().code(), Some(0), "{}", isthmus.log());
}
