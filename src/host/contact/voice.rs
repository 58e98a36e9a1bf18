//! Messages in a user's name (XEP-0356 §4.2): what he said from another connection to the network
//! is told to his devices by his own server, as if one of them had said it.
//!
//! The server then delivers it to whom it is for, which is here: it comes back, is known by its id
//! and dropped. ejabberd 23.01 makes no carbons of it; it is in the archive there, too.

use super::hub::Hub;
use crate::component::Class;
use crate::host::ids;
use crate::host::post::head;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::ns;
use crate::xmpp::stream::{Stanza, StanzaKind};
use crate::xmpp::write::{Sender, StanzaName, Xml};

impl Hub {
    /// Says something in a user's name, if his server lets us. `id` is sealed with his address.
    pub(crate) fn say_as(
        &self,
        user: &BareJid,
        to: &str,
        id: &str,
        content: &impl Fn(&mut Xml<'_>),
    ) {
        let Some(ns) = self.privileges.of(user.domain()).message else {
            return;
        };
        let server = user.domain();
        let outer = ids::sealed(&self.shared.message_key, server, id);
        let (name, from) = (StanzaName::Message, Sender::default());
        self.outbox.push(|batch| {
            let head = head(name, from, server, None, Some(&outer));
            batch.stanza(Class::Message, head, |xml| {
                xml.start_ns("privilege", ns);
                xml.start_ns("forwarded", ns::FORWARD);
                xml.start_ns("message", ns::CLIENT)
                    .attr("from", user.as_str())
                    .attr("to", to)
                    .attr("type", "chat")
                    .attr("id", id);
                content(xml);
                xml.end().end().end();
            });
        });
    }

    /// Whether a stanza is what was said in its sender's name, come back; or his server's refusal
    /// to say it, which is not asked again.
    pub(crate) fn came_back(&self, stanza: &Stanza, from: &Jid) -> bool {
        if stanza.kind() != StanzaKind::Message {
            return false;
        }
        let (key, user) = (&self.shared.message_key, from.bare());
        let ours = stanza
            .id()
            .is_some_and(|id| ids::is_sealed(key, user.as_str(), &id));
        if ours {
            tracing::debug!(%from, "what was said in a user's name has come back");
        }
        if ours && from.local().is_none() && stanza.kind_attr().as_deref() == Some("error") {
            self.privileges
                .revoke(from.domain(), |rights| rights.message = None);
        }
        ours
    }
}
