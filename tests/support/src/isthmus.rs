//! The program under test, as a process.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;

use crate::DEADLINE;
use crate::process::{Process, Spec};

/// A running isthmus; dropped, it is gone.
#[derive(Debug)]
pub struct Isthmus {
    process: Mutex<Process>,
    dir: TempDir,
}

impl Isthmus {
    /// Starts `binary` (a test passes `env!("CARGO_BIN_EXE_isthmus")`) with this configuration.
    /// Where `{dir}` stands in it, the path of a fresh scratch directory is put.
    pub fn start(binary: impl AsRef<Path>, config: &str) -> Self {
        Self::start_with(binary, config, &[])
    }

    /// As [`Self::start`], with these environment variables.
    pub fn start_with(binary: impl AsRef<Path>, config: &str, env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("isthmus.toml");
        let config = config.replace("{dir}", &dir.path().to_string_lossy());
        fs::write(&file, config).expect("written");
        let mut spec = Spec::new("isthmus", binary.as_ref(), dir.path()).args([
            OsStr::new("run"),
            OsStr::new("--config"),
            file.as_os_str(),
        ]);
        for (key, value) in env {
            spec = spec.env(key, value);
        }
        Self {
            process: Mutex::new(Process::start(spec)),
            dir,
        }
    }

    /// The configuration file: to be changed before [`Self::restart`].
    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("isthmus.toml")
    }

    /// The scratch directory, which outlives restarts.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it has logged so far, over all its runs.
    pub fn log(&self) -> String {
        self.process().log()
    }

    /// Waits until a line of the log holds `text`.
    ///
    /// # Panics
    ///
    /// When it ends before, or says nothing of the kind in time.
    pub fn wait_for_log(&self, text: &str) {
        self.wait_for_log_count(text, 1);
    }

    /// As [`Self::wait_for_log`], until `count` lines hold it: a restart says things again.
    pub fn wait_for_log_count(&self, text: &str, count: usize) {
        let path = self.dir.path().join("isthmus.log");
        let what = format!("\"{text}\" in the log, {count} times");
        self.process().wait_until(&what, DEADLINE, || {
            let log = crate::process::read_lossy(&path);
            log.lines().filter(|line| line.contains(text)).count() >= count
        });
    }

    /// Kills it with SIGKILL.
    pub fn kill_hard(&self) {
        self.process().kill_hard();
    }

    /// Sends SIGHUP: it reads its configuration again.
    pub fn hangup(&self) {
        self.process().signal(rustix::process::Signal::HUP);
    }

    /// Sends SIGTERM and waits for nothing; see [`Self::wait_exit`].
    pub fn send_term(&self) {
        self.process().signal(rustix::process::Signal::TERM);
    }

    /// Sends SIGTERM and returns how it ended.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    pub fn terminate(&self) -> ExitStatus {
        let mut process = self.process();
        let status = process.terminate(DEADLINE);
        status.unwrap_or_else(|| panic!("isthmus did not end:\n{}", process.log()))
    }

    /// Sends SIGTERM and returns how it ended, if it did in time.
    pub fn try_terminate(&self, deadline: Duration) -> Option<ExitStatus> {
        self.process().terminate(deadline)
    }

    /// Waits until it ends by itself and returns how.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    pub fn wait_exit(&self) -> ExitStatus {
        let end = std::time::Instant::now() + DEADLINE;
        let mut process = self.process();
        loop {
            if let Some(status) = process.exit_status() {
                return status;
            }
            assert!(
                std::time::Instant::now() < end,
                "isthmus runs on:\n{}",
                process.log()
            );
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Starts it again (killing it if it runs) with the same directory and configuration.
    pub fn restart(&self) {
        self.process().restart();
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.process().exit_status().is_none()
    }

    /// Resident memory in bytes.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn rss(&self) -> u64 {
        self.process().rss().expect("isthmus runs")
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        // A test that failed with the lock held is failing already.
        self.process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
