//! What is said in a room: from the network to the user, and the user's own words back to him in
//! their place (XEP-0045 §7.4), each copy under one id.

use std::hash::{Hash, Hasher};

use isthmus_gateway::{Key, Message, Time};

use super::{Cursor, Recent, Room};
use crate::component::{Class, Mark};
use crate::host::chat::{self, Spoken};
use crate::host::post::head;
use crate::host::session::{Base, Sent};
use crate::store::Row;
use crate::xmpp::element::Element;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::{self, Head, Sender, StanzaName, Written, Xml};

/// How many of the newest messages can be recognised when they bounce.
const RECENT: usize = 256;

impl Room {
    /// Somebody says something.
    pub(crate) fn said(&mut self, base: &mut Base, message: &Message<'_>) {
        let mut id = String::new();
        self.ids
            .next(message.key.as_ref().map(|Key(key)| key.as_ref()), &mut id);
        let nick = resource_from_nick(&message.who.nick);
        let at = message.time.map_or(base.now_ms, |Time(ms)| ms);
        let delayed = (base.now_ms - at).abs() > chat::LATE_MS;
        let room = self.jid(base);
        let spoken = Spoken {
            id: &id,
            by: &room,
            at: delayed.then_some(at),
        };
        let speaker = self.speaker(base, &message.who);
        let content = |xml: &mut Xml<'_>| {
            chat::write_message(xml, message, &spoken);
            speaker.write(xml);
        };
        let shown = self.show(base, &nick, &id, &content);
        self.record(base, &nick, &id, at, shown, &content);
    }

    /// The network shows the user's own message in its place.
    pub(crate) fn reflect(&mut self, base: &mut Base, sent: &Sent, echo: &Echo<'_>) {
        let mut id = String::new();
        self.ids.next(echo.key, &mut id);
        let nick = base.facts.me.clone();
        let nick = resource_from_nick(&nick);
        let room = self.jid(base);
        let spoken = Spoken {
            id: &id,
            by: &room,
            at: None,
        };
        let speaker = self.id_of(base, &base.facts.me);
        let content = |xml: &mut Xml<'_>| {
            write_reflection(xml, &sent.stanza, echo.altered);
            chat::write_stanza_id(xml, &spoken);
            speaker.write(xml);
        };
        // The sender knows his message by the id he gave it (XEP-0045 §7.4, `muc#stable_id`).
        let own = sent.origin.id.clone().unwrap_or_else(|| id.clone());
        let shown = self.show(base, &nick, &own, &content);
        self.record(base, &nick, &own, base.now_ms, shown, &content);
    }

    /// The room's bare JID.
    pub(crate) fn jid(&self, base: &Base) -> String {
        format!("{}@{}", self.local, base.outbox.domain())
    }

    /// Shows a message to who sees everything; returns the mark it stands behind.
    fn show(
        &mut self,
        base: &Base,
        nick: &str,
        id: &str,
        content: &impl Fn(&mut Xml<'_>),
    ) -> Option<Mark> {
        // Without an archive nothing would show it to who is still entering: he gets it early.
        let archived = self.archive.is_some();
        let sees = |cursor| cursor == Cursor::Live || (!archived && cursor != Cursor::Waiting);
        let from = Sender {
            local: Some(&self.local),
            resource: Some(nick),
        };
        let (class, name) = (Class::Message, StanzaName::Message);
        let seen = self.resources.iter().any(|resource| sees(resource.cursor));
        seen.then(|| {
            base.outbox.push(|batch| {
                for resource in self.resources.iter().filter(|r| sees(r.cursor)) {
                    let to = &resource.jid;
                    batch.stanza(
                        class,
                        head(name, from, to, Some("groupchat"), Some(id)),
                        content,
                    );
                }
            })
        })
    }

    fn record(
        &mut self,
        base: &Base,
        nick: &str,
        id: &str,
        at: i64,
        shown: Option<Mark>,
        content: &impl Fn(&mut Xml<'_>),
    ) {
        let heard = self.live().any(|resource| !resource.doubtful);
        let Some(archive) = &mut self.archive else {
            return;
        };
        archive.last += 1;
        if heard {
            archive.heard = archive.last;
        }
        let head = Head {
            name: StanzaName::Message,
            domain: base.outbox.domain(),
            from: Sender {
                local: Some(&self.local),
                resource: Some(nick),
            },
            to: base.user.as_str(),
            kind: Some("groupchat"),
            id: Some(id),
        };
        let mut stanza = Vec::with_capacity(256);
        if write::stanza(&mut stanza, write::STANZA_MAX, head, content) == Written::Nothing {
            return;
        }
        let (number, id, nick) = (archive.last, id.to_owned(), nick.to_owned());
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent {
            id: hash(&id),
            row: number,
            shown,
        });
        base.shared.store.append(
            archive.id,
            Row {
                number,
                id,
                at,
                nick,
                stanza,
                key: None,
            },
        );
    }

    /// Whether there have been more messages than rows are known of.
    pub(super) fn forgets_rows(&self) -> bool {
        self.recent.len() == RECENT
    }

    /// The archive row of a message that came back.
    pub(super) fn row_of(&self, id: &str) -> Option<i64> {
        let hash = hash(id);
        self.recent
            .iter()
            .find(|known| known.id == hash)
            .map(|known| known.row)
    }

    /// The stream was cut. What had not arrived by then is sent again, but whom it is sent to may
    /// be gone with his server, and not every server says so: whoever enters next is shown it,
    /// unless somebody gives a sign of life before (COMPAT(jabberd2 2.7): drops without a word).
    pub(super) fn unproven(&mut self, confirmed: Mark) {
        let Some(archive) = &mut self.archive else {
            return;
        };
        let arrived = |known: &&Recent| known.shown.is_some_and(|mark| mark <= confirmed);
        let proven = match self.recent.iter().rev().find(arrived) {
            Some(known) => known.row,
            None => self
                .recent
                .front()
                .map_or(archive.last, |known| known.row - 1),
        };
        archive.heard = archive.heard.min(proven);
        for resource in &mut self.resources {
            resource.doubtful = true;
        }
    }
}

/// How the network showed the user's own message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Echo<'a> {
    /// The network's id of it.
    pub(crate) key: Option<&'a str>,
    /// The text as the network changed it.
    pub(crate) altered: Option<&'a str>,
}

/// The sender's own payloads, without what only a room may say.
fn write_reflection(xml: &mut Xml<'_>, stanza: &Element, altered: Option<&str>) {
    for child in stanza.children() {
        let forged = child.is("stanza-id", ns::STANZA_ID)
            || child.is("delay", ns::DELAY)
            || child.ns() == ns::MUC_USER
            || child.ns() == ns::MUC
            || child.ns() == ns::OCCUPANT_ID;
        match altered.filter(|_| child.is("body", ns::COMPONENT)) {
            Some(text) => {
                xml.text_element("body", text);
            }
            None if !forged => {
                xml.element(child);
            }
            None => {}
        }
    }
}

fn hash(id: &str) -> u64 {
    // Not secret and not kept: a collision only moves the start of somebody's history.
    let mut hasher = std::hash::DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
