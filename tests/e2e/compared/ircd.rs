//! A scripted IRC server that is easy to upset with: what it answers depends on the name it is
//! asked about, and a test says any line in its place.
//!
//! `#e471` is refused with 471, likewise every number; `#quiet` takes no messages (404), the nick
//! `nobody` is not there (401). It has the case mapping of RFC 1459 and no IRCv3.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use isthmus_test_support::inbox::Inbox;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is told to a connection: a line, or that it is over.
type Out = Option<Vec<u8>>;

/// The server.
pub(crate) struct Ircd {
    port: u16,
    /// Lines of all connections, without their ends.
    lines: Inbox<Vec<u8>>,
    /// Juliet's connection that came last.
    newest: Arc<Mutex<Option<UnboundedSender<Out>>>>,
    accepted: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Ircd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ircd {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let lines: Inbox<Vec<u8>> = Inbox::default();
        let newest: Arc<Mutex<Option<UnboundedSender<Out>>>> = Arc::default();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (to, last, count) = (lines.clone(), Arc::clone(&newest), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (out, rest) = unbounded_channel();
                tokio::spawn(serve(socket, to.clone(), Arc::clone(&last), (out, rest)));
            }
        });
        Self {
            port,
            lines,
            newest,
            accepted,
            task,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there have been.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Says a line to Juliet's connection.
    pub(crate) fn say(&self, line: &str) {
        self.out(Some([line.as_bytes(), b"\r\n"].concat()));
    }

    /// Ends Juliet's connection.
    pub(crate) fn hang_up(&self) {
        self.out(None);
    }

    fn out(&self, out: Out) {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = newest.as_ref() {
            // Who is gone is told nothing.
            let _ = newest.send(out);
        }
    }

    /// Waits for a line that begins so.
    pub(crate) async fn hears(&self, begin: &str, patience: Duration) -> Option<Vec<u8>> {
        let fits = |line: &Vec<u8>| line.starts_with(begin.as_bytes());
        self.lines.take(patience, fits).await.ok()
    }

    /// Every line that has not been waited for.
    pub(crate) fn drain(&self) -> Vec<Vec<u8>> {
        self.lines.drain()
    }
}

/// One connection.
#[derive(Default)]
struct Registration {
    nick: String,
    user: bool,
    /// Capabilities are being talked about.
    capabilities: bool,
    done: bool,
}

async fn serve(
    socket: TcpStream,
    lines: Inbox<Vec<u8>>,
    newest: Arc<Mutex<Option<UnboundedSender<Out>>>>,
    (out, mut rest): (UnboundedSender<Out>, UnboundedReceiver<Out>),
) {
    let (from, mut to) = socket.into_split();
    let writer = tokio::spawn(async move {
        while let Some(Some(line)) = rest.recv().await {
            if to.write_all(&line).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    let mut from = BufReader::new(from);
    let mut state = Registration::default();
    loop {
        let mut line = Vec::new();
        match from.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let before = state.done;
        let answers = state.answer(&text);
        if state.done && !before && state.nick.starts_with("juliet") {
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(out.clone());
        }
        for answer in answers {
            let _ = out.send(Some(format!("{answer}\r\n").into_bytes()));
        }
        lines.push(line);
    }
    let _ = out.send(None);
    writer.abort();
}

impl Registration {
    fn answer(&mut self, line: &str) -> Vec<String> {
        let (head, trailing) = line.split_once(" :").unwrap_or((line, ""));
        let words: Vec<&str> = head.split(' ').collect();
        let word = |at: usize| words.get(at).copied().unwrap_or(trailing);
        match word(0) {
            "CAP" => {
                return self.capability(
                    word(1),
                    if trailing.is_empty() {
                        word(2)
                    } else {
                        trailing
                    },
                );
            }
            "NICK" if !self.done => self.nick = word(1).to_owned(),
            "USER" => self.user = true,
            "PING" => return vec![format!(":irc.probe PONG irc.probe :{}", word(1))],
            other if self.done => {
                let said = Said {
                    target: word(1),
                    mode: word(2),
                    mask: word(3),
                };
                return self.order(other, &said);
            }
            _ => {}
        }
        self.welcome()
    }

    fn capability(&mut self, what: &str, names: &str) -> Vec<String> {
        match what {
            "LS" => {
                self.capabilities = true;
                vec![":irc.probe CAP * LS :".to_owned()]
            }
            // None of them is there but the oldest.
            "REQ" => {
                self.capabilities = true;
                let word = if names == "multi-prefix" {
                    "ACK"
                } else {
                    "NAK"
                };
                vec![format!(":irc.probe CAP * {word} :{names}")]
            }
            "END" => {
                self.capabilities = false;
                self.welcome()
            }
            _ => Vec::new(),
        }
    }

    fn welcome(&mut self) -> Vec<String> {
        if self.done || self.nick.is_empty() || !self.user || self.capabilities {
            return Vec::new();
        }
        self.done = true;
        let nick = &self.nick;
        vec![
            format!(":irc.probe 001 {nick} :Welcome"),
            format!(
                ":irc.probe 005 {nick} CASEMAPPING=rfc1459 CHANTYPES=#& PREFIX=(qaohv)~&@%+ \
                 CHANMODES=beI,k,l,imnpst NICKLEN=30 :are supported"
            ),
            format!(":irc.probe 376 {nick} :End of MOTD"),
        ]
    }

    fn order(&mut self, word: &str, said: &Said<'_>) -> Vec<String> {
        let nick = self.nick.clone();
        let numeric = |number: &str, rest: &str| vec![format!(":irc.probe {number} {nick} {rest}")];
        let echo = |line: String| vec![format!(":{nick}!u@127.0.0.1 {line}")];
        let target = said.target;
        let refused = target.strip_prefix("#e").filter(|number| number.len() == 3);
        // Only an operator may see bans and make them.
        let rank = if target == "#bans" { "@" } else { "" };
        match word {
            "JOIN" => match refused {
                Some(number) => numeric(number, &format!("{target} :you may not")),
                None => vec![
                    format!(":{nick}!u@127.0.0.1 JOIN {target}"),
                    format!(":irc.probe 353 {nick} = {target} :{rank}{nick} @op N{{ck Alice"),
                    format!(":irc.probe 366 {nick} {target} :End of NAMES"),
                ],
            },
            "PRIVMSG" if target == "#quiet" => numeric("404", "#quiet :Cannot send to channel"),
            "PRIVMSG" if target == "nobody" => numeric("401", "nobody :No such nick"),
            "PART" => echo(format!("PART {target}")),
            "NICK" => {
                self.nick = target.to_owned();
                echo(format!("NICK {target}"))
            }
            "MODE" if said.mode.is_empty() => numeric("324", &format!("{target} +nt")),
            "MODE" if matches!(said.mode, "b" | "+b") && said.mask.is_empty() => {
                let mut list = numeric("367", &format!("{target} *!*@bad.example op 1"));
                list.extend(numeric("368", &format!("{target} :End of list")));
                list
            }
            "MODE" => echo(format!("MODE {target} {} {}", said.mode, said.mask)),
            "WHO" => numeric("315", &format!("{target} :End of WHO")),
            "WHOIS" => numeric("318", &format!("{target} :End of WHOIS")),
            "ISON" => numeric("303", ":"),
            "LIST" => numeric("323", ":End of LIST"),
            _ => Vec::new(),
        }
    }
}

/// The first words behind a command.
struct Said<'a> {
    target: &'a str,
    mode: &'a str,
    mask: &'a str,
}
