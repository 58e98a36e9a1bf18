//! XEP-0199 ping, and XEP-0410 self-ping in rooms.

use crate::component::Outbox;
use crate::host::reply::Origin;
use crate::host::words::Denial;
use crate::xmpp::stanza::Condition;

/// Answers a ping to an occupant JID. `room` is, for a room the user has: whether the sender is
/// in it, and whether the nickname is. `mine`: the nickname is the sender's own.
pub(crate) fn occupant(outbox: &Outbox, origin: &Origin, room: Option<(bool, bool)>, mine: bool) {
    match room {
        // XEP-0410 §3.2: `not-acceptable` tells the client that it is not joined any more.
        None | Some((false, _)) => {
            origin.error(outbox, Condition::NotAcceptable, Denial::NotInRoom);
        }
        Some((true, _)) if mine => origin.result(outbox, |_| {}),
        Some((true, false)) => {
            origin.error(outbox, Condition::ItemNotFound, Denial::NicknameUnknown);
        }
        // XEP-0410 §3.2: a client takes this as a sign of being joined, too.
        Some((true, true)) => {
            let text = Denial::NoPings;
            origin.error(outbox, Condition::FeatureNotImplemented, text);
        }
    }
}
