//! What a real biboumi kept is taken over: compared row by row with what it wrote, then seen by
//! the user who enters by this program.

use std::path::Path;
use std::process::{Command, Output};

use isthmus::store::{SqliteStore, Store};
use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{Biboumi, IrcClient, IrcServer, XmppClient};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::compared::configure;
use crate::world::{IRC, PASSWORD, PATIENCE, answers, config, irc_gateway_at, isthmus};

const NETWORK: &str = "127.0.0.1@irc.localhost";
const ROOM: &str = "#garden%127.0.0.1@irc.localhost";
const USER: &str = "juliet@localhost";

/// One line of the old history.
#[derive(Debug, PartialEq)]
struct Line {
    id: String,
    /// Milliseconds.
    at: i64,
    nick: String,
    body: String,
}

async fn attached(client: &XmppClient) {
    let end = Instant::now() + PATIENCE;
    while !answers(client, IRC).await {
        assert!(Instant::now() < end, "nothing attaches");
        // The server answers in the gateway's place until then: ask again.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Juliet sets what can be set, and talks with alice.
async fn lives_with_biboumi(juliet: &XmppClient, irc: &dyn IrcServer) {
    let port = irc.port().to_string();
    let global = [
        ("max_history_length", "7"),
        ("record_history", "1"),
        ("persistent", "0"),
    ];
    assert!(configure(juliet, IRC, &global).await);
    let server = [
        ("ports", port.as_str()),
        ("tls_ports", ""),
        ("verify_cert", "0"),
        ("throttle_limit", "5"),
        ("username", "jcapulet"),
        ("realname", "Juliet Capulet"),
        ("encoding_in", "koi8-r"),
        ("after_connect_commands", "AWAY\nMODE juliet +i"),
    ];
    assert!(configure(juliet, NETWORK, &server).await);
    // ngIRCd turns away who has a password that it did not ask for.
    let other = [
        ("pass", "hunter2"),
        ("nick", "jule"),
        ("verify_cert", "1"),
        ("ports", "6667"),
        ("tls_ports", "6697\n6670"),
        ("throttle_limit", "10"),
    ];
    let other_server = "irc.other.example@irc.localhost";
    assert!(configure(juliet, other_server, &other).await);
    let channel = [
        ("record_history", "true"),
        ("persistent", "1"),
        ("encoding_in", "latin-1"),
    ];
    assert!(configure(juliet, ROOM, &channel).await);
    juliet.send(&format!("<presence type='subscribe' to='{IRC}'/>"));
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join("#garden").await;
    juliet.join(ROOM, "juliet").await;
    for body in [
        "good <morrow>",
        "/me waves & smiles",
        "na\u{ef}ve \u{1f980}",
    ] {
        juliet.groupchat(ROOM, body);
        juliet.expect(|s| s.is_message("groupchat", body)).await;
    }
    for body in ["\u{2}bold\u{2} word", "fare thee well"] {
        alice.privmsg("#garden", body);
    }
    juliet
        .expect(|s| s.is_message("groupchat", "fare thee well"))
        .await;
}

/// What biboumi wrote.
fn written(database: &Path) -> Vec<Line> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags(database, flags).expect("biboumi's database");
    let sql = "SELECT uuid_, date_, nick_, body_ FROM muclogline_ ORDER BY id_";
    let mut lines = db.prepare(sql).expect("its tables");
    let lines = lines.query_map([], |row| {
        Ok(Line {
            id: row.get(0)?,
            at: row.get::<_, i64>(1)? * 1000,
            nick: row.get(2)?,
            body: row.get(3)?,
        })
    });
    lines
        .expect("lines")
        .map(|line| line.expect("a line"))
        .collect()
}

fn import(config: &Path, from: &Biboumi) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isthmus"))
        .args(["import", "biboumi"])
        .arg(from.database())
        .arg("--config")
        .arg(config)
        .arg("--biboumi-config")
        .arg(from.config_file())
        .output()
        .expect("it runs")
}

