//! ejabberd, as an Erlang node without distribution: so without `epmd` and its open port.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::TempDir;

use super::register::register;
use super::{DOMAIN, Kind, XmppServer, usual};
use crate::port::Port;
use crate::process::{Process, Spec, read_lossy};
use crate::tls::Certificate;
use crate::{DEADLINE, paths};

const MODULES: &str = "modules:
  mod_adhoc: {}
  mod_blocking: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_disco: {}
  mod_last: {}
  mod_mam:
    default: always
    assume_mam_usage: true
  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_pubsub:
    plugins: [flat, pep]
  mod_register:
    ip_access: all
  mod_roster:
    versioning: true
  mod_time: {}
  mod_vcard: {}
  mod_version: {}
";

/// One more module.
const PRIVILEGES: &str = "  mod_privilege:
    roster:
      both: all
    message:
      outgoing: all
";

/// A running ejabberd.
#[derive(Debug)]
pub struct Ejabberd {
    process: Process,
    c2s: Port,
    component: Port,
    certificate: Option<Certificate>,
    /// Where files are uploaded.
    upload: Option<Port>,
    dir: TempDir,
    /// Mnesia keeps what is new in memory for seconds: after a kill, accounts are made again.
    users: Mutex<Vec<(String, String)>>,
}

impl Ejabberd {
    /// Starts one with these component domains.
    pub fn start_with(components: &[&str]) -> Self {
        Self::start_over(components, false, None)
    }

    /// The same with a file service for users and `access`.
    pub fn start_with_upload(components: &[&str], access: &[&str]) -> Self {
        Self::start_over(components, false, Some((Port::reserve(), access)))
    }

    /// As [`Self::start_with`], with TLS from the first byte at the port for components.
    pub fn start_tls(components: &[&str]) -> Self {
        Self::start_over(components, true, None)
    }

    /// As [`Self::start_with`]; every component is privileged (XEP-0356) as to rosters and
    /// messages.
    pub fn start_privileged(components: &[&str]) -> Self {
        let mut this = Self::start_with(components);
        let path = this.dir.path().join("ejabberd.yml");
        let config = fs::read_to_string(&path).expect("written");
        // The modules stand last.
        fs::write(&path, config + PRIVILEGES).expect("written");
        this.restart();
        this
    }

    fn start_over(components: &[&str], tls: bool, upload: Option<(Port, &[&str])>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (c2s, component) = (Port::reserve(), Port::reserve());
        let certificate = tls.then(|| Certificate::create(dir.path()));
        let ports = (c2s.number(), component.number());
        let mut config = config(ports, certificate.as_ref(), &usual(components));
        if let Some((port, access)) = &upload {
            config = with_upload(&config, port.number(), dir.path(), access);
        }
        fs::write(dir.path().join("ejabberd.yml"), config).expect("written");
        let process = Process::start(spec(dir.path()));
        let mut this = Self {
            process,
            c2s,
            component,
            certificate,
            upload: upload.map(|(port, _)| port),
            dir,
            users: Mutex::default(),
        };
        this.wait();
        this
    }

    /// The certificate of [`Self::start_tls`].
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    fn wait(&mut self) {
        // The virtual machine alone takes seconds on a busy machine.
        self.process.wait_for_port(self.c2s.address(), 3 * DEADLINE);
        self.process
            .wait_for_port(self.component.address(), DEADLINE);
        if let Some(port) = &self.upload {
            self.process.wait_for_port(port.address(), DEADLINE);
        }
    }
}

impl XmppServer for Ejabberd {
    fn kind(&self) -> Kind {
        Kind::Ejabberd
    }

    fn c2s_port(&self) -> u16 {
        self.c2s.number()
    }

    fn component_port(&self) -> u16 {
        self.component.number()
    }

    fn kill_hard(&mut self) {
        self.process.kill_hard();
    }

    fn restart(&mut self) {
        self.process.restart();
        self.wait();
        for (name, password) in &*self.users.lock().expect("no holder of the lock panics") {
            register(self.c2s_port(), DOMAIN, name, password);
        }
    }

