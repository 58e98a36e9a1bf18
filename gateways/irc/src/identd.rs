//! The identification protocol (RFC 1413): tells servers which user is behind a connection, so
//! that a ban hits one user and not the gateway.
//!
//! What is told is the user name (ident) the session registers with, and nothing of connections
//! that are not ours.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The open connections: our port and the other end, and who is behind them.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<HashMap<Key, String>>>);

type Key = (u16, SocketAddr);

/// A connection's place in the book; dropped, it is taken out.
pub(crate) struct Entry {
    book: Book,
    key: Key,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.book.entries().remove(&self.key);
    }
}

/// Bytes of a question at most (RFC 1413 §5).
const LONGEST: u64 = 1000;
/// How long a question may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Questions at a time.
const AT_ONCE: usize = 64;

impl Book {
    /// A connection is open.
    pub(crate) fn enter(&self, ours: SocketAddr, theirs: SocketAddr, ident: &str) -> Entry {
        let key = (ours.port(), plain(theirs));
        self.entries().insert(key, ident.to_owned());
        let book = self.clone();
        Entry { book, key }
    }

    /// The answer to a question from `from`.
    pub(crate) fn answer(&self, question: &str, from: SocketAddr) -> String {
        let mut ports = question
            .trim()
            .split(',')
            .map(|port| port.trim().parse::<u16>());
        let (Some(Ok(ours)), Some(Ok(theirs)), None) = (ports.next(), ports.next(), ports.next())
        else {
            return "0,0:ERROR:INVALID-PORT\r\n".to_owned();
        };
        let asked = plain(SocketAddr::new(from.ip(), theirs));
        match self.entries().get(&(ours, asked)) {
            Some(ident) => format!("{ours},{theirs}:USERID:UNIX:{ident}\r\n"),
            None => format!("{ours},{theirs}:ERROR:NO-USER\r\n"),
        }
    }

    /// Answers who connects, for ever.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let free = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        loop {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, from)) => {
                    let book = self.clone();
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(WITHIN, book.meet(stream, from)).await;
                        drop(permit);
                    });
                }
                Err(fault) => {
                    tracing::debug!(%fault, "identd");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn meet(&self, mut stream: TcpStream, from: SocketAddr) -> std::io::Result<()> {
        let (read, mut write) = stream.split();
        let mut question = String::new();
        let mut reader = BufReader::new(read.take(LONGEST));
        reader.read_line(&mut question).await?;
        let answer = self.answer(&question, from);
        write.write_all(answer.as_bytes()).await?;
        write.shutdown().await
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An IPv4 address as such, also where a socket of both families shows it.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_the_server_at_the_other_end_is_told_who_is_behind_a_connection() {
        let book = Book::default();
        let entry = book.enter(address("192.0.2.1:4000"), address("192.0.2.9:6697"), "crab");
        let ask = |question: &str, from: &str| book.answer(question, address(from));
        assert_eq!(
            ask("4000 , 6697\r\n", "[::ffff:192.0.2.9]:50"),
            "4000,6697:USERID:UNIX:crab\r\n"
        );
        assert_eq!(
            ask("4000,6697", "192.0.2.8:50"),
            "4000,6697:ERROR:NO-USER\r\n"
        );
        assert_eq!(
            ask("4001,6697", "192.0.2.9:50"),
            "4001,6697:ERROR:NO-USER\r\n"
        );
        for bad in ["", "x,y", "1", "1,2,3", "70000,1"] {
            assert_eq!(
                ask(bad, "192.0.2.9:50"),
                "0,0:ERROR:INVALID-PORT\r\n",
                "{bad}"
            );
        }
        drop(entry);
        assert_eq!(
            ask("4000,6697", "192.0.2.9:50"),
            "4000,6697:ERROR:NO-USER\r\n"
        );
    }

    #[tokio::test]
    async fn a_question_over_the_wire_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("a bound port");
        let book = Book::default();
        let _entry = book.enter(address("127.0.0.1:4000"), address("127.0.0.1:6697"), "crab");
        let served = tokio::spawn(book.clone().serve(listener));
        let mut stream = TcpStream::connect(at).await.expect("connected");
        stream.write_all(b"4000, 6697\r\n").await.expect("said");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert_eq!(answer, "4000,6697:USERID:UNIX:crab\r\n");
        served.abort();
    }
}
