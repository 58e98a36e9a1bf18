//! The store against real files, with a second connection as the witness.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rusqlite::params;

use super::*;

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

#[tokio::test]
async fn a_sealed_secret_opens_again_after_a_restart_and_is_not_on_disk_in_clear() {
    let place = Place::new();
    let text = "correct horse battery staple";
    {
        let store = place.open();
        let sealed = store.seal("ann@example.org", "irc", "sasl", &Secret::new(text));
        sealed.await.expect("sealed");
    }
    let bytes = std::fs::read(&place.db).expect("the file");
    assert!(
        !bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    );
    let store = place.open();
    let unseal = |name: &str| store.unseal("ann@example.org", "irc", name);
    assert_eq!(
        unseal("sasl").await.expect("an answer"),
        Some(Secret::new(text))
    );
    assert_eq!(unseal("other").await.expect("an answer"), None);
    store
        .seal("ann@example.org", "irc", "sasl", &Secret::default())
        .await
        .expect("removed");
    assert_eq!(unseal("sasl").await.expect("an answer"), None);
}

#[tokio::test]
async fn a_secret_moved_to_another_row_or_changed_does_not_open() {
    let place = Place::new();
    let store = place.open();
    store
        .seal("ann@x", "irc", "sasl", &Secret::new("hers"))
        .await
        .expect("sealed");
    store
        .seal("bob@x", "irc", "sasl", &Secret::new("his"))
        .await
        .expect("sealed");
    let db = place.witness();
    db.execute(
        "UPDATE sealed SET box = (SELECT box FROM sealed JOIN user ON user.id = user \
         WHERE jid = 'ann@x') WHERE user = (SELECT id FROM user WHERE jid = 'bob@x')",
        [],
    )
    .expect("moved");
    let refused = StoreFault::Sealed {
        name: "sasl".to_owned(),
    };
    assert_eq!(
        store.unseal("bob@x", "irc", "sasl").await,
        Err(refused.clone())
    );
    assert_eq!(
        store.unseal("ann@x", "irc", "sasl").await.expect("opens"),
        Some(Secret::new("hers"))
    );
    let mut sealed: Vec<u8> = db
        .query_row("SELECT box FROM sealed LIMIT 1", [], |row| row.get(0))
        .expect("a box");
    *sealed.last_mut().expect("not empty") ^= 1;
    for bad in [sealed, b"short".to_vec()] {
        db.execute("UPDATE sealed SET box = ?1", params![bad])
            .expect("changed");
        assert_eq!(
            store.unseal("ann@x", "irc", "sasl").await,
            Err(refused.clone())
        );
    }
}

#[tokio::test]
async fn another_key_opens_nothing_and_a_missing_one_is_refused_while_secrets_exist() {
    let place = Place::new();
    {
        let store = place.open();
        store
            .seal("ann@x", "irc", "sasl", &Secret::new("hers"))
            .await
            .expect("sealed");
    }
    std::fs::remove_file(place.key()).expect("removed");
    let fault = SqliteStore::open(&place.db)
        .err()
        .expect("refused")
        .to_string();
    assert!(
        fault.contains("put the key file back from a backup"),
        "{fault}"
    );
    assert!(!place.key().exists(), "no new key may hide the loss");
    std::fs::write(place.key(), [7; 32]).expect("another key");
    std::fs::set_permissions(place.key(), PermissionsExt::from_mode(0o600)).expect("mode");
    let store = place.open();
    let refused = StoreFault::Sealed {
        name: "sasl".to_owned(),
    };
    assert_eq!(store.unseal("ann@x", "irc", "sasl").await, Err(refused));
}

#[test]
fn the_key_and_the_database_are_for_their_owner_only() {
    let place = Place::new();
    let store = place.open();
    for file in [&place.db, &place.key()] {
        let mode = std::fs::metadata(file).expect("made").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    assert_eq!(std::fs::read(place.key()).expect("readable").len(), 32);
    drop(store);
    for (mode, words) in [
        (0o640, "mode 640"),
        (0o604, "chmod 600"),
        (0o620, "expected mode 600"),
    ] {
        std::fs::set_permissions(place.key(), PermissionsExt::from_mode(mode)).expect("mode");
        let fault = SqliteStore::open(&place.db)
            .err()
            .expect("refused")
            .to_string();
        assert!(fault.contains(words), "{fault}");
    }
    std::fs::set_permissions(place.key(), PermissionsExt::from_mode(0o600)).expect("mode");
    std::fs::write(place.key(), [7; 31]).expect("a short key");
    let fault = SqliteStore::open(&place.db)
        .err()
        .expect("refused")
        .to_string();
    assert!(fault.contains("holds 31 bytes, expected 32"), "{fault}");
}

#[test]
fn instance_keys_are_stable_and_differ_by_label_and_by_installation() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let first = place.open().instance_key("occupant-id");
    let store = place.open();
    assert_eq!(store.instance_key("occupant-id"), first);
    assert_ne!(store.instance_key("stanza-id"), first);
    assert_ne!(elsewhere.open().instance_key("occupant-id"), first);
}

#[tokio::test]
async fn a_database_of_version_one_is_upgraded_with_its_rows() {
    let place = Place::new();
    let old = Connection::open(&place.db).expect("a new file");
    old.execute_batch(schema::MIGRATIONS[0])
        .expect("the first schema");
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO user VALUES (5, 'ann@example.org');
         INSERT INTO gateway VALUES (3, 'irc.example.org');
         INSERT INTO peer VALUES (8, 3, '#garden%net');
         INSERT INTO conversation VALUES (2, 5, 8);
         INSERT INTO message VALUES (1, 2, 41, 'id-41', 41000, 'ferris', x'3c6d2f3e');",
    )
    .expect("old rows");
    drop(old);
    let store = place.open();
    assert_eq!(
        garden(&store).await,
        Conversation {
            id: ConversationId(2),
            last: 41
        }
    );
    store.append(ConversationId(2), row(42));
    store.keep(
        "ann@example.org",
        "irc.example.org",
        "rooms",
        Some(b"x".to_vec()),
    );
    let rows = store.rows(ConversationId(2), ALL).await.expect("rows");
    assert_eq!(
        rows,
        [
            Row {
                stanza: b"<m/>".to_vec(),
                ..row(41)
            },
            row(42)
        ]
    );
    let version: i64 = place
        .witness()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a version");
    assert_eq!(version, schema::MIGRATIONS.len() as i64);
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let place = Place::new();
    let newer = Connection::open(&place.db).expect("a new file");
    newer
        .execute_batch("CREATE TABLE future (x); PRAGMA user_version = 99;")
        .expect("set");
    drop(newer);
    let fault = SqliteStore::open(&place.db)
        .err()
        .expect("refused")
        .to_string();
    assert!(fault.contains("schema version 99"), "{fault}");
    assert!(fault.contains("run the newer version"), "{fault}");
    assert_eq!(count(&place.witness(), "sqlite_schema"), 1);
    assert!(!place.key().exists());
}

#[test]
fn a_file_that_is_no_database_and_a_folder_that_is_not_there_are_named() {
    let place = Place::new();
    std::fs::write(
        &place.db,
        "these are the minutes of the garden club, not a database",
    )
    .expect("written");
    let fault = SqliteStore::open(&place.db)
        .err()
        .expect("refused")
        .to_string();
    assert!(fault.contains("no SQLite database"), "{fault}");
    let nowhere = place.db.with_file_name("nowhere").join("isthmus.db");
    let fault = SqliteStore::open(&nowhere)
        .err()
        .expect("refused")
        .to_string();
    assert!(fault.contains("the folder must exist"), "{fault}");
}
