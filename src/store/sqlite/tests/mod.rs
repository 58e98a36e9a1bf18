//! The store against real files, with a second connection as the witness.

use std::path::PathBuf;

use super::*;

mod archives;
mod contacts;
mod jobs;
mod kept;
mod lanes;
mod opening;
mod references;
mod reports;

struct Place {
    _folder: tempfile::TempDir,
    db: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = folder.path().join("isthmus.db");
        Self {
            _folder: folder,
            db,
        }
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.db).expect("the store opens")
    }

    /// Gives up on locks at once.
    fn open_hasty(&self, ceiling: usize) -> SqliteStore {
        let tuning = Tuning {
            busy: Duration::from_millis(1),
            ceiling,
            ..Tuning::default()
        };
        SqliteStore::open_tuned(&self.db, tuning).expect("the store opens")
    }

    fn witness(&self) -> Connection {
        let db = Connection::open(&self.db).expect("a second connection");
        db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        db
    }

    fn key(&self) -> PathBuf {
        key_path(&self.db)
    }
}

fn row(number: i64) -> Row {
    Row {
        number,
        id: format!("id-{number}"),
        at: number * 1000,
        nick: "ferris".to_owned(),
        stanza: format!("<message>{number}</message>").into_bytes(),
        key: None,
    }
}

const ALL: Page = Page {
    after: 0,
    newest: usize::MAX,
    since: None,
    until: None,
};

fn numbers(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.number).collect()
}

async fn garden(store: &SqliteStore) -> Conversation {
    store
        .conversation("ann@example.org", "irc.example.org", "#garden%net")
        .await
        .expect("made")
}

/// A try that was under way when the lock was given back may still fail; a later one may not.
async fn committed(store: &SqliteStore) {
    let tries = async { while store.synced().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), tries)
        .await
        .expect("committed");
}

fn count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
        row.get(0)
    })
    .expect("a count")
}

#[tokio::test]
async fn what_was_acknowledged_is_seen_by_a_second_connection() {
    let place = Place::new();
    let store = place.open();
    let garden = garden(&store).await;
    for number in 1..=1000 {
        store.append(garden.id, row(number));
    }
    store.synced().await.expect("committed");
    assert_eq!(count(&place.witness(), "message"), 1000);
    assert_eq!(store.backlog(), 0);
    assert_eq!(store.lost(), 0);
}

#[tokio::test]
async fn a_read_sees_every_write_queued_before_it() {
    let place = Place::new();
    let store = place.open();
    let garden = garden(&store).await;
    for number in 1..=300 {
        store.append(garden.id, row(number));
        if number % 50 == 0 {
            let rows = store.rows(garden.id, ALL).await.expect("rows");
            assert_eq!(numbers(&rows), (1..=number).collect::<Vec<_>>());
        }
    }
    let rows = store.rows(garden.id, ALL).await.expect("rows");
    assert_eq!(rows[41], row(42));
}

#[tokio::test]
async fn a_call_counts_from_when_it_is_made_not_from_when_it_is_awaited() {
    let place = Place::new();
    let store = place.open();
    let garden = garden(&store).await;
    store.append(garden.id, row(1));
    let early = store.rows(garden.id, ALL);
    store.append(garden.id, row(2));
    let late = store.rows(garden.id, ALL);
    assert_eq!(numbers(&late.await.expect("rows")), [1, 2]);
    assert_eq!(numbers(&early.await.expect("rows")), [1]);
}

