//! Files of messages, on their way through the queue.
//!
//! Inward they become links before the message is on disk: what is announced can be fetched.
//! Outward the link is what is kept, and the file is fetched when the message is handed out; where
//! that fails the message goes out with its link, and its sender is told.

use std::collections::HashMap;
use std::time::Duration;

use isthmus_gateway::{Blob, Job, Message, Outgoing};

use super::told::Sender;
use super::{CourierHost, own_blob};
use crate::host::attachment::{Shown, file_of, unfetched, without_link};
use crate::host::words::Said;
use crate::xmpp::element::Element;
use crate::xmpp::jid::{BareJid, Jid};

/// Files that are fetched at a time, each in memory.
pub(super) const FETCHING: usize = 4;
/// For all files of one message from the network. Who hands it over waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

impl CourierHost {
    /// Has each file of a message shown by a link or by words; SHA-256 of each link's file. `of`:
    /// the localpart of who it is from.
    pub(super) async fn show_files(
        &self,
        user: &str,
        of: &str,
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
        for blob in &blobs {
            own_blob(&self.shared, &blob.url, user.as_str(), self.outbox.domain()).await;
        }
        let shown = files
            .share(
                &kept,
                &self.asker,
                user.domain(),
                of,
                (&blobs, self.language_of(user.as_str())),
                PATIENCE,
            )
            .await;
        for shown in shown {
            match shown {
                Shown::Link(blob, sum) => {
                    sums.extend(sum.map(|sum| (blob.url.to_string(), sum)));
                    message.blobs.push(blob);
                }
                Shown::Words(words, _) => {
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
        message.body = without_link(&message.body, &blob.url).to_owned().into();
        message.blobs.push(blob);
    }

    /// Fetches what a job refers to by links. `sender` hears of what cannot be.
    pub(super) async fn fetch_files(&self, job: &mut Job<'static>, sender: Option<&Sender>) {
        let Some(files) = self.shared.files() else {
            return;
        };
        for blob in job.message.blobs.iter_mut().filter(|blob| is_link(blob)) {
            match files.fetch_kept(&self.shared, blob).await {
                Ok(kept) => {
                    let user = sender.and_then(|it| Jid::parse(&it.origin.peer).ok());
                    if let Some(user) = user.map(|user| user.bare()) {
                        let domain = self.outbox.domain();
                        own_blob(&self.shared, &kept.url, user.as_str(), domain).await;
                    }
                    *blob = kept;
                }
                Err(why) if job.attempt == 0 => {
                    self.tell_unfetched(sender, job.id.0, &blob.url, &why);
                }
                Err(_) => {}
            }
        }
    }

    fn tell_unfetched(&self, sender: Option<&Sender>, job: u64, url: &str, why: &Said) {
        let Some(sender) = sender else {
            return;
        };
        let text = unfetched(url, why, sender.origin.lang);
        let id = format!("unfetched-{job}");
        sender.origin.tell(&self.outbox, &id, |xml| {
            xml.text_element("body", &text);
        });
    }
}

/// Whether a file is not here yet.
pub(super) fn is_link(blob: &Blob<'_>) -> bool {
    blob.url.starts_with("https://") || blob.url.starts_with("http://")
}
