//! Messages between the user and one person, and what all messages have in common.
//!
//! * `act`, `text`: what a message of the user's does, and its text for a network.
//! * `correction`, `recent`: what a network without corrections is told; what was said last.
//! * `write`: what a message from the network holds; `private`: the way it takes to the user.
//! * `features`: what of all this a place advertises, from its capabilities.

mod act;
mod correction;
mod encrypted;
mod features;
mod private;
mod recent;
mod text;
mod write;

pub(crate) use self::act::{Act, Answer, asks_receipt, is_kept};
pub use self::correction::Corrections;
pub(crate) use self::correction::told as correction_told;
pub(crate) use self::encrypted::refusal as encrypted;
pub(crate) use self::features::{of_contact, of_room, restrictions};
pub(crate) use self::private::{Peers, Way, tell, told, way};
pub(crate) use self::recent::{Own, Recent, Typing};
pub(crate) use self::text::{Text, body_of, subject_in_front, subject_of, text_of, typed};
pub(crate) use self::write::{
    Beside, Quoted, Spoken, write_displayed, write_message, write_reactions, write_received,
    write_replaced, write_retracted, write_said, write_stanza_id, write_state,
};

/// A message older than this bears the time it was sent at; milliseconds.
pub(crate) const LATE_MS: i64 = 30_000;

/// How long foreign ids are remembered: replies to an old mail, receipts of the day after.
pub(crate) const REMEMBER_MS: i64 = 180 * 24 * 3_600_000;
