//! The supports work, before any product does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Instant;

use isthmus_test_support::{XmppClient, irc_client, irc_server, mail, xmpp_server};
use sha1::{Digest, Sha1};

use irc_client::IrcClient;
use xmpp_server::XmppServer;

/// Attaches to the server as a component (XEP-0114) and answers every ping, until cut off.
fn attach_component(server: &dyn XmppServer, domain: &str) {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.component_port())).unwrap();
    let open = format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
    );
    socket.write_all(open.as_bytes()).unwrap();
    let header = read_until(&mut socket, |text| {
        text.find("<stream:stream")
            .is_some_and(|at| text[at..].contains('>'))
    });
    let id = attribute(&header[header.find("<stream:stream").unwrap()..], "id");
    let digest: String = Sha1::digest(format!("{id}{}", server.secret()))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    socket
        .write_all(format!("<handshake>{digest}</handshake>").as_bytes())
        .unwrap();
    let mut text = read_until(&mut socket, |text| {
        text.contains("</handshake>") || text.contains("<handshake/>")
    });
    thread::spawn(move || {
        loop {
            while let Some(end) = text.find("</iq>") {
                let iq = &text[text.find("<iq").unwrap()..end];
                let of = |name| attribute(iq, name);
                let (to, from, id) = (of("from"), of("to"), of("id"));
                let pong = format!("<iq type='result' from='{from}' to='{to}' id='{id}'/>");
                socket.write_all(pong.as_bytes()).unwrap();
                text.drain(..end + "</iq>".len());
            }
            let Some(more) = try_read_until(&mut socket, |more| !more.is_empty()) else {
                return;
            };
            text.push_str(&more);
        }
    });
}

fn read_until(socket: &mut TcpStream, done: impl Fn(&str) -> bool) -> String {
    try_read_until(socket, done).expect("the server keeps the stream")
}

fn try_read_until(socket: &mut TcpStream, done: impl Fn(&str) -> bool) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !done(&text) {
        let count = socket.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return None;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    Some(text)
}

fn attribute(element: &str, name: &str) -> String {
    let quoted = element.split(&format!(" {name}=")).nth(1).unwrap();
    let quote = quoted.chars().next().unwrap();
    quoted[1..].split(quote).next().unwrap().to_owned()
}

async fn xmpp_server_works(kind: xmpp_server::Kind) {
    let start = Instant::now();
    let mut server = kind.start();
    eprintln!("{kind:?} is up after {:?}", start.elapsed());
    server.add_user("juliet", "pw");
    server.add_user("romeo", "pw");
    let juliet = XmppClient::login(&*server, "juliet", "pw", "balcony").await;
    let mut romeo = XmppClient::login(&*server, "romeo", "pw", "orchard").await;
    assert_eq!(juliet.jid(), "juliet@localhost/balcony");
    juliet.available();
    romeo.available();
    let id = juliet.chat(romeo.jid(), "wherefore <art> thou & why?");
    let heard = romeo
        .expect(|s| s.is_message("chat", "wherefore <art> thou & why?"))
        .await;
    assert_eq!((heard.from(), heard.id()), (juliet.jid(), id.as_str()));

    for domain in xmpp_server::COMPONENTS {
        attach_component(&*server, domain);
        let pong = juliet
            .iq("get", domain, "<ping xmlns='urn:xmpp:ping'/>")
            .await;
        assert_eq!((pong.type_(), pong.from()), ("result", domain));
    }
    let unclaimed = juliet.collect("irc.localhost").await;
    assert!(
        unclaimed
            .iter()
            .all(|s| s.kind() != "iq" || s.type_() != "result")
    );

    romeo.abort().await;
    romeo.reconnect().await;
    romeo.chat(juliet.jid(), "it is I");
    juliet.expect(|s| s.is_message("chat", "it is I")).await;

    server.kill_hard();
    romeo.disconnected().await;
    server.restart();
    romeo.reconnect().await;
    let pong = romeo
        .iq("get", romeo.bare_jid(), "<ping xmlns='urn:xmpp:ping'/>")
        .await;
    assert!(matches!(pong.type_(), "result" | "error"));
    eprintln!("{kind:?} is done after {:?}", start.elapsed());
}

#[tokio::test]
async fn prosody_serves_users_and_components() {
    xmpp_server_works(xmpp_server::Kind::Prosody).await;
}

#[tokio::test]
async fn ejabberd_serves_users_and_components() {
    xmpp_server_works(xmpp_server::Kind::Ejabberd).await;
}

#[tokio::test]
async fn jabberd2_serves_users_and_components() {
    xmpp_server_works(xmpp_server::Kind::Jabberd2).await;
}

