//! What operators see: figures that move by what happened, health, and news for a service manager.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use isthmus_test_support::port::Port;
use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Isthmus, XmppClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::world::{LOOP, LOOP_GATEWAY, PATIENCE, RECEIPT, World, config_at, is_receipt, isthmus};

const ROOM: &str = "#garden%net@loop.localhost";

/// The status and the body of an answer.
async fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => break stream,
            // It is being started.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

/// Figures by name and labels. Each line that is none is a comment of a known form.
async fn figures(port: u16) -> BTreeMap<String, i64> {
    let (status, text) = get(port, "/metrics").await;
    assert_eq!(status, 200);
    let mut figures = BTreeMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(
                comment.starts_with("HELP ") || comment.starts_with("TYPE "),
                "{line}"
            );
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let value = value.parse().expect("a whole number");
        assert_eq!(
            figures.insert(name.to_owned(), value),
            None,
            "{name} is told twice"
        );
    }
    figures
}

fn of(name: &str, labels: &str) -> String {
    format!("isthmus_{name}{{domain=\"{LOOP}\"{labels}}}")
}

/// Waits until a figure has a value.
async fn until(port: u16, name: &str, value: i64) {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = figures(port).await.get(name).copied();
        if found == Some(value) {
            return;
        }
        assert!(Instant::now() < end, "{name} is {found:?}, not {value}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What differs between two readings, where it does.
fn moved(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let moved = after.iter().map(|(name, value)| {
        let by = value - before.get(name).copied().unwrap_or_default();
        (name.clone(), by)
    });
    moved.filter(|(_, by)| *by != 0).collect()
}

fn gateway(port: u16) -> String {
    format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n{LOOP_GATEWAY}delay_ms = 600000\n")
}

/// Enters a room and sends four messages into the queue: one arrives, one is answered, one is
/// refused, one waits.
async fn happens(juliet: &XmppClient) {
    juliet.join(ROOM, "juliet").await;
    let id = juliet.message_with("chat", "ok%queue@loop.localhost", "one", RECEIPT);
    juliet.expect(|s| is_receipt(s, &id)).await;
    juliet.chat("echo%queue@loop.localhost", "two");
    juliet.expect(|s| s.is_message("chat", "two")).await;
    let lost = juliet.chat("fail-forbidden%queue@loop.localhost", "three");
    juliet
        .expect(|s| s.id() == lost && s.type_() == "error")
        .await;
    juliet.chat("hold%queue@loop.localhost", "four");
}

/// Where there is no XMPP server.
async fn unattached() {
    let (port, nobody) = (Port::reserve(), Port::reserve());
    let alone = isthmus(&config_at(
        nobody.number(),
        "secret",
        "info",
        &gateway(port.number()),
    ));
    let (status, text) = get(port.number(), "/health").await;
    assert_eq!(
        (status, text.as_str()),
        (503, "loop.localhost: not attached\n")
    );
    assert_eq!(figures(port.number()).await[&of("component_up", "")], 0);
    assert_eq!(get(port.number(), "/other").await.0, 404);
    drop(alone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_move_by_what_happened_and_health_tells_whether_it_is_attached() {
    unattached().await;
    let port = Port::reserve();
    let port = port.number();
    let world = World::start(Kind::Prosody, &gateway(port));
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    assert_eq!(
        get(port, "/health").await,
        (200, "loop.localhost: up\n".to_owned())
    );
    let before = figures(port).await;
    assert_eq!(before[&of("component_up", "")], 1);
    assert_eq!(before[&of("component_streams_total", "")], 1);

    happens(&juliet).await;
    let waiting = of("queue_messages", ",state=\"queued\"");
    until(port, &waiting, 1).await;
    until(port, &of("queue_messages", ",state=\"inbound\""), 0).await;
    let after = figures(port).await;
    let told = moved(&before, &after);
    for (name, by) in [
        (of("sessions", ""), 1),
        (of("users", ""), 1),
        (of("rooms", ""), 1),
        (of("messages_taken_total", ""), 4),
        (of("outcomes_total", ",outcome=\"accepted\""), 2),
        (of("outcomes_total", ",outcome=\"delivered\""), 2),
        (of("outcomes_total", ",outcome=\"failed\""), 1),
        (of("deliveries_total", ""), 1),
        (waiting.clone(), 1),
        ("isthmus_faults_total{kind=\"forbidden\"}".to_owned(), 1),
        // The entrance and four messages.
        (of("stanzas_received_total", ""), 5),
    ] {
        assert_eq!(told.get(&name), Some(&by), "{name}: {told:#?}");
    }
    // Oneself, the subject, the receipt, the answer and the error.
    assert!(told[&of("stanzas_sent_total", "")] >= 5, "{told:#?}");
    assert!(
        !told.contains_key(&of("component_streams_total", "")),
        "{told:#?}"
    );

    juliet.leave(ROOM, "juliet");
    until(port, &of("rooms", ""), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_hears_that_it_serves_lives_and_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("bound");
    manager
        .set_read_timeout(Some(PATIENCE))
        .expect("a patience");
    let nobody = Port::reserve();
    let config = config_at(nobody.number(), "secret", "info", LOOP_GATEWAY);
    let config = config.as_str();
    let isthmus = Isthmus::start_with(
        env!("CARGO_BIN_EXE_isthmus"),
        config,
        &[
            ("NOTIFY_SOCKET", &path.to_string_lossy()),
            ("WATCHDOG_USEC", "200000"),
        ],
    );
    let heard = || {
        let mut space = [0; 64];
        let size = manager.recv(&mut space).expect("it is told in time");
        String::from_utf8_lossy(&space[..size]).into_owned()
    };
    let status = tokio::task::block_in_place(|| {
        assert_eq!(heard(), "READY=1");
        for _ in 0..3 {
            assert_eq!(heard(), "WATCHDOG=1");
        }
        isthmus.send_term();
        while heard() != "STOPPING=1" {}
        isthmus.wait_exit()
    });
    assert_eq!(status.code(), Some(0), "{}", isthmus.log());
}