#[tokio::test]
async fn a_page_is_the_newest_of_what_its_bounds_let_through() {
    let place = Place::new();
    let store = place.open();
    let garden = garden(&store).await;
    (1..=20).for_each(|number| store.append(garden.id, row(number)));
    let cases: [(Page, Vec<i64>); 8] = [
        (Page { newest: 3, ..ALL }, vec![18, 19, 20]),
        (Page { after: 17, ..ALL }, vec![18, 19, 20]),
        (
            Page {
                newest: 2,
                until: Some(5),
                ..ALL
            },
            vec![4, 5],
        ),
        (
            Page {
                since: Some(18_500),
                ..ALL
            },
            vec![19, 20],
        ),
        (
            Page {
                since: Some(4_000),
                until: Some(5),
                ..ALL
            },
            vec![4, 5],
        ),
        (
            Page {
                since: Some(21_000),
                ..ALL
            },
            vec![],
        ),
        (
            Page {
                after: 10,
                until: Some(10),
                ..ALL
            },
            vec![],
        ),
        (Page { newest: 0, ..ALL }, vec![]),
    ];
    for (page, expected) in cases {
        let rows = store.rows(garden.id, page).await.expect("rows");
        assert_eq!(numbers(&rows), expected, "{page:?}");
    }
}

#[tokio::test]
async fn since_finds_late_rows_among_older_ones() {
    let place = Place::new();
    let store = place.open();
    let garden = garden(&store).await;
    for (number, at) in [(1, 500), (2, 900), (3, 100), (4, 800)] {
        store.append(garden.id, Row { at, ..row(number) });
    }
    let rows = store
        .rows(
            garden.id,
            Page {
                since: Some(600),
                ..ALL
            },
        )
        .await
        .expect("rows");
    assert_eq!(numbers(&rows), [2, 4]);
}

