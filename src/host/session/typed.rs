//! Commands typed where messages are written, as IRC clients have them: `/whois`, `/mode`, `/kick`.
//!
//! In a room, and on the network's own address, where they need no `/` if they are in small
//! letters. What begins with `/` is never said to anybody: a word that is no command is refused, to
//! its sender only. `//text` says `/text`; `/me` is a message. To a person everything is text.
//! `/set`, `/get` and `/unset` are about the settings of the room or the network they are typed in:
//! `command::settings` knows what they say.

use isthmus_gateway::{Address, Command, FaultKind, Kind, Outgoing, Place};

use super::inquiry::{Form, whisper};
use super::stanzas::Incoming;
use super::{Pending, Sent, Session};
use crate::host::chat::body_of;
use crate::host::command;
use crate::host::fault;
use crate::host::reply::Origin;
use crate::host::room::is_room;
use crate::host::words::{Denial, Lang, Notice, Phrase, Said, Usage};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// A command.
struct Word {
    name: &'static str,
    /// What belongs behind it, and how many words of it must be there.
    usage: Option<(Usage, usize)>,
    /// It needs a room.
    inside: bool,
}

/// About settings: without a stroke `command::chat` takes them.
const SETTING: [&str; 3] = ["get", "set", "unset"];

const fn word(name: &'static str, usage: Option<(Usage, usize)>, inside: bool) -> Word {
    Word {
        name,
        usage,
        inside,
    }
}

/// What is understood.
const WORDS: &[Word] = &[
    word("away", Some((Usage::Why, 0)), false),
    word("ban", Some((Usage::WhoWhy, 1)), true),
    word("ctcp", Some((Usage::WhoQuestion, 2)), false),
    word("get", Some((Usage::Key, 1)), false),
    word("help", None, false),
    word("invite", Some((Usage::Who, 1)), true),
    word("join", Some((Usage::Room, 1)), false),
    word("kick", Some((Usage::WhoWhy, 1)), true),
    word("me", Some((Usage::DoesSomething, 1)), true),
    word("mode", Some((Usage::Changes, 0)), true),
    word("msg", Some((Usage::WhoText, 2)), false),
    word("nick", Some((Usage::Name, 1)), false),
    word("notice", Some((Usage::WhoText, 2)), false),
    word("part", Some((Usage::Why, 0)), true),
    word("query", Some((Usage::WhoText, 2)), false),
    word("quote", Some((Usage::Line, 1)), false),
    word("raw", Some((Usage::Line, 1)), false),
    word("set", Some((Usage::KeyValue, 0)), false),
    word("topic", Some((Usage::Text, 0)), true),
    word("unban", Some((Usage::Who, 1)), true),
    word("unset", Some((Usage::Key, 1)), false),
    word("whois", Some((Usage::Who, 1)), false),
];

impl Word {
    /// How it is written.
    fn shown(&self, lang: Lang) -> String {
        let usage = self.usage.map_or("", |(usage, _)| lang.say(usage));
        format!("/{} {usage}", self.name).trim_end().to_owned()
    }
}

/// What a text says.
#[derive(Debug, PartialEq, Eq)]
enum Typed<'t> {
    /// Itself.
    Text,
    /// Itself without its first sign.
    Escaped(&'t str),
    /// A command, and what stands behind it.
    Word(String, &'t str),
}

fn read(text: &str) -> Typed<'_> {
    let Some(rest) = text.strip_prefix('/') else {
        return Typed::Text;
    };
    if rest.starts_with('/') {
        return Typed::Escaped(rest);
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if word.is_empty() || (word == "me" && !rest.is_empty()) {
        return Typed::Text;
    }
    Typed::Word(word.to_lowercase(), rest.trim())
}

/// A command without its stroke, as the network's address takes it, where all else is a line of the
/// network: its word in small letters, which lines of networks are not in.
fn bare(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let ours = |it: &Word| it.name == word && !it.inside && !SETTING.contains(&it.name);
    let known = WORDS.iter().any(ours);
    // Several lines are lines of the network.
    let one = !rest.trim().contains(['\n', '\r']);
    (known && one).then(|| (word, rest.trim()))
}

/// Where something was typed.
struct Desk<'s> {
    origin: &'s Origin,
    stanza: &'s Element,
    from: &'s str,
    to: &'s Address,
    /// Folded and proper name; none on the network's address.
    room: Option<(&'s [u8], &'s str)>,
}

/// What is wrong with what was typed, in words.
type Wrong = Said;

