//! Who an occupant is, whatever he is called: XEP-0421 occupant ids.
//!
//! An id is the 128-bit SipHash of what the network knows an occupant by (his services account,
//! else `user@host`, else his nickname) under a key of the room, so that it says nothing, differs
//! from room to room and is the same for every user who sees him. What it is made from is fixed
//! when he is first shown (`names`): a log-in or another nickname does not change it.

use std::hash::Hasher;

use isthmus_gateway::Who;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::Room;
use crate::host::names::{About, NickId, Source};
use crate::host::session::Base;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

/// Makes the ids of one room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    key: [u8; 16],
}

/// One occupant's id: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OccupantId([u8; 32]);

/// How an occupant is shown beyond his nickname.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    /// His id.
    pub(crate) id: OccupantId,
    /// What the network tells of him.
    pub(crate) about: Option<Box<About>>,
}

impl std::fmt::Debug for OccupantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OccupantId {
    /// Its digits.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("0")
    }

    /// Writes `<occupant-id/>` (XEP-0421 §3.1).
    pub(crate) fn write(&self, xml: &mut Xml<'_>) {
        xml.start_ns("occupant-id", ns::OCCUPANT_ID)
            .attr("id", self.as_str())
            .end();
    }
}

impl Identity {
    /// The ids of the room with this bare JID, under a key of this installation.
    pub(crate) fn new(key: &[u8; 32], room: &str) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&key[..16]);
        let mut hasher = SipHasher13::new_with_key(&half);
        hasher.write(room.as_bytes());
        Self {
            key: hasher.finish128().as_bytes(),
        }
    }

    /// The id of whom the network knows by `source`.
    pub(crate) fn of(&self, source: &Source<'_>) -> OccupantId {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match source {
            Source::Known(text) => hasher.write(text.as_bytes()),
            Source::Nick(nick) => {
                hasher.write(b"n:");
                nick.bytes()
                    .for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
            }
        }
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 32];
        for (at, byte) in hasher.finish128().as_bytes().into_iter().enumerate() {
            digits[2 * at] = DIGITS[usize::from(byte >> 4)];
            digits[2 * at + 1] = DIGITS[usize::from(byte & 15)];
        }
        OccupantId(digits)
    }
}

impl Room {
    /// How the occupant behind a number is shown.
    pub(super) fn face(&self, base: &Base, id: NickId) -> Face {
        let mut table = base.names.lock();
        Face {
            id: self.identity.of(&table.source(id)),
            about: table.about(id).cloned().map(Box::new),
        }
    }

    /// The id of whoever has that nickname, in the room or not.
    pub(crate) fn id_of(&self, base: &Base, nick: &str) -> OccupantId {
        self.speaker(base, &Who::nick(nick))
    }

    /// The id of who says something; of one who is not known to be here it is made of what comes
    /// with his words.
    pub(crate) fn speaker(&self, base: &Base, who: &Who<'_>) -> OccupantId {
        let mut table = base.names.lock();
        if let Some(id) = table.find(&who.nick) {
            return self.identity.of(&table.source(id));
        }
        drop(table);
        match Source::known(who.account.as_deref(), who.handle.as_deref()) {
            Some(known) => self.identity.of(&Source::Known(&known)),
            None => self.identity.of(&Source::Nick(&who.nick)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_one_person_and_differs_between_rooms_and_people() {
        let (garden, kitchen) = (
            Identity::new(&[7; 32], "#garden@irc.example"),
            Identity::new(&[7; 32], "#kitchen@irc.example"),
        );
        let alice = Source::Known("a:alice");
        assert_eq!(garden.of(&alice), garden.of(&alice));
        assert_ne!(garden.of(&alice), kitchen.of(&alice));
        assert_ne!(garden.of(&alice), garden.of(&Source::Nick("alice")));
        assert_eq!(
            garden.of(&Source::Nick("Alice")),
            garden.of(&Source::Nick("alice"))
        );
    }
}
