//! Rooms that a user is in without having entered them appear by themselves: as a bookmark
//! (XEP-0402) where his server lets the gateway publish in his name (XEP-0356 §4.4), else by a
//! direct invitation (XEP-0249). Those he stays in (setting `persistent`) are bookmarked, too, so
//! that each of his devices enters them.
//!
//! A bookmark that is there already is the user's own: it stays as it is, with its extensions.

use std::sync::Arc;

use super::hub::{Hub, condition};
use super::pep::publish_options;
use crate::component::Class;
use crate::host::post::head;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName};

/// The id of our requests.
const ID: &str = "bookmark";

impl Hub {
    /// A room of this localpart, where the user has that nickname, is to appear.
    pub(crate) fn room_appears(self: &Arc<Self>, user: &BareJid, local: &str, nick: &str) {
        if !self.privileges.of(user.domain()).pubsub {
            return self.invite(user, local);
        }
        let (hub, user) = (Arc::clone(self), user.clone());
        let (local, nick) = (local.to_owned(), nick.to_owned());
        tokio::spawn(async move {
            let Ok(_place) = Arc::clone(&hub.places).acquire_owned().await else {
                return;
            };
            if !hub.bookmark(&user, &local, &nick).await {
                hub.invite(&user, &local);
            }
        });
    }

    /// A room of this localpart is one that the user stays in now. He is in it: where no bookmark can
    /// be had nothing is to be told.
    pub(crate) fn room_stays(self: &Arc<Self>, user: &BareJid, local: &str, nick: &str) {
        if !self.privileges.of(user.domain()).pubsub {
            return;
        }
        let (hub, user) = (Arc::clone(self), user.clone());
        let (local, nick) = (local.to_owned(), nick.to_owned());
        tokio::spawn(async move {
            // Never closed.
            let _place = Arc::clone(&hub.places).acquire_owned().await;
            hub.bookmark(&user, &local, &nick).await;
        });
    }

    /// XEP-0249 §2, from the room itself.
    fn invite(&self, user: &BareJid, local: &str) {
        let from = Sender {
            local: Some(local),
            resource: None,
        };
        let jid = format!("{local}@{}", self.outbox.domain());
        self.outbox.push(|batch| {
            let head = head(StanzaName::Message, from, user.as_str(), None, None);
            batch.stanza(Class::Message, head, |xml| {
                xml.start_ns("x", ns::MUC_DIRECT_INVITE).attr("jid", &jid);
                xml.end();
            });
        });
    }

    /// Whether a bookmark is there in the end.
    async fn bookmark(&self, user: &BareJid, local: &str, nick: &str) -> bool {
        let room = format!("{local}@{}", self.outbox.domain());
        let item = Element::new("item", ns::PUBSUB).with_attr("id", &room);
        let items = Element::new("items", ns::PUBSUB)
            .with_attr("node", ns::BOOKMARKS)
            .with_child(item);
        let Some(found) = self.in_his_name(user, ("get", ID), items, None).await else {
            return false;
        };
        if has_item(&found) {
            return true;
        }
        if !matches!(condition(&found), "" | "item-not-found") {
            return self.not_done(user, &found);
        }
        let name = local.split(['%', '@']).next().unwrap_or(local);
        let conference = Element::new("conference", ns::BOOKMARKS)
            .with_attr("name", &crate::xmpp::escape::unescape(name))
            .with_attr("autojoin", "true")
            .with_child(Element::new("nick", ns::BOOKMARKS).with_text(nick));
        let item = Element::new("item", ns::PUBSUB)
            .with_attr("id", &room)
            .with_child(conference);
        let publish = Element::new("publish", ns::PUBSUB)
            .with_attr("node", ns::BOOKMARKS)
            .with_child(item);
        match self
            .in_his_name(user, ("set", ID), publish, Some(publish_options()))
            .await
        {
            Some(done) if done.attr("type") == Some("result") => true,
            Some(refused) => self.not_done(user, &refused),
            None => false,
        }
    }

    fn not_done(&self, user: &BareJid, answer: &Element) -> bool {
        let condition = condition(answer);
        tracing::warn!(%user, condition, "no bookmark is published");
        if condition == "conflict" {
            // XEP-0060 §7.1.5: his node is for others to read, too. That is his matter alone.
            return false;
        }
        self.privileges
            .revoke(user.domain(), |rights| rights.pubsub = false);
        false
    }
}

fn has_item(answer: &Element) -> bool {
    let items = answer
        .child("pubsub", ns::PUBSUB)
        .and_then(|it| it.child("items", ns::PUBSUB));
    items.is_some_and(|items| items.child("item", ns::PUBSUB).is_some())
}
