//! Whose attachments are: who removes his registration takes his with him, and nobody has more
//! than his share.
//!
//! An attachment of a user behind a gateway has a second name, `of/OWNER/ID`, a hard link, where
//! OWNER is a keyed hash of both. The same attachment can be several users'; with the last of these
//! names it goes. One that nobody was given yet has none, and is removed for its age alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use ring::hmac;

use super::{Attachments, Kept, OVERHEAD, id_of, is_id};
use crate::host::shared::Shared;

/// The folder of owners.
const OWNERS: &str = "of";

/// An attachment is this user's, by the URL that a gateway has for it. Beyond his share his oldest
/// go.
pub(crate) async fn own_blob(shared: &Arc<Shared>, url: &str, user: &str, gateway: &str) {
    let (Some(all), Some(id)) = (shared.attachments(), id_of(url).map(str::to_owned)) else {
        return;
    };
    let (user, gateway) = (user.to_owned(), gateway.to_owned());
    let most = shared.limits().attachments_per_user;
    let owned = tokio::task::spawn_blocking(move || all.own(&id, &user, &gateway, most)).await;
    match owned {
        Ok(Ok(0)) | Err(_) => {}
        Ok(Ok(gone)) => tracing::info!(gone, "a user's oldest attachments were removed"),
        Ok(Err(fault)) => tracing::warn!(%fault, "whose an attachment is cannot be kept"),
    }
}

impl Attachments {
    fn owner(&self, user: &str, gateway: &str) -> PathBuf {
        let mut tag = hmac::Context::with_key(&self.key);
        for part in [OWNERS, user, gateway] {
            tag.update(&(part.len() as u64).to_be_bytes());
            tag.update(part.as_bytes());
        }
        let name = hex::encode(&tag.sign().as_ref()[..16]);
        self.folder.join(OWNERS).join(name)
    }

    /// Makes an attachment this user's, and removes his oldest others beyond `most` bytes (0: there
    /// is no such bound); how many of them are gone. Blocks.
    ///
    /// # Errors
    ///
    /// There is no such attachment, or the disk has no hard links.
    pub(super) fn own(&self, id: &str, user: &str, gateway: &str, most: u64) -> io::Result<usize> {
        let owner = self.owner(user, gateway);
        let _naming = self.names();
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&owner)?;
        match fs::hard_link(self.folder.join(id), owner.join(id)) {
            Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => return Err(fault),
            _ => {}
        }
        if most == 0 {
            return Ok(0);
        }
        let mut his = Vec::new();
        let mut sum: u64 = 0;
        for entry in fs::read_dir(&owner)? {
            let entry = entry?;
            let (about, name) = (entry.metadata()?, entry.file_name());
            let size = about.len() + OVERHEAD;
            sum = sum.saturating_add(size);
            his.push((about.modified()?, size, name));
        }
        his.sort_unstable();
        let mut gone = 0;
        let others = his.iter().filter(|(_, _, name)| name.as_os_str() != id);
        for (_, size, name) in others {
            if sum <= most {
                break;
            }
            self.release(&owner.join(name), &name.to_string_lossy())?;
            sum -= size;
            gone += 1;
        }
        Ok(gone)
    }

    /// What is this user's, the oldest first, so many at most: ids, what is said of each, and since
    /// when it is his, in milliseconds since 1970. Blocks.
    ///
    /// # Errors
    ///
    /// The disk cannot be read.
    pub(crate) fn of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> io::Result<Vec<(String, Kept, i64)>> {
        let entries = match fs::read_dir(self.owner(user, gateway)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut his = Vec::new();
        for entry in entries {
            let entry = entry?;
            let id = entry.file_name().to_string_lossy().into_owned();
            // It may go at this moment.
            let (Ok((about, _)), Ok(data)) = (self.read(&id), entry.metadata()) else {
                continue;
            };
            let since = data.modified()?.duration_since(SystemTime::UNIX_EPOCH);
            let ms = since.map_or(0, |it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX));
            his.push((id, about, ms));
        }
        his.sort_unstable_by(|one, other| (one.2, &one.0).cmp(&(other.2, &other.0)));
        his.truncate(most);
        Ok(his)
    }

    /// Removes what is only this user's. Blocks.
    ///
    /// # Errors
    ///
    /// The disk cannot be read, or a file cannot be removed.
    pub(crate) fn disown(&self, user: &str, gateway: &str) -> io::Result<()> {
        let owner = self.owner(user, gateway);
        let _naming = self.names();
        let entries = match fs::read_dir(&owner) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            self.release(&entry.path(), &entry.file_name().to_string_lossy())?;
        }
        fs::remove_dir(&owner)
    }

    /// Takes one owner's name away, and the attachment if that was the last.
    fn release(&self, link: &PathBuf, id: &str) -> io::Result<()> {
        fs::remove_file(link)?;
        let path = self.folder.join(id);
        match fs::metadata(&path) {
            Ok(about) if about.nlink() == 1 => self.remove(&path, about.len()),
            _ => Ok(()),
        }
    }

    /// Removes an attachment; its owners' names are others.
    pub(super) fn remove(&self, path: &PathBuf, size: u64) -> io::Result<()> {
        // The bytes first: what is said of nothing is swept at the next start.
        fs::remove_file(path)?;
        let _ = fs::remove_file(path.with_extension("json"));
        self.used.fetch_sub(size + OVERHEAD, Ordering::Relaxed);
        Ok(())
    }

    /// Takes owners' names away that are older than that, or of nothing (`None`). Blocks.
    ///
    /// # Errors
    ///
    /// The disk cannot be read, or a name cannot be removed.
    pub(super) fn prune_owners(&self, before: Option<SystemTime>) -> io::Result<()> {
        let owners = match fs::read_dir(self.folder.join(OWNERS)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
            owners => owners?,
        };
        for owner in owners {
            let owner = owner?.path();
            for entry in fs::read_dir(&owner)? {
                let entry = entry?;
                let _naming = self.names();
                let Ok(about) = entry.metadata() else {
                    continue;
                };
                let old = match before {
                    Some(before) => about.modified()? < before,
                    None => about.nlink() == 1,
                };
                if old && is_id(&entry.file_name().to_string_lossy()) {
                    fs::remove_file(entry.path())?;
                }
            }
            let _naming = self.names();
            // Only if it is empty.
            let _ = fs::remove_dir(&owner);
        }
        Ok(())
    }
}
