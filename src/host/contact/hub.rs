//! Presence and subscriptions of one gateway: what is remembered, and who is told.
//!
//! A user is on the networks where he has contacts or an account while one of his resources is
//! available (XEP-0100 §4.4, §4.5); sessions watch his contacts there and tell what they hear.
//! Subscriptions are rows of the store and outlive the program; presence is not kept.
//!
//! Here is the state and its keeping. `subscription` answers presence, `rounds` tells everybody
//! at start and end, `roster` and `bookmark` put things where clients look for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use isthmus_gateway::{Address, Fault, Gateway, Kind, Parsed};
use tokio::sync::{Notify, Semaphore};

use super::account_of;
use super::book::{Book, Entry, Mood, View};
use super::device::Devices;
use super::displayed::Displayed;
use super::privilege::Privileges;
use super::rounds::Rounds;
use super::suggest::Suggestions;
use crate::component::{Class, Outbox};
use crate::host::asker::Asker;
use crate::host::delay::stamp;
use crate::host::desk::registers;
use crate::host::domain::Domain;
use crate::host::post::head;
use crate::host::reply::error_of;
use crate::host::shared::Shared;
use crate::host::words::{Denial, Phrase, Said};
use crate::host::{caps, disco, fault};
use crate::store::contacts::{Contact, Standing};
use crate::xmpp::element::Element;
use crate::xmpp::escape::{escape, unescape};
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName, Xml, write_error};

/// Servers that are asked for something at a time.
const ASKED: usize = 16;

/// Presence and subscriptions of one gateway.
pub(crate) struct Hub {
    pub(super) gateway: Arc<dyn Gateway>,
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Outbox,
    pub(super) domain: Weak<Domain>,
    book: Mutex<Book>,
    pub(super) privileges: Privileges,
    pub(super) displayed: Mutex<Displayed>,
    pub(super) devices: Devices,
    pub(super) suggestions: Suggestions,
    pub(super) asker: Arc<Asker>,
    pub(super) places: Arc<Semaphore>,
    pub(super) rounds: Mutex<Rounds>,
    /// There is somebody to be told.
    pub(super) wake: Arc<Notify>,
}

impl Hub {
    /// For one served domain; what is on disk is read at once, beside.
    pub(crate) fn start(
        gateway: Arc<dyn Gateway>,
        shared: Arc<Shared>,
        outbox: Outbox,
        asker: Arc<Asker>,
        domain: Weak<Domain>,
    ) -> Arc<Self> {
        let hub = Arc::new(Self {
            gateway,
            shared,
            outbox,
            domain,
            book: Mutex::default(),
            privileges: Privileges::default(),
            displayed: Mutex::default(),
            devices: Devices::default(),
            suggestions: Suggestions::default(),
            asker,
            places: Arc::new(Semaphore::new(ASKED)),
            rounds: Mutex::default(),
            wake: Arc::default(),
        });
        Self::live(&hub);
        hub
    }

