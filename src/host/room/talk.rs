//! What is said in a room: from the network to the user, and the user's own words back to him in
//! their place (XEP-0045 §7.4), each copy under one id.

use std::hash::{Hash, Hasher};

use isthmus_gateway::{Key, Message, Time};

use super::{Cursor, OccupantId, Recent, Room};
use crate::component::{Class, Mark};
use crate::host::chat::{self, Act, Beside, Quoted, Spoken};
use crate::host::post::head;
use crate::host::session::{Base, Sent};
use crate::store::Row;
use crate::xmpp::element::Element;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::{self, Head, Sender, StanzaName, Written, Xml};

/// How many of the newest messages can be recognised when they bounce.
pub(super) const RECENT: usize = 256;

/// How much of what is said waits for an archive that is being opened.
const EARLY: usize = 1000;

/// A message that was shown, for the archive.
pub(super) struct Said<'a> {
    /// The id of the stanza.
    pub(super) id: &'a str,
    /// Its public id.
    pub(super) public: &'a str,
    /// Its id on the network.
    pub(super) key: Option<&'a str>,
    /// Who said it; empty: the room itself.
    pub(super) nick: &'a str,
    /// His occupant id.
    pub(super) speaker: Option<OccupantId>,
    /// When, in milliseconds since 1970.
    pub(super) at: i64,
    /// Behind what it was shown, if it was.
    pub(super) shown: Option<Mark>,
}

impl Room {
    /// Somebody says something.
    pub(crate) fn said(&mut self, base: &mut Base, message: &Message<'_>) {
        if !self.held(base, message) {
            self.say(base, message, false);
        }
    }

