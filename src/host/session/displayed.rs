//! What the user has read in rooms (XEP-0490), whichever of his clients showed it: one of the
//! network's, told to his clients here, or one of these, told to the network.

use isthmus_gateway::{Key, Place};

use super::acts::{Asked, What};
use super::{Link, Session};
use crate::host::chat::Act;
use crate::host::contact::read_in;
use crate::host::reply::Origin;
use crate::host::room::Phase;
use crate::xmpp::stream::Stanza;

impl Session {
    /// The network tells how far the user has read a room with another client.
    pub(super) fn read_there(&mut self, name: &str, key: &Key<'_>) {
        let me = self.base.facts.me.clone();
        let Some(room) = self.rooms.find(&self.base, name) else {
            return;
        };
        let id = room.public_id(key);
        room.displayed(&mut self.base, key, &me);
        if room.reads(&id) {
            self.base.hub.room_read(&self.base.user, &room.local, &id);
        }
    }

    /// The user's PubSub service tells what his clients have shown him.
    pub(super) fn read_here(&mut self, stanza: &Stanza) {
        let (Some(origin), Ok(event)) =
            (Origin::of(stanza, self.base.lang(None)), stanza.element())
        else {
            return;
        };
        for (local, id) in read_in(&event, self.base.outbox.domain()) {
            let Some(room) = self.rooms.iter_mut().find(|room| room.local == local) else {
                continue;
            };
            let to = Place::Room(room.name.clone().into());
            let online = self.base.link == Link::Online && room.phase == Phase::Inside;
            if !online || !self.base.caps_at(&to).read {
                continue;
            }
            let (key, peer) = (room.key.clone(), room.jid(&self.base));
            self.consider(Asked {
                origin: origin.clone(),
                stanza: event.clone(),
                to,
                room: Some(key),
                peer,
                what: What::Act(Act::Displayed { id }),
            });
            // What it is about is looked up by now, and one look-up waits at a time: services
            // tell of one conversation in each event.
            return;
        }
    }
}
