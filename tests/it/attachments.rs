//! Attachments of a real mail, by SMTP, down to the files beside the database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use isthmus::component::ComponentConfig;
use isthmus::host::{Access, Attachments, Limits, Shared};
use isthmus::store::{SqliteStore, Store};
use isthmus::xmpp::{BareJid, Stanza};
use isthmus::{Served, Service};
use isthmus_smtp::{Config, Smtp};
use isthmus_test_support::port::Port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::scenario::wire;

const DOMAIN: &str = "mail.example.org";
const WAIT: Duration = Duration::from_secs(20);
const WORDS: &str = "image/png, 10 bytes — the gateway keeps it; it cannot be fetched]";

/// A file, and the same in base64.
const FILE: (&[u8], &str) = (b"\x89PNG\r\n\x1a\n\xff\0", "iVBORw0KGgr/AA==");

fn limits(attachment: u64, attachments_total: u64) -> Limits {
    Limits {
        history: 0,
        attachment,
        attachments_total,
        ..crate::limits::limits()
    }
}

/// The email gateway, served; the XMPP server is the test.
struct Scene {
    port: Port,
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
    stanzas: mpsc::UnboundedReceiver<Stanza>,
    _to_gateway: mpsc::UnboundedSender<String>,
    _served: Served,
}

impl Scene {
    async fn open() -> Self {
        let (port, folder) = (
            Port::reserve(),
            tempfile::tempdir().expect("a scratch directory"),
        );
        let store = SqliteStore::open(&folder.path().join("isthmus.db")).expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let attachments = Attachments::open(folder.path(), store.as_ref()).expect("a folder");
        let shared = Shared::new(store, limits(1024, 1 << 20)).with_attachments(attachments);
        let shared = Arc::new(shared);
        let settings = serde_json::json!({"listen": [port.address()]});
        let config = Config::from_value(&settings).expect("good settings");
        let (dial, mut ends) = wire::Component::new();
        let everybody = BareJid::parse("example.org").expect("a JID");
        let service = Service {
            gateway: Arc::new(Smtp::new(config, DOMAIN)),
            component: ComponentConfig::new(DOMAIN, "unused", 0, "secret"),
            access: Access::new(&[everybody], &[]),
            dial: Some(dial),
        };
        let served = Served::start(service, &shared);
        let end = ends.recv().await.expect("it connects");
        let (to_gateway, out) = mpsc::unbounded_channel();
        let (heard, stanzas) = mpsc::unbounded_channel();
        tokio::spawn(wire::serve(end, out, heard));
        Self {
            port,
            folder,
            shared,
            stanzas,
            _to_gateway: to_gateway,
            _served: served,
        }
    }

    /// Sends juliet a mail with the file; what is said to it.
    async fn mail(&self, id: &str) -> String {
        let base64 = FILE.1;
        let all = async {
            let mut stream = loop {
                match TcpStream::connect(self.port.address()).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            let envelope = format!(
                "EHLO x\r\nMAIL FROM:<alice@peer.example>\r\n\
                 RCPT TO:<juliet=example.org@{DOMAIN}>\r\nDATA\r\n"
            );
            stream
                .write_all(envelope.as_bytes())
                .await
                .expect("it reads");
            let mut heard = String::new();
            let mut buffer = [0; 4096];
            while !heard.contains("354 ") {
                let n = stream.read(&mut buffer).await.expect("it answers");
                assert!(n > 0, "{heard}");
                heard += &String::from_utf8_lossy(&buffer[..n]);
            }
            let letter = format!(
                "From: alice@peer.example\r\nMessage-ID: <{id}@peer.example>\r\n\
                 Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nlook\r\n--x\r\n\
                 Content-Type: image/png\r\nContent-Disposition: attachment; filename={id}.png\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n{base64}\r\n--x--\r\n.\r\nQUIT\r\n"
            );
            stream.write_all(letter.as_bytes()).await.expect("it reads");
            let mut answer = String::new();
            stream
                .read_to_string(&mut answer)
                .await
                .expect("it answers");
            answer
        };
        timeout(WAIT, all).await.expect("an answer in time")
    }

    /// The text of the next message.
    async fn message(&mut self) -> String {
        let next = async {
            loop {
                let stanza = self.stanzas.recv().await.expect("it is connected");
                let text = String::from_utf8_lossy(stanza.bytes()).into_owned();
                if text.contains("<body>") {
                    return text;
                }
            }
        };
        timeout(WAIT, next).await.expect("a message in time")
    }

    /// What is kept: the bytes and what is said of them, sorted by the latter.
    fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.folder.path().join("attachments"));
        let paths = entries
            .into_iter()
            .flatten()
            .map(|it| it.expect("an entry").path());
        let read = |path: &Path| std::fs::read(path).expect("a file");
        let mut kept: Vec<(String, Vec<u8>)> = paths
            .filter(|path| path.extension().is_none())
            .map(|path| {
                let about = read(&path.with_extension("json"));
                (String::from_utf8(about).expect("JSON"), read(&path))
            })
            .collect();
        kept.sort();
        kept
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attachment_of_a_mail_is_on_disk_once_and_byte_by_byte() {
    let mut scene = Scene::open().await;
    for _ in 0..2 {
        let answer = scene.mail("a").await;
        assert!(answer.starts_with("250 2.0.0"), "{answer}");
    }
    let message = scene.message().await;
    assert!(
        message.contains(&format!("look\n[attachment: a.png, {WORDS}")),
        "{message}"
    );
    assert!(!message.contains("isthmus:attachment"), "{message}");
    let about = r#"{"name":"a.png","mime":"image/png","size":10}"#;
    assert_eq!(scene.kept(), [(about.to_owned(), FILE.0.to_vec())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_beyond_the_limits_of_attachments_is_not_taken() {
    let mut scene = Scene::open().await;
    for (most, total, answer) in [(9, 1 << 20, "552 5.3.4"), (10, 10, "451 4.3.0")] {
        scene.shared.set_limits(limits(most, total));
        let said = scene.mail("b").await;
        assert!(said.starts_with(answer), "{said}");
        assert!(scene.kept().is_empty());
    }
    scene.shared.set_limits(limits(10, 1 << 20));
    let said = scene.mail("c").await;
    assert!(said.starts_with("250 2.0.0"), "{said}");
    assert!(
        scene.message().await.contains("c.png"),
        "the others were not delivered"
    );
    assert_eq!(scene.kept().len(), 1);
}
