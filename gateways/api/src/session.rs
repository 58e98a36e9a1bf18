//! The live face: one session of one user on one network.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::{Command, Event, Settings, Tag};

/// Takes events. It can neither fail nor wait.
pub trait Sink {
    /// Takes one event, and keeps nothing of it that is borrowed.
    fn event(&mut self, event: Event<'_>);
}

/// How much the host can take in one `poll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// At most so many events, and what belongs to the last of them: one line of a network may
    /// make a few. What ends commands is not counted. The host polls again at once when they were
    /// used up.
    Events(u32),
    /// No messages now: keep the connection alive (answer pings from what is read ahead into a
    /// bounded buffer), emit only what ends a command, and read no further than the buffer holds. That the
    /// connection broke is told later, behind what was read before.
    Hold,
}

/// Why the host closes a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Close {
    /// The user has no more use for it.
    Left,
    /// The program ends.
    Drain,
    /// The user may no longer use it.
    Refused,
    /// Those who run the gateway end it; the user may open another.
    Ended {
        /// Parting words for the network, one line.
        text: String,
    },
}

/// One user on one network. Owned by one task of the host; called by nobody else.
pub trait Session: Send {
    /// Starts a command and returns at once. Its end may be told to `sink` before this returns.
    fn command(&mut self, tag: Tag, command: Command<'_>, now: Instant, sink: &mut dyn Sink);

    /// Moves bytes in both directions as far as that goes without waiting, and tells `sink` what
    /// came of it. `Ready` means that the session is over and will not be polled again.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        credit: Credit,
        sink: &mut dyn Sink,
    ) -> Poll<()>;

    /// When `poll` must be called even if no byte moves. Asked after every `poll` and `command`.
    fn deadline(&self) -> Option<Instant>;

    /// Whether the gateway itself sees to it that this command ends: it still waits here for its
    /// turn, or its answer is waited for within a bound of the gateway's own. The host gives up
    /// what nobody minds; what it gave up must not be carried out afterwards.
    fn minds(&self, tag: Tag) -> bool {
        let _ = tag;
        false
    }

    /// The user has changed what he set; these are all that hold now. What cannot be changed while
    /// the connection stands holds from the next one on.
    fn settings(&mut self, settings: &Settings, now: Instant) {
        let _ = (settings, now);
    }

    /// The nickname the user asks for, told while the network is not there: a network where he has
    /// one for all rooms begins with it, unless he has set another. The first one counts.
    fn wish(&mut self, nick: &str) {
        let _ = nick;
    }

    /// Begins to end the session: `poll` becomes `Ready` soon after, within a bound of the
    /// gateway's own choosing that is at most two seconds.
    fn close(&mut self, why: Close);
}
