//! Makes a mail of a job (RFC 5322, RFC 2045).
//!
//! The bytes come from lettre's builder; what goes into headers is freed of control characters
//! before, because the builder panics on some.

use std::time::SystemTime;

use isthmus_gateway::{Fault, FaultKind, Job, Words, words};
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, Message, MultiPart, SinglePart};

use super::kept::{self, Kept};
use super::{one_line, subject};
use crate::address;

/// Longest display name, in characters.
const LONGEST_NAME: usize = 100;

/// A mail that is ready to go.
#[derive(Clone, Debug)]
pub struct Composed {
    /// Its content, lines ended with CRLF, all ASCII.
    pub content: Vec<u8>,
    /// What to keep for the peer once it is sent.
    pub kept: Kept,
}

/// A file that goes with a mail.
#[derive(Clone, Debug)]
pub struct Attached {
    /// Its URL in the job.
    pub url: String,
    /// What it is called.
    pub name: String,
    /// Its media type.
    pub mime: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The mail for recipient number `to` of `job`, with this Message-ID (without brackets), from a
/// gateway at `domain`.
pub fn compose(
    job: &Job<'_>,
    to: usize,
    message_id: &str,
    domain: &str,
    now: SystemTime,
    files: &[Attached],
) -> Result<Composed, Fault> {
    // Kept for the first recipient only.
    let kept = Kept::read(job.peer_kept.as_deref().filter(|_| to == 0));
    let thread = Thread::of(job, &kept);
    let mut builder = Message::builder()
        .date(now)
        .from(from(job, domain)?)
        .subject(thread.subject.clone())
        .message_id(Some(format!("<{message_id}>")));
    for (at, address) in job.to.iter().enumerate() {
        match recipient(&address.id, if at == to { &kept } else { NOTHING }) {
            Ok(address) => builder = builder.to(Mailbox::new(None, address)),
            Err(fault) if at == to => return Err(fault),
            // That is told of the other's copy; this one goes out without him.
            Err(_) => {}
        }
    }
    if let Some(parent) = thread.references.last() {
        let all = thread.references.iter().map(|id| format!("<{id}>"));
        let all = all.collect::<Vec<_>>().join(" ");
        builder = builder.in_reply_to(format!("<{parent}>")).references(all);
    }
    let (local, host) = (one_line(&job.user.local), one_line(&job.user.domain));
    let jid = format!("{local}@{host}");
    let name = HeaderName::new_from_ascii_str("Jabber-ID");
    builder = builder.raw_header(HeaderValue::new(name, jid));
    let part = text_part(job, files)?;
    let made = match files {
        [] => builder.singlepart(part),
        files => {
            let mut parts = MultiPart::mixed().singlepart(part);
            for file in files {
                parts = parts.singlepart(attachment(file));
            }
            builder.multipart(parts)
        }
    };
    let message = made.map_err(|fault| {
        internal(words!(
            "the mail cannot be made: {fault}",
            "无法生成邮件：{fault}"
        ))
    })?;
    Ok(Composed {
        content: message.formatted(),
        kept: Kept {
            last: message_id.to_owned(),
            references: thread.references,
            subject: subject::bare(&thread.subject).to_owned(),
            spelling: kept.spelling,
        },
    })
}

fn text_part(job: &Job<'_>, files: &[Attached]) -> Result<SinglePart, Fault> {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(text(job, files), encoding)
        .map_err(|_| internal(("the text cannot be encoded", "无法编码正文")))?;
    let part = SinglePart::builder().header(ContentType::TEXT_PLAIN);
    Ok(part.body(body))
}

fn attachment(file: &Attached) -> SinglePart {
    let mime = ContentType::parse(&one_line(&file.mime));
    let any = || ContentType::parse("application/octet-stream");
    let name = match one_line(&file.name) {
        name if name.is_empty() => "attachment".to_owned(),
        name => name,
    };
    let attachment = Attachment::new(name);
    // A text would be turned into another encoding than the sender's: all go as bytes.
    let body = Body::new_with_encoding(file.bytes.clone(), ContentTransferEncoding::Base64);
    match (mime.or_else(|_| any()), body) {
        (Ok(mime), Ok(body)) => attachment.body(body, mime),
        // Base64 carries anything, and that type is one: neither comes to pass.
        _ => attachment.body(Vec::new(), ContentType::TEXT_PLAIN),
    }
}

const NOTHING: &Kept = &Kept {
    last: String::new(),
    references: Vec::new(),
    subject: String::new(),
    spelling: String::new(),
};

fn internal(words: impl Into<Words>) -> Fault {
    Fault::new(FaultKind::Internal, words)
}

/// The address of a contact as it goes over the wire, in his own spelling where that is known.
pub fn recipient(id: &str, kept: &Kept) -> Result<Address, Fault> {
    let same = address::canonical(&kept.spelling).is_ok_and(|known| known == id);
    let mail = if same { &kept.spelling } else { id };
    let bad = |words: Words| Fault::new(FaultKind::BadAddress, words);
    let (local, host) = address::wire(mail).map_err(|fault| bad(fault.text))?;
    Address::new(local, host).map_err(|_| bad(address::no_mail_address(id)))
}

/// Where answers come back to, with the user's name for people.
fn from(job: &Job<'_>, domain: &str) -> Result<Mailbox, Fault> {
    let user = &job.user;
    let local = address::mailbox(&user.local, &user.domain)
        .map_err(|fault| Fault::new(FaultKind::BadAddress, fault.text))?;
    let address = Address::new(local, domain).map_err(|_| {
        internal((
            "the gateway's domain cannot stand in a mail address",
            "网关的域名不能用于邮件地址",
        ))
    })?;
    let chosen = job
        .account
        .as_ref()
        .and_then(|account| account.fields.get("name"));
    let name: String = one_line(chosen.unwrap_or(&user.local))
        .chars()
        .take(LONGEST_NAME)
        .collect();
    // A name that looks like an address would pass for the sender's address in many programs.
    let name = if name.contains('@') {
        one_line(&format!("{}@{}", user.local, user.domain))
    } else {
        name
    };
    Ok(Mailbox::new(
        Some(name).filter(|name| !name.is_empty()),
        address,
    ))
}

/// Where a mail stands in its thread.
struct Thread {
    subject: String,
    /// The thread so far, the answered mail last; empty: the thread begins here.
    references: Vec<String>,
}

impl Thread {
    fn of(job: &Job<'_>, kept: &Kept) -> Self {
        let message = &job.message;
        let given = message.subject.as_deref().map(subject::given);
        let given = given.filter(|given| !given.is_empty());
        let reply = message
            .reply
            .as_ref()
            .map(|reply| kept::tidy_id(&reply.key.0));
        let reply = reply.filter(|key| key.contains('@'));
        let other = given
            .as_deref()
            .is_some_and(|it| subject::bare(it) != kept.subject);
        let chain = kept.chain();
        let place = |key: &String| chain.iter().position(|known| known == key);
        let (references, same) = match reply {
            Some(key) => match place(&key) {
                Some(at) => (kept::chain(&chain[..at], &key), true),
                // Of a thread that went before: what stood before that mail there is not known.
                None => (vec![key], false),
            },
            None if kept.last.is_empty() || other => (Vec::new(), false),
            None => (chain, true),
        };
        let subject = match given {
            Some(given) => given,
            None if !same || kept.subject.is_empty() => {
                // A mail that is only a file is called like it.
                let file = message.blobs.first().map(|blob| blob.name.as_ref());
                let file = file.filter(|_| message.body.trim().is_empty());
                subject::made(file.unwrap_or(&message.body))
            }
            None => subject::answer(&kept.subject),
        };
        Self {
            subject,
            references,
        }
    }
}

/// The text, with what mail cannot express said in words.
fn text(job: &Job<'_>, files: &[Attached]) -> String {
    let message = &job.message;
    let mut out = String::with_capacity(message.body.len() + 64);
    if message.action {
        out.push_str("* ");
        out.push_str(&one_line(&job.user.local));
        out.push(' ');
    }
    for line in message.body.lines() {
        out.extend(line.chars().filter(|c| !c.is_control() || *c == '\t'));
        out.push_str("\r\n");
    }
    let attached = |url: &str| files.iter().any(|file| file.url == url);
    for blob in message.blobs.iter().filter(|blob| !attached(&blob.url)) {
        let url = one_line(&blob.url);
        if !message.body.contains(url.as_str()) {
            out.push_str(&url);
            out.push_str("\r\n");
        }
    }
    // The builder ends the last line.
    out.truncate(out.trim_end_matches([' ', '\r', '\n']).len());
    out
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use isthmus_gateway::{Address, JobId, Key, Kind, Outgoing, Place, Reply, User, UserId};
    use mail_parser::MessageParser;

    use super::*;

    fn job(body: &'static str) -> Job<'static> {
        Job {
            id: JobId(1),
            user: User {
                id: UserId(1),
                local: "juliet".into(),
                domain: "capulet.example".into(),
                lang: String::new(),
                region: String::new(),
            },
            account: None,
            to: vec![Address::new(Kind::Contact, "alice@peer.example", "")],
            message: Outgoing::text(Place::Contact("alice@peer.example".into()), body),
            attempt: 0,
            kept: None,
            peer_kept: None,
        }
    }

    fn composed(job: &Job<'_>) -> (String, Kept) {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let made = compose(
            job,
            0,
            "token.0@mail.example.org",
            "mail.example.org",
            now,
            &[],
        )
        .expect("a good job");
        assert!(made.content.is_ascii());
        (String::from_utf8(made.content).expect("ASCII"), made.kept)
    }

    #[test]
    fn a_first_mail_has_all_its_headers() {
        let (mail, kept) = composed(&job("Lunch at noon?\nIch wäre da."));
        for line in [
            "From: juliet <juliet=capulet.example@mail.example.org>",
            "To: alice@peer.example",
            "Subject: Lunch at noon?",
            "Message-ID: <token.0@mail.example.org>",
            "Jabber-ID: juliet@capulet.example",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "Ich w=C3=A4re da.",
        ] {
            assert!(mail.lines().any(|it| it == line), "{line} in\n{mail}");
        }
        assert!(mail.contains("Date: Mon, 21 Sep 2026"), "{mail}");
        for absent in ["In-Reply-To", "References", "Auto-Submitted"] {
            assert!(!mail.contains(absent), "{mail}");
        }
        assert_eq!(kept.subject, "Lunch at noon?");
        assert_eq!(kept.last, "token.0@mail.example.org");
    }

    #[test]
    fn the_next_mail_continues_the_thread_and_a_new_subject_begins_another() {
        let kept = Kept {
            last: "b@peer.example".into(),
            references: vec!["a@mail.example.org".into()],
            subject: "lunch".into(),
            spelling: "Alice@Peer.Example".into(),
        };
        let mut job = job("Yes.");
        job.peer_kept = kept.to_bytes();
        let (mail, after) = composed(&job);
        for line in [
            "To: Alice@peer.example",
            "Subject: Re: lunch",
            "In-Reply-To: <b@peer.example>",
            "References: <a@mail.example.org> <b@peer.example>",
        ] {
            assert!(mail.lines().any(|it| it == line), "{line} in\n{mail}");
        }
        assert_eq!(after.chain().len(), 3);
        assert_eq!(after.spelling, "Alice@Peer.Example");

        job.message.subject = Some("dinner".into());
        let (mail, after) = composed(&job);
        assert!(
            mail.contains("Subject: dinner\r\n") && !mail.contains("In-Reply-To"),
            "{mail}"
        );
        assert_eq!(
            (after.subject.as_str(), after.references.len()),
            ("dinner", 0)
        );

        job.message.reply = Some(Reply {
            key: Key("a@mail.example.org".into()),
            who: "alice@peer.example".into(),
        });
        let (mail, _) = composed(&job);
        assert!(
            mail.contains("In-Reply-To: <a@mail.example.org>\r\n"),
            "{mail}"
        );

        job.message.subject = None;
        let (mail, _) = composed(&job);
        assert!(
            mail.contains("References: <a@mail.example.org>\r\n"),
            "{mail}"
        );
        assert!(mail.contains("Subject: Re: lunch\r\n"), "{mail}");

        // Of another thread, whose subject and references are none of this one's.
        job.message.reply = Some(Reply {
            key: Key("film@peer.example".into()),
            who: "alice@peer.example".into(),
        });
        let (mail, _) = composed(&job);
        for line in ["Subject: Yes", "References: <film@peer.example>"] {
            assert!(mail.lines().any(|it| it == line), "{line} in\n{mail}");
        }
    }

    #[test]
    fn nothing_a_user_controls_makes_a_header_of_its_own() {
        let mut job = job("hello");
        let evil = "x\r\nBcc: evil@peer.example\r\n\r\n.\r\n";
        job.message.subject = Some(evil.into());
        job.message.reply = Some(Reply {
            key: Key(format!("a@b{evil}").into()),
            who: "alice@peer.example".into(),
        });
        let account = isthmus_gateway::Account {
            fields: [("name".to_owned(), evil.replace('@', " "))].into(),
        };
        job.account = Some(account);
        let (mail, _) = composed(&job);
        assert!(
            !mail
                .lines()
                .any(|line| line.to_lowercase().starts_with("bcc")),
            "{mail}"
        );
        let read = MessageParser::default()
            .parse(mail.as_bytes())
            .expect("a mail");
        assert!(read.bcc().is_none());
        assert_eq!(
            read.body_text(0).map(|text| text.trim().to_owned()),
            Some("hello".into())
        );
    }

    #[test]
    fn a_name_that_looks_like_an_address_is_not_shown() {
        let mut job = job("hello");
        let fields = [("name".to_owned(), "ceo@bank.example".to_owned())].into();
        job.account = Some(isthmus_gateway::Account { fields });
        let (mail, _) = composed(&job);
        let read = MessageParser::default()
            .parse(mail.as_bytes())
            .expect("a mail");
        let name = read
            .from()
            .and_then(|from| from.first())
            .and_then(|it| it.name());
        assert_eq!(name, Some("juliet@capulet.example"));
    }

    #[test]
    fn a_file_is_a_part_of_its_own_and_its_link_is_not_in_the_text() {
        let mut job = job("");
        let url = "host:1";
        for url in [url, "https://f.example/late"] {
            job.message.blobs.push(isthmus_gateway::Blob {
                name: "Katze\r\nBcc: ä.png".into(),
                mime: "image/png".into(),
                url: url.into(),
                size: None,
            });
        }
        let files = [Attached {
            url: url.into(),
            name: job.message.blobs[0].name.to_string(),
            mime: "image/png".into(),
            bytes: b"\x89PNG\r\n\xff\0".to_vec(),
        }];
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let made = compose(&job, 0, "t@x", "mail.example.org", now, &files).expect("a good job");
        let read = MessageParser::default()
            .parse(&made.content)
            .expect("a mail");
        assert!(read.bcc().is_none());
        let text = read.body_text(0).expect("a text");
        assert_eq!(text.trim(), "https://f.example/late");
        let file = read.attachment(0).expect("a file");
        assert_eq!(file.contents(), files[0].bytes);
        let name = mail_parser::MimeHeaders::attachment_name(file).expect("a name");
        assert!(name.contains("ä.png") && !name.contains('\n'), "{name}");
    }

    #[test]
    fn an_address_that_is_none_is_the_users_fault() {
        let mut job = job("hello");
        job.to[0].id = "nobody".into();
        let fault =
            compose(&job, 0, "t@x", "mail.example.org", UNIX_EPOCH, &[]).expect_err("no address");
        assert_eq!(fault.kind, FaultKind::BadAddress);
    }
}
