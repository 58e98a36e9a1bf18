//! A room's configuration (XEP-0045 §10.2, `muc#owner`): what holds for the foreign room, as a
//! form, and back. Rooms are neither made nor destroyed here: they are the network's.

use isthmus_gateway::{Address, Affiliation, Command, FaultKind, Field, FieldKind, RoomFlags};

use super::{Phase, Room};
use crate::host::fault;
use crate::host::form::{self, Answers};
use crate::host::reply::Origin;
use crate::host::session::{Base, Pending};
use crate::host::setting;
use crate::host::words::{Denial, Label, Lang, Phrase, Said, Text};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::Condition;

/// The largest number of occupants that can be asked for.
const MOST_OCCUPANTS: u32 = 1_000_000;
/// The longest password, in bytes.
const LONGEST_PASSWORD: usize = 256;

const MODERATED: &str = "muc#roomconfig_moderatedroom";
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
const PUBLIC: &str = "muc#roomconfig_publicroom";
const CHANGE_SUBJECT: &str = "muc#roomconfig_changesubject";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const MAX_USERS: &str = "muc#roomconfig_maxusers";
/// XEP-0045 has no word for it: in its rooms only occupants speak.
const CLOSED: &str = "isthmus#closed";
/// All of them.
const ROOM_FIELDS: [&str; 8] = [
    MODERATED,
    MEMBERS_ONLY,
    PUBLIC,
    CHANGE_SUBJECT,
    PROTECTED,
    SECRET,
    MAX_USERS,
    CLOSED,
];

impl Room {
    /// Takes a `muc#owner` get: the form as it is filled in now. What holds for the room is for
    /// who runs it; what the user has set of it is his own (`setting`).
    pub(crate) fn show_config(&self, base: &Base, origin: &Origin, at: &Address, lang: Lang) {
        if self.phase != Phase::Inside {
            return origin.fault(&base.outbox, &fault::bare(FaultKind::NotJoined));
        }
        let form = match self.may_configure(base) {
            true => config_form(&self.name, self.flags, lang),
            false => empty_form(&self.name),
        };
        let note = Field::new("isthmus#yours", lang.say(Text::YoursHere), FieldKind::Note);
        let mut fields = setting::fields(&*base.gateway, at, lang);
        let set = base.settings.as_deref();
        let stays = base.shared.stays(base.outbox.domain());
        setting::inherit(&mut fields, stays, |name| set?.get(name));
        for field in &mut fields {
            let set = set.and_then(|set| set.rooms.get(&at.id.to_lowercase()));
            if let Some(set) = set.and_then(|set| set.get(&field.name)) {
                field.value = Some(set.clone());
            }
        }
        setting::veil(&mut fields, lang);
        if !fields.is_empty() {
            fields.insert(0, note);
        }
        let form = form::with(form, &fields, lang);
        origin.result(&base.outbox, |xml| {
            xml.start_ns("query", ns::MUC_OWNER);
            xml.element(&form).end();
        });
    }

    /// Whether all that holds must be known for a request: for the form, of who may change it, and
    /// for a change (`query`) of any of it.
    pub(crate) fn must_know_flags(&self, base: &Base, query: Option<&Element>) -> bool {
        let changes = |query: &Element| matches!(submitted(query), Ok(Some(it)) if is_about(&it));
        self.phase == Phase::Inside && self.may_configure(base) && query.is_none_or(changes)
    }

