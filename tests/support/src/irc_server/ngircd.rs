//! ngIRCd.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{IrcServer, Kind, OPER_NAME, OPER_PASSWORD, SERVER_NAME};
use crate::port::Port;
use crate::process::{Process, Spec};
use crate::tls::Certificate;
use crate::{DEADLINE, paths};

/// A running ngIRCd.
#[derive(Debug)]
pub struct Ngircd {
    process: Process,
    plain: Port,
    tls: Port,
    certificate: Certificate,
    _dir: TempDir,
}

impl Ngircd {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // As root it drops to `nobody` before it opens its files.
        let world = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(dir.path(), world).expect("ours");
        let (plain, tls) = (Port::reserve(), Port::reserve());
        let certificate = Certificate::create(dir.path());
        let config = config(plain.number(), tls.number(), &certificate);
        fs::write(dir.path().join("ngircd.conf"), config).expect("written");
        let process = Process::start(spec(dir.path()));
        let mut this = Self {
            process,
            plain,
            tls,
            certificate,
            _dir: dir,
        };
        this.wait();
        this
    }

    fn wait(&mut self) {
        self.process.wait_for_port(self.plain.address(), DEADLINE);
        self.process.wait_for_port(self.tls.address(), DEADLINE);
    }
}

impl IrcServer for Ngircd {
    fn kind(&self) -> Kind {
        Kind::Ngircd
    }

    fn port(&self) -> u16 {
        self.plain.number()
    }

    fn tls_port(&self) -> u16 {
        self.tls.number()
    }

    fn authority(&self) -> PathBuf {
        self.certificate.authority()
    }

    fn kill_hard(&mut self) {
        self.process.kill_hard();
    }

    fn restart(&mut self) {
        self.process.restart();
        self.wait();
    }

    fn log(&self) -> String {
        self.process.log()
    }
}

fn spec(dir: &Path) -> Spec {
    Spec::new("ngircd", paths::need("usr/sbin/ngircd"), dir)
        .args(["-n", "-f", "ngircd.conf"])
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

fn config(plain: u16, tls: u16, certificate: &Certificate) -> String {
    let (cert, key) = (certificate.certificate(), certificate.key());
    format!(
        "[Global]
Name = {SERVER_NAME}
Info = a server for tests
AdminEMail = nobody@test.invalid
Listen = 127.0.0.1
Ports = {plain}
MotdPhrase = welcome
[Limits]
ConnectRetry = 60
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 30
MaxListSize = 0
MaxPenaltyTime = 0
PingTimeout = 120
PongTimeout = 60
[Options]
DNS = no
Ident = no
PAM = no
OperCanUseMode = yes
AllowRemoteOper = no
[SSL]
CertFile = {cert}
KeyFile = {key}
Ports = {tls}
[Operator]
Name = {OPER_NAME}
Password = {OPER_PASSWORD}
",
        cert = cert.display(),
        key = key.display(),
    )
}