#[tokio::test]
async fn a_wrong_password_does_not_log_in() {
    let server = xmpp_server::Prosody::start_with(&xmpp_server::COMPONENTS);
    server.add_user("juliet", "pw");
    let login = XmppClient::try_login(server.c2s_port(), "juliet@localhost/x", "wrong").await;
    assert!(login.is_err());
}

#[tokio::test]
async fn a_client_enters_a_room_talks_and_leaves() {
    let server = xmpp_server::Prosody::start_with(&xmpp_server::COMPONENTS);
    server.add_user("juliet", "pw");
    server.add_user("romeo", "pw");
    let juliet = XmppClient::login(&server, "juliet", "pw", "balcony").await;
    let romeo = XmppClient::login(&server, "romeo", "pw", "orchard").await;
    let room = format!("garden@{}", xmpp_server::ROOMS);
    let ours = juliet.join(&room, "juliet").await;
    assert_eq!(ours.from(), format!("{room}/juliet"));
    assert!(ours.status_codes().contains(&110));
    romeo.send_join(&room, "juliet", "");
    let refused = romeo
        .try_entered(&room, isthmus_test_support::DEADLINE)
        .await;
    assert!(refused.unwrap_err().contains("conflict"));
    romeo.join(&room, "romeo").await;
    let id = romeo.groupchat(&room, "hello <all>");
    let heard = juliet
        .expect(|s| s.is_message("groupchat", "hello <all>"))
        .await;
    assert_eq!(
        (heard.id(), heard.from()),
        (id.as_str(), &*format!("{room}/romeo"))
    );
    romeo.leave(&room, "romeo");
    juliet
        .expect(|s| s.type_() == "unavailable" && s.from().ends_with("/romeo"))
        .await;
    let nobody = juliet
        .iq(
            "get",
            &format!("{room}/romeo"),
            "<ping xmlns='urn:xmpp:ping'/>",
        )
        .await;
    assert_eq!(nobody.error_condition(), "item-not-found");
}

async fn irc_server_works(kind: irc_server::Kind) {
    let start = Instant::now();
    let mut server = kind.start();
    let alice = IrcClient::connect(server.port(), "alice").await;
    let bob = IrcClient::connect(server.port(), "bob").await;
    alice.join("#garden").await;
    bob.join("#garden").await;
    alice
        .expect(|line| line.is("JOIN", &["#garden"]) && line.nick() == "bob")
        .await;
    for number in 0..50 {
        alice.privmsg("#garden", &format!("line {number}"));
    }
    bob.expect(|line| line.is("PRIVMSG", &["#garden", "line 49"]) && line.nick() == "alice")
        .await;
    assert!(
        bob.collect()
            .await
            .iter()
            .any(|line| line.last() == "line 7")
    );

    alice.oper().await;
    alice.send("KILL bob :enough");
    bob.expect(|line| line.command == "ERROR").await;
    assert_ne!(server.tls_port(), server.port());
    assert!(server.authority().is_file());

    server.kill_hard();
    server.restart();
    let again = IrcClient::connect(server.port(), "alice").await;
    again.join("#garden").await;
    eprintln!("{kind:?} is done after {:?}", start.elapsed());
}

#[tokio::test]
async fn ngircd_carries_a_conversation() {
    irc_server_works(irc_server::Kind::Ngircd).await;
}

#[tokio::test]
async fn inspircd_carries_a_conversation() {
    irc_server_works(irc_server::Kind::Inspircd).await;
}

#[tokio::test]
async fn inspircd_with_atheme_carries_a_conversation() {
    irc_server_works(irc_server::Kind::Atheme).await;
}

#[tokio::test]
async fn ircd_hybrid_carries_a_conversation() {
    irc_server_works(irc_server::Kind::Hybrid).await;
}

#[test]
fn postfix_delivers_and_swaks_is_told_who_is_unknown() {
    let back = mail::Back::Smtp(1);
    let postfix = mail::Postfix::start("gateway.example", back);
    let letter = "From: <bob@peer.example>\nSubject: hello\n\nhi\n";
    let alice = format!("alice@{}", mail::PEER);
    postfix
        .submit("bob@peer.example", &alice, letter)
        .expect("taken");
    postfix.wait_for_mail(|mail| mail.contains("Subject: hello"));
    let nobody = format!("nobody@{}", mail::PEER);
    let refused = postfix.submit("bob@peer.example", &nobody, letter);
    assert!(
        refused.is_err_and(|words| words.contains("550 5.1.1")),
        "{}",
        postfix.log()
    );
}
