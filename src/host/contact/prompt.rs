//! XEP-0100 §6, `jabber:iq:gateway`: what to type for an address of the network, and the JID of
//! what was typed.

use isthmus_gateway::{AddressFault, Fault, FaultKind, Parsed};

use super::uri;
use crate::host::desk::Desk;
use crate::host::errand::Answer;
use crate::host::fault;
use crate::host::words::{Denial, Label, Lang};
use crate::xmpp::element::Element;
use crate::xmpp::escape::{escape, unescape};
use crate::xmpp::jid::BareJid;
use crate::xmpp::ns;

impl Desk {
    /// Answers a get or set of `jabber:iq:gateway`.
    pub(crate) fn prompt(&self, get: bool, query: &Element, lang: Lang) -> Answer {
        let said = |name, text: &str| Element::new(name, ns::GATEWAY).with_text(text);
        let answer = Element::new("query", ns::GATEWAY);
        if get {
            let words = lang.pick(&self.gateway.manifest().prompt);
            let answer = answer.with_child(said("desc", words));
            return Answer::Result(Some(
                answer.with_child(said("prompt", lang.say(Label::Address))),
            ));
        }
        let typed = query.child("prompt", ns::GATEWAY).map(|it| it.text());
        let typed = typed.as_deref().map(str::trim).unwrap_or_default();
        if typed.is_empty() {
            return fault::of(FaultKind::BadRequest, Denial::AddressMissing).into();
        }
        match self.jid_of(typed) {
            Ok(jid) => Answer::Result(Some(answer.with_child(said("jid", &jid)))),
            Err(fault) => fault.into(),
        }
    }

    /// The JID of an address as people type it, or what is wrong with it.
    pub(crate) fn jid_of(&self, typed: &str) -> Result<String, Fault> {
        let jid = |local: &str| {
            let jid = BareJid::new(Some(&escape(local)), self.outbox.domain());
            jid.map_err(|_| fault::of(FaultKind::NoSuchTarget, Denial::AddressNoJid))
        };
        let known = |fault: AddressFault| Fault {
            kind: FaultKind::NoSuchTarget,
            ..fault::address(fault)
        };
        let own = uri::jid(typed).and_then(|it| BareJid::parse(&it).ok());
        if let Some(own) = own.filter(|it| it.domain() == self.outbox.domain()) {
            return Ok(own.to_string());
        }
        // Gateways read localparts as servers prepare them (RFC 7622 §3.3).
        let typed = jid(&uri::address(typed))?;
        let local = unescape(typed.local().unwrap_or_default());
        match self.gateway.parse(&local, "").map_err(known)? {
            Parsed::Canonical(address) => {
                let local = self.gateway.format(&address).map_err(known)?;
                Ok(jid(&local)?.to_string())
            }
            Parsed::Moved(proper) => Ok(jid(&proper)?.to_string()),
        }
    }
}
