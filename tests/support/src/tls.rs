//! A certificate authority and a certificate for loopback, made anew by GnuTLS's `certtool`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// An authority and one certificate for `localhost` and 127.0.0.1, as PEM files.
#[derive(Debug)]
pub struct Certificate {
    dir: PathBuf,
}

impl Certificate {
    /// Makes both in `dir`.
    ///
    /// # Panics
    ///
    /// When `certtool` is missing or fails.
    pub fn create(dir: &Path) -> Self {
        let this = Self {
            dir: dir.to_owned(),
        };
        let write = |name: &str, text: &str| {
            fs::write(dir.join(name), text).expect("the directory is writable");
        };
        write(
            "ca.tmpl",
            "cn = \"test authority\"\nca\ncert_signing_key\nexpiration_days = 30\n",
        );
        write(
            "server.tmpl",
            "cn = \"localhost\"\ndns_name = \"localhost\"\nip_address = \"127.0.0.1\"\n\
             tls_www_server\nsigning_key\nexpiration_days = 30\n",
        );
        let key = ["--generate-privkey", "--key-type", "ecdsa", "--outfile"];
        this.certtool(&[&key[..], &["ca-key.pem"]].concat());
        // Not ECDSA: certtool writes every other such key one byte too long, and ring refuses those.
        let rsa = ["--generate-privkey", "--key-type", "rsa", "--bits", "2048"];
        this.certtool(&[&rsa[..], &["--outfile", "key.pem"]].concat());
        let template = ["--load-privkey", "ca-key.pem", "--template", "ca.tmpl"];
        this.certtool(
            &[
                &["--generate-self-signed"],
                &template[..],
                &["--outfile", "ca.pem"],
            ]
            .concat(),
        );
        let by = [
            "--load-ca-certificate",
            "ca.pem",
            "--load-ca-privkey",
            "ca-key.pem",
        ];
        let of = ["--load-privkey", "key.pem", "--template", "server.tmpl"];
        this.certtool(
            &[
                &["--generate-certificate"],
                &by[..],
                &of[..],
                &["--outfile", "cert.pem"],
            ]
            .concat(),
        );
        let read = |path: PathBuf| fs::read_to_string(path).expect("certtool made it");
        let both = read(this.certificate()) + &read(this.key());
        fs::write(this.both(), both).expect("the directory is writable");
        this
    }

    /// The authority that a client has to trust.
    pub fn authority(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The server's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// The server's private key.
    pub fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    /// The server's certificate and private key in one file.
    pub fn both(&self) -> PathBuf {
        self.dir.join("both.pem")
    }

    fn certtool(&self, args: &[&str]) {
        let output = Command::new(paths::need("usr/bin/certtool"))
            .args(args)
            .current_dir(&self.dir)
            .env("LD_LIBRARY_PATH", paths::library_path(&[]))
            .output()
            .expect("certtool starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
