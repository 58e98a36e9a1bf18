//! Files, in and out, once for every gateway.
//!
//! * In: a file that a network brought becomes a URL its user can fetch (`share`): at the file
//!   service of his own server (`upload`), else at ours (`serve`), else words say what it was. The
//!   message that bears it has the URL for its body, with XEP-0066 and XEP-0447 beside it (`show`).
//! * Out: the link a user shares (`link`) becomes the file where the network carries files
//!   (`fetch`), else it stays a link in the text.
//! * Long pastes become a file with a link where the network has no lines (`paste`).
//!
//! Not here: where files are kept (`courier/blob`).

mod body;
mod fetch;
mod http;
mod link;
mod paste;
mod serve;
mod share;
mod show;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isthmus_kit::{Dial, Tcp, Trust};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) use self::link::{file_of, is_encrypted, unfetched, without_link};
pub use self::serve::serve;
pub(crate) use self::share::Shown;
pub(crate) use self::show::{split, write_file};

/// Hosts of file services that are remembered.
const MOST_HOSTS: usize = 1024;

/// Files that are fetched for live networks at a time, each in memory.
const PLACES: usize = 8;

/// What the operator decides about files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSettings {
    /// What our own file server's URLs begin with, without a slash at the end; `None`: there is
    /// none.
    pub public_url: Option<String>,
    /// The media types that are carried, such as `image/png` or `image/*`; empty: all.
    pub types: Vec<String>,
    /// What users share is fetched for networks that carry files.
    pub fetch: bool,
    /// Pictures of people and rooms that networks tell by a link are fetched.
    pub pictures: bool,
    /// Hosts, or hosts with a port, that may be reached without encryption and at private
    /// addresses, for files of users; never for pictures, whose links strangers name.
    pub trusted: Vec<String>,
    /// The domain of the operator's own XMPP server.
    pub server_domain: String,
    /// Lines of a room message beyond which it becomes a file, where the network has no lines; 0:
    /// never.
    pub paste_lines: usize,
}

impl FileSettings {
    /// Whether a host is the operator's own: at any port, or at the one that is named with it.
    fn trusts(&self, target: &http::Target) -> bool {
        let (host, port) = (target.host.as_str(), target.port);
        let at = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut trusted = self.trusted.iter();
        trusted.any(|it| it.eq_ignore_ascii_case(host) || it.eq_ignore_ascii_case(&at))
    }

    /// Whether files of that type are carried.
    fn takes(&self, mime: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix("/*") {
            Some(kind) => mime
                .split_once('/')
                .is_some_and(|(it, _)| it.eq_ignore_ascii_case(kind)),
            None => pattern.eq_ignore_ascii_case(mime),
        };
        self.types.is_empty() || self.types.iter().any(fits)
    }

    /// Whether a service belongs to the operator's own server.
    fn is_ours(&self, jid: &str) -> bool {
        within(jid, &self.server_domain)
    }
}

/// Whether a domain is another or below it.
fn within(domain: &str, other: &str) -> bool {
    let below = domain.strip_suffix(other);
    !other.is_empty() && below.is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

/// Files, in and out.
pub struct Files {
    settings: FileSettings,
    dial: Arc<dyn Dial>,
    /// What makes a web server's certificate good.
    trust: Trust,
    services: Mutex<HashMap<String, upload::Remembered>>,
    /// Where file services of users' servers have put files.
    hosts: Mutex<HashSet<String>>,
    shared: Mutex<share::Remembered>,
    places: Semaphore,
}

impl Files {
    /// With these settings, over TCP.
    pub fn new(settings: FileSettings) -> Self {
        Self::over(settings, Arc::new(Tcp::default()))
    }

    /// With other connections, for tests.
    pub fn over(settings: FileSettings, dial: Arc<dyn Dial>) -> Self {
        Self {
            settings,
            dial,
            trust: Trust::Native,
            services: Mutex::default(),
            hosts: Mutex::default(),
            shared: Mutex::default(),
            places: Semaphore::new(PLACES),
        }
    }

    /// With web servers that show another certificate than the system's roots know, for tests.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    pub(crate) fn settings(&self) -> &FileSettings {
        &self.settings
    }

    /// Whether what users share is fetched at all.
    pub(crate) fn fetches(&self) -> bool {
        self.settings.fetch
    }

    /// Waits for a place among those that fetch.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.places.acquire().await.ok()
    }

    /// How web servers are reached, and what makes their certificates good.
    fn way(&self) -> (&dyn Dial, Trust) {
        (&*self.dial, self.trust)
    }

    fn services(&self) -> MutexGuard<'_, HashMap<String, upload::Remembered>> {
        // One look-up or one insertion: never half done.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers where files of a service are fetched.
    fn note_host(&self, url: &str) {
        if let Some(target) = http::Target::parse(url) {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            if hosts.len() < MOST_HOSTS {
                hosts.insert(target.host);
            }
        }
    }

    /// Whether a URL that stands alone in a message of a user of `server` is a file he uploaded
    /// there, and no page.
    pub(crate) fn is_upload(&self, url: &str, server: &str) -> bool {
        let Some(target) = http::Target::parse(url) else {
            return false;
        };
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        within(&target.host, server)
            || hosts.contains(&target.host)
            || self.settings.trusts(&target)
    }
}
