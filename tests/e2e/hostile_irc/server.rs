//! An IRC server nobody would want: it welcomes whoever comes, and then says something endless.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use isthmus_test_support::port::Port;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// Writes what comes in one go: unit by unit, by number.
pub(super) type Unit = fn(usize, &mut Vec<u8>);

/// What the server offers, so that it may be abused.
const CAPS: &str = "message-tags batch server-time account-tag echo-message labeled-response \
                    cap-notify draft/multiline=max-bytes=4096,max-lines=20 draft/chathistory";
/// Bytes written at once.
const CHUNK: usize = 64 * 1024;

/// A running one.
pub(super) struct Hostile {
    port: Port,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    unit: Unit,
    /// So many units at least.
    least: usize,
    /// And then until it is told that it is enough.
    enough: AtomicBool,
    said: AtomicUsize,
    begun: Notify,
    read: Notify,
}

impl Hostile {
    /// Starts one: it says units once somebody has joined a channel.
    pub(super) async fn start(unit: Unit, least: usize) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address()).await.expect("ours");
        let shared = Arc::new(Shared {
            unit,
            least,
            enough: AtomicBool::new(false),
            said: AtomicUsize::new(0),
            begun: Notify::new(),
            read: Notify::new(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, task }
    }

    pub(super) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Somebody has joined: it has begun.
    pub(super) async fn begun(&self) {
        self.shared.begun.notified().await;
    }

    /// Waits until the least was taken from it, and returns how much it was.
    pub(super) async fn least_said(&self) -> usize {
        self.shared.enough.store(true, Ordering::Relaxed);
        while self.shared.said.load(Ordering::Relaxed) < self.shared.least {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.shared.said.load(Ordering::Relaxed)
    }

    /// It need not go on beyond its least; waits until all was read, and returns how much it was.
    pub(super) async fn all_read(&self) -> usize {
        self.shared.enough.store(true, Ordering::Relaxed);
        self.shared.read.notified().await;
        self.shared.said.load(Ordering::Relaxed)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // One after the other: who was thrown out and comes back meets the same again.
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        serve(socket, &shared).await;
    }
}

async fn serve(socket: TcpStream, shared: &Arc<Shared>) {
    let (reader, mut writer) = socket.into_split();
    let (heard, lines) = mpsc::unbounded_channel();
    let attack = tokio::spawn({
        let shared = Arc::clone(shared);
        async move {
            welcome(&mut writer, lines, &shared).await;
        }
    });
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.starts_with("PONG") && line.contains("over") {
            shared.read.notify_one();
        }
        let _ = heard.send(line);
    }
    attack.abort();
}

/// Answers until a channel is joined, and then answers no more.
async fn welcome(
    writer: &mut OwnedWriteHalf,
    mut lines: mpsc::UnboundedReceiver<String>,
    shared: &Shared,
) {
    let mut nick = String::from("*");
    while let Some(line) = lines.recv().await {
        // What may be refused bears a label.
        let line = match line.starts_with('@') {
            true => line.split_once(' ').map_or("", |(_, line)| line),
            false => line.as_str(),
        };
        let mut words = line.split_whitespace();
        let (command, last) = (words.next().unwrap_or(""), words.next_back().unwrap_or(""));
        let answer = match command {
            "NICK" => {
                nick = last.to_owned();
                continue;
            }
            "CAP" if line.starts_with("CAP LS") => format!(":h CAP * LS :{CAPS}\r\n"),
            "CAP" if line.starts_with("CAP REQ") => {
                let asked = line.split_once(':').map_or("", |(_, asked)| asked);
                format!(":h CAP * ACK :{asked}\r\n")
            }
            "CAP" => format!(":h 001 {nick} :hello\r\n:h 422 {nick} :no motd\r\n"),
            "PING" => format!(":h PONG h {last}\r\n"),
            "JOIN" => {
                let joined = format!(
                    ":{nick}!m@h JOIN {last}\r\n:h 353 {nick} = {last} :{nick} @a0\r\n\
                     :h 366 {nick} {last} :end\r\n"
                );
                if writer.write_all(joined.as_bytes()).await.is_ok() {
                    shared.begun.notify_one();
                    attack(writer, shared).await;
                }
                continue;
            }
            _ => continue,
        };
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A connection that is ended in the middle of it is enough: the next one gets it all again.
async fn attack(writer: &mut OwnedWriteHalf, shared: &Shared) {
    let mut bytes = Vec::with_capacity(2 * CHUNK);
    let mut number = 0;
    while number < shared.least || !shared.enough.load(Ordering::Relaxed) {
        bytes.clear();
        while bytes.len() < CHUNK {
            (shared.unit)(number, &mut bytes);
            number += 1;
        }
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
        shared.said.store(number, Ordering::Relaxed);
    }
    let _ = writer.write_all(b"\r\nPING :over\r\n").await;
}
