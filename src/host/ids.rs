//! Public ids of messages: keyed, unpredictable, and the same for every copy of a message.
//!
//! XEP-0359 §3.1 wants ids that cannot be guessed and say nothing. An id is the 128-bit SipHash
//! of the room and the network's own id of the message under a key of this deployment, so that
//! the copies of several users agree; where the network gives no id, a count of this session
//! takes its place.

use std::fmt::Write as _;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// Makes ids for one conversation.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    key: [u8; 16],
    session: u64,
    count: u64,
}

impl Ids {
    /// Ids under `key`; `session` tells apart sessions and runs of the program.
    pub(crate) fn new(key: &[u8; 32], conversation: &str, session: u64) -> Self {
        let mut hasher = SipHasher13::new_with_key(&first_half(key));
        hasher.write(conversation.as_bytes());
        Self {
            key: hasher.finish128().as_bytes(),
            session,
            count: 0,
        }
    }

    /// The id of the message the network calls `foreign`, or of the next one that has no name.
    pub(crate) fn next<'b>(&mut self, foreign: Option<&str>, into: &'b mut String) -> &'b str {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match foreign {
            Some(foreign) => {
                hasher.write_u8(1);
                hasher.write(foreign.as_bytes());
            }
            None => {
                self.count += 1;
                hasher.write_u8(2);
                hasher.write_u64(self.session);
                hasher.write_u64(self.count);
            }
        }
        into.clear();
        // Writing to a String cannot fail.
        let _ = write!(into, "{:032x}", hasher.finish128().as_u128());
        into
    }
}

/// An id that is known again when a stanza comes back under it, without being kept anywhere: `id`
/// with a seal over it and `whose` it is.
pub(crate) fn sealed(key: &[u8; 32], whose: &str, id: &str) -> String {
    format!("{id}-{:016x}", seal(key, whose, id))
}

/// Whether an id was made by [`sealed`] for the same.
pub(crate) fn is_sealed(key: &[u8; 32], whose: &str, id: &str) -> bool {
    let Some((id, given)) = id.rsplit_once('-') else {
        return false;
    };
    given.len() == 16 && u64::from_str_radix(given, 16) == Ok(seal(key, whose, id))
}

fn seal(key: &[u8; 32], whose: &str, id: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_key(&first_half(key));
    hasher.write_u8(3);
    hasher.write(whose.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(id.as_bytes());
    hasher.finish128().h1
}

fn first_half(key: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&key[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_id_is_known_again_for_whom_it_was_made_and_none_else_is() {
        let key = [7; 32];
        let id = sealed(&key, "juliet@example.org", "a-b");
        assert!(is_sealed(&key, "juliet@example.org", &id));
        assert!(!is_sealed(&key, "romeo@example.org", &id));
        assert!(!is_sealed(&[8; 32], "juliet@example.org", &id));
        for other in ["", "-", "a-b", "a-0000000000000000", &id[1..]] {
            assert!(!is_sealed(&key, "juliet@example.org", other), "{other}");
        }
    }

    #[test]
    fn two_sessions_give_one_message_one_id_and_nameless_ones_their_own() {
        let key = [7; 32];
        let (mut one, mut two) = (Ids::new(&key, "#a%net", 1), Ids::new(&key, "#a%net", 2));
        let mut other_room = Ids::new(&key, "#b%net", 1);
        let id = |ids: &mut Ids, foreign| ids.next(foreign, &mut String::new()).to_owned();
        assert_eq!(id(&mut one, Some("m1")), id(&mut two, Some("m1")));
        assert_ne!(id(&mut one, Some("m1")), id(&mut other_room, Some("m1")));
        assert_ne!(id(&mut one, None), id(&mut two, None));
        assert_ne!(id(&mut one, None), id(&mut one, None));
    }
}
