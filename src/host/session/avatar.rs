//! The user's own picture, towards a network that shows such to others: where he wants it (setting
//! `show_avatar`) and files can be offered (`attachments.listen`).
//!
//! ```text
//!   presence in a room: hash of a photo      vCard of the user         our file server
//!   ------------------------------------> asked for, once a hash ----> a link ----> the network
//! ```
//!
//! XEP-0153 §3.2: by the hash in his presence it is known when his picture changes. Not by XEP-0084:
//! a gateway would have to be subscribed to everybody.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::{Command, Fault, FaultKind, Picture, Tag};

use super::stanzas::Incoming;
use super::{Base, Link, Pending, Session};
use crate::host::asker::Asker;
use crate::host::setting;
use crate::host::shared::Shared;
use crate::store::Later;
use crate::xmpp::ns;

/// Most bytes of the user's picture.
const MOST: usize = 512 * 1024;
/// Longest hash that is taken, in bytes: SHA-1 in hex has 40.
const LONGEST: usize = 128;
/// Before what failed for now is tried again; each pause is twice the last.
const PAUSE: Duration = Duration::from_secs(30);
/// How often it is tried again, until the network is there anew.
const MOST_TRIES: u32 = 6;

/// How the user looks, and what the network knows of it.
#[derive(Default)]
pub(super) struct Own {
    /// The hash his presence told last; empty: he has no picture; `None`: it told nothing.
    hash: Option<String>,
    /// What is under way, for which hash.
    fetched: Option<(String, Later<Option<String>>)>,
    /// Where the picture of a hash is; `None`: nowhere, as it seems.
    link: Option<(String, Option<String>)>,
    /// What this connection was told, or would not hear; `None`: nothing yet.
    told: Option<Option<String>>,
    /// The network may show a picture that it was told of here.
    shown: bool,
    /// What it is being told.
    telling: Option<(Tag, Option<String>)>,
    /// When what failed is tried again.
    due: Option<Instant>,
    /// How often that was.
    tries: u32,
}

impl Own {
    /// Tries again later, if it was not in vain too often. Whether it will be.
    fn later(&mut self, now: Instant) -> bool {
        if self.tries >= MOST_TRIES {
            return false;
        }
        self.due = Some(now + PAUSE * (1 << self.tries));
        self.tries += 1;
        true
    }
}

impl Session {
    /// A resource shows how the user looks.
    pub(super) fn wears(&mut self, incoming: &Incoming) {
        let update = incoming.stanza.child("x", ns::VCARD_UPDATE);
        let photo = update.and_then(|it| it.child("photo", ns::VCARD_UPDATE));
        let Some(hash) = photo.map(|photo| photo.text().trim().to_owned()) else {
            // XEP-0153 §4.1: not ready to tell.
            return;
        };
        if hash.len() <= LONGEST && self.own.hash.as_ref() != Some(&hash) {
            self.own.hash = Some(hash);
            (self.own.due, self.own.tries) = (None, 0);
            self.unsettled = true;
        }
    }

    /// The network knows nothing yet.
    pub(super) fn nothing_told_of_avatar(&mut self) {
        let own = &mut self.own;
        (own.told, own.telling, own.due, own.tries) = (None, None, None, 0);
        // What could not be had may be there now.
        own.link.take_if(|(_, url)| url.is_none());
    }

    /// Tells the network how the user looks, if it does not know and he wants it to.
    pub(super) fn tell_avatar(&mut self) {
        let waits = self.own.telling.is_some() || self.own.due.is_some();
        if waits || self.base.link != Link::Online || !self.base.facts.caps.avatar {
            return;
        }
        let known = match &self.own.hash {
            _ if !shows(&self.base) => {
                // What was not shown here is not ours to take away.
                self.own.shown.then_some(None)
            }
            None => None,
            Some(hash) if hash.is_empty() => Some(None),
            Some(hash) => match &self.own.link {
                Some((of, Some(link))) if of == hash => Some(Some(link.clone())),
                // It shows what he does not look like any more, or nothing.
                Some((of, None)) if of == hash => self.own.shown.then_some(None),
                _ => return self.fetch_own(),
            },
        };
        let Some(url) = known.filter(|known| self.own.told.as_ref() != Some(known)) else {
            return;
        };
        self.own.shown |= url.is_some();
        let command = Command::Avatar {
            url: url.clone().map(Into::into),
        };
        let tag = self.base.issue(command, Pending::Avatar);
        self.own.telling = Some((tag, url));
    }

