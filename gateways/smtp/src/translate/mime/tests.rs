use std::time::Duration;

use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use super::*;

fn read_text(mail: &str) -> Mail {
    let mail = mail.replace('\n', "\r\n");
    read(mail.as_bytes(), "alice@peer.example", 1000).expect("a good mail")
}

fn refused(mail: &str) -> u16 {
    read(mail.as_bytes(), "a@b", 1000)
        .expect_err("a bad mail")
        .code
}

#[test]
fn a_plain_mail_is_read() {
    let mail = read_text(
        "From: =?utf-8?q?Alice_M=C3=BCller?= <Alice@peer.example>\n\
         Date: Mon, 21 Sep 2026 14:13:20 +0000\nMessage-ID: <c@peer.example>\n\
         In-Reply-To: <b@gw>\nReferences: <a@peer.example>\n <b@gw>\n\
         Subject: Re: =?iso-8859-1?q?caf=E9?=\n\nOne.\n\nTwo.\n",
    );
    assert_eq!(mail.from, "Alice@peer.example");
    assert_eq!(mail.name.as_deref(), Some("Alice Müller"));
    assert_eq!(
        (mail.message_id.as_str(), mail.in_reply_to.as_str()),
        ("c@peer.example", "b@gw")
    );
    assert_eq!(mail.references, ["a@peer.example", "b@gw"]);
    assert_eq!(
        (mail.subject.as_str(), mail.date),
        ("Re: café", Some(1_790_000_000))
    );
    assert_eq!(mail.text, "One.\n\nTwo.");
    assert!(!mail.auto);
}

#[test]
fn the_text_is_found_in_any_wrapping() {
    let alternative = "From: a@b.example\nContent-Type: multipart/alternative; boundary=x\n\n\
        --x\nContent-Type: text/plain\n\nplain\n--x\nContent-Type: text/html\n\n<p>html</p>\n--x--\n";
    let stub = alternative.replace("\nplain\n", "\n \n");
    for (mail, text) in [
        (alternative, "plain"),
        (stub.as_str(), "html"),
        (
            "From: a@b.example\nContent-Type: text/html\n\n<p>one</p><p>two &amp; three</p>\n",
            "one\n\ntwo & three",
        ),
        (
            "From: a@b.example\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9\n",
            "café",
        ),
        (
            "From: a@b.example\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nZ3LDvG4=\n",
            "grün",
        ),
        (
            "From: a@b.example\nContent-Type: text/plain; format=flowed\n\none \ntwo\nthree\n> quoted \n> on\n-- \nme\n",
            "one two\nthree\n> quoted on\n-- \nme",
        ),
        (
            "From: a@b.example\nContent-Type: text/plain; format=flowed; delsp=yes\n\non \ne\n",
            "one",
        ),
        ("From: a@b.example\n\n \n", "[no text]"),
        ("From: a@b.example\n\na\u{7}b\n\n\n\n\n\nc\n", "ab\n\n\nc"),
    ] {
        assert_eq!(read_text(mail).text, text, "{mail}");
    }
}

#[test]
fn attachments_are_named() {
    let mail = read_text(
        "From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nsee there\n--x\n\
         Content-Type: application/pdf; name=\"plan.pdf\"\nContent-Disposition: attachment; filename=\"plan\n  B.pdf\"\n\
         Content-Transfer-Encoding: base64\n\nAAAA\n--x\nContent-Type: message/rfc822\n\nFrom: c@d\n\nold\n--x--\n",
    );
    let lines: Vec<&str> = mail.text.lines().collect();
    assert_eq!(lines[0], "see there");
    assert_eq!(lines.len(), 1, "the host says what there is: {lines:?}");
    let names: Vec<&str> = mail.files.iter().map(File::file_name).collect();
    assert!(names[0].starts_with("plan"), "{names:?}");
    assert_eq!(names[1], "forwarded.eml");
}

/// A mail of these parts, each its headers, an empty line and its body.
fn mixed(parts: &[&str]) -> Vec<u8> {
    let mut mail = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n".to_owned();
    for part in parts {
        mail += &format!("\r\n--x\r\n{part}");
    }
    (mail + "\r\n--x--\r\n").into_bytes()
}

