//! What the sender of a message is told of its copies.

use isthmus_gateway::{Fault, State};
use serde::{Deserialize, Serialize};

use crate::host::fault::{said, told as fault_told};
use crate::host::reply::{Origin, error_of};
use crate::host::words::{Denial, Lang};
use crate::store::jobs::{CopyState, Told};
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::stanza::{Condition, ErrorType};
use crate::xmpp::write::{self, Head, STANZA_MAX, StanzaName, Written};

/// Who waits for news of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sender {
    /// Where an answer goes.
    pub(super) origin: Origin,
    /// He asked for a receipt (XEP-0184).
    pub(super) receipt: bool,
    /// He asked to be told when it is read (XEP-0333).
    #[serde(default)]
    pub(super) markable: bool,
}

/// The copy's state that a report means.
pub(super) fn copy_state(state: &State) -> CopyState {
    match state {
        State::Retry { .. } => CopyState::Queued,
        State::Accepted => CopyState::Accepted,
        State::Delivered => CopyState::Delivered,
        State::Read => CopyState::Read,
        State::Failed(_) => CopyState::Failed,
        State::Unknown => CopyState::Unknown,
    }
}

/// What the sender is told of a state, as a stanza; `receipts`: the network confirms delivery, so
/// that being accepted by the next station is not yet news; `whom`: of which recipient it is, where
/// there are several.
pub(super) fn tell(
    sender: &Sender,
    state: &State,
    (receipts, whom): (bool, Option<&str>),
    domain: &str,
    id: &str,
) -> Option<(Told, Vec<u8>)> {
    match state {
        State::Retry { .. } => None,
        State::Accepted if receipts => None,
        State::Read if sender.markable => {
            let stanza = arrival(&sender.origin, domain, id, (sender.receipt, true))?;
            Some((Told::Read, stanza))
        }
        State::Accepted | State::Delivered | State::Read => {
            let stanza = sender
                .receipt
                .then(|| arrival(&sender.origin, domain, id, (true, false)))??;
            Some((Told::Arrived, stanza))
        }
        State::Failed(fault) => {
            let (condition, kind) = fault_told(fault.kind);
            let (tag, text) = failure(fault, sender.origin.lang);
            let text = (tag.clone(), about(whom, &tag, text));
            Some((
                Told::Failed,
                error(&sender.origin, domain, condition, kind, (&text.0, &text.1))?,
            ))
        }
        State::Unknown => {
            let lang = sender.origin.lang;
            let text = lang.say(Denial::UnknownOutcome).to_owned();
            let text = about(whom, lang.tag(), text);
            let text = (lang.tag(), text.as_str());
            let (condition, kind) = (Condition::RemoteServerTimeout, ErrorType::Wait);
            Some((
                Told::Unknown,
                error(&sender.origin, domain, condition, kind, text)?,
            ))
        }
    }
}

/// What is said of one recipient of several, in that language.
fn about(whom: Option<&str>, tag: &str, text: String) -> String {
    let lang = Lang::of(tag).unwrap_or_default();
    match whom {
        Some(whom) => lang.tell(Denial::AboutRecipient, &[whom, &text]),
        None => text,
    }
}

/// What is said of a failure, behind its language.
fn failure(fault: &Fault, lang: Lang) -> (String, String) {
    let (tag, words) = said(fault, lang);
    let text = match fault.parts_sent {
        0 => words.to_owned(),
        parts => {
            let lang = Lang::of(tag).unwrap_or(lang);
            lang.tell(Denial::WithParts, &[words, &parts.to_string()])
        }
    };
    (tag.to_owned(), text)
}

/// That a message has arrived (XEP-0184 §5.3), and was read (XEP-0333 §4.2): one stanza, as what is
/// told of a state is one. To the bare JID: the device that sent it may be gone.
fn arrival(
    origin: &Origin,
    domain: &str,
    id: &str,
    (received, displayed): (bool, bool),
) -> Option<Vec<u8>> {
    let of = origin.id.as_deref()?;
    let user = Jid::parse(&origin.peer).ok()?.bare();
    let head = Head {
        name: StanzaName::Message,
        domain,
        from: origin.sender(),
        to: user.as_str(),
        kind: Some("chat"),
        id: Some(id),
    };
    written(head, |xml| {
        if received {
            xml.start_ns("received", ns::RECEIPTS).attr("id", of).end();
        }
        if displayed {
            xml.start_ns("displayed", ns::CHAT_MARKERS)
                .attr("id", of)
                .end();
        }
        xml.leaf("store", ns::HINTS);
    })
}

fn error(
    origin: &Origin,
    domain: &str,
    condition: Condition,
    kind: ErrorType,
    text: (&str, &str),
) -> Option<Vec<u8>> {
    let head = Head {
        domain,
        ..origin.head("error")
    };
    written(head, |xml| {
        origin.write_error(xml, &error_of(condition, kind, text));
    })
}

fn written(head: Head<'_>, body: impl FnOnce(&mut write::Xml<'_>)) -> Option<Vec<u8>> {
    let mut stanza = Vec::with_capacity(256);
    match write::stanza(&mut stanza, STANZA_MAX, head, body) {
        Written::Nothing => None,
        Written::Whole | Written::Cut => Some(stanza),
    }
}
