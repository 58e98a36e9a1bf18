//! Pictures that networks tell by links: each link is fetched once, whoever asks, and what came of
//! it is remembered for a while, a failure too.
//!
//! How a link is followed, and where to, is `attachment::fetch`'s. A picture is remembered as long
//! as somebody shows it: the links of a network cannot fill the album.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use isthmus_gateway::Picture;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use super::{Album, Image, Portrait};
use crate::host::attachment::Files;
use crate::host::courier::Attachments;
use crate::host::words::Lang;

/// Pictures that are fetched at a time, for all users.
const PLACES: usize = 8;
/// Links that are remembered.
const MOST: usize = 4096;
/// How long it is remembered what there was.
const KNOWN: Duration = Duration::from_secs(6 * 3600);
/// How long it is remembered that there was nothing.
const MISSED: Duration = Duration::from_secs(600);

/// Where pictures come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The web.
    pub(crate) files: &'a Files,
    /// What our own file server serves.
    pub(crate) kept: Option<&'a Arc<Attachments>>,
}

/// What a link led to.
#[derive(Debug)]
struct Found {
    image: Option<Weak<Image>>,
    until: Instant,
}

impl Found {
    fn of(image: Option<&Arc<Image>>) -> Self {
        let long = if image.is_some() { KNOWN } else { MISSED };
        Self {
            image: image.map(Arc::downgrade),
            until: Instant::now() + long,
        }
    }

    /// What to show; `None`: it is to be fetched anew.
    fn portrait(&self) -> Option<Portrait> {
        if self.until <= Instant::now() {
            return None;
        }
        match &self.image {
            Some(image) => image.upgrade().map(Portrait::Is),
            None => Some(Portrait::Without),
        }
    }
}

/// Set when it has been fetched: whoever asks meanwhile waits for that.
type Link = OnceCell<Found>;

/// All links of the program.
#[derive(Debug)]
pub(crate) struct Links {
    known: Mutex<HashMap<Box<str>, Arc<Link>>>,
    places: Semaphore,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            places: Semaphore::new(PLACES),
        }
    }
}

impl Links {
    /// What a link leads to, if that is known.
    pub(crate) fn known(&self, url: &str) -> Option<Portrait> {
        self.links().get(url)?.get()?.portrait()
    }

    /// What a link leads to. Whatever goes wrong is as if there were no picture.
    pub(crate) async fn portrait(&self, from: Sources<'_>, album: &Album, url: &str) -> Portrait {
        // A picture that nobody showed when it was his turn is fetched once more.
        for _ in 0..2 {
            let link = self.link(url);
            let mut fresh = None;
            let fetched = async {
                fresh = self.fetch(from, album, url).await;
                Found::of(fresh.as_ref())
            };
            let found = link.get_or_init(|| fetched).await.portrait();
            if let Some(portrait) = fresh.map(Portrait::Is).or(found) {
                return portrait;
            }
        }
        Portrait::Without
    }

    async fn fetch(&self, from: Sources<'_>, album: &Album, url: &str) -> Option<Arc<Image>> {
        // It is never closed.
        let _place = self.places.acquire().await.ok()?;
        let bytes = match from.files.fetch_picture(from.kept, url).await {
            Ok(bytes) => bytes,
            Err(why) => {
                let why = why.within(Lang::En);
                tracing::debug!(%why, "a picture is not fetched");
                return None;
            }
        };
        let size = bytes.len();
        let taken = album.take(&Picture(bytes.into()));
        taken
            .inspect_err(|why| tracing::debug!(?why, size, "a fetched picture is not shown"))
            .ok()
    }

    /// The entry of a link: one that is being fetched or holds, else a new one.
    fn link(&self, url: &str) -> Arc<Link> {
        let mut links = self.links();
        let holds = |link: &Arc<Link>| match link.get() {
            Some(found) => found.portrait().is_some(),
            None => Arc::strong_count(link) > 1,
        };
        if let Some(link) = links.get(url).filter(|link| holds(link)) {
            return Arc::clone(link);
        }
        if links.len() >= MOST {
            links.retain(|_, link| holds(link));
        }
        if links.len() >= MOST {
            // What is being fetched stays: there are few of it.
            links.retain(|_, link| link.get().is_none());
        }
        let link = Arc::<Link>::default();
        links.insert(url.into(), Arc::clone(&link));
        link
    }

    fn links(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Link>>> {
        // One look-up or one insertion: never half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(links: &Links, url: &str) {
        let link = links.link(url);
        assert!(link.set(Found::of(None)).is_ok(), "a new one");
    }

    #[tokio::test(start_paused = true)]
    async fn that_there_was_no_picture_is_remembered_for_a_while() {
        let links = Links::default();
        missed(&links, "https://a.example/");
        tokio::time::advance(MISSED - Duration::from_secs(1)).await;
        let known = links.known("https://a.example/");
        assert_eq!(known, Some(Portrait::Without));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(links.known("https://a.example/"), None);
        missed(&links, "https://a.example/");
    }

    #[tokio::test(start_paused = true)]
    async fn links_without_end_are_not_remembered_all() {
        let links = Links::default();
        let fetching = links.link("https://fetching.example/");
        for number in 0..3 * MOST {
            missed(&links, &format!("https://{number}.example/"));
        }
        assert!(links.links().len() <= MOST);
        let same = links.link("https://fetching.example/");
        assert!(Arc::ptr_eq(&fetching, &same), "it is fetched once");
    }
}
