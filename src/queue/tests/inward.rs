//! A row leaves when it has arrived, and not before.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::Inwards;
use crate::component::Tap;
use crate::store::SqliteStore;
use crate::store::jobs::{Inward, Jobs};

const DOMAIN: &str = "loop.example.org";
const USER: &str = "juliet@example.org";

struct Scene {
    dir: tempfile::TempDir,
    store: Arc<SqliteStore>,
    inwards: Arc<Inwards>,
    tap: Tap,
    stop: watch::Sender<bool>,
    run: JoinHandle<()>,
}

impl Scene {
    fn open(dir: tempfile::TempDir) -> Self {
        let path = dir.path().join("isthmus.db");
        let store = Arc::new(SqliteStore::open(&path).expect("a store"));
        let (outbox, tap) = Tap::new(DOMAIN);
        let inwards = Arc::new(Inwards::new(DOMAIN, Arc::clone(&store) as _, outbox));
        let stop = watch::Sender::new(false);
        let (running, stopped) = (Arc::clone(&inwards), stop.subscribe());
        let run = tokio::spawn(async move { running.run(stopped).await });
        Self {
            dir,
            store,
            inwards,
            tap,
            stop,
            run,
        }
    }

    /// The process ends, whatever is on its way, and another begins.
    async fn restart(self) -> Self {
        self.stop.send_replace(true);
        self.run.await.expect("it ends");
        let Self { dir, store, .. } = self;
        drop((self.inwards, store));
        Self::open(dir)
    }

    async fn deliver(&self, names: &[String]) {
        self.store.user_add(USER, 1).await.expect("known");
        let batch = names.iter().map(|name| Inward {
            number: 1,
            dedup: name.clone(),
            until: i64::MAX,
            stanza: format!(
                "<message xmlns='jabber:component:accept' from='echo@{DOMAIN}' to='{USER}' \
                 id='{name}' type='chat'><body>{name}</body></message>"
            )
            .into_bytes(),
            stanza_id: name.clone(),
            key: None,
            peer: "echo".to_owned(),
            peer_kept: None,
            returns: None,
        });
        let taken = self.store.deliver(DOMAIN, batch.collect()).await;
        taken.expect("taken");
        self.inwards.added();
    }

    /// Reads what goes out until so many ids have come.
    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        let reading = async {
            while ids.len() < count {
                let text = self.tap.read();
                if text.is_empty() {
                    self.tap.stirred().await;
                }
                let found = text
                    .split("id='")
                    .skip(1)
                    .chain(text.split("id=\"").skip(1));
                ids.extend(found.filter_map(|rest| {
                    let end = rest.find(['\'', '"'])?;
                    Some(rest[..end].to_owned())
                }));
            }
        };
        timeout(Duration::from_secs(20), reading)
            .await
            .expect("rows go out");
        ids
    }

    async fn left(&self) -> usize {
        self.store
            .inbound(DOMAIN, 0, 10_000)
            .await
            .expect("rows")
            .len()
    }

    async fn empties(&self) {
        let empty = async {
            while self.left().await > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), empty)
            .await
            .expect("rows leave");
    }
}

fn names(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("m{number}")).collect()
}

#[tokio::test]
async fn a_row_stays_until_the_server_has_proven_to_have_it() {
    let mut scene = Scene::open(tempfile::tempdir().expect("a scratch directory"));
    scene.deliver(&names(0..3)).await;
    assert_eq!(scene.ids(3).await, names(0..3));
    assert_eq!(scene.left().await, 3, "written is not arrived");
    scene.tap.confirm();
    scene.empties().await;
    scene.deliver(&names(3..4)).await;
    assert_eq!(scene.ids(1).await, names(3..4), "each goes out once");
}

#[tokio::test]
async fn what_a_cut_swallowed_goes_out_again_under_the_same_ids() {
    let mut scene = Scene::open(tempfile::tempdir().expect("a scratch directory"));
    scene.deliver(&names(0..3)).await;
    assert_eq!(scene.ids(3).await, names(0..3));
    scene.tap.cut();
    scene.tap.up();
    assert_eq!(scene.ids(3).await, names(0..3));
    assert_eq!(scene.left().await, 3);
    scene.tap.confirm();
    scene.empties().await;
}

#[tokio::test]
async fn after_a_restart_what_was_not_proven_goes_out_again_in_order() {
    let mut scene = Scene::open(tempfile::tempdir().expect("a scratch directory"));
    scene.deliver(&names(0..2)).await;
    scene.ids(2).await;
    scene.tap.confirm();
    scene.empties().await;
    scene.deliver(&names(2..5)).await;
    assert_eq!(scene.ids(3).await, names(2..5));
    let mut scene = scene.restart().await;
    scene.deliver(&names(5..6)).await;
    assert_eq!(scene.ids(4).await, names(2..6));
    scene.tap.confirm();
    scene.empties().await;
    let mut scene = scene.restart().await;
    scene.deliver(&names(6..7)).await;
    assert_eq!(scene.ids(1).await, names(6..7));
}

#[tokio::test]
async fn more_than_may_be_on_the_way_at_once_all_arrive_in_order() {
    const MANY: usize = 6_000;
    let mut scene = Scene::open(tempfile::tempdir().expect("a scratch directory"));
    scene.deliver(&names(0..MANY)).await;
    let mut ids = Vec::new();
    while ids.len() < MANY {
        ids.extend(scene.ids(1).await);
        scene.tap.confirm();
    }
    assert_eq!(ids, names(0..MANY));
    scene.empties().await;
}
