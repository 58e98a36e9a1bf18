//! What all sessions of the program share.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use isthmus_gateway::{User, UserId};
use siphasher::sip::SipHasher13;

use super::about::Public;
use super::attachment::Files;
use super::chat::Corrections;
use super::courier::Attachments;
use super::language::Languages;
use super::operate::Reload;
use super::picture::{Album, Links, Portrait, Sources};
use super::time;
use super::words::Lang;
use crate::queue::Tuning;
use crate::store::Store;
use crate::xmpp::escape::unescape;
use crate::xmpp::jid::BareJid;

/// Bytes the store has not committed yet before sessions take no more from their networks.
const STORE_BEHIND: usize = 8 * 1024 * 1024;

/// The label of the key that messages and users are numbered with.
const NUMBERS: &str = "message-id";

/// A user's number in an installation, without the rest of the host.
pub(crate) fn user_number(store: &dyn Store, user: &BareJid) -> i64 {
    number_of(&store.instance_key(NUMBERS), user)
}

fn number_of(numbers: &[u8; 32], user: &BareJid) -> i64 {
    let mut key = [0; 16];
    key.copy_from_slice(&numbers[..16]);
    let mut hasher = SipHasher13::new_with_key(&key);
    hasher.write(user.as_str().as_bytes());
    i64::from_ne_bytes(hasher.finish().to_ne_bytes())
}

/// What one user, and all of them, may make the host hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages shown on entering a room, if the client asks for nothing else.
    pub history: usize,
    /// Rooms of one user on one network.
    pub rooms_per_user: usize,
    /// Networks of one user at a time.
    pub networks_per_user: usize,
    /// Sessions of one domain.
    pub sessions: usize,
    /// Stanzas that wait for one session.
    pub inbox: usize,
    /// Stanzas taken from one user each second, over time.
    pub stanzas_per_second: u32,
    /// Stanzas taken from one user at once.
    pub stanzas_burst: u32,
    /// Largest attachment that is kept, in bytes.
    pub attachment: u64,
    /// Disk that all kept attachments may take, in bytes.
    pub attachments_total: u64,
    /// Disk that the attachments of one user behind one gateway may take, in bytes; 0: no such bound.
    pub attachments_per_user: u64,
    /// How long attachments are kept; zero: until somebody removes them.
    pub attachment_age: Duration,
    /// How long a receipt is waited for after a message was accepted.
    pub receipt_timeout: Duration,
}

/// What is archived, and how much of it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archiving {
    /// How long a message is kept; zero: whatever its age.
    pub age: Duration,
    /// Messages of one conversation that are kept; 0: all.
    pub rows: u64,
    /// Domains of gateways that archive nothing.
    pub off: Vec<String>,
}

/// What all sessions of the program share.
pub struct Shared {
    /// What is kept on disk.
    pub(crate) store: Arc<dyn Store>,
    /// Under which ids of messages are made.
    pub(crate) message_key: [u8; 32],
    /// Under which ids of occupants are made.
    pub(crate) occupant_key: [u8; 32],
    /// Tells this run of the program from others.
    run: u64,
    limits: RwLock<Arc<Limits>>,
    archiving: RwLock<Arc<Archiving>>,
    /// Domains of gateways whose users stay in rooms unless they say otherwise.
    staying: RwLock<Vec<String>>,
    /// Domains of gateways whose users are shown to others unless they say otherwise.
    showing: RwLock<Vec<String>>,
    language: Lang,
    languages: Languages,
    corrections: Corrections,
    public: Public,
    album: Album,
    links: Links,
    portraits: HashMap<String, Portrait>,
    queue: Tuning,
    attachments: Option<Arc<Attachments>>,
    files: Option<Arc<Files>>,
    reload: Option<Arc<dyn Reload>>,
    sessions: AtomicU64,
}

