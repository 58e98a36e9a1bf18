//! Probes of what is said.

use std::time::Duration;

use super::Seen;
use super::bench::{Bench, NETWORK};

/// How long an answer may take that has nothing to wait for.
const SOON: Duration = Duration::from_secs(3);

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// What went out to a target, without the command.
async fn said_to(bench: &Bench, target: &str) -> Vec<Vec<u8>> {
    let begin = format!("PRIVMSG {target} ");
    let lines = bench.sent().await.into_iter();
    let said = lines.filter_map(|line| Some(line.strip_prefix(begin.as_bytes())?.to_vec()));
    // One word needs no colon.
    said.map(|said| said.strip_prefix(b":").unwrap_or(&said).to_vec())
        .collect()
}

fn list(lines: &[Vec<u8>]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| text(line)).collect();
    format!("sends {lines:?}")
}

pub(super) async fn without_a_channel(bench: &Bench) -> Seen {
    let romeo = bench.user("romeo").await;
    let id = romeo.chat(&bench.person("bob"), "are you there?");
    let refused = romeo.try_expect(SOON, |s| s.id() == id && s.type_() == "error");
    if let Ok(refused) = refused.await {
        return Seen::new(false, format!("error {}", refused.error_condition()));
    }
    let arrived = bench.ircd.hears("PRIVMSG bob ", SOON * 4).await;
    romeo.disconnect().await;
    match arrived {
        Some(_) => Seen::new(true, "arrives"),
        None => Seen::new(false, "nothing arrives"),
    }
}

pub(super) async fn refused(bench: &Bench) -> Seen {
    bench.enter("#quiet").await;
    let room = bench.room("#quiet");
    let id = bench.juliet.groupchat(&room, "hush");
    let told = bench.told().await;
    let shown = told.iter().any(|s| s.is_message("groupchat", "hush"));
    let error = told.iter().find(|s| s.id() == id && s.type_() == "error");
    let words = match (shown, error) {
        (true, _) => "shown as said".to_owned(),
        (false, Some(error)) => format!("error {}", error.error_condition()),
        (false, None) => "nothing".to_owned(),
    };
    Seen::new(!shown && error.is_some(), words)
}

pub(super) async fn long(bench: &Bench) -> Seen {
    bench.enter("#long").await;
    let body = "words ".repeat(250).trim_end().to_owned();
    let id = bench.juliet.groupchat(&bench.room("#long"), &body);
    let told = bench.told().await;
    let own: Vec<_> = told
        .iter()
        .filter(|s| s.type_() == "groupchat" && s.id() == id)
        .collect();
    let whole = own.iter().filter(|s| s.body() == body).count();
    let words = match (own.len(), whole) {
        (1, 1) => "once, whole".to_owned(),
        (pieces, _) => format!("{pieces} pieces with one id"),
    };
    Seen::new(own.len() == 1 && whole == 1, words)
}

pub(super) async fn cut(bench: &Bench) -> Seen {
    let body = format!("a{}", "\u{1f980}".repeat(300));
    bench.juliet.chat(&bench.person("carol"), &body);
    let lines = said_to(bench, "carol").await;
    let bad = lines
        .iter()
        .filter(|line| std::str::from_utf8(line).is_err());
    let (bad, all) = (bad.count(), lines.len());
    Seen::new(
        bad == 0 && all > 0,
        format!("{bad} of {all} lines are no UTF-8"),
    )
}

pub(super) async fn to_nobody(bench: &Bench) -> Seen {
    let id = bench.juliet.chat(&bench.person("nobody"), "hello?");
    let told = bench.told().await;
    let error = told.iter().find(|s| s.id() == id && s.type_() == "error");
    match error {
        Some(error) => Seen::new(true, format!("error {}", error.error_condition())),
        None => Seen::new(false, "no error for the message"),
    }
}

pub(super) async fn colours(bench: &Bench) -> Seen {
    let line = "PRIVMSG #marks :\u{4}ff0000red\u{4} \u{3}52deep\u{3} end";
    bench.ircd.say(&format!(":op!o@{NETWORK} {line}"));
    let told = bench.told().await;
    let body = told.iter().find(|s| s.body().ends_with(" end"));
    let body = body.map(|s| s.body().to_owned()).unwrap_or_default();
    let digits = body.chars().any(|c| c.is_ascii_digit());
    Seen::new(!body.is_empty() && !digits, format!("shows {body:?}"))
}

pub(super) async fn shared_file(bench: &Bench) -> Seen {
    let oob = "<x xmlns='jabber:x:oob'><url>https://files.example/a.png</url></x>";
    let room = bench.room("#marks");
    bench
        .juliet
        .message_with("groupchat", &room, "look at this", oob);
    let lines = said_to(bench, "#marks").await;
    let sent = lines
        .iter()
        .any(|line| text(line).contains("https://files.example/a.png"));
    Seen::new(sent, list(&lines))
}

pub(super) async fn correction(bench: &Bench) -> Seen {
    let room = bench.room("#marks");
    let id = bench.juliet.groupchat(&room, "see you at seven");
    said_to(bench, "#marks").await;
    let replace = format!("<replace xmlns='urn:xmpp:message-correct:0' id='{id}'/>");
    bench
        .juliet
        .message_with("groupchat", &room, "see you at eight", &replace);
    let lines = said_to(bench, "#marks").await;
    let plain = lines.iter().any(|line| text(line) == "see you at eight");
    Seen::new(!lines.is_empty() && !plain, list(&lines))
}

pub(super) async fn reaction(bench: &Bench) -> Seen {
    bench
        .ircd
        .say(&format!(":op!o@{NETWORK} PRIVMSG #marks :react to me"));
    let told = bench.told().await;
    let said = told.iter().find(|s| s.body() == "react to me");
    let id = said.and_then(|said| said.find("stanza-id", "urn:xmpp:sid:0"));
    let id = id.map(|id| id.attr("id").to_owned()).unwrap_or_default();
    let (room, own) = (bench.room("#marks"), bench.juliet.fresh_id());
    bench.juliet.send(&format!(
        "<message type='groupchat' to='{room}' id='{own}'>\
         <reactions xmlns='urn:xmpp:reactions:0' id='{id}'><reaction>\u{1f980}</reaction></reactions>\
         <store xmlns='urn:xmpp:hints'/></message>"
    ));
    let told = bench.told().await;
    match told.iter().find(|s| s.id() == own && s.type_() == "error") {
        Some(error) => Seen::new(true, format!("error {}", error.error_condition())),
        None => Seen::new(false, "swallowed"),
    }
}

pub(super) async fn quotation(bench: &Bench) -> Seen {
    let reply = "<reply xmlns='urn:xmpp:reply:0' id='x'/>\
                 <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>\
                 <body start='0' end='14'/></fallback>";
    let room = bench.room("#marks");
    let body = "> what is it?\nan answer";
    bench.juliet.message_with("groupchat", &room, body, reply);
    let lines = said_to(bench, "#marks").await;
    let quoted = lines.iter().any(|line| text(line).contains("what is it"));
    Seen::new(lines.len() == 1 && !quoted, list(&lines))
}

pub(super) async fn time(bench: &Bench) -> Seen {
    bench
        .ircd
        .say(&format!(":op!o@{NETWORK} PRIVMSG juliet :\u{1}TIME\u{1}"));
    match bench.ircd.hears("NOTICE op :\u{1}TIME", SOON).await {
        Some(_) => Seen::new(true, "answered"),
        None => Seen::new(false, "no answer"),
    }
}
