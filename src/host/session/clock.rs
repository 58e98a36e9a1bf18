//! What time does to a session: deadlines of commands, rooms that are left, the session's end.

use crate::host::fault;
use std::time::Instant;

use isthmus_gateway::FaultKind;

use super::{AFTER_ROOMS, LINGER, Link, Session};

impl Session {
    /// Lets time pass.
    pub(crate) fn tick(&mut self) {
        for tag in self.base.overdue() {
            self.ended(tag, Err(fault::bare(FaultKind::TimedOut)));
        }
        let rooms = self.rooms.len();
        self.rooms.tidy(&mut self.base);
        if self.rooms.len() < rooms {
            self.forget_strangers();
        }
        self.tidy_listing();
        self.avatar_due();
        if self.missed.deadline().is_some_and(|at| at <= self.base.now) {
            self.release_private();
        }
        if self.rooms.len() > 0 {
            self.roomless = None;
        } else if self.roomless.is_none() {
            self.roomless = Some(self.base.now);
        }
    }

    /// Whether nobody needs the session any more.
    pub(crate) fn is_over(&self) -> bool {
        if self.is_needed() {
            return false;
        }
        // Nobody waits for a network that is not there, unless for answers.
        let idle = self.base.link == Link::Away && !self.private;
        let over = idle || self.base.link == Link::Over;
        over || self.end().is_some_and(|end| end <= self.base.now)
    }

    fn is_needed(&self) -> bool {
        self.rooms.len() > 0
            || self.watching.wanted
            || (self.stays() && self.base.link != Link::Over)
            || self.waiting.is_some()
            || self.fetching.is_busy()
            || self.showing.is_busy()
            || self.base.open_commands() > 0
            || !self.base.commands.is_empty()
    }

    fn end(&self) -> Option<Instant> {
        let roomless = self.roomless? + AFTER_ROOMS;
        // Whoever looks through the rooms of a network is not done after one page.
        let roomless = self
            .listing_fresh()
            .map_or(roomless, |end| end.max(roomless));
        Some(if self.private {
            roomless.max(self.base.active + LINGER)
        } else {
            roomless
        })
    }

    /// When `tick` must be called at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        // While something is open its end is what moves the session, not the clock.
        let end = if self.is_needed() { None } else { self.end() };
        let missed = self.missed.deadline();
        let avatar = self.avatar_deadline();
        let rooms = self.rooms.deadline();
        let all = [self.base.deadline(), rooms, missed, avatar, end];
        all.into_iter().flatten().min()
    }
}
