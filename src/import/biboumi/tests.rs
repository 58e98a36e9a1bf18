//! The import against a database with the tables of biboumi 9.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::registry;
use crate::secret::Secret;
use crate::store::Page;
use crate::store::contacts::Contacts;

/// The tables as biboumi 9.0 makes them.
const TABLES: &str = "
    CREATE TABLE muclogline_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, uuid_ TEXT, owner_ TEXT,
        ircchanname_ TEXT, ircservername_ TEXT, date_ INTEGER, body_ TEXT, nick_ TEXT);
    CREATE TABLE globaloptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT,
        maxhistorylength_ INTEGER, recordhistory_ INTEGER, persistent_ INTEGER);
    CREATE TABLE ircserveroptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT,
        server_ TEXT, pass_ TEXT, tlsports_ TEXT, ports_ TEXT, username_ TEXT, realname_ TEXT,
        verifycert_ INTEGER, trustedfingerprint_ TEXT, encodingout_ TEXT, encodingin_ TEXT,
        maxhistorylength_ INTEGER, address_ TEXT, nick_ TEXT, saslpassword_ TEXT,
        throttlelimit_ INTEGER);
    CREATE TABLE ircchanneloptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT,
        server_ TEXT, channel_ TEXT, encodingout_ TEXT, encodingin_ TEXT,
        maxhistorylength_ INTEGER, persistent_ INTEGER, recordhistory_ INTEGER);
    CREATE TABLE roster (local TEXT, remote TEXT);
    CREATE TABLE after_connection_commands_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT,
        fk_ INTEGER, afterconnectioncommand_ TEXT);";

const ROWS: &str = "
    INSERT INTO muclogline_ (uuid_, owner_, ircchanname_, ircservername_, date_, body_, nick_)
    VALUES ('u1', 'juliet@example.org', '#garden', 'irc.a.example', 100, 'first <&>', 'alice'),
           ('u2', 'juliet@example.org', '#garden', 'irc.a.example', 100, 'second', 'juliet'),
           ('u3', 'romeo@elsewhere.example', '#garden', 'irc.a.example', 200, 'third', 'bob'),
           ('u4', 'juliet@example.org', '#garden', 'irc.a.example', 300, 'fourth', 'alice');
    INSERT INTO globaloptions_ (owner_, maxhistorylength_, recordhistory_, persistent_)
    VALUES ('juliet@example.org', 20, 0, 1);
    INSERT INTO ircserveroptions_ VALUES (1, 'juliet@example.org', 'irc.a.example', 'hunter2', '',
        '6667;6668;', '', 'Juliet', 0, 'ab:cd', 'latin-1', 'latin-1', 50, '', 'jule', '', 10);
    INSERT INTO ircchanneloptions_ VALUES (1, 'juliet@example.org', 'irc.a.example', '#Garden', '',
        'koi8-r', 20, 1, -1);
    INSERT INTO after_connection_commands_ (fk_, afterconnectioncommand_)
    VALUES (1, 'MODE jule +x'), (1, 'AWAY');
    INSERT INTO roster VALUES ('irc.example.org', 'juliet@example.org');";

struct Bench {
    dir: TempDir,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        Self::with("")
    }

    fn with(keys: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("isthmus.toml");
        let text = format!(
            "[component]\nsecret = \"s\"\n[store]\npath = \"isthmus.db\"\n\
             [gateway.irc]\ndomain = \"irc.example.org\"\nallow = [\"example.org\"]\n{keys}"
        );
        fs::write(&file, text).expect("written");
        let config = crate::config::load(&file, [], registry::KINDS).expect("a configuration");
        let db = Connection::open(dir.path().join("biboumi.sqlite")).expect("a database");
        db.execute_batch(TABLES).expect("tables");
        db.execute_batch(ROWS).expect("rows");
        Self { dir, config }
    }

    fn source(&self) -> std::path::PathBuf {
        self.dir.path().join("biboumi.sqlite")
    }

    async fn import(&self) -> Result<Report, ImportFault> {
        let from = Biboumi {
            database: self.source(),
            config: None,
            gateway: None,
        };
        biboumi(&self.config, &from).await
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.config.store.path).expect("the store")
    }
}

