//! Gets what the tests talk to: real servers and clients, from Debian.
//!
//! Nothing is installed. The packages are downloaded and unpacked beside the build, under
//! `servers/root` of the target directory, together with those of their dependencies that the
//! machine lacks. So it needs no root, no service is started, nothing on the machine is replaced,
//! and servers that Debian would not install together live side by side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use isthmus_test_support::paths;

use crate::run::{cargo, output, run, works};

/// What is wanted, and the files that show that it is there.
const PACKAGES: [Package; 16] = [
    (
        "prosody",
        &["usr/bin/prosody", "usr/lib/prosody", "usr/bin/lua5.4"],
    ),
    (
        "prosody-modules",
        &["usr/lib/prosody/modules/mod_privilege"],
    ),
    ("lua5.4", &["usr/bin/lua5.4"]),
    ("ejabberd", &["usr/sbin/ejabberdctl", "usr/lib/erlang"]),
    (
        "jabberd2",
        &[
            "usr/sbin/jabberd2-router",
            "usr/share/doc/jabberd2/db-setup.sqlite.gz",
        ],
    ),
    ("ngircd", &["usr/sbin/ngircd"]),
    (
        "inspircd",
        &["usr/sbin/inspircd", "usr/lib/inspircd/modules"],
    ),
    (
        "atheme-services",
        &["usr/bin/atheme-services", "usr/share/atheme"],
    ),
    (
        "postfix",
        &["usr/sbin/postfix", "usr/lib/postfix/sbin/smtpd"],
    ),
    ("swaks", &["usr/bin/swaks"]),
    ("dictd", &["usr/sbin/dictd"]),
    ("dictfmt", &["usr/bin/dictfmt"]),
    ("gnutls-bin", &["usr/bin/certtool"]),
    ("nodejs", &["usr/bin/node"]),
    ("npm", &["usr/bin/npm"]),
    (
        "python3-slixmpp",
        &["usr/bin/python3", "usr/lib/python3/dist-packages/slixmpp"],
    ),
];

/// What Debian would not install together with something above, in the same form: asked for alone.
const APART: [Package; 1] = [("ircd-hybrid", &["usr/sbin/ircd-hybrid"])];

/// The clients that tests use in a terminal, and the terminal, in the same form.
const CLIENTS: [Package; 4] = [
    ("tmux", &["usr/bin/tmux"]),
    ("profanity", &["usr/bin/profanity"]),
    ("mcabber", &["usr/bin/mcabber"]),
    ("finch", &["usr/bin/finch"]),
];

/// What benchmarks and tests compare with, in the same form.
const COMPARED: [Package; 1] = [("biboumi", &["usr/bin/biboumi"])];

/// Never beside the build: the loader and the C library must be of one version.
const SYSTEM_ONLY: [&str; 3] = ["libc6", "libc-bin", "base-files"];

/// The SMSC of the tests, from npm.
const NODE_SMPP: &str = "smpp@0.5.1";
/// The version of `cargo-deny` that is installed where there is none.
const CARGO_DENY: &str = "cargo-deny@0.20.2";
/// Likewise for `cargo-fuzz`.
const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";

