//! Private messages: to and from a contact's JID, or through a room to one of its occupants
//! (XEP-0045 §7.5).
//!
//! A network like IRC does not say from which room a private message comes. It is shown where the
//! user last wrote to that person: in the room's private conversation, or else at the contact's
//! own JID, which needs no room.

use isthmus_gateway::{Key, Kind, Message, Time};

use super::{LATE_MS, Spoken, write_message};
use crate::component::Class;
use crate::host::post::head;
use crate::host::room::{OccupantId, Rooms};
use crate::host::session::Base;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::{Sender, StanzaName};

/// The most people whose way is remembered.
const MOST: usize = 256;

/// Through which room the user last wrote to whom.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Oldest first.
    through: Vec<Way>,
}

/// The way to one person, both names folded.
#[derive(Debug)]
struct Way {
    nick: Box<[u8]>,
    room: Box<[u8]>,
}

impl Peers {
    /// The user wrote to `nick`: through a room, or directly.
    pub(crate) fn wrote(&mut self, base: &Base, nick: &str, room: Option<&[u8]>) {
        let nick = base.folded(nick);
        self.through.retain(|way| way.nick != nick);
        if let Some(room) = room {
            if self.through.len() == MOST {
                self.through.remove(0);
            }
            self.through.push(Way {
                nick,
                room: room.into(),
            });
        }
    }

    fn room_of(&self, base: &Base, nick: &str) -> Option<&[u8]> {
        if self.through.is_empty() {
            return None;
        }
        let nick = base.folded(nick);
        self.through
            .iter()
            .find(|way| way.nick == nick)
            .map(|way| &*way.room)
    }
}

/// Somebody says something to the user alone.
pub(crate) fn received(base: &mut Base, rooms: &mut Rooms, peers: &Peers, message: &Message<'_>) {
    if message.mine {
        // Said by the user from another connection: his server was not there to see it, and a
        // message that claims to be his own would be refused by it.
        return;
    }
    let nick = &message.who.nick;
    let room = peers.room_of(base, nick).and_then(|key| rooms.by_key(key));
    if let Some(room) = room.filter(|room| !room.resources.is_empty()) {
        let local = room.local.clone();
        let jids: Vec<_> = room.resources.iter().map(|r| r.jid.clone()).collect();
        let resource = resource_from_nick(nick);
        let speaker = room.speaker(base, &message.who);
        let from = Sender {
            local: Some(&local),
            resource: Some(&resource),
        };
        for jid in jids {
            send(base, message, from, &jid, Some(speaker));
        }
        return;
    }
    let Ok(local) = base.local(Kind::Contact, nick) else {
        tracing::debug!("a private message from a nickname that makes no address is dropped");
        return;
    };
    let user = base.user.to_string();
    send(
        base,
        message,
        Sender {
            local: Some(&local),
            resource: None,
        },
        &user,
        None,
    );
}

fn send(
    base: &mut Base,
    message: &Message<'_>,
    from: Sender<'_>,
    to: &str,
    speaker: Option<OccupantId>,
) {
    let mut id = String::new();
    base.ids
        .next(message.key.as_ref().map(|Key(key)| key.as_ref()), &mut id);
    let by = match from.local {
        Some(local) => format!("{local}@{}", base.outbox.domain()),
        None => base.outbox.domain().to_owned(),
    };
    let at = message
        .time
        .map(|Time(ms)| ms)
        .filter(|ms| (base.now_ms - ms).abs() > LATE_MS);
    let spoken = Spoken {
        id: &id,
        by: &by,
        at,
    };
    let (class, name) = (Class::Message, StanzaName::Message);
    base.outbox.push(|batch| {
        batch.stanza(
            class,
            head(name, from, to, Some("chat"), Some(&id)),
            |xml| {
                write_message(xml, message, &spoken);
                if let Some(speaker) = speaker {
                    xml.leaf("x", ns::MUC_USER);
                    speaker.write(xml);
                }
            },
        );
    });
}
