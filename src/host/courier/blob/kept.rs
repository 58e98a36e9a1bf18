//! Reading what is kept.

use std::fs::{self, File};
use std::io::{self, Read};

use isthmus_gateway::Later;
use ring::digest::{Context, SHA256};

use super::{Attachments, TOKEN, is_id};
use crate::host::shared::Shared;

/// What is said of a kept attachment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Kept {
    /// File name for people: one line, no path.
    pub(crate) name: String,
    /// Media type: type and subtype.
    pub(crate) mime: String,
    /// Size in bytes.
    pub(crate) size: u64,
}

/// The id in the URL that a gateway has for a kept attachment.
pub(crate) fn id_of(url: &str) -> Option<&str> {
    url.strip_prefix(TOKEN).filter(|id| is_id(id))
}

/// The bytes of an attachment by the URL that a gateway has for it.
pub(crate) fn read_blob(shared: &Shared, url: &str) -> Later<io::Result<Vec<u8>>> {
    let (id, kept) = (id_of(url).map(str::to_owned), shared.attachments());
    Box::pin(async move {
        let (Some(id), Some(kept)) = (id, kept) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let read = tokio::task::spawn_blocking(move || {
            let (_, mut file) = kept.read(&id)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        let gone = |_| Err(io::Error::other("the attachment was not read"));
        read.await.unwrap_or_else(gone)
    })
}

impl Attachments {
    /// An attachment by its id: what is said of it and its bytes. Blocks.
    ///
    /// # Errors
    ///
    /// There is none of that id (`NotFound`), or the disk cannot be read.
    pub(crate) fn read(&self, id: &str) -> io::Result<(Kept, File)> {
        if !is_id(id) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let path = self.folder.join(id);
        let file = File::open(&path)?;
        let about = fs::read(path.with_extension("json"))?;
        let mut kept: Kept = serde_json::from_slice(&about)?;
        // What is served has to agree with what was announced.
        kept.size = file.metadata()?.len();
        Ok((kept, file))
    }

    /// SHA-256 of an attachment's bytes. Blocks.
    ///
    /// # Errors
    ///
    /// As of [`Self::read`].
    pub(crate) fn sha256(&self, id: &str) -> io::Result<[u8; 32]> {
        let (_, mut file) = self.read(id)?;
        let (mut context, mut chunk) = (Context::new(&SHA256), vec![0; 65_536]);
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                n => context.update(&chunk[..n]),
            }
        }
        let mut sum = [0; 32];
        sum.copy_from_slice(context.finish().as_ref());
        Ok(sum)
    }
}
