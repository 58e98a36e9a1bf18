//! Fetching pictures, whose links are named by anybody.

use std::io;

use isthmus_gateway::Later;
use isthmus_kit::{BoxedStream, Reach};
use isthmus_test_support::Https;
use tokio::io::duplex;

use super::*;
use crate::host::courier::Attachments;
use crate::host::picture::{Album, Links, Portrait, Sources};
use crate::host::scene;
use crate::host::shared::Shared;
use crate::store::{SqliteStore, Store};

/// A web where `public.example` is a server of the public internet, and every other name is this
/// machine.
struct Web {
    https: Https,
    answer: Arc<dyn Fn(&str) -> String + Send + Sync>,
    asked: Arc<AtomicUsize>,
}

impl Dial for Web {
    fn dial(&self, host: &str, port: u16, reach: Reach) -> Later<io::Result<BoxedStream>> {
        if host != "public.example" {
            return Resolved(here).dial(host, port, reach);
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (https, answer) = (self.https.clone(), Arc::clone(&self.answer));
        let (ours, theirs) = duplex(1 << 16);
        tokio::spawn(async move {
            let mut stream = https.accept(theirs).await?;
            let mut head = [0; 4096];
            let n = stream.read(&mut head).await?;
            let answer = answer(&String::from_utf8_lossy(&head[..n]));
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        });
        Box::pin(std::future::ready(Ok(Box::new(ours) as BoxedStream)))
    }
}

/// Files over a web whose public server answers so, and how often that was asked.
fn web(
    settings: FileSettings,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (Files, Arc<AtomicUsize>) {
    let https = Https::new("public.example");
    let digest = ring::digest::digest(&ring::digest::SHA256, https.certificate());
    let pin = digest.as_ref().try_into().expect("32 bytes");
    let asked = Arc::new(AtomicUsize::new(0));
    let web = Web {
        https,
        answer: Arc::new(answer),
        asked: Arc::clone(&asked),
    };
    let files = Files::over(settings, Arc::new(web)).with_trust(Trust::Pin(pin));
    (files, asked)
}

#[tokio::test]
async fn a_picture_is_fetched_once_whoever_asks_and_what_is_none_is_not_asked_for_again() {
    let mut settings = settings(&[]);
    settings.pictures = true;
    let (files, asked) = web(settings, |head| {
        match head.split(' ').nth(1).unwrap_or_default() {
            "/a" => ok("GIF89a"),
            "/text" => ok("text"),
            "/large" => ok(&format!("GIF89a{}", "x".repeat(45_000))),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        }
    });
    let (links, album) = (Links::default(), Album::default());
    let from = Sources {
        files: &files,
        kept: None,
    };
    let url = |path: &str| format!("https://public.example{path}");
    let count = || asked.load(Ordering::SeqCst);
    let a = url("/a");
    let (one, two) = tokio::join!(
        links.portrait(from, &album, &a),
        links.portrait(from, &album, &a)
    );
    assert!(one.image().is_some_and(|image| image.mime == "image/gif"));
    assert_eq!((&one, count()), (&two, 1));
    assert_eq!(links.known(&a).as_ref(), Some(&one));
    drop((one, two));
    assert_eq!(links.known(&a), None, "nobody shows it");
    let again = links.portrait(from, &album, &a).await;
    assert!(again.image().is_some());
    assert_eq!(count(), 2);
    for (path, requests) in [("/none", 3), ("/text", 4), ("/large", 5)] {
        for _ in 0..2 {
            let portrait = links.portrait(from, &album, &url(path)).await;
            assert_eq!((portrait, count()), (Portrait::Without, requests), "{path}");
        }
    }
}

#[tokio::test]
async fn a_picture_comes_by_https_from_the_public_internet_whatever_is_trusted_for_files() {
    let (port, asked) = server(|_| ok("GIF89a")).await;
    let mut settings = settings(&["files.example", "127.0.0.1"]);
    settings.pictures = true;
    let (files, _) = web(settings, move |head| {
        let to = match head.split(' ').nth(1).unwrap_or_default() {
            "/plain" => format!("http://files.example:{port}/a"),
            "/private" => format!("https://files.example:{port}/a"),
            "/good" => "/a".to_owned(),
            _ => return ok("GIF89a"),
        };
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
    });
    for (url, why) in [
        (format!("http://files.example:{port}/a"), "https"),
        (format!("https://files.example:{port}/a"), "public internet"),
        (format!("http://127.0.0.1:{port}/a"), "https"),
        (format!("https://127.0.0.1:{port}/a"), "public internet"),
        (format!("https://other.example:{port}/a"), "public internet"),
        ("https://public.example/plain".to_owned(), "https"),
        (
            "https://public.example/private".to_owned(),
            "public internet",
        ),
        ("http://public.example/a".to_owned(), "https"),
    ] {
        let fault = files.fetch_picture(None, &url).await.expect_err(&url);
        let fault = fault.within(Lang::En);
        assert!(fault.contains(why), "{url}: {fault}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    for url in ["https://public.example/a", "https://public.example/good"] {
        let bytes = files.fetch_picture(None, url).await.expect(url);
        assert_eq!(bytes, b"GIF89a", "{url}");
    }
    // What a user shares is another matter.
    let url = format!("http://files.example:{port}/a");
    let file = files.fetch(&url, 100).await.expect("it is trusted");
    assert_eq!(file.bytes, b"GIF89a");
}

#[tokio::test]
async fn a_picture_is_not_fetched_where_the_operator_wants_none_and_is_where_he_wants_no_files() {
    let answer = |_: &str| ok("GIF89a");
    let (off, asked) = web(settings(&[]), answer);
    let url = "https://public.example/a";
    off.fetch_picture(None, url).await.expect_err("it is off");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let settings = FileSettings {
        pictures: true,
        ..FileSettings::default()
    };
    let (on, _) = web(settings, answer);
    assert_eq!(
        on.fetch_picture(None, url).await.expect("it is on"),
        b"GIF89a"
    );
}

#[tokio::test]
async fn a_picture_at_our_own_file_server_is_read_without_any_network() {
    let dir = tempfile::tempdir().expect("a scratch directory");
    let store = SqliteStore::open(&dir.path().join("isthmus.db")).expect("a store");
    let attachments = Attachments::open(dir.path(), &store).expect("a folder");
    let settings = FileSettings {
        pictures: true,
        public_url: Some("https://public.example/f".to_owned()),
        ..FileSettings::default()
    };
    let (files, asked) = web(settings, |_| ok("GIF87a"));
    let limits = crate::host::Limits {
        attachment: 100_000,
        ..scene::limits()
    };
    let store: Arc<dyn Store> = Arc::new(store);
    let shared = Shared::new(store, limits).with_attachments(attachments);
    let shared = Arc::new(shared.with_files(files));
    let count = || asked.load(Ordering::SeqCst);
    let keep = async |bytes: &[u8]| {
        let files = shared.files().expect("there are some");
        let owner = ("juliet@example.org", "irc.example.org");
        let kept = files
            .keep(&shared, "a.gif", "image/gif", bytes, owner)
            .await;
        kept.expect("it is kept")
    };
    let own = keep(b"GIF89a").await;
    let shown = shared.look(&own).await;
    assert_eq!(shown.image().map(|image| image.len()), Some(6));
    let large = keep(&[&b"GIF89a"[..], &[0; 45_000]].concat()).await;
    assert_eq!(shared.look(&large).await, Portrait::Without);
    assert_eq!(count(), 0);
    // Something else may be there beside.
    let other = shared.look("https://public.example/f/people/a.gif").await;
    assert_ne!(other, shown);
    assert_eq!((other.image().is_some(), count()), (true, 1));
}
