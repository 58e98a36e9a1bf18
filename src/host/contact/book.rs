//! Who is whose contact, which users are there, and what was last heard of each contact: the
//! memory behind presence. It decides nothing and sends nothing; rows on disk are the hub's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::device::Device;
use crate::host::picture::Portrait;
use crate::store::contacts::Standing;
use crate::xmpp::jid::BareJid;

/// Contacts one user may have.
const MOST: usize = 10_000;

/// The presence of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mood {
    /// Reachable.
    pub(crate) online: bool,
    /// Away, with this text.
    pub(crate) away: Option<String>,
    /// When he last did something, in milliseconds since 1970.
    pub(crate) since: Option<i64>,
    /// The hash of what he can do (XEP-0115).
    pub(crate) ver: String,
}

/// One address a user has to do with.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// How they stand to each other.
    pub(crate) standing: Standing,
    /// Its network; `None`: nothing that a live network knows.
    pub(crate) network: Option<Box<str>>,
    /// Its name there.
    pub(crate) id: Box<str>,
    /// What was heard of it; `None`: nothing, or not any more.
    pub(crate) mood: Option<Mood>,
    /// The network has told of it.
    pub(crate) seen: bool,
    /// How it looks.
    pub(crate) portrait: Portrait,
    /// A client was asked to put it into the roster.
    pub(crate) suggested: bool,
}

impl Entry {
    /// An address of which nothing is known yet.
    pub(crate) fn new(standing: Standing, network: Option<Box<str>>, id: &str) -> Self {
        Self {
            standing,
            network,
            id: id.into(),
            mood: None,
            seen: false,
            portrait: Portrait::Unknown,
            suggested: false,
        }
    }
}

/// What a session is to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The user is there and wants this network.
    pub(crate) wanted: bool,
    /// Whether he is there, where his presence is told to one of his contacts here.
    pub(crate) there: Option<bool>,
    /// Whom to watch, by their names on the network.
    pub(crate) watch: BTreeSet<Box<str>>,
}

/// A user with all his contacts, by localpart.
pub(crate) type Everything = (BareJid, Vec<(Box<str>, Entry)>);

/// One user.
#[derive(Debug, Default)]
struct Person {
    /// His resources that are available. The empty one: he did something that only who is there
    /// does, and told no presence yet. Each with the client, where that tells what it can do.
    resources: BTreeMap<Box<str>, Option<Arc<Device>>>,
    /// Networks where he has an account, which he is on while he is there.
    accounts: BTreeSet<Box<str>>,
    contacts: BTreeMap<Box<str>, Entry>,
}

/// Everybody who has anything to do with one gateway.
#[derive(Debug, Default)]
pub(crate) struct Book {
    people: HashMap<BareJid, Person>,
    /// Networks that can be spoken to, by whose sessions are there.
    links: HashMap<BareJid, BTreeSet<Box<str>>>,
}

impl Book {
    /// A resource of the user is available; whether none was before.
    pub(crate) fn came(&mut self, user: &BareJid, resource: &str) -> bool {
        let person = self.people.entry(user.clone()).or_default();
        let first = person.resources.is_empty();
        if !resource.is_empty() {
            person.resources.remove("");
            person.resources.entry(resource.into()).or_default();
        } else if first {
            person.resources.insert("".into(), None);
        }
        first
    }

    /// A resource that is available tells what it can do; false: it has told the same before.
    pub(crate) fn tells(&mut self, user: &BareJid, resource: &str, device: &Arc<Device>) -> bool {
        let person = self.people.get_mut(user);
        let told = person.and_then(|person| person.resources.get_mut(resource));
        match told {
            Some(Some(known)) if known.same(device) => false,
            Some(known) => {
                *known = Some(Arc::clone(device));
                true
            }
            None => false,
        }
    }

    /// The user's clients that tell what they can do.
    pub(crate) fn devices(&self, user: &BareJid) -> Vec<Arc<Device>> {
        let person = self.people.get(user);
        let known = person.into_iter().flat_map(|it| it.resources.values());
        known.flatten().cloned().collect()
    }

    /// The user's addresses.
    pub(crate) fn entries(&self, user: &BareJid) -> impl Iterator<Item = (&str, &Entry)> {
        let person = self.people.get(user);
        let contacts = person.into_iter().flat_map(|it| &it.contacts);
        contacts.map(|(local, entry)| (&**local, entry))
    }

    /// A resource is gone; whether it was the last. One without a name says nothing of those that
    /// have told presence: their servers tell when each of them goes.
    pub(crate) fn went(&mut self, user: &BareJid, resource: &str) -> bool {
        let Some(person) = self.people.get_mut(user) else {
            return false;
        };
        let before = !person.resources.is_empty();
        // COMPAT(Prosody 0.12): a `subscribe` is acknowledged by `unavailable` from the bare JID.
        person.resources.remove(resource);
        person.resources.remove("");
        let last = before && person.resources.is_empty();
        self.tidy(user);
        last
    }

