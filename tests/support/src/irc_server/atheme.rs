//! Atheme services, linked to an InspIRCd: accounts, NickServ, ChanServ and the login by SASL.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Daemon, Inspircd, IrcServer, Kind};
use crate::process::{Process, Spec, read_lossy};
use crate::{DEADLINE, paths};

/// Name of the services, as a server of the network.
pub(super) const SERVICES_NAME: &str = "services.test.invalid";
/// What the two servers tell each other.
pub(super) const LINK_PASSWORD: &str = "linkpass";
/// Said when both know all about each other.
const LINKED: &str = "finished synching with uplink";

const MODULES: [&str; 22] = [
    "backend/corestorage",
    "backend/opensex",
    "crypto/posix",
    "transport/rfc1459",
    "protocol/base36uid",
    "protocol/inspircd",
    "nickserv/main",
    "nickserv/cert",
    "nickserv/identify",
    "nickserv/info",
    "nickserv/logout",
    "nickserv/register",
    "nickserv/status",
    "chanserv/main",
    "chanserv/flags",
    "chanserv/info",
    "chanserv/op",
    "chanserv/register",
    "saslserv/main",
    "saslserv/external",
    "saslserv/plain",
    "operserv/main",
];

/// A running InspIRCd with services.
#[derive(Debug)]
pub struct Atheme {
    // Before the server: it goes first.
    process: Process,
    server: Inspircd,
    dir: TempDir,
}

impl Atheme {
    /// Starts both, and waits until they are linked.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = Inspircd::with_services();
        let port = server.link_port().expect("it was asked for");
        fs::write(dir.path().join("atheme.conf"), config(port)).expect("written");
        let process = Process::start(spec(dir.path()));
        let mut this = Self {
            process,
            server,
            dir,
        };
        this.wait();
        this
    }

    /// Kills the services with SIGKILL; the network goes on without them.
    pub fn kill_services(&mut self) {
        self.process.kill_hard();
    }

    fn wait(&mut self) {
        let log = self.dir.path().join("atheme.log");
        self.process.wait_until("link to InspIRCd", DEADLINE, || {
            read_lossy(&log).contains(LINKED)
        });
    }
}

impl IrcServer for Atheme {
    fn kind(&self) -> Kind {
        Kind::Atheme
    }

    fn daemon(&self) -> &Daemon {
        self.server.daemon()
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        self.server.daemon_mut()
    }

    fn kill_hard(&mut self) {
        self.process.kill_hard();
        self.server.kill_hard();
    }

    fn restart(&mut self) {
        self.server.restart();
        let _ = fs::remove_file(self.dir.path().join("atheme.log"));
        self.process.restart();
        self.wait();
    }

    fn log(&self) -> String {
        self.server.log() + &self.process.log() + &read_lossy(&self.dir.path().join("atheme.log"))
    }
}

fn spec(dir: &Path) -> Spec {
    Spec::new(
        "atheme-console",
        paths::need("usr/bin/atheme-services"),
        dir,
    )
    .arg("-n")
    .args(["-c".into(), dir.join("atheme.conf")])
    .args(["-D".into(), dir.to_path_buf()])
    .args(["-l".into(), dir.join("atheme.log")])
    .args(["-p".into(), dir.join("atheme.pid")])
    .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

fn config(port: u16) -> String {
    let library = paths::need(&format!("usr/lib/{}/atheme", paths::multiarch()));
    let mut text = String::new();
    for module in MODULES {
        let file = library.join("modules").join(module);
        let _ = writeln!(text, "loadmodule \"{}\";", file.display());
    }
    let _ = write!(
        text,
        r#"serverinfo {{
 name = "{SERVICES_NAME}"; desc = "services for tests"; numeric = "00A"; recontime = 1;
 netname = "TestNet"; adminname = "nobody"; adminemail = "nobody@test.invalid";
 registeremail = "nobody@test.invalid"; hidehostsuffix = "users.test.invalid";
 loglevel = {{ error; info; admin; network; }};
 maxlogins = 100; maxusers = 0; auth = none; casemapping = rfc1459;
}};
uplink "{server}" {{
 host = "127.0.0.1"; port = {port};
 send_password = "{LINK_PASSWORD}"; receive_password = "{LINK_PASSWORD}";
}};
nickserv {{ nick = "NickServ"; user = "NickServ"; host = "{SERVICES_NAME}"; real = "Nicknames"; }};
chanserv {{ nick = "ChanServ"; user = "ChanServ"; host = "{SERVICES_NAME}"; real = "Channels"; }};
saslserv {{ nick = "SaslServ"; user = "SaslServ"; host = "{SERVICES_NAME}"; real = "Logins"; }};
operserv {{ nick = "OperServ"; user = "OperServ"; host = "{SERVICES_NAME}"; real = "Operators"; }};
general {{
 flood_msgs = 0; ratelimit_uses = 0; ratelimit_period = 0; commit_interval = 5;
 uplink_sendq_limit = 1048576; language = "en";
}};
"#,
        server = super::SERVER_NAME,
    );
    text
}
