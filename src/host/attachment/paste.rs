//! Long pastes: what would be many lines on a network that has one line a message becomes a file at
//! the user's own server, else at ours, and the message its first line with the link.

use std::sync::Arc;
use std::time::Duration;

use isthmus_gateway::{Blob, BlobWriter, Later};

use super::Files;
use super::share::Shown;
use crate::host::asker::Asker;
use crate::host::courier::{Writer, id_of, own_blob};
use crate::host::shared::Shared;
use crate::host::words::{Notice, Said};

/// Of the first line, in characters.
const LONGEST: usize = 120;

impl Files {
    /// Whether a text for a network without lines is too long to be said there.
    pub(crate) fn is_paste(&self, text: &str) -> bool {
        let most = self.settings().paste_lines;
        most > 0 && text.lines().count() > most
    }

    /// Puts a paste where it can be fetched; what is said in its place. Whose it is, and behind which
    /// gateway; who asks for uploads, of which server, for which localpart; `patience`: for them.
    ///
    /// # Errors
    ///
    /// There is no such place, and why, where there should be one.
    pub(crate) async fn paste(
        &self,
        shared: &Arc<Shared>,
        (user, gateway): (&str, &str),
        (asker, server, of): (&Arc<Asker>, &str, &str),
        text: &str,
        patience: Duration,
    ) -> Result<String, Option<Said>> {
        let not_kept = || Some(Notice::FileNotKept.into());
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let first: String = first.unwrap_or_default().chars().take(LONGEST).collect();
        let lines = text.lines().count();
        let (name, mime) = ("paste.txt", "text/plain");
        let mut writer = Writer::new(Arc::clone(shared), name, mime);
        let kept = shared.attachments().ok_or(None)?;
        writer.write(text.as_bytes()).map_err(|_| not_kept())?;
        let token = Box::new(writer).finish().await;
        let token = token.map_err(|fault| {
            tracing::warn!(%fault, "a paste cannot be kept");
            not_kept()
        })?;
        own_blob(shared, &token, user, gateway).await;
        let blob = Blob {
            name: name.into(),
            mime: mime.into(),
            size: None,
            url: token.clone().into(),
        };
        let shown = self
            .share(
                &kept,
                asker,
                server,
                of,
                (&[blob], shared.language()),
                patience,
            )
            .await;
        let url = match shown.into_iter().next() {
            Some(Shown::Link(blob, _)) => blob.url.into_owned(),
            // What types of files are carried is about others' files.
            other => {
                let own = id_of(&token).and_then(|id| self.own_url(id, name));
                own.ok_or(match other {
                    Some(Shown::Words(_, why)) => why,
                    _ => None,
                })?
            }
        };
        let lines = lines.to_string();
        Ok(shared
            .language()
            .tell(Notice::Paste, &[&first, &lines, &url]))
    }

    /// Keeps bytes as a file at our own server; its URL. `None`: it cannot be kept.
    pub(crate) fn keep(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        name: &'static str,
        mime: &str,
        bytes: &[u8],
        (user, gateway): (&str, &str),
    ) -> Later<Option<String>> {
        let mut writer = Writer::new(Arc::clone(shared), name, mime);
        let written = writer.write(bytes);
        let (files, shared) = (Arc::clone(self), Arc::clone(shared));
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        Box::pin(async move {
            written.ok()?;
            let token = Box::new(writer).finish().await;
            let token = token.inspect_err(|fault| {
                tracing::warn!(%fault, name, "what is offered cannot be kept as a file");
            });
            let token = token.ok()?;
            own_blob(&shared, &token, &user, &gateway).await;
            files.own_url(id_of(&token)?, name)
        })
    }
}
