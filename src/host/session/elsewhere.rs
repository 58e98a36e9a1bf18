//! What the user does privately from another connection of his to the network.
//!
//! It is his own: archived in his direction, and, where his server lets the gateway speak in his
//! name, told to his devices by that server (XEP-0356 §4.2, XEP-0280). Elsewhere they find it in
//! the archive. That he types elsewhere is told to nobody.

use isthmus_gateway::{Key, Message, Time};

use super::Session;
use super::heard::{Private, filing, private_peer, refer};
use crate::host::chat::{self, Beside, LATE_MS, Own, Quoted, Spoken};
use crate::host::ids;
use crate::host::session::Base;
use crate::xmpp::ns;
use crate::xmpp::write::{STANZA_MAX, Xml};

/// Something of the user's own.
struct Deed<'a> {
    /// The conversation's address.
    peer: &'a str,
    /// Whom it is for: the same, or an occupant.
    to: &'a str,
    /// Its id in the archive.
    id: &'a str,
    /// When it was done, in milliseconds since 1970.
    at: i64,
    /// It is archived.
    kept: bool,
}

impl Session {
    /// The user did something to `nick`. `own`: the id of the message it refers to, if that is his.
    pub(super) fn did_elsewhere(&mut self, event: &Private, nick: &str, own: Option<String>) {
        let Some(way) = chat::way(&self.base, &mut self.rooms, &self.peers, nick) else {
            return;
        };
        let (peer, to) = (private_peer(&self.base, nick), way.author(&self.base));
        let mut id = String::new();
        self.base.ids.next(None, &mut id);
        let mut about = String::new();
        if let Some(key) = event.about(true) {
            self.base.ids.next(Some(key), &mut about);
        }
        let of = own.as_deref().unwrap_or(&about);
        let mut deed = Deed {
            peer: &peer,
            to: &to,
            id: &id,
            at: self.base.now_ms,
            kept: true,
        };
        match event {
            Private::Said(message) => self.said_elsewhere(deed, message, (of, own.is_some())),
            Private::Edited(_, message) => {
                let spoken = Spoken {
                    id: &id,
                    by: &peer,
                    at: None,
                };
                do_in_his_name(&self.base, &deed, |xml| {
                    chat::write_said(xml, message, &spoken, &Beside::default());
                    chat::write_replaced(xml, of);
                });
            }
            Private::Retracted(..) => {
                let user = self.base.user.to_string();
                let by = stanza_id(&self.base, &id);
                filing(&self.base, &user, &peer).bury(&about, &by, self.base.now_ms);
                let lang = self.base.lang(None);
                do_in_his_name(&self.base, &deed, |xml| {
                    chat::write_retracted(xml, of, lang)
                });
            }
            Private::Reacted(_, _, with) => do_in_his_name(&self.base, &deed, |xml| {
                chat::write_reactions(xml, of, with.iter().map(AsRef::as_ref));
            }),
            Private::Read(..) => {
                deed.kept = false;
                do_in_his_name(&self.base, &deed, |xml| chat::write_displayed(xml, of));
            }
            Private::Delivered(..) => {}
        }
    }

    /// He said something. `of`: the id of the message it answers, and whether that is his.
    fn said_elsewhere(&mut self, deed: Deed<'_>, message: &Message<'_>, of: (&str, bool)) {
        let (mut named, mut deed) = (String::new(), deed);
        if let Some(Key(key)) = &message.key {
            self.base.ids.next(Some(key), &mut named);
            deed.id = &named;
            self.knows_own(&deed, key, &message.body);
        }
        if let Some(Time(ms)) = message.time {
            deed.at = ms;
        }
        let author = match of.1 {
            true => self.base.user.as_str(),
            false => deed.to,
        };
        let reply = message.reply.is_some().then_some(Quoted {
            id: of.0,
            to: author,
            who: None,
        });
        let late = (self.base.now_ms - deed.at).abs() > LATE_MS;
        let spoken = Spoken {
            id: deed.id,
            by: deed.peer,
            at: late.then_some(deed.at),
        };
        let sum = self.base.sum_of(message);
        let beside = Beside {
            reply,
            sha256: sum.as_ref(),
            ..Beside::default()
        };
        do_in_his_name(&self.base, &deed, |xml| {
            chat::write_said(xml, message, &spoken, &beside);
        });
    }

    /// His devices know the message as one of his own: what they say of it finds it.
    fn knows_own(&mut self, deed: &Deed<'_>, key: &str, body: &str) {
        let id = stanza_id(&self.base, deed.id);
        refer(&self.base, deed.peer, key, &id, true);
        self.recent.said(Own {
            peer: deed.peer.to_owned(),
            first: id.clone(),
            id,
            key: Some(key.to_owned()),
            body: body.to_owned(),
        });
    }
}

/// The id under which his devices know something of this archive id.
fn stanza_id(base: &Base, id: &str) -> String {
    ids::sealed(&base.shared.message_key, base.user.as_str(), id)
}

/// Archives something of the user's own, and has his server tell it to his devices.
fn do_in_his_name(base: &Base, deed: &Deed<'_>, content: impl Fn(&mut Xml<'_>)) {
    let (id, user) = (stanza_id(base, deed.id), base.user.to_string());
    base.hub.say_as(&base.user, deed.to, &id, &content);
    if !deed.kept || !base.archives() {
        return;
    }
    let mut stanza = Vec::with_capacity(256);
    {
        let mut xml = Xml::new(&mut stanza, STANZA_MAX);
        xml.start_ns("message", ns::COMPONENT)
            .attr("from", &user)
            .attr("to", deed.to)
            .attr("type", "chat")
            .attr("id", &id);
        content(&mut xml);
        xml.end();
    }
    filing(base, &user, deed.peer).file(deed.id, deed.at, stanza);
}
