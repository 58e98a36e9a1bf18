//! Probes of connections, settings and what is asked of addresses.

use std::time::Duration;

use isthmus_test_support::XmppClient;
use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;

use super::Seen;
use super::bench::{Bench, Gate, NETWORK, SERVER_PASSWORD, Which, configure, form};
use crate::world::{IRC, PATIENCE, error_text};

/// How long an answer may take.
const SOON: Duration = Duration::from_secs(5);
/// What is said of what cannot be set.
const NO_SETTING: &str = "there is no such setting";
/// Longer than any back-off after the first failures.
const LONG: Duration = Duration::from_secs(25);

pub(super) async fn away(bench: &Bench) -> Seen {
    bench.sent().await;
    for (show, to) in [("<show>away</show>", "#marks"), ("", "#marks")] {
        let room = bench.room(to);
        let presence = format!("<presence to='{room}/juliet'>{show}</presence>");
        bench.juliet.send(&presence);
        bench.juliet.send(&format!("<presence>{show}</presence>"));
    }
    let lines = bench.sent().await;
    let begin = |word: &str| {
        lines
            .iter()
            .filter(|line| line.starts_with(word.as_bytes()))
            .count()
    };
    let (nick, away) = (begin("NICK"), begin("AWAY"));
    Seen::new(nick == 0, format!("{nick} x NICK, {away} x AWAY"))
}

pub(super) async fn unsubscribed(bench: &Bench) -> Seen {
    let rosaline = bench.user("rosaline").await;
    let say = async |kind: &str| {
        rosaline.send(&format!("<presence type='{kind}' to='{IRC}'/>"));
        rosaline.collect(IRC).await;
    };
    say("subscribe").await;
    let before = rows_when(bench, 1).await;
    say("unsubscribe").await;
    say("unsubscribed").await;
    let after = rows_when(bench, 0).await;
    // What was never kept leaves nothing behind, which shows nothing.
    let words = match before {
        1 => format!("{after} rows stay"),
        _ => format!("{before} rows of a subscription, then {after}"),
    };
    Seen::new((before, after) == (1, 0), words)
}

