//! One user asks faster than he can be answered: each request has its answer, exactly one, and
//! nobody else waits for him or is refused.
//!
//! The usual run asks 20,000 times, `ISTHMUS_ENDURE=1` 100,000 times.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::dice::endures;
use crate::scenario::hear_many;

/// How often another asks in the meantime: no more than one user may at once.
const OTHERS: usize = 16;

#[test]
fn a_flood_of_one_users_requests_is_answered_once_each_and_hinders_nobody() {
    let flood = if endures() { 100_000 } else { 20_000 };
    let every = flood / OTHERS;
    let mut text = "gateway loopback {\"register\": true, \"echo\": false}\n".to_owned();
    let mut ask = |user: &str, n: usize| {
        let _ = writeln!(
            text,
            "xmpp> <iq from='{user}@example.org/x' to='loopback.example.org' type='get' \
             id='{user}{n}'><query xmlns='jabber:iq:register'/></iq>"
        );
    };
    for n in 0..flood {
        ask("juliet", n);
        if n % every == every / 2 {
            ask("romeo", n);
        }
    }
    let heard = hear_many("flood", &text, flood + OTHERS).expect("it plays");
    let mut answers: HashMap<&str, usize> = HashMap::new();
    let (mut refused, mut last_of_flood, mut others) = (0, 0, Vec::new());
    for (at, answer) in heard.iter().enumerate() {
        let id = answer.attr("id").expect("an id");
        *answers.entry(id).or_default() += 1;
        let served = answer.attr("type") == Some("result");
        if id.starts_with("romeo") {
            assert!(served, "{id} was refused for what another does");
            others.push(at);
            continue;
        }
        last_of_flood = at;
        if !served {
            let error = answer.children().find(|it| it.name() == "error");
            let error = error.expect("an error");
            let condition = error.children().next().map(|it| it.name());
            assert_eq!(condition, Some("resource-constraint"), "{id}");
            refused += 1;
        }
    }
    assert_eq!(answers.len(), flood + OTHERS, "some were not answered");
    assert!(answers.values().all(|&times| times == 1), "answered twice");
    assert!(refused > 0, "nobody was asked too much");
    let early = others.iter().any(|&at| at < last_of_flood);
    assert!(early, "nobody was answered before the flood was over");
}
