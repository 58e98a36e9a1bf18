//! One IRC server: a process with a directory, a plain-text port and a TLS port of its own.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::DEADLINE;
use crate::port::Port;
use crate::process::{Process, Spec, read_lossy};
use crate::tls::Certificate;

/// What servers of all kinds have in common while they run.
#[derive(Debug)]
pub struct Daemon {
    // Before the directory: it goes first.
    process: Process,
    plain: Port,
    tls: Port,
    certificate: Certificate,
    /// The file it logs to, besides what it says.
    log: Option<&'static str>,
    dir: TempDir,
}

/// Where a server is to listen, and with what certificate.
pub(super) struct Ends<'a> {
    pub(super) dir: &'a Path,
    pub(super) plain: u16,
    pub(super) tls: u16,
    pub(super) certificate: &'a Certificate,
}

impl Daemon {
    /// Starts one in `dir`, with what `config` says in the file of that name, and waits until it
    /// listens.
    pub(super) fn start(
        dir: TempDir,
        (name, log): (&str, Option<&'static str>),
        config: impl FnOnce(&Ends<'_>) -> String,
        spec: impl FnOnce(&Path) -> Spec,
    ) -> Self {
        let (plain, tls) = (Port::reserve(), Port::reserve());
        let certificate = Certificate::create(dir.path());
        let config = config(&Ends {
            dir: dir.path(),
            plain: plain.number(),
            tls: tls.number(),
            certificate: &certificate,
        });
        fs::write(dir.path().join(name), config).expect("written");
        let process = Process::start(spec(dir.path()));
        let mut this = Self {
            process,
            plain,
            tls,
            certificate,
            log,
            dir,
        };
        this.wait();
        this
    }

    fn wait(&mut self) {
        self.process.wait_for_port(self.plain.address(), DEADLINE);
        self.process.wait_for_port(self.tls.address(), DEADLINE);
    }

    pub(super) fn port(&self) -> u16 {
        self.plain.number()
    }

    pub(super) fn tls_port(&self) -> u16 {
        self.tls.number()
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.certificate.authority()
    }

    pub(super) fn kill_hard(&mut self) {
        self.process.kill_hard();
    }

    pub(super) fn restart(&mut self) {
        self.process.restart();
        self.wait();
    }

    pub(super) fn log(&self) -> String {
        let file = self.log.map(|name| self.dir.path().join(name));
        self.process.log() + &file.map(|file| read_lossy(&file)).unwrap_or_default()
    }
}
