//! A long paste to a network without lines becomes one line with a link, and all of it is there.

use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::port::Port;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, XmppClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{IRC, World, irc_gateway};

const CHANNEL: &str = "#garden";
const ROOM: &str = "#garden%local@irc.localhost";

async fn enter(world: &World) -> XmppClient {
    let juliet = world.user("juliet").await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    juliet
}

#[tokio::test]
async fn a_long_paste_to_irc_is_one_line_with_a_link_to_all_of_it() {
    let (irc, port) = (Irc::Ngircd.start(), Port::reserve());
    let base = format!("http://127.0.0.1:{}/f", port.number());
    let files = format!(
        "[attachments]\nlisten = \"{}\"\npublic_url = \"{base}\"\npaste_lines = 3\n",
        port.address()
    );
    let world = World::start(Xmpp::Prosody, &(irc_gateway(&*irc) + &files));
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join(CHANNEL).await;
    let juliet = enter(&world).await;

    let short = "one\ntwo\nthree";
    juliet.groupchat(ROOM, short);
    let long = "fn main() {\n    // \u{e4}\n    todo!()\n}\n";
    juliet.groupchat(ROOM, long);
    juliet.groupchat(ROOM, "behind it");
    alice.expect(|line| line.last() == "behind it").await;
    let said: Vec<String> = alice
        .log()
        .iter()
        .filter(|line| line.command == "PRIVMSG")
        .map(|line| line.last().to_owned())
        .collect();
    assert_eq!(said[..3], ["one", "two", "three"], "{said:?}");
    assert_eq!(said.len(), 5, "one line, in its place: {said:?}");
    let rest = said[3].strip_prefix("fn main() { [4 lines: ");
    let url = rest.and_then(|rest| rest.strip_suffix(']'));
    let url = url.unwrap_or_else(|| panic!("a link: {said:?}"));

    let path = url.strip_prefix("http://127.0.0.1:").expect("our server");
    let path = &path[path.find('/').expect("a path")..];
    let mut stream = TcpStream::connect(port.address())
        .await
        .expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.to_lowercase()
            .contains("content-type: text/plain; charset=utf-8"),
        "{head}"
    );
    assert_eq!(body.trim_end(), long.trim_end());
}
