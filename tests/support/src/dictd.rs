//! A real DICT server (RFC 2229) with a dictionary of a few words.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::port::Port;
use crate::process::{Process, Spec};
use crate::{DEADLINE, paths};

/// A running dictd.
#[derive(Debug)]
pub struct Dictd {
    process: Process,
    port: Port,
    _dir: TempDir,
}

impl Dictd {
    /// Starts one that knows these words and their meanings. A meaning may have several lines.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(words: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        make_dictionary(dir.path(), words);
        let port = Port::reserve();
        let config = config(dir.path(), port.number());
        fs::write(dir.path().join("dictd.conf"), config).expect("written");
        let spec = Spec::new("dictd", paths::need("usr/sbin/dictd"), dir.path())
            .args(["--debug", "nodetach", "--locale", "C.UTF-8", "--config"])
            .arg(dir.path().join("dictd.conf"))
            .arg("--pid-file")
            .arg(dir.path().join("dictd.pid"))
            .env("LD_LIBRARY_PATH", paths::library_path(&[]));
        let mut process = Process::start(spec);
        process.wait_for_port(port.address(), DEADLINE);
        Self {
            process,
            port,
            _dir: dir,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Kills it.
    pub fn kill_hard(&mut self) {
        self.process.kill_hard();
    }

    /// What it has written.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Makes `test.index` and `test.dict` of the words, with the server's own tool.
fn make_dictionary(dir: &Path, words: &[(&str, &str)]) {
    let mut tool = Command::new(paths::need("usr/bin/dictfmt"))
        .args([
            "-c5",
            "--utf8",
            "--without-headword",
            "-s",
            "Test words",
            "test",
        ])
        .env("LD_LIBRARY_PATH", paths::library_path(&[]))
        .env("LC_ALL", "C.UTF-8")
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("dictfmt starts");
    let mut input = tool.stdin.take().expect("piped above");
    for (word, meaning) in words {
        writeln!(input, "_____\n\n{word}\n{meaning}").expect("dictfmt reads");
    }
    drop(input);
    let status = tool.wait().expect("dictfmt ends");
    assert!(status.success(), "dictfmt: {status}");
}

fn config(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        r#"global {{
  listen_to 127.0.0.1
  port {port}
  delay 0
}}
access {{ allow * }}
database test {{
  data "{dir}/test.dict"
  index "{dir}/test.index"
}}
"#
    )
}
