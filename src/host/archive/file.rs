//! What is archived of private messages, both ways.
//!
//! A message is archived once, however many resources are shown it, in the archive of the person:
//! the contact's bare JID, also where it went through a room.

use crate::host::delay::stamp;
use crate::host::ids::Ids;
use crate::host::shared::Shared;
use crate::store::Row;
use crate::store::archives::Filed;
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::write::{STANZA_MAX, Xml};

/// Whose archive of whom.
#[derive(Clone, Copy)]
pub(crate) struct Filing<'a> {
    /// What all share.
    pub(crate) shared: &'a Shared,
    /// The gateway's domain.
    pub(crate) domain: &'a str,
    /// Whose: a bare JID.
    pub(crate) user: &'a str,
    /// Of whom: the contact's bare JID.
    pub(crate) peer: &'a str,
}

impl Filing<'_> {
    /// The id of something of the user's own: the same for the same name, another for each without.
    pub(crate) fn own_id(&self, name: Option<&str>) -> String {
        let conversation = format!("{} {}", self.user, self.peer);
        let key = &self.shared.message_key;
        let mut id = String::new();
        Ids::new(key, &conversation, self.shared.next_session()).next(name, &mut id);
        id
    }

    /// Archives a stanza.
    pub(crate) fn file(&self, id: &str, at: i64, stanza: Vec<u8>) {
        if !self.shared.archives(self.domain) {
            return;
        }
        self.shared.store.file(Filed {
            user: self.user.to_owned(),
            gateway: self.domain.to_owned(),
            peer: self.peer.to_owned(),
            row: Row {
                number: 0,
                id: id.to_owned(),
                at,
                nick: String::new(),
                stanza,
                key: None,
            },
        });
    }

    /// Puts a tombstone in the place of what was taken back (XEP-0424 §5). `by`: the id of the
    /// stanza that took it back.
    pub(crate) fn bury(&self, id: &str, by: &str, now_ms: i64) {
        if self.shared.archives(self.domain) {
            let store = &self.shared.store;
            store.bury(
                self.user,
                self.domain,
                self.peer,
                id,
                stone(by, now_ms, None),
            );
        }
    }
}

/// Who took back what another said (XEP-0425 §5).
pub(crate) struct Moderated<'a> {
    /// The moderator's address.
    pub(crate) by: &'a str,
    /// His occupant id.
    pub(crate) occupant: &'a str,
    /// Why.
    pub(crate) reason: Option<&'a str>,
}

/// What stands for a message that was taken back. `by`: the id of the stanza that did.
pub(crate) fn stone(by: &str, now_ms: i64, moderated: Option<&Moderated<'_>>) -> Vec<u8> {
    let mut stone = Element::new("retracted", ns::RETRACT)
        .with_attr("id", by)
        .with_attr("stamp", &stamp(now_ms));
    if let Some(Moderated {
        by,
        occupant,
        reason,
    }) = moderated
    {
        let occupant = Element::new("occupant-id", ns::OCCUPANT_ID).with_attr("id", occupant);
        let moderated = Element::new("moderated", ns::MODERATE)
            .with_attr("by", by)
            .with_child(occupant);
        stone = stone.with_child(moderated);
        if let Some(reason) = reason {
            stone = stone.with_child(Element::new("reason", ns::RETRACT).with_text(reason));
        }
    }
    written(&stone)
}

/// A message of the user's as it is archived: as he sent it, without ids that only an archive may
/// give.
pub(crate) fn copy_of(stanza: &Element) -> Vec<u8> {
    let mut copy = Element::new("message", ns::COMPONENT);
    for (name, value) in stanza.attrs() {
        copy = copy.with_attr(name, value);
    }
    let kept = stanza
        .children()
        .filter(|child| !child.is("stanza-id", ns::STANZA_ID) && !child.is("delay", ns::DELAY));
    written(&kept.fold(copy, |copy, child| copy.with_child(child.clone())))
}

fn written(stanza: &Element) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    Xml::new(&mut bytes, STANZA_MAX).element(stanza);
    bytes
}
