//! What others do to messages in a room: change, take back, react, read; and who types.
//!
//! A message is named by its public id, the one of its `<stanza-id/>`, except in a correction, which
//! names the `id` of the stanza (XEP-0308 §4). Both are the same for what others say.

use isthmus_gateway::{Key, Message, Text};

use super::talk::Said;
use super::{OccupantId, Room};
use crate::component::Class;
use crate::host::archive::{Moderated, stone};
use crate::host::chat::{self, Beside, Spoken};
use crate::host::session::Base;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::ns;
use crate::xmpp::write::Xml;

impl Room {
    /// The public id of a message.
    pub(crate) fn public_id(&mut self, key: &Key<'_>) -> String {
        let mut id = String::new();
        self.ids.next(Some(&key.0), &mut id);
        id
    }

    fn fresh_id(&mut self) -> String {
        let mut id = String::new();
        self.ids.next(None, &mut id);
        id
    }

    /// Somebody changed what he said. `own`: the id of the stanza, if the user said it.
    pub(crate) fn edited(
        &mut self,
        base: &mut Base,
        key: &Key<'_>,
        message: &Message<'_>,
        own: Option<String>,
    ) {
        let first = own.unwrap_or_else(|| self.public_id(key));
        let id = self.fresh_id();
        let nick = resource_from_nick(&message.who.nick);
        let room = self.jid(base);
        let spoken = Spoken {
            id: &id,
            by: &room,
            at: None,
        };
        let content = |xml: &mut Xml<'_>| {
            chat::write_message(xml, message, &spoken, &Beside::default());
            chat::write_replaced(xml, &first);
        };
        let speaker = Some(self.speaker(base, &message.who));
        self.show_and_record(base, &nick, &id, speaker, &content);
    }

    /// Somebody took a message back: its author by his own hand (XEP-0424), or another, which is
    /// moderation (XEP-0425). Where the author is not known any more it counts as moderation,
    /// which the room itself vouches for.
    pub(crate) fn retracted(
        &mut self,
        base: &mut Base,
        key: &Key<'_>,
        by: &str,
        reason: Option<&str>,
    ) {
        let of = self.public_id(key);
        if self.said_by(&of, self.id_of(base, by)) {
            let (id, nick) = (self.fresh_id(), resource_from_nick(by));
            let room = self.jid(base);
            let lang = base.lang(None);
            let content = |xml: &mut Xml<'_>| {
                chat::write_retracted(xml, &of, lang);
                write_id(xml, &id, &room);
            };
            self.bury(base, &of, &id, None);
            let speaker = Some(self.id_of(base, by));
            self.show_and_record(base, &nick, &id, speaker, &content);
        } else {
            self.moderated(base, (&of, None), by, reason);
        }
    }

    /// A message was taken back by somebody who may: the room itself says so (XEP-0425 §4).
    /// `named`: what he named, where that only corrects it.
    pub(crate) fn moderated(
        &mut self,
        base: &mut Base,
        (of, named): (&str, Option<&str>),
        by: &str,
        reason: Option<&str>,
    ) {
        let id = self.fresh_id();
        let room = self.jid(base);
        let moderator = format!("{room}/{}", resource_from_nick(by));
        let speaker = self.id_of(base, by);
        let content = |xml: &mut Xml<'_>| {
            xml.start_ns("retract", ns::RETRACT).attr("id", of);
            xml.start_ns("moderated", ns::MODERATE)
                .attr("by", &moderator);
            speaker.write(xml);
            xml.end();
            if let Some(reason) = reason {
                xml.text_element("reason", reason);
            }
            xml.end();
            xml.leaf("store", ns::HINTS);
            write_id(xml, &id, &room);
        };
        let who = Moderated {
            by: &moderator,
            occupant: speaker.as_str(),
            reason,
        };
        self.bury(base, of, &id, Some(&who));
        if let Some(named) = named.filter(|named| *named != of) {
            self.bury(base, named, &id, Some(&who));
        }
        self.show_and_record(base, "", &id, None, &content);
    }

    /// Puts a tombstone in the place of an archived message (XEP-0424 §5): what it said is gone.
    /// `by`: the id of the stanza that took it back.
    pub(super) fn bury(&self, base: &Base, of: &str, by: &str, who: Option<&Moderated<'_>>) {
        if let Some(archive) = self.archive {
            let stone = stone(by, base.now_ms, who);
            base.shared.store.rewrite(archive.id, of, stone);
        }
    }

    /// Somebody's reactions to a message are now these.
    pub(crate) fn reacted(&mut self, base: &mut Base, key: &Key<'_>, who: &str, with: &[Text<'_>]) {
        let (of, id, nick) = (
            self.public_id(key),
            self.fresh_id(),
            resource_from_nick(who),
        );
        let room = self.jid(base);
        let content = |xml: &mut Xml<'_>| {
            chat::write_reactions(xml, &of, with.iter().map(AsRef::as_ref));
            write_id(xml, &id, &room);
        };
        let speaker = Some(self.id_of(base, who));
        self.show_and_record(base, &nick, &id, speaker, &content);
    }

    /// Somebody has read everything up to a message.
    pub(crate) fn displayed(&mut self, base: &mut Base, key: &Key<'_>, who: &str) {
        let (of, id, nick) = (
            self.public_id(key),
            self.fresh_id(),
            resource_from_nick(who),
        );
        let speaker = self.id_of(base, who);
        let content = |xml: &mut Xml<'_>| {
            chat::write_displayed(xml, &of);
            speaker.write(xml);
        };
        self.show_as(base, Class::Message, &nick, Some(&id), &content);
    }

    /// The user has read up to the message with this public id. Whether that is news: a mark comes
    /// back from where it was told.
    pub(crate) fn reads(&mut self, id: &str) -> bool {
        let news = self.read_up_to.as_deref() != Some(id);
        self.read_up_to = Some(id.into());
        news
    }

    /// Somebody types, or no longer.
    pub(crate) fn typing(&mut self, base: &Base, who: &str, on: bool) {
        let nick = resource_from_nick(who);
        let speaker = self.id_of(base, who);
        let content = |xml: &mut Xml<'_>| {
            chat::write_state(xml, on);
            speaker.write(xml);
        };
        // Lost with the stream: by then it is not true any more.
        self.show_as(base, Class::Presence, &nick, None, &content);
    }

    fn show_and_record(
        &mut self,
        base: &mut Base,
        nick: &str,
        id: &str,
        speaker: Option<OccupantId>,
        content: &impl Fn(&mut Xml<'_>),
    ) {
        let content = |xml: &mut Xml<'_>| {
            content(xml);
            if let Some(speaker) = speaker {
                speaker.write(xml);
            }
        };
        let shown = self.show_as(base, Class::Message, nick, Some(id), &content);
        let said = Said {
            id,
            public: id,
            key: None,
            nick,
            speaker,
            at: base.now_ms,
            shown,
        };
        self.record(base, &said, &content);
    }
}

/// Writes the id under which something is archived (XEP-0359 §3).
fn write_id(xml: &mut Xml<'_>, id: &str, by: &str) {
    let at = None;
    chat::write_stanza_id(xml, &Spoken { id, by, at });
}
