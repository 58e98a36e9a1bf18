//! Values that borrow from a line, with nothing borrowed.

use isthmus_gateway::{Delivery, Key};

/// A delivery that outlives its line.
pub(crate) fn delivery(delivery: Delivery<'_>) -> Delivery<'static> {
    Delivery {
        user: delivery.user,
        dedup: delivery.dedup,
        peer: delivery.peer,
        message: delivery.message.into_owned(),
        peer_kept: delivery.peer_kept,
        returns: delivery.returns,
    }
}

/// A key that outlives its line.
pub(crate) fn key(key: Key<'_>) -> Key<'static> {
    key.into_owned()
}
