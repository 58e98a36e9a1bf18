//! Receiving, by swaks and by hand.

use std::io::ErrorKind;

use isthmus_gateway::{JobId, Refusal, State, UserId};
use isthmus_kit::{Tls, Trust};
use isthmus_test_support::port::Port;
use isthmus_test_support::tls::Certificate;
use isthmus_test_support::{DEADLINE, mail};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::host::{DOMAIN, Running};

const JULIET: &str = "juliet=capulet.example@mail.example.org";
const ROMEO: &str = "romeo=capulet.example@mail.example.org";
const LETTER: &str = "From: Alice <alice@peer.example>\nMessage-ID: <1@peer.example>\n\
                      Subject: hello\n\nhi\n";

/// Waits until somebody listens there.
async fn reach(port: &Port) -> TcpStream {
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        match TcpStream::connect(port.address()).await {
            Ok(stream) => return stream,
            Err(fault) => assert!(tokio::time::Instant::now() < end, "{fault}"),
        }
        tokio::task::yield_now().await;
    }
}

async fn start(port: &Port, key: &str, more: Value) -> Running {
    let mut settings = json!({ key: [port.address()] });
    for (key, value) in more.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    let running = Running::start(&settings);
    reach(port).await;
    running
}

async fn swaks(port: &Port, to: &str, letter: &str, more: &[&str]) -> Result<(), String> {
    let server = port.address().to_string();
    let mut args = vec![
        "--server".to_owned(),
        server,
        "--to".to_owned(),
        to.to_owned(),
    ];
    args.extend(["--from", "alice@peer.example"].map(str::to_owned));
    args.extend(more.iter().map(|it| (*it).to_owned()));
    let letter = letter.to_owned();
    let run = move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        mail::swaks(&args, &letter)
    };
    tokio::task::spawn_blocking(run).await.expect("swaks runs")
}

/// Says all of `input` and hears everything until the end.
async fn dialogue(port: &Port, groups: &[&str]) -> String {
    let mut stream = reach(port).await;
    let mut heard = String::new();
    for group in groups {
        stream.write_all(group.as_bytes()).await.expect("it reads");
        // The next group waits for the answer to the last command of this one.
        let end = if group.ends_with("DATA\r\n") {
            "354 "
        } else {
            "\r\n"
        };
        let mut buffer = [0; 4096];
        let from = heard.len();
        while !heard[from..].contains(end) {
            match stream.read(&mut buffer).await.expect("it answers") {
                0 => return heard,
                n => heard += &String::from_utf8_lossy(&buffer[..n]),
            }
        }
    }
    stream.read_to_string(&mut heard).await.expect("it answers");
    heard
}

#[tokio::test]
async fn a_mail_is_delivered_once() {
    let port = Port::reserve();
    let running = start(&port, "listen", Value::Null).await;
    swaks(&port, JULIET, LETTER, &[]).await.expect("taken");
    let delivery = running.delivery().await;
    assert_eq!(
        (delivery.user, delivery.peer.id.as_str()),
        (UserId(1), "alice@peer.example")
    );
    let returns = delivery.returns.map(|to| to.id);
    assert_eq!(returns.as_deref(), Some("alice@peer.example"));
    assert_eq!(delivery.message.body, "hi");
    assert_eq!(delivery.message.subject.as_deref(), Some("hello"));
    assert_eq!(delivery.message.who.name.as_deref(), Some("Alice"));
    swaks(&port, JULIET, LETTER, &[])
        .await
        .expect("taken again");
    swaks(&port, &format!("lovers@{DOMAIN}"), LETTER, &[])
        .await
        .expect("taken");
    assert_eq!(running.delivery().await.user, UserId(2));
    assert!(running.host.deliveries.drain().is_empty());
    running.drain().await;
}

