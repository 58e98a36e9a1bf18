//! Somebody on IRC who goes on talking, in lines that are numbered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use isthmus_test_support::{IrcClient, Stanza, XmppClient};

use crate::world::PATIENCE;

/// The channel where it happens.
pub(crate) const CHANNEL: &str = "#garden";
/// The same as a room.
pub(crate) const ROOM: &str = "#garden%local@irc.localhost";

/// Says numbered lines until told to stop.
pub(crate) struct Talker {
    said: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Talker {
    /// Goes on behind line `after`.
    pub(crate) fn start(irc: Arc<IrcClient>, after: u32) -> Self {
        let (said, stop) = (
            Arc::new(AtomicU32::new(after)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, end) = (Arc::clone(&said), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            // The rate of a lively room; the test waits for what it counts, not for this.
            let mut beat = tokio::time::interval(Duration::from_millis(20));
            while !end.load(Ordering::Relaxed) {
                beat.tick().await;
                let number = count.load(Ordering::Relaxed) + 1;
                irc.privmsg(CHANNEL, &format!("line {number}"));
                count.store(number, Ordering::Relaxed);
            }
        });
        Self { said, stop, task }
    }

    /// The last line said.
    pub(crate) fn said(&self) -> u32 {
        self.said.load(Ordering::Relaxed)
    }

    /// Stops; returns the last line said.
    pub(crate) async fn finish(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it only talks");
        self.said.load(Ordering::Relaxed)
    }
}

/// Waits for a line.
pub(crate) async fn hears(juliet: &XmppClient, number: u32) {
    let body = format!("line {number}");
    let heard = juliet
        .try_expect(PATIENCE, |s| s.is_message("groupchat", &body))
        .await;
    heard.unwrap_or_else(|error| panic!("line {number}: {}", &error[..error.len().min(3000)]));
}

/// The ids under which each line came.
pub(crate) fn ids(log: &[Stanza]) -> BTreeMap<u32, Vec<String>> {
    let mut ids: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for stanza in log
        .iter()
        .filter(|s| s.kind() == "message" && s.type_() == "groupchat")
    {
        if let Some(number) = stanza
            .body()
            .strip_prefix("line ")
            .and_then(|n| n.parse().ok())
        {
            ids.entry(number).or_default().push(stanza.id().to_owned());
        }
    }
    ids
}
