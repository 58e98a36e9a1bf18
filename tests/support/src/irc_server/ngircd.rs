//! ngIRCd.

use std::fs;
use std::path::Path;

use super::daemon::{Daemon, Ends};
use super::{IrcServer, Kind, OPER_NAME, OPER_PASSWORD, SERVER_NAME};
use crate::paths;
use crate::process::Spec;

/// A running ngIRCd.
#[derive(Debug)]
pub struct Ngircd(Daemon);

impl Ngircd {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // As root it drops to `nobody` before it opens its files.
        let world = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(dir.path(), world).expect("ours");
        Self(Daemon::start(dir, ("ngircd.conf", None), config, spec))
    }
}

impl IrcServer for Ngircd {
    fn kind(&self) -> Kind {
        Kind::Ngircd
    }

    fn daemon(&self) -> &Daemon {
        &self.0
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}

fn spec(dir: &Path) -> Spec {
    Spec::new("ngircd", paths::need("usr/sbin/ngircd"), dir)
        .args(["-n", "-f", "ngircd.conf"])
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
}

fn config(ends: &Ends<'_>) -> String {
    let (plain, tls) = (ends.plain, ends.tls);
    let (cert, key) = (ends.certificate.certificate(), ends.certificate.key());
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
