//! A probe with nothing between: an XMPP server of a few lines, because real ones turn a carriage
//! return into a line end before a component sees it.

use std::time::Duration;

use isthmus_test_support::Biboumi;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Seen;
use super::bench::{NETWORK, Which, gateway_at};
use super::ircd::Ircd;
use crate::world::{IRC, PATIENCE, config_at, isthmus};

const SECRET: &str = "of-the-component";
const USER: &str = "juliet@localhost/raw";

/// The server's end of the component's stream.
struct Stream {
    socket: TcpStream,
    read: String,
}

impl Stream {
    /// Takes the handshake, whatever it is.
    async fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = listener.accept().await.expect("a component");
        let read = String::new();
        let mut this = Self { socket, read };
        this.until("to=").await;
        this.say(&format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' id='x' from='{IRC}'>"
        ))
        .await;
        this.until("</handshake>").await;
        this.say("<handshake/>").await;
        this
    }

    async fn say(&mut self, xml: &str) {
        self.socket
            .write_all(xml.as_bytes())
            .await
            .expect("written");
    }

    /// What stands before `word`, once it has come.
    async fn until(&mut self, word: &str) -> String {
        let all = async {
            loop {
                if let Some((before, behind)) = self.read.split_once(word) {
                    let (before, behind) = (before.to_owned(), behind.to_owned());
                    self.read = behind;
                    return before;
                }
                let mut bytes = vec![0; 4096];
                let read = self.socket.read(&mut bytes).await.expect("readable");
                assert!(read > 0, "the stream ended before {word}");
                self.read.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        };
        let patience = tokio::time::timeout(PATIENCE, all).await;
        patience.unwrap_or_else(|_| panic!("{word} does not come"))
    }

    async fn set_port(&mut self, port: u16) {
        let to = format!("{NETWORK}@{IRC}");
        let command = "xmlns='http://jabber.org/protocol/commands' node='configure'";
        self.say(&format!(
            "<iq type='set' id='c1' from='{USER}' to='{to}'><command {command} action='execute'/></iq>"
        ))
        .await;
        self.until("sessionid='").await;
        let session = self.until("'").await;
        self.say(&format!(
            "<iq type='set' id='c2' from='{USER}' to='{to}'><command {command} sessionid='{session}' \
             action='complete'><x xmlns='jabber:x:data' type='submit'><field var='ports'>\
             <value>{port}</value></field><field var='tls_ports'/></x></command></iq>"
        ))
        .await;
        self.until("completed").await;
    }
}

pub(super) async fn carriage_return(which: Which) -> Seen {
    let ircd = Ircd::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let gateway = gateway_at(ircd.port());
    let (_one, _other);
    match which {
        Which::Biboumi => _one = Biboumi::start_at(port, SECRET, IRC),
        Which::Isthmus => _other = isthmus(&config_at(port, SECRET, "info", &gateway)),
    }
    let mut stream = Stream::accept(&listener).await;
    if which == Which::Biboumi {
        stream.set_port(ircd.port()).await;
    }
    let room = format!("#return%{NETWORK}@{IRC}");
    stream
        .say(&format!(
            "<presence from='{USER}' to='{room}/juliet'>\
             <x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ))
        .await;
    stream.until("<subject").await;
    stream
        .say(&format!(
            "<message type='groupchat' id='m' from='{USER}' to='{room}'><body>one&#13;QUIT</body></message>"
        ))
        .await;
    let line = ircd
        .hears("PRIVMSG #return ", Duration::from_secs(10))
        .await;
    match line {
        Some(line) if line.contains(&b'\r') => Seen::new(
            false,
            "it stands in the line: servers that end lines there obey the rest",
        ),
        Some(_) => Seen::new(true, "it does not"),
        None => Seen::new(false, "nothing is sent"),
    }
}
