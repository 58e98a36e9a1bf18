//! What the wire costs without a wire: CPU time of single steps, in this process.
//!
//! Each step runs for a while; the best of several rounds counts, because the machine only ever
//! adds to it. Nothing is asserted.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use isthmus::xmpp::{Element, Frame, Limits, Sender, Splitter, StanzaName, write};

/// A message as a server delivers it to a component.
const MESSAGE: &str = "<message from='juliet@example.org/balcony' to='#garden%net@irc.example.org' \
    type='groupchat' id='a1b2c3d4'><body>the quick brown fox jumps over the lazy dog</body>\
    <origin-id xmlns='urn:xmpp:sid:0' id='a1b2c3d4'/></message>";
/// What the server says first.
const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' from='irc.example.org' id='1'>";
/// What is said.
const TEXT: &str = "the quick brown fox jumps over the lazy dog, and over it again";

/// Stanzas of one round.
const COUNT: usize = 200_000;
/// Rounds of which the best counts.
const ROUNDS: usize = 7;

fn main() {
    println!("| step | CPU ns | bytes |\n| --- | --- | --- |");
    step("split and peek a message", MESSAGE.len(), split);
    step("parse a message into a tree", MESSAGE.len(), parse);
    step("write a groupchat message", 0, write_message);
}

fn step(name: &str, bytes: usize, mut work: impl FnMut() -> usize) {
    let mut best = f64::MAX;
    let mut written = 0;
    for _ in 0..ROUNDS {
        let before = cpu();
        written = work();
        best = best.min((cpu() - before) as f64 / COUNT as f64);
    }
    println!("| {name} | {best:.0} | {} |", bytes.max(written / COUNT));
}

fn split() -> usize {
    let mut splitter = Splitter::new(Limits::default());
    splitter.buffer().extend_from_slice(HEADER.as_bytes());
    let batch = MESSAGE.repeat(100);
    for _ in 0..COUNT / 100 {
        splitter.buffer().extend_from_slice(batch.as_bytes());
        while let Ok(Some(frame)) = splitter.next() {
            if let Frame::Stanza(stanza) = &frame {
                black_box((stanza.to(), stanza.from(), stanza.id(), stanza.kind_attr()));
            }
        }
    }
    0
}

fn parse() -> usize {
    for _ in 0..COUNT {
        // The text is a constant of ours.
        let _ = black_box(Element::parse(black_box(MESSAGE.as_bytes())));
    }
    0
}

fn write_message() -> usize {
    let mut out = Vec::with_capacity(1 << 16);
    let mut bytes = 0;
    for number in 0..COUNT {
        if number % 100 == 0 {
            bytes += out.len();
            out.clear();
        }
        let head = write::Head {
            name: StanzaName::Message,
            kind: Some("groupchat"),
            id: Some("0123456789abcdef0123456789abcdef"),
            from: Sender {
                local: Some("#garden%net"),
                resource: Some("romeo"),
            },
            domain: "irc.example.org",
            to: "juliet@example.org/balcony",
        };
        let written = write::stanza(&mut out, 65_536, black_box(head), |xml| {
            xml.text_element("body", black_box(TEXT));
        });
        let _ = black_box(written);
    }
    bytes
}

/// CPU time of this thread in nanoseconds.
fn cpu() -> u64 {
    // The kernel brings the count up to date when a thread stops running.
    thread::sleep(Duration::from_millis(1));
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
