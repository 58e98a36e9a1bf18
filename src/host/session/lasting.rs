//! What lasts when nobody sits in a room any more, and when the program is restarted: the rooms a
//! user stays in (setting `persistent`), and his nickname.
//!
//! It is a document in the store, one for each network, written whenever it changes and read when
//! a session begins; passwords of rooms are sealed beside it. The domain opens a session for each when the program starts (`Domain::attach`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Base, Link, Session};
use crate::host::setting;
use crate::secret::Secret;
use crate::store::{Later, Store, StoreFault};

/// What the names of these documents begin with; the network follows.
pub(crate) const LASTING: &str = "rooms/";
/// What the names of the sealed passwords begin with.
const PASSWORDS: &str = "room passwords/";

/// What a user wants of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    /// His nickname.
    pub(crate) nick: String,
    /// His rooms.
    pub(crate) rooms: Vec<WantedRoom>,
    /// He stays on the network without any.
    pub(crate) stays: bool,
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
    /// Its password; kept elsewhere.
    #[serde(skip)]
    pub(crate) password: Option<String>,
}

/// Reads what a user wants of one network.
pub(crate) fn wanted(base: &Base) -> Later<Wanted> {
    let (store, network) = (base.shared.store(), base.network.to_string());
    let (user, domain) = (base.user.to_string(), base.outbox.domain().to_owned());
    Box::pin(async move {
        let kept = store.kept(&user, &domain, &format!("{LASTING}{network}"));
        let mut wanted = read(kept.await);
        if !wanted.rooms.is_empty() {
            let name = format!("{PASSWORDS}{network}");
            let mut passwords = passwords(store, &user, &domain, &name).await;
            for room in &mut wanted.rooms {
                room.password = passwords.remove(&room.name);
            }
        }
        wanted
    })
}

fn read(kept: Result<Option<Vec<u8>>, StoreFault>) -> Wanted {
    let kept = kept.unwrap_or_else(|fault| {
        tracing::error!(%fault, "the rooms a user stays in cannot be read");
        None
    });
    let wanted = kept.map(|bytes| serde_json::from_slice(&bytes));
    wanted.and_then(Result::ok).unwrap_or_default()
}

/// The passwords of rooms by their names.
async fn passwords(
    store: Arc<dyn Store>,
    user: &str,
    domain: &str,
    name: &str,
) -> BTreeMap<String, String> {
    let sealed = store.unseal(user, domain, name).await;
    let sealed = sealed.unwrap_or_else(|fault| {
        tracing::error!(%fault, "the passwords of rooms cannot be read");
        None
    });
    // The words of an error would quote what was sealed.
    let passwords = sealed.map(|sealed| serde_json::from_str(sealed.expose()));
    passwords.and_then(Result::ok).unwrap_or_default()
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
            restored.restore(&self.base, &wanted.nick, room);
            let local = restored.local.clone();
            self.open_archive(&room.name, &local);
        }
        if !wanted.nick.is_empty() {
            self.base.wish.comes_as(&wanted.nick);
        }
        // He was in a conversation, or wants to be where one could begin.
        self.private |= wanted.stays;
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
                password: room.password.clone(),
            })
            .collect();
        let stays = self.stays();
        let me = base.wish.nick().unwrap_or(&base.facts.me);
        // What the network made of a name that nobody chose is nothing to ask for again.
        let nick = base.wish.nick().unwrap_or(&before.nick).to_owned();
        for room in &rooms {
            let stays = before.rooms.iter().any(|it| it.name == room.name);
            let local = self.rooms.find(base, &room.name);
            if let (false, Some(local)) = (stays, local.map(|it| it.local.clone())) {
                base.hub.room_stays(&base.user, &local, me);
            }
        }
        let wanted = Wanted { nick, rooms, stays };
        if wanted != *before {
            self.write_wanted(wanted);
        }
    }

    /// Nothing lasts any more.
    pub(crate) fn forget_wanted(&mut self) {
        self.write_wanted(Wanted::default());
    }

    fn write_wanted(&mut self, wanted: Wanted) {
        let passwords = |of: &Wanted| {
            let rooms = of.rooms.iter();
            let known = rooms.filter_map(|room| Some((room.name.clone(), room.password.clone()?)));
            known.collect::<BTreeMap<String, String>>()
        };
        let bytes = serde_json::to_vec(&wanted).ok();
        let bytes = bytes.filter(|_| !wanted.rooms.is_empty() || wanted.stays);
        let (user, domain) = (self.base.user.as_str(), self.base.outbox.domain());
        let network = &self.base.network;
        let store = &self.base.shared.store;
        store.keep(user, domain, &format!("{LASTING}{network}"), bytes);
        let after = passwords(&wanted);
        if self.lasting.as_ref().map(passwords) != Some(after.clone()) {
            let sealed = match after.is_empty() {
                true => String::new(),
                false => serde_json::to_string(&after).unwrap_or_default(),
            };
            let name = format!("{PASSWORDS}{network}");
            let sealing = store.seal(user, domain, &name, &Secret::new(sealed));
            // Asked for in the order of these calls; only the answer is waited for.
            tokio::spawn(async move {
                if let Err(fault) = sealing.await {
                    tracing::error!(%fault, "the passwords of rooms cannot be kept");
                }
            });
        }
        self.lasting = Some(wanted);
    }

    /// Private messages are exchanged.
    pub(super) fn converses(&mut self) {
        self.unsettled |= !self.private;
        self.private = true;
    }

    /// Whether the user stays on the network whoever is there: he said so of this network, or of
    /// all and speaks with people here.
    pub(super) fn stays(&self) -> bool {
        let settings = self.base.settings.as_deref();
        let of_it = settings.and_then(|it| it.network.get(setting::PERSISTENT));
        if let Some(of_it) = of_it {
            return of_it == "true";
        }
        let of_all = settings.and_then(|it| it.gateway.get(setting::PERSISTENT));
        let (shared, domain) = (&self.base.shared, self.base.outbox.domain());
        self.private && of_all.map_or_else(|| shared.stays(domain), |it| it == "true")
    }
}
