//! The user's contacts on this network: whom the gateway watches, and what it tells of them
//! (XEP-0100 §4.4 to 4.6). Who is a contact, and who is told, is the hub's (`contact::hub`).

use std::collections::BTreeSet;

use isthmus_gateway::{Caps, Command, Fault, FaultKind, Kind, Picture, Place};

use super::{Base, Link, Pending, Session};
use crate::host::contact::Mood;
use crate::host::fault;
use crate::host::picture::Portrait;

/// What the session does for contacts.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// The user is there and wants this network.
    pub(super) wanted: bool,
    /// Who is watched, by name.
    on: BTreeSet<Box<str>>,
}

impl Watching {
    /// Whether the network tells when he goes.
    pub(super) fn is_on(&self, base: &Base, nick: &str) -> bool {
        let mut on = self.on.iter();
        on.any(|contact| base.facts.fold.same(contact, nick))
    }
}

impl Session {
    /// Whether there is anything to be connected for.
    pub(crate) fn needs_network(&self) -> bool {
        self.rooms.len() > 0
            || self.watching.wanted
            || !self.base.commands.is_empty()
            || (self.stays() && self.base.link != Link::Over)
    }

    /// Whose presence the user wants may have changed, or whether he is there.
    pub(crate) fn contacts_changed(&mut self) {
        let view = self.base.hub.view(&self.base.user, &self.base.network);
        self.watching.wanted = view.wanted && self.base.link != Link::Over;
        self.is_there(view.there);
        // Asked for when there is somebody to ask.
        if self.base.link != Link::Online {
            return;
        }
        if !self.base.facts.caps.watch {
            return;
        }
        let before = std::mem::replace(&mut self.watching.on, view.watch);
        let after = self.watching.on.clone();
        for contact in before.difference(&after) {
            self.looks_of_contact(contact);
            let contact = contact.to_string().into();
            self.base
                .issue(Command::Watch { contact, on: false }, Pending::Nothing);
        }
        for contact in after.difference(&before) {
            let pending = Pending::Watch(contact.clone());
            let contact = contact.to_string().into();
            self.base
                .issue(Command::Watch { contact, on: true }, pending);
        }
    }

    /// The network knows nothing of what was watched on an earlier connection.
    pub(super) fn watch_anew(&mut self) {
        self.watching.on.clear();
        self.contacts_changed();
    }

    /// The network cannot be spoken to.
    pub(super) fn nothing_watched(&mut self, fault: &Fault, again: bool, first: bool) {
        self.base.network_lost();
        if !self.watching.wanted {
            return;
        }
        if first || !again {
            self.base.hub.login_failed(&self.base.user, fault);
        }
        self.watching.wanted = again;
    }

    /// The network tells of a contact.
    pub(super) fn contact_seen(
        &mut self,
        contact: &str,
        online: bool,
        away: Option<String>,
        since: Option<i64>,
    ) {
        if !online {
            self.looks_of_contact(contact);
        }
        let Ok(local) = self.base.local(Kind::Contact, contact) else {
            return;
        };
        let base = &self.base;
        if base.blocked.contains(&local) {
            return;
        }
        let ver = base.ver_of(contact);
        let mood = Mood {
            online,
            away,
            since,
            ver,
        };
        base.hub
            .seen(&base.user, &base.network, (&local, contact), mood);
    }

    /// What can be expressed has changed.
    pub(super) fn capable(&mut self, at: Option<Place<'_>>, caps: Caps) {
        self.base.set_caps(at, caps);
        self.unsettled = true;
        let base = &self.base;
        base.hub
            .able(&base.user, &base.network, |contact| base.ver_of(contact));
    }

    /// The network tells how somebody or something looks.
    pub(super) fn pictured(&mut self, at: &Place<'_>, picture: Option<&Picture<'_>>) {
        self.looks.forget(&self.base, at);
        let portrait = self.base.shared.album().portrait(picture);
        self.depict(at, portrait);
    }

    /// Somebody or something looks so.
    pub(super) fn depict(&mut self, at: &Place<'_>, portrait: Portrait) {
        let base = &self.base;
        match at {
            Place::Contact(contact) => {
                if let Ok(local) = base.local(Kind::Contact, contact) {
                    base.hub.pictured(&base.user, &local, portrait);
                }
            }
            Place::Occupant { nick, .. } => self.rooms.pictured(base, nick, portrait),
            Place::Room(name) => {
                if let Some(room) = self.rooms.find(base, name) {
                    room.pictured(base, portrait);
                }
            }
            Place::Network => {}
        }
    }

    /// A contact cannot be watched.
    pub(super) fn not_watched(&mut self, contact: &str, fault: &Fault) {
        let unknown = matches!(
            fault.kind,
            FaultKind::NoSuchTarget | FaultKind::BadAddress | FaultKind::Forbidden
        );
        if !unknown {
            return tracing::debug!(%fault, contact, "a contact cannot be watched");
        }
        self.watching.on.remove(contact);
        if let Ok(local) = self.base.local(Kind::Contact, contact) {
            let words = fault::words(fault, self.base.lang(None));
            self.base.hub.refused(&self.base.user, &local, words);
        }
    }
}