#[test]
fn files_are_handed_out_byte_by_byte() {
    let forwarded = "From: c@d.example\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n\
                     --y\r\n\r\nold\r\n--y\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--y--\r\n";
    let message = format!("Content-Type: message/rfc822\r\n\r\n{forwarded}");
    let text = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Disposition: attachment";
    let quoted = format!(
        "{text}; filename=q.txt\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=E9=\r\nb=0D=0A\r\nc"
    );
    let base = format!("{text}\r\nContent-Transfer-Encoding: base64\r\n\r\n6Q0K\r\n/w==");
    let plain = format!("{text}\r\n\r\n one \r\n\r\ntwo\r\n");
    let parts = [
        "\r\nhello",
        "Content-Type: image/png\r\nContent-Disposition: inline; filename=\"a/b.png\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nAAECAw0K/w==",
        "Content-Type: application/empty\r\n\r\n",
        quoted.as_str(),
        base.as_str(),
        plain.as_str(),
        message.as_str(),
        "Content-Type: text/calendar\r\nContent-Disposition: attachment\r\n\r\nBEGIN:VCALENDAR",
    ];
    let mail = read(&mixed(&parts), "a@b.example", 1000).expect("a good mail");
    let files: Vec<(&str, &str, &[u8])> = mail
        .files
        .iter()
        .map(|file| (file.file_name(), file.mime.as_str(), file.bytes.as_slice()))
        .collect();
    let expected: [(&str, &str, &[u8]); 7] = [
        ("a/b.png", "image/png", b"\x00\x01\x02\x03\r\n\xff"),
        ("attachment", "application/empty", b""),
        ("q.txt", "text/plain", b"a\xe9b\r\n\r\nc"),
        ("attachment", "text/plain", b"\xe9\r\n\xff"),
        ("attachment", "text/plain", b" one \r\n\r\ntwo\r\n"),
        ("forwarded.eml", "message/rfc822", forwarded.as_bytes()),
        ("attachment", "text/calendar", b"BEGIN:VCALENDAR"),
    ];
    assert_eq!(files, expected);
    assert_eq!(mail.text.lines().count(), 1, "{}", mail.text);
}

#[test]
fn a_mail_with_more_files_than_are_looked_at_is_refused() {
    let part = "Content-Type: image/png\r\n\r\nx";
    let good = read(&mixed(&[part; MOST_PARTS]), "a@b.example", 1000).expect("a good mail");
    assert_eq!(good.files.len(), MOST_PARTS);
    let refused = read(&mixed(&[part; MOST_PARTS + 1]), "a@b.example", 1000);
    assert_eq!(refused.expect_err("a bad mail").code, 552);
    let texts = read(&mixed(&["\r\nhi"; MOST_PARTS + 1]), "a@b.example", 1000);
    assert_eq!(texts.expect_err("a bad mail").code, 552);
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let mail = read_text(&format!("From: a@b.example\n\n{}\n", "é".repeat(700)));
    assert!(
        mail.text.ends_with("\n[cut: 400 more bytes]"),
        "{}",
        mail.text
    );
    assert_eq!(mail.text.matches('é').count(), 500);
}

#[test]
fn machines_are_recognised() {
    for (header, auto) in [
        ("X: y", false),
        ("Auto-Submitted: no", false),
        ("Auto-Submitted: auto-replied", true),
        ("Precedence: bulk", true),
        ("Precedence: first-class", false),
        ("List-Id: <a.b.example>", true),
        ("X-Auto-Response-Suppress: All", true),
    ] {
        let mail = read_text(&format!("From: a@b.example\n{header}\n\nhi\n"));
        assert_eq!(mail.auto, auto, "{header}");
    }
    assert!(read_text("From: No-Reply@b.example\n\nhi\n").auto);
    let null = read(b"From: a@b.example\r\n\r\nhi\r\n", "", 1000).expect("a good mail");
    assert!(null.auto);
}

#[test]
fn a_mail_without_one_sender_or_in_circles_is_refused() {
    assert_eq!(refused("Subject: x\r\n\r\nhi\r\n"), 550);
    assert_eq!(
        refused("From: a@b.example\r\nFrom: c@d.example\r\n\r\nhi\r\n"),
        550
    );
    assert_eq!(refused("From: nobody\r\n\r\nhi\r\n"), 550);
    let circles = "Received: from a by b; Mon, 21 Sep 2026 14:13:20 +0000\r\n".repeat(51);
    assert_eq!(
        refused(&format!("{circles}From: a@b.example\r\n\r\nhi\r\n")),
        554
    );
}

