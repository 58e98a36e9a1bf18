//! The process: its pipes, its environment, its log, its end.
//!
//! It leads a process group of its own, has a working directory of its own, an environment of
//! `PATH`, `LANG`, `TZ` and what the operator adds, and no descriptor but its three pipes (all
//! others of ours are closed on exec). When the host is killed it reads the end of its input.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use isthmus_kit::Bucket;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::config::Config;
use crate::translate::rpc::LONGEST;

/// Where programs are found when nobody says.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Longest line of its log in bytes.
const LOG_LINE: usize = 4096;
/// Lines of its log that pass at once, and a second after that.
const LOG_LINES: (u32, f64) = (100, 20.0);

/// A running plugin. Dropping it kills it and all it started.
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    input: Option<ChildStdin>,
    output: ChildStdout,
    lines: Lines,
    /// What is still to be written.
    unwritten: Vec<u8>,
    written: usize,
    buffer: Box<[u8]>,
    exited: bool,
}

/// What came of moving bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Something was read, and can be taken as lines.
    Read,
    /// Something was written.
    Wrote,
    /// It has closed its output.
    End,
    /// It has ended; there may be more to read.
    Exit,
}

impl Process {
    /// Starts the program in `dir`, and a task that logs what it writes to standard error.
    pub(crate) fn spawn(name: &str, config: &Config, dir: &Path) -> io::Result<Self> {
        let (program, args) = config
            .exec
            .split_first()
            .ok_or_else(|| io::Error::other("no program is given"))?;
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or(PATH.into()))
            .current_dir(dir)
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for key in ["LANG", "TZ"] {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        command.envs(&config.env);
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let missing = || io::Error::other("a pipe is missing");
        let output = child.stdout.take().ok_or_else(missing)?;
        if let Some(log) = child.stderr.take() {
            tokio::spawn(keep_log(name.to_owned(), log));
        }
        Ok(Self {
            input: child.stdin.take(),
            group: pid.and_then(Pid::from_raw),
            output,
            child,
            lines: Lines::default(),
            unwritten: Vec::new(),
            written: 0,
            buffer: vec![0; 64 << 10].into_boxed_slice(),
            exited: false,
        })
    }

    /// The process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether all lines so far have been written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.written == self.unwritten.len()
    }

    /// Adds a line to what is written next.
    pub(crate) fn queue(&mut self, line: &str) {
        if self.is_flushed() {
            self.unwritten.clear();
            self.written = 0;
        }
        self.unwritten.extend_from_slice(line.as_bytes());
        self.unwritten.push(b'\n');
    }

    /// Reads or writes some bytes, whichever comes first. Cancelling it loses nothing.
    pub(crate) async fn advance(&mut self) -> Moved {
        let rest = self.unwritten.get(self.written..).unwrap_or_default();
        let Self {
            input,
            output,
            child,
            exited,
            ..
        } = self;
        let exit = async {
            match *exited {
                true => std::future::pending().await,
                false => child.wait().await,
            }
        };
        let write = async {
            match input {
                Some(input) if !rest.is_empty() => input.write(rest).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            wrote = write => {
                match wrote {
                    Ok(bytes) if bytes > 0 => self.written += bytes,
                    // It reads no more; its output tells whether it has ended.
                    _ => self.close_input(),
                }
                Moved::Wrote
            }
            read = output.read(&mut self.buffer) => match read {
                Ok(bytes) if bytes > 0 => {
                    let chunk = self.buffer.get(..bytes).unwrap_or_default();
                    self.lines.feed(chunk);
                    Moved::Read
                }
                _ => Moved::End,
            },
            _ = exit => {
                self.exited = true;
                Moved::Exit
            }
        }
    }

    /// The next whole line; an error for one that is too long.
    pub(crate) fn line(&mut self) -> Option<Result<Vec<u8>, TooLong>> {
        self.lines.next()
    }

    /// Tells the plugin that nothing more will come.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
        self.unwritten.clear();
        self.written = 0;
    }

    /// Waits until it has ended; how, in words.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Kills it and all it started.
    pub(crate) fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // Gone already is as good as killed.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A line of more than [`LONGEST`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Cuts bytes into lines, and holds no more than one line and one chunk.
#[derive(Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Everything before was taken.
    taken: usize,
    /// No end of line before this.
    looked: usize,
    /// The rest of a line that was too long is thrown away.
    skipping: bool,
}

impl Lines {
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.bytes.drain(..self.taken);
        self.looked -= self.taken;
        self.taken = 0;
        self.bytes.extend_from_slice(chunk);
    }

    pub(crate) fn next(&mut self) -> Option<Result<Vec<u8>, TooLong>> {
        loop {
            let fresh = self.bytes.get(self.looked..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', fresh) else {
                self.looked = self.bytes.len();
                if self.looked - self.taken <= LONGEST && !self.skipping {
                    return None;
                }
                self.bytes.clear();
                (self.taken, self.looked) = (0, 0);
                let first = !std::mem::replace(&mut self.skipping, true);
                return first.then_some(Err(TooLong));
            };
            let end = self.looked + at;
            let line = self.bytes.get(self.taken..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
            (self.taken, self.looked) = (end + 1, end + 1);
            if std::mem::take(&mut self.skipping) || line.is_empty() {
                continue;
            }
            return Some(match line.len() <= LONGEST {
                true => Ok(line),
                false => Err(TooLong),
            });
        }
    }
}

/// Logs what a plugin writes to standard error, as far as the rate allows.
async fn keep_log(name: String, mut log: ChildStderr) {
    let mut bucket = Bucket::new(LOG_LINES.0, LOG_LINES.1);
    let mut buffer = vec![0; LOG_LINE];
    let mut line = Vec::new();
    let mut dropped = 0u64;
    while let Ok(bytes @ 1..) = log.read(&mut buffer).await {
        for byte in buffer.get(..bytes).unwrap_or_default() {
            if *byte != b'\n' {
                if line.len() < LOG_LINE {
                    line.push(*byte);
                }
                continue;
            }
            if bucket.take(Instant::now()) {
                if std::mem::take(&mut dropped) > 0 {
                    tracing::warn!(plugin = name, "the plugin logs too much: lines are missing");
                }
                tracing::info!(plugin = name, line = %String::from_utf8_lossy(&line), "plugin log");
            } else {
                dropped += 1;
            }
            line.clear();
        }
    }
    if !line.is_empty() {
        tracing::info!(plugin = name, line = %String::from_utf8_lossy(&line), "plugin log");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &[u8], chunk: usize) -> Vec<Result<Vec<u8>, TooLong>> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in text.chunks(chunk) {
            lines.feed(chunk);
            while let Some(line) = lines.next() {
                found.push(line);
            }
        }
        found
    }

    #[test]
    fn a_line_that_is_too_long_is_told_once_and_skipped() {
        let mut text = b"one\n".to_vec();
        text.extend(vec![b'x'; LONGEST * 3]);
        text.extend_from_slice(b"\r\n\ntwo\r\n");
        for chunk in [1 << 10, 64 << 10, text.len()] {
            let expected = [Ok(b"one".to_vec()), Err(TooLong), Ok(b"two".to_vec())];
            assert_eq!(cut(&text, chunk), expected, "in chunks of {chunk}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_arrive(
            text in "[ab\n]{0,60}",
            chunk in 1usize..10,
        ) {
            prop_assert_eq!(cut(text.as_bytes(), chunk), cut(text.as_bytes(), 100));
        }
    }
}
