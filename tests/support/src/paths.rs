//! Where the servers are: beside the build (see `xtask`), or in the system.
//!
//! The packages are unpacked under `servers/root` of the target directory, so that the machine
//! itself stays as it was. Every lookup tries that root first and the system second.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The library directories of a Debian root, relative to it.
const LIBRARY_DIRS: [&str; 4] = [
    "usr/lib/x86_64-linux-gnu",
    "lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib",
];

/// The build's target directory, found from the running program.
///
/// # Panics
///
/// When the program does not lie in a target directory and `CARGO_TARGET_DIR` is not set.
pub fn target_dir() -> PathBuf {
    let exe = env::current_exe().expect("the running program has a path");
    let above = exe
        .ancestors()
        .skip(1)
        .find(|dir| dir.join("CACHEDIR.TAG").is_file());
    above
        .map(Path::to_path_buf)
        .or_else(|| env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .expect("a target directory above the running program, or CARGO_TARGET_DIR")
}

/// Where the servers' packages are unpacked.
pub fn servers_root() -> PathBuf {
    target_dir().join("servers/root")
}

/// The file `relative` (such as `usr/sbin/ngircd`) beside the build, else in the system.
pub fn find(relative: &str) -> Option<PathBuf> {
    [servers_root(), PathBuf::from("/")]
        .into_iter()
        .map(|root| root.join(relative))
        .find(|path| path.exists())
}

/// As [`find`].
///
/// # Panics
///
/// When it is in neither place, saying how to get it.
pub fn need(relative: &str) -> PathBuf {
    find(relative).unwrap_or_else(|| {
        panic!("{relative} is not installed: run `cargo run -p xtask -- install` first")
    })
}

/// A search path (as of `PATH`) of `relative` beside the build, then in the system.
pub fn search_path(relative: &[&str]) -> OsString {
    let roots = [servers_root(), PathBuf::from("/")];
    let dirs = roots
        .iter()
        .flat_map(|root| relative.iter().map(|dir| root.join(dir)));
    env::join_paths(dirs.filter(|dir| dir.is_dir())).expect("no colon in a path of the build")
}

/// The value of `LD_LIBRARY_PATH` for a server that is unpacked beside the build.
/// `extra` are private library directories, relative to the root.
pub fn library_path(extra: &[&str]) -> OsString {
    let root = servers_root();
    let dirs = extra.iter().chain(&LIBRARY_DIRS).map(|dir| root.join(dir));
    env::join_paths(dirs.filter(|dir| dir.is_dir())).expect("no colon in a path of the build")
}

/// Debian's name for this machine's library directory, such as `x86_64-linux-gnu`.
pub fn multiarch() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "aarch64-linux-gnu"
    } else {
        "x86_64-linux-gnu"
    }
}
