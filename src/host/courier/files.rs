//! Files of messages, on their way through the queue.
//!
//! Inward they become links before the message is on disk: what is announced can be fetched.
//! Outward the link is what is kept, and the file is fetched when the message is handed out; where
//! that fails the message goes out with its link, and its sender is told.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use isthmus_gateway::{Blob, BlobWriter, Job, Later, Message, Outgoing};

use super::CourierHost;
use super::blob::{Writer, id_of};
use super::told::Sender;
use crate::host::attachment::{Shown, file_of};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;

/// Files that are fetched at a time, each in memory.
pub(super) const FETCHING: usize = 4;

impl CourierHost {
    /// Has each file of a message shown by a link or by words; SHA-256 of each link's file.
    pub(super) async fn show_files(
        &self,
        user: &str,
        message: &mut Message<'static>,
    ) -> HashMap<String, [u8; 32]> {
        let mut sums = HashMap::new();
        let (Some(files), Some(kept)) = (self.shared.files(), self.shared.attachments()) else {
            return sums;
        };
        let Ok(user) = BareJid::parse(user) else {
            return sums;
        };
        let blobs = std::mem::take(&mut message.blobs);
        let shown = files.share(&kept, &self.asker, user.domain(), &blobs).await;
        for shown in shown {
            match shown {
                Shown::Link(blob, sum) => {
                    sums.extend(sum.map(|sum| (blob.url.to_string(), sum)));
                    message.blobs.push(blob);
                }
                Shown::Words(words) => {
                    let body = message.body.to_mut();
                    if !body.is_empty() {
                        body.push('\n');
                    }
                    body.push_str(&words);
                }
            }
        }
        sums
    }

    /// Takes the link of a file out of the text, where the network carries the file.
    pub(super) fn take_link(
        &self,
        user: &BareJid,
        stanza: &Element,
        message: &mut Outgoing<'static>,
    ) {
        let Some(files) = self.shared.files() else {
            return;
        };
        if !self.gateway.manifest().caps.attachments {
            return;
        }
        let Some(blob) = file_of(stanza, |url| files.is_upload(url, user.domain())) else {
            return;
        };
        let text = message.body.strip_suffix(blob.url.as_ref());
        let text = text.filter(|text| text.is_empty() || text.ends_with('\n'));
        if let Some(text) = text {
            message.body = text.trim_end_matches('\n').to_owned().into();
        }
        message.blobs.push(blob);
    }

    /// Fetches what a job refers to by links. `sender` hears of what cannot be.
    pub(super) async fn fetch_files(&self, job: &mut Job<'static>, sender: Option<&Sender>) {
        let Some(files) = self.shared.files() else {
            return;
        };
        for blob in job.message.blobs.iter_mut().filter(|blob| is_link(blob)) {
            let most = self.shared.limits().attachment;
            let fetched = match files.fetch(&blob.url, most).await {
                Ok(fetched) => fetched,
                Err(why) => {
                    if job.attempt == 0 {
                        self.tell_unfetched(sender, job.id.0, &blob.url, &why);
                    }
                    continue;
                }
            };
            let name = match blob.name.as_ref() {
                "" => fetched.name.as_str(),
                name => name,
            };
            let mut writer = Writer::new(Arc::clone(&self.shared), name, &fetched.mime);
            let size = fetched.bytes.len() as u64;
            let kept = match writer.write(&fetched.bytes) {
                Ok(()) => Box::new(writer).finish().await,
                Err(fault) => Err(fault),
            };
            match kept {
                Ok(url) => {
                    let name = name.to_owned();
                    *blob = Blob {
                        name: name.into(),
                        mime: fetched.mime.into(),
                        url: url.into(),
                        size: Some(size),
                    };
                }
                Err(fault) => {
                    tracing::warn!(%fault, "a file that was fetched cannot be kept");
                    if job.attempt == 0 {
                        let why = "this gateway cannot keep it now";
                        self.tell_unfetched(sender, job.id.0, &blob.url, why);
                    }
                }
            }
        }
    }

    fn tell_unfetched(&self, sender: Option<&Sender>, job: u64, url: &str, why: &str) {
        let Some(sender) = sender else {
            return;
        };
        let text = format!("Your file could not be sent as such: {why}. Its link was sent: {url}");
        let id = format!("unfetched-{job}");
        sender.origin.tell(&self.outbox, &id, |xml| {
            xml.text_element("body", &text);
        });
    }

    /// The bytes of a kept attachment.
    pub(super) fn read_blob(&self, url: &str) -> Later<io::Result<Vec<u8>>> {
        let (id, kept) = (id_of(url).map(str::to_owned), self.shared.attachments());
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
}

/// Whether a file is not here yet.
pub(super) fn is_link(blob: &Blob<'_>) -> bool {
    blob.url.starts_with("https://") || blob.url.starts_with("http://")
}
