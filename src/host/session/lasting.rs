//! What lasts when nobody sits in a room any more, and when the program is restarted: the rooms a
//! user stays in (setting `persistent`), and his nickname.
//!
//! It is a document in the store, one for each network, written whenever it changes and read when
//! a session begins. The domain opens a session for each when the program starts (`Domain::attach`).

use serde::{Deserialize, Serialize};

use super::{Link, Session};
use crate::store::StoreFault;

/// What the names of these documents begin with; the network follows.
pub(crate) const LASTING: &str = "rooms/";

/// What a user wants of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    /// His nickname.
    pub(crate) nick: String,
    /// His rooms.
    pub(crate) rooms: Vec<WantedRoom>,
}

/// A room he stays in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WantedRoom {
    /// Its name as the network spells it.
    pub(crate) name: String,
    /// The last row of its archive that a resource of his has been shown; absent while one is
    /// there.
    pub(crate) heard: Option<i64>,
}

/// The name of the document of one network.
pub(crate) fn document(network: &str) -> String {
    format!("{LASTING}{network}")
}

/// Reads a document.
pub(crate) fn read(kept: Result<Option<Vec<u8>>, StoreFault>) -> Wanted {
    let kept = kept.unwrap_or_else(|fault| {
        tracing::error!(%fault, "the rooms a user stays in cannot be read");
        None
    });
    let wanted = kept.map(|bytes| serde_json::from_slice(&bytes));
    wanted.and_then(Result::ok).unwrap_or_default()
}

impl Session {
    /// The user's rooms are entered again, without anybody in them.
    pub(crate) fn restore(&mut self, wanted: &Wanted) {
        for room in &wanted.rooms {
            if self.rooms.has(&self.base, &room.name) || !self.base.stays_in(&room.name) {
                continue;
            }
            let Some(restored) = self.rooms.add(&self.base, &room.name, None) else {
                continue;
            };
            restored.restore(&self.base, &wanted.nick, room.heard);
            let local = restored.local.clone();
            self.open_archive(&room.name, &local);
        }
        self.lasting = Some(wanted.clone());
    }

    /// Keeps what has changed of what lasts.
    pub(crate) fn keep_wanted(&mut self) {
        // Nothing is given up because a network is gone for good: the user may set that right.
        if self.base.link == Link::Over {
            return;
        }
        let Some(before) = &self.lasting else {
            return;
        };
        let base = &self.base;
        let rooms = self.rooms.iter().filter(|room| room.lasts(base));
        let rooms: Vec<WantedRoom> = rooms
            .map(|room| WantedRoom {
                name: room.name.clone(),
                heard: room.heard().filter(|_| room.resources.is_empty()),
            })
            .collect();
        let nick = match rooms.is_empty() || base.facts.me.is_empty() {
            true => before.nick.clone(),
            false => base.facts.me.clone(),
        };
        for room in &rooms {
            let stays = before.rooms.iter().any(|it| it.name == room.name);
            let local = self.rooms.find(base, &room.name);
            if let (false, Some(local)) = (stays, local.map(|it| it.local.clone())) {
                base.hub.room_stays(&base.user, &local, &base.facts.me);
            }
        }
        let wanted = Wanted { nick, rooms };
        if wanted != *before {
            self.write_wanted(wanted);
        }
    }

    /// Nothing lasts any more.
    pub(crate) fn forget_wanted(&mut self) {
        self.write_wanted(Wanted::default());
    }

    fn write_wanted(&mut self, wanted: Wanted) {
        let bytes = serde_json::to_vec(&wanted).ok();
        let bytes = bytes.filter(|_| !wanted.rooms.is_empty());
        let (user, domain) = (self.base.user.as_str(), self.base.outbox.domain());
        let name = document(&self.base.network);
        self.base.shared.store.keep(user, domain, &name, bytes);
        self.lasting = Some(wanted);
    }
}
