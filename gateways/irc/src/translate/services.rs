//! Logging in to a network's services by lines that are sent after connecting (NickServ): rooms
//! wait for their answer for a moment, as many let in only who is logged in (`+r`, invitations).
//!
//! Not a protocol: that a line logs in is seen by its words, and that it worked by 900 or the mode
//! `+r`. Without either rooms are entered after a few seconds all the same.

use std::time::{Duration, Instant};

use isthmus_gateway::{Command, Fold, Sink, Tag};

use super::Conversation;

/// How long an answer is waited for.
const WITHIN: Duration = Duration::from_secs(5);

/// Rooms that wait for services.
#[derive(Default)]
pub(super) struct Services {
    /// Until when; `None`: for nothing.
    until: Option<Instant>,
    held: Vec<(Tag, Command<'static>)>,
}

impl Services {
    pub(super) fn are_awaited(&self) -> bool {
        self.until.is_some()
    }

    /// When to wait no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Whether this entrance waits here.
    pub(super) fn holds(&self, tag: Tag) -> bool {
        self.held.iter().any(|(held, _)| *held == tag)
    }

    /// An entrance that waits.
    pub(super) fn hold(&mut self, tag: Tag, room: &str, nick: &str, password: Option<&str>) {
        let command = Command::Join {
            room: room.to_owned().into(),
            nick: nick.to_owned().into(),
            password: password.map(|password| password.to_owned().into()),
        };
        self.held.push((tag, command));
    }

    /// The entrance to this room that waits, taken back.
    pub(super) fn give_back(&mut self, fold: &Fold, name: &str) -> Option<Tag> {
        let is_it = |(_, command): &(Tag, Command<'_>)| match command {
            Command::Join { room, .. } => fold.same(room, name),
            _ => false,
        };
        let at = self.held.iter().position(is_it)?;
        Some(self.held.remove(at).0)
    }

    /// Everything that waits, for another end.
    pub(super) fn take(&mut self) -> Vec<(Tag, Command<'static>)> {
        self.until = None;
        std::mem::take(&mut self.held)
    }
}

impl Conversation {
    /// The lines after connecting are on their way: if one logs in, rooms wait for the answer.
    pub(super) fn await_services(&mut self, now: Instant) {
        let logs_in = self
            .settings
            .after_connect
            .iter()
            .any(|line| is_login(line));
        if logs_in && !self.sasl.is_done() {
            self.services.until = Some(now + WITHIN);
        }
    }

    pub(super) fn services_tick(&mut self, now: Instant, sink: &mut dyn Sink) {
        if self.services.until.is_some_and(|until| until <= now) {
            self.services_know(sink, now);
        }
    }

    /// The services know the user now, or will not: who waited for it enters.
    pub(super) fn services_know(&mut self, sink: &mut dyn Sink, now: Instant) {
        for (tag, command) in self.services.take() {
            self.command(tag, command, now, sink);
        }
    }
}

/// Whether a line logs in, as far as its words show.
fn is_login(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let mut words = line.split_ascii_whitespace();
    match words.next() {
        Some("ns" | "nickserv" | "identify" | "login" | "auth" | "authserv") => true,
        Some("privmsg" | "msg" | "squery") => words.any(|word| {
            ["identify", "id", "auth", "login"].contains(&word.trim_start_matches(':'))
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_login;

    #[test]
    fn a_line_that_logs_in_is_known_by_its_words() {
        for line in [
            "PRIVMSG NickServ :IDENTIFY ferris hunter2",
            "ns identify hunter2",
            "NickServ IDENTIFY hunter2",
            "PRIVMSG Q@CServe.quakenet.org :AUTH ferris hunter2",
        ] {
            assert!(is_login(line), "{line}");
        }
        for line in [
            "MODE ferris +x",
            "PRIVMSG bob :hello",
            "OPER ferris hunter2",
        ] {
            assert!(!is_login(line), "{line}");
        }
    }
}