async fn settings(database: &Path) -> Value {
    let store = SqliteStore::open(database).expect("the store");
    let sealed = store.unseal(USER, IRC, "settings").await.expect("it opens");
    serde_json::from_str(sealed.expect("kept").expose()).expect("a document")
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn import_takes_over_what_a_real_biboumi_kept_and_the_user_sees_it() {
    let irc = Irc::Ngircd.start();
    let xmpp = Xmpp::Prosody.start();
    xmpp.add_user("juliet", PASSWORD);
    let juliet = XmppClient::login(&*xmpp, "juliet", PASSWORD, "one").await;
    juliet.available();
    let biboumi = Biboumi::start(&*xmpp, IRC);
    attached(&juliet).await;
    lives_with_biboumi(&juliet, &*irc).await;
    biboumi.stop();
    let lines = written(&biboumi.database());
    assert_eq!(lines.len(), 5, "{lines:?}");
    let before = std::fs::read(biboumi.database()).expect("read");

    let address = format!("127.0.0.1:{}", irc.port());
    let gateway = irc_gateway_at(&address, "tls = \"off\"").replace(".local]", ".\"127.0.0.1\"]");
    let gate = isthmus(&config(&*xmpp, &gateway));
    attached(&juliet).await;
    let refused = import(&gate.config_file(), &biboumi);
    let words = shown(&refused.stderr);
    assert_eq!(refused.status.code(), Some(74), "{words}");
    assert!(
        words.contains("another program holds the database"),
        "{words}"
    );
    gate.terminate();

    let done = import(&gate.config_file(), &biboumi);
    let report = shown(&done.stdout);
    assert!(done.status.success(), "{report}{}", shown(&done.stderr));
    for words in [
        "lines of history: 5",
        "passwords (sealed): 1",
        "admins = [\"juliet@localhost\"]",
    ] {
        assert!(report.contains(words), "{words} is not in\n{report}");
    }
    assert!(!report.contains("hunter2"), "{report}");
    let again = shown(&import(&gate.config_file(), &biboumi).stdout);
    assert!(
        again.contains("lines of history: 0 (5 left as they are here)"),
        "{again}"
    );
    assert_eq!(std::fs::read(biboumi.database()).expect("read"), before);
    let set = settings(&gate.dir().join("isthmus.db")).await;
    assert_eq!(set, expected(irc.port()));

    gate.restart();
    attached(&juliet).await;
    let from = juliet.log().len();
    juliet.join(ROOM, "juliet").await;
    let seen: Vec<Line> = juliet.log()[from..].iter().filter_map(delayed).collect();
    assert_eq!(seen, lines);
    let from = juliet.log().len();
    let query = "<query xmlns='urn:xmpp:mam:2'/>";
    assert_eq!(juliet.iq("set", ROOM, query).await.type_(), "result");
    let log = juliet.log();
    let archived = log[from..]
        .iter()
        .filter_map(|s| s.find("result", "urn:xmpp:mam:2"));
    let archived: Vec<&str> = archived.map(|result| result.attr("id")).collect();
    let ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    assert!(archived.starts_with(&ids), "{archived:?} after {ids:?}");
}

/// A line of the history, as it was shown.
fn delayed(stanza: &isthmus_test_support::Stanza) -> Option<Line> {
    let delay = stanza.find("delay", "urn:xmpp:delay")?;
    let at: jiff::Timestamp = delay.attr("stamp").parse().ok()?;
    let id = stanza.find("stanza-id", "urn:xmpp:sid:0")?;
    let nick = stanza.from().split_once('/')?.1;
    Some(Line {
        id: id.attr("id").to_owned(),
        at: at.as_millisecond(),
        nick: nick.to_owned(),
        body: stanza.body().to_owned(),
    })
}

fn expected(port: u16) -> Value {
    json!({
        "gateway": { "max_history_length": "7" },
        "networks": { "irc.other.example": {
            "own": { "pass": "hunter2", "nick": "jule" },
        }, "127.0.0.1": {
            "own": {
                "ports": port.to_string(), "verify_cert": "false",
                "throttle_limit": "5", "username": "jcapulet", "realname": "Juliet Capulet",
                "encoding_in": "koi8-r",
                "after_connect_commands": "AWAY\nMODE juliet +i",
            },
            "rooms": { "#garden": {
                "record_history": "true", "persistent": "true", "encoding_in": "ISO-8859-1",
            } },
        } },
    })
}