async fn history(store: &SqliteStore, user: &str) -> Vec<crate::store::Row> {
    let peer = "#garden%irc.a.example@irc.example.org";
    let found = store.conversation(user, "irc.example.org", peer).await;
    let page = Page {
        after: 0,
        newest: 100,
        since: None,
        until: None,
    };
    store
        .rows(found.expect("found").id, page)
        .await
        .expect("rows")
}

async fn settings(store: &SqliteStore) -> Value {
    let sealed = store.unseal("juliet@example.org", "irc.example.org", "settings");
    let sealed = sealed.await.expect("opened").expect("kept");
    serde_json::from_str(sealed.expose()).expect("a document")
}

#[tokio::test]
async fn what_biboumi_kept_is_taken_over_with_its_times_ids_and_order() {
    let bench = Bench::new();
    let report = bench.import().await.expect("taken over");
    assert_eq!(report.counted("lines of history").taken, 4);
    assert_eq!(report.counted("users").taken, 2);
    assert_eq!(report.counted("subscriptions").taken, 1);
    let store = bench.store();
    let contacts = store.contacts("irc.example.org").await.expect("read");
    let contact = contacts.first().expect("one");
    assert_eq!((contact.local.as_str(), contact.standing.to), ("", true));
    let rows = history(&store, "juliet@example.org").await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.number, row.id.as_str(), row.at, row.nick.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "u1", 100_000, "alice"),
            (2, "u2", 100_000, "juliet"),
            (3, "u4", 300_000, "alice"),
        ]
    );
    let stanza = String::from_utf8(rows[0].stanza.clone()).expect("text");
    assert!(
        stanza.contains("<body>first &lt;&amp;&gt;</body>"),
        "{stanza}"
    );
    assert!(stanza.contains("id='u1'"), "{stanza}");
    assert_eq!(
        settings(&store).await,
        json!({
            "gateway": { "record_history": "false", "persistent": "true" },
            "networks": { "irc.a.example": {
                "own": {
                    "ports": "6667\n6668", "verify_cert": "false", "nick": "jule",
                    "realname": "Juliet", "encoding_in": "ISO-8859-1", "pass": "hunter2",
                    "after_connect_commands": "MODE jule +x\nAWAY",
                },
                "rooms": { "#garden": {
                    "encoding_in": "koi8-r", "persistent": "true", "record_history": "false",
                } },
            } },
        })
    );
}

