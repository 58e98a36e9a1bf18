//! Fetching, against servers on loopback that a test's own name service makes public or private.

use crate::host::words::Lang;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use isthmus_kit::dial::Resolved;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

#[path = "pictures/tests.rs"]
mod pictures;

/// A server that answers every request with these bytes; its port, and how many have come.
async fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            asked.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            let n = stream.read(&mut head).await.unwrap_or(0);
            let answer = answer(&String::from_utf8_lossy(&head[..n]));
            // It may have gone.
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, count)
}

fn settings(trusted: &[&str]) -> FileSettings {
    FileSettings {
        fetch: true,
        trusted: trusted.iter().map(|&it| it.to_owned()).collect(),
        ..FileSettings::default()
    }
}

fn ok(body: &str) -> String {
    let size = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n{body}")
}

/// A name service for which every name is this machine.
fn here(_: &str, port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from(([127, 0, 0, 1], port))]
}

#[tokio::test]
async fn no_dress_of_a_private_address_is_fetched_from() {
    let (port, asked) = server(|_| ok("secret")).await;
    let files = Files::new(settings(&[]));
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "localhost",
        "localhost.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
    ] {
        let url = format!("https://{host}:{port}/");
        let fault = files.fetch(&url, 100).await.expect_err(host);
        let fault = fault.within(Lang::En);
        let refused = fault.contains("public internet") || fault.contains("does not exist");
        assert!(refused, "{host}: {fault}");
        let plain = format!("http://{host}:{port}/");
        let fault = files.fetch(&plain, 100).await.expect_err(host);
        let fault = fault.within(Lang::En);
        assert!(fault.contains("https"), "{host}: {fault}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing was connected to");
}

#[tokio::test]
async fn a_public_name_of_a_private_address_does_not_help() {
    let (port, asked) = server(|_| ok("secret")).await;
    let files = Files::over(settings(&[]), Arc::new(Resolved(here)));
    let url = format!("https://files.example:{port}/a");
    let fault = files.fetch(&url, 100).await.expect_err("it is private");
    let fault = fault.within(Lang::En);
    assert!(fault.contains("public internet"), "{fault}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    // Another address when it is first looked at than ever after.
    let (port, asked) = server(|_| ok("secret")).await;
    let looks = Arc::new(AtomicUsize::new(0));
    let looked = Arc::clone(&looks);
    let rebinding = move |_: &str, port: u16| match looked.fetch_add(1, Ordering::SeqCst) {
        0 => vec![SocketAddr::from(([192, 0, 2, 1], port))],
        _ => vec![SocketAddr::from(([127, 0, 0, 1], port))],
    };
    let files = Files::over(settings(&[]), Arc::new(Resolved(rebinding)));
    for _ in 0..3 {
        let url = format!("https://rebind.example:{port}/");
        files.fetch(&url, 100).await.expect_err("never public here");
    }
    assert_eq!(
        looks.load(Ordering::SeqCst),
        3,
        "one look for each connection"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn each_redirection_is_judged_anew_and_there_are_few() {
    let (secret, asked) = server(|_| ok("secret")).await;
    let (port, _) = server(move |head| {
        let to = match head.split(' ').nth(1).unwrap_or_default() {
            "/private" => format!("https://private.example:{secret}/"),
            "/plain" => format!("http://private.example:{secret}/"),
            "/number" => format!("https://2130706433:{secret}/"),
            "/file" => "file:///etc/passwd".to_owned(),
            "/good" => "/there".to_owned(),
            "/there" => return ok("found"),
            _ => "/round".to_owned(),
        };
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
    })
    .await;
    let files = Files::over(settings(&["files.example"]), Arc::new(Resolved(here)));
    let fetch = async |path: &str| {
        let url = format!("http://files.example:{port}{path}");
        files.fetch(&url, 100).await
    };
    for (path, why) in [
        ("/private", "public internet"),
        ("/plain", "not https"),
        ("/number", "public internet"),
        ("/file", "nowhere"),
        ("/round", "too often"),
    ] {
        let fault = fetch(path).await.expect_err(path);
        let fault = fault.within(Lang::En);
        assert!(fault.contains(why), "{path}: {fault}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let fetched = fetch("/good").await.expect("it is there");
    assert_eq!(
        (fetched.bytes.as_slice(), fetched.mime.as_str()),
        (&b"found"[..], "text/plain")
    );
    assert_eq!(fetched.name, "good", "the name is the link's");
}

#[tokio::test]
async fn what_is_too_large_announced_or_not_or_of_another_type_is_not_taken() {
    let (port, _) = server(|head| match head.split(' ').nth(1).unwrap_or_default() {
        "/announced" => ok(&"x".repeat(101)),
        "/exact" => ok(&"x".repeat(100)),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc".to_owned(),
        "/silent" => format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101)),
        "/chunks" => {
            let chunk = format!("32\r\n{}\r\n", "x".repeat(0x32));
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                chunk.repeat(3)
            )
        }
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    })
    .await;
    let mut settings = settings(&["files.example"]);
    let files = Files::over(settings.clone(), Arc::new(Resolved(here)));
    let url = |path: &str| format!("http://files.example:{port}{path}");
    for (path, why) in [
        ("/announced", "larger"),
        ("/silent", "larger"),
        ("/chunks", "larger"),
        ("/cut", "breaks off"),
        ("/none", "404"),
    ] {
        let fault = files.fetch(&url(path), 100).await.expect_err(path);
        let fault = fault.within(Lang::En);
        assert!(fault.contains(why), "{path}: {fault}");
    }
    assert_eq!(
        files
            .fetch(&url("/exact"), 100)
            .await
            .expect("it fits")
            .bytes
            .len(),
        100
    );
    settings.types = vec!["image/*".into()];
    let files = Files::over(settings.clone(), Arc::new(Resolved(here)));
    let fault = files
        .fetch(&url("/exact"), 100)
        .await
        .expect_err("no picture");
    let fault = fault.within(Lang::En);
    assert!(fault.contains("text/plain"), "{fault}");
    settings.fetch = false;
    let files = Files::over(settings, Arc::new(Resolved(here)));
    files
        .fetch(&url("/exact"), 100)
        .await
        .expect_err("it is off");
}

#[tokio::test]
async fn a_host_that_is_trusted_at_a_port_is_trusted_at_no_other() {
    let (good, _) = server(|_| ok("found")).await;
    let (other, asked) = server(|_| ok("secret")).await;
    let trusted = format!("127.0.0.1:{good}");
    let files = Files::new(settings(&[&trusted]));
    let url = |scheme: &str, port: u16| format!("{scheme}://127.0.0.1:{port}/a");
    files
        .fetch(&url("http", good), 100)
        .await
        .expect("it is trusted");
    for scheme in ["http", "https"] {
        files
            .fetch(&url(scheme, other), 100)
            .await
            .expect_err(scheme);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_domain_is_within_another_only_at_a_dot() {
    assert!(within("up.example.org", "example.org") && within("example.org", "example.org"));
    assert!(!within("evilexample.org", "example.org") && !within("example.org", ""));
}
