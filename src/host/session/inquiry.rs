//! Questions about people that only the network can answer: who somebody is (a vCard, see `card`, a
//! command, `/whois`), and what his program says (XEP-0092 1.1 version, XEP-0199 2.0 ping,
//! XEP-0202 2.0 time).
//!
//! Each has a deadline of its own: people need not answer.

use std::time::Duration;

use isthmus_gateway::{Command, Fault, FaultKind, Kind, Text};

use super::stanzas::Incoming;
use super::{Base, Link, Pending, Session, person};
use crate::component::Class;
use crate::host::card::Card;
use crate::host::delay::from_stamp;
use crate::host::fault;
use crate::host::picture::Portrait;
use crate::host::post::head;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::words::{Denial, Phrase};
use crate::host::{ping, time};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;
use crate::xmpp::write::StanzaName;

/// The node of the command that tells who somebody is.
pub(super) const WHOIS: &str = "whois";
/// How long somebody may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Questions of one session at a time.
const MOST_OPEN: usize = 8;
/// Facts of one person.
const MOST_FOUND: usize = 64;

/// In which form the answer goes to who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A vCard, of the person with this nickname; whether it is a vCard4.
    VCard(String, bool),
    /// The end of a command.
    Command,
    /// The version of a program.
    Version,
    /// A pong.
    Pong,
    /// A time.
    Time,
    /// Words, where the question was typed; this stands before them.
    Words(String),
}

/// A question that is open.
#[derive(Clone, Debug)]
pub(crate) struct Inquiry {
    origin: Origin,
    form: Form,
    found: Vec<(String, String)>,
}

impl Inquiry {
    /// Something has been found.
    pub(super) fn found(&mut self, fields: &[(Text<'_>, Text<'_>)]) {
        let room = MOST_FOUND.saturating_sub(self.found.len());
        let fields = fields.iter().take(room);
        self.found
            .extend(fields.map(|(label, value)| (label.to_string(), value.to_string())));
    }

    /// It has ended.
    pub(super) fn ended(self, base: &mut Base, fault: Option<&Fault>) {
        let Some(fault) = fault else {
            return self.answer(base);
        };
        if matches!(self.form, Form::VCard(..)) && self.portrait(base).image().is_some() {
            // Of whom a picture was shown there is something to tell.
            return self.answer(base);
        }
        let cannot = fault.kind == FaultKind::Unsupported;
        match &self.form {
            // A contact's address answers by itself.
            Form::Pong if cannot && self.origin.resource.is_none() => {
                self.origin.result(&base.outbox, |_| {});
            }
            Form::Pong if cannot => {
                ping::occupant(&base.outbox, &self.origin, Some((true, true)), false);
            }
            Form::Version | Form::Time | Form::VCard(..) if cannot => {
                let text = Denial::NotUnderstood;
                let condition = Condition::ServiceUnavailable;
                self.origin.error(&base.outbox, condition, text);
            }
            _ => base.answer_fault(&self.origin, fault),
        }
    }

    /// How the person looks who is asked about.
    fn portrait(&self, base: &Base) -> Portrait {
        let local = self.origin.local.as_deref().unwrap_or_default();
        let Some(Form::VCard(nick, _)) = self.origin.resource.as_ref().map(|_| &self.form) else {
            return base.hub.portrait(&base.user, local);
        };
        let table = base.names.lock();
        let about = table.find(nick).and_then(|id| table.about(id));
        about.map(|it| it.portrait.clone()).unwrap_or_default()
    }

    fn answer(self, base: &mut Base) {
        let value = |label: &str| {
            let mut found = self.found.iter();
            found.find(|it| it.0 == label).map(|it| it.1.as_str())
        };
        let outbox = base.outbox.clone();
        let answer = value("answer").unwrap_or_default();
        match &self.form {
            Form::VCard(nick, four) => {
                let lang = self.origin.lang;
                let about = person::facts(&self.found, &["nick", "name"], lang).join("\n");
                let name = value("name").unwrap_or(nick);
                let portrait = self.portrait(base);
                let card = Card {
                    photo: portrait.image().map(|image| &**image),
                    name,
                    nick,
                    about: &about,
                    ..Card::default()
                };
                self.origin.result(&outbox, |xml| card.write(xml, *four));
            }
            Form::Command => {
                let form = person::form(&self.found, self.origin.lang);
                self.origin.result(&outbox, |xml| {
                    let session = self.origin.id.as_deref().unwrap_or(WHOIS);
                    xml.start_ns("command", ns::COMMANDS).attr("node", WHOIS);
                    xml.attr("sessionid", session).attr("status", "completed");
                    xml.element(&form);
                    xml.end();
                });
            }
            Form::Version => self.origin.result(&outbox, |xml| {
                xml.start_ns("query", ns::VERSION);
                xml.text_element("name", answer);
                // A program says its name and version in one line.
                xml.text_element("version", "");
                xml.end();
            }),
            Form::Pong => self.origin.result(&outbox, |_| {}),
            Form::Time => match from_stamp(answer) {
                Some(at) => self.origin.result(&outbox, |xml| time::write(xml, at)),
                None => {
                    let text = Denial::TimeForPeople.with(&[answer]);
                    let condition = Condition::NotAcceptable;
                    self.origin.error(&outbox, condition, text);
                }
            },
            Form::Words(before) => {
                let text = match answer.is_empty() {
                    true => person::told(&self.found, self.origin.lang),
                    false => answer.to_owned(),
                };
                whisper(base, &self.origin, &format!("{before}{text}"));
            }
        }
    }
}