    /// Shows and archives what was said. `past`: it was missed when it was said.
    pub(super) fn say(&mut self, base: &mut Base, message: &Message<'_>, past: bool) {
        let key = message.key.as_ref().map(|Key(key)| key.as_ref());
        let mut id = String::new();
        self.ids.next(key, &mut id);
        let nick = resource_from_nick(&message.who.nick);
        let at = message.time.map_or(base.now_ms, |Time(ms)| ms);
        let delayed = past || (base.now_ms - at).abs() > chat::LATE_MS;
        let room = self.jid(base);
        let spoken = Spoken {
            id: &id,
            by: &room,
            at: delayed.then_some(at),
        };
        let answered = message.reply.as_ref().map(|reply| {
            let author = match reply.who.as_ref() {
                "" => String::new(),
                who => format!("{room}/{}", resource_from_nick(who)),
            };
            (self.public_id(&reply.key), author)
        });
        let reply = answered.as_ref().map(|(id, author)| Quoted {
            id,
            to: author,
            who: message
                .reply
                .as_ref()
                .map(|reply| reply.who.as_ref())
                .filter(|who| !who.is_empty()),
        });
        let me = (!base.is_me(&message.who.nick)).then_some(base.facts.me.as_str());
        let sum = base.sum_of(message);
        let beside = Beside {
            reply,
            me,
            markable: false,
            sha256: sum.as_ref(),
        };
        let speaker = self.speaker(base, &message.who);
        let content = |xml: &mut Xml<'_>| {
            chat::write_message(xml, message, &spoken, &beside);
            speaker.write(xml);
        };
        let shown = self.show_as(base, Class::Message, &nick, Some(&id), &content);
        let (id, public, nick) = (id.as_str(), id.as_str(), nick.as_ref());
        let said = Said {
            id,
            public,
            key,
            nick,
            speaker: Some(speaker),
            at,
            shown,
        };
        self.record(base, &said, &content);
    }

    /// The network shows the user's own message in its place, or has done what it asks for.
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
        let shown = self.show_as(base, Class::Message, &nick, Some(&own), &content);
        if let Act::Retract { id } = Act::of(&sent.stanza, true) {
            // He may have named what only corrects it.
            if let Some(key) = &sent.takes_back {
                let first = self.public_id(&Key(key.as_str().into()));
                self.bury(base, &first, &own, None);
            }
            self.bury(base, &id, &own, None);
        }
        if !chat::is_kept(&sent.stanza) {
            return;
        }
        let said = Said {
            id: &own,
            public: &id,
            key: echo.key,
            nick: &nick,
            speaker: Some(speaker),
            at: base.now_ms,
            shown,
        };
        self.record(base, &said, &content);
    }

    /// The room's bare JID.
    pub(crate) fn jid(&self, base: &Base) -> String {
        format!("{}@{}", self.local, base.outbox.domain())
    }

    /// Shows something to who sees everything, from the room itself without a nickname; returns
    /// the mark it stands behind.
    pub(super) fn show_as(
        &self,
        base: &Base,
        class: Class,
        nick: &str,
        id: Option<&str>,
        content: &impl Fn(&mut Xml<'_>),
    ) -> Option<Mark> {
        // Without an archive nothing would show it to who is still entering: he gets it early.
        let archived = self.archive.is_some() && base.records(&self.name);
        let sees = |cursor| cursor == Cursor::Live || (!archived && cursor != Cursor::Waiting);
        let from = Sender {
            local: Some(&self.local),
            resource: Some(nick).filter(|nick| !nick.is_empty()),
        };
        let name = StanzaName::Message;
        let seen = self.resources.iter().any(|resource| sees(resource.cursor));
        seen.then(|| {
            base.outbox.push(|batch| {
                for resource in self.resources.iter().filter(|r| sees(r.cursor)) {
                    let to = &resource.jid;
                    batch.stanza(class, head(name, from, to, Some("groupchat"), id), content);
                }
            })
        })
    }

    /// Archives what was shown.
    pub(super) fn record(&mut self, base: &Base, said: &Said<'_>, content: &impl Fn(&mut Xml<'_>)) {
        let over = self.archive.is_none() && self.archive_known;
        if over || !base.records(&self.name) {
            return;
        }
        let head = Head {
            name: StanzaName::Message,
            domain: base.outbox.domain(),
            from: Sender {
                local: Some(&self.local),
                resource: Some(said.nick).filter(|nick| !nick.is_empty()),
            },
            to: base.user.as_str(),
            kind: Some("groupchat"),
            id: Some(said.id),
        };
        let mut stanza = Vec::with_capacity(256);
        if write::stanza(&mut stanza, write::STANZA_MAX, head, content) == Written::Nothing {
            return;
        }
        let recent = Recent {
            id: hash(said.id),
            public: hash(said.public),
            author: said.speaker.map_or(0, |speaker| hash(speaker.as_str())),
            row: 0,
            shown: said.shown,
        };
        let row = Row {
            number: 0,
            id: said.public.to_owned(),
            at: said.at,
            nick: said.nick.to_owned(),
            stanza,
            key: said.key.map(str::to_owned),
        };
        self.append(base, row, recent);
    }

    fn append(&mut self, base: &Base, mut row: Row, mut recent: Recent) {
        self.last_said = self.last_said.max(row.at);
        let heard = self.live().any(|resource| !resource.doubtful);
        let Some(archive) = &mut self.archive else {
            // The network puts a user into a room before the store has found its archive.
            if self.early.len() < EARLY {
                self.early.push((row, recent));
            }
            return;
        };
        archive.last += 1;
        if heard {
            archive.heard = archive.last;
        }
        row.number = archive.last;
        recent.row = archive.last;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(recent);
        base.shared.store.append(archive.id, row);
    }

    /// What was said before the archive was there goes into it.
    pub(super) fn append_early(&mut self, base: &Base) {
        for (row, recent) in std::mem::take(&mut self.early) {
            self.append(base, row, recent);
        }
    }

    /// Whether one of the newest messages has that public id.
    pub(super) fn is_recent(&self, public: &str) -> bool {
        let public = hash(public);
        self.recent.iter().any(|it| it.public == public)
    }

    /// Whether one of the newest messages is of that author (XEP-0424 §5: by occupant id).
    pub(super) fn said_by(&self, public: &str, author: OccupantId) -> bool {
        let public = hash(public);
        let known = self.recent.iter().rev().find(|it| it.public == public);
        known.is_some_and(|known| known.author == hash(author.as_str()))
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
    // What was sent for these is not what they say here.
    let other = stanza
        .children()
        .any(|it| it.is("replace", ns::CORRECT) || it.is("reply", ns::REPLY));
    for child in stanza.children() {
        let forged = child.is("stanza-id", ns::STANZA_ID)
            || child.is("delay", ns::DELAY)
            || child.ns() == ns::MUC_USER
            || child.ns() == ns::MUC
            || child.ns() == ns::OCCUPANT_ID;
        match altered.filter(|_| !other && child.is("body", ns::COMPONENT)) {
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
