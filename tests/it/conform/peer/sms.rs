//! SMS: a carrier at the other end of a connection in memory (SMPP 3.4), which says what the last
//! digits of a number ask for.

use std::io;
use std::sync::Arc;

use isthmus_gateway::{Address, Gateway, Kind};
use isthmus_kit::dial::DialFn;
use isthmus_kit::{BoxedStream, Reach};
use isthmus_sms::Config;
use isthmus_test_support::inbox::Inbox;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use crate::conform::bench::{Bench, Post};

const OURS: &str = "+15551230000";

pub(in crate::conform) struct Sms {
    gateway: Arc<isthmus_sms::Sms>,
    arrived: Inbox<String>,
    /// Whether the carrier answers binds.
    open: watch::Sender<bool>,
}

impl Bench for Sms {
    const NAME: &'static str = "sms";
    const REGION: &'static str = "US";
    const AMBIGUOUS: bool = true;

    async fn start() -> Self {
        let arrived = Inbox::default();
        let open = watch::Sender::new(true);
        let (inbox, gate) = (arrived.clone(), open.subscribe());
        let dial = DialFn(
            move |_: &str, _: u16, _: Reach| -> io::Result<BoxedStream> {
                let (ours, stream) = tokio::io::duplex(1 << 16);
                let carrier = Carrier {
                    stream,
                    arrived: inbox.clone(),
                    open: gate.clone(),
                    last: 0,
                };
                tokio::spawn(carrier.serve());
                Ok(Box::new(ours))
            },
        );
        let config = Config::from_value(&json!({
            "carriers": { "one": {
                "host": "carrier.example", "system_id": "isthmus", "password": "secret",
                "response_timeout": 5,
            } },
            "lines": { OURS: { "users": ["juliet@example.org"], "open": true } },
        }));
        let config = config.expect("a sound configuration");
        Self {
            gateway: Arc::new(isthmus_sms::Sms::with_dial(config, Arc::new(dial))),
            arrived,
            open,
        }
    }

    fn gateway(&self) -> Arc<dyn Gateway> {
        self.gateway.clone()
    }

    fn addresses() -> Vec<Address> {
        let us = ";phone-context=ca-us.phone-context.soprani.ca";
        vec![
            Address::new(Kind::Gateway, "", ""),
            Address::new(Kind::Contact, "+14169938000", ""),
            Address::new(Kind::Contact, format!("33733{us}"), ""),
            Address::new(Kind::Contact, "ACME Bank", ""),
        ]
    }
}

fn number(last: &str) -> Address {
    Address::new(Kind::Contact, format!("+14169938{last}"), "")
}

impl Post for Sms {
    fn good() -> Address {
        number("000")
    }

    fn refused() -> Address {
        number("404")
    }

    fn bad() -> Address {
        Address::new(Kind::Contact, "ACME Bank", "")
    }

    fn doubled() -> Address {
        number("222")
    }

    fn stall(&self) -> Address {
        self.open.send_replace(false);
        number("001")
    }

    async fn release(&self) {
        self.open.send_replace(true);
    }

    fn arrived(&self) -> Option<Vec<String>> {
        Some(self.arrived.log())
    }
}

const BIND: u32 = 9;
const SUBMIT: u32 = 4;
const DELIVER: u32 = 5;
const RESPONSE: u32 = 0x8000_0000;
/// ESME_RINVDSTADR (§5.1.3).
const NO_SUCH_NUMBER: u32 = 0x0b;

/// One connection.
struct Carrier {
    stream: DuplexStream,
    arrived: Inbox<String>,
    open: watch::Receiver<bool>,
    last: u32,
}

impl Carrier {
    /// An error is its end.
    async fn serve(mut self) -> io::Result<()> {
        loop {
            let mut pdu = vec![0; self.stream.read_u32().await?.saturating_sub(4) as usize];
            self.stream.read_exact(&mut pdu).await?;
            let word = |at: usize| u32::from_be_bytes(pdu[at..at + 4].try_into().expect("four"));
            let (command, sequence) = (word(0), word(8));
            match command {
                BIND => {
                    // Nobody opens it any more only where the test is over.
                    let _ = self.open.wait_for(|open| *open).await;
                    self.say(command | RESPONSE, 0, sequence, b"carrier\0")
                        .await?;
                }
                SUBMIT => self.submitted(&pdu[12..], sequence).await?,
                _ if command < RESPONSE => {
                    self.say(command | RESPONSE, 0, sequence, b"").await?;
                }
                _ => {}
            }
        }
    }

    async fn say(
        &mut self,
        command: u32,
        status: u32,
        sequence: u32,
        body: &[u8],
    ) -> io::Result<()> {
        let length = u32::try_from(16 + body.len()).expect("a short one");
        let words = [length, command, status, sequence].map(u32::to_be_bytes);
        self.stream
            .write_all(&[words.as_flattened(), body].concat())
            .await
    }

    async fn submitted(&mut self, body: &[u8], sequence: u32) -> io::Result<()> {
        let (destination, text) = read(body);
        if destination.ends_with("404") {
            return self
                .say(SUBMIT | RESPONSE, NO_SUCH_NUMBER, sequence, b"\0")
                .await;
        }
        self.arrived.push(text);
        self.last += 1;
        let id = format!("m{}", self.last);
        let answer = format!("{id}\0");
        self.say(SUBMIT | RESPONSE, 0, sequence, answer.as_bytes())
            .await?;
        if !destination.ends_with("222") {
            return Ok(());
        }
        self.say(SUBMIT | RESPONSE, 0, sequence, answer.as_bytes())
            .await?;
        for (id, state) in [
            (id.as_str(), "DELIVRD"),
            (id.as_str(), "ACCEPTD"),
            (id.as_str(), "DELIVRD"),
            ("m999", "UNDELIV"),
        ] {
            self.receipt(&destination, id, state).await?;
        }
        Ok(())
    }

    async fn receipt(&mut self, from: &str, id: &str, state: &str) -> io::Result<()> {
        let text = format!("id:{id} sub:001 dlvrd:001 stat:{state} err:000 text:");
        let us = OURS.trim_start_matches('+');
        let mut body = format!("\0\x01\x01{from}\0\x01\x01{us}\0\x04\0\0\0\0\0\0\0\0").into_bytes();
        body.push(u8::try_from(text.len()).expect("a short one"));
        body.extend_from_slice(text.as_bytes());
        self.last += 1000;
        self.say(DELIVER, 0, self.last, &body).await
    }
}

/// The destination and the text of a `submit_sm` (§4.4.1).
fn read(body: &[u8]) -> (String, String) {
    let mut rest = body;
    let mut octets = |count: usize| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken.to_vec()
    };
    let mut word = |before: usize| {
        octets(before);
        let mut text = Vec::new();
        loop {
            match octets(1)[0] {
                0 => return String::from_utf8_lossy(&text).into_owned(),
                octet => text.push(octet),
            }
        }
    };
    word(0);
    word(2);
    let destination = word(2);
    // esm_class, protocol_id, priority_flag; then the two times.
    word(3);
    word(0);
    let length = octets(5)[4];
    let text = octets(usize::from(length));
    (destination, String::from_utf8_lossy(&text).into_owned())
}
