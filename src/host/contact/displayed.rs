//! XEP-0490 displayed synchronisation: what the user reads in rooms with a client of the network is
//! published in his name (XEP-0356) for his clients here, and what these publish is listened for.
//!
//! Private conversations are not here: their marks bear the id that the user's own server gave a
//! message, which nobody else is told. They cross as markers (XEP-0333; `session::elsewhere`).
//!
//! To listen takes the right to govern his nodes as well (`pubsub#owner`). Where that is not granted,
//! as on ejabberd, the network learns what he reads from the markers his clients send (XEP-0333).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::hub::{Hub, condition};
use super::pep::{configuration, publish_options};
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

/// The id of our requests.
const ID: &str = "displayed";
/// Rooms whose marks are being published at a time; more are not.
const MOST: usize = 1024;

/// What is being published, and whose marks are listened for.
#[derive(Debug, Default)]
pub(super) struct Displayed {
    /// By user and localpart: a request is under way, and what is published behind it.
    under_way: HashMap<(BareJid, String), Option<String>>,
    followed: HashSet<BareJid>,
}

impl Hub {
    fn displays(&self) -> MutexGuard<'_, Displayed> {
        // One entry is changed at a time: never half done.
        self.displayed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The user has read the room of this localpart up to the message with this id.
    pub(crate) fn room_read(self: &Arc<Self>, user: &BareJid, local: &str, id: &str) {
        if !self.privileges.of(user.domain()).pubsub {
            return;
        }
        let key = (user.clone(), local.to_owned());
        let mut displays = self.displays();
        if let Some(next) = displays.under_way.get_mut(&key) {
            *next = Some(id.to_owned());
            return;
        }
        if displays.under_way.len() >= MOST {
            return;
        }
        displays.under_way.insert(key.clone(), None);
        drop(displays);
        let (hub, mut id) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            loop {
                hub.publish_read(&key, &id).await;
                let mut displays = hub.displays();
                match displays.under_way.get_mut(&key).and_then(Option::take) {
                    Some(next) => id = next,
                    None => {
                        displays.under_way.remove(&key);
                        return;
                    }
                }
            }
        });
    }

    /// XEP-0490 §4.2.
    async fn publish_read(&self, (user, local): &(BareJid, String), id: &str) {
        let room = format!("{local}@{}", self.outbox.domain());
        let stanza_id = Element::new("stanza-id", ns::STANZA_ID)
            .with_attr("by", &room)
            .with_attr("id", id);
        let item = Element::new("item", ns::PUBSUB)
            .with_attr("id", &room)
            .with_child(Element::new("displayed", ns::DISPLAYED).with_child(stanza_id));
        let publish = Element::new("publish", ns::PUBSUB)
            .with_attr("node", ns::DISPLAYED)
            .with_child(item);
        let options = Some(publish_options());
        let done = self.in_his_name(user, ("set", ID), publish, options).await;
        if let Some(refused) = done.filter(|it| it.attr("type") != Some("result")) {
            let condition = condition(&refused);
            tracing::warn!(%user, condition, "what was read is not published");
        }
    }

    /// Listens for what the user's clients publish. Once for each user is enough.
    pub(crate) fn follow_read(self: &Arc<Self>, user: &BareJid) {
        let rights = self.privileges.of(user.domain());
        let granted = rights.pubsub && rights.nodes;
        if !granted || !self.displays().followed.insert(user.clone()) {
            return;
        }
        let (hub, user) = (Arc::clone(self), user.clone());
        tokio::spawn(async move {
            let Ok(_place) = Arc::clone(&hub.places).acquire_owned().await else {
                return;
            };
            if !hub.listen(&user).await {
                tracing::warn!(%user, "what he reads cannot be listened for");
            }
        });
    }

    /// Makes the node if there is none (a server that makes it for who subscribes makes it for
    /// everybody to read), lets ourselves read it and subscribes. Whether all of it was done.
    async fn listen(&self, user: &BareJid) -> bool {
        let us = self.outbox.domain();
        let node = |name: &str, ns| Element::new(name, ns).with_attr("node", ns::DISPLAYED);
        let affiliation = Element::new("affiliation", ns::PUBSUB_OWNER)
            .with_attr("jid", us)
            .with_attr("affiliation", "member");
        let requests = [
            (node("create", ns::PUBSUB), Some(configuration())),
            (
                node("affiliations", ns::PUBSUB_OWNER).with_child(affiliation),
                None,
            ),
            (node("subscribe", ns::PUBSUB).with_attr("jid", us), None),
        ];
        for (request, more) in requests {
            let done = self.in_his_name(user, ("set", ID), request, more).await;
            let done = done.is_some_and(|done| {
                done.attr("type") == Some("result") || condition(&done) == "conflict"
            });
            if !done {
                return false;
            }
        }
        tracing::debug!(%user, "subscribed to what he reads");
        true
    }

    /// A server has told anew what it allows: whose marks are listened for is not known any more.
    pub(super) fn follow_anew(&self, server: &str) {
        let mut displays = self.displays();
        displays.followed.retain(|user| user.domain() != server);
    }
}

/// Localparts of rooms at `domain` that an event of the user's PubSub service names, and the id of
/// the message up to which each was read.
pub(crate) fn read_in(event: &Element, domain: &str) -> Vec<(String, String)> {
    let items = event
        .child("event", ns::PUBSUB_EVENT)
        .and_then(|it| it.child("items", ns::PUBSUB_EVENT))
        .filter(|it| it.attr("node") == Some(ns::DISPLAYED));
    let items = items.into_iter().flat_map(Element::children);
    let read = |item: &Element| {
        let jid = BareJid::parse(item.attr("id")?).ok()?;
        let id = item.child("displayed", ns::DISPLAYED)?;
        let id = id.child("stanza-id", ns::STANZA_ID)?;
        // Of a private conversation: an id of the user's own server.
        let ours = jid.domain() == domain && id.attr("by") == Some(jid.as_str());
        let local = jid.local().filter(|_| ours)?;
        Some((local.to_owned(), id.attr("id")?.to_owned()))
    };
    items.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(node: &str, item: &str, by: &str) -> Vec<(String, String)> {
        let event = format!(
            "<message xmlns='jabber:component:accept'>\
             <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'>\
             <item id='{item}'><displayed xmlns='urn:xmpp:mds:displayed:0'>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='m1'/></displayed></item>\
             </items></event></message>"
        );
        let event = Element::parse(event.as_bytes()).expect("well-formed");
        read_in(&event, "loop.example.org")
    }

    #[test]
    fn only_marks_of_our_rooms_are_read() {
        let (node, room) = ("urn:xmpp:mds:displayed:0", "#a@loop.example.org");
        let read = [("#a".to_owned(), "m1".to_owned())];
        assert_eq!(event(node, room, room), read);
        assert!(event("urn:xmpp:bookmarks:1", room, room).is_empty());
        assert!(event(node, "#a@elsewhere.org", "#a@elsewhere.org").is_empty());
        assert!(event(node, "alice@loop.example.org", "juliet@example.org").is_empty());
        assert!(event(node, "no jid@@", "no jid@@").is_empty());
    }
}