#[tokio::test]
async fn strangers_and_other_domains_are_refused_at_rcpt() {
    let port = Port::reserve();
    let _running = start(&port, "listen", Value::Null).await;
    for (to, code) in [
        ("nobody=capulet.example@mail.example.org", "550 5.1.1"),
        ("alice@peer.example", "550 5.7.1"),
        ("b+aaaa@mail.example.org", "550 5.1.1"),
        ("postmaster@mail.example.org", "550 5.1.1"),
    ] {
        let refused = swaks(&port, to, LETTER, &[]).await.expect_err(to);
        assert!(
            refused.contains(code) && !refused.contains("354"),
            "{to}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_host_that_cannot_take_it_makes_the_peer_try_again() {
    let (smtp, lmtp) = (Port::reserve(), Port::reserve());
    let more = json!({"lmtp": [lmtp.address()]});
    let running = start(&smtp, "listen", more).await;
    let both = format!("{JULIET},{ROMEO}");
    let refuse = |refusal| {
        let mut rules = running.host.rules.lock().expect("no holder panics");
        rules.refuse = Some((UserId(2), refusal));
    };
    refuse(Refusal::Later("full".into()));
    let words = swaks(&smtp, &both, LETTER, &[]).await.expect_err("not now");
    assert!(words.contains("451 4.3.0"), "{words}");
    assert!(running.host.deliveries.drain().is_empty(), "all or none");

    refuse(Refusal::Unwanted("blocked".into()));
    let words = swaks(&smtp, &both, LETTER, &[])
        .await
        .expect_err("not wanted");
    assert!(words.contains("550 5.7.1 blocked"), "{words}");

    let group = format!(
        "LHLO x\r\nMAIL FROM:<alice@peer.example>\r\nRCPT TO:<{JULIET}>\r\nRCPT TO:<{ROMEO}>\r\nDATA\r\n"
    );
    let letter = LETTER.replace('\n', "\r\n") + ".\r\nQUIT\r\n";
    let heard = dialogue(&lmtp, &[&group, &letter]).await;
    assert!(
        heard.contains("250 2.0.0 delivered\r\n550 5.7.1 blocked\r\n221"),
        "{heard}"
    );
    assert_eq!(running.delivery().await.user, UserId(1));
}

#[tokio::test]
async fn mail_for_postmaster_goes_to_the_operator() {
    let port = Port::reserve();
    let running = start(
        &port,
        "listen",
        json!({"postmaster": "romeo@capulet.example"}),
    )
    .await;
    swaks(&port, &format!("Abuse@{DOMAIN}"), LETTER, &[])
        .await
        .expect("taken");
    assert_eq!(running.delivery().await.user, UserId(2));
}

#[tokio::test]
async fn mail_is_taken_under_encryption() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let certificate = Certificate::create(dir.path());
    let port = Port::reserve();
    let more = json!({"certificate": certificate.certificate(), "key": certificate.key()});
    let running = start(&port, "listen", more).await;
    let hello = dialogue(&port, &["EHLO x\r\n", "QUIT\r\n"]).await;
    assert!(hello.contains("250-STARTTLS\r\n"), "{hello}");
    let early = dialogue(&port, &["EHLO x\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\n"]).await;
    assert!(
        early.ends_with("503 5.5.0 commands before the handshake\r\n"),
        "{early}"
    );

    let mut plain = reach(&port).await;
    read_until(&mut plain, "220 ").await;
    plain.write_all(b"EHLO x\r\n").await.expect("it reads");
    read_until(&mut plain, "250 ").await;
    plain.write_all(b"STARTTLS\r\n").await.expect("it reads");
    read_until(&mut plain, "220 ").await;
    let tls = Tls::shared(Trust::Insecure).expect("nothing to load");
    let mut stream = tls
        .connect("localhost", Box::new(plain))
        .await
        .expect("a handshake");
    let group = format!("MAIL FROM:<alice@peer.example>\r\nRCPT TO:<{JULIET}>\r\n");
    stream.write_all(group.as_bytes()).await.expect("it reads");
    read_until(&mut stream, "503 5.5.1 who is the sender?").await;
    stream
        .write_all(format!("EHLO x\r\n{group}DATA\r\n").as_bytes())
        .await
        .expect("it reads");
    let heard = read_until(&mut stream, "354 ").await;
    assert!(!heard.contains("STARTTLS"), "{heard}");
    let letter = LETTER.replace('\n', "\r\n") + ".\r\n";
    stream.write_all(letter.as_bytes()).await.expect("it reads");
    read_until(&mut stream, "250 2.0.0 delivered").await;
    assert_eq!(running.delivery().await.message.body, "hi");
}

/// Everything up to the line that begins with or holds `end`.
async fn read_until<S: AsyncRead + Unpin>(stream: &mut S, end: &str) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !(heard.contains(end) && heard.ends_with("\r\n")) {
        match stream.read(&mut buffer).await.expect("it answers") {
            0 => panic!("no {end} in {heard}"),
            n => heard += &String::from_utf8_lossy(&buffer[..n]),
        }
    }
    heard
}