impl Session {
    /// Takes what is typed in a room (by its folded name), or on the network's address. True: it
    /// was a command; else it is a text, which may have lost its first sign.
    pub(super) fn typed(
        &mut self,
        origin: &Origin,
        incoming: &mut Incoming,
        room: Option<(&[u8], &str)>,
    ) -> bool {
        let body = body_of(&incoming.stanza);
        let Some(text) = body.map(|body| body.text().into_owned()) else {
            return false;
        };
        let (word, rest) = match read(&text) {
            Typed::Text => match bare(&text).filter(|_| room.is_none()) {
                Some((word, rest)) => (word.to_owned(), rest),
                None => return false,
            },
            Typed::Escaped(text) => {
                incoming.stanza.set_text("body", ns::COMPONENT, text);
                return false;
            }
            Typed::Word(word, rest) => (word, rest),
        };
        // Behind commands stand passwords: errors do not repeat them.
        let origin = &origin.clone().silent();
        let desk = Desk {
            origin,
            stanza: &incoming.stanza,
            from: &incoming.from,
            to: &incoming.to,
            room,
        };
        if let Err(wrong) = self.run(&desk, &word, rest) {
            origin.error(&self.base.outbox, Condition::BadRequest, wrong);
        }
        true
    }

    fn run(&mut self, desk: &Desk<'_>, word: &str, rest: &str) -> Result<(), Wrong> {
        let Some(known) = WORDS.iter().find(|it| it.name == word) else {
            return Err(Denial::TypedNone.with(&[word]));
        };
        if rest.contains(['\n', '\r']) && !matches!(word, "msg" | "query" | "set") {
            return Err(Denial::TypedOneLine.with(&[word]));
        }
        if known.inside && desk.room.is_none() {
            return Err(Denial::TypedInRoom.with(&[word]));
        }
        let (first, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let more = more.trim();
        let there = usize::from(!first.is_empty()) + usize::from(!more.is_empty());
        if let Some((usage, needs)) = known.usage
            && there < needs
        {
            return Err(Denial::TypedIs.told(|lang| vec![word, lang.say(usage)]));
        }
        match word {
            "help" => {
                let words = WORDS.iter();
                let settles = self.settles(desk);
                let words = words.filter(|it| {
                    let here = desk.room.is_some() || !it.inside;
                    here && (settles || !SETTING.contains(&it.name))
                });
                let words: Vec<String> = words.map(|it| it.shown(desk.origin.lang)).collect();
                whisper(&mut self.base, desk.origin, &words.join("\n"));
            }
            "get" | "set" | "unset" => return self.about_settings(desk, word, rest),
            "whois" => {
                let form = Form::Words(String::new());
                self.inquire(desk.origin.clone(), first.to_owned(), form);
            }
            "ctcp" => {
                let form = Form::Words(format!("{first}: "));
                let (nick, what) = (first.to_owned(), more.to_owned());
                self.inquire_what(desk.origin.clone(), nick, what, form);
            }
            "msg" | "query" => self.message_to(desk, first, more),
            "join" => return self.points_to(first),
            "topic" if rest.is_empty() => self.tell_topic(desk),
            "mode" if !self.is_change(first, more) => return Err(Denial::TypedMode.into()),
            "part" => self.part(desk, rest),
            _ => self.order(desk, word, (rest, first, more)),
        }
        Ok(())
    }

    /// Whether a change of modes can begin so: with a sign, one letter, or of whom or what it is.
    fn is_change(&self, first: &str, more: &str) -> bool {
        if first.len() < 2 || first.starts_with(['+', '-']) || more.starts_with(['+', '-']) {
            return true;
        }
        let base = &self.base;
        let parsed = base.gateway.parse(&format!("{first}%{}", base.network), "");
        let room = matches!(parsed, Ok(isthmus_gateway::Parsed::Canonical(it)) if is_room(it.kind));
        room || base.is_me(first)
    }

    /// What is one command to the network. Its refusal is told to who typed it.
    fn order(&mut self, desk: &Desk<'_>, word: &str, (rest, first, more): (&str, &str, &str)) {
        let own = |text: &str| text.to_owned().into();
        let why = Some(more).filter(|more| !more.is_empty()).map(own);
        let name = desk.room.map_or("", |room| room.1);
        let room = own(name);
        let command = match word {
            "away" => Command::Away {
                text: Some(rest).filter(|rest| !rest.is_empty()).map(own),
            },
            "ban" | "unban" => Command::Ban {
                room,
                whom: own(first),
                on: word == "ban",
                reason: why,
            },
            "invite" => Command::Invite {
                room,
                contact: own(first),
                reason: why,
            },
            "kick" => Command::Kick {
                room,
                nick: own(first),
                reason: why,
            },
            "nick" => Command::Nick { nick: own(first) },
            "topic" => Command::Subject {
                room,
                text: own(rest),
            },
            "mode" => Command::Raw {
                line: mode_line(name, rest, first).into(),
            },
            "notice" => Command::Raw {
                line: format!("NOTICE {first} :{more}").into(),
            },
            _ => Command::Raw { line: own(rest) },
        };
        match &command {
            Command::Nick { nick } => self.base.wish.asks_for(nick),
            Command::Raw { line } => self.base.wish.asks_by(line),
            _ => {}
        }
        let origin = desk.origin.clone();
        let (Command::Subject { .. }, Some((key, _))) = (&command, desk.room) else {
            self.base.issue(command, Pending::Quiet(origin));
            return;
        };
        let (id, room) = (origin.id.clone(), key.into());
        let pending = Pending::Subject { origin, room };
        let tag = self.base.issue(command, pending);
        if let Some(room) = self.rooms.by_key(key) {
            room.subject_asked(tag, id);
        }
    }

    fn message_to(&mut self, desk: &Desk<'_>, nick: &str, text: &str) {
        self.converses();
        self.peers.wrote(&self.base, nick, None);
        let to = Place::Contact(nick.to_owned().into());
        let sent = Sent {
            origin: desk.origin.clone(),
            stanza: desk.stanza.clone(),
            room: None,
            peer: super::heard::private_peer(&self.base, nick),
            confirm: false,
            takes_back: None,
            reflected: true,
        };
        let command = Command::Send(Outgoing::text(to, text.to_owned()));
        self.base.issue(command, Pending::Message(Box::new(sent)));
    }

    /// Only the client can enter a room: it is told where that is.
    fn points_to(&mut self, room: &str) -> Result<(), Wrong> {
        let known = self.base.local(Kind::Room, room);
        known.map_err(|fault| Said::theirs(fault.text))?;
        self.invited(room, "", None);
        Ok(())
    }

    /// Whether what something was typed in has settings.
    fn settles(&self, desk: &Desk<'_>) -> bool {
        let answers = self.base.desk.is_some();
        answers && command::has_settings(&*self.base.gateway, desk.to.kind)
    }

    /// What is typed of settings is answered where it was typed, to who typed it.
    fn about_settings(&self, desk: &Desk<'_>, word: &str, rest: &str) -> Result<(), Wrong> {
        let none = || Err(Denial::TypedNone.with(&[word]));
        let Some(answers) = self.base.desk.as_ref().filter(|_| self.settles(desk)) else {
            return none();
        };
        let lang = desk.stanza.attr("xml:lang");
        let asker = answers.asker(desk.origin, &self.base.user, desk.to, lang);
        let said = format!("{word} {rest}");
        match answers.typed(desk.origin, asker, &said, desk.room.is_some()) {
            true => Ok(()),
            // A key is one word.
            false => Err(Denial::TypedIs.told(|lang| vec![word, lang.say(Usage::Key)])),
        }
    }

    fn tell_topic(&mut self, desk: &Desk<'_>) {
        let room = desk.room.and_then(|(key, _)| self.rooms.by_key(key));
        let text = room.map(|room| room.subject.text.clone());
        let text = text.filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| desk.origin.lang.say(Notice::NoTopic).to_owned());
        whisper(&mut self.base, desk.origin, &text);
    }

