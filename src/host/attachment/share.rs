//! What a network brought becomes a URL, or words.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use isthmus_gateway::{Blob, Message};
use tokio::time::{Instant, timeout_at};

use super::Files;
use crate::host::asker::Asker;
use crate::host::courier::{Attachments, id_of};
use crate::host::words::{Lang, Notice, Phrase, Said};

/// Uploads that are remembered.
const MOST: usize = 4096;
/// How long: the user's server may remove them.
const AGE: Duration = Duration::from_secs(3600);

/// Uploads by file and server: when, and where they are.
pub(super) type Remembered = std::collections::HashMap<(String, String), (Instant, String)>;

/// How a file is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It can be fetched. The hash is SHA-256.
    Link(Blob<'static>, Option<[u8; 32]>),
    /// It cannot. Why is told where something went wrong.
    Words(String, Option<Said>),
}

impl Files {
    /// Shows the files of a message to a user of `server`, in order; `of`: the localpart
    /// of who shares them. `patience`: for all of them.
    pub(crate) async fn share(
        &self,
        kept: &Arc<Attachments>,
        asker: &Arc<Asker>,
        server: &str,
        of: &str,
        (blobs, lang): (&[Blob<'_>], Lang),
        patience: Duration,
    ) -> Vec<Shown> {
        let until = Instant::now() + patience;
        let mut shown = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let blob = blob.clone().into_owned();
            let Some(id) = id_of(&blob.url).map(str::to_owned) else {
                let is_link = blob.url.starts_with("https://") || blob.url.starts_with("http://");
                shown.push(match is_link {
                    true => Shown::Link(blob, None),
                    false => Shown::Words(words(&blob, None, lang), None),
                });
                continue;
            };
            let uploads = (asker, server, of);
            shown.push(
                self.share_kept(kept, uploads, (blob, lang), id, until)
                    .await,
            );
        }
        shown
    }

    async fn share_kept(
        &self,
        kept: &Arc<Attachments>,
        (asker, server, of): (&Arc<Asker>, &str, &str),
        (mut blob, lang): (Blob<'static>, Lang),
        id: String,
        until: Instant,
    ) -> Shown {
        let kept_here = |blob: &Blob<'_>, why: Said, wrong: bool| {
            let words = words(blob, Some(&why), lang);
            Shown::Words(words, Some(why).filter(|_| wrong))
        };
        if !self.settings().takes(&blob.mime) {
            let why = Notice::FileType.with(&[&blob.mime]);
            return kept_here(&blob, why, false);
        }
        let (store, file) = (Arc::clone(kept), id.clone());
        let read = tokio::task::spawn_blocking(move || {
            let (about, bytes) = store.read(&file)?;
            Ok::<_, std::io::Error>((about, bytes, store.sha256(&file)?))
        });
        let Ok(Ok((about, file, sum))) = read.await else {
            return kept_here(&blob, Notice::AttachmentUnread.into(), true);
        };
        let key = (id.clone(), server.to_owned());
        let url = match self.remembered(&key) {
            Some(url) => Ok(url),
            None => {
                let upload = self.upload(asker, server, of, &about, file);
                let uploaded = timeout_at(until, upload).await;
                let uploaded = uploaded.map_or_else(
                    |_| Err((Notice::UploadSlow.into(), true)),
                    |uploaded| uploaded.map_err(|refused| (refused.why, !refused.none)),
                );
                if let Ok(url) = &uploaded {
                    self.remember_upload(key, url);
                }
                uploaded
            }
        };
        let url = match url {
            Ok(url) => url,
            Err((why, wrong)) => match self.own_url(&id, &about.name) {
                Some(url) => url,
                None => return kept_here(&blob, why, wrong),
            },
        };
        blob.url = url.into();
        blob.size = Some(about.size);
        Shown::Link(blob, Some(sum))
    }

    /// Where our own file server has it.
    pub(crate) fn own_url(&self, id: &str, name: &str) -> Option<String> {
        let base = self.settings().public_url.as_ref()?;
        let mut url = format!("{base}/{id}/");
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    url.push(char::from(byte));
                }
                _ => url += &format!("%{byte:02X}"),
            }
        }
        Some(url)
    }

    fn remembered(&self, key: &(String, String)) -> Option<String> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, url) = shared.get(key)?;
        (at.elapsed() < AGE).then(|| url.clone())
    }

    fn remember_upload(&self, key: (String, String), url: &str) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.len() >= MOST {
            shared.clear();
        }
        shared.insert(key, (Instant::now(), url.to_owned()));
    }
}

/// A file that cannot be fetched, in words, and why, where that is known.
pub(super) fn words(blob: &Blob<'_>, why: Option<&Said>, lang: Lang) -> String {
    let size = match blob.size {
        None => String::new(),
        Some(bytes @ 0..1024) => lang.tell(Notice::AttachmentSize, &[&bytes.to_string()]),
        Some(bytes @ 1024..1_048_576) => format!(", {} KiB", bytes / 1024),
        Some(bytes) => format!(", {} MiB", bytes / 1_048_576),
    };
    let name = match blob.name.as_ref() {
        "" => lang.say(Notice::AttachmentUnnamed),
        name => name,
    };
    let mime = match blob.mime.as_ref() {
        "" => lang.say(Notice::AttachmentUnknownType),
        mime => mime,
    };
    match why {
        None => lang.tell(Notice::AttachmentKept, &[name, mime, &size]),
        Some(why) => {
            let why = why.within(lang);
            lang.tell(Notice::AttachmentKeptWhy, &[name, mime, &size, why])
        }
    }
}

impl Files {
    /// Gives what is kept its link at our own server, where there is one: for networks that are
    /// told of at once.
    pub(crate) fn give_links(&self, message: &mut Message<'_>) {
        for blob in &mut message.blobs {
            let takes = self.settings().takes(&blob.mime);
            let url = id_of(&blob.url).filter(|_| takes);
            if let Some(url) = url.and_then(|id| self.own_url(id, &blob.name)) {
                blob.url = url.into();
            }
        }
    }
}
