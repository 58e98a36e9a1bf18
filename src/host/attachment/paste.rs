//! Long pastes: what would be many lines on a network that has one line a message becomes a file at
//! our own server, and the message its first line with the link.

use std::sync::Arc;

use isthmus_gateway::{BlobWriter, Later};

use super::Files;
use crate::host::courier::{Writer, id_of};
use crate::host::shared::Shared;

/// Of the first line, in characters.
const LONGEST: usize = 120;

impl Files {
    /// Whether a text for a network without lines is too long to be said there.
    pub(crate) fn is_paste(&self, text: &str) -> bool {
        let most = self.settings().paste_lines;
        most > 0 && self.settings().public_url.is_some() && text.lines().count() > most
    }

    /// Keeps a paste; what is said in its place. `None`: it cannot be kept.
    pub(crate) fn paste(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        text: &str,
    ) -> Later<Option<String>> {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let first: String = first.unwrap_or_default().chars().take(LONGEST).collect();
        let lines = text.lines().count();
        let kept = self.keep(shared, "paste.txt", "text/plain", text);
        Box::pin(async move {
            let url = kept.await?;
            Some(format!("{first} [{lines} lines: {url}]"))
        })
    }

    /// Keeps a text as a file at our own server; its URL. `None`: it cannot be kept.
    pub(crate) fn keep(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        name: &'static str,
        mime: &str,
        text: &str,
    ) -> Later<Option<String>> {
        let mut writer = Writer::new(Arc::clone(shared), name, mime);
        let written = writer.write(text.as_bytes());
        let files = Arc::clone(self);
        Box::pin(async move {
            written.ok()?;
            let token = Box::new(writer).finish().await;
            let token = token.inspect_err(|fault| {
                tracing::warn!(%fault, name, "a text cannot be kept as a file");
            });
            let token = token.ok()?;
            files.own_url(id_of(&token)?, name)
        })
    }
}
