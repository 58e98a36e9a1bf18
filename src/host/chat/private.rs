//! Private messages: to and from a contact's JID, or through a room to one of its occupants
//! (XEP-0045 §7.5).
//!
//! A network like IRC does not say from which room a private message comes. It is shown where the
//! user last wrote to that person: in the room's private conversation, or else at the contact's
//! own JID, which needs no room.

use isthmus_gateway::Kind;

use crate::component::Class;
use crate::host::post::head;
use crate::host::room::{OccupantId, Rooms};
use crate::host::session::Base;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::{self, Head, STANZA_MAX, Sender, StanzaName, Xml};

/// The most people whose way is remembered.
const MOST: usize = 256;

/// Through which room the user last wrote to whom.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Oldest first.
    through: Vec<Through>,
}

/// Through which room, both names folded.
#[derive(Debug)]
struct Through {
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
            self.through.push(Through {
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

/// The way of a private stanza to the user.
#[derive(Debug)]
pub(crate) struct Way {
    local: String,
    /// The occupant, where it goes through a room.
    resource: Option<String>,
    to: Vec<String>,
    /// Who he is in that room (XEP-0421).
    speaker: Option<OccupantId>,
}

/// The way from that person to the user; `None` if the name makes no address.
pub(crate) fn way(base: &Base, rooms: &mut Rooms, peers: &Peers, nick: &str) -> Option<Way> {
    let room = peers.room_of(base, nick).and_then(|key| rooms.by_key(key));
    if let Some(room) = room.filter(|room| !room.resources.is_empty()) {
        return Some(Way {
            local: room.local.clone(),
            resource: Some(resource_from_nick(nick).into_owned()),
            to: room.resources.iter().map(|r| r.jid.clone()).collect(),
            speaker: Some(room.id_of(base, nick)),
        });
    }
    let Ok(local) = base.local(Kind::Contact, nick) else {
        tracing::debug!("what comes from a nickname that makes no address is dropped");
        return None;
    };
    Some(Way {
        local,
        resource: None,
        to: vec![base.user.to_string()],
        speaker: None,
    })
}

impl Way {
    fn write(&self, xml: &mut Xml<'_>, content: &impl Fn(&mut Xml<'_>)) {
        content(xml);
        if let Some(speaker) = self.speaker {
            xml.leaf("x", ns::MUC_USER);
            speaker.write(xml);
        }
    }

    /// The bare JID it comes from.
    pub(crate) fn from(&self, base: &Base) -> String {
        format!("{}@{}", self.local, base.outbox.domain())
    }

    /// The JID it comes from.
    pub(crate) fn author(&self, base: &Base) -> String {
        match &self.resource {
            Some(resource) => format!("{}/{resource}", self.from(base)),
            None => self.from(base),
        }
    }
}

/// Sends something private on its way.
pub(crate) fn tell(
    base: &Base,
    way: &Way,
    class: Class,
    id: Option<&str>,
    content: impl Fn(&mut Xml<'_>),
) {
    let from = Sender {
        local: Some(&way.local),
        resource: way.resource.as_deref(),
    };
    let name = StanzaName::Message;
    base.outbox.push(|batch| {
        for to in &way.to {
            batch.stanza(class, head(name, from, to, Some("chat"), id), |xml| {
                way.write(xml, &content);
            });
        }
    });
}

/// The same as bytes, for the archive, sent to the user's bare JID.
pub(crate) fn told(
    way: &Way,
    domain: &str,
    user: &str,
    id: &str,
    content: impl Fn(&mut Xml<'_>),
) -> Vec<u8> {
    let head = Head {
        name: StanzaName::Message,
        domain,
        from: Sender {
            local: Some(&way.local),
            resource: way.resource.as_deref(),
        },
        to: user,
        kind: Some("chat"),
        id: Some(id),
    };
    let mut stanza = Vec::with_capacity(256);
    // A nickname that makes no address has no way.
    let _ = write::stanza(&mut stanza, STANZA_MAX, head, |xml| {
        way.write(xml, &content)
    });
    stanza
}
