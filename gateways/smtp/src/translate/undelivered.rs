//! Makes the report that a mail did not reach the user (RFC 3464, RFC 3834), in the language that
//! the host names: the operator's, as nobody knows the sender's.
//!
//! Nothing of the mail itself goes back but its Message-ID: who forges a sender has us send nothing
//! of his own making to somebody else.

use std::time::SystemTime;

use isthmus_gateway::{Fault, FaultKind, User, Words, words};
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, SinglePart};
use ring::digest::{SHA256, digest};

use super::{clip, one_line};
use crate::address;

/// A mail that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// For whom it was, and the language of the report.
    pub user: User,
    /// Its envelope's sender.
    pub to: String,
    /// Its Message-ID, or what stands for it.
    pub key: String,
    /// Why.
    pub fault: Fault,
}

/// Stands between the parts. No part has a line that begins with it: those of words are indented,
/// and in quoted-printable a `=` is followed by digits.
const BOUNDARY: &str = "=_isthmus_report";

/// Longest words of a server, in octets.
const LONGEST: usize = 600;

impl Undelivered {
    /// To whom the report goes, and its content, all ASCII with CRLF, from a gateway at `domain`.
    pub fn compose(&self, domain: &str, now: SystemTime) -> Result<(Address, Vec<u8>), Fault> {
        let bad = |words: Words| Fault::new(FaultKind::BadAddress, words);
        let (local, host) = address::wire(&self.to).map_err(|fault| bad(fault.text))?;
        let to = Address::new(local, host).map_err(|fault| bad(fault.to_string().into()))?;
        let from =
            Address::new("postmaster", domain).map_err(|fault| bad(fault.to_string().into()))?;
        let whom = address::mailbox(&self.user.local, &self.user.domain)
            .map_err(|fault| bad(fault.text))?;
        let whom = format!("{whom}@{domain}");
        let subject = Words::from(("Your message could not be delivered", "您的邮件未能投递"));
        let mut builder = Message::builder()
            .date(now)
            .from(Mailbox::new(Some("Mail Delivery System".to_owned()), from))
            .to(Mailbox::new(None, to.clone()))
            .subject(subject.told_in(&self.user.lang).1)
            .message_id(Some(format!("<{}.undelivered@{domain}>", self.name())));
        if let Some(id) = self.message_id() {
            builder = builder.in_reply_to(id.clone()).references(id);
        }
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        builder = builder.raw_header(HeaderValue::new(name, "auto-replied".to_owned()));
        let kind =
            format!("multipart/report; report-type=delivery-status; boundary=\"{BOUNDARY}\"");
        let internal = |words: String| Fault::new(FaultKind::Internal, words);
        let kind = ContentType::parse(&kind).map_err(|fault| internal(fault.to_string()))?;
        let parts = self.parts(&whom, domain)?;
        if !parts.is_ascii() {
            return Err(internal("the report is not ASCII".to_owned()));
        }
        // All its lines are shorter than 998 octets, and lettre takes longer than 76 for too long.
        let body = Body::dangerous_pre_encoded(parts.into(), ContentTransferEncoding::SevenBit);
        let whole = SinglePart::builder().header(kind).body(body);
        let message = builder.singlepart(whole);
        let message = message.map_err(|fault| internal(fault.to_string()))?;
        Ok((to, message.formatted()))
    }

    /// The same for the same mail and user.
    fn name(&self) -> String {
        let number = self.user.id.0.to_be_bytes();
        let whole = digest(&SHA256, &[self.key.as_bytes(), &number].concat());
        hex::encode(&whole.as_ref()[..16])
    }

    /// With its brackets, where the mail had one that can stand in a header.
    fn message_id(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
        let sound = self.key.contains('@') && self.key.len() < 900 && self.key.chars().all(plain);
        sound.then(|| format!("<{}>", self.key))
    }

    /// For people, for machines, and what it is about.
    fn parts(&self, whom: &str, domain: &str) -> Result<String, Fault> {
        let why = one_line(clip(&self.fault.text, LONGEST));
        let (en, zh) = self.advice();
        let words = words!(
            "This is the mail gateway at {domain}.\n\n\
             Your message could not be delivered to\n\n    {whom}\n\n\
             The XMPP server of this user returned it:\n\n    {why}\n\n{en}\n\n\
             Nothing more will be tried.\n",
            "这里是 {domain} 的邮件网关。\n\n\
             您的邮件未能投递给\n\n    {whom}\n\n\
             该用户的 XMPP 服务器将其退回：\n\n    {why}\n\n{zh}\n\n\
             不会再次尝试。\n",
        );
        let words = words.told_in(&self.user.lang).1.to_owned();
        let encoding = ContentTransferEncoding::QuotedPrintable;
        let words = Body::new_with_encoding(words, encoding).map_err(|_| {
            Fault::new(
                FaultKind::Internal,
                ("the report cannot be encoded", "无法编码该报告"),
            )
        })?;
        let words = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .body(words);
        let words = String::from_utf8_lossy(&words.formatted()).into_owned();
        let ascii: String = why
            .chars()
            .map(|c| if c.is_ascii() { c } else { '?' })
            .collect();
        let status = format!(
            "Content-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; {domain}\r\n\r\n\
             Final-Recipient: rfc822; {whom}\r\nAction: failed\r\nStatus: {}\r\n\
             Diagnostic-Code: x-xmpp; {ascii}\r\n",
            self.status()
        );
        let about = self.message_id().map_or_else(String::new, |id| {
            format!(
                "--{BOUNDARY}\r\nContent-Type: text/rfc822-headers\r\n\r\n\
                 Message-ID: {id}\r\n\r\n"
            )
        });
        Ok(format!(
            "--{BOUNDARY}\r\n{words}\r\n--{BOUNDARY}\r\n{status}\r\n{about}--{BOUNDARY}--\r\n"
        ))
    }