    /// The user leaves, with all his devices.
    fn part(&mut self, desk: &Desk<'_>, why: &str) {
        let room = desk.room.and_then(|(key, _)| self.rooms.by_key(key));
        if let Some(room) = room.filter(|room| room.has_entered(desk.from)) {
            let why = Some(why).filter(|why| !why.is_empty());
            room.part(&mut self.base, why);
        }
    }

    /// What is not to be sent because nobody is there to take it.
    pub(super) fn not_online(&self, origin: &Origin) {
        let text = Denial::ConnectionLost;
        origin.fault(&self.base.outbox, &fault::of(FaultKind::NetworkDown, text));
    }
}

/// The line for modes that were typed in the room `name`; without a name in front they are its own.
fn mode_line(name: &str, typed: &str, first: &str) -> String {
    let named = first.len() > 1 && !first.starts_with(['+', '-']);
    let line = match named {
        true => format!("MODE {typed}"),
        false => format!("MODE {name} {typed}"),
    };
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_ours_in_small_letters_needs_no_stroke_and_any_other_is_a_line() {
        for (text, expected) in [
            ("join #x", Some(("join", "#x"))),
            ("whois  alice ", Some(("whois", "alice"))),
            ("help", Some(("help", ""))),
            ("JOIN #x", None),
            ("Join #x", None),
            ("joining #x", None),
            (" join #x", None),
            ("kick #x alice", None),
            ("unset the table", None),
            ("join #x\njoin #y", None),
            ("privmsg alice :hi", None),
        ] {
            assert_eq!(bare(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_is_a_command_only_where_it_begins_with_one_stroke() {
        for (text, expected) in [
            ("hello", Typed::Text),
            (" /kick bob", Typed::Text),
            ("/", Typed::Text),
            ("/ kick", Typed::Text),
            ("/me waves", Typed::Text),
            ("//kick bob", Typed::Escaped("/kick bob")),
            ("///", Typed::Escaped("//")),
            ("/me", Typed::Word("me".into(), "")),
            ("/KICK bob  off ", Typed::Word("kick".into(), "bob  off")),
            ("/usr/bin/env", Typed::Word("usr/bin/env".into(), "")),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
