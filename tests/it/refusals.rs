//! Every error an IRC server can answer (400 to 599, 716, `FAIL` with its codes), to an entrance and
//! to a message: on the whole program each is one stanza error, on the very stanza, with the right
//! condition and the network's words.
//!
//! 465 ends the connection besides, and is played by itself.

use crate::scenario::run_text;

const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
const PHONE: &str = "juliet@example.org/phone";

/// Numbers that one run goes through.
const SOME: usize = 25;
/// Banned from the server: the connection is over.
const BANNED: u16 = 465;
/// Beyond them: who is written to hears only whom he has let in.
const NOT_LET_IN: u16 = 716;

/// Codes of standard replies (IRCv3 standard-replies and the specifications that use them), each
/// with the condition and its type.
const CODES: [(&str, &str, &str); 25] = [
    ("ACCOUNT_REQUIRED", "registration-required", "auth"),
    (
        "ACCOUNT_REQUIRED_TO_CONNECT",
        "registration-required",
        "auth",
    ),
    ("NEED_REGISTRATION", "registration-required", "auth"),
    ("INVALID_TARGET", "item-not-found", "cancel"),
    ("UNKNOWN_MSGID", "item-not-found", "cancel"),
    ("REDACT_INVALID_MSGID", "item-not-found", "cancel"),
    ("NO_SUCH_CHANNEL", "item-not-found", "cancel"),
    ("REDACT_FORBIDDEN", "forbidden", "auth"),
    ("CANNOT_SEND", "forbidden", "auth"),
    ("NOT_PRIVILEGED", "forbidden", "auth"),
    ("KEY_NO_PERMISSION", "forbidden", "auth"),
    ("REDACT_WINDOW_EXPIRED", "remote-server-timeout", "wait"),
    ("MULTILINE_MAX_BYTES", "policy-violation", "modify"),
    ("MULTILINE_MAX_LINES", "policy-violation", "modify"),
    ("LIMIT_REACHED", "resource-constraint", "wait"),
    ("MULTILINE_INVALID", "bad-request", "modify"),
    ("MULTILINE_INVALID_TARGET", "bad-request", "modify"),
    ("INVALID_PARAMS", "bad-request", "modify"),
    ("NEED_MORE_PARAMS", "bad-request", "modify"),
    ("RATE_LIMITED", "resource-constraint", "wait"),
    ("TRY_LATER", "resource-constraint", "wait"),
    ("TOO_MANY_REQUESTS", "resource-constraint", "wait"),
    ("UNKNOWN_COMMAND", "feature-not-implemented", "cancel"),
    ("DISABLED", "feature-not-implemented", "cancel"),
    ("NOBODY_KNOWS", "not-allowed", "cancel"),
];

/// The condition and its type: what XEP-0045 §7.2 and RFC 6120 §8.3.3 have a word for, and
/// `not-allowed` for all else.
fn condition(number: u16) -> (&'static str, &'static str) {
    match number {
        401 | 403 | 441 | 476 => ("item-not-found", "cancel"),
        405 | 471 => ("service-unavailable", "wait"),
        407 | 437 | 438 | 478 => ("resource-constraint", "wait"),
        411 | 412 | 461 => ("bad-request", "modify"),
        421 | 472 => ("feature-not-implemented", "cancel"),
        404 | 465 | 474 | 481 | 482 | 484 | 485 | 494 | 531 | NOT_LET_IN => ("forbidden", "auth"),
        431 | 432 | 447 => ("not-acceptable", "modify"),
        433 | 436 => ("conflict", "cancel"),
        442 => ("not-acceptable", "cancel"),
        470 => ("gone", "cancel"),
        473 | 477 | 480 | 486 => ("registration-required", "auth"),
        475 => ("not-authorized", "auth"),
        _ => ("not-allowed", "cancel"),
    }
}

/// What a server says to a line of ours, and what comes of it.
struct Refusal {
    /// For names and ids.
    word: String,
    /// The line behind the server's name, without the words; `{target}` is what it is about.
    line: String,
    words: String,
    error: String,
}

impl Refusal {
    fn numbered(number: u16) -> Self {
        let (name, kind) = condition(number);
        let words = format!("No {number} here");
        let also = if number == 470 { " ##new" } else { "" };
        let error = match number {
            470 => {
                let proper = "##new%net@irc.example.org";
                let uri = format!("xmpp:{proper}");
                error(name, kind, &uri, &format!("the proper address is {proper}"))
            }
            _ => error(name, kind, "", &words),
        };
        Self {
            word: number.to_string(),
            line: format!("{number} juliet {{target}}{also}"),
            words,
            error,
        }
    }