#[tokio::test]
async fn what_is_not_taken_over_is_said_and_no_password_is_shown() {
    let bench = Bench::new();
    let report = bench.import().await.expect("taken over").to_string();
    for words in [
        "SHA-1",
        "encoding_out",
        "max_history_length of a server",
        "passwords (sealed): 1",
    ] {
        assert!(report.contains(words), "{words} is not in\n{report}");
    }
    assert!(
        report.contains("hosts = [\"irc.a.example:6667\", \"irc.a.example:6668\"]"),
        "{report}"
    );
    assert!(report.contains("tls = \"off\""), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}

#[tokio::test]
async fn a_second_import_changes_nothing_and_the_source_stays_as_it_was() {
    let bench = Bench::new();
    let before = fs::read(bench.source()).expect("read");
    bench.import().await.expect("taken over");
    let store = bench.store();
    let (rows, set) = (
        history(&store, "juliet@example.org").await,
        settings(&store).await,
    );
    drop(store);
    let second = bench.import().await.expect("nothing to do");
    assert_eq!(second.counted("lines of history").taken, 0);
    assert_eq!(second.counted("lines of history").here, 4);
    assert_eq!(second.counted("settings").taken, 0);
    assert_eq!(second.counted("subscriptions").taken, 0);
    let store = bench.store();
    assert_eq!(history(&store, "juliet@example.org").await, rows);
    assert_eq!(settings(&store).await, set);
    assert_eq!(fs::read(bench.source()).expect("read"), before);
}

#[tokio::test]
async fn what_is_here_wins_and_lines_stand_in_the_order_of_their_times() {
    let bench = Bench::new();
    let store = bench.store();
    let peer = "#garden%irc.a.example@irc.example.org";
    let user = "juliet@example.org";
    let found = store.conversation(user, "irc.example.org", peer).await;
    let id = found.expect("made").id;
    for (number, at) in [(1, 200_000), (2, 100_000), (3, 400_000)] {
        let row = crate::store::Row {
            number,
            id: format!("own-{number}"),
            at,
            nick: "alice".to_owned(),
            stanza: b"<message/>".to_vec(),
            key: None,
        };
        store.append(id, row);
    }
    let own = json!({ "gateway": { "persistent": "false" } }).to_string();
    let kept = store.seal(user, "irc.example.org", "settings", &Secret::new(own));
    kept.await.expect("sealed");
    drop(store);
    let report = bench.import().await.expect("taken over");
    assert_eq!(report.counted("settings").here, 1);
    let store = bench.store();
    assert_eq!(settings(&store).await["gateway"]["persistent"], "false");
    let rows = history(&store, user).await;
    let ids: Vec<_> = rows
        .iter()
        .map(|row| (row.number, row.id.as_str()))
        .collect();
    let expected = [
        (1, "u1"),
        (2, "u2"),
        (3, "own-2"),
        (4, "own-1"),
        (5, "u4"),
        (6, "own-3"),
    ];
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_database_in_use_is_refused_and_so_is_one_that_is_not_biboumis() {
    let bench = Bench::new();
    let store = bench.store();
    let fault = bench.import().await.expect_err("in use").to_string();
    assert!(
        fault.contains("another program holds the database"),
        "{fault}"
    );
    drop(store);
    let db = Connection::open(bench.source()).expect("opened");
    db.execute_batch("ALTER TABLE ircserveroptions_ DROP COLUMN throttlelimit_")
        .expect("older");
    let fault = bench.import().await.expect_err("too old").to_string();
    assert!(
        fault.contains("throttlelimit_ of table ircserveroptions_ is missing"),
        "{fault}"
    );
    db.execute_batch("DROP TABLE roster").expect("other");
    let from = Biboumi {
        database: Path::new("/nowhere/at/all").to_owned(),
        config: None,
        gateway: None,
    };
    let fault = biboumi(&bench.config, &from).await.expect_err("no file");
    assert!(matches!(fault, ImportFault::Source { .. }), "{fault}");
}

#[tokio::test]
async fn with_one_network_its_channels_are_taken_over_and_others_are_told() {
    let bench = Bench::with("network = \"irc.b.example\"\n");
    let report = bench.import().await.expect("taken over");
    assert_eq!(report.counted("lines of history").taken, 0);
    assert!(
        report
            .to_string()
            .contains("irc.a.example: it is not served here"),
        "{report}"
    );
    let bench = Bench::with("network = \"irc.a.example\"\n");
    let report = bench.import().await.expect("taken over");
    assert_eq!(report.counted("lines of history").taken, 4);
    let set = settings(&bench.store()).await;
    assert_eq!(set["networks"][""]["own"]["nick"], "jule");
}

#[test]
fn the_old_configuration_becomes_keys_and_no_secret_is_shown() {
    let old = Old::parse(
        "# x\nhostname=irc.example.org\npassword=s3cret\nadmin=a@x.example:b@y.example\n\
         fixed_irc_server=irc.a.example\npersistent_by_default=true\nwebirc_password=s3cret\n\
         realname_from_jid=true\nport=5348\nxmpp_server_ip=127.0.0.1\nlog_level=2\n",
    );
    assert!(old.persistent);
    let strangers = BTreeSet::from(["z.example".to_owned()]);
    let keys = old.keys("irc", &strangers).join("\n");
    for key in [
        "[gateway.irc]",
        "admins = [\"a@x.example\", \"b@y.example\"]",
        "allow = [\"z.example\"]",
        "network = \"irc.a.example\"",
        "persistent = true",
        "server = \"127.0.0.1:5348\"",
        "level = \"warn\"",
    ] {
        assert!(keys.contains(key), "{key} is not in\n{keys}");
    }
    let notes = old.notes().join("\n");
    assert!(
        notes.contains("webirc") && notes.contains("realname_from_jid"),
        "{notes}"
    );
    assert!(!format!("{keys}{notes}").contains("s3cret"));
}