    /// The network has been told, or did not hear: then it is told later, if that may help.
    pub(super) fn avatar_ended(&mut self, tag: Tag, fault: Option<&Fault>) {
        let Some((_, url)) = self.own.telling.take_if(|it| it.0 == tag) else {
            return;
        };
        self.unsettled = true;
        let Some(fault) = fault else {
            self.own.shown = url.is_some();
            self.own.told = Some(url);
            self.own.tries = 0;
            return;
        };
        tracing::debug!(network = %self.base.network, %fault.text, "the user's looks are not taken");
        let passes = matches!(
            fault.kind,
            FaultKind::TooFast | FaultKind::Full | FaultKind::TimedOut
        );
        if !(passes && self.own.later(self.base.now)) {
            self.own.told = Some(url);
        }
    }

    /// When something of it is tried again.
    pub(super) fn avatar_deadline(&self) -> Option<Instant> {
        self.own.due
    }

    /// Tries again what is due.
    pub(super) fn avatar_due(&mut self) {
        if self.own.due.take_if(|at| *at <= self.base.now).is_none() {
            return;
        }
        self.own.link.take_if(|(_, url)| url.is_none());
        self.unsettled = true;
    }

    /// Has the picture of the last hash put where everybody can fetch it.
    fn fetch_own(&mut self) {
        let Some(hash) = self.own.hash.clone() else {
            return;
        };
        if self.own.fetched.as_ref().is_some_and(|it| it.0 == hash) {
            return;
        }
        let base = &self.base;
        let (shared, asker) = (Arc::clone(&base.shared), base.hub.asker());
        let (user, domain) = (base.user.to_string(), base.outbox.domain().to_owned());
        let link = async move {
            let url = offered(&shared, &asker, &user, &domain).await;
            if url.is_none() {
                tracing::debug!(%user, "the user's picture cannot be shown");
            }
            url
        };
        self.own.fetched = Some((hash, Box::pin(link)));
    }

    /// Tells of what has been put there. Whether it was.
    pub(crate) fn poll_own(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((_, link)) = &mut self.own.fetched else {
            return false;
        };
        let Poll::Ready(link) = link.as_mut().poll(cx) else {
            return false;
        };
        if let Some((hash, _)) = self.own.fetched.take() {
            let fails = link.is_none();
            self.own.link = Some((hash, link));
            // What is shown goes before it is tried again.
            self.tell_avatar();
            if fails && self.own.telling.is_none() {
                self.own.later(self.base.now);
            }
        }
        true
    }
}

/// Whether the user is shown to others, by his word or the operator's.
fn shows(base: &Base) -> bool {
    let set = base.settings.as_deref();
    let set = set.and_then(|it| {
        let network = it.network.get(setting::SHOW_AVATAR);
        network.or_else(|| it.gateway.get(setting::SHOW_AVATAR))
    });
    let domain = base.outbox.domain();
    let wanted = set.map_or_else(|| base.shared.shows_avatars(domain), |it| it == "true");
    wanted && base.shared.offers_files()
}

/// Asks for the user's vCard and keeps the picture in it as a file; its link. `None`: there is none
/// that can be shown, or no place for it.
async fn offered(
    shared: &Arc<Shared>,
    asker: &Arc<Asker>,
    user: &str,
    domain: &str,
) -> Option<String> {
    let card = asker.get(user, |xml| {
        xml.leaf("vCard", ns::VCARD);
    });
    let card = card.await?;
    let photo = card.child("PHOTO", ns::VCARD)?.child("BINVAL", ns::VCARD)?;
    let text: String = photo.text().split_ascii_whitespace().collect();
    if text.len() > MOST / 3 * 4 + 4 {
        return None;
    }
    let picture = Picture(STANDARD.decode(text).ok()?.into());
    let mime = picture.media_type()?;
    let name = match mime {
        "image/png" => "avatar.png",
        "image/jpeg" => "avatar.jpg",
        "image/gif" => "avatar.gif",
        _ => "avatar.webp",
    };
    let files = shared.files()?;
    let kept = files.keep(shared, name, mime, &picture.0, (user, domain));
    kept.await
}
