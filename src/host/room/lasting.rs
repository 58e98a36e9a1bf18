//! A room the user stays in although none of his resources sits in it (setting `persistent`), and
//! how it is taken up again after a restart.

use std::hash::{DefaultHasher, Hash, Hasher};

use isthmus_gateway::{Fault, FaultKind};

use super::exit::STAYS;
use super::talk::RECENT;
use super::{Phase, Recent, Room};
use crate::host::session::Base;
use crate::store::{Page, Row};

/// What was kept of a room when the program ended.
#[derive(Debug)]
pub(super) struct Restored {
    /// The user's nickname.
    pub(super) nick: String,
    /// The last row some resource had been shown; absent: all of them.
    heard: Option<i64>,
}

impl Room {
    /// The room is entered for nobody in particular, as before the program ended.
    pub(crate) fn restore(&mut self, base: &Base, nick: &str, heard: Option<i64>) {
        self.entered = true;
        self.leave_at = Some(base.now + STAYS);
        self.restored = Some(Restored {
            nick: nick.to_owned(),
            heard,
        });
    }

    /// Whether the network has let the user in, and not put him out since.
    pub(crate) fn was_entered(&self) -> bool {
        self.entered
    }

    /// Whether the user stays here when nobody sits here any more.
    pub(crate) fn lasts(&self, base: &Base) -> bool {
        self.entered && self.phase != Phase::Leaving && base.stays_in(&self.name)
    }

    /// The last row of the archive that some resource has been shown.
    pub(crate) fn heard(&self) -> Option<i64> {
        self.archive.map(|archive| archive.heard)
    }

    /// The archive of a restored room is there: what it ends with tells what was missed since.
    pub(super) fn look_back(&mut self, base: &mut Base) {
        let (Some(restored), Some(archive)) = (&self.restored, &mut self.archive) else {
            return;
        };
        if let Some(heard) = restored.heard {
            archive.heard = heard.min(archive.last);
        }
        let (id, until) = (archive.id, archive.last);
        let page = Page {
            after: 0,
            newest: RECENT,
            since: None,
            until: Some(until),
        };
        base.load(self.key.clone(), String::new(), id, page);
    }

    /// The end of the archive has come.
    pub(super) fn looked_back(&mut self, rows: &[Row]) {
        let earlier = rows.iter().map(|row| Recent {
            id: hash(&row.id),
            public: hash(&row.id),
            author: 0,
            row: row.number,
            shown: None,
        });
        for recent in earlier.rev() {
            if self.recent.len() < RECENT {
                self.recent.push_front(recent);
            }
        }
        let Some(last) = rows.last() else { return };
        // Whoever is in already asked for nothing before this was known.
        self.missed_since = Some(last.at);
        self.last_said = self.last_said.max(last.at);
    }

    /// The network did not let the user in: for good, or for now.
    pub(super) fn not_let_in(&mut self, fault: &Fault) {
        let for_now = matches!(
            fault.kind,
            FaultKind::NetworkDown
                | FaultKind::TimedOut
                | FaultKind::TooFast
                | FaultKind::Full
                | FaultKind::RoomFull
                | FaultKind::Internal
        );
        if !for_now && self.entered {
            self.entered = false;
            self.leave_at = None;
        }
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
