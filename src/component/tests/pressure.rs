//! A server that does not keep up.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::component::{Found, Level, Limits, Spool};

#[tokio::test(start_paused = true)]
async fn half_a_million_stanzas_wait_on_disk_and_arrive_in_order() {
    const COUNT: usize = 500_000;
    let mut rig = Rig::new();
    let peer = rig.stream().await;
    rig.up().await;
    let mut most = 0;
    for n in 0..COUNT {
        push(&rig.outbox, Class::Message, &n.to_string());
        if n % 1000 == 0 {
            most = most.max(rig.outbox.weight());
            tokio::task::yield_now().await;
        }
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    most = most.max(rig.outbox.weight());
    assert!(most < 2 * 1024 * 1024, "{most} bytes in memory");
    assert!(rig.spool.lane(DOMAIN).len() > 500, "the rest is on disk");

    let outbox = rig.outbox.clone();
    let reader = tokio::spawn(read_numbers(peer, COUNT, outbox.clone()));
    soon(reader).await.unwrap();
    soon(outbox.until_confirmed(Mark(COUNT as u64))).await;
    assert_eq!(
        rig.spool.lane(DOMAIN),
        [],
        "what is confirmed leaves the disk"
    );
    assert_eq!(outbox.weight(), 0);
}

/// Reads messages whose ids count from 0, loops pings back; keeps the connection open in a task.
/// Looks for ids only: whole parsing of so many takes too long in a debug build.
async fn read_numbers(mut peer: Peer, count: usize, outbox: Outbox) {
    let mut pending = Vec::new();
    let mut next = 0;
    while next < count {
        let n = soon(peer.io.read_buf(&mut pending)).await.unwrap();
        assert!(n > 0, "the stream ended at {next}");
        assert!(outbox.weight() < 18 * 1024 * 1024);
        let text = std::str::from_utf8(&pending).unwrap();
        let ends = ["</message>", "</iq>"].map(|tag| text.rfind(tag).map(|at| at + tag.len()));
        let Some(end) = ends.into_iter().flatten().max() else {
            continue;
        };
        let rest = pending.split_off(end);
        let text = String::from_utf8(std::mem::replace(&mut pending, rest)).unwrap();
        for piece in text.split(" id='").skip(1) {
            let id = piece.split('\'').next().unwrap();
            if let Some(word) = id.strip_prefix("barrier-") {
                let ping =
                    format!("<iq type='get' from='{DOMAIN}' to='{DOMAIN}' id='barrier-{word}'/>");
                peer.send(&ping).await;
            } else {
                assert_eq!(id, next.to_string());
                next += 1;
            }
        }
    }
    // The last ping may still be on its way.
    peer.splitter.buffer().extend_from_slice(&pending);
    tokio::spawn(async move { peer.loop_back().await });
}

/// A spool whose commits are the test's to make.
#[derive(Default)]
struct Slow {
    inner: MemorySpool,
    backlog: AtomicUsize,
}

impl Spool for Slow {
    fn put(&self, lane: &str, number: u64, blob: Vec<u8>) {
        self.backlog.fetch_add(blob.len(), Ordering::Relaxed);
        self.inner.put(lane, number, blob);
    }

    fn next(&self, lane: &str, after: u64) -> Later<io::Result<Found>> {
        self.inner.next(lane, after)
    }

    fn remove(&self, lane: &str, upto: u64) {
        self.inner.remove(lane, upto);
    }

    fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_is_asked_to_hold_only_while_the_disk_is_behind() {
    let spool = Arc::new(Slow::default());
    let outbox = Outbox::new(DOMAIN, Limits::default(), spool.clone());
    assert_eq!(outbox.level(), Level::Hold, "until the spool is surveyed");
    outbox.survey().await.unwrap();
    assert_eq!(outbox.level(), Level::Live);
    let mut pushed = 0;
    while outbox.level() == Level::Live {
        push(&outbox, Class::Message, "m");
        pushed += 1;
    }
    assert!(spool.backlog() > 4 * 1024 * 1024);
    assert!(spool.backlog() < 5 * 1024 * 1024, "{pushed}");

    let waiting = outbox.clone();
    let sessions: Vec<_> = (0..50)
        .map(|_| {
            let waiting = waiting.clone();
            tokio::spawn(async move { waiting.live().await })
        })
        .collect();
    let keeper = tokio::spawn(async move { waiting.ebb().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(sessions.iter().all(|session| !session.is_finished()));
    spool.backlog.store(0, Ordering::Relaxed);
    for session in sessions {
        soon(session).await.unwrap();
    }
    keeper.abort();
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_a_reason_to_hold() {
    let limits = Limits {
        disk_bytes: 256 * 1024,
        ..Limits::default()
    };
    let outbox = Outbox::new(DOMAIN, limits, Arc::new(MemorySpool::default()));
    outbox.survey().await.unwrap();
    for _ in 0..4000 {
        push(&outbox, Class::Message, "m");
    }
    assert_eq!(outbox.level(), Level::Hold);
}

#[tokio::test(start_paused = true)]
async fn a_slow_writer_does_not_stop_the_reader() {
    let mut rig = Rig::with(|_| {}, Arc::default(), 4 * 1024);
    let mut peer = rig.stream().await;
    rig.up().await;
    for _ in 0..10_000 {
        push(&rig.outbox, Class::Message, "m");
    }
    for n in 0..100 {
        peer.send(&format!(
            "<message from='a@b' to='c@irc.example.org' id='{n}'/>"
        ))
        .await;
        let Event::Stanza(stanza) = rig.event().await else {
            panic!("no stanza")
        };
        assert_eq!(id(&stanza), n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_reading_for_good_is_left() {
    let mut rig = Rig::with(|_| {}, Arc::default(), 4 * 1024);
    let _stuck = rig.stream().await;
    rig.up().await;
    for n in 0..1000 {
        push(&rig.outbox, Class::Message, &n.to_string());
    }
    let mut peer = rig.stream().await;
    for n in 0..1000 {
        assert_eq!(id(&peer.stanza().await), n.to_string());
    }
}
