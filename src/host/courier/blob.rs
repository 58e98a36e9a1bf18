//! Keeps attachments as files: `attachments/` in the folder of the database, mode 700.
//!
//! Each is two files of mode 600: `<id>`, the bytes, and `<id>.json`, what is said of them. The id
//! is a keyed hash of both, so it cannot be guessed, and the same attachment is kept once however
//! often the network hands it over. Files get their names when they are complete and on disk; what
//! a crash leaves has another name and is swept at the next start.
//!
//! What is older than `limits.attachment_days` is removed; what the network hands over again is as
//! young as then.
//!
//! `kept` reads them again, `owner` knows whose they are. Not here: handing them out.

mod kept;
mod owner;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use isthmus_gateway::{BlobWriter, Later};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::host::shared::Shared;
use crate::store::Store;

pub(crate) use self::kept::{Kept, id_of, read_blob};
pub(crate) use self::owner::own_blob;

/// What the URL of a kept attachment begins with; its id follows.
pub(crate) const TOKEN: &str = "isthmus:attachment/";
/// What the name of an incomplete file begins with.
const TEMPORARY: &str = "tmp-";
/// Disk an attachment takes beyond its bytes (two blocks), so that empty ones count as well.
const OVERHEAD: u64 = 8192;
/// Longest file name that is kept, in characters.
const LONGEST_NAME: usize = 200;
/// Longest media type that is kept (RFC 6838 §4.2).
const LONGEST_MIME: usize = 255;

/// The attachments kept beside the database.
#[derive(Debug)]
pub struct Attachments {
    folder: PathBuf,
    key: hmac::Key,
    /// Disk that all take, in bytes.
    used: AtomicU64,
    /// Held while names are given.
    naming: Mutex<()>,
}

/// What is said of an attachment, in its `.json`.
#[derive(serde::Serialize)]
struct About<'a> {
    name: &'a str,
    mime: &'a str,
    size: usize,
}

impl Attachments {
    /// Sweeps what a crash left in the folder beside a database and counts the rest. Blocks.
    ///
    /// # Errors
    ///
    /// The folder exists and cannot be read or closed to others.
    pub fn open(beside: &Path, store: &dyn Store) -> io::Result<Self> {
        let beside = match beside.as_os_str().is_empty() {
            true => Path::new("."),
            false => beside,
        };
        let folder = beside.join("attachments");
        let used = match fs::read_dir(&folder) {
            Ok(entries) => {
                fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
                sweep(entries)?
            }
            // It is made for the first attachment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let all = Self {
            folder,
            key: hmac::Key::new(hmac::HMAC_SHA256, &store.instance_key("attachment")),
            used: AtomicU64::new(used),
            naming: Mutex::new(()),
        };
        all.prune_owners(None)?;
        Ok(all)
    }

    /// Disk that all take, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Keeps an attachment; its URL. All of them may take `total` bytes. Blocks.
    fn keep(&self, name: &str, mime: &str, bytes: &[u8], total: u64) -> io::Result<String> {
        let (name, mime) = (tidy_name(name), tidy_mime(mime));
        let about = serde_json::to_vec(&About {
            name: &name,
            mime: &mime,
            size: bytes.len(),
        })?;
        let id = self.id(&about, bytes);
        let path = self.folder.join(&id);
        let path_about = self.folder.join(format!("{id}.json"));
        let kept = || {
            let whole = fs::metadata(&path).is_ok_and(|it| it.len() == bytes.len() as u64);
            whole && path_about.exists()
        };
        let again = || {
            // Not while old ones are removed: it is young again before anybody looks at its age.
            let _naming = self.names();
            kept() && File::open(&path).is_ok_and(|it| it.set_modified(SystemTime::now()).is_ok())
        };
        if !again() {
            let room = self.reserve(bytes.len() as u64 + OVERHEAD, total)?;
            self.make_folder()?;
            let about = Temporary::write(&self.folder, &about)?;
            let data = Temporary::write(&self.folder, bytes)?;
            let _naming = self.names();
            // Another may have kept the same in the meantime.
            if !kept() {
                // The bytes last: where they are, what is said of them is too.
                about.rename(&path_about)?;
                data.rename(&path)?;
                room.keep();
            }
        }
        // Also for what was there: whoever named it may not have come this far.
        File::open(&self.folder)?.sync_all()?;
        Ok(format!("{TOKEN}{id}"))
    }

