//! What the network says to the user, as words; and what is said of it here.

use isthmus_gateway::{Event, Sink, Words};

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

    /// Words of the network, as they are.
    pub(super) fn notice(&self, room: Option<&str>, text: &str, sink: &mut dyn Sink) {
        sink.event(Event::Notice {
            room: room.map(Into::into),
            text: format::plain(text).body.into(),
        });
    }

    /// Words of our own, in the languages we speak. What they quote is the network's.
    pub(super) fn remark(&self, room: Option<&str>, text: Words, sink: &mut dyn Sink) {
        sink.event(Event::Notice {
            room: room.map(Into::into),
            text: text.map(|text| format::plain(text).body.into_owned()),
        });
    }
}