/// Says something only to the device that typed something, at the same place. It is of the moment.
pub(super) fn whisper(base: &mut Base, origin: &Origin, text: &str) {
    let address = origin.local.as_deref().unwrap_or_default();
    let kind = base
        .gateway
        .parse(&crate::xmpp::escape::unescape(address), "");
    let in_room = matches!(
        kind,
        Ok(isthmus_gateway::Parsed::Canonical(it)) if is_room(it.kind)
    );
    let mut id = String::new();
    base.ids.next(None, &mut id);
    let kind = if in_room { "groupchat" } else { "chat" };
    let name = StanzaName::Message;
    let head = head(name, origin.sender(), &origin.peer, Some(kind), Some(&id));
    base.outbox.push(|batch| {
        batch.stanza(Class::Message, head, |xml| {
            xml.text_element("body", text);
            xml.leaf("no-store", ns::HINTS);
        });
    });
}

impl Session {
    /// Takes a question about a person; false: it is none.
    pub(super) fn inquires(
        &mut self,
        origin: &Origin,
        incoming: &Incoming,
        get: bool,
        payload: &Element,
    ) -> bool {
        let form = match (payload.name(), payload.ns()) {
            ("vCard", ns::VCARD) if get => Form::VCard(String::new(), false),
            ("vcard", ns::VCARD4) if get => Form::VCard(String::new(), true),
            ("query", ns::VERSION) if get => Form::Version,
            ("ping", ns::PING) if get && self.is_reached(incoming) => Form::Pong,
            ("time", ns::TIME) if get => Form::Time,
            ("command", ns::COMMANDS) if !get && payload.attr("node") == Some(WHOIS) => {
                if payload.attr("action") == Some("cancel") {
                    return false;
                }
                Form::Command
            }
            _ => return false,
        };
        let Some(nick) = self.person(incoming) else {
            return false;
        };
        let form = match form {
            Form::VCard(_, four) => Form::VCard(nick.clone(), four),
            form => form,
        };
        if let Form::VCard(_, four) = form
            && is_room(incoming.to.kind)
            && self.many_inquiries()
        {
            // A client that wants the card of everybody in a room makes no flood of questions.
            let card = Card {
                name: &nick,
                nick: &nick,
                ..Card::default()
            };
            origin.result(&self.base.outbox, |xml| card.write(xml, four));
            return true;
        }
        self.inquire(origin.clone(), nick, form);
        true
    }

    /// Whether a ping goes on to a person. A contact's address is ours, and answers by itself while
    /// nobody can be asked.
    fn is_reached(&self, incoming: &Incoming) -> bool {
        let base = &self.base;
        let asked = base.link == Link::Online && base.facts.caps.lookup;
        incoming.resource.is_some() || (asked && incoming.to.kind == Kind::Contact)
    }

    /// Who is asked: a contact, or somebody else in a room one is in.
    fn person(&mut self, incoming: &Incoming) -> Option<String> {
        if incoming.to.kind == Kind::Contact {
            return Some(incoming.to.id.clone());
        }
        let nick = incoming.resource.as_deref()?;
        if self.base.is_me(nick) {
            return None;
        }
        let room = self.rooms.find(&self.base, &incoming.to.id)?;
        let entered = room.has_entered(&incoming.from);
        let occupant = room.occupants.find(nick, &self.base.facts.fold)?;
        entered.then(|| self.base.names.lock().shared_name(occupant.id).to_string())
    }

    fn many_inquiries(&mut self) -> bool {
        let open = self.base.open_pending();
        let open = open.filter(|it| matches!(it, Pending::Inquiry(_)));
        open.count() >= MOST_OPEN
    }

    /// Asks about a person, or his program.
    pub(super) fn inquire(&mut self, origin: Origin, nick: String, form: Form) {
        let what = match &form {
            Form::Version => "version",
            Form::Pong => "ping",
            Form::Time => "time",
            Form::VCard(..) | Form::Command | Form::Words(_) => "",
        };
        self.inquire_what(origin, nick, what.to_owned(), form);
    }

    /// The same, in a word of the network's own; an empty one is who he is.
    pub(super) fn inquire_what(&mut self, origin: Origin, nick: String, what: String, form: Form) {
        if self.many_inquiries() {
            let text = Denial::TooManyQuestions;
            return origin.fault(&self.base.outbox, &fault::of(FaultKind::TooFast, text));
        }
        let (contact, found) = (nick.into(), Vec::new());
        let command = match what.is_empty() {
            true => Command::Lookup { contact },
            false => Command::Query {
                contact,
                what: what.into(),
            },
        };
        let inquiry = Inquiry {
            origin,
            form,
            found,
        };
        let pending = Pending::Inquiry(Box::new(inquiry));
        self.base.issue_within(command, pending, PATIENCE);
    }
}