    fn advice(&self) -> (&'static str, &'static str) {
        match self.fault.kind {
            FaultKind::NoSuchTarget => ("There is no such user.", "没有这个用户。"),
            FaultKind::Offline => (
                "There may be no such user, or messages are not kept while the user is offline.",
                "该用户可能不存在，或者其离线时消息不予保留。",
            ),
            FaultKind::Forbidden => (
                "The user or the server does not accept your messages.",
                "该用户或其服务器不接受您的邮件。",
            ),
            _ => ("The server gave no other reason.", "服务器未说明其他原因。"),
        }
    }

    /// RFC 3463.
    fn status(&self) -> &'static str {
        match self.fault.kind {
            FaultKind::NoSuchTarget => "5.1.1",
            FaultKind::NoSuchNetwork => "5.1.2",
            FaultKind::Offline => "5.2.1",
            FaultKind::Forbidden => "5.7.1",
            _ => "5.0.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use isthmus_gateway::UserId;

    use super::*;
    use crate::translate::bounce::{Action, Report};
    use crate::translate::mime;

    fn undelivered(key: &str, text: &str) -> Undelivered {
        Undelivered {
            user: User {
                id: UserId(1),
                local: "nobody".into(),
                domain: "capulet.example".into(),
                lang: String::new(),
                region: String::new(),
            },
            to: "Alice@peer.example".into(),
            key: key.into(),
            fault: Fault::new(FaultKind::Offline, text),
        }
    }

    fn composed(of: &Undelivered) -> String {
        let (to, content) = of
            .compose("mail.example.org", SystemTime::UNIX_EPOCH)
            .expect("a report");
        assert_eq!(to.to_string(), "Alice@peer.example");
        String::from_utf8(content).expect("ASCII")
    }

    #[test]
    fn a_report_says_why_to_people_and_to_machines() {
        let mail = composed(&undelivered("m@peer.example", "service-unavailable: weg"));
        for line in [
            "Auto-Submitted: auto-replied\r\n",
            "In-Reply-To: <m@peer.example>\r\n",
            "could not be delivered",
            "Final-Recipient: rfc822; nobody=capulet.example@mail.example.org\r\n",
            "Status: 5.2.1\r\n",
        ] {
            assert!(mail.contains(line), "{line} in {mail}");
        }
        let read = mime::read(mail.as_bytes(), "", 10_000).expect("a mail");
        let Report::Delivery(report) = read.report else {
            panic!("it is a delivery report: {mail}");
        };
        assert_eq!(report.message_id, "m@peer.example");
        match report.action {
            Action::Failed(fault) => assert_eq!(fault.text, "service-unavailable: weg"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_report_is_in_the_language_the_host_names() {
        let mut report = undelivered("m@peer.example", "service-unavailable: weg");
        report.user.lang = "zh".into();
        let mail = composed(&report);
        assert!(mail.is_ascii(), "{mail}");
        let read = mail_parser::MessageParser::new()
            .parse(&mail)
            .expect("a mail");
        assert_eq!(read.subject(), Some("您的邮件未能投递"));
        let words = read.body_text(0).expect("words");
        assert!(words.contains("该用户可能不存在"), "{words}");
        assert!(words.contains("service-unavailable: weg"), "{words}");
    }

    #[test]
    fn a_servers_words_and_an_odd_id_break_out_of_nothing() {
        let evil = format!("x\r\n--{BOUNDARY}--\r\nBcc: eve@peer.example\r\n\u{fc}");
        let mail = composed(&undelivered("a\r\nBcc: eve@peer.example", &evil));
        assert!(!mail.contains("\nBcc:"), "{mail}");
        assert!(!mail.contains("In-Reply-To"), "{mail}");
        let ends = mail.matches(&format!("\n--{BOUNDARY}--")).count();
        assert_eq!(ends, 1, "{mail}");
        assert!(mail.is_ascii());
    }
}