/// How many rows there are of rosaline's subscriptions, as soon as they are so many, or after a
/// while.
async fn rows_when(bench: &Bench, wanted: i64) -> i64 {
    let end = Instant::now() + SOON;
    loop {
        let rows = rows_of(&bench.gate, "rosaline@localhost");
        if rows == wanted || Instant::now() > end {
            return rows;
        }
        // Rows are written behind the answer.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn rows_of(gate: &Gate, user: &str) -> i64 {
    let (path, sql) = match gate {
        Gate::Biboumi(it) => (
            it.database(),
            "SELECT count(*) FROM roster WHERE remote = ?1",
        ),
        Gate::Isthmus(it) => (
            it.dir().join("isthmus.db"),
            "SELECT count(*) FROM contact c JOIN user u ON u.id = c.user WHERE u.jid = ?1",
        ),
    };
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opened");
    db.query_row(sql, [user], |row| row.get(0))
        .expect("counted")
}

pub(super) async fn no_sasl(bench: &Bench) -> Seen {
    let user = bench.user("sasl").await;
    if !bench.set_up(&user, &[("sasl_password", "secret")]).await {
        return Seen::new(false, NO_SETTING);
    }
    user.send_join(&bench.room("#login"), "sasl", "");
    let refused = user
        .try_expect(SOON * 3, |s| s.kind() == "presence" && s.type_() == "error")
        .await;
    let seen = match refused {
        Ok(refused) => {
            let words = format!(
                "error {}: {}",
                refused.error_condition(),
                error_text(&refused)
            );
            Seen::new(true, words)
        }
        Err(_) => Seen::new(false, "no answer in 15 s"),
    };
    user.disconnect().await;
    seen
}

pub(super) async fn form_with_password(bench: &Bench) -> Seen {
    let network = format!("{NETWORK}@{IRC}");
    let set = [("pass", SERVER_PASSWORD)];
    if !bench.set_up(&bench.juliet, &set).await {
        return Seen::new(false, NO_SETTING);
    }
    match form(&bench.juliet, &network).await {
        Some(form) if form.xml.contains(SERVER_PASSWORD) => Seen::new(false, "shown"),
        Some(_) => Seen::new(true, "not shown"),
        None => Seen::new(false, "there is no form"),
    }
}

pub(super) async fn asked(bench: &Bench, address: &str, payload: &str) -> Seen {
    let answer = bench.juliet.iq("get", address, payload).await;
    match answer.type_() {
        "result" => Seen::new(true, "result"),
        _ => {
            let condition = answer.error_condition();
            // That somebody is not there is an answer; that nobody understands is none.
            let known = condition == "item-not-found";
            Seen::new(known, format!("error {condition}"))
        }
    }
}

pub(super) async fn registration(bench: &Bench) -> Seen {
    let answer = bench
        .juliet
        .iq("get", IRC, "<query xmlns='jabber:iq:register'/>")
        .await;
    match answer.type_() {
        "result" => Seen::new(true, "result"),
        _ => {
            let (condition, text) = (answer.error_condition(), error_text(&answer));
            let words = if text.is_empty() {
                "no words"
            } else {
                text.as_str()
            };
            Seen::new(!text.is_empty(), format!("error {condition}: {words}"))
        }
    }
}

pub(super) async fn reconnect(bench: &Bench) -> Seen {
    bench.sent().await;
    let before = bench.ircd.accepted();
    bench.ircd.hang_up();
    let joined = bench.ircd.hears("JOIN #marks", LONG).await;
    let again = bench.ircd.accepted() > before;
    let seen = match (again, joined) {
        (true, Some(_)) => Seen::new(true, "connected and joined again"),
        (true, None) => Seen::new(false, "connected, not joined"),
        (false, _) => Seen::new(false, "no new connection in 25 s"),
    };
    if !seen.right {
        bench.enter("#marks").await;
    }
    seen
}

pub(super) async fn persistent(bench: &Bench) -> Seen {
    let room = bench.room("#persist");
    if !configure(&bench.juliet, &room, &[("persistent", "true")]).await {
        return Seen::new(false, NO_SETTING);
    }
    bench.enter("#persist").await;
    bench.juliet.leave(&room, "juliet");
    bench.sent().await;
    bench.gate.restart();
    bench.attached().await;
    let joined = bench.ircd.hears("JOIN #persist", LONG).await;
    bench.enter("#marks").await;
    match joined {
        Some(_) => Seen::new(true, "joined again"),
        None => Seen::new(false, "not joined in 25 s"),
    }
}

pub(super) async fn numeric_443(bench: &Bench) -> Seen {
    // What stands behind the last one in memory is chance: more than once, then.
    for _ in 0..30 {
        bench
            .ircd
            .say(":irc.probe 443 juliet bob :is already on channel");
        bench.ircd.say(":irc.probe 443 juliet bob #marks");
    }
    survives(bench).await
}

pub(super) async fn mode_without_modes(bench: &Bench) -> Seen {
    bench.ircd.say(":irc.probe MODE #marks");
    survives(bench).await
}

/// Whether the gateway lives after what the IRC server has said.
async fn survives(bench: &Bench) -> Seen {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if let Some(how) = bench.gate.ended() {
            return Seen::new(false, format!("the whole gateway ends: {how}"));
        }
        if lives(&bench.juliet, bench).await {
            return Seen::new(true, "goes on");
        }
    }
    Seen::new(false, "no sign of life")
}

pub(super) async fn ends_in_time(bench: &Bench) -> Seen {
    let began = Instant::now();
    let ended = tokio::task::block_in_place(|| bench.gate.terminate(Duration::from_secs(8)));
    match ended {
        Some(how) => Seen::new(
            how.success(),
            format!("{how} after {} s", began.elapsed().as_secs()),
        ),
        None => Seen::new(false, "runs on after 8 s"),
    }
}

/// The gateway has read what the IRC server said and is still there.
async fn lives(juliet: &XmppClient, bench: &Bench) -> bool {
    bench.ircd.say(":irc.probe NOTICE juliet :still there");
    bench.ircd.say("PING :are you there");
    if bench.ircd.hears("PONG", PATIENCE / 30).await.is_none() {
        return false;
    }
    bench.which == Which::Biboumi || crate::world::answers(juliet, IRC).await
}