    /// Nobody is known to be there: the stream was cut, and what happened meanwhile is not known.
    pub(crate) fn doubt_all(&mut self) {
        for person in self.people.values_mut() {
            person.resources.clear();
        }
    }

    /// How many addresses but the gateway's own he is subscribed to.
    pub(crate) fn contacts(&self, user: &BareJid) -> usize {
        let contacts = self.people.get(user).map(|person| person.contacts.iter());
        let contacts = contacts.into_iter().flatten();
        contacts
            .filter(|(local, it)| !local.is_empty() && it.standing.to)
            .count()
    }

    /// Full JIDs of the user that are available.
    pub(crate) fn resources(&self, user: &BareJid) -> Vec<String> {
        let person = self.people.get(user);
        let known = person.into_iter().flat_map(|it| it.resources.keys());
        known
            .filter(|resource| !resource.is_empty())
            .map(|resource| format!("{user}/{resource}"))
            .collect()
    }

    /// Whether the user is there.
    pub(crate) fn is_there(&self, user: &BareJid) -> bool {
        self.people
            .get(user)
            .is_some_and(|person| !person.resources.is_empty())
    }

    /// Everybody who is there and has told so.
    pub(crate) fn present(&self) -> Vec<BareJid> {
        let told = |person: &Person| person.resources.keys().any(|it| !it.is_empty());
        let people = self.people.iter().filter(|(_, person)| told(person));
        people.map(|(user, _)| user.clone()).collect()
    }

    /// The user has an account there.
    pub(crate) fn has_account(&mut self, user: &BareJid, network: &str) {
        let person = self.people.entry(user.clone()).or_default();
        person.accounts.insert(network.into());
    }

    /// An address, if it is known.
    pub(crate) fn entry(&self, user: &BareJid, local: &str) -> Option<&Entry> {
        self.people.get(user)?.contacts.get(local)
    }

    /// The same, to be changed.
    pub(crate) fn entry_mut(&mut self, user: &BareJid, local: &str) -> Option<&mut Entry> {
        self.people.get_mut(user)?.contacts.get_mut(local)
    }

    /// An address, new if it was not known; `None`: the user has too many.
    pub(crate) fn add(&mut self, user: &BareJid, local: &str, fresh: Entry) -> Option<&mut Entry> {
        let person = self.people.entry(user.clone()).or_default();
        if person.contacts.len() >= MOST && !person.contacts.contains_key(local) {
            return None;
        }
        Some(person.contacts.entry(local.into()).or_insert(fresh))
    }

    /// Forgets an address.
    pub(crate) fn drop_entry(&mut self, user: &BareJid, local: &str) {
        if let Some(person) = self.people.get_mut(user) {
            person.contacts.remove(local);
        }
        self.tidy(user);
    }

    /// Forgets a user; what he had is returned.
    pub(crate) fn forget(&mut self, user: &BareJid) -> Vec<(Box<str>, Entry)> {
        let person = self.people.remove(user).unwrap_or_default();
        person.contacts.into_iter().collect()
    }

    /// What a session of the user on that network is to know.
    pub(crate) fn view(&self, user: &BareJid, network: &str) -> View {
        let Some(person) = self.people.get(user) else {
            return View::default();
        };
        let here =
            |entry: &&Entry| entry.network.as_deref() == Some(network) && !entry.standing.declined;
        let watch: BTreeSet<Box<str>> = person
            .contacts
            .values()
            .filter(here)
            .map(|entry| entry.id.clone())
            .collect();
        let wanted = !watch.is_empty() || person.accounts.contains(network);
        let there = !person.resources.is_empty();
        let told = |it: &Entry| it.standing.from && it.network.as_deref() == Some(network);
        let told = person.contacts.values().any(told);
        View {
            wanted: wanted && there,
            there: told.then_some(there),
            watch,
        }
    }

    /// The networks the user is on while he is there.
    pub(crate) fn networks(&self, user: &BareJid) -> BTreeSet<Box<str>> {
        let Some(person) = self.people.get(user) else {
            return BTreeSet::new();
        };
        let live = person.contacts.values().filter(|it| !it.standing.declined);
        live.filter_map(|entry| entry.network.clone())
            .chain(person.accounts.iter().cloned())
            .collect()
    }

    /// What contacts on a network can do has become something else, by their names: those that were
    /// told to be online otherwise.
    pub(crate) fn now_able(
        &mut self,
        user: &BareJid,
        network: &str,
        ver: impl Fn(&str) -> String,
    ) -> Vec<(Box<str>, Entry)> {
        let person = self.people.get_mut(user).into_iter();
        let contacts = person.flat_map(|person| &mut person.contacts);
        let mut changed = Vec::new();
        for (local, entry) in contacts.filter(|(_, it)| it.network.as_deref() == Some(network)) {
            let Some(mood) = entry.mood.as_mut().filter(|mood| mood.online) else {
                continue;
            };
            let now = ver(&entry.id);
            if std::mem::replace(&mut mood.ver, now.clone()) != now && entry.standing.to {
                changed.push((local.clone(), entry.clone()));
            }
        }
        changed
    }

