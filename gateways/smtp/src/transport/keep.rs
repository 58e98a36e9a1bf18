//! Gives the files of a mail to the host, which keeps them before the mail is acknowledged.
//!
//! The same file of the same mail gets the same token, so a mail that comes again keeps nothing
//! twice.

use std::io;

use isthmus_gateway::{Blob, Uplink};

use crate::translate::mime::File;
use crate::translate::server::Reply;

/// Has all of them kept; what the message says of each, in order. The reply refuses the whole mail:
/// for good where a file is too large for the host, else for now.
pub(super) async fn keep(up: &dyn Uplink, files: Vec<File>) -> Result<Vec<Blob<'static>>, Reply> {
    let mut open = Vec::with_capacity(files.len());
    // All are handed over before the first is kept: one that is too large leaves none behind.
    for file in files {
        let mut writer = up.store_blob(file.file_name(), &file.mime);
        writer.write(&file.bytes).map_err(|fault| refusal(&fault))?;
        let blob = Blob {
            name: file.file_name().to_owned().into(),
            mime: file.mime.into(),
            url: "".into(),
            size: u64::try_from(file.bytes.len()).ok(),
        };
        open.push((writer, blob));
    }
    let mut kept = Vec::with_capacity(open.len());
    for (writer, mut blob) in open {
        let token = writer.finish().await.map_err(|fault| refusal(&fault))?;
        blob.url = token.into();
        kept.push(blob);
    }
    Ok(kept)
}

fn refusal(fault: &io::Error) -> Reply {
    match fault.kind() {
        io::ErrorKind::FileTooLarge => Reply::new(552, "5.3.4", "attachment too large"),
        _ => {
            tracing::warn!(%fault, "a mail is refused for now: its attachments cannot be kept");
            Reply::new(451, "4.3.0", "cannot keep the attachments now")
        }
    }
}