    /// Removes what is past its age now.
    pub(crate) async fn tidy(self: Arc<Self>, age: Duration) {
        let before = SystemTime::now().checked_sub(age);
        let Some(before) = before.filter(|_| !age.is_zero()) else {
            return;
        };
        match tokio::task::spawn_blocking(move || self.prune(before)).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(pruned)) => tracing::info!(pruned, "old attachments were removed"),
            Ok(Err(fault)) => tracing::warn!(%fault, "old attachments stay for now"),
        }
    }

    fn names(&self) -> MutexGuard<'_, ()> {
        self.naming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what has been kept since before that time; how many. Blocks.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or a file cannot be removed.
    fn prune(&self, before: SystemTime) -> io::Result<usize> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut pruned = 0;
        for entry in entries {
            let path = entry?.path();
            if !path
                .file_name()
                .is_some_and(|it| is_id(&it.to_string_lossy()))
            {
                continue;
            }
            let _naming = self.names();
            let Ok(about) = fs::metadata(&path) else {
                continue;
            };
            if about.modified()? < before {
                self.remove(&path, about.len())?;
                pruned += 1;
            }
        }
        self.prune_owners(Some(before))?;
        Ok(pruned)
    }

    fn id(&self, about: &[u8], bytes: &[u8]) -> String {
        let mut tag = hmac::Context::with_key(&self.key);
        tag.update(&(about.len() as u64).to_be_bytes());
        tag.update(about);
        tag.update(bytes);
        hex::encode(&tag.sign().as_ref()[..16])
    }

    fn reserve(&self, bytes: u64, total: u64) -> io::Result<Room<'_>> {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= total);
        let added = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        match added {
            Ok(_) => Ok(Room { all: self, bytes }),
            Err(used) => Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                format!("attachments take {used} of {total} bytes (limits.attachments_total)"),
            )),
        }
    }

    fn make_folder(&self) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(&self.folder) {
            Ok(()) => {
                let beside = self.folder.parent().unwrap_or(Path::new("."));
                File::open(beside)?.sync_all()
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Removes what is incomplete; the bytes that the rest takes.
fn sweep(entries: fs::ReadDir) -> io::Result<u64> {
    let mut used: u64 = 0;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let about_nothing = name.strip_suffix(".json").is_some_and(is_id)
            && matches!(path.with_extension("").try_exists(), Ok(false));
        if name.starts_with(TEMPORARY) || about_nothing {
            fs::remove_file(&path)?;
        } else if is_id(&name) {
            used = used.saturating_add(entry.metadata()?.len() + OVERHEAD);
        }
    }
    Ok(used)
}

fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Disk that is promised to one attachment, given back unless it was kept.
struct Room<'a> {
    all: &'a Attachments,
    bytes: u64,
}

impl Room<'_> {
    fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.all.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A file on disk that has no name of its own yet; removed unless it gets one.
struct Temporary(PathBuf);

impl Temporary {
    fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut random = [0; 16];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| io::Error::other("there is no randomness"))?;
        let path = folder.join(format!("{TEMPORARY}{}", hex::encode(random)));
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let temporary = Self(path);
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn rename(self, to: &Path) -> io::Result<()> {
        fs::rename(&self.0, to)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is gone where it got its name; else the next start sweeps it.
        let _ = fs::remove_file(&self.0);
    }
}

/// A name that is one line and no path.
fn tidy_name(name: &str) -> String {
    // Marks that turn the direction of writing make `exe.gpj` look like a picture.
    let turns = |c: char| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let tidy: String = name
        .chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .map(|c| if matches!(c, '/' | '\\') { '_' } else { c })
        .take(LONGEST_NAME)
        .collect();
    let tidy = tidy.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if tidy.is_empty() {
        "attachment".to_owned()
    } else {
        tidy.to_owned()
    }
}

/// Type and subtype (RFC 6838 §4.2); anything else is any bytes.
fn tidy_mime(mime: &str) -> String {
    let is_name = |part: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(good)
    };
    match mime.split_once('/') {
        Some((kind, sub)) if is_name(kind) && is_name(sub) && mime.len() <= LONGEST_MIME => {
            mime.to_ascii_lowercase()
        }
        _ => "application/octet-stream".to_owned(),
    }
}

/// Gathers one attachment in memory, at most `limits.attachment` bytes; `finish` writes it.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    name: String,
    mime: String,
    bytes: Vec<u8>,
    /// Some of it was refused: it is never finished.
    refused: bool,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, name: &str, mime: &str) -> Self {
        Self {
            shared,
            name: name.to_owned(),
            mime: mime.to_owned(),
            bytes: Vec::new(),
            refused: false,
        }
    }
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "the attachment is larger than limits.attachment",
    )
}

impl BlobWriter for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let most = self.shared.limits().attachment;
        let size = self.bytes.len().saturating_add(bytes.len());
        if self.refused || size as u64 > most {
            self.refused = true;
            self.bytes = Vec::new();
            return Err(too_large());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Later<io::Result<String>> {
        Box::pin(async move {
            if self.refused {
                return Err(too_large());
            }
            let total = self.shared.limits().attachments_total;
            let Some(attachments) = self.shared.attachments() else {
                return Err(io::ErrorKind::Unsupported.into());
            };
            let (name, mime, bytes) = (self.name, self.mime, self.bytes);
            // It ends what it began, also if nobody waits for it any more.
            tokio::task::spawn_blocking(move || attachments.keep(&name, &mime, &bytes, total))
                .await
                .unwrap_or_else(|_| Err(io::Error::other("the attachment was not kept")))
        })
    }
}

#[cfg(test)]
mod tests;