    /// Takes a `muc#owner` set.
    pub(crate) fn configure(
        &mut self,
        base: &mut Base,
        origin: Origin,
        (at, lang): (&Address, Lang),
        query: &Element,
    ) {
        if query.child("destroy", ns::MUC_OWNER).is_some() {
            let text = Denial::RoomNotYours;
            return origin.error(&base.outbox, Condition::NotAllowed, text);
        }
        if self.phase != Phase::Inside {
            return origin.fault(&base.outbox, &fault::bare(FaultKind::NotJoined));
        }
        let answers = match submitted(query) {
            Ok(Some(answers)) => setting::spelled(&*base.gateway, answers),
            // §10.2: a form that is cancelled changes nothing.
            Ok(None) => return origin.result(&base.outbox, |_| {}),
            Err(text) => return origin.error(&base.outbox, Condition::BadRequest, text),
        };
        let fields = setting::fields(&*base.gateway, at, lang);
        if let Err(fault) = form::check(&fields, &answers, None, lang) {
            return origin.fault(&base.outbox, &fault);
        }
        let of_room = answers.keys().any(|it| ROOM_FIELDS.contains(&it.as_str()));
        if let Some(odd) = form::not_asked(&fields, &answers).filter(|_| !of_room) {
            let text = Text::NotAsked.with(&[odd]);
            return origin.error(&base.outbox, Condition::BadRequest, text);
        }
        let wanted = wanted(self.flags, &answers);
        let (flags, password) = match wanted {
            Ok(wanted) => wanted,
            Err(text) => return origin.error(&base.outbox, Condition::NotAcceptable, text),
        };
        let changes = password.is_some() || flags != self.flags;
        if (changes || is_about(&answers)) && !self.may_configure(base) {
            let text = Denial::RoomConfigured;
            return origin.error(&base.outbox, Condition::Forbidden, text);
        }
        let sets = fields.iter().any(|field| answers.contains_key(&field.name));
        match (changes, base.desk.clone().filter(|_| sets)) {
            (false, None) => origin.result(&base.outbox, |_| {}),
            (false, Some(desk)) => {
                desk.set_by_form(base.user.clone(), at.clone(), answers, lang, origin);
            }
            (true, desk) => {
                let kept = desk
                    .map(|desk| desk.keep_by_form(base.user.clone(), at.clone(), answers, lang));
                let command = Command::Config {
                    room: self.name.clone().into(),
                    flags,
                    password: password.map(Into::into),
                };
                base.issue(command, Pending::Config { origin, kept });
            }
        }
    }

    /// Whether the user may. Admins too: on most networks nobody is more.
    fn may_configure(&self, base: &Base) -> bool {
        let me = self.my_standing(base);
        me.is_some_and(|me| me.affiliation >= Affiliation::Admin)
    }
}

/// Whether answers are about what holds for the room, rather than the user's own.
fn is_about(answers: &Answers) -> bool {
    let mut names = answers.keys();
    names.any(|name| name.starts_with("muc#") || name == CLOSED)
}

/// The answers of a form that was submitted; `None`: it was cancelled.
fn submitted(query: &Element) -> Result<Option<Answers>, Denial> {
    let Some(form) = query.child("x", ns::DATA_FORMS) else {
        return Err(Denial::FormMissing);
    };
    match form.attr("type") {
        Some("cancel") => return Ok(None),
        Some("submit") => {}
        _ => return Err(Denial::FormNotSubmitted),
    }
    let answers = form::answers(form);
    let about = answers.get("FORM_TYPE").map(String::as_str);
    match about.is_some_and(|about| about != ns::MUC_ROOMCONFIG) {
        true => Err(Denial::FormAnother),
        false => Ok(Some(answers)),
    }
}

/// A form of that type without questions.
fn empty_form(name: &str) -> Element {
    let text = |name: &str, text: &str| Element::new(name, ns::DATA_FORMS).with_text(text);
    let about = Element::new("field", ns::DATA_FORMS)
        .with_attr("type", "hidden")
        .with_attr("var", "FORM_TYPE")
        .with_child(text("value", ns::MUC_ROOMCONFIG));
    Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "form")
        .with_child(text("title", name))
        .with_child(about)
}

