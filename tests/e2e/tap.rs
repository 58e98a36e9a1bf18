//! A TCP relay on loopback that keeps what went through: what two real programs said to each other.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isthmus_test_support::port::Port;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running relay.
pub(crate) struct Tap {
    port: Port,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

/// What went through, of all connections together.
#[derive(Default)]
struct Heard {
    out: Vec<u8>,
    back: Vec<u8>,
}

impl Tap {
    /// Relays to this port of 127.0.0.1.
    pub(crate) async fn to(target: u16) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address())
            .await
            .expect("the port is ours");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let task = tokio::spawn(accept(listener, target, Arc::clone(&heard)));
        Self { port, heard, task }
    }

    /// Where to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// What who connected has sent.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&lock(&self.heard).out).into_owned()
    }

    /// What the target has sent.
    pub(crate) fn back(&self) -> String {
        String::from_utf8_lossy(&lock(&self.heard).back).into_owned()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, target: u16, heard: Arc<Mutex<Heard>>) {
    while let Ok((near, _)) = listener.accept().await {
        let heard = Arc::clone(&heard);
        tokio::spawn(async move {
            // Where nobody listens the near end sees its connection closed.
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
                return;
            };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            let out = relay(near_read, far_write, |bytes| lock(&heard).out.extend(bytes));
            let back = relay(far_read, near_write, |bytes| {
                lock(&heard).back.extend(bytes)
            });
            tokio::join!(out, back);
        });
    }
}

async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut keep: impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        keep(&buffer[..count]);
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    // The other end may be gone already.
    let _ = to.shutdown().await;
}