#[tokio::test]
async fn conversations_are_apart_and_survive_a_restart() {
    let place = Place::new();
    let first = {
        let store = place.open();
        let first = garden(&store).await;
        assert_eq!(first.last, 0);
        assert_eq!(garden(&store).await, first);
        for (user, gateway, peer) in [
            ("bob@example.org", "irc.example.org", "#garden%net"),
            ("ann@example.org", "sms.example.org", "#garden%net"),
            ("ann@example.org", "irc.example.org", "#Garden%net"),
        ] {
            let other = store.conversation(user, gateway, peer).await.expect("made");
            assert_ne!(other.id, first.id);
            store.append(other.id, row(7));
        }
        (1..=5).for_each(|number| store.append(first.id, row(number)));
        first
        // Dropped without synced(): closing writes what is queued.
    };
    let store = place.open();
    assert_eq!(
        garden(&store).await,
        Conversation {
            id: first.id,
            last: 5
        }
    );
    let rows = store.rows(first.id, ALL).await.expect("rows");
    assert_eq!(numbers(&rows), [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_producers_each_keep_their_order() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let tasks = (0..8).map(|user| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let user = format!("user{user}@example.org");
            let own = store
                .conversation(&user, "irc.example.org", "#a%n")
                .await
                .expect("made");
            for number in 1..=500 {
                store.append(own.id, row(number));
                if number % 100 == 0 {
                    let rows = store.rows(own.id, ALL).await.expect("rows");
                    assert_eq!(numbers(&rows), (1..=number).collect::<Vec<_>>());
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    store.synced().await.expect("committed");
    assert_eq!(count(&place.witness(), "message"), 8 * 500);
}

#[tokio::test]
async fn a_refused_row_is_counted_and_does_not_hold_up_the_others() {
    let place = Place::new();
    let store = place.open();
    let garden = garden(&store).await;
    store.append(garden.id, row(1));
    store.append(ConversationId(4711), row(1));
    store.append(
        garden.id,
        Row {
            nick: "impostor".to_owned(),
            ..row(1)
        },
    );
    store.append(garden.id, row(2));
    let rows = store.rows(garden.id, ALL).await.expect("rows");
    assert_eq!(rows, [row(1), row(2)]);
    assert_eq!((store.lost(), store.backlog()), (2, 0));
}

#[tokio::test]
async fn a_database_held_by_another_is_reported_and_nothing_queued_is_lost() {
    let place = Place::new();
    let store = place.open_hasty(1 << 20);
    let garden = garden(&store).await;
    let other = place.witness();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    (1..=10).for_each(|number| store.append(garden.id, row(number)));
    let fault = store.synced().await.expect_err("nothing can be committed");
    assert!(
        fault
            .to_string()
            .contains("another program holds the database"),
        "{fault}"
    );
    assert!(store.backlog() > 0);
    other
        .execute_batch("ROLLBACK")
        .expect("the lock is given back");
    committed(&store).await;
    let rows = store.rows(garden.id, ALL).await.expect("rows");
    assert_eq!(numbers(&rows), (1..=10).collect::<Vec<_>>());
    assert_eq!((store.lost(), store.backlog()), (0, 0));
}

#[tokio::test]
async fn beyond_the_ceiling_writes_are_refused_and_counted() {
    let place = Place::new();
    let store = place.open_hasty(4096);
    let garden = garden(&store).await;
    let other = place.witness();
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    (1..=1000).for_each(|number| store.append(garden.id, row(number)));
    assert!(store.backlog() <= 4096);
    let lost = store.lost();
    assert!(lost > 0);
    other
        .execute_batch("ROLLBACK")
        .expect("the lock is given back");
    committed(&store).await;
    assert_eq!(count(&place.witness(), "message"), 1000 - lost as i64);
}

#[tokio::test]
async fn a_full_disk_is_named_with_what_to_do() {
    let place = Place::new();
    let store = place.open();
    store
        .ask(|db| pragma(db, "max_page_count = 40"))
        .await
        .expect("a small disk");
    store.spool_put("irc.example.org", 1, vec![7; 1 << 20]);
    let fault = store.synced().await.expect_err("it does not fit");
    assert!(
        fault.to_string().contains("free space on the disk"),
        "{fault}"
    );
    assert!(store.backlog() >= 1 << 20);
    drop(store);
    let store = place.open();
    assert_eq!(
        store
            .spool_next("irc.example.org", 0)
            .await
            .expect("an answer"),
        None
    );
}

fn pragma(db: &Connection, what: &str) -> Result<(), StoreFault> {
    db.query_row(&format!("PRAGMA {what}"), [], |_| Ok(()))
        .map_err(|e| sql::fault(&e))
}

#[tokio::test]
async fn the_spool_is_read_in_order_and_removed_up_to_a_number() {
    let place = Place::new();
    {
        let store = place.open();
        for number in [3, 1, 2, 300] {
            store.spool_put("irc.example.org", number, vec![number as u8]);
        }
        store.spool_put("sms.example.org", 1, vec![99]);
    }
    let store = place.open();
    let mut seen = Vec::new();
    let mut after = 0;
    while let Some((number, blob)) = store
        .spool_next("irc.example.org", after)
        .await
        .expect("an answer")
    {
        assert_eq!(blob, [number as u8]);
        seen.push(number);
        after = number;
    }
    assert_eq!(seen, [1, 2, 3, 300]);
    store.spool_remove("irc.example.org", 2);
    let next = store
        .spool_next("irc.example.org", 0)
        .await
        .expect("an answer");
    assert_eq!(next, Some((3, vec![3])));
    let other = store
        .spool_next("sms.example.org", 0)
        .await
        .expect("an answer");
    assert_eq!(other, Some((1, vec![99])));
    assert_eq!(
        store
            .spool_next("mail.example.org", 0)
            .await
            .expect("an answer"),
        None
    );
}

#[tokio::test]
async fn a_kept_value_is_replaced_and_removed() {
    let place = Place::new();
    let store = place.open();
    let read = || store.kept("ann@example.org", "irc.example.org", "rooms");
    assert_eq!(read().await.expect("an answer"), None);
    for value in [
        Some(b"one".to_vec()),
        Some(Vec::new()),
        Some(b"two".to_vec()),
        None,
    ] {
        store.keep("ann@example.org", "irc.example.org", "rooms", value.clone());
        store.keep(
            "ann@example.org",
            "irc.example.org",
            "other",
            Some(b"x".to_vec()),
        );
        store.keep(
            "bob@example.org",
            "irc.example.org",
            "rooms",
            Some(b"x".to_vec()),
        );
        assert_eq!(read().await.expect("an answer"), value);
    }
}
