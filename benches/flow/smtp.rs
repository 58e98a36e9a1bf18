//! Mail: a sink that takes all, and a source of numbered mails. Both know which came.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::scan::number;

/// Numbers that came.
#[derive(Default)]
pub(crate) struct Seen {
    which: RefCell<Vec<bool>>,
    /// Different ones.
    pub(crate) fresh: Cell<usize>,
    /// Those that came once more.
    pub(crate) again: Cell<usize>,
    pub(crate) progress: Notify,
}

impl Seen {
    fn line(&self, line: &str) {
        let Some((_, rest)) = number(line.as_bytes(), b'c') else {
            return;
        };
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let Some((at, _)) = number(rest, b's') else {
            return;
        };
        let mut which = self.which.borrow_mut();
        if which.len() <= at {
            which.resize(at + 1, false);
        }
        let count = match std::mem::replace(&mut which[at], true) {
            false => &self.fresh,
            true => &self.again,
        };
        count.set(count.get() + 1);
        self.progress.notify_one();
    }
}

/// Takes mail on a free port for as long as the program runs.
pub(crate) async fn sink() -> io::Result<(SocketAddr, Rc<Seen>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let seen = Rc::new(Seen::default());
    let all = Rc::clone(&seen);
    tokio::task::spawn_local(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let seen = Rc::clone(&all);
            tokio::task::spawn_local(async move {
                // A sender that hangs up is none of ours.
                let _ = take(socket, &seen).await;
            });
        }
    });
    Ok((address, seen))
}

async fn take(mut socket: TcpStream, seen: &Seen) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (reader, mut writer) = socket.split();
    let (mut reader, mut line, mut data) = (BufReader::new(reader), String::new(), false);
    writer.write_all(b"220 sink ESMTP\r\n").await?;
    while reader.read_line(&mut line).await? > 0 {
        let text = line.trim_end();
        let answer: &[u8] = match text.get(..4).unwrap_or(text) {
            _ if data && text != "." => {
                seen.line(text);
                b""
            }
            "." => {
                data = false;
                b"250 taken\r\n"
            }
            "EHLO" => b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "DATA" => {
                data = true;
                b"354 go on\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).await?;
        line.clear();
    }
    Ok(())
}

/// Hands over `count` mails to `to` in so many sessions; returns how many were taken.
pub(crate) async fn source(server: SocketAddr, to: &str, count: usize, sessions: usize) -> usize {
    let (next, taken) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let tasks: Vec<_> = (0..sessions)
        .map(|_| {
            let (next, taken, to) = (Rc::clone(&next), Rc::clone(&taken), to.to_owned());
            tokio::task::spawn_local(async move {
                let result = session(server, &to, count, &next, &taken).await;
                if let Err(error) = result {
                    eprintln!("a session of the source: {error}");
                }
            })
        })
        .collect();
    for task in tasks {
        let _ = task.await;
    }
    taken.get()
}

async fn session(
    server: SocketAddr,
    to: &str,
    count: usize,
    next: &Cell<usize>,
    taken: &Cell<usize>,
) -> io::Result<()> {
    let mut socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    let (reader, mut writer) = socket.split();
    let mut reader = BufReader::new(reader);
    answer(&mut reader, '2').await?;
    writer.write_all(b"EHLO source.example\r\n").await?;
    answer(&mut reader, '2').await?;
    while next.get() < count {
        let at = next.get();
        next.set(at + 1);
        writer
            .write_all(b"MAIL FROM:<alice@peer.example>\r\n")
            .await?;
        answer(&mut reader, '2').await?;
        writer
            .write_all(format!("RCPT TO:<{to}>\r\n").as_bytes())
            .await?;
        answer(&mut reader, '2').await?;
        writer.write_all(b"DATA\r\n").await?;
        answer(&mut reader, '3').await?;
        let mail = format!(
            "From: Alice <alice@peer.example>\r\nTo: {to}\r\n\
             Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\
             Message-ID: <{at}@peer.example>\r\n\r\nc0 s{at} {}\r\n.\r\n",
            crate::work::TEXT
        );
        writer.write_all(mail.as_bytes()).await?;
        answer(&mut reader, '2').await?;
        taken.set(taken.get() + 1);
    }
    writer.write_all(b"QUIT\r\n").await
}

async fn answer(reader: &mut (impl AsyncBufReadExt + Unpin), class: char) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).await?;
        if !line.starts_with(class) {
            return Err(io::Error::other(format!("{line:?} instead of {class}xx")));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
