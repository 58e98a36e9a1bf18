//! What a message of the user's does, beyond or instead of saying something.
//!
//! XEP-0085 2.1 chat states, XEP-0184 1.4 receipts, XEP-0308 1.2 corrections, XEP-0333 1.0 markers,
//! XEP-0424 0.4 retractions, XEP-0444 0.2 reactions, XEP-0461 0.2 replies. Read here, carried out
//! by the session (`session/acts.rs`) or the courier.

use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// What a message does. One that does several things does the first of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Takes a message back.
    Retract {
        /// Which, by the id clients use.
        id: String,
    },
    /// Replaces the user's reactions to a message.
    React {
        /// Which.
        id: String,
        /// All that hold now, each once.
        with: Vec<String>,
    },
    /// Changes a message.
    Correct {
        /// Which.
        id: String,
    },
    /// Says something; it may answer something.
    Say {
        /// What it answers.
        reply: Option<Answer>,
    },
    /// Has shown everything up to a message.
    Displayed {
        /// Which.
        id: String,
    },
    /// Has received a message.
    Received {
        /// Which.
        id: String,
    },
    /// The user types, or no longer.
    Typing(bool),
    /// Nothing that concerns a network.
    Nothing,
}

/// What a message answers (XEP-0461 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The id of the answered message.
    pub(crate) id: String,
    /// Its author, where he is named.
    pub(crate) to: Option<String>,
}

/// Reactions of one stanza that are looked at.
const REACTIONS: usize = 256;

impl Act {
    /// Reads a message. `groupchat`: it is for a whole room.
    pub(crate) fn of(stanza: &Element, groupchat: bool) -> Self {
        let id_of = |child: &Element| {
            child
                .attr("id")
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
        };
        let named = |name, ns| stanza.child(name, ns).and_then(id_of);
        if let Some(id) = named("retract", ns::RETRACT) {
            return Self::Retract { id };
        }
        if let Some(reactions) = stanza.child("reactions", ns::REACTIONS)
            && let Some(id) = id_of(reactions)
        {
            let with = emoji_of(reactions);
            return Self::React { id, with };
        }
        if let Some(id) = named("replace", ns::CORRECT) {
            return Self::Correct { id };
        }
        // To a whole room a subject alone is the room's (XEP-0045 §8.1). A reference that shares
        // nothing points into another message and says nothing by itself.
        let says = stanza.children().any(|child| {
            child.is("body", ns::COMPONENT)
                || child.is("subject", ns::COMPONENT) && !groupchat
                || child.is("x", ns::OOB)
                || child.is("file-sharing", ns::FILE_SHARING)
                || child.is("reference", ns::REFERENCE)
                    && child.child("media-sharing", ns::MEDIA_SHARING).is_some()
        });
        if says {
            let reply = stanza.child("reply", ns::REPLY).and_then(|reply| {
                let to = reply.attr("to").map(str::to_owned);
                id_of(reply).map(|id| Answer { id, to })
            });
            return Self::Say { reply };
        }
        if let Some(id) = named("displayed", ns::CHAT_MARKERS) {
            return Self::Displayed { id };
        }
        // XEP-0184 §5.3: nobody confirms what was said to a whole room.
        if let Some(id) = named("received", ns::RECEIPTS).filter(|_| !groupchat) {
            return Self::Received { id };
        }
        typing(stanza, groupchat).map_or(Self::Nothing, Self::Typing)
    }
}

/// XEP-0444 §4: the same reaction counts once.
fn emoji_of(reactions: &Element) -> Vec<String> {
    let mut with: Vec<String> = Vec::new();
    let all = reactions
        .children()
        .filter(|child| child.is("reaction", ns::REACTIONS));
    for reaction in all.take(REACTIONS) {
        let text = reaction.text().trim().to_owned();
        if !text.is_empty() && !with.contains(&text) {
            with.push(text);
        }
    }
    with
}

