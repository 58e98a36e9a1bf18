//! Presence that users send to our addresses: subscriptions (RFC 6121 §3, XEP-0100 §4.6, §4.7),
//! probes, and their own coming and going, which opens and closes what they want of networks.

use std::sync::Arc;

use isthmus_gateway::Kind;

use super::device::Device;
use super::hub::{Hub, condition};
use crate::host::words::{Denial, Said};
use crate::store::contacts::Standing;
use crate::xmpp::element::Element;
use crate::xmpp::jid::{BareJid, Jid};

/// What is said to who asks for a subscription that there is not.
const NO_PRESENCE: Denial = Denial::NotForRoomService;
const TOO_MANY: Denial = Denial::ContactsFull;

/// Errors after which nobody is there to be told anything (RFC 6120 §8.3.3). Others, such as the
/// `service-unavailable` of a user who blocks a contact (XEP-0191 §3.3), change nothing.
const VANISHED: [&str; 2] = ["item-not-found", "gone"];

impl Hub {
    /// A subscription or a probe.
    pub(crate) fn subscription(self: &Arc<Self>, asked: &str, from: &Jid, to: &Jid) {
        if self.is_early(Some(asked), from, to, None) {
            return;
        }
        let user = &from.bare();
        let local = to.local().unwrap_or_default();
        match asked {
            "subscribe" => self.subscribe(local, user),
            "unsubscribe" => self.unsubscribe(local, user),
            "subscribed" => self.granted(local, user, true),
            "unsubscribed" => self.granted(local, user, false),
            "probe" => self.probe(local, user),
            _ => {}
        }
    }

    fn subscribe(self: &Arc<Self>, local: &str, user: &BareJid) {
        let address = match self.address(local) {
            Ok(address) if is_room(address.kind) => {
                return self.deny(local, user, NO_PRESENCE);
            }
            Ok(address) => address,
            Err(words) => return self.deny(local, user, words),
        };
        let mut book = self.book();
        let Some(entry) = book.add(user, local, self.fresh(local, &address)) else {
            drop(book);
            return self.deny(local, user, TOO_MANY);
        };
        let before = entry.standing;
        let suggested = std::mem::take(&mut entry.suggested);
        entry.standing = Standing {
            to: true,
            from: before.from,
            ..Standing::default()
        };
        let entry = entry.clone();
        drop(book);
        if before != entry.standing {
            self.keep(user, local, entry.standing);
        }
        self.say(local, user, Some("subscribed"));
        self.show(local, user, &entry);
        if !before.to && !before.from && (!before.offered || suggested) {
            self.say(local, user, Some("subscribe"));
        }
        self.watch(user, entry.network.as_deref());
    }

    fn deny(&self, local: &str, user: &BareJid, words: impl Into<Said>) {
        let words = words.into();
        let words = words.within(self.shared.language_of(self.outbox.domain(), user));
        self.say_with(local, user, Some("unsubscribed"), |xml| {
            xml.text_element("status", words);
        });
    }

    /// Who subscribes or whose server asks is there, whether he has told so or not.
    fn watch(&self, user: &BareJid, network: Option<&str>) {
        let Some(network) = network else { return };
        if self.gateway.manifest().caps.watch
            && let Some(domain) = self.domain.upgrade()
        {
            let first = self.book().came(user, "");
            domain.wake(user, network);
            if first {
                domain.contacts_changed(user, None);
            }
        }
    }

    fn unsubscribe(&self, local: &str, user: &BareJid) {
        let mut book = self.book();
        let mut before = None;
        if let Some(entry) = book.entry_mut(user, local) {
            before = Some(entry.clone());
            entry.standing = Standing {
                // Unasked, the network would name him again.
                declined: entry.network.is_some(),
                ..Standing::default()
            };
            self.keep(user, local, entry.standing);
            if entry.standing.is_nothing() {
                book.drop_entry(user, local);
            }
        }
        drop(book);
        self.say(local, user, Some("unsubscribed"));
        self.say(local, user, Some("unavailable"));
        let Some(before) = before else { return };
        if before.standing.from {
            self.say(local, user, Some("unsubscribe"));
        }
        if let (Some(network), Some(domain)) = (before.network, self.domain.upgrade()) {
            domain.contacts_changed(user, Some(&network));
        }
    }

