//! A program in a terminal: typed into, and read off its screen.
//!
//! The terminal is a `tmux` of its own, with a socket in the directory it is given. It draws what
//! the program writes, so a test reads what a person would see, and no more than that: what has
//! been scrolled away or covered is gone.

use std::ffi::{OsStr, OsString};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::{Process, Spec};
use crate::{DEADLINE, paths};

/// Between two looks at the screen.
const POLL: Duration = Duration::from_millis(40);
/// Columns and lines.
const SIZE: (&str, &str) = ("160", "50");

/// A running terminal program; dropped, it is gone, and its terminal too.
#[derive(Debug)]
pub struct Terminal {
    name: String,
    socket: PathBuf,
    _server: Process,
}

impl Terminal {
    /// Starts `program` with these arguments and environment variables. `dir` holds the terminal's
    /// socket and is the program's home, so that it finds no settings of whoever runs the tests.
    ///
    /// # Panics
    ///
    /// When `tmux` or the program is missing or does not start.
    pub fn start(dir: &Path, program: &str, args: &[OsString], env: &[(&str, OsString)]) -> Self {
        let socket = dir.join("tmux");
        let mut server = Process::start(
            Spec::new("tmux", paths::need("usr/bin/tmux"), dir)
                .args(["-u", "-f", "/dev/null", "-D", "-S"])
                .arg(&socket)
                .env("LD_LIBRARY_PATH", paths::library_path(&[])),
        );
        server.wait_until("listens", DEADLINE, || UnixStream::connect(&socket).is_ok());
        let this = Self {
            name: program.to_owned(),
            socket,
            _server: server,
        };
        // What a program shows last, and how it ended, is seen then.
        this.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
        let home = dir.as_os_str().to_owned();
        let usual = [
            ("LC_ALL", "C.UTF-8".into()),
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.clone()),
            ("XDG_DATA_HOME", home),
        ];
        let mut words: Vec<OsString> = ["new-session", "-d", "-x", SIZE.0, "-y", SIZE.1]
            .map(OsString::from)
            .into();
        for (key, value) in usual.iter().chain(env) {
            let mut pair = OsString::from(format!("{key}="));
            pair.push(value);
            words.extend(["-e".into(), pair]);
        }
        words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from));
        words.push(paths::need(&format!("usr/bin/{program}")).into());
        words.extend_from_slice(args);
        this.tmux(&words);
        this
    }

    /// Types a text.
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses a key, by the name that `tmux` has for it, such as `Enter`, `F10`, `M-1`.
    pub fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line.
    pub fn enters(&self, line: &str) {
        self.types(line);
        self.presses("Enter");
    }

    /// What the screen shows.
    ///
    /// # Panics
    ///
    /// When the terminal has ended.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows these words, on one line.
    ///
    /// # Panics
    ///
    /// When they do not come within [`DEADLINE`], with the screen.
    #[track_caller]
    pub fn sees<'a>(&'a self, words: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            assert!(
                self.shows(words, DEADLINE).await,
                "{} at {caller} does not show \"{words}\":\n{}",
                self.name,
                self.screen()
            );
        }
    }

    /// Whether the screen comes to show these words, on one line, within `patience`.
    ///
    /// # Panics
    ///
    /// When the terminal has ended.
    pub async fn shows(&self, words: &str, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while !self.screen().contains(words) {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    fn tmux<A: AsRef<OsStr>>(&self, words: &[A]) -> String {
        self.try_tmux(words)
            .unwrap_or_else(|error| panic!("the terminal of {}: {error}", self.name))
    }

    fn try_tmux<A: AsRef<OsStr>>(&self, words: &[A]) -> Result<String, String> {
        let output = Command::new(paths::need("usr/bin/tmux"))
            .args(["-u", "-S"])
            .arg(&self.socket)
            .args(words)
            .env("LD_LIBRARY_PATH", paths::library_path(&[]))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It leads a group of its own. One that has ended already is as good as killed.
        let pid = self.try_tmux(&["display-message", "-p", "#{pane_pid}"]);
        let pid = pid.ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(group) = pid.and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
