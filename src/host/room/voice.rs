//! Who asks for a voice (XEP-0045 §8.6) or to be let in (§9.9), as a form for who runs the room; and
//! the form by which one asks (§7.10).

use isthmus_gateway::{Command, Ranks, Role};

use super::Room;
use super::admin::{Wish, wanted};
use crate::host::form;
use crate::host::session::Base;
use crate::host::words::{Label, Lang};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// The form that asks what to do with a request. `inside`: he is in the room and asks for a voice.
pub(crate) fn form(
    inside: bool,
    nick: &str,
    jid: Option<&str>,
    reason: Option<&str>,
    lang: Lang,
) -> Element {
    let text = |name: &str, text: &str| Element::new(name, ns::DATA_FORMS).with_text(text);
    let field = |kind: &str, var: &str, label: Label, value: &str| {
        Element::new("field", ns::DATA_FORMS)
            .with_attr("type", kind)
            .with_attr("var", var)
            .with_attr("label", lang.say(label))
            .with_child(text("value", value))
    };
    let about = |about: &str| {
        Element::new("field", ns::DATA_FORMS)
            .with_attr("type", "hidden")
            .with_attr("var", "FORM_TYPE")
            .with_child(text("value", about))
    };
    let title = match inside {
        true => lang.tell(Label::AsksVoice, &[nick]),
        false => lang.tell(Label::AsksEntrance, &[nick]),
    };
    let form = Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "form")
        .with_child(text("title", &title));
    let form = match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => form.with_child(text("instructions", reason)),
        None => form,
    };
    if !inside {
        return form
            .with_child(about(ns::MUC_REGISTER))
            .with_child(field(
                "text-single",
                "muc#register_roomnick",
                Label::Nickname,
                nick,
            ))
            .with_child(field("boolean", "muc#register_allow", Label::LetIn, "0"));
    }
    let form = form.with_child(about(ns::MUC_REQUEST)).with_child(field(
        "text-single",
        "muc#role",
        Label::Role,
        "participant",
    ));
    let form = match jid {
        Some(jid) => form.with_child(field("jid-single", "muc#jid", Label::Address, jid)),
        None => form,
    };
    form.with_child(field("text-single", "muc#roomnick", Label::Nickname, nick))
        .with_child(field("boolean", "muc#request_allow", Label::GiveVoice, "0"))
}

/// The answer to a get of `jabber:iq:register` (§7.10): who is in is registered, by his nickname
/// there; anybody else may ask to be let in. The network knows him by his nickname alone, so nothing
/// is asked of him.
pub(crate) fn registration(nick: Option<&str>, lang: Lang) -> Element {
    let query = Element::new("query", ns::REGISTER);
    let text = |name: &str, text: &str| Element::new(name, ns::REGISTER).with_text(text);
    if let Some(nick) = nick {
        let registered = Element::new("registered", ns::REGISTER);
        return query
            .with_child(registered)
            .with_child(text("username", nick));
    }
    let (title, words) = (Label::AskEntrance, lang.say(Label::AskEntranceAbout));
    let form = form::ask(lang.say(title), words, Some(ns::MUC_REGISTER), &[], lang);
    query
        .with_child(text("instructions", words))
        .with_child(form)
}

impl Room {
    /// The command that gives somebody a voice; `None`: he is not here, or there is no such rank.
    pub(crate) fn give_voice(&self, base: &Base, nick: &str) -> Option<Command<'static>> {
        let occupant = self.occupants.find(nick, &base.facts.fold)?;
        let set = wanted(Wish::Role(Role::Participant), &base.facts.ranks)?;
        let name = base.names.lock().shared_name(occupant.id).to_string();
        Some(Command::Rank {
            room: self.name.clone().into(),
            nick: name.into(),
            set,
            cleared: Ranks(0),
        })
    }
}
