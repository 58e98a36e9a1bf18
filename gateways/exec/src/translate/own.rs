//! Values that borrow from a line, with nothing borrowed.

use isthmus_gateway::{Blob, Delivery, Key, Message, Reply, Text, Who};

/// A delivery that outlives its line.
pub(crate) fn delivery(delivery: Delivery<'_>) -> Delivery<'static> {
    Delivery {
        user: delivery.user,
        dedup: delivery.dedup,
        peer: delivery.peer,
        message: message(delivery.message),
        peer_kept: delivery.peer_kept,
    }
}

fn message(message: Message<'_>) -> Message<'static> {
    Message {
        at: message.at.into_owned(),
        who: who(message.who),
        mine: message.mine,
        action: message.action,
        auto: message.auto,
        key: message.key.map(key),
        body: text(message.body),
        style: message.style.into_owned().into(),
        time: message.time,
        reply: message.reply.map(|reply| Reply {
            key: key(reply.key),
            who: text(reply.who),
        }),
        thread: message.thread.map(text),
        subject: message.subject.map(text),
        blobs: message.blobs.into_iter().map(Blob::into_owned).collect(),
        folded: message.folded.map(text),
        trust: message.trust,
    }
}

fn who(who: Who<'_>) -> Who<'static> {
    Who {
        nick: text(who.nick),
        account: who.account.map(text),
        handle: who.handle.map(text),
        name: who.name.map(text),
    }
}

/// A key that outlives its line.
pub(crate) fn key(key: Key<'_>) -> Key<'static> {
    Key(text(key.0))
}

fn text(text: Text<'_>) -> Text<'static> {
    text.into_owned().into()
}
