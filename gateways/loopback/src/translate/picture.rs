//! Pictures of people and rooms: set by the raw line `picture BASE64` or `picture https://...`, or
//! by a test, told to who watches them or is in a room with them.

use std::collections::BTreeSet;

use isthmus_gateway::{Event, Picture, Place};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::{ClientId, Ended, FINISHED, Link, World, fold};

/// Most pictures there are at a time; one more is not taken.
const MOST: usize = 1_000;

/// How somebody looks.
#[derive(Clone)]
pub(crate) enum Look {
    /// Like this.
    Is(Picture<'static>),
    /// As what is there.
    At(String),
}

impl World {
    /// The raw line of this name; `None`: it is another line.
    pub(super) fn draws(&mut self, me: ClientId, line: &str) -> Option<()> {
        let word = line.strip_prefix("picture")?.trim();
        let text: StrDeserializer<'_, Error> = word.into_deserializer();
        let look = match word {
            "" => None,
            _ if word.contains("://") => Some(Look::At(word.to_owned())),
            _ => Some(Look::Is(Picture::deserialize(text).ok()?)),
        };
        let (network, nick) = (self.network_of(me), self.nick_of(me));
        self.foreign_picture(&network, &nick, look);
        Some(())
    }

    /// The user looks so to others.
    pub(super) fn wears(&mut self, me: ClientId, url: Option<&str>) -> Ended {
        self.must(|caps| caps.avatar)?;
        let look = url.map(|url| Look::At(url.to_owned()));
        let (network, nick) = (self.network_of(me), self.nick_of(me));
        self.foreign_picture(&network, &nick, look);
        FINISHED
    }

    /// Gives a nickname or a room (with its `#`) a picture, or takes it away.
    pub(crate) fn foreign_picture(&mut self, network: &str, name: &str, look: Option<Look>) {
        let key = (network.to_owned(), fold(name));
        let before = match &look {
            Some(look) if self.pictures.len() < MOST || self.pictures.contains_key(&key) => {
                self.pictures.insert(key, look.clone())
            }
            _ => self.pictures.remove(&key),
        };
        let by_link = matches!(look.as_ref().or(before.as_ref()), Some(Look::At(_)));
        if let Some(room) = self.room_mut(network, name) {
            let all: BTreeSet<ClientId> = room.clients().collect();
            let at = Place::Room(name.to_owned().into());
            return self.tell(&all, &told(at, look, by_link));
        }
        let watching = self.clients.iter().filter(|(_, client)| {
            client.network == network && client.link == Link::Up && client.watches(name)
        });
        let mut watching: BTreeSet<ClientId> = watching.map(|(id, _)| *id).collect();
        let rooms = self.networks.get(network).into_iter();
        let rooms = rooms.flat_map(|it| it.rooms.values());
        let here = rooms.filter(|room| room.members.contains_key(&fold(name)));
        let here: Vec<(String, BTreeSet<ClientId>)> = here
            .map(|room| (room.name.clone(), room.clients().collect()))
            .collect();
        if by_link {
            // One event stands for wherever he is.
            watching.extend(here.iter().flat_map(|(_, all)| all));
        }
        let at = Place::Contact(name.to_owned().into());
        self.tell(&watching, &told(at, look.clone(), by_link));
        for (room, all) in here.into_iter().filter(|_| !by_link) {
            let at = Place::Occupant {
                room: room.into(),
                nick: name.to_owned().into(),
            };
            self.tell(&all, &told(at, look.clone(), false));
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
        if let Some(look) = self.pictures.get(&key).cloned() {
            let by_link = matches!(look, Look::At(_));
            self.push(me, told(at, Some(look), by_link));
        }
    }
}

/// `by_link`: what is taken away was a link.
fn told(at: Place<'static>, look: Option<Look>, by_link: bool) -> Event<'static> {
    match look {
        Some(Look::Is(picture)) => {
            let picture = Some(picture);
            Event::Picture { at, picture }
        }
        Some(Look::At(url)) => {
            let url = Some(url.into());
            Event::PictureLink { at, url }
        }
        None if by_link => Event::PictureLink { at, url: None },
        None => Event::Picture { at, picture: None },
    }
}
