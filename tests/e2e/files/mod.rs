//! Files in live conversations, through the file service of each XMPP server that has one.

use std::time::Duration;

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::port::Port;
use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{IrcClient, Stanza, XmppClient, paths};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{IRC, LOOP, LOOP_GATEWAY, World, irc_gateway};

const ROOM: &str = "#garden@loop.localhost";
const ECHO: &str = "echo@loop.localhost";
/// The plugin beside this file.
const MIRROR: &str = "mirror.localhost";
const PERSON: &str = "mirror@mirror.localhost";
const TRUST: &str = "[attachments]\ntrusted = [\"127.0.0.1\"]\n";
/// A file that is no text.
const FILE: &[u8] = b"\x89PNG\r\n\x1a\n\xff\0";

/// Asks a server of plain HTTP on loopback; head and body of its answer.
pub(crate) async fn http(method: &str, url: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (authority, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(authority).await.expect("it listens");
    let size = body.len();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Length: {size}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    stream.write_all(body).await.expect("it reads");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    read.expect("an answer in time").expect("an answer");
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
    let end = end.expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    (head, answer.split_off(end + 4))
}

/// Juliet puts a picture where her server keeps such, as her client does (XEP-0363).
pub(crate) async fn upload(juliet: &XmppClient, name: &str, file: &[u8]) -> String {
    let size = file.len();
    let request = format!(
        "<request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='{size}' \
         content-type='image/png'/>"
    );
    let slot = juliet.iq("get", "upload.localhost", &request).await;
    assert_eq!(slot.type_(), "result", "{slot:?}");
    let slot = slot.child("slot").expect("a slot");
    let url = |name| slot.child(name).expect("a URL").attr("url").to_owned();
    let put = slot.child("put").expect("a URL");
    let headers: String = put
        .children_named("header")
        .map(|it| format!("{}: {}\r\n", it.attr("name"), it.text))
        .collect();
    let headers = format!("Content-Type: image/png\r\n{headers}");
    let (head, _) = http("PUT", &url("put"), &headers, file).await;
    assert!(head.starts_with("HTTP/1.1 20"), "{head}");
    url("get")
}

/// Shares a file as clients do; its link.
async fn share(juliet: &XmppClient, kind: &str, to: &str, caption: &str) -> String {
    let url = upload(juliet, "tulip.png", FILE).await;
    let oob = format!("<x xmlns='jabber:x:oob'><url>{url}</url></x>");
    let text = match caption {
        "" => url.clone(),
        caption => format!("{caption}\n{url}"),
    };
    juliet.message_with(kind, to, &text, &oob);
    url
}

/// Hears a file from there that is another copy than `shared`; its bytes.
async fn hears_file(juliet: &XmppClient, from: &str, shared: &str) -> Vec<u8> {
    let bears = |s: &Stanza| s.from() == from && s.find("file-sharing", "urn:xmpp:sfs:0").is_some();
    let file = juliet.expect(bears).await;
    let url = file.body().to_owned();
    assert_ne!(url, shared, "a copy of its own");
    let oob = file.find("x", "jabber:x:oob").expect("a link");
    assert_eq!(oob.text_of("url"), url, "{file:?}");
    assert!(file.find("fallback", "urn:xmpp:fallback:0").is_some());
    let (head, bytes) = http("GET", &url, "", b"").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    bytes
}

async fn both_ways(kind: Kind) {
    let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/files/mirror.py");
    let toml = format!(
        "[gateway.mirror]\nkind = \"exec\"\ndomain = \"{MIRROR}\"\nallow = [\"localhost\"]\n\
         exec = [\"{}\", \"{plugin}\"]\n",
        paths::need("usr/bin/python3").display()
    );
    let toml = format!("{LOOP_GATEWAY}{toml}{TRUST}");
    let world = World::around(kind.start_with_upload(&[LOOP, MIRROR]), &toml);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    world.attached(&juliet, MIRROR).await;

    juliet.join(ROOM, "juliet").await;
    let url = share(&juliet, "groupchat", ROOM, "look").await;
    let echo = format!("{ROOM}/echo");
    juliet
        .expect(|s| s.from() == echo && s.is_message("groupchat", "look"))
        .await;
    assert_eq!(hears_file(&juliet, &echo, &url).await, FILE);

    let url = share(&juliet, "chat", ECHO, "").await;
    assert_eq!(hears_file(&juliet, ECHO, &url).await, FILE);

    let url = share(&juliet, "chat", PERSON, "turn it").await;
    juliet.expect(|s| s.is_message("chat", "turn it")).await;
    let mut turned = hears_file(&juliet, PERSON, &url).await;
    turned.reverse();
    assert_eq!(turned, FILE);
}

/// The service admits one address of ours, and not our domain.
async fn as_the_contact(kind: Kind) {
    let server = kind.start_with_upload_of(&[LOOP], &[ECHO]);
    let world = World::around(server, &format!("{LOOP_GATEWAY}{TRUST}"));
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    for kind in ["chat", "groupchat"] {
        let (to, from) = match kind {
            "chat" => (ECHO, ECHO.to_owned()),
            _ => (ROOM, format!("{ROOM}/echo")),
        };
        if kind == "groupchat" {
            juliet.join(ROOM, "juliet").await;
        }
        let url = share(&juliet, kind, to, "").await;
        assert_eq!(hears_file(&juliet, &from, &url).await, FILE);
    }
}

#[tokio::test]
async fn prosodys_file_service_may_admit_a_contact_and_not_the_gateway() {
    as_the_contact(Kind::Prosody).await;
}

#[tokio::test]
async fn ejabberds_file_service_may_admit_a_contact_and_not_the_gateway() {
    as_the_contact(Kind::Ejabberd).await;
}

#[tokio::test]
async fn who_unregisters_takes_his_files_with_him() {
    let port = Port::reserve();
    let ours = format!("http://127.0.0.1:{}/f", port.number());
    let toml = format!(
        "{LOOP_GATEWAY}register = true\n[attachments]\ntrusted = [\"127.0.0.1\"]\n\
         listen = \"{}\"\npublic_url = \"{ours}\"\n",
        port.address()
    );
    // The users' service does not admit us: files are at our own.
    let world = World::around(Kind::Prosody.start_with_upload_of(&[LOOP], &[]), &toml);
    let (juliet, romeo) = (world.user("juliet").await, world.user("romeo").await);
    world.attached(&juliet, LOOP).await;
    let register = "<query xmlns='jabber:iq:register'><nick>jule</nick></query>";
    let done = juliet.iq("set", LOOP, register).await;
    assert_eq!(done.type_(), "result", "{done:?}");
    let mut copies = Vec::new();
    for (user, file) in [(&juliet, FILE), (&romeo, b"another's")] {
        let url = upload(user, "a.png", file).await;
        let oob = format!("<x xmlns='jabber:x:oob'><url>{url}</url></x>");
        user.message_with("chat", ECHO, &url, &oob);
        let copy = user.expect(|s| s.body().starts_with(&ours)).await;
        copies.push(copy.body().to_owned());
    }
    for url in &copies {
        let (head, _) = http("GET", url, "", b"").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    let done = juliet.iq("set", LOOP, remove).await;
    assert_eq!(done.type_(), "result", "{done:?}");
    for (url, status) in copies.iter().zip(["404", "200"]) {
        let (head, _) = http("GET", url, "", b"").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
}

/// A long text to IRC, on a server with a file service and without our own.
async fn pastes(kind: Kind) {
    let irc = Irc::Ngircd.start();
    let server = kind.start_with_upload(&[IRC]);
    let world = World::around(server, &format!("{}{TRUST}", irc_gateway(&*irc)));
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join("#garden").await;
    let juliet = world.user("juliet").await;
    world.attached(&juliet, IRC).await;
    let room = "#garden%local@irc.localhost";
    juliet.join(room, "juliet").await;
    let long = "one\ntwo\nthree\nfour\nfive\n\u{1f339}";
    juliet.groupchat(room, long);
    juliet.groupchat(room, "behind it");
    let line = alice.expect(|line| line.command == "PRIVMSG").await;
    let url = line.last().strip_prefix("one [6 lines: ");
    let url = url.and_then(|it| it.strip_suffix(']'));
    let url = url.unwrap_or_else(|| panic!("a link: {line:?}"));
    let (head, bytes) = http("GET", url, "", b"").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(String::from_utf8_lossy(&bytes), long);
    let line = alice.expect(|line| line.command == "PRIVMSG").await;
    assert_eq!(line.last(), "behind it");
}

#[tokio::test]
async fn a_long_paste_is_put_at_prosodys_file_service() {
    pastes(Kind::Prosody).await;
}

#[tokio::test]
async fn a_long_paste_is_put_at_ejabberds_file_service() {
    pastes(Kind::Ejabberd).await;
}

#[tokio::test]
async fn files_of_rooms_and_chats_go_through_prosodys_file_service_both_ways() {
    both_ways(Kind::Prosody).await;
}

#[tokio::test]
async fn files_of_rooms_and_chats_go_through_ejabberds_file_service_both_ways() {
    both_ways(Kind::Ejabberd).await;
}
