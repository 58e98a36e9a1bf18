//! A message to several recipients at once (XEP-0033 1.2.1), sent to the gateway itself: one message
//! of its queue with a copy for each. A mail names them all to each other, as `to` and `cc` mean;
//! of texts each recipient gets his own.
//!
//! All of them are recipients here, or nobody gets anything. Not here: `bcc`, which a network would
//! have to keep from the others, and is refused; addresses for answers, which are left out; what a
//! network sends to several.

use isthmus_gateway::{Address, Fault, FaultKind, Kind, Parsed};

use super::CourierHost;
use crate::host::desk::Desk;
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::words::{Denial, Lang, Phrase, Said};
use crate::xmpp::element::Element;
use crate::xmpp::escape::unescape;
use crate::xmpp::jid::{BareJid, Jid};
use crate::xmpp::ns;

/// Recipients of one message. The specification wants a bound between 20 and 100.
const MOST: usize = 50;

impl Desk {
    /// Takes a message to the gateway that names its recipients; false: it is for the gateway.
    pub(crate) fn several(&self, origin: &Origin, user: &BareJid, stanza: &Element) -> bool {
        let list = stanza.child("addresses", ns::ADDRESS);
        let (Some(list), Some(courier)) = (list, &self.courier) else {
            return false;
        };
        let origin = origin.clone().saying(Some(Kind::Contact), stanza);
        match self.recipients(courier, list) {
            Ok(to) if to.is_empty() => tracing::debug!(%user, "every recipient has it already"),
            Ok(to) => courier.message(origin, user.clone(), to, stanza.clone()),
            Err(fault) => origin.fault(&self.outbox, &fault),
        }
        true
    }

    /// Each once, in their order; nobody: all have got it already (XEP-0033 §4.5).
    fn recipients(&self, courier: &CourierHost, list: &Element) -> Result<Vec<Address>, Fault> {
        let mut all = Vec::new();
        let mut delivered = false;
        let addresses = list.children().filter(|it| it.is("address", ns::ADDRESS));
        for address in addresses {
            match address.attr("type") {
                Some("to" | "cc") => {}
                Some("bcc") => {
                    return Err(fault::of(FaultKind::NotExpressible, Denial::BlindCopy));
                }
                // Where answers go, and who has sent it on.
                Some(_) => continue,
                None => return Err(fault::of(FaultKind::BadRequest, Denial::AddressMissing)),
            }
            if address.attr("delivered") == Some("true") {
                delivered = true;
                continue;
            }
            let (jid, uri) = (address.attr("jid"), address.attr("uri"));
            let Some(name) = jid.or(uri) else {
                return Err(fault::of(FaultKind::BadRequest, Denial::AddressMissing));
            };
            let found = match jid {
                Some(jid) => self.recipient(jid),
                None => self.jid_of(name).and_then(|jid| self.recipient(&jid)),
            };
            let to = found.map_err(|fault| about(name, fault))?;
            if to.kind != Kind::Contact || !courier.serves(&to) {
                let text = Denial::RecipientElsewhere.with(&[name]);
                return Err(fault::of(FaultKind::NoSuchTarget, text));
            }
            if !all.contains(&to) {
                all.push(to);
            }
        }
        match all.len() {
            0 if delivered => Ok(all),
            0 => Err(fault::of(FaultKind::BadRequest, Denial::AddressMissing)),
            1..=MOST => Ok(all),
            _ => {
                let text = Denial::RecipientsMost.with(&[&MOST.to_string()]);
                Err(fault::of(FaultKind::NotExpressible, text))
            }
        }
    }

    /// The address behind a JID of ours.
    fn recipient(&self, jid: &str) -> Result<Address, Fault> {
        let none = || fault::of(FaultKind::NoSuchTarget, Denial::AddressNoJid);
        let jid = Jid::parse(jid).map_err(|_| none())?;
        let local = jid.local().filter(|_| jid.domain() == self.outbox.domain());
        let Some(local) = local else {
            // Another server's: it is not ours to send it there.
            return Ok(Address::new(Kind::Gateway, "", ""));
        };
        let read = |local: &str| self.gateway.parse(local, "").map_err(fault::address);
        match read(&unescape(local))? {
            Parsed::Canonical(to) => Ok(to),
            Parsed::Moved(proper) => match read(&proper)? {
                Parsed::Canonical(to) => Ok(to),
                Parsed::Moved(_) => Err(none()),
            },
        }
    }
}

impl CourierHost {
    /// Whether messages to that address wait in the queue.
    pub(super) fn serves(&self, to: &Address) -> bool {
        let courier = self.gateway.courier();
        courier.is_some_and(|courier| courier.serves(to))
    }
}

/// Recipients as the queue keeps them.
pub(super) fn read(kept: &[String]) -> Vec<Address> {
    let to = kept.iter().map(|to| serde_json::from_str(to));
    // Only this program writes them.
    to.filter_map(Result::ok).collect()
}

/// A message was taken back from others in time, but not from him.
pub(super) fn late(whom: &Address) -> Fault {
    let fault = fault::of(FaultKind::NotExpressible, Denial::TakenBack);
    about(&whom.id, fault)
}

/// What is said of those from whom a message could not be taken back any more, a line each.
pub(crate) fn late_words(kept: &[String], lang: Lang) -> String {
    let mut text = String::new();
    for whom in read(kept) {
        text.push('\n');
        text.push_str(fault::words(&late(&whom), lang));
    }
    text
}

/// A fault of one recipient of several.
pub(super) fn about(name: &str, fault: Fault) -> Fault {
    let words = &fault;
    let text: Said = Denial::AboutRecipient.told(|lang| vec![name, fault::words(words, lang)]);
    Fault {
        text: text.into(),
        ..fault
    }
}
