//! The key file and what is derived from it: the sealing key and keys by label.
//!
//! ChaCha20-Poly1305 as in RFC 8439, HKDF-SHA256 as in RFC 5869. A sealed box is a random
//! 12-byte nonce, the ciphertext and the 16-byte tag. It does not hide the length of a secret.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::StoreFault;
use crate::secret::Secret;

const KEY_LEN: usize = 32;

/// The installation's key. One per database.
pub(super) struct Key {
    prk: hkdf::Prk,
    sealing: LessSafeKey,
    random: SystemRandom,
}

/// Whose secret it is; bound into the box, so that a box moved to another row does not open.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) user: String,
    pub(super) gateway: String,
    pub(super) name: String,
}

impl Key {
    /// Reads the key file, or makes it when `may_create` says that nothing was sealed yet.
    pub(super) fn open(path: &Path, may_create: bool) -> Result<Self, StoreFault> {
        match read(path) {
            Ok(bytes) => Ok(Self::from_bytes(&bytes)),
            Err(KeyRead::Missing) if may_create => {
                let bytes = create(path)?;
                Ok(Self::from_bytes(&bytes))
            }
            Err(KeyRead::Missing) => Err(fault(
                path,
                "it is missing, but the database holds secrets sealed with it: put the key file \
                 back from a backup",
            )),
            Err(KeyRead::Bad(problem)) => Err(fault(path, problem)),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8; KEY_LEN]) -> Self {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"isthmus").extract(bytes);
        let sealing = Zeroizing::new(expand(&prk, "seal", ""));
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, sealing.as_slice())
            .expect("a ChaCha20 key is 32 bytes");
        Self {
            prk,
            sealing: LessSafeKey::new(unbound),
            random: SystemRandom::new(),
        }
    }

    /// A key for one purpose, the same for the same label.
    pub(super) fn derive(&self, label: &str) -> [u8; KEY_LEN] {
        expand(&self.prk, "instance", label)
    }

    /// Seals a secret into a box for its owner.
    pub(super) fn seal(&self, owner: &Owner, secret: &Secret) -> Result<Vec<u8>, StoreFault> {
        let refused = || StoreFault::Sealed {
            name: owner.name.clone(),
        };
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| refused())?;
        let mut text = secret.expose().as_bytes().to_vec();
        let tag = self
            .sealing
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(owner.bytes()),
                &mut text,
            )
            .map_err(|_| refused())?;
        Ok([&nonce[..], &text, tag.as_ref()].concat())
    }

    /// Opens a box of its owner.
    pub(super) fn open_box(&self, owner: &Owner, sealed: &[u8]) -> Result<Secret, StoreFault> {
        let refused = || StoreFault::Sealed {
            name: owner.name.clone(),
        };
        let (nonce, rest) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or_else(refused)?;
        let mut rest = Zeroizing::new(rest.to_vec());
        let text = self
            .sealing
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(owner.bytes()),
                rest.as_mut_slice(),
            )
            .map_err(|_| refused())?;
        std::str::from_utf8(text)
            .map(Secret::new)
            .map_err(|_| refused())
    }
}

impl Owner {
    /// Each part with its length before it, so that no two owners give the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [&self.user, &self.gateway, &self.name] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// `<database>.key`, beside the database.
pub(super) fn key_path(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(".key");
    PathBuf::from(name)
}

enum KeyRead {
    Missing,
    Bad(String),
}

fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_LEN]>, KeyRead> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(KeyRead::Missing),
        Err(e) => return Err(KeyRead::Bad(format!("cannot be read: {e}"))),
    };
    let told = file
        .metadata()
        .map_err(|e| KeyRead::Bad(format!("cannot be examined: {e}")))?;
    let mode = told.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyRead::Bad(format!(
            "others may read or write it (mode {mode:03o}): expected mode 600, run chmod 600 on it"
        )));
    }
    if told.len() != KEY_LEN as u64 {
        return Err(KeyRead::Bad(format!(
            "holds {} bytes, expected {KEY_LEN}: put the right file back from a backup",
            told.len()
        )));
    }
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    file.read_exact(bytes.as_mut_slice())
        .map_err(|e| KeyRead::Bad(format!("cannot be read: {e}")))?;
    Ok(bytes)
}

fn create(path: &Path) -> Result<Zeroizing<[u8; KEY_LEN]>, StoreFault> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| fault(path, "cannot be made: the system gives no random bytes"))?;
    let made = |e: std::io::Error| fault(path, format!("cannot be made: {e}"));
    // create_new is O_EXCL: a file that appeared meanwhile is never overwritten.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(made)?;
    file.write_all(bytes.as_slice())
        .and_then(|()| file.sync_all())
        .map_err(made)?;
    sync_folder(path).map_err(made)?;
    Ok(bytes)
}

/// Makes a new name in a folder durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn expand(prk: &hkdf::Prk, purpose: &str, label: &str) -> [u8; KEY_LEN] {
    let mut out = [0; KEY_LEN];
    prk.expand(
        &[purpose.as_bytes(), b"/", label.as_bytes()],
        hkdf::HKDF_SHA256,
    )
    .and_then(|okm| okm.fill(&mut out))
    .expect("32 bytes are within the limit of HKDF-SHA256");
    out
}

fn fault(path: &Path, problem: impl Into<String>) -> StoreFault {
    StoreFault::KeyFile {
        path: path.to_owned(),
        problem: problem.into(),
    }
}
