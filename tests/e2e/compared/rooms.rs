//! Probes of rooms.

use std::time::Duration;

use isthmus_test_support::Stanza;

use super::Seen;
use super::bench::{Bench, NETWORK, configure};
use crate::world::{admin, standing};

/// How long an answer may take.
const SOON: Duration = Duration::from_secs(5);

pub(super) async fn case_mapping(bench: &Bench) -> Seen {
    bench.enter("#case").await;
    bench.juliet.collect(crate::world::IRC).await;
    bench.ircd.say(&format!(":n[ck!x@{NETWORK} PART #case"));
    let told = bench.told().await;
    let room = bench.room("#case");
    let left = told.iter().any(|s| {
        s.kind() == "presence"
            && s.type_() == "unavailable"
            && s.from().starts_with(&room)
            && s.from().to_lowercase().ends_with("ck")
    });
    let words = if left {
        "N{ck leaves as n[ck"
    } else {
        "N{ck stays for ever"
    };
    Seen::new(left, words)
}

pub(super) async fn refused_joins(bench: &Bench) -> Seen {
    let mut found = Vec::new();
    let mut mute = 0;
    for number in ["403", "405", "471", "473", "474", "477"] {
        let room = bench.room(&format!("#e{number}"));
        bench.juliet.send_join(&room, "juliet", "");
        let joined = bench
            .ircd
            .hears(&format!("JOIN #e{number}"), SOON * 2)
            .await;
        assert!(joined.is_some(), "no JOIN for {number}");
        let told = bench.told().await;
        let error = told.iter().find(|s| {
            s.kind() == "presence" && s.type_() == "error" && s.from().starts_with(&room)
        });
        match error {
            Some(error) => found.push(format!("{number} {}", error.error_condition())),
            None => mute += 1,
        }
    }
    let words = match mute {
        0 => found.join(", "),
        mute => format!("no presence error for {mute} of 6"),
    };
    Seen::new(mute == 0, words)
}

pub(super) async fn ban(bench: &Bench) -> Seen {
    bench.enter("#bans").await;
    bench.sent().await;
    let (id, room) = (bench.juliet.fresh_id(), bench.room("#bans"));
    let query = admin("Alice", "affiliation='outcast'", "noise");
    bench.juliet.send(&format!(
        "<iq type='set' id='{id}' to='{room}'>{query}</iq>"
    ));
    let answer = bench
        .juliet
        .try_expect(SOON, |s| s.kind() == "iq" && s.id() == id)
        .await;
    let lines = bench.sent().await;
    let banned = lines.iter().any(|line| line.starts_with(b"MODE #bans +b"));
    let words = match &answer {
        Ok(answer) => answer.type_().to_owned(),
        Err(_) => "never answered".to_owned(),
    };
    let word = if banned { "MODE +b" } else { "no MODE" };
    Seen::new(banned && answer.is_ok(), format!("{word}; {words}"))
}

pub(super) async fn bans(bench: &Bench) -> Seen {
    let query = "<query xmlns='http://jabber.org/protocol/muc#admin'>\
                 <item affiliation='outcast'/></query>";
    let answer = bench.juliet.iq("get", &bench.room("#bans"), query).await;
    match answer.type_() {
        "result" => Seen::new(answer.xml.contains("bad.example"), "the list"),
        _ => Seen::new(false, format!("error {}", answer.error_condition())),
    }
}

pub(super) async fn rank_beside_ban(bench: &Bench) -> Seen {
    bench.enter("#modes").await;
    bench.juliet.collect(crate::world::IRC).await;
    bench.ircd.say(&format!(
        ":op!o@{NETWORK} MODE #modes +bo *!*@bad.example Alice"
    ));
    let told = bench.told().await;
    let alice = format!("{}/alice", bench.room("#modes"));
    let presence = told.iter().rev().find(|s| {
        s.kind() == "presence" && s.from().to_lowercase() == alice && s.type_().is_empty()
    });
    match presence.map(standing) {
        Some((_, role)) if role == "moderator" => Seen::new(true, "Alice is moderator"),
        Some((_, role)) => Seen::new(false, format!("Alice is {role}")),
        None => Seen::new(false, "nothing is shown"),
    }
}

pub(super) async fn recording(bench: &Bench) -> Seen {
    let (off, other) = ("#rec-off", "#rec-other");
    let set = [("record_history", "false")];
    let settable = configure(&bench.juliet, &bench.room(off), &set).await;
    for channel in [off, other] {
        bench.enter(channel).await;
        let words = format!("said in {channel}");
        bench
            .ircd
            .say(&format!(":op!o@{NETWORK} PRIVMSG {channel} :{words}"));
    }
    bench.told().await;
    let mut kept = Vec::new();
    for channel in [off, other] {
        let room = bench.room(channel);
        bench.juliet.leave(&room, "juliet");
        bench.told().await;
        bench.juliet.send_join(&room, "juliet", "");
        let entered = bench.juliet.try_entered(&room, SOON * 2).await;
        assert!(entered.is_ok(), "{channel} is not entered again");
        let words = format!("said in {channel}");
        let log = bench.juliet.log();
        let delayed = |s: &Stanza| s.body() == words && s.find("delay", "urn:xmpp:delay").is_some();
        if log.iter().any(delayed) {
            kept.push(channel);
        }
    }
    let words = match settable {
        true => format!("kept of {kept:?}"),
        false => "there is no such setting".to_owned(),
    };
    Seen::new(settable && kept == [other], words)
}

pub(super) async fn chat_to_a_channel(bench: &Bench) -> Seen {
    let room = bench.room("#never-joined");
    let id = bench.juliet.chat(&room, "can you hear me?");
    let told = bench.told().await;
    let answer = told.iter().find(|s| {
        s.kind() == "message"
            && s.from().starts_with(&room)
            && (s.id() == id || !s.body().is_empty())
    });
    match answer {
        Some(answer) if answer.type_() == "error" => {
            Seen::new(true, format!("error {}", answer.error_condition()))
        }
        Some(_) => Seen::new(true, "answered"),
        None => Seen::new(false, "silence"),
    }
}
