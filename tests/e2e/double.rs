//! A scripted XMPP server for one component (XEP-0114): it says what no real server can be made to
//! say. It accepts any secret, returns the component's pings to itself, and keeps the rest.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use isthmus_test_support::inbox::Inbox;
use isthmus_test_support::port::Port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A running server.
pub(crate) struct Double {
    port: Port,
    /// Stanzas, and the ends of streams as they came.
    pub(crate) heard: Inbox<String>,
    writer: Arc<Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>>,
    task: JoinHandle<()>,
}

impl Double {
    /// Listens.
    pub(crate) async fn start() -> Self {
        Self::deaf_for("nobody@").await
    }

    /// Likewise; what is for a user whose address begins so is thrown away.
    pub(crate) async fn deaf_for(user: &'static str) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address())
            .await
            .expect("the port is ours");
        let (heard, writer) = (Inbox::default(), Arc::default());
        let task = tokio::spawn(accept(listener, heard.clone(), Arc::clone(&writer), user));
        Self {
            port,
            heard,
            writer,
            task,
        }
    }

    /// Where the component connects to.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Writes to the present stream.
    pub(crate) fn send(&self, bytes: impl Into<Vec<u8>>) {
        let writer = self.writer.lock().expect("no holder panics");
        let sender = writer.as_ref().expect("a component is attached");
        // A stream that has ended shows itself by what the test then misses.
        let _ = sender.send(bytes.into());
    }

    /// Ends what is written without a word; the component closes its side then.
    pub(crate) fn cut(&self) {
        self.writer.lock().expect("no holder panics").take();
    }

    /// Waits for a stanza (or the end of a stream) that has all of this in it.
    pub(crate) async fn expect(&self, parts: &[&str]) -> String {
        let fits = |text: &String| parts.iter().all(|part| text.contains(part));
        let found = self.heard.take(Duration::from_secs(60), fits).await;
        found.unwrap_or_else(|error| {
            let head: String = error.chars().take(4000).collect();
            panic!("{parts:?}: {head}")
        })
    }

    /// Waits until a component has attached itself (again).
    pub(crate) async fn attached(&self) {
        self.expect(&["<handshake"]).await;
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Writer = Arc<Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>>;

async fn accept(listener: TcpListener, heard: Inbox<String>, writer: Writer, deaf: &'static str) {
    while let Ok((socket, _)) = listener.accept().await {
        serve(socket, &heard, &writer, deaf).await;
    }
}

async fn serve(socket: TcpStream, heard: &Inbox<String>, writer: &Writer, deaf: &str) {
    let deaf = format!("to='{deaf}");
    let (mut reader, sink) = socket.into_split();
    let (sender, lines) = mpsc::unbounded_channel();
    let writing = tokio::spawn(write(sink, lines));
    *writer.lock().expect("no holder panics") = Some(sender.clone());
    let open = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
                xmlns:stream='http://etherx.jabber.org/streams' id='double' from='loop.localhost'>";
    let _ = sender.send(open.into());
    // The test cuts by dropping the other sender.
    let weak = sender.downgrade();
    drop(sender);
    let (mut text, mut buffer) = (String::new(), vec![0; 64 * 1024]);
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let mut used = 0;
        while let Some((stanza, end)) = stanza(&text[used..]) {
            if !head(stanza).contains(&deaf) {
                take(stanza, heard, &weak);
            }
            used += end;
        }
        text.drain(..used);
    }
    writer.lock().expect("no holder panics").take();
    let _ = writing.await;
}

async fn write(mut sink: OwnedWriteHalf, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = lines.recv().await {
        if sink.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = sink.shutdown().await;
}

fn take(stanza: &str, heard: &Inbox<String>, sender: &mpsc::WeakUnboundedSender<Vec<u8>>) {
    let send = |text: &str| {
        if let Some(sender) = sender.upgrade() {
            let _ = sender.send(text.into());
        }
    };
    if stanza.starts_with("<handshake") {
        send("<handshake/>");
    }
    let of = |name: &str| {
        let value = head(stanza).split(&format!(" {name}='")).nth(1);
        value.and_then(|value| value.split('\'').next())
    };
    let own = stanza.contains("urn:xmpp:ping") && of("to") == of("from");
    if own && stanza.starts_with("<iq") {
        // As a server does with what a component sends to itself.
        return send(stanza);
    }
    heard.push(stanza.to_owned());
}

/// The first tag.
fn head(stanza: &str) -> &str {
    stanza.split('>').next().unwrap_or(stanza)
}

/// The first whole stanza, and where it ends. The writer of the program under test is tested
/// elsewhere: this only has to find the ends of what it writes.
fn stanza(text: &str) -> Option<(&str, usize)> {
    let rest = text.trim_start();
    let start = text.len() - rest.len();
    if rest.starts_with("<?xml") || rest.starts_with("<stream:stream") {
        let end = start + rest.find('>')? + 1;
        let (found, after) = stanza(&text[end..])?;
        return Some((found, end + after));
    }
    if rest.starts_with("</stream:stream>") {
        let length = "</stream:stream>".len();
        return Some((&rest[..length], start + length));
    }
    let name = rest.get(1..)?;
    let name = &name[..name.find(|c: char| !c.is_ascii_alphabetic() && c != ':')?];
    let head = rest.find('>')? + 1;
    let length = if rest[..head].ends_with("/>") {
        head
    } else {
        let close = format!("</{name}>");
        rest.find(&close)? + close.len()
    };
    Some((&rest[..length], start + length))
}