    /// Who asks others for something.
    pub(crate) fn asker(&self) -> Arc<Asker> {
        Arc::clone(&self.asker)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // No code that holds the lock leaves the book half-changed.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a localpart names, or what is wrong with it, in words.
    pub(super) fn address(&self, local: &str) -> Result<Address, Said> {
        if local.is_empty() {
            return Ok(Address::new(Kind::Gateway, "", ""));
        }
        match self.gateway.parse(&unescape(local), "") {
            Ok(Parsed::Canonical(address)) => Ok(address),
            Ok(Parsed::Moved(proper)) => {
                let domain = self.outbox.domain();
                let proper = format!("{}@{domain}", escape(&proper));
                Err(Denial::AddressIs.with(&[&proper]))
            }
            Err(fault) => Err(Said::theirs(fault.text)),
        }
    }

    /// An address of which nothing is known yet.
    pub(super) fn fresh(&self, local: &str, address: &Address) -> Entry {
        let jobs = self.gateway.courier().is_some_and(|it| it.serves(address));
        let live = address.kind == Kind::Contact && !jobs;
        let local = unescape(local);
        let network = live.then(|| self.gateway.network(&local).into());
        Entry::new(Standing::default(), network, &address.id)
    }

    /// The bare JID of a localpart.
    pub(super) fn jid(&self, local: &str) -> String {
        match local {
            "" => self.outbox.domain().to_owned(),
            local => format!("{local}@{}", self.outbox.domain()),
        }
    }

    /// Keeps how a user and an address stand to each other.
    pub(super) fn keep(&self, user: &BareJid, local: &str, standing: Standing) {
        self.shared.store.stand(Contact {
            user: user.to_string(),
            gateway: self.outbox.domain().to_owned(),
            local: local.to_owned(),
            standing,
        });
    }

    /// Presence of this type from an address to the user's bare JID.
    pub(super) fn say(&self, local: &str, user: &BareJid, kind: Option<&str>) {
        self.say_with(local, user, kind, |_| {});
    }

    /// The same, with content.
    pub(super) fn say_with(
        &self,
        local: &str,
        user: &BareJid,
        kind: Option<&str>,
        content: impl FnOnce(&mut Xml<'_>),
    ) {
        let from = Sender {
            local: Some(local).filter(|local| !local.is_empty()),
            resource: None,
        };
        // The user waits for a word on a subscription: it is kept like a message.
        let class = match kind {
            None | Some("unavailable" | "probe") => Class::Presence,
            Some(_) => Class::Message,
        };
        self.outbox.push(|batch| {
            let head = head(StanzaName::Presence, from, user.as_str(), kind, None);
            batch.stanza(class, head, content);
        });
    }

    /// Tells the user the presence of an address, if there is anything to tell.
    pub(super) fn show(&self, local: &str, user: &BareJid, entry: &Entry) {
        match (&entry.network, &entry.mood) {
            (None, _) if !self.is_there(local, user, entry) => {
                self.say(local, user, Some("unavailable"));
            }
            // The gateway is there as long as the component is, a network as long as it can be
            // spoken to, and what takes messages for later always takes them.
            (None, _) => self.say_with(local, user, None, |xml| {
                if let Ok(address) = self.address(local) {
                    let (gateway, domain) = (&*self.gateway, self.outbox.domain());
                    let profile = disco::of(gateway, &self.shared, domain, &address);
                    caps::write(xml, &profile.hash());
                }
                self.portrait_in(local, entry).write_update(xml);
            }),
            (Some(_), None) => {}
            (Some(_), Some(mood)) if mood.online => {
                self.say_with(local, user, None, |xml| {
                    if let Some(text) = &mood.away {
                        xml.text_element("show", "away");
                        if !text.is_empty() {
                            xml.text_element("status", text);
                        }
                    }
                    if let Some(since) = mood.since {
                        // XEP-0319 §4.1
                        let xml = xml.start_ns("idle", ns::IDLE);
                        xml.attr("since", &stamp(since)).end();
                    }
                    caps::write(xml, &mood.ver);
                    entry.portrait.write_update(xml);
                });
            }
            (Some(_), Some(_)) => self.say(local, user, Some("unavailable")),
        }
    }

    /// Whether an address is there for the user.
    pub(super) fn is_there(&self, local: &str, user: &BareJid, entry: &Entry) -> bool {
        if entry.network.is_some() {
            return entry.mood.as_ref().is_some_and(|mood| mood.online);
        }
        let network = self.address(local).ok();
        let network = network.filter(|it| it.kind == Kind::Network);
        let jobs = |it: &Address| self.gateway.courier().is_some_and(|to| to.serves(it));
        if network.is_none_or(|it| jobs(&it)) {
            return true;
        }
        let local = unescape(local);
        self.book().is_linked(user, self.gateway.network(&local))
    }

    /// What a session of the user on that network is to know.
    pub(crate) fn view(&self, user: &BareJid, network: &str) -> View {
        self.book().view(user, network)
    }

    /// A session hears of a contact.
    pub(crate) fn seen(
        self: &Arc<Self>,
        user: &BareJid,
        network: &str,
        (local, id): (&str, &str),
        mood: Mood,
    ) {
        let mut book = self.book();
        if let Some(entry) = book.entry_mut(user, local) {
            let news = entry.mood.as_ref() != Some(&mood);
            entry.mood = Some(mood);
            entry.seen = true;
            let entry = entry.clone();
            drop(book);
            if news && entry.standing.to {
                self.show(local, user, &entry);
            }
            return;
        }
        let standing = Standing {
            offered: true,
            ..Standing::default()
        };
        let fresh = Entry {
            mood: Some(mood),
            seen: true,
            ..Entry::new(standing, Some(network.into()), id)
        };
        let added = book.add(user, local, fresh).is_some();
        drop(book);
        if added {
            self.keep(user, local, standing);
            self.introduce(user, local, id);
        }
    }

    /// Nothing is told of a contact any more: who is there goes.
    pub(crate) fn hide(&self, user: &BareJid, local: &str) {
        let mut book = self.book();
        let mood = book.entry_mut(user, local).map(|entry| &mut entry.mood);
        let mood = mood.and_then(Option::take);
        drop(book);
        if mood.is_some_and(|mood| mood.online) {
            self.say(local, user, Some("unavailable"));
        }
    }

    /// A session can speak to its network, which has this address of its own.
    pub(crate) fn network_found(&self, user: &BareJid, network: &str, local: Option<&str>) {
        let mut book = self.book();
        let news = book.link(user, network);
        let entry = local.and_then(|local| Some((local, book.entry(user, local)?.clone())));
        drop(book);
        if let Some((local, entry)) = entry.filter(|(_, it)| news && it.standing.to) {
            self.show(local, user, &entry);
        }
    }

    /// A session has lost its network, or has ended.
    pub(crate) fn network_lost(&self, user: &BareJid, network: &str, local: Option<&str>) {
        let mut book = self.book();
        let mut gone = book.lost(user, network);
        if book.unlink(user, network)
            && let Some(local) = local
            && book.entry(user, local).is_some_and(|it| it.standing.to)
        {
            gone.push(local.into());
        }
        drop(book);
        for local in gone {
            self.say(&local, user, Some("unavailable"));
        }
    }

    /// What contacts on a network can do is another now; `ver` gives its hash.
    pub(crate) fn able(&self, user: &BareJid, network: &str, ver: impl Fn(&str) -> String) {
        let changed = self.book().now_able(user, network, ver);
        for (local, entry) in changed {
            self.show(&local, user, &entry);
        }
    }

    /// The network does not know a contact, or does not let him be watched.
    pub(crate) fn refused(self: &Arc<Self>, user: &BareJid, local: &str, words: &str) {
        let mut book = self.book();
        let entry = book.entry(user, local);
        let was_there = entry.is_some_and(|it| it.seen);
        let devices = book.devices(user);
        book.drop_entry(user, local);
        drop(book);
        self.keep(user, local, Standing::default());
        for kind in ["unsubscribed", "unavailable"] {
            self.say_with(local, user, Some(kind), |xml| {
                xml.text_element("status", words);
            });
        }
        if was_there {
            self.withdraw(user, vec![local.into()], devices);
        }
    }

    /// A network that the user's presence opened cannot be reached (XEP-0100 §4.4.2).
    pub(crate) fn login_failed(&self, user: &BareJid, fault: &Fault) {
        let (condition, kind) = fault::told(fault.kind);
        let lang = self.shared.language_of(self.outbox.domain(), user);
        // COMPAT(jabberd2 2.7): presence errors to a bare JID are dropped.
        for full in self.book().resources(user) {
            self.outbox.push(|batch| {
                let (name, from) = (StanzaName::Presence, Sender::default());
                let head = head(name, from, &full, Some("error"), None);
                batch.stanza(Class::Presence, head, |xml| {
                    write_error(xml, &error_of(condition, kind, fault::said(fault, lang)));
                });
            });
        }
    }

    /// Everybody who has told that he is there.
    pub(crate) fn present(&self) -> Vec<BareJid> {
        self.book().present()
    }

    /// Full JIDs of the user that are available.
    pub(crate) fn resources(&self, user: &BareJid) -> Vec<String> {
        self.book().resources(user)
    }

    /// How many contacts he has here, the gateway itself not counted.
    pub(crate) fn contacts(&self, user: &BareJid) -> usize {
        self.book().contacts(user)
    }

    /// The user is there: the networks he wants are opened.
    pub(super) fn login(self: &Arc<Self>, user: &BareJid) {
        if let Some(domain) = self.domain.upgrade() {
            domain.logged_in(user);
            domain.contacts_changed(user, None);
        }
        if !self.gateway.manifest().caps.watch {
            return;
        }
        let networks = self.book().networks(user);
        if let Some(domain) = self.domain.upgrade() {
            for network in networks {
                domain.wake(user, &network);
            }
        }
        if registers(&*self.gateway) {
            let (hub, user) = (Arc::clone(self), user.clone());
            tokio::spawn(async move { hub.login_account(&user).await });
        }
    }

    async fn login_account(&self, user: &BareJid) {
        let (store, domain) = (self.shared.store(), self.outbox.domain().to_owned());
        let account = account_of(store, user.clone(), domain).await;
        if !matches!(account, Ok(Some(_))) || !self.book().is_there(user) {
            return;
        }
        let home = self.gateway.home().unwrap_or_default();
        self.book().has_account(user, home);
        if let Some(domain) = self.domain.upgrade() {
            domain.wake(user, home);
        }
    }

    /// Everything of a user is forgotten, and every address says so (XEP-0100 §4.3.1).
    pub(crate) fn farewell_to(self: &Arc<Self>, user: &BareJid) {
        let mut book = self.book();
        let devices = book.devices(user);
        let contacts = book.forget(user);
        drop(book);
        let contacts = contacts.into_iter().filter(|(_, it)| !it.standing.declined);
        let contacts = contacts.map(|(local, _)| local);
        let contacts = contacts.filter(|it| !it.is_empty()).chain(["".into()]);
        let contacts: Vec<Box<str>> = contacts.collect();
        for local in &contacts {
            for kind in ["unsubscribe", "unsubscribed", "unavailable"] {
                self.say(local, user, Some(kind));
            }
        }
        self.withdraw(user, contacts, devices);
    }

    /// A server's message to the gateway; whether it told what the server allows.
    pub(crate) fn advert(&self, from: &Jid, message: &Element) -> bool {
        let told = from.local().is_none()
            && from.resource().is_none()
            && self.privileges.advert(from.domain(), message);
        if told {
            self.follow_anew(from.domain());
        }
        told
    }
}

/// The condition of an error stanza; empty for others.
pub(super) fn condition(stanza: &Element) -> &str {
    let error = stanza.child("error", ns::COMPONENT);
    let mut conditions = error.into_iter().flat_map(Element::children);
    let condition = conditions.find(|it| it.ns() == ns::STANZA_ERRORS && it.name() != "text");
    condition.map_or("", Element::name)
}
