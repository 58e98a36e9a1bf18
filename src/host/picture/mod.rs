//! Pictures of people, rooms and the gateway itself: what is known of them, and how they are shown:
//! as a hash in presence with the file in a vCard (XEP-0153 1.1.1; of rooms XEP-0486 0.1.0), and by
//! PubSub (`pep`: XEP-0084 1.1.4, PNG only, as that wants it). Those that networks tell by links
//! are fetched (`link`).
//!
//! Nothing is on disk: networks tell pictures anew. One file is held once however many people see
//! it, and all of them have a bound; what is not taken is not shown, so that no hash is told that
//! cannot be asked for.

mod link;
mod pep;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_gateway::Picture;
use sha1::{Digest, Sha1};

pub(crate) use self::link::{Links, Sources};
pub(crate) use self::pep::{answer, asks, tell};
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// The most bytes that all pictures together take.
const MOST_BYTES: usize = 64 << 20;

/// Why a picture is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is larger than [`Picture::MOST`].
    Large,
    /// It is neither PNG nor JPEG, GIF or WebP.
    Unknown,
    /// There are too many.
    Full,
}

/// A picture that can be shown.
pub(crate) struct Image {
    /// SHA-1 of the file, in lower-case hex (XEP-0153 §4.1).
    pub(crate) hash: String,
    /// Its media type.
    pub(crate) mime: &'static str,
    /// The file.
    data: Box<[u8]>,
    /// What is held of all images, in bytes.
    held: Arc<AtomicUsize>,
}

impl Image {
    /// The file as base64.
    pub(crate) fn base64(&self) -> String {
        STANDARD.encode(&self.data)
    }

    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Width and height in pixels, of a PNG (its first chunk, ISO 15948 §11.2.2).
    fn pixels(&self) -> Option<(u32, u32)> {
        let number = |at: usize| {
            let bytes = self.data.get(at..at + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        match (self.mime, number(16), number(20)) {
            ("image/png", Some(width), Some(height)) => Some((width, height)),
            _ => None,
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.held.fetch_sub(self.data.len(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({})", self.hash)
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Image {}

/// How somebody looks, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Portrait {
    /// Nobody has told.
    #[default]
    Unknown,
    /// He has no picture.
    Without,
    /// Like this.
    Is(Arc<Image>),
}

impl Portrait {
    /// The picture, if there is one.
    pub(crate) fn image(&self) -> Option<&Arc<Image>> {
        match self {
            Self::Is(image) => Some(image),
            Self::Unknown | Self::Without => None,
        }
    }

    /// The picture, if XEP-0084 §4.1 lets it be shown.
    pub(crate) fn avatar(&self) -> Option<&Arc<Image>> {
        self.image().filter(|image| image.mime == "image/png")
    }

    /// XEP-0153 §4.1, in presence. Of whom nothing is known nothing is said.
    pub(crate) fn write_update(&self, xml: &mut Xml<'_>) {
        let hash = match self {
            Self::Unknown => return,
            Self::Without => "",
            Self::Is(image) => &image.hash,
        };
        xml.start_ns("x", ns::VCARD_UPDATE);
        xml.text_element("photo", hash).end();
    }
}

/// All pictures of the program, each once.
#[derive(Debug, Default)]
pub(crate) struct Album {
    held: Arc<AtomicUsize>,
    images: Mutex<HashMap<String, Weak<Image>>>,
}

impl Album {
    /// Takes a picture of a network or of the operator.
    pub(crate) fn take(&self, picture: &Picture<'_>) -> Result<Arc<Image>, Refused> {
        let data: &[u8] = &picture.0;
        if data.len() > Picture::MOST {
            return Err(Refused::Large);
        }
        let mime = picture.media_type().ok_or(Refused::Unknown)?;
        let hash = hex::encode(Sha1::digest(data));
        let mut images = self.images();
        if let Some(image) = images.get(&hash).and_then(Weak::upgrade) {
            return Ok(image);
        }
        if self.held.load(Ordering::Relaxed) + data.len() > MOST_BYTES {
            return Err(Refused::Full);
        }
        if images.len() == images.capacity() {
            images.retain(|_, image| image.strong_count() > 0);
        }
        self.held.fetch_add(data.len(), Ordering::Relaxed);
        let image = Arc::new(Image {
            hash: hash.clone(),
            mime,
            data: data.into(),
            held: Arc::clone(&self.held),
        });
        images.insert(hash, Arc::downgrade(&image));
        Ok(image)
    }

    /// What an event tells: what cannot be shown is as if there were none.
    pub(crate) fn portrait(&self, picture: Option<&Picture<'_>>) -> Portrait {
        let Some(picture) = picture else {
            return Portrait::Without;
        };
        match self.take(picture) {
            Ok(image) => Portrait::Is(image),
            Err(why) => {
                let bytes = picture.0.len();
                tracing::debug!(?why, bytes, "a picture is not shown");
                Portrait::Without
            }
        }
    }

    fn images(&self) -> MutexGuard<'_, HashMap<String, Weak<Image>>> {
        // One look-up or one insertion: never half done.
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gif(fill: u8, len: usize) -> Picture<'static> {
        let mut data = b"GIF89a".to_vec();
        data.resize(len, fill);
        Picture(data.into())
    }

    #[test]
    fn a_picture_is_held_once_and_as_long_as_somebody_shows_it() {
        let album = Album::default();
        let one = album.take(&gif(1, 100)).expect("a picture");
        let same = album.take(&gif(1, 100)).expect("the same");
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(album.held.load(Ordering::Relaxed), 100);
        drop((one, same));
        assert_eq!(album.held.load(Ordering::Relaxed), 0);
        for fill in 0..=255 {
            album.take(&gif(fill, 100)).expect("a picture");
        }
        assert!(album.images().len() < 100, "who is gone is forgotten");
    }

    #[test]
    fn what_cannot_be_shown_is_no_picture() {
        let album = Album::default();
        assert_eq!(album.take(&gif(1, Picture::MOST + 1)), Err(Refused::Large));
        let svg = Picture(b"<svg/>".as_slice().into());
        assert_eq!(album.take(&svg), Err(Refused::Unknown));
        assert_eq!(album.portrait(Some(&svg)), Portrait::Without);
        album.held.store(MOST_BYTES, Ordering::Relaxed);
        assert_eq!(album.take(&gif(1, 100)), Err(Refused::Full));
    }
}
