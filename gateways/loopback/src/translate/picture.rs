//! Pictures of people and rooms: set by the raw line `picture BASE64` or by a test, told to who
//! watches them or is in a room with them.

use std::collections::BTreeSet;

use isthmus_gateway::{Event, Picture, Place};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::{ClientId, Link, World, fold};

/// Most pictures there are at a time; one more is not taken.
const MOST: usize = 1_000;

impl World {
    /// The raw line of this name; `None`: it is another line.
    pub(super) fn draws(&mut self, me: ClientId, line: &str) -> Option<()> {
        let base64 = line.strip_prefix("picture")?.trim();
        let text: StrDeserializer<'_, Error> = base64.into_deserializer();
        let picture = match base64.is_empty() {
            true => None,
            false => Some(Picture::deserialize(text).ok()?),
        };
        let (network, nick) = (self.network_of(me), self.nick_of(me));
        self.foreign_picture(&network, &nick, picture);
        Some(())
    }

    /// Gives a nickname or a room (with its `#`) a picture, or takes it away.
    pub(crate) fn foreign_picture(
        &mut self,
        network: &str,
        name: &str,
        picture: Option<Picture<'static>>,
    ) {
        let key = (network.to_owned(), fold(name));
        match &picture {
            Some(picture) if self.pictures.len() < MOST || self.pictures.contains_key(&key) => {
                self.pictures.insert(key, picture.clone());
            }
            _ => {
                self.pictures.remove(&key);
            }
        }
        if let Some(room) = self.room_mut(network, name) {
            let all: BTreeSet<ClientId> = room.clients().collect();
            let at = Place::Room(name.to_owned().into());
            return self.tell(&all, &Event::Picture { at, picture });
        }
        let watching = self.clients.iter().filter(|(_, client)| {
            client.network == network && client.link == Link::Up && client.watches(name)
        });
        let watching = watching.map(|(id, _)| *id).collect();
        let event = Event::Picture {
            at: Place::Contact(name.to_owned().into()),
            picture: picture.clone(),
        };
        self.tell(&watching, &event);
        let rooms = self.networks.get(network).into_iter();
        let rooms = rooms.flat_map(|it| it.rooms.values());
        let here = rooms.filter(|room| room.members.contains_key(&fold(name)));
        let here: Vec<(String, BTreeSet<ClientId>)> = here
            .map(|room| (room.name.clone(), room.clients().collect()))
            .collect();
        for (room, all) in here {
            let at = Place::Occupant {
                room: room.into(),
                nick: name.to_owned().into(),
            };
            let picture = picture.clone();
            self.tell(&all, &Event::Picture { at, picture });
        }
    }

    /// Tells a client how a contact looks, if he has a picture.
    pub(super) fn show_contact(&mut self, me: ClientId, contact: &str) {
        let at = Place::Contact(contact.to_owned().into());
        self.show_picture(me, contact, at);
    }

    /// Tells a client how a room and those in it look, as far as they have pictures.
    pub(super) fn show_room(&mut self, me: ClientId, network: &str, name: &str) {
        if self.pictures.is_empty() {
            return;
        }
        self.show_picture(me, name, Place::Room(name.to_owned().into()));
        let room = self.room_mut(network, name).into_iter();
        let nicks: Vec<String> = room
            .flat_map(|room| room.members.values())
            .map(|member| member.nick.clone())
            .collect();
        for nick in nicks {
            let at = Place::Occupant {
                room: name.to_owned().into(),
                nick: nick.clone().into(),
            };
            self.show_picture(me, &nick, at);
        }
    }

    fn show_picture(&mut self, me: ClientId, name: &str, at: Place<'static>) {
        let key = (self.network_of(me), fold(name));
        if let Some(picture) = self.pictures.get(&key).cloned() {
            let picture = Some(picture);
            self.push(me, Event::Picture { at, picture });
        }
    }
}
