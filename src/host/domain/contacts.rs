//! The domain's side of presence: what of the stream is the hub's, and sessions that are opened
//! for contacts, told of changes and waited for.

use std::sync::Arc;

use isthmus_gateway::Kind;

use super::{Domain, FAREWELL};
use crate::host::inbox::Inbox;
use crate::host::router::Route;
use crate::host::table::{Key, Woken};
use crate::xmpp::escape::unescape;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::stream::{Stanza, StanzaKind};

impl Domain {
    /// Resolves when a user has no sessions, or does not get rid of them.
    pub(crate) async fn gone(&self, user: &BareJid) {
        let mut sessions = self.sessions.subscribe();
        let none = sessions.wait_for(|_| !self.table().has(user));
        let _ = tokio::time::timeout(FAREWELL, none).await;
    }

    /// Opens a user's session on a network, or tells it to look at his contacts.
    pub(crate) fn wake(self: &Arc<Self>, user: &BareJid, network: &str) {
        let Some(outbox) = self.outbox.get().filter(|_| self.access().admits(user)) else {
            return;
        };
        let key = Key {
            user: user.clone(),
            network: network.into(),
        };
        let limits = self.shared.limits();
        let mut table = self.table();
        match table.wake(&key, &limits) {
            Woken::Live(inbox) => inbox.notify(|notices| notices.contacts = true),
            Woken::Open(generation) => {
                let inbox = Arc::new(Inbox::new(limits.inbox));
                let names = table.occupy(&key, Arc::clone(&inbox), generation, &limits);
                drop(table);
                inbox.notify(|notices| notices.contacts = true);
                self.spawn(outbox, &key, inbox, names, generation);
            }
            Woken::Not(why) => tracing::debug!(%user, network, ?why, "no session for contacts"),
        }
    }

    /// Tells a user's sessions (on one network, or all) to look at his contacts.
    pub(crate) fn contacts_changed(&self, user: &BareJid, network: Option<&str>) {
        for (key, inbox) in self.table().live() {
            if key.user == *user && network.is_none_or(|network| *key.network == *network) {
                inbox.notify(|notices| notices.contacts = true);
            }
        }
    }

    /// Tells all sessions to look at their users' contacts.
    pub(crate) fn all_contacts_changed(&self) {
        self.tell_all(|notices| notices.contacts = true);
    }

    /// Takes what is about presence and the gateway's own questions; false: it is not.
    pub(super) fn to_hub(&self, route: Route, stanza: &Stanza, from: &Jid, to: &Jid) -> bool {
        let Some(hub) = self.hub.get() else {
            return false;
        };
        let kind = stanza.kind_attr();
        match (route, stanza.kind()) {
            (Route::Subscription, _) => {
                hub.subscription(kind.as_deref().unwrap_or_default(), from, to);
            }
            (Route::Presence | Route::Open | Route::End, StanzaKind::Presence) => {
                if self.is_room(to) {
                    return false;
                }
                if kind.is_some() || self.access().admits(&from.bare()) {
                    hub.presence(from, to, kind.as_deref(), || stanza.element().ok());
                }
            }
            (Route::Host, StanzaKind::Message) if from.local().is_none() => {
                return stanza.element().is_ok_and(|it| hub.advert(from, &it));
            }
            _ => return false,
        }
        true
    }

    /// Whether presence sent there is an entrance or an exit, or at least means to be.
    fn is_room(&self, to: &Jid) -> bool {
        let local = unescape(to.local().unwrap_or_default());
        let kind = self.address(&local).map(|address| address.kind);
        !matches!(kind, Some(Kind::Gateway | Kind::Network | Kind::Contact))
    }
}