    /// Nothing is known of a network's contacts any more: those that were told to be online.
    pub(crate) fn lost(&mut self, user: &BareJid, network: &str) -> Vec<Box<str>> {
        let Some(person) = self.people.get_mut(user) else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        for (local, entry) in &mut person.contacts {
            if entry.network.as_deref() == Some(network)
                && entry.mood.take().is_some_and(|mood| mood.online)
                && entry.standing.to
            {
                gone.push(local.clone());
            }
        }
        gone
    }

    /// The user's connection to a network stands; false: that was known.
    pub(crate) fn link(&mut self, user: &BareJid, network: &str) -> bool {
        let links = self.links.entry(user.clone()).or_default();
        links.insert(network.into())
    }

    /// It does not any more; false: it did not before.
    pub(crate) fn unlink(&mut self, user: &BareJid, network: &str) -> bool {
        let Some(links) = self.links.get_mut(user) else {
            return false;
        };
        let stood = links.remove(network);
        if links.is_empty() {
            self.links.remove(user);
        }
        stood
    }

    /// Whether it stands.
    pub(crate) fn is_linked(&self, user: &BareJid, network: &str) -> bool {
        let links = self.links.get(user);
        links.is_some_and(|links| links.contains(network))
    }

    /// No connection stands: those who have sessions are told otherwise by nobody.
    pub(crate) fn unlink_all(&mut self) {
        self.links.clear();
    }

    /// Everybody with everything, to be told.
    pub(crate) fn everybody(&self) -> Vec<Everything> {
        let all = self.people.iter().map(|(user, person)| {
            let contacts = person.contacts.iter();
            let contacts = contacts.map(|(local, entry)| (local.clone(), entry.clone()));
            (user.clone(), contacts.collect())
        });
        all.collect()
    }

    /// Who is nowhere and has nothing is not kept.
    fn tidy(&mut self, user: &BareJid) {
        let empty = self
            .people
            .get(user)
            .is_some_and(|it| it.resources.is_empty() && it.contacts.is_empty());
        if empty {
            self.people.remove(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> BareJid {
        BareJid::parse("juliet@example.org").expect("a JID")
    }

    fn entry(network: &str, id: &str) -> Entry {
        let standing = Standing {
            to: true,
            ..Standing::default()
        };
        Entry::new(standing, Some(network.into()), id)
    }

    #[test]
    fn the_first_resource_comes_and_the_last_goes() {
        let (mut book, user) = (Book::default(), user());
        assert!(book.came(&user, ""));
        assert!(!book.came(&user, "phone"), "he was there before he said so");
        assert!(!book.came(&user, "desk"));
        assert!(!book.went(&user, ""), "a word of the server alone");
        assert!(!book.went(&user, "phone"));
        assert!(book.went(&user, "desk"));
        assert!(!book.went(&user, "desk"));
        assert!(book.people.is_empty());
    }

    #[test]
    fn a_network_is_wanted_while_its_user_is_there_and_has_somebody_on_it() {
        let (mut book, user) = (Book::default(), user());
        book.add(&user, "a%net", entry("net", "a"));
        assert!(!book.view(&user, "net").wanted);
        book.came(&user, "phone");
        assert!(book.view(&user, "net").wanted);
        assert!(!book.view(&user, "other").wanted);
        let declined = book.entry_mut(&user, "a%net").expect("an entry");
        declined.standing = Standing {
            declined: true,
            ..Standing::default()
        };
        assert_eq!(book.view(&user, "net"), View::default());
    }

    #[test]
    fn a_connection_stands_from_when_it_is_made_until_it_is_lost() {
        let (mut book, user) = (Book::default(), user());
        assert!(!book.unlink(&user, "net"));
        assert!(book.link(&user, "net"));
        assert!(!book.link(&user, "net"));
        assert!(book.is_linked(&user, "net") && !book.is_linked(&user, "other"));
        assert!(book.unlink(&user, "net"));
        assert!(!book.is_linked(&user, "net") && book.links.is_empty());
    }

    #[test]
    fn only_who_was_online_is_told_to_be_lost() {
        let (mut book, user) = (Book::default(), user());
        for id in ["a", "b"] {
            book.add(&user, id, entry("", id));
        }
        let mood = |online| {
            Some(Mood {
                online,
                away: None,
                since: None,
                ver: String::new(),
            })
        };
        book.entry_mut(&user, "a").expect("an entry").mood = mood(true);
        book.entry_mut(&user, "b").expect("an entry").mood = mood(false);
        assert_eq!(book.lost(&user, ""), ["a".into()]);
        assert_eq!(book.lost(&user, ""), [] as [Box<str>; 0]);
    }
}
