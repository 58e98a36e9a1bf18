//! The program's commands and what it says about its configuration, as processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

const GOOD: &str = "
[component]
server = \"127.0.0.1:1\"
secret = \"open sesame\"
[gateway.loopback]
domain = \"loop.example.org\"
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(toml: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::write(folder.file(), toml).expect("written");
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("isthmus.toml")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn isthmus(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isthmus"));
    // Nothing of the developer's own environment may count.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ISTHMUS__") {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

fn with_config(verb: &str, file: &Path) -> Command {
    let mut command = isthmus(&[verb, "--config"]);
    command.arg(file);
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// Five mistakes of five kinds.
const FIVE_ERRORS: &str = "
[component]
server = \"localhost\"
secret_file = \"nowhere\"
[limits]
histroy = 5
[gateway.loopback]
domain = \"not a domain\"
allow = [\"ann@example.org/home\"]
";

#[test]
fn five_errors_are_five_lines_and_exit_code_64() {
    for verb in ["check", "run"] {
        let folder = Folder::new(FIVE_ERRORS);
        let (code, stdout, stderr) = output(&mut with_config(verb, &folder.file()));
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        assert_eq!(lines.len(), 5, "{stderr}");
        let keys = [
            "component.server",
            "component.secret_file",
            "limits.histroy",
            "gateway.loopback.domain",
            "gateway.loopback.allow",
        ];
        for (line, key) in lines.iter().zip(keys) {
            let start = format!("{}: {key}: ", folder.file().display());
            assert!(
                line.starts_with(&start) && line.contains("expected"),
                "{line}"
            );
        }
        assert_eq!(
            folder.names(),
            ["isthmus.toml"],
            "a bad configuration makes no file"
        );
    }
}

#[test]
fn a_good_configuration_is_summed_up_and_no_file_is_made() {
    let folder = Folder::new(GOOD);
    let (code, stdout, stderr) = output(&mut with_config("check", &folder.file()));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("server_domain: example.org\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("gateway.loopback: loopback serves loop.example.org"),
        "{stdout}"
    );
    assert!(!stdout.contains("open sesame"), "{stdout}");
    assert_eq!(folder.names(), ["isthmus.toml"]);
}

#[test]
fn a_secret_from_the_environment_may_look_like_anything() {
    let folder = Folder::new(&GOOD.replace("secret = \"open sesame\"", ""));
    let (code, _, stderr) = output(&mut with_config("check", &folder.file()));
    assert_eq!(code, Some(64));
    assert!(
        stderr.contains("component.secret: found nothing"),
        "{stderr}"
    );
    for secret in ["0123", "true", "[a]", "{x=1}"] {
        for name in [
            "ISTHMUS__COMPONENT__SECRET",
            "ISTHMUS__GATEWAY__LOOPBACK__SECRET",
        ] {
            let mut command = with_config("check", &folder.file());
            let (code, stdout, stderr) = output(command.env(name, secret));
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{name}={secret}");
            assert!(!stdout.contains(secret), "{stdout}");
        }
    }
}

#[test]
fn the_printed_sample_is_the_one_in_the_repository() {
    let (code, stdout, _) = output(&mut isthmus(&["config"]));
    assert_eq!(code, Some(0));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/isthmus.toml");
    let kept = fs::read_to_string(path).expect("the sample");
    let differing = kept
        .lines()
        .zip(stdout.lines())
        .find(|(kept, printed)| kept != printed);
    assert!(kept == stdout, "first difference: {differing:?}");
}

#[test]
fn version_completions_and_manual_are_printed() {
    for (arguments, expected) in [
        (
            &["--version"][..],
            concat!("isthmus ", env!("CARGO_PKG_VERSION"), "\n"),
        ),
        (&["completions", "bash"], "complete -F _isthmus"),
        (&["man"], ".TH isthmus 1"),
    ] {
        let (code, stdout, stderr) = output(&mut isthmus(arguments));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(stdout.contains(expected), "{arguments:?}\n{stdout}");
    }
}

/// A running program whose log is read line by line.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, log }
    }

    /// Reads the log up to a line that holds `text`; the log ends when the program does.
    fn read_until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let length = self.log.read_line(&mut line).expect("the log is text");
            assert!(length > 0, "no {text:?} in:\n{seen}");
            seen.push_str(&line);
            if line.contains(text) {
                return seen;
            }
        }
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let status = kill
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill runs").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sigterm_and_sigint_end_it_with_success_and_leave_the_database() {
    for name in ["TERM", "INT"] {
        let folder = Folder::new(GOOD);
        let mut running = Running::start(&mut with_config("run", &folder.file()));
        running.read_until("server_domain: example.org");
        running.signal(name);
        running.read_until("shutting down");
        assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
        let names = folder.names();
        assert!(names.contains(&"isthmus.db".to_owned()), "{names:?}");
        assert!(names.contains(&"isthmus.db.key".to_owned()), "{names:?}");
    }
}

#[test]
fn sighup_reads_again_and_says_what_takes_effect() {
    let folder = Folder::new(GOOD);
    let mut running = Running::start(&mut with_config("run", &folder.file()));
    let mut log = running.read_until("server_domain: example.org");
    fs::write(folder.file(), FIVE_ERRORS).expect("written");
    running.signal("HUP");
    for _ in 0..5 {
        log += &running.read_until("configuration not reloaded");
    }
    let changed = GOOD.replace("127.0.0.1:1", "127.0.0.1:2");
    fs::write(
        folder.file(),
        format!("{changed}admins = [\"ann@example.org\"]"),
    )
    .expect("written");
    running.signal("HUP");
    let told = running.read_until("configuration read again");
    log += &told;
    let line = |key: &str| {
        told.lines()
            .find(|line| line.contains(key))
            .unwrap_or_default()
    };
    assert!(
        line("gateway.loopback.admins").contains("reloaded"),
        "{told}"
    );
    assert!(
        line("gateway.loopback.server").contains("takes effect after a restart"),
        "{told}"
    );
    fs::write(folder.file(), format!("{changed}[log]\nlevel = \"off\"")).expect("written");
    running.signal("HUP");
    log += &running.read_until("log.level");
    running.signal("TERM");
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
    assert!(!log.contains("open sesame"), "{log}");
}

#[test]
fn json_logs_are_one_object_a_line() {
    let folder = Folder::new(GOOD);
    let mut command = with_config("run", &folder.file());
    let mut running = Running::start(command.env("ISTHMUS__LOG__FORMAT", "json"));
    let log = running.read_until("server_domain: example.org");
    running.signal("TERM");
    let log = log + &running.read_until("shutting down");
    for line in log.lines() {
        assert!(
            line.starts_with("{\"timestamp\":") && line.ends_with('}'),
            "{line}"
        );
    }
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_database_that_cannot_be_opened_ends_it_with_74() {
    let folder = Folder::new(GOOD);
    fs::write(
        folder.0.path().join("isthmus.db"),
        "this is no database but a text, long enough",
    )
    .expect("written");
    let (code, _, stderr) = output(&mut with_config("run", &folder.file()));
    assert_eq!(code, Some(74), "{stderr}");
    assert!(stderr.contains("no SQLite database"), "{stderr}");
}
