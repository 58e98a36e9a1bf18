//! Keys and secrets, and files of other versions.

use std::os::unix::fs::PermissionsExt;

use rusqlite::params;

use super::*;

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
