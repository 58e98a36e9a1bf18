//! XEP-0084 1.1.4: the two nodes of an address that looks like something.
//!
//! Of XEP-0163 only what readers do: items are asked for, and who is interested is told. Nobody
//! publishes or subscribes here.

use super::{Image, Portrait};
use crate::component::{Class, Outbox};
use crate::host::post::head;
use crate::host::reply::Origin;
use crate::host::words::Denial;
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::write::{Sender, StanzaName, Xml};

/// Whether an iq of type `get` asks for items of a node.
pub(crate) fn asks(payload: &Element) -> bool {
    payload.is("pubsub", ns::PUBSUB) && payload.child("items", ns::PUBSUB).is_some()
}

/// Answers a request for items (XEP-0060 §6.5; XEP-0084 §3.3).
pub(crate) fn answer(outbox: &Outbox, origin: &Origin, payload: &Element, portrait: &Portrait) {
    let items = payload.child("items", ns::PUBSUB);
    let node = items.and_then(|items| items.attr("node"));
    let item = items.and_then(|items| items.child("item", ns::PUBSUB));
    let wanted = item.and_then(|item| item.attr("id"));
    let avatar = portrait
        .avatar()
        .filter(|image| wanted.is_none_or(|id| id == image.hash));
    let (Some(image), Some(node @ (ns::AVATAR_DATA | ns::AVATAR_METADATA))) = (avatar, node) else {
        let text = Denial::NoPicture;
        return origin.error(outbox, Condition::ItemNotFound, text);
    };
    origin.result(outbox, |xml| {
        xml.start_ns("pubsub", ns::PUBSUB);
        xml.start("items").attr("node", node);
        xml.start("item").attr("id", &image.hash);
        match node {
            ns::AVATAR_DATA => {
                let xml = xml.start_ns("data", ns::AVATAR_DATA);
                xml.text(&image.base64()).end();
            }
            _ => write_metadata(xml, Some(image)),
        }
        xml.end().end().end();
    });
}

/// Tells a resource (full JID) that an address looks like this, or like nothing (§3.2, §3.4).
pub(crate) fn tell(outbox: &Outbox, local: &str, to: &str, image: Option<&Image>) {
    let from = Sender {
        local: Some(local).filter(|local| !local.is_empty()),
        resource: None,
    };
    outbox.push(|batch| {
        let kind = Some("headline");
        let head = head(StanzaName::Message, from, to, kind, None);
        // Who is there is told anew when the stream was cut, as with presence.
        batch.stanza(Class::Presence, head, |xml| {
            xml.start_ns("event", ns::PUBSUB_EVENT);
            xml.start("items").attr("node", ns::AVATAR_METADATA);
            xml.start("item");
            if let Some(image) = image {
                xml.attr("id", &image.hash);
            }
            write_metadata(xml, image);
            xml.end().end().end();
        });
    });
}

/// §4.2.
fn write_metadata(xml: &mut Xml<'_>, image: Option<&Image>) {
    xml.start_ns("metadata", ns::AVATAR_METADATA);
    if let Some(image) = image {
        xml.start("info")
            .attr("id", &image.hash)
            .attr("type", image.mime)
            .attr("bytes", &image.len().to_string());
        if let Some((width, height)) = image.pixels() {
            xml.attr("width", &width.to_string())
                .attr("height", &height.to_string());
        }
        xml.end();
    }
    xml.end();
}
