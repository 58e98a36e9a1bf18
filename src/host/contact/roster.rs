//! Contacts that a network names appear in the user's roster, and those it has no more go: by
//! privilege where his server grants it (XEP-0356 §4.1), else by a suggestion to a client that takes
//! such (XEP-0144), else by a request for subscription, which clients show.

use std::sync::Arc;

use super::book::Entry;
use super::device::Device;
use super::hub::{Hub, condition};
use super::suggest::Change;
use crate::host::about;
use crate::store::contacts::Standing;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

impl Hub {
    /// The gateway itself, to who has registered (XEP-0100 §4.1.1).
    pub(crate) fn welcome(self: &Arc<Self>, user: &BareJid) {
        let standing = Standing {
            offered: true,
            ..Standing::default()
        };
        let fresh = Entry::new(standing, None, "");
        let added = self.book().add(user, "", fresh).map(|it| it.standing);
        if added == Some(standing) {
            self.keep(user, "", standing);
        }
        self.introduce(user, "", &self.title());
    }

    /// What the gateway is called.
    pub(super) fn title(&self) -> String {
        about::name(&*self.gateway, &self.shared, self.outbox.domain())
    }

    /// Puts an address into the user's roster, or asks for it.
    pub(super) fn introduce(self: &Arc<Self>, user: &BareJid, local: &str, name: &str) {
        if !self.privileges.of(user.domain()).roster {
            return self.offer(user, local, name);
        }
        let (hub, user) = (Arc::clone(self), user.clone());
        let (local, name) = (local.to_owned(), name.to_owned());
        tokio::spawn(async move {
            let Ok(_place) = Arc::clone(&hub.places).acquire_owned().await else {
                return;
            };
            if hub.put(&user, &local, &name).await {
                hub.is_put(&user, &local);
            } else {
                hub.offer(&user, &local, &name);
            }
        });
    }

    /// To a client, or to the user himself.
    fn offer(self: &Arc<Self>, user: &BareJid, local: &str, name: &str) {
        let devices = self.book().devices(user);
        if devices.is_empty() {
            return self.request(user, local, name);
        }
        let change = Change {
            local: local.to_owned(),
            name: Some(name.to_owned()),
        };
        self.suggest(user, devices, vec![change]);
    }

    /// Has addresses removed from the user's roster that have said good-bye. These were his clients.
    pub(super) fn withdraw(
        self: &Arc<Self>,
        user: &BareJid,
        locals: Vec<Box<str>>,
        devices: Vec<Arc<Device>>,
    ) {
        if !self.privileges.of(user.domain()).roster {
            let changes = locals.into_iter().map(|local| Change {
                local: local.into(),
                name: None,
            });
            if !devices.is_empty() {
                self.suggest(user, devices, changes.collect());
            }
            return;
        }
        let (hub, user) = (Arc::clone(self), user.clone());
        tokio::spawn(async move {
            // Never closed.
            let _place = Arc::clone(&hub.places).acquire_owned().await;
            for local in locals {
                let item = Element::new("item", ns::ROSTER)
                    .with_attr("jid", &hub.jid(&local))
                    .with_attr("subscription", "remove");
                if !hub.set_item(&user, item).await {
                    return;
                }
            }
        });
    }

    pub(super) fn request(&self, user: &BareJid, local: &str, name: &str) {
        self.say_with(local, user, Some("subscribe"), |xml| {
            if !local.is_empty() {
                xml.start_ns("nick", ns::NICK).text(name).end();
            }
        });
    }

    /// RFC 6121 §2.3, in the user's name; whether his server did it.
    async fn put(&self, user: &BareJid, local: &str, name: &str) -> bool {
        if !self.privileges.of(user.domain()).roster {
            // Another one has been refused meanwhile.
            return false;
        }
        let group = Element::new("group", ns::ROSTER).with_text(&self.title());
        let item = Element::new("item", ns::ROSTER)
            .with_attr("jid", &self.jid(local))
            .with_attr("name", name)
            .with_attr("subscription", "both")
            .with_child(group);
        self.set_item(user, item).await
    }

    /// Whether the user's server did it; of what is not there any more nothing is to be removed.
    async fn set_item(&self, user: &BareJid, item: Element) -> bool {
        let removes = item.attr("subscription") == Some("remove");
        let query = Element::new("query", ns::ROSTER).with_child(item);
        let answer = self.asker.ask(user.as_str(), "set", |xml| {
            xml.element(&query);
        });
        let Some(answer) = answer.await else {
            return false;
        };
        let gone = removes && condition(&answer) == "item-not-found";
        let done = answer.attr("type") == Some("result") || gone;
        if !done {
            // COMPAT(ejabberd 23.01): grants it and answers `internal-server-error`.
            tracing::warn!(%user, condition = condition(&answer), "the roster is not changed");
            self.privileges
                .revoke(user.domain(), |rights| rights.roster = false);
        }
        done
    }

    /// The roster says that both have each other's presence.
    fn is_put(&self, user: &BareJid, local: &str) {
        let mut book = self.book();
        let Some(entry) = book.entry_mut(user, local) else {
            return;
        };
        entry.standing = Standing {
            to: true,
            from: true,
            ..Standing::default()
        };
        let entry = entry.clone();
        drop(book);
        self.keep(user, local, entry.standing);
        self.show(local, user, &entry);
        // His server tells presence from the next change on, unless asked.
        self.say(local, user, Some("probe"));
    }
}
