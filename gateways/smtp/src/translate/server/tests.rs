use proptest::prelude::*;

use super::*;

fn server(protocol: Protocol) -> Server<String> {
    let mut server = Server::new(Settings {
        domain: "mail.example.org".into(),
        protocol,
        tls: true,
        max_size: 1000,
        max_recipients: 2,
    });
    server.take_output();
    server
}

/// What was said, and the mails that came of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    replies: String,
    mails: Vec<(String, Vec<String>, Vec<u8>)>,
    closed: bool,
}

/// Plays groups of input in pieces of `cut` bytes. `later` is a user who is refused for now.
fn play(server: &mut Server<String>, groups: &[&[u8]], cut: usize) -> Heard {
    let mut heard = Heard::default();
    for group in groups {
        for piece in group.chunks(cut) {
            server.receive(piece);
            answer(server, &mut heard);
        }
    }
    heard
}

fn answer(server: &mut Server<String>, heard: &mut Heard) {
    while let Some(ask) = server.advance() {
        match ask {
            Ask::Recipient { local, .. } => server.recipient(match local.as_str() {
                "nobody" => Err(Reply::new(550, "5.1.1", "no such user")),
                "later" => Err(Reply::new(451, "4.3.0", "later")),
                _ => Ok(local),
            }),
            Ask::Message { from, to, content } => {
                let lmtp = server.protocol() == Protocol::Lmtp;
                let times = if lmtp { to.len() } else { 1 };
                heard.mails.push((from, to, content));
                server.message(vec![Reply::taken(); times]);
            }
            Ask::StartTls => {
                heard.replies += &String::from_utf8(server.take_output()).expect("ASCII");
                server.encrypted();
            }
            Ask::Close => heard.closed = true,
        }
    }
    heard.replies += &String::from_utf8(server.take_output()).expect("ASCII");
}

fn codes(heard: &Heard) -> Vec<&str> {
    let last = |line: &&str| line.as_bytes().get(3) == Some(&b' ');
    heard
        .replies
        .lines()
        .filter(last)
        .map(|line| &line[..3])
        .collect()
}

fn said(lines: &[&str]) -> Heard {
    let mut heard = Heard::default();
    let mut server = server(Protocol::Smtp);
    for line in lines {
        server.receive(format!("{line}\r\n").as_bytes());
        answer(&mut server, &mut heard);
    }
    heard
}

const HELLO: &[u8] = b"EHLO peer.example\r\n";
const ENVELOPE: &[u8] =
    b"MAIL FROM:<a@peer.example> SIZE=10\r\nRCPT TO:<juliet@MAIL.example.org>\r\nDATA\r\n";

#[test]
fn a_mail_is_taken() {
    let groups = [HELLO, ENVELOPE, b"Subject: hi\r\n\r\n..\r\n.\r\nQUIT\r\n"];
    let heard = play(&mut server(Protocol::Smtp), &groups, 1000);
    assert_eq!(codes(&heard), ["250", "250", "250", "354", "250", "221"]);
    let mail = (
        "a@peer.example".to_owned(),
        vec!["juliet".to_owned()],
        b"Subject: hi\r\n\r\n.\r\n".to_vec(),
    );
    assert_eq!(heard.mails, [mail]);
    assert!(heard.closed);
    for extension in [
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "SIZE 1000",
        "STARTTLS",
        "ENHANCEDSTATUSCODES",
    ] {
        assert!(
            heard.replies.contains(extension),
            "{extension}: {}",
            heard.replies
        );
    }
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let groups: [&[u8]; 3] = [
        b"LHLO peer.example\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<a@mail.example.org>\r\nRCPT TO:<nobody@mail.example.org>\r\nRCPT TO:<b@mail.example.org>\r\nDATA\r\n",
        b"x: y\r\n\r\n.\r\n",
    ];
    let heard = play(&mut server(Protocol::Lmtp), &groups, 1000);
    assert_eq!(
        codes(&heard),
        ["250", "250", "250", "550", "250", "354", "250", "250"]
    );
    assert_eq!(heard.mails[0].1, ["a", "b"]);
    let bare = [groups[0], groups[1], b"x: y\n\r\n.\r\n"];
    let heard = play(&mut server(Protocol::Lmtp), &bare, 1000);
    assert_eq!(codes(&heard)[6..], ["550", "550"]);
}

