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

impl Sender {
    /// What he is to have been told of the arrival of all copies once one of them (its place, how
    /// far) has moved on; `receipts`: the network confirms delivery.
    pub(super) fn news(
        &self,
        receipts: bool,
        copies: &[CopyState],
        (at, state): (usize, CopyState),
    ) -> Option<Told> {
        let mut copies = copies.to_vec();
        *copies.get_mut(at)? = state;
        self.told_of(together(&copies)?, receipts)
    }

    /// What he is told when every copy has come so far. Being accepted by the next station is not
    /// yet news where delivery is confirmed.
    fn told_of(&self, state: CopyState, receipts: bool) -> Option<Told> {
        match state {
            CopyState::Accepted if receipts => None,
            CopyState::Read if self.markable => Some(Told::Read),
            CopyState::Accepted | CopyState::Delivered | CopyState::Read => {
                self.receipt.then_some(Told::Arrived)
            }
            _ => None,
        }
    }
}

/// How far all copies that still go have come; none: one of them has not arrived at all.
fn together(copies: &[CopyState]) -> Option<CopyState> {
    let arrived = CopyState::Accepted..=CopyState::Read;
    let going = copies.iter().filter(|copy| **copy != CopyState::Recalled);
    let least = going.min().filter(|least| arrived.contains(least))?;
    (!copies.contains(&CopyState::Failed)).then_some(*least)
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

/// What the sender is told of a state, as a stanza; `arrived`: what is to be told of an arrival
/// ([`Sender::news`]), whether or not that is news; `whom`: of which recipient it is, where there are several.
pub(super) fn tell(
    sender: &Sender,
    state: &State,
    (arrived, whom): (Option<Told>, Option<&str>),
    domain: &str,
    id: &str,
) -> Option<(Told, Vec<u8>)> {
    match state {
        State::Retry { .. } => None,
        State::Accepted | State::Delivered | State::Read => {
            let told = arrived?;
            let what = (sender.receipt, told == Told::Read);
            Some((told, arrival(&sender.origin, domain, id, what)?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::jobs::CopyState::{Accepted, Begun, Delivered, Failed, Read, Recalled};

    fn asking(markable: bool) -> Sender {
        let origin = serde_json::json!({"name": "message", "peer": "juliet@example.org/phone"});
        Sender {
            origin: serde_json::from_value(origin).expect("an origin"),
            receipt: true,
            markable,
        }
    }

    /// What is told while copies move, one after the other.
    fn told(sender: &Sender, receipts: bool, moves: &[(usize, CopyState)]) -> Vec<Option<Told>> {
        let mut copies = vec![Begun; 2];
        let mut told = Vec::new();
        for (at, state) in moves {
            told.push(sender.news(receipts, &copies, (*at, *state)));
            copies[*at] = *state;
        }
        told
    }

    #[test]
    fn of_several_recipients_an_arrival_is_told_when_it_is_so_of_all() {
        let juliet = asking(true);
        let arrived = Some(Told::Arrived);
        let moves = [
            (0, Accepted),
            (1, Accepted),
            (1, Delivered),
            (0, Read),
            (1, Read),
        ];
        let heard = [None, None, None, arrived, Some(Told::Read)];
        assert_eq!(told(&juliet, true, &moves), heard);
        // A network that confirms nothing: the next station has it from all.
        let heard = [None, arrived, arrived, arrived, Some(Told::Read)];
        assert_eq!(told(&juliet, false, &moves), heard);
    }

    #[test]
    fn an_arrival_counts_those_to_whom_the_message_still_goes() {
        let romeo = asking(false);
        let moves = [(0, Failed), (1, Delivered)];
        assert_eq!(told(&romeo, true, &moves), [None, None]);
        let moves = [(0, Recalled), (1, Read)];
        assert_eq!(told(&romeo, true, &moves), [None, Some(Told::Arrived)]);
    }
}
