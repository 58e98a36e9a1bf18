//! The null gateway: between an XMPP server and an IRC server it passes everything through and
//! does nothing else, so that it shows what the generator can do at most.
//!
//! It runs in a process of its own. Users connect with their first presence. One made faulty
//! drops every hundredth message towards XMPP and swaps the two after the fiftieth.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use memchr::memchr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

use crate::scan::{Found, Splitter, attribute, number, text_of};
use crate::world::{DOMAIN, Pipe, USERS};

/// Runs until the XMPP server closes the stream.
pub(crate) fn run(faulty: bool, xmpp: SocketAddr, irc: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, component(faulty, xmpp, irc))
}

struct Null {
    out: Pipe,
    irc: SocketAddr,
    users: RefCell<HashMap<usize, Rc<Pipe>>>,
    faulty: bool,
    messages: Cell<usize>,
    held: RefCell<Vec<u8>>,
}

async fn component(faulty: bool, xmpp: SocketAddr, irc: SocketAddr) -> io::Result<()> {
    let mut socket = TcpStream::connect(xmpp).await?;
    socket.set_nodelay(true)?;
    let header = format!(
        "<stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{DOMAIN}'>\
         <handshake>00</handshake>"
    );
    socket.write_all(header.as_bytes()).await?;
    let (mut reader, writer) = socket.into_split();
    let null = Rc::new(Null {
        out: Pipe::default(),
        irc,
        users: RefCell::default(),
        faulty,
        messages: Cell::new(0),
        held: RefCell::default(),
    });
    let out = Rc::clone(&null);
    spawn_local(async move { out.out.run(writer).await });
    let (mut splitter, mut buffer) = (Splitter::default(), Vec::with_capacity(1 << 16));
    while reader.read_buf(&mut buffer).await? > 0 {
        while let Some(found) = splitter.next(&buffer) {
            if let Found::Element(place) = found {
                stanza(&null, &buffer[place]);
            }
        }
        splitter.compact(&mut buffer);
        buffer.reserve(1 << 14);
    }
    Ok(())
}

fn stanza(null: &Rc<Null>, stanza: &[u8]) {
    let text = |name| String::from_utf8_lossy(attribute(stanza, name).unwrap_or_default());
    let (from, to) = (text("from"), text("to"));
    let Some((user, _)) = number(from.as_bytes(), b'u') else {
        return;
    };
    let channel = to.split('%').next().unwrap_or("");
    let mut users = null.users.borrow_mut();
    let pipe = users.entry(user).or_insert_with(|| {
        let pipe = Rc::new(Pipe::default());
        spawn_local(connection(Rc::clone(null), Rc::clone(&pipe), user));
        pipe.push(format!("NICK u{user}\r\nUSER u{user} 0 * :u{user}\r\n").as_bytes());
        pipe
    });
    if stanza.starts_with(b"<p") {
        pipe.push(format!("JOIN {channel}\r\n").as_bytes());
    } else if let Some(body) = text_of(stanza, "<body") {
        let body = String::from_utf8_lossy(body);
        pipe.push(format!("PRIVMSG {channel} :{body}\r\n").as_bytes());
        null.message(user, channel, &format!("u{user}"), &body);
    }
}

async fn connection(null: Rc<Null>, pipe: Rc<Pipe>, user: usize) {
    let Ok(socket) = TcpStream::connect(null.irc).await else {
        return;
    };
    let _ = socket.set_nodelay(true);
    let (mut reader, writer) = socket.into_split();
    spawn_local(async move { pipe.run(writer).await });
    let mut buffer = Vec::with_capacity(1 << 12);
    while matches!(reader.read_buf(&mut buffer).await, Ok(1..)) {
        let mut at = 0;
        while let Some(end) = memchr(b'\n', &buffer[at..]) {
            null.line(
                user,
                String::from_utf8_lossy(&buffer[at..at + end]).trim_end(),
            );
            at += end + 1;
        }
        buffer.drain(..at);
        buffer.reserve(1 << 12);
    }
}

impl Null {
    fn line(&self, user: usize, line: &str) {
        let mut words = line.splitn(4, ' ');
        let from = words.next().unwrap_or("");
        let (verb, target) = (words.next(), words.next().unwrap_or(""));
        let last = words.next().unwrap_or("");
        match verb {
            Some("PRIVMSG") => {
                let nick = from[1..].split('!').next().unwrap_or("");
                self.message(user, target, nick, last.trim_start_matches(':'));
            }
            Some("353") => {
                let (channel, names) = last
                    .trim_start_matches("= ")
                    .split_once(" :")
                    .unwrap_or(("", ""));
                names
                    .split(' ')
                    .for_each(|nick| self.presence(user, channel, nick, ""));
            }
            Some("366") => {
                let channel = last.split(' ').next().unwrap_or("");
                let mark = "<status code='110'/>";
                self.presence(user, channel, &format!("u{user}"), mark);
            }
            _ => {}
        }
    }

    fn presence(&self, user: usize, channel: &str, nick: &str, mark: &str) {
        self.out.push(
            format!(
                "<presence from='{channel}%net@{DOMAIN}/{nick}' to='u{user}@{USERS}/r'>\
                 <x xmlns='http://jabber.org/protocol/muc#user'>\
                 <item affiliation='none' role='participant'/>{mark}</x></presence>"
            )
            .as_bytes(),
        );
    }

    fn message(&self, user: usize, channel: &str, nick: &str, body: &str) {
        let stanza = format!(
            "<message from='{channel}%net@{DOMAIN}/{nick}' to='u{user}@{USERS}/r' \
             type='groupchat'><body>{body}</body></message>"
        );
        let number = self.messages.get() + 1;
        self.messages.set(number);
        match number % 100 {
            0 if self.faulty => return,
            50 if self.faulty => {
                self.held.replace(stanza.into_bytes());
                return;
            }
            _ => self.out.push(stanza.as_bytes()),
        }
        let held = std::mem::take(&mut *self.held.borrow_mut());
        if !held.is_empty() {
            self.out.push(&held);
        }
    }
}
