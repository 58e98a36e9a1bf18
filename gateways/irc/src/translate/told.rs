//! What the network says to the user, as words.

use isthmus_gateway::{Event, Sink};

use super::{CURIOUS, Conversation, Notices, format};

impl Conversation {
    /// The server's own words, where the user wants to read such; what he asked for by a line of
    /// his own he does.
    pub(super) fn chatter(&self, text: &str, important: bool, sink: &mut dyn Sink) {
        let wanted = match self.settings.notices {
            Notices::All => true,
            Notices::Important => important,
            Notices::Nothing => false,
        };
        if wanted || self.is_curious() {
            self.notice(None, text, sink);
        }
    }

    /// Whether what comes now answers a line of the user's own.
    pub(super) fn is_curious(&self) -> bool {
        self.curious.is_some_and(|at| self.clock < at + CURIOUS)
    }

    pub(super) fn notice(&self, room: Option<&str>, text: &str, sink: &mut dyn Sink) {
        let plain = format::plain(text);
        sink.event(Event::Notice {
            room: room.map(Into::into),
            text: plain.body,
        });
    }
}