#[tokio::test]
async fn more_connections_than_allowed_are_sent_away() {
    let port = Port::reserve();
    let running = Running::start(&json!({"listen": [port.address()], "max_connections": 1}));
    let mut first = reach(&port).await;
    let mut greeting = [0; 4];
    first.read_exact(&mut greeting).await.expect("it greets");
    let mut heard = String::new();
    reach(&port)
        .await
        .read_to_string(&mut heard)
        .await
        .expect("it answers");
    assert_eq!((&greeting, &heard[..3]), (b"220 ", "421"));
    drop(first);
    running.drain().await;
}

#[tokio::test]
async fn a_bounce_is_reported_and_others_vanish() {
    let port = Port::reserve();
    let running = start(&port, "listen", Value::Null).await;
    let sealer = isthmus_smtp::translate::token::Sealer::new(&[7; 32]);
    let token = isthmus_smtp::translate::token::Token {
        job: JobId(9),
        to: 1,
        user: UserId(1),
    };
    let id = sealer.message_id(&token, DOMAIN);
    let bounce = |id: &str| {
        format!(
            "From: MAILER-DAEMON@peer.example\nContent-Type: multipart/report; \
             report-type=delivery-status; boundary=x\n\n--x\n\nsorry\n--x\n\
             Content-Type: message/delivery-status\n\nReporting-MTA: dns; peer.example\n\n\
             Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n\n--x\n\
             Content-Type: text/rfc822-headers\n\nMessage-ID: <{id}>\n\n--x--\n"
        )
    };
    let null = ["--from", "<>"];
    let envelope = format!("{}@{DOMAIN}", sealer.envelope(&token));
    for (to, id) in [(envelope.as_str(), "lost"), (JULIET, id.as_str())] {
        swaks(&port, to, &bounce(id), &null).await.expect("taken");
        let report = running.report().await;
        assert_eq!((report.job, report.to), (JobId(9), 1));
        assert!(
            matches!(report.state, State::Failed(fault) if fault.text == "550 5.1.1 no such user")
        );
    }
    // Not ours, not his, and not from nobody.
    swaks(&port, JULIET, &bounce("x@peer.example"), &null)
        .await
        .expect("taken");
    swaks(&port, ROMEO, &bounce(&id), &null)
        .await
        .expect("taken");
    swaks(&port, JULIET, &bounce(&id), &[])
        .await
        .expect("taken");
    assert!(running.host.reports.drain().is_empty() && running.host.deliveries.drain().is_empty());
}

/// A letter with a file of every byte, base64 encoded.
const WITH_FILE: &str = "From: Alice <alice@peer.example>\nMessage-ID: <f@peer.example>\n\
    Content-Type: multipart/mixed; boundary=x\n\n--x\n\nlook\n--x\n\
    Content-Type: image/png\nContent-Disposition: attachment; filename=a.png\n\
    Content-Transfer-Encoding: base64\n\niVBORw0KGgr/AA==\n--x--\n";

#[tokio::test]
async fn an_attachment_is_kept_before_the_mail_is_acknowledged() {
    let port = Port::reserve();
    let running = start(&port, "listen", Value::Null).await;
    for _ in 0..2 {
        swaks(&port, JULIET, WITH_FILE, &[]).await.expect("taken");
    }
    let message = running.delivery().await.message;
    assert_eq!(message.body, "look");
    let blob = &message.blobs[0];
    assert_eq!(
        (blob.name.as_ref(), blob.mime.as_ref(), blob.size),
        ("a.png", "image/png", Some(10))
    );
    let files = running.host.files.lock().expect("no holder panics");
    let (_, _, bytes) = &files[blob.url.as_ref()];
    assert_eq!(bytes, b"\x89PNG\r\n\x1a\n\xff\0");
    assert_eq!((files.len(), message.blobs.len()), (1, 1));
    assert!(running.host.deliveries.drain().is_empty());
}

#[tokio::test]
async fn a_mail_whose_attachment_cannot_be_kept_is_not_taken() {
    let port = Port::reserve();
    let running = start(&port, "listen", Value::Null).await;
    for (fault, code) in [
        (ErrorKind::QuotaExceeded, "451 4.3.0"),
        (ErrorKind::PermissionDenied, "451 4.3.0"),
        (ErrorKind::FileTooLarge, "552 5.3.4"),
    ] {
        let rules = || running.host.rules.lock().expect("no holder panics");
        rules().no_files = Some(fault);
        let refused = swaks(&port, JULIET, WITH_FILE, &[]).await;
        let words = refused.expect_err("not taken");
        assert!(words.contains(code), "{fault}: {words}");
        swaks(&port, JULIET, LETTER, &[])
            .await
            .expect("without a file it is taken");
    }
    assert_eq!(running.delivery().await.message.body, "hi");
    assert!(running.host.deliveries.drain().is_empty());
}