fn config_form(name: &str, flags: RoomFlags, lang: Lang) -> Element {
    let text = |name: &str, text: &str| Element::new(name, ns::DATA_FORMS).with_text(text);
    let field = |kind: &str, var: &str, label: Label| {
        Element::new("field", ns::DATA_FORMS)
            .with_attr("type", kind)
            .with_attr("var", var)
            .with_attr("label", lang.say(label))
    };
    let flag = |var, label, on| {
        let value = if on { "1" } else { "0" };
        field("boolean", var, label).with_child(text("value", value))
    };
    // XEP-0122 §3
    let number = Element::new("validate", ns::VALIDATE)
        .with_attr("datatype", "xs:integer")
        .with_child(
            Element::new("range", ns::VALIDATE)
                .with_attr("min", "0")
                .with_attr("max", &MOST_OCCUPANTS.to_string()),
        );
    let limit = field("text-single", MAX_USERS, Label::MaxUsers);
    empty_form(name)
        .with_child(flag(MODERATED, Label::Moderated, flags.moderated))
        .with_child(flag(MEMBERS_ONLY, Label::MembersOnly, flags.members_only))
        .with_child(flag(PUBLIC, Label::Public, !flags.hidden))
        .with_child(flag(
            CHANGE_SUBJECT,
            Label::SubjectFree,
            !flags.subject_locked,
        ))
        .with_child(flag(CLOSED, Label::Closed, flags.closed))
        .with_child(flag(PROTECTED, Label::PasswordNeeded, flags.password))
        .with_child(field("text-private", SECRET, Label::Password))
        .with_child(
            limit
                .with_child(number)
                .with_child(text("value", &flags.limit.to_string())),
        )
}

/// What shall hold, and the password if there is to be another. What the form leaves out stays.
fn wanted(now: RoomFlags, answers: &Answers) -> Result<(RoomFlags, Option<String>), Said> {
    let flag = |var: &str, now: bool| match answers.get(var).map(|it| it.trim()) {
        None => Ok(now),
        Some("1" | "true") => Ok(true),
        Some("0" | "false") => Ok(false),
        Some(_) => Err(Denial::ValueYesNo.with(&[var])),
    };
    let limit = match answers.get(MAX_USERS).map(|it| it.trim()) {
        None => now.limit,
        Some("" | "none") => 0,
        Some(number) => number
            .parse()
            .ok()
            .filter(|&limit| limit <= MOST_OCCUPANTS)
            .ok_or_else(|| Denial::ValueNumber.with(&[MAX_USERS, &MOST_OCCUPANTS.to_string()]))?,
    };
    let flags = RoomFlags {
        moderated: flag(MODERATED, now.moderated)?,
        members_only: flag(MEMBERS_ONLY, now.members_only)?,
        hidden: !flag(PUBLIC, !now.hidden)?,
        subject_locked: !flag(CHANGE_SUBJECT, !now.subject_locked)?,
        closed: flag(CLOSED, now.closed)?,
        password: flag(PROTECTED, now.password)?,
        limit,
    };
    let secret = answers.get(SECRET).filter(|secret| !secret.is_empty());
    if secret.is_some_and(|it| it.len() > LONGEST_PASSWORD || it.chars().any(char::is_control)) {
        return Err(Denial::PasswordBad.into());
    }
    if flags.password && !now.password && secret.is_none() {
        return Err(Denial::PasswordWhich.into());
    }
    if secret.is_some() && !flags.password {
        return Err(Denial::PasswordNotAsked.into());
    }
    Ok((flags, secret.cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &[(&str, &str)]) -> Result<(RoomFlags, Option<String>), Said> {
        let pair = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        wanted(RoomFlags::default(), &answers.iter().map(pair).collect())
    }

    #[test]
    fn what_a_form_leaves_out_stays_and_what_makes_no_sense_is_refused() {
        assert_eq!(asked(&[]), Ok((RoomFlags::default(), None)));
        let closed = RoomFlags {
            members_only: true,
            hidden: true,
            limit: 7,
            ..RoomFlags::default()
        };
        let form = [(MEMBERS_ONLY, "true"), (PUBLIC, "0"), (MAX_USERS, "7")];
        assert_eq!(asked(&form), Ok((closed, None)));
        for bad in [
            [(MODERATED, "perhaps")],
            [(MAX_USERS, "-1")],
            [(MAX_USERS, "1000001")],
            [(PROTECTED, "1")],
            [(SECRET, "a\u{7}b")],
            [(SECRET, "key")],
        ] {
            assert!(asked(&bad).is_err(), "{bad:?}");
        }
        let (flags, secret) = asked(&[(PROTECTED, "1"), (SECRET, "key")]).expect("both are there");
        assert!(flags.password);
        assert_eq!(secret.as_deref(), Some("key"));
    }
}