#[test]
fn commands_out_of_order_and_bad_ones_are_refused() {
    let mail = "MAIL FROM:<a@peer.example>";
    let rcpt = "RCPT TO:<juliet@mail.example.org>";
    for (lines, code) in [
        (&[mail][..], "503"),
        (&["LHLO x"], "500"),
        (&["EHLO x", rcpt], "503"),
        (&["EHLO x", mail, mail], "503"),
        (&["EHLO x", mail, "DATA"], "503"),
        (&["EHLO x", mail, "RCPT TO:<a@peer.example>"], "550"),
        (
            &["EHLO x", mail, "RCPT TO:<a@peer.example@mail.example.org>"],
            "501",
        ),
        (
            &["EHLO x", mail, "RCPT TO:<nobody@mail.example.org>"],
            "550",
        ),
        (&["EHLO x", mail, "RCPT TO:<later@mail.example.org>"], "451"),
        (&["EHLO x", mail, rcpt, rcpt, rcpt], "452"),
        (&["EHLO x", mail, "RCPT TO:<Postmaster>"], "250"),
        (&["EHLO x", mail, "RCPT TO:<>"], "550"),
        (&["EHLO x", "MAIL FROM:<a@peer.example> SIZE=1001"], "552"),
        (
            &["EHLO x", "MAIL FROM:<a@peer.example> BODY=BINARYMIME"],
            "555",
        ),
        (
            &[
                "EHLO x",
                "MAIL FROM:<a@peer.example> BODY=8BITMIME SMTPUTF8",
            ],
            "250",
        ),
        (&["EHLO x", "MAIL FROM:<a@peer.example> COLOUR=RED"], "555"),
        (&["EHLO x", "MAIL FROM:<a b>"], "501"),
        (&["EHLO x", mail, "RSET", "DATA"], "503"),
        (&["EHLO x", mail, "EHLO x", rcpt], "503"),
        (&["EHLO x", mail, "STARTTLS", rcpt], "503"),
        (&["EHLO x", "STARTTLS", "EHLO x", "STARTTLS"], "502"),
        (&["EHLO x", "AUTH PLAIN AAAA"], "502"),
        (&["VRFY juliet"], "252"),
        (&["NOOP\u{1}"], "500"),
        (&["HELO x", "NOOP"], "250"),
        (&["GET / HTTP/1.1"], "500"),
    ] {
        let heard = said(lines);
        assert_eq!(
            codes(&heard).last(),
            Some(&code),
            "{lines:?}: {}",
            heard.replies
        );
        assert!(heard.mails.is_empty());
    }
}

#[test]
fn what_comes_before_it_was_asked_for_ends_the_connection() {
    for early in [
        &b"MAIL FROM:<a@peer.example>\r\nRCPT TO:<juliet@mail.example.org>\r\nDATA\r\nx: y\r\n.\r\nMAIL FROM:<b@peer.example>\r\n"[..],
        b"DATA\r\nMAIL FROM:<b@peer.example>\r\n",
        b"STARTTLS\r\nMAIL FROM:<b@peer.example>\r\n",
        b"BDAT 10\r\nMAIL FROM:<b@peer.example>\r\n",
    ] {
        let heard = play(&mut server(Protocol::Smtp), &[HELLO, early], 1000);
        assert!(heard.closed && heard.mails.is_empty(), "{heard:?}");
        assert_eq!(codes(&heard).last(), Some(&"503"));
    }
}

#[test]
fn a_mail_smuggled_into_another_is_refused_with_it() {
    let inner = "MAIL FROM:<evil@peer.example>\r\nRCPT TO:<juliet@mail.example.org>\r\nDATA\r\nx: y\r\n.\r\n";
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r\n.\r\r\n",
        "\r.\r",
        "\n\n.\n\n",
    ] {
        let content = format!("x: y\r\n\r\nhi{end}{inner}");
        let groups = [HELLO, ENVELOPE, content.as_bytes()];
        let heard = play(&mut server(Protocol::Smtp), &groups, 1000);
        assert_eq!(codes(&heard)[4..], ["550"], "{end:?}");
        assert!(heard.mails.is_empty(), "{end:?}");
    }
    let heard = play(
        &mut server(Protocol::Smtp),
        &[b"EHLO x\nMAIL FROM:<a@b>\r\n"],
        1000,
    );
    assert_eq!(codes(&heard), ["500", "503"]);
}

#[test]
fn limits_hold() {
    let mut large = vec![b'x'; 2000];
    large.extend_from_slice(b"\r\n.\r\nNOOP\r\n");
    let heard = play(&mut server(Protocol::Smtp), &[HELLO, ENVELOPE, &large], 100);
    assert_eq!(codes(&heard)[4..], ["552", "250"]);

    let heard = play(&mut server(Protocol::Smtp), &[&[b'x'; 5000]], 100);
    assert!(heard.closed);
    assert_eq!(codes(&heard), ["500"]);

    let heard = play(
        &mut server(Protocol::Smtp),
        &["what\r\n".repeat(50).as_bytes()],
        100,
    );
    assert_eq!(
        (codes(&heard).len(), codes(&heard).last()),
        (12, Some(&"421"))
    );
    assert!(heard.closed);

    let heard = play(
        &mut server(Protocol::Smtp),
        &["NOOP\r\n".repeat(500).as_bytes()],
        100,
    );
    assert!(heard.closed && codes(&heard).len() < 110);
}

proptest! {
    #[test]
    fn the_split_does_not_matter(
        cut in 1usize..60,
        lmtp in any::<bool>(),
        lines in proptest::collection::vec(prop_oneof![
            Just("MAIL FROM:<a@peer.example>\r\n"),
            Just("RCPT TO:<juliet@mail.example.org>\r\n"),
            Just("RCPT TO:<nobody@mail.example.org>\r\n"),
            Just("RSET\r\n"),
            Just("NOOP\n"),
            Just("NO\rOP\r\n"),
            Just("\u{e9}t\u{e9}\r\n"),
            Just("QUIT\r\n"),
        ], 0..12),
        content in "(\\.|\r\n|\r|\n|a){0,20}",
    ) {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let hello: &[u8] = if lmtp { b"LHLO x\r\n" } else { HELLO };
        let group = lines.concat() + "DATA\r\n";
        let content = content + "\r\n.\r\nNOOP\r\n";
        let groups = [hello, group.as_bytes(), content.as_bytes()];
        let whole = play(&mut server(protocol), &groups, usize::MAX);
        prop_assert_eq!(play(&mut server(protocol), &groups, cut), whole);
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 1usize..40) {
        let heard = play(&mut server(Protocol::Smtp), &[HELLO, &bytes, b"\r\n"], cut);
        prop_assert!(heard.mails.is_empty());
    }
}
