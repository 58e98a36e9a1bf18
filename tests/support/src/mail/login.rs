//! Who may log in at Postfix: what it asks Dovecot for, in the protocol of Dovecot's
//! authentication service, version 1. There is one user, and one mechanism: PLAIN (RFC 4616).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

/// The one user.
pub const USER: &str = "isthmus";
/// His password.
pub const PASSWORD: &str = "smarthost s3cret";

/// `base64` of `\0isthmus\0smarthost s3cret`.
const RIGHT: &str = "AGlzdGhtdXMAc21hcnRob3N0IHMzY3JldA==";

/// A socket that is answered until it is dropped.
#[derive(Debug)]
pub(super) struct Login {
    path: PathBuf,
}

impl Login {
    /// Listens there; anybody may ask.
    pub(super) fn listen(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("the directory is writable");
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("ours");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    // Who hangs up has nothing more to ask.
                    let _ = answer(&stream);
                });
            }
        });
        Self {
            path: path.to_owned(),
        }
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // The thread waits on until the test program ends; nobody finds it any more.
        let _ = fs::remove_file(&self.path);
    }
}

fn answer(mut stream: &UnixStream) -> std::io::Result<()> {
    let hello = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n\
                 COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n";
    stream.write_all(hello.as_bytes())?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let mut words = line.split('\t');
        let (Some("AUTH"), Some(id)) = (words.next(), words.next()) else {
            continue;
        };
        let right = words.any(|word| word.strip_prefix("resp=") == Some(RIGHT));
        let reply = match right {
            true => format!("OK\t{id}\tuser={USER}\n"),
            false => format!("FAIL\t{id}\tuser={USER}\n"),
        };
        stream.write_all(reply.as_bytes())?;
    }
    Ok(())
}
