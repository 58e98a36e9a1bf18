//! npm's `smpp` as the SMSC, and as what isthmus is compared with (`smpp.js`).

use std::io::{BufRead, BufReader, Write};
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use isthmus_test_support::paths;
use isthmus_test_support::port::Port;
use isthmus_test_support::process::{Process, Spec};
use serde::Deserialize;
use tempfile::TempDir;

const SCRIPT: &str = include_str!("smpp.js");

/// What one end has seen so far.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    /// A bind stands.
    pub(crate) bound: bool,
    /// Different messages that came.
    pub(crate) came: usize,
    /// Messages that came once more.
    pub(crate) again: usize,
    /// Own messages that were answered.
    pub(crate) answered: usize,
}

/// One end; dropped, it is gone.
pub(crate) struct End {
    process: Process,
    stdin: ChildStdin,
    counts: Arc<Mutex<Counts>>,
    _dir: TempDir,
}

impl End {
    /// An SMSC, listening.
    pub(crate) async fn server(port: &Port) -> Self {
        let mut this = Self::start("server", port);
        let address = port.address();
        this.process.wait_for_port(address, Duration::from_secs(10));
        this
    }

    /// A client, bound.
    pub(crate) async fn client(port: &Port) -> Self {
        let this = Self::start("client", port);
        this.until(|counts| counts.bound).await;
        this
    }

    fn start(mode: &str, port: &Port) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let library = paths::target_dir().join("servers/npm/node_modules/smpp");
        let spec = Spec::new(mode, paths::need("usr/bin/node"), dir.path())
            .args(["-e", SCRIPT, mode])
            .arg(port.number().to_string())
            .arg(library)
            .env("LD_LIBRARY_PATH", paths::library_path(&[]))
            .piped();
        let mut process = Process::start(spec);
        let (stdin, stdout) = process.take_pipes().expect("it is piped");
        let counts = Arc::new(Mutex::new(Counts::default()));
        let told = Arc::clone(&counts);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(new) = serde_json::from_str(&line) {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = new;
                }
            }
        });
        Self {
            process,
            stdin,
            counts,
            _dir: dir,
        }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has seen.
    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it send so many messages.
    pub(crate) fn say(&mut self, count: usize, window: usize) {
        let _ = writeln!(self.stdin, "{{\"count\":{count},\"window\":{window}}}");
    }

    /// Waits until its counts fit; false when nothing changes for long.
    pub(crate) async fn until(&self, fits: impl Fn(Counts) -> bool) -> bool {
        let (mut last, mut still) = (self.counts(), 0);
        loop {
            let now = self.counts();
            if fits(now) {
                return true;
            }
            still = match (now.came, now.answered) == (last.came, last.answered) {
                true => still + 1,
                false => 0,
            };
            if still > 5_000 {
                return false;
            }
            last = now;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
