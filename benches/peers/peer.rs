//! The gateways that are measured, each as a process of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use isthmus_test_support::paths;
use isthmus_test_support::process::{Process, Spec};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::world::{DOMAIN, SECRET, USERS, World};

/// Users that the gateways are prepared for.
pub(crate) const MOST_USERS: usize = 2_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Isthmus,
    /// biboumi without its archive, as its users are advised to run it where speed counts.
    Biboumi,
    /// biboumi as it comes: every message is written to the database before it goes on.
    BiboumiHistory,
    /// Passes through and does nothing else: what the generator itself can do.
    Null,
    /// As `Null`, but drops and swaps messages: shows that the tally sees it.
    Faulty,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Isthmus => "isthmus",
            Self::Biboumi => "biboumi",
            Self::BiboumiHistory => "biboumi-history",
            Self::Null => "null",
            Self::Faulty => "faulty",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [
            Self::Isthmus,
            Self::Biboumi,
            Self::BiboumiHistory,
            Self::Null,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }

    /// What stands behind the `%` of an address.
    pub(crate) fn network(self) -> &'static str {
        match self {
            Self::Biboumi | Self::BiboumiHistory => "127.0.0.1",
            _ => "net",
        }
    }
}

/// Where the generator listens.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) xmpp: SocketAddr,
    pub(crate) irc: SocketAddr,
}

/// A running gateway; dropped, it is gone.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    process: Process,
    _dir: TempDir,
}

impl Peer {
    /// Starts it and waits until its component is connected.
    pub(crate) async fn start(kind: Kind, ends: Ends, world: &World) -> Self {
        world.reset();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let spec = match kind {
            Kind::Isthmus => isthmus(dir.path(), ends),
            Kind::Biboumi => biboumi(dir.path(), ends, world, false).await,
            Kind::BiboumiHistory => biboumi(dir.path(), ends, world, true).await,
            Kind::Null | Kind::Faulty => {
                let myself = std::env::current_exe().expect("we are a file");
                Spec::new("null", myself, dir.path()).args([
                    kind.name().to_owned(),
                    ends.xmpp.to_string(),
                    ends.irc.to_string(),
                ])
            }
        };
        let process = connected(spec, world).await;
        Self {
            kind,
            process,
            _dir: dir,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Starts a process and waits for one more component.
async fn connected(spec: Spec, world: &World) -> Process {
    let before = world.components.get();
    let mut process = Process::start(spec);
    for _ in 0..2_000 {
        if world.components.get() > before {
            return process;
        }
        let status = process.exit_status();
        assert!(
            status.is_none(),
            "ended with {status:?}:\n{}",
            process.log()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no component has connected:\n{}", process.log());
}

fn isthmus(dir: &Path, ends: Ends) -> Spec {
    let config = format!(
        "[component]\nserver = \"{}\"\nsecret = \"{SECRET}\"\n\
         [store]\npath = \"isthmus.db\"\n\
         [log]\nlevel = \"{}\"\n\
         [limits]\ninbox = 65536\nstanzas_per_second = 100000\nstanzas_burst = 1000000\n\
         [gateway.irc]\ndomain = \"{DOMAIN}\"\nallow = [\"{USERS}\"]\nhosts = \"named\"\n\
         throttle_burst = 1000\nthrottle_rate = 1000000.0\nqueue = 10000\n\
         [gateway.irc.networks.net]\nhosts = [\"{}\"]\ntls = \"off\"\n",
        ends.xmpp,
        std::env::var("ISTHMUS_BENCH_LOG").unwrap_or_else(|_| "error".to_owned()),
        ends.irc
    );
    let file = dir.join("isthmus.toml");
    fs::write(&file, config).expect("written");
    Spec::new("isthmus", env!("CARGO_BIN_EXE_isthmus"), dir)
        .arg("run")
        .arg("--config")
        .arg(file)
}

/// biboumi keeps each user's settings for each server in its database: there stand the port, and
/// that nothing is throttled.
async fn biboumi(dir: &Path, ends: Ends, world: &World, history: bool) -> Spec {
    let database = dir.join("biboumi.sqlite");
    let config = format!(
        "hostname={DOMAIN}\npassword={SECRET}\nxmpp_server_ip={}\nport={}\ndb_name={}\n\
         log_level=3\npersistent_by_default=false\nidentd_port=0\noutgoing_bind=\n",
        ends.xmpp.ip(),
        ends.xmpp.port(),
        database.display()
    );
    let file = dir.join("biboumi.cfg");
    fs::write(&file, config).expect("written");
    let spec = Spec::new("biboumi", biboumi_program(), dir)
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
        .arg(file);
    // It makes its tables when it starts.
    drop(connected(spec.clone(), world).await);
    settings(&database, ends.irc.port(), history).expect("biboumi's tables are as in 9.0");
    spec
}

/// Whether biboumi is there, and where.
pub(crate) fn biboumi_program() -> PathBuf {
    paths::find("usr/bin/biboumi").unwrap_or_else(|| {
        panic!("biboumi is not there: run `cargo run -p xtask -- install bench` first")
    })
}

fn settings(database: &Path, port: u16, history: bool) -> rusqlite::Result<()> {
    let mut connection = Connection::open(database)?;
    let rows = connection.transaction()?;
    for user in 0..MOST_USERS {
        let owner = format!("u{user}@{USERS}");
        rows.execute(
            "insert into ircserveroptions_ (owner_, server_, pass_, tlsports_, ports_, username_, \
             realname_, verifycert_, trustedfingerprint_, encodingout_, encodingin_, \
             maxhistorylength_, address_, nick_, saslpassword_, throttlelimit_) \
             values (?1, '127.0.0.1', '', '', ?2, '', '', 0, '', '', '', 20, '', '', '', -1)",
            (&owner, port.to_string()),
        )?;
        rows.execute(
            "insert into globaloptions_ (owner_, maxhistorylength_, recordhistory_, persistent_) \
             values (?1, 20, ?2, 0)",
            (&owner, history),
        )?;
    }
    rows.commit()
}
