//! What a server's answer means for the sender (RFC 5321 §4.2, RFC 3463) and when to try again.

use std::time::Duration;

use isthmus_gateway::{Fault, FaultKind};

use super::{clip, one_line};

/// Longest words of a server that are passed on, in bytes.
const LONGEST: usize = 500;

/// Which command was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, greeting, encrypting: says nothing about the mail.
    Connect,
    /// AUTH: the same for every mail, until the operator mends it.
    Login,
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA and the content.
    Content,
}

/// An enhanced status code (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced {
    /// 2, 4 or 5.
    pub class: u16,
    /// What it is about.
    pub subject: u16,
    /// More exactly.
    pub detail: u16,
}

impl Enhanced {
    /// Reads one from the beginning of `text`.
    pub fn read(text: &str) -> Option<Self> {
        let word = text.split_whitespace().next()?;
        let mut numbers = word.split('.').map(|part| {
            let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            if digits {
                part.parse::<u16>().ok()
            } else {
                None
            }
        });
        let code = Self {
            class: numbers.next()??,
            subject: numbers.next()??,
            detail: numbers.next()??,
        };
        (matches!(code.class, 2 | 4 | 5) && numbers.next().is_none()).then_some(code)
    }
}

/// The fault in a server's answer: reply code, enhanced code in the text where there is one, and
/// the server's words.
pub fn fault(code: u16, text: &str, stage: Stage) -> Fault {
    let kind = match Enhanced::read(text) {
        Some(enhanced) => enhanced_kind(enhanced, code),
        None => plain_kind(code, stage),
    };
    let words = one_line(text);
    let words = if words.is_empty() {
        code.to_string()
    } else {
        format!("{code} {}", clip(&words, LONGEST))
    };
    Fault::new(kind, words)
}

/// The fault an enhanced code stands for.
pub fn enhanced_kind(enhanced: Enhanced, code: u16) -> FaultKind {
    match (enhanced.subject, enhanced.detail) {
        (1, 1 | 6) => FaultKind::NoSuchTarget,
        (1, 2 | 10) | (4, 4) if enhanced.class == 5 => FaultKind::NoSuchNetwork,
        (1, 3 | 7) | (5, 2) => FaultKind::BadAddress,
        (2, 1) => FaultKind::Offline,
        (2, 2) => FaultKind::Full,
        (2, 3) | (3, 4) => FaultKind::TooLarge,
        (7, 8) => FaultKind::NotAuthorized,
        (7, _) if enhanced.class == 5 => FaultKind::Forbidden,
        (6, _) => FaultKind::NotExpressible,
        (4 | 7, _) => FaultKind::TimedOut,
        _ if code == 552 => FaultKind::TooLarge,
        _ if enhanced.class == 4 => FaultKind::NetworkDown,
        _ => FaultKind::Other,
    }
}

fn plain_kind(code: u16, stage: Stage) -> FaultKind {
    match (code, stage) {
        (400..=499, _) => FaultKind::NetworkDown,
        (552, _) => FaultKind::TooLarge,
        (550 | 551 | 553, Stage::Recipient) => FaultKind::NoSuchTarget,
        // Spoken of the mail, such codes are the server's policy.
        (550 | 551 | 553 | 554, Stage::Content | Stage::Sender) => FaultKind::Forbidden,
        (535, _) | (500..=599, Stage::Login) => FaultKind::NotAuthorized,
        (_, Stage::Connect) => FaultKind::NetworkDown,
        _ => FaultKind::Other,
    }
}

/// How long to wait after the try that followed `attempt` others: 1, 5, 15 and 30 minutes, then an
/// hour. A server that greylists (450 or 451 with 4.7.1) is left alone for five minutes at first.
pub fn retry_after(attempt: u16, code: Option<u16>, text: &str) -> Duration {
    let minutes = match attempt {
        0 => 1,
        1 => 5,
        2 => 15,
        3 => 30,
        _ => 60,
    };
    let enhanced = Enhanced::read(text).map(|it| (it.class, it.subject, it.detail));
    let grey = matches!(code, Some(450 | 451)) && enhanced == Some((4, 7, 1));
    let minutes = if grey { minutes.max(5) } else { minutes };
    Duration::from_secs(minutes * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_fault() {
        use FaultKind as K;
        use Stage::{Content, Login, Recipient, Sender};
        for (code, text, stage, kind) in [
            (550, "5.1.1 no such user", Recipient, K::NoSuchTarget),
            (550, "5.1.6 moved away", Recipient, K::NoSuchTarget),
            (550, "5.1.2 bad domain", Recipient, K::NoSuchNetwork),
            (556, "5.1.10 null MX", Recipient, K::NoSuchNetwork),
            (550, "5.4.4 no route", Recipient, K::NoSuchNetwork),
            (501, "5.1.3 syntax", Recipient, K::BadAddress),
            (501, "5.1.7 bad sender", Sender, K::BadAddress),
            (550, "5.2.1 mailbox disabled", Recipient, K::Offline),
            (552, "5.2.2 over quota", Recipient, K::Full),
            (452, "4.2.2 over quota", Recipient, K::Full),
            (552, "5.2.3 too long", Content, K::TooLarge),
            (552, "5.3.4 too big", Sender, K::TooLarge),
            (552, "too big", Content, K::TooLarge),
            (550, "5.7.1 rejected by policy", Content, K::Forbidden),
            (535, "5.7.8 bad credentials", Sender, K::NotAuthorized),
            (553, "5.6.7 no SMTPUTF8", Recipient, K::NotExpressible),
            (451, "4.4.1 timed out", Content, K::TimedOut),
            (451, "4.7.1 greylisted", Recipient, K::TimedOut),
            (451, "4.3.0 try later", Content, K::NetworkDown),
            (550, "unknown user", Recipient, K::NoSuchTarget),
            (550, "looks like spam", Content, K::Forbidden),
            (534, "too weak", Login, K::NotAuthorized),
            (454, "4.7.0 later", Login, K::TimedOut),
            (421, "going down", Sender, K::NetworkDown),
            (554, "5.0.0 no", Recipient, K::Other),
            (500, "what?", Recipient, K::Other),
        ] {
            let fault = fault(code, text, stage);
            assert_eq!(fault.kind, kind, "{code} {text}");
            assert_eq!(fault.text, format!("{code} {text}"));
        }
    }

    #[test]
    fn only_three_numbers_are_an_enhanced_code() {
        let good = Enhanced {
            class: 5,
            subject: 7,
            detail: 26,
        };
        assert_eq!(Enhanced::read("5.7.26 fail"), Some(good));
        for bad in [
            "",
            "5.7",
            "5.7.1.2 x",
            "3.0.0",
            "5.x.1",
            "5.7.1234",
            "192.0.2.1",
        ] {
            assert_eq!(Enhanced::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn waits_grow_and_a_greylisting_server_gets_five_minutes() {
        let minutes = |attempt| retry_after(attempt, None, "").as_secs() / 60;
        let waits: Vec<u64> = (0..6).map(minutes).collect();
        assert_eq!(waits, [1, 5, 15, 30, 60, 60]);
        assert_eq!(retry_after(0, Some(450), "4.7.1 greylisted").as_secs(), 300);
        assert_eq!(retry_after(2, Some(451), "4.7.1 greylisted").as_secs(), 900);
    }
}
