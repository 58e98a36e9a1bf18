//! IRC: a server in this process, at the other end of a connection in memory. It knows as much of
//! RFC 2812 as one user alone on it can see.

use std::io;
use std::sync::Arc;

use isthmus_gateway::{Address, Command, Gateway, Kind, Outgoing, Place};
use isthmus_irc::Config;
use isthmus_kit::dial::DialFn;
use isthmus_kit::{BoxedStream, Reach};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use crate::conform::bench::{Bench, Live};
use crate::conform::driver::Driver;

/// IRC with networks by name.
pub(in crate::conform) struct Irc(Arc<isthmus_irc::Irc>);

/// IRC with one network.
pub(in crate::conform) struct IrcFixed(Arc<isthmus_irc::Irc>);

fn gateway(more: serde_json::Value) -> Arc<isthmus_irc::Irc> {
    let dial = DialFn(|host: &str, _: u16, _: Reach| -> io::Result<BoxedStream> {
        if host == "down.example" {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        if host == "mute.example" {
            // Held open until the other end goes.
            tokio::spawn(async move {
                let mut lines = BufReader::new(theirs).lines();
                while let Ok(Some(_)) = lines.next_line().await {}
            });
        } else {
            tokio::spawn(serve(theirs));
        }
        Ok(Box::new(ours))
    });
    let mut config = json!({"tls": "off", "throttle_burst": 1000, "throttle_rate": 1000000.0});
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let config = Config::from_value(&config).expect("a good configuration");
    Arc::new(isthmus_irc::Irc::new(config, Arc::new(dial)))
}

impl Bench for Irc {
    const NAME: &'static str = "irc";
    const NETWORK: &'static str = "irc.example";

    async fn start() -> Self {
        Self(gateway(json!({})))
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![
            Address::new(Kind::Gateway, "", ""),
            Address::new(Kind::Network, "", "irc.example"),
            Address::new(Kind::Room, "#garden", "irc.example"),
            Address::new(Kind::Contact, "juliet[1]", "irc.example"),
        ]
    }
}

impl Bench for IrcFixed {
    const NAME: &'static str = "irc";
    const NETWORK: &'static str = "irc.example";

    async fn start() -> Self {
        Self(gateway(json!({"network": "irc.example"})))
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.0.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![
            Address::new(Kind::Gateway, "", ""),
            Address::new(Kind::Room, "#garden", "irc.example"),
            Address::new(Kind::Contact, "juliet", "irc.example"),
        ]
    }
}

impl Live for Irc {
    const DOWN: &'static str = "down.example";
    const MUTE: Option<&'static str> = Some("mute.example");
    const ROOMS: Option<[&'static str; 2]> = Some(["#garden", "#full"]);
    const CONTACT: &'static str = "bob";

    fn flood(&self, driver: &mut Driver, lines: usize, hang_up: bool) {
        let then = if hang_up { "go" } else { "stay" };
        let text = format!("flood {lines} {then}");
        let to = Place::Contact(Self::CONTACT.into());
        driver.command(Command::Send(Outgoing::text(to, text)));
    }
}

/// One connection.
async fn serve(stream: DuplexStream) {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    let mut me = String::from("*");
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(answer) = answer(&line, &mut me) else {
            return;
        };
        let text = answer.replace('\n', "\r\n");
        let said = write.write_all(text.as_bytes()).await;
        if said.is_err() || answer.ends_with("ERROR :bye\n") {
            return;
        }
    }
}

/// What is answered to a line; `None`: the connection ends.
fn answer(line: &str, me: &mut String) -> Option<String> {
    let (head, text) = line.split_once(" :").unwrap_or((line, ""));
    let words: Vec<&str> = head.split(' ').collect();
    let word = |at: usize| words.get(at).copied().unwrap_or(text);
    let (verb, first, second) = (word(0), word(1), word(2));
    let us = format!("{me}!u@h");
    Some(match verb {
        "CAP" if first == "LS" => ":s CAP * LS :\n".to_owned(),
        "CAP" if first == "REQ" => format!(":s CAP * NAK :{text}\n"),
        "NICK" if me == "*" => {
            first.clone_into(me);
            String::new()
        }
        "NICK" => {
            let said = format!(":{us} NICK :{first}\n");
            first.clone_into(me);
            said
        }
        "USER" => format!(
            ":s 001 {me} :Hi\n:s 005 {me} PREFIX=(ov)@+ CHANTYPES=# :are supported\n\
             :s 376 {me} :End\n"
        ),
        "PING" => format!(
            ":s PONG s :{}\n",
            if text.is_empty() { first } else { text }
        ),
        // Said twice, as a server that stutters does: the next room must not pay for it.
        "JOIN" if first == "#full" => format!(":s 471 {me} {first} :Full\n").repeat(2),
        "JOIN" => format!(
            ":{us} JOIN {first}\n:s 353 {me} = {first} :@{me} bob\n:s 366 {me} {first} :End\n"
        ),
        "NAMES" => format!(":s 353 {me} = {first} :@{me} bob\n:s 366 {me} {first} :End\n"),
        "PART" => format!(":{us} PART {first}\n"),
        "TOPIC" => format!(":{us} TOPIC {first} :{text}\n"),
        "MODE" if words.len() > 3 => format!(":{us} MODE {}\n", words[1..].join(" ")),
        "MODE" => format!(":s 324 {me} {first} +nt\n"),
        "KICK" => format!(":{us} KICK {first} {second} :{text}\n"),
        "INVITE" => format!(":s 341 {me} {first} {second}\n"),
        "AWAY" if text.is_empty() => format!(":s 305 {me} :Back\n"),
        "AWAY" => format!(":s 306 {me} :Away\n"),
        "PRIVMSG" if text.starts_with("flood ") => flood(text, me),
        "PRIVMSG" if text.starts_with('\u{1}') => {
            let said = text.trim_matches('\u{1}');
            format!(":{first}!u@h NOTICE {me} :\u{1}{said} 1\u{1}\n")
        }
        "CAP" | "PRIVMSG" | "NOTICE" | "PONG" => String::new(),
        "QUIT" => return None,
        _ => format!(":s 421 {me} {verb} :Unknown command\n"),
    })
}

/// So many lines, and the end behind them where that is asked for.
fn flood(text: &str, me: &str) -> String {
    let mut words = text.split(' ').skip(1);
    let lines: usize = words.next().and_then(|it| it.parse().ok()).unwrap_or(1);
    let mut said = String::new();
    for line in 1..=lines {
        said += &format!(":bob!b@h PRIVMSG {me} :line {line}\n");
    }
    if words.next() == Some("go") {
        said += "ERROR :bye\n";
    }
    said
}
