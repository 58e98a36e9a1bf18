//! biboumi, the gateway that this one is compared with and takes over from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, Spec};
use crate::xmpp_server::XmppServer;
use crate::{DEADLINE, paths};

/// A running biboumi; dropped, it is gone.
#[derive(Debug)]
pub struct Biboumi {
    process: Mutex<Process>,
    dir: TempDir,
}

impl Biboumi {
    /// Starts one that serves `domain` at this server. It is attached a moment later.
    pub fn start(xmpp: &dyn XmppServer, domain: &str) -> Self {
        Self::start_at(xmpp.component_port(), xmpp.secret(), domain)
    }

    /// The same at any listener for components on 127.0.0.1.
    pub fn start_at(port: u16, secret: &str, domain: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = format!(
            "hostname={domain}\npassword={secret}\nxmpp_server_ip=127.0.0.1\nport={port}\n\
             db_name={}\nlog_level=2\nidentd_port=0\nadmin=juliet@localhost\n\
             persistent_by_default=false\n",
            dir.path().join("biboumi.sqlite").display(),
        );
        fs::write(dir.path().join("biboumi.cfg"), config).expect("written");
        let spec = Spec::new("biboumi", paths::need("usr/bin/biboumi"), dir.path())
            .env("LD_LIBRARY_PATH", paths::library_path(&[]))
            .arg("biboumi.cfg");
        Self {
            process: Mutex::new(Process::start(spec)),
            dir,
        }
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("biboumi.sqlite")
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("biboumi.cfg")
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.process().exit_status()
    }

    /// Sends SIGTERM; how it ended, if it did in time.
    pub fn terminate(&self, deadline: Duration) -> Option<ExitStatus> {
        self.process().terminate(deadline)
    }

    /// Ends it, by force if it must be, so that its database is complete.
    pub fn stop(&self) {
        if self.terminate(DEADLINE).is_none() {
            self.process().kill_hard();
        }
    }

    /// Starts it again (killing it if it runs).
    pub fn restart(&self) {
        self.process().restart();
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process().log()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        // A test that failed with the lock held is failing already.
        self.process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