/// XEP-0085: whether the user types; `None` if nothing is said of it.
fn typing(stanza: &Element, groupchat: bool) -> Option<bool> {
    let state = stanza
        .children()
        .find(|child| child.ns() == ns::CHAT_STATES)?;
    match state.name() {
        "composing" => Some(true),
        // XEP-0085 §5.5: a room does not care who goes.
        "gone" if groupchat => None,
        "active" | "paused" | "inactive" | "gone" => Some(false),
        _ => None,
    }
}

/// Whether a message asks for a receipt (XEP-0184 §5.1), and may: one to a whole room may not.
pub(crate) fn asks_receipt(stanza: &Element) -> bool {
    stanza.attr("type") != Some("groupchat") && stanza.child("request", ns::RECEIPTS).is_some()
}

/// Whether a message is to be kept (XEP-0334): one with a text, with reactions
/// or a retraction, or one that asks for it, unless it
/// asks not to be.
pub(crate) fn is_kept(stanza: &Element) -> bool {
    let hint = |name| stanza.child(name, ns::HINTS).is_some();
    let says = stanza.child("body", ns::COMPONENT).is_some()
        || stanza.child("reactions", ns::REACTIONS).is_some()
        || stanza.child("retract", ns::RETRACT).is_some();
    (says || hint("store")) && !hint("no-store") && !hint("no-permanent-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(payload: &str, groupchat: bool) -> Act {
        let stanza = format!("<message>{payload}</message>");
        Act::of(
            &Element::parse(stanza.as_bytes()).expect("well-formed"),
            groupchat,
        )
    }

    #[test]
    fn a_fallback_body_says_nothing_beside_what_it_stands_for() {
        let retract = "<body>taken back</body><retract xmlns='urn:xmpp:message-retract:1' id='a'/>";
        assert_eq!(act(retract, true), Act::Retract { id: "a".into() });
        let react = "<body>+</body><reactions xmlns='urn:xmpp:reactions:0' id='a'>\
                     <reaction>+</reaction><reaction>+</reaction></reactions>";
        let with = vec!["+".to_owned()];
        assert_eq!(
            act(react, false),
            Act::React {
                id: "a".into(),
                with
            }
        );
        let correct = "<body>b</body><replace xmlns='urn:xmpp:message-correct:0' id='a'/>";
        assert_eq!(act(correct, false), Act::Correct { id: "a".into() });
    }

    #[test]
    fn a_mention_alone_says_nothing_and_a_subject_alone_only_in_private() {
        let mention = "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:a@b/c'/>\
                       <composing xmlns='http://jabber.org/protocol/chatstates'/>";
        assert_eq!(act(mention, true), Act::Typing(true));
        let subject = "<subject>tea</subject>";
        assert_eq!(act(subject, true), Act::Nothing);
        assert_eq!(act(subject, false), Act::Say { reply: None });
    }

    #[test]
    fn states_are_typing_or_not_and_gone_is_nothing_in_a_room() {
        let state = |name, groupchat| {
            act(
                &format!("<{name} xmlns='http://jabber.org/protocol/chatstates'/>"),
                groupchat,
            )
        };
        assert_eq!(state("composing", true), Act::Typing(true));
        assert_eq!(state("paused", true), Act::Typing(false));
        assert_eq!(state("gone", false), Act::Typing(false));
        assert_eq!(state("gone", true), Act::Nothing);
        assert_eq!(act("<body>hi</body>", true), Act::Say { reply: None });
    }

    #[test]
    fn hints_decide_what_is_kept() {
        let kept = |payload: &str| {
            let stanza = format!("<message>{payload}</message>");
            is_kept(&Element::parse(stanza.as_bytes()).expect("well-formed"))
        };
        assert!(kept("<body>hi</body>"));
        assert!(!kept("<body>hi</body><no-store xmlns='urn:xmpp:hints'/>"));
        assert!(!kept("<displayed xmlns='urn:xmpp:chat-markers:0' id='a'/>"));
        assert!(kept("<store xmlns='urn:xmpp:hints'/>"));
    }
}
