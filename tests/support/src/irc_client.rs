//! A plain, line-based IRC client for tests: it answers PING and understands nothing else.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::DEADLINE;
use crate::inbox::Inbox;

/// One line from the server, cut into its parts (RFC 1459 §2.3.1, IRCv3 message tags).
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// As it came, without the line end; bytes that are not UTF-8 are replaced.
    pub raw: String,
    /// The tags, unparsed and without the `@`; empty when there are none.
    pub tags: String,
    /// Who sent it, without the colon; empty when it says nothing.
    pub source: String,
    /// The command or numeric.
    pub command: String,
    /// The parameters; the last one without its colon.
    pub params: Vec<String>,
}

impl Line {
    /// Cuts a line.
    pub fn parse(raw: &str) -> Self {
        let mut rest = raw;
        let mut word = |mark: char| -> String {
            let Some(marked) = rest.strip_prefix(mark) else {
                return String::new();
            };
            let (head, tail) = marked.split_once(' ').unwrap_or((marked, ""));
            rest = tail.trim_start_matches(' ');
            head.to_owned()
        };
        let tags = word('@');
        let source = word(':');
        let (middle, trailing) = match rest.split_once(" :") {
            Some((middle, trailing)) => (middle, Some(trailing)),
            None => (rest, None),
        };
        let mut params: Vec<String> = middle.split_whitespace().map(str::to_owned).collect();
        let command = if params.is_empty() {
            String::new()
        } else {
            params.remove(0)
        };
        params.extend(trailing.map(str::to_owned));
        Self {
            raw: raw.to_owned(),
            tags,
            source,
            command,
            params,
        }
    }

    /// The nick in the source.
    pub fn nick(&self) -> &str {
        self.source.split('!').next().unwrap_or_default()
    }

    /// Whether it is this command with (at least) these first parameters.
    pub fn is(&self, command: &str, params: &[&str]) -> bool {
        self.command == command
            && self.params.len() >= params.len()
            && self
                .params
                .iter()
                .zip(params)
                .all(|(have, want)| have == want)
    }

    /// The last parameter.
    pub fn last(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.raw, out)
    }
}

/// A connected client.
#[derive(Debug)]
pub struct IrcClient {
    nick: String,
    outbox: mpsc::UnboundedSender<Vec<u8>>,
    inbox: Inbox<Line>,
    task: JoinHandle<()>,
}

impl IrcClient {
    /// Connects to 127.0.0.1, registers, and waits for the welcome.
    ///
    /// # Panics
    ///
    /// When that does not work.
    pub async fn connect(port: u16, nick: &str) -> Self {
        let this = Self::connect_raw(port, nick).await;
        this.send(&format!("NICK {nick}"));
        this.send(&format!("USER {nick} 0 * :{nick}"));
        this.expect(|line| line.is("001", &[])).await;
        // The end of the greeting: what comes later is the test's own doing.
        this.expect(|line| matches!(line.command.as_str(), "376" | "422"))
            .await;
        this
    }

    /// Connects to 127.0.0.1 and says nothing yet.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn connect_raw(port: u16, nick: &str) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("a listener");
        socket.set_nodelay(true).expect("a TCP socket");
        let (outbox, lines) = mpsc::unbounded_channel();
        let inbox = Inbox::default();
        let task = tokio::spawn(run(socket, lines, outbox.clone(), inbox.clone()));
        Self {
            nick: nick.to_owned(),
            outbox,
            inbox,
            task,
        }
    }

    /// The nick given at the start.
    pub fn nick(&self) -> &str {
        &self.nick
    }

    /// Sends a line (without its end). A line to a closed connection is lost.
    pub fn send(&self, line: &str) {
        self.send_bytes(line.as_bytes());
    }

    /// As [`Self::send`], for what is not UTF-8.
    pub fn send_bytes(&self, line: &[u8]) {
        let _ = self.outbox.send([line, b"\r\n"].concat());
    }

    /// Says something to a channel or a nick.
    pub fn privmsg(&self, target: &str, text: &str) {
        self.send(&format!("PRIVMSG {target} :{text}"));
    }

    /// Joins a channel and waits until we are in it, names and all.
    pub async fn join(&self, channel: &str) {
        self.send(&format!("JOIN {channel}"));
        self.expect(|line| {
            line.command == "366" && line.params.get(1).is_some_and(|c| c == channel)
        })
        .await;
    }

    /// Becomes a network operator.
    pub async fn oper(&self) {
        use crate::irc_server::{OPER_NAME, OPER_PASSWORD};
        self.send(&format!("OPER {OPER_NAME} {OPER_PASSWORD}"));
        self.expect(|line| line.is("381", &[])).await;
    }

    /// Takes the first unclaimed line that fits.
    ///
    /// # Panics
    ///
    /// When none comes within [`DEADLINE`], with what came instead.
    #[track_caller]
    pub fn expect<'a>(
        &'a self,
        fits: impl FnMut(&Line) -> bool + 'a,
    ) -> impl Future<Output = Line> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            self.try_expect(DEADLINE, fits)
                .await
                .unwrap_or_else(|error| {
                    panic!("IRC client {} at {caller}: {error}", self.nick);
                })
        }
    }

    /// As [`Self::expect`], with a deadline of one's own.
    ///
    /// # Errors
    ///
    /// When none comes: what came instead.
    pub async fn try_expect(
        &self,
        deadline: Duration,
        fits: impl FnMut(&Line) -> bool,
    ) -> Result<Line, String> {
        self.inbox.take(deadline, fits).await
    }

    /// Everything unclaimed up to now: the server has done all that was sent before.
    pub async fn collect(&self) -> Vec<Line> {
        self.send("PING barrier");
        self.expect(|line| line.command == "PONG" && line.last() == "barrier")
            .await;
        self.inbox.drain()
    }

    /// Every line that ever came.
    pub fn log(&self) -> Vec<Line> {
        self.inbox.log()
    }

    /// Drops the connection without a word.
    pub fn abort(&self) {
        self.task.abort();
        self.inbox.close();
    }
}

impl Drop for IrcClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    socket: TcpStream,
    mut lines: mpsc::UnboundedReceiver<Vec<u8>>,
    outbox: mpsc::UnboundedSender<Vec<u8>>,
    inbox: Inbox<Line>,
) {
    let (reader, mut writer) = socket.into_split();
    let read = async {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line).await, Ok(count) if count > 0) {
            let text = String::from_utf8_lossy(&line);
            let parsed = Line::parse(text.trim_end_matches(['\r', '\n']));
            if parsed.command == "PING" {
                let _ = outbox.send(format!("PONG :{}\r\n", parsed.last()).into_bytes());
            } else {
                inbox.push(parsed);
            }
            line.clear();
        }
    };
    let write = async {
        while let Some(line) = lines.recv().await {
            if writer.write_all(&line).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
    inbox.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_into_tags_source_command_and_parameters() {
        let line = Line::parse("@a=b :alice!a@h PRIVMSG #c :hello there");
        assert_eq!(line.tags, "a=b");
        assert_eq!(line.nick(), "alice");
        assert!(line.is("PRIVMSG", &["#c", "hello there"]));
        assert!(Line::parse("PING :x").is("PING", &["x"]));
        assert!(Line::parse("MODE #c +o alice").is("MODE", &["#c", "+o", "alice"]));
    }
}