    fn add_user(&self, name: &str, password: &str) {
        register(self.c2s_port(), DOMAIN, name, password);
        let mut users = self.users.lock().expect("no holder of the lock panics");
        users.push((name.to_owned(), password.to_owned()));
    }

    /// Mnesia writes everything down only when it stops in order.
    fn keep_accounts(&mut self) {
        let stopped = self.process.terminate(3 * DEADLINE);
        assert!(stopped.is_some(), "ejabberd does not stop:\n{}", self.log());
        self.process.restart();
        self.wait();
    }

    fn configure(&mut self, components: &[(&str, &str)]) {
        let ports = (self.c2s.number(), self.component.number());
        let config = config(ports, self.certificate.as_ref(), components);
        fs::write(self.dir.path().join("ejabberd.yml"), config).expect("written");
    }

    fn log(&self) -> String {
        self.process.log() + &read_lossy(&self.dir.path().join("ejabberd.log"))
    }
}

fn with_upload(config: &str, port: u16, dir: &Path, access: &[&str]) -> String {
    let allowed = std::iter::once(&DOMAIN).chain(access);
    let allowed: String = allowed
        .map(|it| match it.contains('@') {
            true => format!("      - allow:\n          user: {it}\n"),
            false => format!("      - allow:\n          server: {it}\n"),
        })
        .collect();
    let listener = format!(
        r#"listen:
  -
    port: {port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /upload: mod_http_upload
"#
    );
    let service = format!(
        r#"  mod_http_upload:
    put_url: "http://127.0.0.1:{port}/upload"
    docroot: "{}"
    access:
{allowed}"#,
        dir.join("upload").display()
    );
    config.replacen("listen:\n", &listener, 1) + &service
}

fn spec(dir: &Path) -> Spec {
    // The `erl` script has its root written into it, so do what it does.
    let root = paths::need("usr/lib/erlang");
    let binaries = binaries(&root);
    let libraries = paths::search_path(&[
        &format!("usr/lib/{}", paths::multiarch()),
        "usr/lib/erlang/lib",
    ]);
    Spec::new("ejabberd-console", binaries.join("erlexec"), dir)
        .args(["-noinput", "-mnesia", "dir"])
        .arg(format!("\"{}\"", dir.join("data").display()))
        .args(["-s", "ejabberd"])
        .env("ROOTDIR", root)
        .env("BINDIR", binaries)
        .env("EMU", "beam")
        .env("PROGNAME", "erl")
        .env("HOME", dir)
        .env("ERL_LIBS", libraries)
        .env("ERL_CRASH_DUMP", "/dev/null")
        .env("EJABBERD_CONFIG_PATH", dir.join("ejabberd.yml"))
        .env("EJABBERD_LOG_PATH", dir.join("ejabberd.log"))
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

fn binaries(root: &Path) -> PathBuf {
    let entries = fs::read_dir(root).expect("the Erlang root is readable");
    entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("erts-"))
        .map(|entry| entry.path().join("bin"))
        .expect("an Erlang runtime under its root")
}

fn config(
    (c2s, component): (u16, u16),
    certificate: Option<&Certificate>,
    components: &[(&str, &str)],
) -> String {
    // One listener: a domain of its own for each would need a port of its own. A connection gets
    // only its own domain's stanzas because `global_routes` is off.
    let hosts: String = components
        .iter()
        .map(|(domain, secret)| format!("      {domain}:\n        password: \"{secret}\"\n"))
        .collect();
    let tls = certificate.map_or(String::new(), |it| {
        format!("    tls: true\n    certfile: \"{}\"\n", it.both().display())
    });
    format!(
        r#"hosts: ["{DOMAIN}"]
loglevel: info
auth_method: internal
registration_timeout: infinity
certfiles: []
acme:
  auto: false
listen:
  -
    port: {c2s}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls: false
    access: all
    shaper: none
    max_stanza_size: 262144
  -
    port: {component}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    shaper: none
    global_routes: false
{tls}    hosts:
{hosts}{MODULES}"#
    )
}
