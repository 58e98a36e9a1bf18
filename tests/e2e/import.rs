//! What a real biboumi kept is taken over: compared row by row with what it wrote, then seen by
//! the user who enters by this program.

use std::path::Path;
use std::process::{Command, Output};

use isthmus::store::contacts::{Contacts, Standing};
use isthmus::store::{SqliteStore, Store};
use isthmus_test_support::irc_client::Line;
use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{Biboumi, IrcClient, IrcServer, XmppClient, XmppServer};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::compared::configure;
use crate::world::{
    IRC, PASSWORD, PATIENCE, answers, config, irc_gateway_at, isthmus, presence_of,
};

const NETWORK: &str = "127.0.0.1@irc.localhost";
const ROOM: &str = "#garden%127.0.0.1@irc.localhost";
const USER: &str = "juliet@localhost";
/// A server that juliet has only set passwords and the like for.
const OTHER: &str = "irc.other.example";
/// A server of which nothing has a place here.
const THIRD: &str = "irc.third.example";
/// What juliet is told by nobody and finds in no report.
const SECRETS: [&str; 2] = ["hunter2", "hunter3"];

/// One line of the old history.
#[derive(Debug, PartialEq)]
struct Said {
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

/// Juliet sets what can be set.
async fn sets(juliet: &XmppClient, port: u16) {
    let port = port.to_string();
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
        ("encoding_out", "koi8-r"),
        ("after_connect_commands", "AWAY\nMODE juliet +i"),
    ];
    assert!(configure(juliet, NETWORK, &server).await);
    // ngIRCd turns away who has a password that it did not ask for, and knows no SASL.
    let other = [
        ("pass", SECRETS[0]),
        ("sasl_password", SECRETS[1]),
        ("nick", "jule"),
        ("verify_cert", "1"),
        ("ports", "6667"),
        ("tls_ports", "6697\n6670"),
        ("throttle_limit", "10"),
    ];
    assert!(configure(juliet, &format!("{OTHER}@{IRC}"), &other).await);
    let third = [
        (
            "fingerprint",
            "da:39:a3:ee:5e:6b:4b:0d:32:55:bf:ef:95:60:18:90:af:d8:07:09",
        ),
        ("throttle_limit", "-1"),
        ("max_history_length", "50"),
        ("verify_cert", "1"),
        ("ports", "6667"),
        ("tls_ports", "6697\n6670"),
    ];
    assert!(configure(juliet, &format!("{THIRD}@{IRC}"), &third).await);
    let channel = [
        ("record_history", "true"),
        ("persistent", "1"),
        ("encoding_in", "latin-1"),
        ("encoding_out", "latin-1"),
    ];
    assert!(configure(juliet, ROOM, &channel).await);
}

/// Juliet subscribes to what there is, and talks with alice.
async fn lives_with_biboumi(juliet: &XmppClient, irc: &dyn IrcServer) {
    for address in [IRC, NETWORK] {
        juliet.send(&format!("<presence type='subscribe' to='{address}'/>"));
        // Prosody keeps to itself that it is accepted; that the other way is asked for, it tells.
        juliet.expect(presence_of(address, "subscribe")).await;
    }
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
    // Whatever encoding_out says: biboumi writes UTF-8.
    let utf8 = |line: &Line| line.is("PRIVMSG", &["#garden", "na\u{ef}ve \u{1f980}"]);
    alice.expect(utf8).await;
    for body in ["\u{2}bold\u{2} word", "fare thee well"] {
        alice.privmsg("#garden", body);
    }
    juliet
        .expect(|s| s.is_message("groupchat", "fare thee well"))
        .await;
}

