//! The IRC end: a server with channels of a fixed size.
//!
//! Every channel has the user himself and as many others as the work asks for. What a user says
//! is counted and goes to nobody else; his own copy goes back if he asked for echo-message.

use std::fmt::Write as _;
use std::rc::Rc;

use memchr::memchr;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::scan::number;
use crate::world::{Pipe, Side, World};

/// Longest line without its end (RFC 2812 §2.3).
const LINE: usize = 510;

/// Accepts users for ever.
pub(crate) async fn serve(listener: TcpListener, world: Rc<World>) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            tokio::task::spawn_local(connection(socket, Rc::clone(&world)));
        }
    }
}

/// One user's connection.
struct Client {
    world: Rc<World>,
    pipe: Rc<Pipe>,
    nick: String,
    user: usize,
    negotiating: bool,
    named: bool,
    welcome: bool,
    echo: bool,
}

async fn connection(socket: TcpStream, world: Rc<World>) {
    let _ = socket.set_nodelay(true);
    let (mut reader, writer) = socket.into_split();
    let pipe = Rc::new(Pipe::default());
    let out = Rc::clone(&pipe);
    tokio::task::spawn_local(async move { out.run(writer).await });
    let mut client = Client {
        world,
        pipe,
        nick: "*".to_owned(),
        user: 0,
        negotiating: false,
        named: false,
        welcome: false,
        echo: false,
    };
    let mut buffer = Vec::with_capacity(1 << 12);
    while let Ok(read) = reader.read_buf(&mut buffer).await {
        if read == 0 {
            break;
        }
        let mut at = 0;
        while let Some(end) = memchr(b'\n', &buffer[at..]) {
            let line = &buffer[at..at + end];
            client.line(line.strip_suffix(b"\r").unwrap_or(line));
            at += end + 1;
        }
        buffer.drain(..at);
        buffer.reserve(1 << 11);
        client.world.progress.notify_one();
    }
    client.pipe.close();
}

impl Client {
    fn line(&mut self, line: &[u8]) {
        if let Some(rest) = line.strip_prefix(b"PRIVMSG ") {
            return self.said(line, rest);
        }
        let Ok(line) = std::str::from_utf8(line) else {
            return;
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let last = rest.split_once(':').map_or(rest, |(_, last)| last);
        match verb {
            "CAP" => self.capability(rest, last),
            "NICK" => self.nick = last.to_owned(),
            "USER" => self.named = true,
            "PING" => self.reply(&format!(":irc.bench PONG irc.bench :{last}")),
            "JOIN" => rest
                .split(' ')
                .next()
                .unwrap_or("")
                .split(',')
                .for_each(|channel| self.join(channel)),
            "PART" => self.reply(&format!(":{0}!{0}@bench {line}", self.nick)),
            "MODE" if !rest.contains(' ') => self.numeric("324", &format!("{rest} +nt")),
            "WHO" => self.numeric("315", &format!("{rest} :End of /WHO list.")),
            "QUIT" => self.pipe.close(),
            _ => {}
        }
        self.greet();
    }

    fn said(&self, line: &[u8], rest: &[u8]) {
        let Some(colon) = memchr(b':', rest) else {
            return;
        };
        self.world.message(Side::Irc, self.user, &rest[colon + 1..]);
        if self.echo {
            let mut copy = format!(":{0}!{0}@bench ", self.nick).into_bytes();
            copy.extend_from_slice(line);
            copy.extend_from_slice(b"\r\n");
            self.pipe.push(&copy);
        }
    }

    fn capability(&mut self, rest: &str, last: &str) {
        let echo = self.world.echo.get();
        let offered = if echo {
            "multi-prefix echo-message"
        } else {
            "multi-prefix"
        };
        match rest.split([' ', ':']).next().unwrap_or("") {
            "LS" => {
                self.negotiating = true;
                self.reply(&format!(":irc.bench CAP * LS :{offered}"));
            }
            "REQ" => {
                let known = |word: &str| offered.split(' ').any(|cap| cap == word);
                let all = last.split_ascii_whitespace().all(known);
                self.echo |= all && last.contains("echo-message");
                let verdict = if all { "ACK" } else { "NAK" };
                self.reply(&format!(":irc.bench CAP * {verdict} :{last}"));
            }
            "END" => self.negotiating = false,
            _ => {}
        }
    }

    fn greet(&mut self) {
        if self.welcome || self.negotiating || !self.named || self.nick == "*" {
            return;
        }
        self.welcome = true;
        self.user = number(self.nick.as_bytes(), b'u').map_or(0, |(user, _)| user);
        let mut users = self.world.users.borrow_mut();
        if users.len() <= self.user {
            users.resize(self.user + 1, None);
        }
        users[self.user] = Some(Rc::clone(&self.pipe));
        drop(users);
        self.numeric("001", &format!(":Welcome {0}!{0}@bench", self.nick));
        self.numeric("004", "irc.bench bench-1 io nt");
        self.numeric(
            "005",
            "CHANTYPES=# PREFIX=(ov)@+ CASEMAPPING=ascii NETWORK=bench :are supported",
        );
        self.numeric("422", ":MOTD File is missing");
    }

    fn join(&self, channel: &str) {
        self.reply(&format!(":{0}!{0}@bench JOIN {channel}", self.nick));
        let start = format!(":irc.bench 353 {} = {channel} :", self.nick);
        let mut line = format!("{start}{}", self.nick);
        let label = channel.trim_start_matches('#');
        for member in 0..self.world.members.get() {
            let before = line.len();
            // Writing to a String cannot fail.
            let _ = write!(line, " {label}m{member}");
            if line.len() > LINE {
                let name = line.split_off(before);
                self.reply(&line);
                line = format!("{start}{}", name.trim_start());
            }
        }
        self.reply(&line);
        self.numeric("366", &format!("{channel} :End of /NAMES list."));
    }

    fn numeric(&self, number: &str, rest: &str) {
        self.reply(&format!(":irc.bench {number} {} {rest}", self.nick));
    }

    fn reply(&self, line: &str) {
        self.pipe.push(line.as_bytes());
        self.pipe.push(b"\r\n");
    }
}

/// The line with which somebody else speaks in a channel.
pub(crate) fn speak(channel: usize, body: &str) -> String {
    format!(":c{channel}m0!user@host.example PRIVMSG #c{channel} :{body}\r\n")
}
