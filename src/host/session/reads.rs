//! What a session's rooms read from the store: their archives and rows of them.

use super::{Load, Session};
use crate::store::{Conversation, Row, StoreFault};

impl Session {
    /// Asks the store for a room's archive; the room is shown once it is known.
    pub(super) fn open_archive(&mut self, name: &str, local: &str) {
        if !self.base.archives() {
            if let Some(room) = self.rooms.find(&self.base, name) {
                room.archived(&mut self.base, None);
            }
            return;
        }
        let peer = format!("{local}@{}", self.base.outbox.domain());
        let (user, gateway) = (
            self.base.user.to_string(),
            self.base.outbox.domain().to_owned(),
        );
        let conversation = self.base.shared.store.conversation(&user, &gateway, &peer);
        let key = self.base.folded(name);
        self.base.archives.push((key, conversation));
    }

    /// A room's archive is known, or cannot be had.
    pub(crate) fn archive_opened(&mut self, key: &[u8], opened: Result<Conversation, StoreFault>) {
        let Some(room) = self.rooms.by_key(key) else {
            return;
        };
        match opened {
            Ok(conversation) => room.archived(&mut self.base, Some(&conversation)),
            Err(fault) => {
                let user = &self.base.user;
                tracing::error!(%fault, %user, room = room.local, "this room goes unarchived");
                room.archived(&mut self.base, None);
            }
        }
    }

    /// Rows of an archive came, or cannot be had: who enters is shown what there is.
    pub(crate) fn rows_loaded(&mut self, load: &Load, rows: Result<Vec<Row>, StoreFault>) {
        let rows = rows.unwrap_or_else(|fault| {
            let user = &self.base.user;
            tracing::error!(%fault, %user, "the archive cannot be read");
            Vec::new()
        });
        if let Some(room) = self.rooms.by_key(&load.room) {
            room.loaded(&mut self.base, &load.resource, load.until, &rows);
        }
    }
}