/// A package, and the files that show that it is there.
type Package = (&'static str, &'static [&'static str]);

/// Unpacks the servers unless they are there.
pub(crate) fn servers() -> Result<(), String> {
    unpacked(&PACKAGES)?;
    unpacked(&APART)?;
    unpacked(&COMPARED)?;
    node_smpp()
}

/// Installs npm's `smpp` beside the build unless it is there. None of its scripts is run.
fn node_smpp() -> Result<(), String> {
    let home = paths::target_dir().join("servers/npm");
    if home.join("node_modules/smpp/package.json").is_file() {
        return Ok(());
    }
    println!("==> installing npm's {NODE_SMPP} beside the build");
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let mut npm = Command::new(paths::need("usr/bin/node"));
    npm.arg(paths::need("usr/bin/npm"));
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm.arg("--prefix").arg(&home).arg(NODE_SMPP);
    npm.env("NODE_PATH", paths::search_path(&["usr/share/nodejs"]));
    npm.env("LD_LIBRARY_PATH", paths::library_path(&[]));
    output(&mut npm).map(drop)
}

/// Unpacks the clients in a terminal unless they are there.
pub(crate) fn clients() -> Result<(), String> {
    unpacked(&CLIENTS)
}

/// Unpacks what is compared with unless it is there.
pub(crate) fn benchmarks() -> Result<(), String> {
    unpacked(&COMPARED)
}

fn unpacked(packages: &[Package]) -> Result<(), String> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    println!("==> unpacking {} beside the build", missing.join(", "));
    let start = Instant::now();
    let home = paths::target_dir().join("servers");
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    if !works(Command::new("apt-get").arg("--version")) {
        return Err(format!(
            "needed are {}, and we know only how to get them from Debian: install them by hand",
            missing.join(", ")
        ));
    }
    // The machine's own package lists do unless they are missing or too old.
    let debs = match Apt::System.download(&missing, &home) {
        Ok(debs) => debs,
        Err(error) => {
            println!(
                "    the machine's package lists do not do ({}), fetching",
                first(&error)
            );
            let apt = Apt::private(&home)?;
            apt.update()?;
            apt.download(&missing, &home)?
        }
    };
    unpack(&debs, &home)?;
    let missing = self::missing(packages);
    if missing.is_empty() {
        println!("    done in {:.1} s", start.elapsed().as_secs_f32());
        Ok(())
    } else {
        Err(format!(
            "still missing after unpacking: {}",
            missing.join(", ")
        ))
    }
}

/// Installs `cargo-deny` where there is none: minutes, once. It is built without optimisation,
/// which is quick and makes no difference to what it does here.
pub(crate) fn cargo_deny() -> Result<(), String> {
    cargo_tool("deny", CARGO_DENY)
}

/// Installs `cargo-fuzz` where there is none.
pub(crate) fn cargo_fuzz() -> Result<(), String> {
    cargo_tool("fuzz", CARGO_FUZZ)
}

/// Adds the parts of the toolchain that a minimal installation lacks.
pub(crate) fn toolchain() -> Result<(), String> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !works(&mut cargo(&[command, "--version"])) {
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn cargo_tool(command: &str, package: &str) -> Result<(), String> {
    if works(&mut cargo(&[command, "--version"])) {
        return Ok(());
    }
    println!("==> installing {package}: this takes minutes, once");
    let build = paths::target_dir().join("servers/build");
    let mut install = cargo(&[
        "install",
        "--quiet",
        "--debug",
        "--locked",
        package,
        "--target-dir",
    ]);
    install.arg(&build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    let result = run(&mut install);
    // Hundreds of megabytes that nobody needs again.
    let _ = fs::remove_dir_all(&build);
    result
}

fn missing(packages: &[Package]) -> Vec<&'static str> {
    let lacks = |files: &[&str]| files.iter().any(|file| paths::find(file).is_none());
    packages
        .iter()
        .filter(|(_, files)| lacks(files))
        .map(|(name, _)| *name)
        .collect()
}

/// How `apt-get` is called: with the machine's package lists, or with lists of our own.
enum Apt {
    System,
    Private(PathBuf),
}

impl Apt {
    fn private(home: &Path) -> Result<Self, String> {
        let dir = home.join("apt");
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(part)).map_err(|error| error.to_string())?;
        }
        Ok(Self::Private(dir))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command
            .arg("-q")
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive");
        // The sandbox's user may not write where we may.
        command.args(["-o", "APT::Sandbox::User="]);
        if let Self::Private(dir) = self {
            for (key, part) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
                command
                    .arg("-o")
                    .arg(format!("{key}={}", dir.join(part).display()));
            }
        }
        command
    }

    fn update(&self) -> Result<(), String> {
        output(self.command().arg("update")).map(drop)
    }

    /// Downloads all that is wanted and the machine lacks, into a fresh directory.
    fn download(&self, missing: &[&str], home: &Path) -> Result<PathBuf, String> {
        let mut simulate = self.command();
        simulate.args(["--simulate", "install", "--no-install-recommends"]);
        simulate.args(missing);
        let wanted: Vec<String> = output(&mut simulate)?
            .lines()
            .filter_map(to_download)
            .collect();
        let debs = home.join("debs");
        let _ = fs::remove_dir_all(&debs);
        fs::create_dir_all(&debs).map_err(|error| format!("{}: {error}", debs.display()))?;
        output(
            self.command()
                .arg("download")
                .args(&wanted)
                .current_dir(&debs),
        )?;
        Ok(debs)
    }
}

/// The package and version of a line such as `Inst ngircd (26.1-1 Debian:12 [amd64])`.
fn to_download(line: &str) -> Option<String> {
    let mut words = line.strip_prefix("Inst ")?.split_whitespace();
    let name = words.next()?;
    let version = words.find_map(|word| word.strip_prefix('('))?;
    let plain = name.split(':').next()?;
    let skip = SYSTEM_ONLY.contains(&plain) || plain.ends_with("-dev");
    (!skip).then(|| format!("{name}={version}"))
}

/// Unpacks into a new directory, and moves it into place in one step, so
/// that an interrupted run leaves nothing that looks complete.
fn unpack(debs: &Path, home: &Path) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", home.display());
    let (root, fresh) = (
        home.join("root"),
        home.join(format!("fresh-{}", std::process::id())),
    );
    fs::create_dir_all(&fresh).map_err(fail)?;
    for entry in fs::read_dir(debs).map_err(fail)? {
        let deb = entry.map_err(fail)?.path();
        if deb.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(&fresh))?;
        }
    }
    if root.exists() {
        // Something was added to the list: keep what is there already.
        run(Command::new("cp")
            .arg("-an")
            .arg(root.join("."))
            .arg(&fresh))?;
        fs::remove_dir_all(&root).map_err(fail)?;
    }
    fs::rename(&fresh, &root).map_err(fail)?;
    fs::remove_dir_all(debs).map_err(fail)
}

fn first(text: &str) -> &str {
    text.lines()
        .find(|line| line.contains("E: "))
        .unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use super::to_download;

    #[test]
    fn what_apt_would_install_is_downloaded_except_the_system_itself() {
        let new = "Inst ngircd (26.1-1+deb12u1 Debian:12.15/oldstable [amd64])";
        assert_eq!(to_download(new).as_deref(), Some("ngircd=26.1-1+deb12u1"));
        let upgrade = "Inst libgnutls30 [3.7.9-2] (3.7.9-3 Debian:12/oldstable [amd64]) []";
        assert_eq!(to_download(upgrade).as_deref(), Some("libgnutls30=3.7.9-3"));
        assert_eq!(
            to_download("Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])"),
            None
        );
        assert_eq!(
            to_download("Inst libgnutls28-dev (3.7.9-3 Debian:12 [amd64])"),
            None
        );
        assert_eq!(to_download("Conf ngircd (26.1-1 Debian:12 [amd64])"), None);
    }
}