    /// The user lets an address have his presence, or does not.
    fn granted(&self, local: &str, user: &BareJid, yes: bool) {
        let mut book = self.book();
        let Some(entry) = book.entry_mut(user, local) else {
            return;
        };
        let before = entry.standing;
        let standing = &mut entry.standing;
        standing.from = yes && !before.declined;
        standing.offered &= !yes;
        if !yes && !standing.to {
            standing.offered = false;
            standing.declined = entry.network.is_some();
        }
        let (after, network) = (entry.standing, entry.network.clone());
        if after.is_nothing() {
            book.drop_entry(user, local);
        }
        drop(book);
        if after != before {
            self.keep(user, local, after);
        }
        if (after.declined || after.from != before.from)
            && let (Some(network), Some(domain)) = (network, self.domain.upgrade())
        {
            domain.contacts_changed(user, Some(&network));
        }
    }

    /// RFC 6121 §4.3.2. Who probes believes to be subscribed: it is so again, if we forgot.
    fn probe(self: &Arc<Self>, local: &str, user: &BareJid) {
        let Ok(address) = self.address(local) else {
            return self.say(local, user, Some("unsubscribed"));
        };
        if is_room(address.kind) {
            return self.say(local, user, Some("unavailable"));
        }
        let mut book = self.book();
        let Some(entry) = book.add(user, local, self.fresh(local, &address)) else {
            drop(book);
            return self.say(local, user, Some("unavailable"));
        };
        if entry.standing.declined {
            drop(book);
            return self.say(local, user, Some("unsubscribed"));
        }
        let forgotten = !std::mem::replace(&mut entry.standing.to, true);
        let entry = entry.clone();
        drop(book);
        if forgotten {
            self.keep(user, local, entry.standing);
        }
        if entry.network.is_some() && entry.mood.is_none() {
            self.say(local, user, Some("unavailable"));
        } else {
            self.show(local, user, &entry);
        }
        self.watch(user, entry.network.as_deref());
    }

    /// A user comes, goes, or is not there to be told.
    pub(crate) fn presence(
        self: &Arc<Self>,
        from: &Jid,
        to: &Jid,
        kind: Option<&str>,
        stanza: impl FnOnce() -> Option<Element>,
    ) {
        match kind {
            None => {
                let presence = stanza();
                let device = presence.and_then(|it| Device::of(from.as_str(), &it));
                self.shown(from, to, device.map(Arc::new));
            }
            Some("unavailable") if !self.is_early(kind, from, to, None) => {
                self.left(&from.bare(), from.resource().unwrap_or_default());
            }
            Some("error") => self.bounced(from, to, stanza().as_ref()),
            Some(_) => {}
        }
    }

    /// A resource is there, with what its client tells of itself.
    pub(super) fn shown(self: &Arc<Self>, from: &Jid, to: &Jid, device: Option<Arc<Device>>) {
        if self.is_early(None, from, to, device.as_ref()) {
            return;
        }
        let user = from.bare();
        let resource = from.resource().unwrap_or_default();
        let mut book = self.book();
        let first = book.came(&user, resource);
        let tells = device.filter(|device| book.tells(&user, resource, device));
        drop(book);
        if first {
            self.login(&user);
        }
        if let Some(device) = tells {
            self.greet(&user, device);
        }
    }

    fn bounced(&self, from: &Jid, to: &Jid, error: Option<&Element>) {
        if VANISHED.contains(&error.map(condition).unwrap_or_default()) {
            let user = from.bare();
            let local = to.local().unwrap_or_default();
            self.book().drop_entry(&user, local);
            self.keep(&user, local, Standing::default());
            self.left(&user, from.resource().unwrap_or_default());
        }
    }

    fn left(&self, user: &BareJid, resource: &str) {
        let last = self.book().went(user, resource);
        if last && let Some(domain) = self.domain.upgrade() {
            domain.contacts_changed(user, None);
        }
    }
}

/// Whether that has no presence of its own.
fn is_room(kind: Kind) -> bool {
    matches!(kind, Kind::Room | Kind::Group | Kind::Pattern)
}