/// A multipart in a multipart, and so on.
fn deep(times: usize) -> String {
    let part = |n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
    "From: a@b.example\r\n".to_owned() + &(0..times).map(part).collect::<String>()
}

/// Multiparts that are announced and never begin.
fn announced(times: usize) -> String {
    let part = |n| format!("--x\r\nContent-Type: multipart/mixed; boundary=y{n}\r\n\r\n");
    let parts = (0..times).map(part).collect::<String>();
    format!("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{parts}")
}

/// A multipart of as many texts.
fn wide(times: usize) -> String {
    let parts = "--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n".repeat(times);
    format!(
        "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{parts}--x--\r\n"
    )
}

/// A mail that forwards one that forwards one, and so on.
fn nested(times: usize) -> String {
    "From: a@b.example\r\n".to_owned() + &"Content-Type: message/rfc822\r\n\r\n".repeat(times)
}

/// What becomes of a mail, which has no words in any case: the code of its refusal.
fn outcome(mail: &str) -> Result<(), u16> {
    let mail = read(mail.as_bytes(), "a@b", 1000).map_err(|reply| reply.code)?;
    assert!(mail.text.is_empty() || mail.text == "[no text]");
    Ok(())
}

/// What takes time in proportion takes eight times as long for eight times as much; with the square
/// it were 64 times. Between them there is room for what does not fit into a cache any more.
const EIGHT_TIMES: u32 = 24;

/// The processor's time of this thread: what else the machine does counts nothing.
fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time")
}

#[test]
fn a_mail_of_two_hundred_multiparts_is_read() {
    assert_eq!(outcome(&deep(200)), Ok(()));
    assert_eq!(outcome(&deep(201)), Err(552));
    assert_eq!(
        outcome(&deep(201).replace("multipart/mixed", "Multipart")),
        Err(552)
    );
}

#[test]
fn deep_and_wide_mails_cost_no_more_than_their_length() {
    type Made = fn(usize) -> String;
    let mails: [(&str, Made, usize, Result<(), u16>); 4] = [
        ("deep", deep, 1_000, Err(552)),
        ("announced", announced, 2_500, Err(552)),
        ("wide", wide, 5_000, Err(552)),
        ("nested", nested, 5_000, Ok(())),
    ];
    for (name, made, times, expected) in mails {
        let (small, large) = (made(times), made(8 * times));
        let time = |mail: &str| {
            let begun = worked();
            assert_eq!(outcome(mail), expected, "{name}");
            worked() - begun
        };
        let mut taken: Vec<_> = (0..5).map(|_| (time(&small), time(&large))).collect();
        let mut median = |of: fn(&(Duration, Duration)) -> Duration| {
            taken.sort_by_key(of);
            of(&taken[taken.len() / 2])
        };
        let (one, eight) = (median(|it| it.0), median(|it| it.1));
        println!("{name}: {one:?}, {eight:?}");
        assert!(eight <= EIGHT_TIMES * one, "{name}: {one:?}, {eight:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut mail = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=\"\"\r\n".to_vec();
        mail.extend_from_slice(&bytes);
        let _ = read(&mail, "a@b", 100).is_ok();
        let _ = read(&bytes, "", 100).is_ok();
    }
}

#[test]
fn the_last_part_of_a_mail_that_was_cut_off_is_decoded() {
    let head = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n";
    let text = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: \
                quoted-printable\r\n\r\ncaf=C3=A9";
    let inner = "Content-Type: multipart/alternative; boundary=\"y y\"\r\n\r\n--y y\r\n";
    let file = "\r\n--x\r\nContent-Type: application/pdf; name=a.pdf\r\n\
                Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n";
    for mail in [
        format!("{head}{text}"),
        format!("{head}{text}\r\n"),
        format!("{head}{inner}{text}\r\n"),
        format!("{head}{inner}{text}\r\n--y y--\r\n"),
    ] {
        let read = read(mail.as_bytes(), "a@b.example", 1000).expect("a mail");
        assert_eq!(read.text, "café", "{mail}");
    }
    let mail = format!("{head}{text}{file}");
    let read = read(mail.as_bytes(), "a@b.example", 1000).expect("a mail");
    assert_eq!(read.text, "café");
    assert_eq!(read.files.len(), 1);
    assert_eq!(read.files[0].bytes, b"hello");
}
