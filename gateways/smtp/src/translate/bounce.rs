//! Reads what other servers tell of mail that was sent before (RFC 3464 inside RFC 3462).

use isthmus_gateway::{Fault, FaultKind};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

use super::status::{self, Enhanced};
use super::{clip, kept, one_line};

/// Groups of one report that are read: one a recipient.
const MOST_GROUPS: usize = 50;
/// Longest report that is read, in bytes.
const LONGEST: usize = 65_536;
/// Longest words that are passed on, in bytes.
const LONGEST_WORDS: usize = 500;

/// What a report says of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It will not arrive.
    Failed(Fault),
    /// It arrived.
    Delivered,
    /// Neither is known yet.
    Other,
}

/// A report on a mail of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// The reported mail's Message-ID, without brackets; empty if the report does not hold it.
    pub message_id: String,
    /// What became of it: of several recipients the worst.
    pub action: Action,
}

/// What kind of machine wrote a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// None, or a person: not a report.
    None,
    /// A delivery report.
    Delivery(Bounce),
    /// A report about something else, such as that the mail was read.
    Other,
}

/// Reads the report in `message`, if it is one.
pub fn read(message: &Message<'_>) -> Report {
    let parts = message.parts.iter().take(20);
    let is = |part: &mail_parser::MessagePart<'_>, kind: &str, sub: &str| {
        part.content_type().is_some_and(|it| {
            it.ctype().eq_ignore_ascii_case(kind)
                && it.subtype().is_some_and(|it| it.eq_ignore_ascii_case(sub))
        })
    };
    let mut action = None;
    let mut message_id = String::new();
    for part in parts {
        if is(part, "message", "delivery-status") || is(part, "message", "global-delivery-status") {
            let status = String::from_utf8_lossy(part.contents());
            action = Some(worst(clip(&status, LONGEST)));
        } else if let PartType::Message(original) = &part.body {
            message_id = original.message_id().map(kept::tidy_id).unwrap_or_default();
        } else if is(part, "text", "rfc822-headers") {
            let original = MessageParser::default().parse_headers(part.contents());
            let id = original.as_ref().and_then(Message::message_id);
            message_id = id.map(kept::tidy_id).unwrap_or_default();
        }
    }
    match action {
        Some(action) => Report::Delivery(Bounce { message_id, action }),
        None => match message.content_type() {
            Some(it)
                if it
                    .subtype()
                    .is_some_and(|sub| sub.eq_ignore_ascii_case("report")) =>
            {
                Report::Other
            }
            _ => Report::None,
        },
    }
}

/// The worst that a report's groups say.
fn worst(status: &str) -> Action {
    let unix = status.replace("\r\n", "\n");
    let mut worst = Action::Other;
    for group in unix.split("\n\n").take(MOST_GROUPS) {
        match (action(group), &worst) {
            (failed @ Action::Failed(_), _) => return failed,
            (Action::Delivered, Action::Other) => worst = Action::Delivered,
            _ => {}
        }
    }
    worst
}

/// What one group says (RFC 3464 §2.3). The action decides, not the status: a mail that was given
/// up after days of temporary faults is `failed` with a status that begins with 4.
fn action(group: &str) -> Action {
    let field = |name: &str| field(group, name);
    match field("Action").as_deref().map(str::trim) {
        Some(word) if word.eq_ignore_ascii_case("failed") => {}
        Some(word) if word.eq_ignore_ascii_case("delivered") => return Action::Delivered,
        _ => return Action::Other,
    }
    let status = field("Status").unwrap_or_default();
    let diagnostic = field("Diagnostic-Code").unwrap_or_default();
    let words = match diagnostic.split_once(';') {
        Some((_, words)) => words.trim(),
        None => diagnostic.trim(),
    };
    let code = words.get(..3).and_then(|digits| digits.parse::<u16>().ok());
    let enhanced = Enhanced::read(&status);
    let kind = match (enhanced, code) {
        (Some(enhanced), _) if enhanced.class == 4 => FaultKind::Expired,
        (Some(enhanced), code) => status::enhanced_kind(enhanced, code.unwrap_or(550)),
        (None, Some(code)) => {
            status::fault(code, words.get(3..).unwrap_or(""), status::Stage::Recipient).kind
        }
        (None, None) => FaultKind::Other,
    };
    let text = if words.is_empty() {
        status.trim()
    } else {
        words
    };
    Action::Failed(Fault::new(kind, clip(&one_line(text), LONGEST_WORDS)))
}

/// The value of a field, unfolded.
fn field(group: &str, name: &str) -> Option<String> {
    let mut lines = group.lines();
    let first = lines.by_ref().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then_some(value.trim())
    })?;
    let mut value = first.to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(line.trim());
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(status: &str, last: &str) -> String {
        format!(
            "From: MAILER-DAEMON@peer.example\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n\
             --x\r\n\r\nsorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.peer.example\r\n\r\n{status}\r\n{last}--x--\r\n"
        )
    }

    fn bounce(mail: &str) -> Bounce {
        let message = MessageParser::default()
            .parse(mail.as_bytes())
            .expect("a mail");
        match read(&message) {
            Report::Delivery(bounce) => bounce,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_failure_is_told_with_the_servers_words() {
        let status = "Final-Recipient: rfc822; bob@peer.example\r\nAction: failed\r\n\
                      Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such\r\n  user here\r\n";
        let original = "--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <t.0@gw>\r\nSubject: s\r\n\r\n";
        let fault = Fault::new(FaultKind::NoSuchTarget, "550 5.1.1 no such user here");
        let expected = Bounce {
            message_id: "t.0@gw".into(),
            action: Action::Failed(fault),
        };
        assert_eq!(bounce(&mail(status, original)), expected);
        let whole = original.replace("text/rfc822-headers", "message/rfc822");
        assert_eq!(bounce(&mail(status, &whole)), expected);
    }

    #[test]
    fn the_action_decides_and_not_the_status() {
        for (status, action) in [
            (
                "Action: failed\r\nStatus: 4.4.1\r\n",
                Action::Failed(Fault::new(FaultKind::Expired, "4.4.1")),
            ),
            ("Action: delayed\r\nStatus: 4.4.1\r\n", Action::Other),
            ("Action: delivered\r\nStatus: 2.0.0\r\n", Action::Delivered),
            ("Action: relayed\r\nStatus: 2.0.0\r\n", Action::Other),
            (
                "Action: delivered\r\nStatus: 2.0.0\r\n\r\nAction: failed\r\nStatus: 5.2.2\r\n",
                Action::Failed(Fault::new(FaultKind::Full, "5.2.2")),
            ),
            ("Status: 5.1.1\r\n", Action::Other),
        ] {
            assert_eq!(bounce(&mail(status, "")).action, action, "{status}");
        }
    }

    #[test]
    fn other_mail_is_no_delivery_report() {
        let read = |mail: &str| {
            super::read(
                &MessageParser::default()
                    .parse(mail.as_bytes())
                    .expect("a mail"),
            )
        };
        assert_eq!(read("From: a@b\r\n\r\nAction: failed\r\n"), Report::None);
        let mdn = "From: a@b\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=x\r\n\r\n--x\r\n\r\nread\r\n--x--\r\n";
        assert_eq!(read(mdn), Report::Other);
    }
}