/// What biboumi has in its roster for juliet.
fn roster(database: &Path) -> Vec<String> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let db = db.expect("biboumi's database");
    let sql = "SELECT local FROM roster WHERE remote = ?1 ORDER BY length(local)";
    let mut rows = db.prepare(sql).expect("its tables");
    let rows = rows.query_map([USER], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// What biboumi wrote.
fn written(database: &Path) -> Vec<Said> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = Connection::open_with_flags(database, flags).expect("biboumi's database");
    let sql = "SELECT uuid_, date_, nick_, body_ FROM muclogline_ ORDER BY id_";
    let mut lines = db.prepare(sql).expect("its tables");
    let lines = lines.query_map([], |row| {
        Ok(Said {
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

/// Subscriptions that are kept here: whose, to what, and how they stand.
async fn contacts(database: &Path) -> Vec<(String, String, Standing)> {
    let store = SqliteStore::open(database).expect("the store");
    let kept = store.contacts(IRC).await.expect("it opens");
    let mut kept: Vec<_> = (kept.into_iter())
        .map(|it| (it.user, it.local, it.standing))
        .collect();
    kept.sort_by(|a, b| a.1.cmp(&b.1));
    kept
}

fn subscribed(local: &str) -> (String, String, Standing) {
    let standing = Standing {
        to: true,
        ..Standing::default()
    };
    (USER.to_owned(), local.to_owned(), standing)
}

/// Nowhere in the folder of the program is a password in the clear.
fn assert_sealed(folder: &Path) {
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        for secret in SECRETS {
            let there = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!there, "{secret} in {}", path.display());
        }
    }
}

/// The lines of a section of the report.
fn section<'a>(report: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = report.lines().skip_while(|line| *line != name).skip(1);
    std::iter::from_fn(|| lines.next()?.strip_prefix("  ")).collect()
}

/// What the import says of it all: how many, what is left out and why, what to set.
fn assert_told(report: &str, xmpp: &dyn XmppServer, irc: u16) {
    let taken = [
        "users: 1",
        "subscriptions: 2",
        "lines of history: 5",
        "passwords (sealed): 2",
        "persistent channels: 1",
    ];
    for words in taken {
        let told = section(report, "taken over:");
        assert!(told.contains(&words), "{words} is not in\n{report}");
    }
    let left = [
        "2 x encoding_out: biboumi kept it and never used it, what went out was UTF-8; here it \
         holds: set it where others cannot read UTF-8",
        "1 x fingerprint of a certificate: biboumi's are SHA-1, which is not taken here; set \
         networks.NAME.pin (SHA-256)",
        "1 x max_history_length of a server: biboumi kept it and never used it",
        "1 x throttle_limit -1: lines to a server are always throttled here, as throttle_burst \
         and throttle_rate say",
    ];
    assert_eq!(section(report, "not taken over:"), left, "{report}");
    let keys = format!(
        "[log]\nlevel = \"warn\"\n\n[gateway.irc]\ndomain = \"{IRC}\"\n\
         server = \"127.0.0.1:{}\"\nadmins = [\"{USER}\"]\n\n\
         [gateway.irc.networks.\"127.0.0.1\"]\nhosts = [\"127.0.0.1:{irc}\"]\n\
         tls = \"off\"\n",
        xmpp.component_port()
    );
    let told = report.split_once("to set in the configuration:\n\n");
    assert_eq!(told.map(|(_, told)| told), Some(keys.as_str()), "{report}");
    let secret = "note: password of biboumi.cfg: set component.secret (or secret_file) to it";
    assert!(report.lines().any(|line| line == secret), "{report}");
    for secret in SECRETS.into_iter().chain([xmpp.secret()]) {
        assert!(!report.contains(secret), "{secret} is in\n{report}");
    }
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
    sets(&juliet, irc.port()).await;
    lives_with_biboumi(&juliet, &*irc).await;
    biboumi.stop();
    let lines = written(&biboumi.database());
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(roster(&biboumi.database()), [IRC, NETWORK]);
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
    let database = gate.dir().join("isthmus.db");
    assert!(contacts(&database).await.is_empty());

    let done = import(&gate.config_file(), &biboumi);
    let report = shown(&done.stdout);
    assert!(done.status.success(), "{report}{}", shown(&done.stderr));
    assert_told(&report, &*xmpp, irc.port());
    let again = shown(&import(&gate.config_file(), &biboumi).stdout);
    assert!(
        again.contains("lines of history: 0 (5 left as they are here)"),
        "{again}"
    );
    assert_eq!(std::fs::read(biboumi.database()).expect("read"), before);
    assert_eq!(settings(&database).await, expected(irc.port()));
    let kept = [subscribed(""), subscribed("127.0.0.1")];
    assert_eq!(contacts(&database).await, kept);
    assert_sealed(gate.dir());

    juliet.collect("localhost").await;
    gate.restart();
    attached(&juliet).await;
    // Nobody asks: it knows who has subscribed to it.
    juliet.expect(presence_of(IRC, "")).await;
    juliet.expect(presence_of(NETWORK, "unavailable")).await;
    sees(&juliet, &lines).await;
}

/// Juliet enters and is shown the old lines, with the network's address there; her archive has
/// them under their old ids.
async fn sees(juliet: &XmppClient, lines: &[Said]) {
    let from = juliet.log().len();
    juliet.join(ROOM, "juliet").await;
    juliet.expect(presence_of(NETWORK, "")).await;
    let seen: Vec<Said> = juliet.log()[from..].iter().filter_map(delayed).collect();
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
fn delayed(stanza: &isthmus_test_support::Stanza) -> Option<Said> {
    let delay = stanza.find("delay", "urn:xmpp:delay")?;
    let at: jiff::Timestamp = delay.attr("stamp").parse().ok()?;
    let id = stanza.find("stanza-id", "urn:xmpp:sid:0")?;
    let nick = stanza.from().split_once('/')?.1;
    Some(Said {
        id: id.attr("id").to_owned(),
        at: at.as_millisecond(),
        nick: nick.to_owned(),
        body: stanza.body().to_owned(),
    })
}

fn expected(port: u16) -> Value {
    json!({
        "gateway": { "max_history_length": "7" },
        "networks": { OTHER: {
            "own": { "pass": SECRETS[0], "sasl_password": SECRETS[1], "nick": "jule" },
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
