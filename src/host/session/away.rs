//! Whether the user is away, from the presence all his resources show in their rooms: he is there
//! while one of them is (RFC 6121 §4.7.2.1). Of who stays on a network without any room his contacts
//! know whether he is there. A network is told only of changes.

use isthmus_gateway::Command;

use super::stanzas::Incoming;
use super::{Link, Pending, Session};
use crate::xmpp::ns;

/// What is said of a user none of whose resources is there.
const NOBODY: &str = "offline";

/// What the resources show.
#[derive(Debug, Default)]
pub(super) struct Moods {
    /// Resources that are away, and why.
    away: Vec<(String, String)>,
    /// What the network was told; `None`: that he is there.
    told: Option<String>,
    /// Whether the user is there, as his contacts know; `None`: they do not.
    there: Option<bool>,
}

/// What there is to tell the network.
enum Mood {
    /// Why the user is away; `None`: he is there.
    Is(Option<String>),
    /// Nothing.
    Unsaid,
}

impl Session {
    /// A resource shows how it is.
    pub(super) fn shows(&mut self, incoming: &Incoming) {
        let text = |name| {
            let child = incoming.stanza.child(name, ns::COMPONENT);
            child.map(|child| child.text().trim().to_owned())
        };
        let show = text("show").filter(|show| matches!(show.as_str(), "away" | "xa" | "dnd"));
        let away = &mut self.moods.away;
        away.retain(|it| it.0 != incoming.from);
        if let Some(show) = show {
            let status = text("status").filter(|status| !status.is_empty());
            let status = status.unwrap_or_else(|| match show.as_str() {
                "dnd" => "busy".to_owned(),
                _ => "away".to_owned(),
            });
            away.push((incoming.from.clone(), status));
        }
    }

    /// What his contacts know of him.
    pub(super) fn is_there(&mut self, there: Option<bool>) {
        self.unsettled |= self.moods.there != there;
        self.moods.there = there;
    }

    /// The network knows nothing yet.
    pub(super) fn nothing_told_of_moods(&mut self) {
        self.moods.told = None;
    }

    /// Tells the network whether the user is away, if it does not know.
    pub(super) fn tell_mood(&mut self) {
        if self.base.link != Link::Online {
            return;
        }
        let mood = match self.rooms.len() {
            0 => self.mood_without_rooms(),
            _ => self.mood_in_rooms(),
        };
        let Mood::Is(text) = mood else { return };
        if text != self.moods.told {
            self.moods.told.clone_from(&text);
            let text = text.map(Into::into);
            self.base.issue(Command::Away { text }, Pending::Nothing);
        }
    }

    fn mood_without_rooms(&self) -> Mood {
        match self.moods.there.filter(|_| self.stays()) {
            Some(there) => Mood::Is((!there).then(|| NOBODY.to_owned())),
            // What a device said in a room that is left holds no more.
            None if self
                .moods
                .told
                .as_deref()
                .is_some_and(|told| told != NOBODY) =>
            {
                Mood::Is(None)
            }
            None => Mood::Unsaid,
        }
    }

    fn mood_in_rooms(&mut self) -> Mood {
        let there = |jid: &str| {
            let mut rooms = self.rooms.iter();
            rooms.any(|room| room.resources.iter().any(|it| it.jid == jid))
        };
        self.moods.away.retain(|it| there(&it.0));
        let mut all = self.rooms.iter().flat_map(|room| &room.resources);
        let mut nobody = true;
        let away = &self.moods.away;
        let here = all.any(|it| {
            nobody = false;
            !away.iter().any(|mood| mood.0 == it.jid)
        });
        match (here, nobody) {
            (true, _) => Mood::Is(None),
            // Whom nothing keeps here is about to leave.
            (_, true) if !self.rooms.iter().any(|room| room.lasts(&self.base)) => Mood::Unsaid,
            (_, true) => Mood::Is(Some(NOBODY.to_owned())),
            // The one that said so last.
            _ => Mood::Is(away.last().map(|mood| mood.1.clone())),
        }
    }
}
