//! ircd-hybrid 8.2: channels and people as on EFnet, few capabilities.
//!
//! Its directories are compiled in, so it runs as a copy in which these are others: a directory of
//! its own with a short name. It refuses to run as root; then it runs as nobody, who may read what
//! root may.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::daemon::{Daemon, Ends};
use super::{IrcServer, Kind, OPER_NAME, OPER_PASSWORD, SERVER_NAME};
use crate::paths;
use crate::process::Spec;

/// What is compiled in, and what stands for it under a directory of ours.
const MOVED: [(&str, &str); 2] = [
    ("/usr/lib/ircd-hybrid/modules/", "modules/"),
    ("/etc/ircd-hybrid", ""),
];
/// The directory's name has to fit in the shortest of these.
const SHORT: &str = "/tmp";
/// Nobody, on every Debian.
const NOBODY: &str = "65534";

/// A running ircd-hybrid.
#[derive(Debug)]
pub struct Hybrid(Daemon);

impl Hybrid {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("h").tempdir_in(SHORT);
        let dir = dir.expect("a temporary directory");
        open(dir.path(), 0o777);
        relocate(dir.path());
        let files = ("ircd.conf", Some("ircd.log"));
        Self(Daemon::start(dir, files, config, spec))
    }
}

impl IrcServer for Hybrid {
    fn kind(&self) -> Kind {
        Kind::Hybrid
    }

    fn daemon(&self) -> &Daemon {
        &self.0
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}

/// Copies the program, with other directories in it.
fn relocate(dir: &Path) {
    let mut program = fs::read(paths::need("usr/sbin/ircd-hybrid")).expect("readable");
    for (from, to) in MOVED {
        let to = format!("{}/{to}", dir.display());
        let padded = format!("{to:/<width$}", width = from.len());
        assert_eq!(padded.len(), from.len(), "{to} is too long");
        let mut at = 0;
        while let Some(found) = find(&program[at..], from.as_bytes()) {
            at += found;
            program[at..at + from.len()].copy_from_slice(padded.as_bytes());
        }
        assert!(at > 0, "{from} is not in the program");
    }
    let file = dir.join("ircd-hybrid");
    fs::write(&file, program).expect("written");
    open(&file, 0o755);
    let modules = paths::need("usr/lib/ircd-hybrid/modules");
    std::os::unix::fs::symlink(modules, dir.join("modules")).expect("linked");
}

fn find(all: &[u8], part: &[u8]) -> Option<usize> {
    all.windows(part.len()).position(|window| window == part)
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

fn spec(dir: &Path) -> Spec {
    let program = dir.join("ircd-hybrid");
    let spec = if rustix::process::geteuid().is_root() {
        // To change the user clears the signal at the parent's death: it is asked for again.
        Spec::new("ircd-console", "setpriv", dir)
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
            .args(["--inh-caps", "+dac_override"])
            .args(["--ambient-caps", "+dac_override"])
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
    } else {
        Spec::new("ircd-console", program, dir)
    };
    let file = |name: &str| -> OsString { dir.join(name).into() };
    spec.arg("-foreground")
        .args(["-configfile".into(), file("ircd.conf")])
        .args(["-logfile".into(), file("ircd.log")])
        .args(["-pidfile".into(), file("ircd.pid")])
        .args(["-klinefile".into(), file("kline.db")])
        .args(["-dlinefile".into(), file("dline.db")])
        .args(["-xlinefile".into(), file("xline.db")])
        .args(["-resvfile".into(), file("resv.db")])
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

fn config(ends: &Ends<'_>) -> String {
    let (plain, tls) = (ends.plain, ends.tls);
    let (cert, key) = (ends.certificate.certificate(), ends.certificate.key());
    format!(
        r#"serverinfo {{
 name = "{SERVER_NAME}"; description = "a server for tests";
 network_name = "TestNet"; network_description = "a network for tests";
 hub = no; default_max_clients = 500; max_nick_length = 30; max_topic_length = 300;
 tls_certificate_file = "{cert}"; rsa_private_key_file = "{key}";
}};
admin {{ name = "nobody"; description = "nobody"; email = "nobody@test.invalid"; }};
class {{
 name = "all"; ping_time = 2 minutes; number_per_ip_local = 400; number_per_ip_global = 400;
 max_number = 400; max_channels = 200; sendq = 16 megabytes; recvq = 8000 bytes;
}};
listen {{
 host = "127.0.0.1";
 port = {plain};
}};
listen {{
 flags = tls;
 host = "127.0.0.1";
 port = {tls};
}};
auth {{
 user = "*@*"; class = "all"; flags = exceed_limit, can_flood;
}};
operator {{
 name = "{OPER_NAME}"; user = "*@*"; password = "{OPER_PASSWORD}"; encrypted = no; class = "all";
 flags = admin, kill, kill:remote, die, rehash, restart;
}};
channel {{
 disable_fake_channels = no; invite_client_count = 100; invite_delay_channel = 0 seconds;
 knock_client_count = 100; knock_delay_channel = 0 seconds; max_channels = 200;
 max_bans = 100; default_join_flood_count = 0; default_join_flood_time = 0 seconds;
}};
general {{
 disable_auth = yes; anti_nick_flood = no; default_floodcount = 0;
 throttle_count = 100000; throttle_time = 1 second;
 anti_spam_exit_message_time = 0 seconds; max_targets = 20; no_oper_flood = yes;
 away_count = 0; pace_wait = 0 seconds; pace_wait_simple = 0 seconds; caller_id_wait = 0 seconds;
 invisible_on_connect = no; ping_cookie = no; max_monitor = 50;
}};
modules {{
 path = "modules"; path = "modules/autoload";
}};
log {{ use_logging = yes; }};
"#,
        cert = cert.display(),
        key = key.display(),
    )
}
