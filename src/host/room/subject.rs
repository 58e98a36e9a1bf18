//! The subject of a room (XEP-0045 §7.2.15, §8.1).

use isthmus_gateway::Time;

use super::{Cursor, Room};
use crate::component::Class;
use crate::host::delay::write_delay;
use crate::host::post::head;
use crate::host::session::Base;
use crate::xmpp::jid::resource_from_nick;
use crate::xmpp::write::{Sender, StanzaName};

/// What the room is about, who said so, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The subject; empty: none.
    pub(crate) text: String,
    /// Who set it.
    pub(crate) by: Option<String>,
    /// When.
    pub(crate) time: Option<Time>,
}

impl Room {
    /// Takes a subject from the network; `live` tells a change from what is told on entry.
    pub(crate) fn set_subject(&mut self, base: &mut Base, subject: Subject, live: bool) {
        if !live && self.subject.text == subject.text && subject.by.is_none() {
            return;
        }
        let changed = self.subject.text != subject.text;
        self.subject = subject;
        if !(live || changed) {
            return;
        }
        for resource in &mut self.resources {
            // Who is still being shown the room gets it at the end of that.
            resource.subject_owed |= resource.cursor != Cursor::Live;
        }
        let jids: Vec<String> = self.live().map(|resource| resource.jid.clone()).collect();
        for jid in jids {
            self.show_subject(base, &jid, !live);
        }
    }

    /// Shows the subject to one resource. An empty one is shown too: it ends an entrance.
    pub(crate) fn show_subject(&mut self, base: &mut Base, to: &str, delayed: bool) {
        let mut id = String::new();
        self.ids.next(None, &mut id);
        let by = self.subject.by.as_deref().map(resource_from_nick);
        let from = Sender {
            local: Some(&self.local),
            resource: by.as_deref(),
        };
        let room = format!("{}@{}", self.local, base.outbox.domain());
        let subject = &self.subject;
        base.outbox.push(|batch| {
            let (class, name) = (Class::Message, StanzaName::Message);
            batch.stanza(
                class,
                head(name, from, to, Some("groupchat"), Some(&id)),
                |xml| {
                    xml.text_element("subject", &subject.text);
                    if let Some(time) = subject.time.filter(|_| delayed) {
                        write_delay(xml, &room, time.0);
                    }
                },
            );
        });
    }
}