impl Shared {
    /// For one run of the program.
    pub fn new(store: Arc<dyn Store>, limits: Limits) -> Self {
        time::begin();
        let message_key = store.instance_key(NUMBERS);
        let occupant_key = store.instance_key("occupant-id");
        let mut run = [0; 8];
        // Without randomness the count of milliseconds still tells runs apart.
        if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut run).is_err() {
            run = now_ms().to_be_bytes();
        }
        Self {
            store,
            message_key,
            occupant_key,
            run: u64::from_be_bytes(run),
            limits: RwLock::new(Arc::new(limits)),
            archiving: RwLock::default(),
            staying: RwLock::default(),
            showing: RwLock::default(),
            language: Lang::default(),
            languages: Languages::default(),
            corrections: Corrections::default(),
            public: Public::default(),
            album: Album::default(),
            links: Links::default(),
            portraits: HashMap::new(),
            queue: Tuning::default(),
            attachments: None,
            files: None,
            reload: None,
            sessions: AtomicU64::new(0),
        }
    }

    /// What is kept on disk.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The limits that hold now.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether that gateway archives.
    pub(crate) fn archives(&self, domain: &str) -> bool {
        let off = &self.archiving().off;
        off.is_empty() || !off.iter().any(|off| off == domain)
    }

    /// What is archived now.
    pub(crate) fn archiving(&self) -> Arc<Archiving> {
        let archiving = self.archiving.read();
        Arc::clone(&archiving.unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other rules for archives; they hold for what is said from now on.
    pub fn set_archiving(&self, archiving: Archiving) {
        let mut holds = self
            .archiving
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *holds = Arc::new(archiving);
    }

    /// Whether a gateway's users stay in rooms when all their devices have left, unless they say
    /// otherwise.
    pub(crate) fn stays(&self, domain: &str) -> bool {
        let staying = self.staying.read().unwrap_or_else(PoisonError::into_inner);
        staying.iter().any(|it| it == domain)
    }

    /// Takes the domains of gateways whose users do; it holds for who leaves from now on.
    pub fn set_staying(&self, domains: Vec<String>) {
        *self.staying.write().unwrap_or_else(PoisonError::into_inner) = domains;
    }

    /// Whether the pictures of a gateway's users are shown to others, unless they say otherwise.
    pub(crate) fn shows_avatars(&self, domain: &str) -> bool {
        let showing = self.showing.read().unwrap_or_else(PoisonError::into_inner);
        showing.iter().any(|it| it == domain)
    }

    /// Takes the domains of gateways where they are; it holds for what is told from now on.
    pub fn set_showing(&self, domains: Vec<String>) {
        *self.showing.write().unwrap_or_else(PoisonError::into_inner) = domains;
    }

    /// Whether files can be offered at our own server.
    pub(crate) fn offers_files(&self) -> bool {
        let files = self.files.as_ref();
        files.is_some_and(|files| files.settings().public_url.is_some())
    }

    /// Takes new limits; they hold from the next look on.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// With other timing in the queues of store-and-forward gateways.
    #[must_use]
    pub fn with_queue(mut self, queue: Tuning) -> Self {
        self.queue = queue;
        self
    }

    /// With another language for who asks for none and has set none.
    #[must_use]
    pub fn with_language(mut self, language: Lang) -> Self {
        self.language = language;
        self
    }

    /// The language of who asks for none and has set none.
    pub(crate) fn language(&self) -> Lang {
        self.language
    }

    /// The languages users have set.
    pub(crate) fn languages(&self) -> &Languages {
        &self.languages
    }

    /// With another way to tell of corrections where a network has none.
    #[must_use]
    pub fn with_corrections(mut self, corrections: Corrections) -> Self {
        self.corrections = corrections;
        self
    }

    /// With what is told of the operator and his gateways.
    #[must_use]
    pub fn with_public(mut self, public: Public) -> Self {
        let avatars = public.avatars.iter();
        let portraits = avatars.map(|(domain, picture)| {
            let portrait = self.album.portrait(Some(picture));
            (domain.clone(), portrait)
        });
        self.portraits = portraits.collect();
        self.public = public;
        self
    }

    /// How the gateway of a domain looks.
    pub(crate) fn portrait(&self, domain: &str) -> Portrait {
        self.portraits.get(domain).cloned().unwrap_or_default()
    }

    /// What is told of the operator and his gateways.
    pub(crate) fn public(&self) -> &Public {
        &self.public
    }

    /// All pictures.
    pub(crate) fn album(&self) -> &Album {
        &self.album
    }

    /// Pictures that are told by links.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// What the link of a picture leads to.
    pub(crate) async fn look(&self, url: &str) -> Portrait {
        let Some(files) = &self.files else {
            return Portrait::Unknown;
        };
        let kept = self.attachments.as_ref();
        let sources = Sources { files, kept };
        self.links.portrait(sources, &self.album, url).await
    }

    /// How corrections are told where a network has none.
    pub(crate) fn corrections(&self) -> Corrections {
        self.corrections
    }

    /// With a place for attachments; without one they are refused.
    #[must_use]
    pub fn with_attachments(mut self, attachments: Attachments) -> Self {
        self.attachments = Some(Arc::new(attachments));
        self
    }

    /// With a way to carry files; without one, words and links stand for them.
    #[must_use]
    pub fn with_files(mut self, files: Files) -> Self {
        self.files = Some(Arc::new(files));
        self
    }

    /// With a way to read the configuration again; without one it cannot be asked for.
    #[must_use]
    pub fn with_reload(mut self, reload: Arc<dyn Reload>) -> Self {
        self.reload = Some(reload);
        self
    }

    /// How the configuration is read again, if it can be.
    pub(crate) fn reload(&self) -> Option<&dyn Reload> {
        self.reload.as_deref()
    }

    /// How files are carried, if at all.
    pub(crate) fn files(&self) -> Option<Arc<Files>> {
        self.files.clone()
    }

    /// Where attachments are kept, if anywhere.
    pub fn attachments(&self) -> Option<Arc<Attachments>> {
        self.attachments.clone()
    }

    /// How queues work.
    pub(crate) fn queue_tuning(&self) -> Tuning {
        self.queue.clone()
    }

    /// Whether the store falls so far behind that networks must wait.
    pub(crate) fn store_is_behind(&self) -> bool {
        self.store.backlog() > STORE_BEHIND
    }

    /// A user's number, the same in every run.
    pub(crate) fn user_number(&self, user: &BareJid) -> i64 {
        number_of(&self.message_key, user)
    }

    /// A user as gateways see him.
    pub(crate) fn user(&self, user: &BareJid) -> User {
        User {
            id: UserId(self.user_number(user)),
            local: unescape(user.local().unwrap_or_default()).into_owned(),
            domain: user.domain().to_owned(),
            lang: String::new(),
            region: String::new(),
        }
    }

    /// A number no other session has, in any run of the program.
    pub(crate) fn next_session(&self) -> u64 {
        self.run
            .wrapping_add(self.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
