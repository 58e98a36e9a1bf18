//! A child process that dies with its guard, and with the test runner itself.
//!
//! Each child leads a process group of its own, so that what it started dies with it. It is also
//! told (`setpriv --pdeathsig`) to die with the thread that started it; because tests run on
//! short-lived threads, all children are started from one thread that lives as long as we do.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Between two looks at something that has no event to wait on.
const POLL: Duration = Duration::from_millis(15);

/// What to run, kept so that it can be run again.
#[derive(Debug, Clone)]
pub struct Spec {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: PathBuf,
    piped: bool,
}

impl Spec {
    /// `program`, to be run in `dir`; its output goes to `NAME.log` there.
    pub fn new(name: &str, program: impl Into<PathBuf>, dir: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: dir.to_owned(),
            piped: false,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Pipes standard input and output, for [`Process::take_pipes`]. Only standard error is
    /// logged then.
    pub fn piped(mut self) -> Self {
        self.piped = true;
        self
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    fn command(&self) -> io::Result<Command> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.args);
        command
            .envs(self.env.iter().cloned())
            .current_dir(&self.dir)
            .process_group(0);
        if self.piped {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        } else {
            command.stdin(Stdio::null()).stdout(File::try_clone(&log)?);
        }
        command.stderr(log);
        Ok(command)
    }
}

/// A running (or killed) child.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    child: Child,
}

impl Process {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(spec: Spec) -> Self {
        let child = spawn(&spec);
        Self { spec, child }
    }

    /// Kills it if it still runs, and starts it again.
    pub fn restart(&mut self) {
        self.kill_hard();
        self.child = spawn(&self.spec);
    }

    /// Standard input and output of a [`Spec::piped`] child; once.
    pub fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.child.stdin.take()?, self.child.stdout.take()?))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL to it and all it started, and waits until it is gone.
    pub fn kill_hard(&mut self) {
        if let (None, Some(group)) = (self.exit_status(), self.pid()) {
            // Gone already is as good as killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// Sends SIGTERM to it and returns how it ended, or nothing if it did not within `deadline`.
    pub fn terminate(&mut self, deadline: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let end = Instant::now() + deadline;
        loop {
            match self.exit_status() {
                Some(status) => return Some(status),
                None if Instant::now() > end => return None,
                None => thread::sleep(POLL),
            }
        }
    }

    /// Sends a signal to it.
    pub fn signal(&mut self, signal: Signal) {
        if let (None, Some(pid)) = (self.exit_status(), self.pid()) {
            let _ = kill_process(pid, signal);
        }
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Resident memory in bytes, from `/proc`.
    pub fn rss(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    }

    /// What it has written so far, over all its runs.
    pub fn log(&self) -> String {
        read_lossy(&self.spec.log_path())
    }

    /// Waits until `ready` says so.
    ///
    /// # Panics
    ///
    /// When the process ends before, or `deadline` passes; with its log.
    pub fn wait_until(&mut self, what: &str, deadline: Duration, mut ready: impl FnMut() -> bool) {
        let end = Instant::now() + deadline;
        while !ready() {
            if let Some(status) = self.exit_status() {
                panic!(
                    "{} ended ({status}) before {what}:\n{}",
                    self.spec.name,
                    self.log()
                );
            }
            if Instant::now() > end {
                panic!(
                    "{}: no {what} in {deadline:?}:\n{}",
                    self.spec.name,
                    self.log()
                );
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until something accepts connections at `address`. Panics as [`Self::wait_until`].
    pub fn wait_for_port(&mut self, address: SocketAddr, deadline: Duration) {
        self.wait_until(&format!("listener at {address}"), deadline, || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        });
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.id()).ok()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_hard();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!(
                "--- end of the log of {} ---\n{}",
                self.spec.name,
                tail.join("\n")
            );
        }
    }
}

/// The file's text, or nothing.
pub(crate) fn read_lossy(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

type Request = (Command, mpsc::Sender<io::Result<Child>>);

fn spawn(spec: &Spec) -> Child {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Request>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, reply) in requests {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let command = spec
        .command()
        .unwrap_or_else(|error| panic!("{}: {error}", spec.name));
    let (reply, answer) = mpsc::channel();
    let sender = spawner
        .lock()
        .expect("the lock is held for one send")
        .clone();
    sender
        .send((command, reply))
        .expect("the spawner lives as long as the program");
    let child = answer.recv().expect("the spawner answers");
    child.unwrap_or_else(|error| panic!("{} does not start: {error}", spec.name))
}
