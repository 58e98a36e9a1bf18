//! A room the user stays in although none of his resources sits in it (setting `persistent`), and
//! how it is taken up again after a restart.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use isthmus_gateway::{Fault, FaultKind};

use super::exit::STAYS;
use super::talk::RECENT;
use super::{Phase, Recent, Room};
use crate::host::session::Base;
use crate::host::session::lasting::WantedRoom;
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
    pub(crate) fn restore(&mut self, base: &Base, nick: &str, wanted: &WantedRoom) {
        let heard = wanted.heard;
        self.password.clone_from(&wanted.password);
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

    /// The room has a password, this one if it was shown; or none any more.
    pub(crate) fn has_password(&mut self, any: bool, shown: Option<&str>) {
        match shown {
            Some(password) => self.password = Some(password.to_owned()),
            // What was never known to be there is not known to be gone.
            None if self.flags.password && !any => self.password = None,
            None => {}
        }
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
    pub(super) fn not_let_in(&mut self, base: &Base, fault: &Fault) {
        let tries = most_tries(fault.kind, self.entered && base.stays_in(&self.name));
        self.retry = None;
        if tries == 0 && self.entered {
            self.entered = false;
            self.leave_at = None;
        }
    }

    /// Whether the user, who was in here before, is to ask again later: what kept him out may have
    /// been the moment. Services may not know him yet, the network be in a hurry.
    pub(super) fn is_tried_again(&mut self, base: &Base, fault: &Fault) -> bool {
        let lasts = base.stays_in(&self.name);
        let tries = self.retry.map_or(0, |retry| retry.tries);
        if !self.entered || tries >= most_tries(fault.kind, lasts) {
            return false;
        }
        if tries >= SEATED {
            // Nobody is shown for ever in a room that does not let him in.
            for resource in std::mem::take(&mut self.resources) {
                self.put_out(base, resource, fault);
            }
        }
        if self.resources.is_empty() && lasts {
            self.leave_at = Some(base.now + STAYS);
        }
        let pause = FIRST_RETRY * (1 << tries.min(MOST_DOUBLED));
        self.retry = Some(Retry {
            at: Some(base.now + pause),
            tries: tries + 1,
        });
        true
    }

    /// When the user asks again to be let in.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        let waits = self.phase == Phase::Wanted;
        self.retry.filter(|_| waits).and_then(|retry| retry.at)
    }
}

/// An entrance that is to be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// When; `None`: it is being tried.
    pub(super) at: Option<Instant>,
    /// How often it was refused.
    pub(super) tries: u32,
}

/// Before the first time a room is asked again; each pause is twice the last.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest pause is 2560 s.
const MOST_DOUBLED: u32 = 9;
/// So often while resources sit in the room: about five minutes.
const SEATED: u32 = 6;
/// So often where the room may have become closed to the user: about an hour and a half.
const CLOSED: u32 = 10;

/// How often a room the user was in is asked again after this refusal.
fn most_tries(kind: FaultKind, lasts: bool) -> u32 {
    let most = match kind {
        FaultKind::NetworkDown
        | FaultKind::TimedOut
        | FaultKind::TooFast
        | FaultKind::Full
        | FaultKind::RoomFull
        | FaultKind::Internal => u32::MAX,
        // As long as services do not know him he may be a stranger.
        FaultKind::NotRegistered | FaultKind::MembersOnly => CLOSED,
        _ => 0,
    };
    if lasts { most } else { most.min(SEATED) }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
