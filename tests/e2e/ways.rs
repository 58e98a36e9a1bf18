//! The way from the program to an IRC server: the address it comes from, who it says is behind a
//! connection (RFC 1413), and a SOCKS5 proxy (RFC 1928). The ends are played here, the program and
//! the XMPP server are real.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use isthmus_test_support::XmppClient;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::talker::{CHANNEL, ROOM};
use crate::world::{IRC, PATIENCE, World, error_text, irc_gateway_at, presence_of};

/// Where the program is to come from: not where it would by itself.
const BOUND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A gateway with keys of its own and the network at that address.
fn gateway(keys: &str, network: &str) -> String {
    let tables = irc_gateway_at(network, "tls = \"off\"");
    tables.replace(
        "\n[gateway.irc.networks",
        &format!("{keys}\n\n[gateway.irc.networks"),
    )
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// Juliet wants into a room, so that the program connects.
async fn wants(world: &World) -> XmppClient {
    let juliet = world.user("juliet").await;
    world.attached(&juliet, IRC).await;
    juliet.send_join(ROOM, "juliet", "");
    juliet
}

async fn comes(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let came = timeout(PATIENCE, listener.accept()).await;
    came.expect("in time").expect("a connection")
}

/// The first line that begins so.
async fn hears(lines: &mut BufReader<TcpStream>, beginning: &str) -> String {
    loop {
        let mut line = String::new();
        let read = timeout(PATIENCE, lines.read_line(&mut line)).await;
        let read = read.expect("in time").expect("a line");
        assert!(read > 0, "the connection ended before {beginning}");
        if line.starts_with(beginning) {
            return line.trim_end().to_owned();
        }
    }
}

/// What the ident server answers to who asks from that address.
async fn asks(identd: u16, from: IpAddr, question: &str) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(from, 0)).expect("loopback");
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, identd));
    let mut stream = socket.connect(to).await.expect("it listens");
    let question = format!("{question}\r\n");
    stream.write_all(question.as_bytes()).await.expect("asked");
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.expect("in time").expect("answered");
    answer.trim_end().to_owned()
}

#[tokio::test]
async fn ways_begin_at_the_bound_address_and_only_the_server_learns_whose_they_are() {
    let (server, port) = listener().await;
    let (free, identd) = listener().await;
    drop(free);
    let keys = format!("bind = \"{BOUND}\"\nidentd = \"127.0.0.1:{identd}\"");
    let world = World::start(Xmpp::Prosody, &gateway(&keys, &format!("127.0.0.1:{port}")));
    let _juliet = wants(&world).await;
    let (stream, from) = comes(&server).await;
    assert_eq!(from.ip(), BOUND);
    let mut lines = BufReader::new(stream);
    let user = hears(&mut lines, "USER ").await;
    let ident = user.split(' ').nth(1).expect("a user name").to_owned();
    let question = format!("{}, {port}", from.port());
    let told = asks(identd, IpAddr::V4(Ipv4Addr::LOCALHOST), &question).await;
    assert_eq!(told, format!("{},{port}:USERID:UNIX:{ident}", from.port()));
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let told = asks(identd, elsewhere, &question).await;
    assert_eq!(told, format!("{},{port}:ERROR:NO-USER", from.port()));
}

#[tokio::test]
async fn ways_through_a_proxy_leave_names_to_it_and_carry_the_conversation() {
    let (proxy, port) = listener().await;
    let keys = format!("proxy = \"127.0.0.1:{port}\"");
    let world = World::start(Xmpp::Prosody, &gateway(&keys, "irc.hidden.example:6667"));
    let juliet = wants(&world).await;
    let (mut stream, _) = comes(&proxy).await;
    // RFC 1928 §3: version, the methods it can.
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await.expect("a greeting");
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await.expect("methods");
    assert!(greeting[0] == 5 && methods.contains(&0), "{methods:?}");
    stream.write_all(&[5, 0]).await.expect("said");
    // §4: connect to a name.
    let mut request = [0; 5];
    stream.read_exact(&mut request).await.expect("a request");
    assert_eq!(request[..4], [5, 1, 0, 3], "the name is not looked up here");
    let mut name = vec![0; usize::from(request[4]) + 2];
    stream.read_exact(&mut name).await.expect("a name");
    let to = name.split_at(name.len() - 2);
    assert_eq!(
        to,
        (&b"irc.hidden.example"[..], &6667_u16.to_be_bytes()[..])
    );
    let done = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    stream.write_all(&done).await.expect("said");

    let mut lines = BufReader::new(stream);
    hears(&mut lines, "USER ").await;
    let welcome = ":irc.hidden.example CAP * LS :\r\n:irc.hidden.example 001 juliet :Welcome\r\n\
                   :irc.hidden.example 422 juliet :No words\r\n";
    let stream = lines.get_mut();
    stream.write_all(welcome.as_bytes()).await.expect("said");
    hears(&mut lines, &format!("JOIN {CHANNEL}")).await;
    let closed = format!(":irc.hidden.example 471 juliet {CHANNEL} :It is full\r\n");
    let stream = lines.get_mut();
    stream.write_all(closed.as_bytes()).await.expect("said");
    let occupant = format!("{ROOM}/juliet");
    let refused = juliet.expect(presence_of(&occupant, "error")).await;
    assert_eq!(error_text(&refused), "It is full");
}