    /// `FAIL` of this command with this code.
    fn coded(command: &str, (code, name, kind): (&str, &str, &str)) -> Self {
        let words = format!("No {code} here");
        Self {
            word: code.to_lowercase(),
            line: format!("FAIL {command} {code} {{target}}"),
            error: error(name, kind, "", &words),
            words,
        }
    }

    /// The server's line.
    fn of(&self, target: &str) -> String {
        let line = self.line.replace("{target}", target);
        format!("irc> :irc.net.example {line} :{}\n", self.words)
    }

    /// Juliet wants to be in a room, and is refused.
    fn entrance(&self) -> String {
        let word = &self.word;
        let room = format!("#r{word}");
        let jid = format!("{room}%net@irc.example.org/juliet");
        let muc = "<x xmlns='http://jabber.org/protocol/muc'/>";
        format!(
            "xmpp> <presence from='{PHONE}' id='e{word}' to='{jid}'>{muc}</presence>\n\
             irc< JOIN {room}\n{}\
             xmpp< <presence from='{jid}' to='{PHONE}' type='error' id='e{word}'>\
             {muc}{}</presence>\n",
            self.of(&room),
            self.error,
        )
    }

    /// Juliet says something, and it is refused.
    fn message(&self, sort: &str, target: &str) -> String {
        let word = &self.word;
        let jid = format!("{target}%net@irc.example.org");
        let body = format!("<body>m{word}</body>");
        format!(
            "xmpp> <message from='{PHONE}' id='e{word}' type='{sort}' to='{jid}'>{body}</message>\n\
             irc< PRIVMSG {target} :m{word}\n{}\
             xmpp< <message from='{jid}' to='{PHONE}' type='error' id='e{word}'>\
             {body}{}</message>\n\
             irc< (proof)\n",
            self.of(target),
            self.error,
        )
    }
}

fn error(name: &str, kind: &str, content: &str, words: &str) -> String {
    format!(
        "<error type='{kind}'><{name} xmlns='{STANZAS}'>{content}</{name}>\
         <text xmlns='{STANZAS}' xml:lang='en'>{words}</text></error>"
    )
}

/// Every number but the one that ends the connection.
fn numbers() -> Vec<Refusal> {
    let numbers = (400..=599).chain([NOT_LET_IN]);
    let numbers = numbers.filter(|it| *it != BANNED);
    numbers.map(Refusal::numbered).collect()
}

/// Every code, as of this command.
fn codes(command: &str) -> Vec<Refusal> {
    let codes = CODES.into_iter();
    codes.map(|code| Refusal::coded(command, code)).collect()
}

/// Plays what `ask` writes for each refusal; nothing else may come.
fn play(name: &str, refusals: &[Refusal], ask: impl Fn(&Refusal) -> String) {
    let mut faults = Vec::new();
    for some in refusals.chunks(SOME) {
        let asked: String = some.iter().map(&ask).collect();
        let text = format!("include joined\n{asked}silence\n");
        if let Err(fault) = run_text(name, &text) {
            let (first, last) = (&some[0].word, &some[some.len() - 1].word);
            faults.push(format!("{first} to {last}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_number_ends_an_entrance_in_one_presence_error() {
    play("entrance", &numbers(), Refusal::entrance);
}

#[test]
fn every_number_ends_a_message_to_a_room_in_one_message_error() {
    play("groupchat", &numbers(), |it| {
        it.message("groupchat", "#garden")
    });
}

#[test]
fn every_number_ends_a_private_message_in_one_message_error() {
    play("chat", &numbers(), |it| it.message("chat", "alice"));
}

#[test]
fn every_code_of_a_standard_reply_ends_an_entrance_in_one_presence_error() {
    play("entrance", &codes("JOIN"), Refusal::entrance);
}

#[test]
fn every_code_of_a_standard_reply_ends_a_message_in_one_message_error() {
    play("groupchat", &codes("PRIVMSG"), |it| {
        it.message("groupchat", "#garden")
    });
    play("chat", &codes("PRIVMSG"), |it| it.message("chat", "alice"));
}

#[test]
fn a_ban_from_the_server_ends_what_is_open_once_and_all_rooms() {
    let gone = format!(
        "irc< (close)\n\
         xmpp< <presence from='#garden%net@irc.example.org/juliet' to='{PHONE}' \
         type='unavailable'>{{...}}</presence>\n"
    );
    let banned = Refusal::numbered(BANNED);
    for (name, asked) in [
        ("entrance", banned.entrance()),
        ("groupchat", banned.message("groupchat", "#garden")),
    ] {
        let text = format!("include joined\n{asked}{gone}silence\n");
        run_text(name, &text).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
