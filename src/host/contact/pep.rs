//! Requests to users' own PubSub services in their names (XEP-0356 §4.4), where their servers allow
//! it; nodes that only their owner reads (XEP-0223).

use super::hub::Hub;
use crate::xmpp::element::Element;
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

impl Hub {
    /// A PubSub request to the user's own account; the iq that answered it. `id`: that of the iq
    /// inside.
    pub(super) async fn in_his_name(
        &self,
        user: &BareJid,
        (kind, id): (&str, &str),
        request: Element,
        more: Option<Element>,
    ) -> Option<Element> {
        let ns = match request.ns() {
            ns::PUBSUB_OWNER => ns::PUBSUB_OWNER,
            _ => ns::PUBSUB,
        };
        let mut pubsub = Element::new("pubsub", ns).with_child(request);
        if let Some(more) = more {
            pubsub = pubsub.with_child(more);
        }
        let iq = Element::new("iq", ns::CLIENT)
            .with_attr("type", kind)
            .with_attr("id", id)
            .with_attr("from", user.as_str())
            .with_attr("to", user.as_str())
            .with_child(pubsub);
        let wrapped = Element::new("privileged_iq", ns::PRIVILEGE).with_child(iq);
        let answer = self.asker.ask(user.as_str(), kind, |xml| {
            xml.element(&wrapped);
        });
        let answer = answer.await?;
        let inner = answer
            .child("privilege", ns::PRIVILEGE)
            .and_then(|it| it.child("forwarded", ns::FORWARD))
            .and_then(|it| it.child("iq", ns::COMPONENT));
        Some(inner.cloned().unwrap_or(answer))
    }
}

/// What a node for its owner alone is like, as options of a request to publish.
pub(super) fn publish_options() -> Element {
    let form = private(ns::PUBSUB_PUBLISH_OPTIONS);
    Element::new("publish-options", ns::PUBSUB).with_child(form)
}

/// The same, as the configuration of a node that is made.
pub(super) fn configuration() -> Element {
    Element::new("configure", ns::PUBSUB).with_child(private(ns::PUBSUB_NODE_CONFIG))
}

/// XEP-0223 §3; XEP-0402 §4 and XEP-0490 §4.2 ask for the same.
fn private(form_type: &str) -> Element {
    let field = |var: &str, value: &str| {
        let value = Element::new("value", ns::DATA_FORMS).with_text(value);
        Element::new("field", ns::DATA_FORMS)
            .with_attr("var", var)
            .with_child(value)
    };
    let form_type = field("FORM_TYPE", form_type).with_attr("type", "hidden");
    Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "submit")
        .with_child(form_type)
        .with_child(field("pubsub#persist_items", "true"))
        .with_child(field("pubsub#max_items", "max"))
        .with_child(field("pubsub#send_last_published_item", "never"))
        .with_child(field("pubsub#access_model", "whitelist"))
}
