//! Email: a mail server that says what the recipient's name asks for.

use std::sync::Arc;

use isthmus_gateway::{Address, Gateway, Kind};
use isthmus_smtp::Config;
use isthmus_test_support::inbox::Inbox;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::conform::bench::{Bench, Post};

pub(in crate::conform) struct Smtp {
    gateway: Arc<isthmus_smtp::Smtp>,
    arrived: Inbox<String>,
    /// Whether the server greets.
    open: watch::Sender<bool>,
}

impl Bench for Smtp {
    const NAME: &'static str = "smtp";

    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a loopback port");
        let port = listener.local_addr().expect("a bound port").port();
        let arrived = Inbox::default();
        let open = watch::Sender::new(true);
        let one = One {
            arrived: arrived.clone(),
            open: open.subscribe(),
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(one.clone().serve(socket));
            }
        });
        let smarthost = format!("localhost:{port}");
        let config = json!({"smarthost": smarthost, "tls": "off", "timeout": 10});
        let config = Config::from_value(&config).expect("good settings");
        Self {
            gateway: Arc::new(isthmus_smtp::Smtp::new(config, "mail.example.org")),
            arrived,
            open,
        }
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.gateway.clone()
    }

    fn addresses() -> Vec<Address> {
        vec![
            Address::new(Kind::Gateway, "", ""),
            Address::new(Kind::Contact, "alice@peer.example", ""),
            Address::new(Kind::Contact, "a.b+c@b\u{fc}cher.example", ""),
        ]
    }
}

fn mailbox(name: &str) -> Address {
    Address::new(Kind::Contact, format!("{name}@peer.example"), "")
}

impl Post for Smtp {
    fn good() -> Address {
        mailbox("alice")
    }

    fn refused() -> Address {
        mailbox("refused")
    }

    fn bad() -> Address {
        Address::new(Kind::Contact, "no address", "")
    }

    fn doubled() -> Address {
        mailbox("doubled")
    }

    fn stall(&self) -> Address {
        self.open.send_replace(false);
        mailbox("bob")
    }

    async fn release(&self) {
        self.open.send_replace(true);
    }

    fn arrived(&self) -> Option<Vec<String>> {
        Some(self.arrived.log())
    }
}

#[derive(Clone)]
struct One {
    arrived: Inbox<String>,
    open: watch::Receiver<bool>,
}

impl One {
    /// One connection; an error is its end.
    async fn serve(mut self, socket: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(socket);
        self.open.wait_for(|open| *open).await.ok()?;
        say(&mut stream, "220 peer").await?;
        let mut to = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let verb = line.split([' ', ':', '\r']).next().unwrap_or_default();
            let answer = match verb {
                "EHLO" => "250-peer\r\n250 8BITMIME",
                "RCPT" => {
                    to = line;
                    "250 2.1.5 ok"
                }
                "DATA" => {
                    say(&mut stream, "354 go").await?;
                    self.content(&mut stream).await?;
                    if to.contains("<doubled@") {
                        "250 2.0.0 ok\r\n250 2.0.0 ok"
                    } else if to.contains("<refused@") {
                        "554 5.7.1 not wanted"
                    } else {
                        "250 2.0.0 ok"
                    }
                }
                "QUIT" => "221 bye",
                _ => "250 2.0.0 ok",
            };
            say(&mut stream, answer).await?;
        }
    }

    async fn content(&self, stream: &mut BufReader<TcpStream>) -> Option<()> {
        let mut mail = String::new();
        while !mail.ends_with("\r\n.\r\n") {
            if stream.read_line(&mut mail).await.ok()? == 0 {
                return None;
            }
        }
        self.arrived.push(mail);
        Some(())
    }
}

async fn say(stream: &mut BufReader<TcpStream>, text: &str) -> Option<()> {
    let text = format!("{text}\r\n");
    stream.write_all(text.as_bytes()).await.ok()
}
