//! The subject of a room (XEP-0045 §7.2.15, §8.1).

use isthmus_gateway::{Tag, Time};

use super::talk::Said;
use super::{Cursor, Room};
use crate::component::{Class, Mark};
use crate::host::chat::{Spoken, write_stanza_id};
use crate::host::delay::write_delay;
use crate::host::post::head;
use crate::host::session::Base;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::write::{Sender, StanzaName};

/// Subjects of the user that may wait for the network.
const MOST_ASKED: usize = 64;

/// What the room is about, who said so, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The subject; empty: none.
    pub(crate) text: String,
    /// Who set it.
    pub(crate) by: Option<String>,
    /// When.
    pub(crate) time: Option<Time>,
    /// The `id` of its message: the same for everybody.
    pub(crate) id: String,
    /// The room's id of its message (XEP-0359).
    pub(crate) stanza_id: String,
}

/// A subject the user has set that the network has not shown yet.
#[derive(Debug)]
pub(super) struct Asked {
    tag: Tag,
    id: Option<String>,
}

impl Room {
    /// The user has asked for another subject, with a message of this id.
    pub(crate) fn subject_asked(&mut self, tag: Tag, id: Option<String>) {
        if self.asked_subjects.len() < MOST_ASKED {
            self.asked_subjects.push(Asked { tag, id });
        }
    }

    /// What was asked for has ended, well or not.
    pub(crate) fn subject_ended(&mut self, tag: Tag) {
        self.asked_subjects.retain(|asked| asked.tag != tag);
    }

    /// Takes a subject from the network; `live` tells a change from what is told on entry.
    pub(crate) fn set_subject(&mut self, base: &mut Base, subject: Subject, live: bool) {
        if !live && self.subject.text == subject.text && subject.by.is_none() {
            return;
        }
        let changed = self.subject.text != subject.text;
        self.subject = subject;
        self.ids.next(None, &mut self.subject.stanza_id);
        let mine = self.subject.by.as_deref().is_some_and(|by| base.is_me(by));
        let asked = (live && mine && !self.asked_subjects.is_empty())
            .then(|| self.asked_subjects.remove(0))
            .and_then(|asked| asked.id);
        // The sender knows his message by the id he gave it (`muc#stable_id`).
        self.subject.id = asked.unwrap_or_else(|| self.subject.stanza_id.clone());
        if !(live || changed) {
            return;
        }
        for resource in &mut self.resources {
            // Who is still being shown the room gets it at the end of that.
            resource.subject_owed |= resource.cursor != Cursor::Live;
        }
        let jids: Vec<String> = self.live().map(|resource| resource.jid.clone()).collect();
        let mut shown = None;
        for jid in jids {
            shown = Some(self.show_subject(base, &jid, !live));
        }
        if live {
            self.record_subject(base, shown);
        }
    }

    /// Archives a change of the subject (XEP-0313 §6.1.2).
    fn record_subject(&mut self, base: &Base, shown: Option<Mark>) {
        let subject = self.subject.clone();
        let by = subject.by.as_deref().map(resource_from_nick);
        let speaker = subject.by.as_deref().map(|by| self.id_of(base, by));
        let room = self.jid(base);
        let spoken = Spoken {
            id: &subject.stanza_id,
            by: &room,
            at: None,
        };
        let said = Said {
            id: &subject.id,
            public: &subject.stanza_id,
            key: None,
            nick: by.as_deref().unwrap_or_default(),
            speaker,
            at: subject.time.map_or(base.now_ms, |time| time.0),
            shown,
        };
        self.record(base, &said, &|xml| {
            xml.text_element("subject", &subject.text);
            write_stanza_id(xml, &spoken);
            if let Some(speaker) = speaker {
                speaker.write(xml);
            }
        });
    }

    /// Shows the subject to one resource. An empty one is shown too: it ends an entrance.
    pub(crate) fn show_subject(&mut self, base: &mut Base, to: &str, delayed: bool) -> Mark {
        if self.subject.id.is_empty() {
            self.ids.next(None, &mut self.subject.id);
        }
        let subject = &self.subject;
        let by = subject.by.as_deref().map(resource_from_nick);
        let speaker = subject.by.as_deref().map(|by| self.id_of(base, by));
        let from = Sender {
            local: Some(&self.local),
            resource: by.as_deref(),
        };
        let room = self.jid(base);
        let spoken = Spoken {
            id: &subject.stanza_id,
            by: &room,
            at: None,
        };
        base.outbox.push(|batch| {
            let (class, name) = (Class::Message, StanzaName::Message);
            let head = head(name, from, to, Some("groupchat"), Some(&subject.id));
            batch.stanza(class, head, |xml| {
                xml.text_element("subject", &subject.text);
                match subject.time.filter(|_| delayed) {
                    Some(time) => write_delay(xml, &room, time.0),
                    None if !delayed => write_stanza_id(xml, &spoken),
                    None => {}
                }
                if let Some(speaker) = speaker {
                    speaker.write(xml);
                }
            });
        })
    }
}
