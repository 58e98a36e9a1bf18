//! XEP-0100 §6, `jabber:iq:gateway`: what to type for an address of the network, and the JID of
//! what was typed.

use isthmus_gateway::{Fault, FaultKind, Parsed};

use super::uri;
use crate::host::desk::Desk;
use crate::host::errand::Answer;
use crate::xmpp::element::Element;
use crate::xmpp::escape::{escape, unescape};
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

impl Desk {
    /// Answers a get or set of `jabber:iq:gateway`.
    pub(crate) fn prompt(&self, get: bool, query: &Element) -> Answer {
        let said = |name, text: &str| Element::new(name, ns::GATEWAY).with_text(text);
        let answer = Element::new("query", ns::GATEWAY);
        if get {
            let words = &self.gateway.manifest().prompt;
            let answer = answer.with_child(said("desc", words));
            return Answer::Result(Some(answer.with_child(said("prompt", "Address"))));
        }
        let typed = query.child("prompt", ns::GATEWAY).map(|it| it.text());
        let typed = typed.as_deref().map(str::trim).unwrap_or_default();
        if typed.is_empty() {
            return Fault::new(FaultKind::BadRequest, "an address is missing").into();
        }
        match self.jid_of(typed) {
            Ok(jid) => Answer::Result(Some(answer.with_child(said("jid", &jid)))),
            Err(text) => Fault::new(FaultKind::NoSuchTarget, text).into(),
        }
    }

    /// The JID of an address as people type it, or what is wrong with it.
    fn jid_of(&self, typed: &str) -> Result<String, String> {
        let jid = |local: &str| {
            BareJid::new(Some(&escape(local)), self.outbox.domain()).map_err(|it| it.to_string())
        };
        let own = uri::jid(typed).and_then(|it| BareJid::parse(&it).ok());
        if let Some(own) = own.filter(|it| it.domain() == self.outbox.domain()) {
            return Ok(own.to_string());
        }
        // Gateways read localparts as servers prepare them (RFC 7622 §3.3).
        let typed = jid(&uri::address(typed))?;
        let local = unescape(typed.local().unwrap_or_default());
        match self.gateway.parse(&local, "").map_err(|fault| fault.text)? {
            Parsed::Canonical(address) => {
                let local = self.gateway.format(&address).map_err(|fault| fault.text)?;
                Ok(jid(&local)?.to_string())
            }
            Parsed::Moved(proper) => Ok(jid(&proper)?.to_string()),
        }
    }
}
