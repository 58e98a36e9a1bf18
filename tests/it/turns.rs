//! Many rooms and many messages on a network that takes a line every five seconds: each waits for its turn
//! for longer than any deadline, is carried out once, and nobody is told that it failed.

use std::fmt::Write;

use crate::scenario::run_text;

const PHONE: &str = "juliet@example.org/phone";
/// Rooms that are entered, and messages.
const MANY: usize = 20;
/// Lines that go out at once.
const BURST: usize = 2;
/// Messages that one PING proves.
const PROVEN: usize = 5;

fn address(at: usize) -> String {
    format!("#r{at}%net@irc.example.org")
}

fn entrances(text: &mut String) {
    for at in 0..MANY {
        let jid = address(at);
        let muc = "<x xmlns='http://jabber.org/protocol/muc'/>";
        let _ = writeln!(
            text,
            "xmpp> <presence from='{PHONE}' id='e{at}' to='{jid}/juliet'>{muc}</presence>"
        );
    }
    text.push_str(
        "irc< (connect irc.net.example:6667)\nirc> (accept)\nirc< CAP LS 302\nirc< NICK juliet\n\
         irc< USER juliet 0 * :juliet\nirc> :s CAP * LS :\nirc< CAP END\nirc> :s 001 juliet :Hi\n\
         xmpp< <message from='net@irc.example.org' to='juliet@example.org' type='chat'>{...}\
         </message>\nirc> :s 422 juliet\n",
    );
    for at in 0..MANY {
        let jid = address(at);
        if at >= BURST {
            text.push_str("time +5s\n");
        }
        let _ = write!(
            text,
            "irc< JOIN #r{at}\n\
             irc> :juliet!j@host JOIN #r{at}\n\
             irc> :s 353 juliet = #r{at} :juliet\n\
             irc> :s 366 juliet #r{at} :End\n\
             xmpp< <presence from='{jid}/juliet' to='{PHONE}'>{{...}}</presence>\n\
             xmpp< <message from='{jid}' to='{PHONE}' type='groupchat' id='{{*}}'>{{...}}</message>\n"
        );
    }
}

fn messages(text: &mut String) {
    for at in 0..MANY {
        let _ = writeln!(
            text,
            "xmpp> <message from='{PHONE}' id='m{at}' type='groupchat' to='{}'>\
             <body>m{at}</body></message>",
            address(at)
        );
    }
    for first in (0..MANY).step_by(PROVEN) {
        for at in first..first + PROVEN {
            let _ = write!(text, "time +5s\nirc< PRIVMSG #r{at} :m{at}\n");
        }
        if first + PROVEN < MANY {
            text.push_str("time +5s\n");
        }
        text.push_str("irc< (proof)\n");
        for at in first..first + PROVEN {
            let jid = address(at);
            let _ = writeln!(
                text,
                "xmpp< <message from='{jid}/juliet' to='{PHONE}' type='groupchat' id='m{at}'>\
                 {{...}}</message>"
            );
        }
    }
}

#[test]
fn what_waits_for_its_turn_is_neither_given_up_nor_done_twice() {
    let limits = format!("limit rooms_per_user {MANY}\nlimit archive 0\n");
    let throttle = format!("{{\"throttle_burst\": {BURST}, \"throttle_rate\": 0.2}}");
    let mut text = format!("{limits}gateway irc {throttle}\n");
    entrances(&mut text);
    messages(&mut text);
    run_text("turns", &text).unwrap_or_else(|fault| panic!("{fault}"));
}
