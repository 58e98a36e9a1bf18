//! Makes deliveries of a mail, and replies of what became of them.

use isthmus_gateway::{
    Address, Delivery, Key, Kind, Message, Place, Refusal, Reply as Answered, Time, UserId, Who,
};
use ring::digest::{SHA256, digest};

use super::kept::{self, Kept};
use super::mime::Mail;
use super::server::Reply;
use super::subject;
use crate::address;

/// A mail younger than this was said now, in milliseconds.
const NOW: i64 = 60_000;

/// The delivery of `mail`, whose bytes are `content`, to `user`. `ours` tells whether a Message-ID
/// is one of this user's. Nothing where the mail has no sender a contact could stand for.
pub fn delivery(
    mail: &Mail,
    content: &[u8],
    user: UserId,
    now: Time,
    ours: impl Fn(&str) -> bool,
) -> Option<Delivery<'static>> {
    let peer = address::canonical(&mail.from).ok()?;
    let mut who = Who::nick(peer.clone());
    who.name = mail.name.clone().map(Into::into);
    let mut message = Message::text(Place::Contact(peer.clone().into()), who, mail.text.clone());
    message.auto = mail.auto;
    message.time = mail
        .date
        .and_then(|seconds| seconds.checked_mul(1000))
        .filter(|at| (0..now.0.saturating_sub(NOW)).contains(at))
        .map(Time);
    message.reply = some(&mail.in_reply_to).map(|key| {
        let who = if ours(&key) {
            String::new()
        } else {
            peer.clone()
        };
        Answered {
            key: Key(key.into()),
            who: who.into(),
        }
    });
    let root = mail.references.first().unwrap_or(&mail.in_reply_to);
    let root = some(root).or_else(|| some(&mail.message_id));
    message.thread = root.map(|root| hash(&[root.as_bytes()]).into());
    let begins = mail.in_reply_to.is_empty();
    message.subject = some(&mail.subject).filter(|_| begins).map(Into::into);
    let kept = Kept {
        last: mail.message_id.clone(),
        references: match mail.references.is_empty() {
            true => kept::chain(&[], &mail.in_reply_to),
            false => mail.references.clone(),
        },
        subject: subject::bare(&mail.subject).to_owned(),
        spelling: mail.from.clone(),
    };
    let dedup = match mail.message_id.as_str() {
        "" => hash(&[content]),
        id => hash(&[peer.as_bytes(), b"\0", id.as_bytes()]),
    };
    // A mail without an id has a key all the same: it may have to be returned.
    let key = some(&mail.message_id).unwrap_or_else(|| dedup.clone());
    message.key = Some(Key(key.into()));
    Some(Delivery {
        user,
        dedup,
        peer: Address::new(Kind::Contact, peer, ""),
        message,
        peer_kept: kept.to_bytes(),
        returns: None,
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn hash(parts: &[&[u8]]) -> String {
    let whole = digest(&SHA256, &parts.concat());
    hex::encode(&whole.as_ref()[..16])
}

/// The reply to a recipient or mail the host refuses.
pub fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Unknown => Reply::new(550, "5.1.1", "there is no such user"),
        Refusal::Unwanted(words) if words.is_empty() => Reply::new(550, "5.7.1", "not wanted"),
        Refusal::Unwanted(words) => Reply::new(550, "5.7.1", words.clone()),
        Refusal::Later(_) => Reply::new(451, "4.3.0", "not now, try again later"),
    }
}

/// The one reply for several: the first that is not positive, a temporary one before others, so
/// that a refused copy is not taken for a delivered one and can be tried again.
pub fn joint(replies: &[Reply]) -> Reply {
    let later = replies.iter().find(|it| (400..500).contains(&it.code));
    let refused = later.or_else(|| replies.iter().find(|it| it.code >= 500));
    refused.cloned().unwrap_or_else(Reply::taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::bounce::Report;

    fn mail() -> Mail {
        Mail {
            from: "Alice@Peer.Example".into(),
            name: Some("Alice".into()),
            message_id: "c@peer.example".into(),
            in_reply_to: "b@gw".into(),
            references: vec!["a@peer.example".into(), "b@gw".into()],
            subject: "Re: lunch".into(),
            date: Some(1_000),
            text: "yes".into(),
            files: Vec::new(),
            auto: false,
            report: Report::None,
        }
    }

    fn made(mail: &Mail) -> Delivery<'static> {
        let now = Time(1_790_000_000_000);
        delivery(mail, b"content", UserId(1), now, |id| id.ends_with("@gw")).expect("a sender")
    }

    #[test]
    fn an_answer_keeps_its_place_in_the_thread() {
        let answer = made(&mail());
        assert_eq!(answer.peer.id, "alice@peer.example");
        let kept = Kept::read(answer.peer_kept.as_deref());
        assert_eq!(
            (kept.subject.as_str(), kept.spelling.as_str()),
            ("lunch", "Alice@Peer.Example")
        );
        assert_eq!(kept.chain(), ["a@peer.example", "b@gw", "c@peer.example"]);
        let message = answer.message;
        assert_eq!(
            message.reply.map(|it| it.key.0.into_owned()).as_deref(),
            Some("b@gw")
        );
        assert_eq!(
            (message.subject, message.time),
            (None, Some(Time(1_000_000)))
        );
        let first = made(&Mail {
            message_id: "a@peer.example".into(),
            in_reply_to: String::new(),
            references: Vec::new(),
            ..mail()
        });
        assert_eq!(first.message.thread, message.thread);
        assert_eq!(first.message.subject.as_deref(), Some("Re: lunch"));
    }

    #[test]
    fn the_same_mail_is_the_same_and_another_senders_is_not() {
        let again = made(&mail());
        assert_eq!(made(&mail()).dedup, again.dedup);
        let other = Mail {
            from: "eve@peer.example".into(),
            ..mail()
        };
        assert_ne!(made(&other).dedup, again.dedup);
        let nameless = Mail {
            message_id: String::new(),
            ..mail()
        };
        assert_eq!(made(&nameless).dedup, hash(&[b"content"]));
        let key = made(&nameless).message.key.map(|key| key.0.into_owned());
        assert_eq!(key, Some(hash(&[b"content"])));
    }

    #[test]
    fn one_copy_that_can_be_tried_again_makes_all_tried_again() {
        let (no, later) = (
            refusal(&Refusal::Unknown),
            refusal(&Refusal::Later("full".into())),
        );
        assert_eq!(joint(&[Reply::taken(), no.clone(), later.clone()]), later);
        assert_eq!(joint(&[Reply::taken(), no.clone()]), no);
        assert_eq!(joint(&[Reply::taken()]).code, 250);
        let words = refusal(&Refusal::Unwanted("blocked\r\n250 ok".into()));
        let mut line = Vec::new();
        words.write(&mut line);
        assert_eq!(line, b"550 5.7.1 blocked 250 ok\r\n");
    }
}
