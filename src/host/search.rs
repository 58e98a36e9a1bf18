//! XEP-0433 extended channel search: the form, what it asks for, and which rooms that is.
//!
//! Nothing is kept of a search: each page is cut from the list of rooms the network told last
//! (`session::listing`). Rooms of one network only; whether a room is open is not known, so that
//! `<is-open/>` is left out.

use isthmus_gateway::{Field, FieldKind};

use crate::host::form::{self, Answers};
use crate::host::words::{Denial, Label, Lang};
use crate::xmpp::element::Element;
use crate::xmpp::ns;
use crate::xmpp::stanza::{Condition, ErrorType};
use crate::xmpp::write::Xml;

/// Words of a search, at most.
const MOST_WORDS: usize = 16;
/// The only kind of room there is here.
const SERVICE: &str = "xep-0045";

/// What is known of one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its bare JID.
    pub(crate) jid: String,
    /// Its name on the network.
    pub(crate) name: String,
    /// How many are in it; `None`: the network does not say.
    pub(crate) occupants: Option<u64>,
    /// What it is about; may be empty.
    pub(crate) subject: String,
}

/// How what is found is ordered (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The fullest first.
    Users,
    Address,
}

impl Order {
    const ALL: [(Self, &'static str, Label); 2] = [
        (
            Self::Users,
            "{urn:xmpp:channel-search:0:order}nusers",
            Label::Users,
        ),
        (
            Self::Address,
            "{urn:xmpp:channel-search:0:order}address",
            Label::Address,
        ),
    ];
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// Each must be found, in lower case; none: everything is.
    words: Vec<String>,
    in_name: bool,
    in_subject: bool,
    in_address: bool,
    min_users: u64,
    /// Rooms are among the kinds asked for.
    rooms: bool,
    order: Order,
}

/// Why a search is refused (§4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such order.
    SortKey,
    /// No word is left to search for.
    Terms,
    /// Everything, and only some of it.
    Conflict,
    /// Nothing says what to find.
    Nothing,
    /// A value is not of its kind.
    Value(Denial),
    /// Too many ask.
    Rate,
}

impl Refusal {
    /// The condition, its type, the condition of the specification and words.
    pub(crate) fn error(self) -> (Condition, ErrorType, Option<&'static str>, Denial) {
        use ErrorType::{Cancel, Modify, Wait};
        let bad = Condition::BadRequest;
        match self {
            Self::SortKey => {
                let text = Denial::SearchOrder;
                let condition = Condition::FeatureNotImplemented;
                (condition, Modify, Some("invalid-sort-key"), text)
            }
            Self::Terms => (
                bad,
                Modify,
                Some("invalid-search-terms"),
                Denial::SearchTerms,
            ),
            Self::Conflict => {
                let text = Denial::SearchConflict;
                (bad, Modify, Some("conflicting-fields"), text)
            }
            Self::Nothing => (
                bad,
                Cancel,
                Some("no-search-conditions"),
                Denial::SearchNothing,
            ),
            Self::Value(text) => (bad, Modify, None, text),
            Self::Rate => {
                let text = Denial::TooManyWait;
                (
                    Condition::ResourceConstraint,
                    Wait,
                    Some("rate-limit"),
                    text,
                )
            }
        }
    }

    /// Writes the condition of the specification.
    pub(crate) fn write(self, xml: &mut Xml<'_>) {
        let Some(name) = self.error().2 else { return };
        xml.start_ns(name, ns::CHANNEL_SEARCH_ERROR);
        match self {
            Self::Conflict => {
                xml.text_element("var", "all").text_element("var", "q");
            }
            Self::Rate => {
                xml.attr("retry-after", "30");
            }
            _ => {}
        }
        xml.end();
    }
}

/// Whether an iq's payload searches for rooms: it bears a form that was filled in.
pub(crate) fn is_search(payload: &Element) -> bool {
    payload.is("search", ns::CHANNEL_SEARCH) && payload.children().next().is_some()
}

/// The form to fill in (§4.2.1).
pub(crate) fn blank(lang: Lang) -> Element {
    let with = |name: &str, label: Label, kind, value: &str| Field {
        value: Some(value.to_owned()).filter(|value| !value.is_empty()),
        ..Field::new(name, lang.say(label), kind)
    };
    let orders = Order::ALL.iter();
    let orders = orders.map(|(_, value, label)| ((*value).to_owned(), lang.say(*label).into()));
    let fields = [
        with("q", Label::SearchFor, FieldKind::Text, ""),
        with("all", Label::SearchAll, FieldKind::Bool, ""),
        with("sinname", Label::SearchNames, FieldKind::Bool, "true"),
        with(
            "sindescription",
            Label::SearchSubjects,
            FieldKind::Bool,
            "true",
        ),
        with(
            "sinaddress",
            Label::SearchAddresses,
            FieldKind::Bool,
            "true",
        ),
        with("min_users", Label::SearchLeast, FieldKind::Text, ""),
        Field {
            options: orders.collect(),
            ..with(
                "key",
                Label::SearchOrder,
                FieldKind::Choice,
                Order::ALL[0].1,
            )
        },
    ];
    let form = form::ask(
        lang.say(Label::SearchRooms),
        "",
        Some(ns::CHANNEL_SEARCH_PARAMS),
        &fields,
        lang,
    );
    let text = |name, text: &str| Element::new(name, ns::DATA_FORMS).with_text(text);
    let option = Element::new("option", ns::DATA_FORMS)
        .with_attr("label", lang.say(Label::SearchKind))
        .with_child(text("value", SERVICE));
    form.with_child(
        Element::new("field", ns::DATA_FORMS)
            .with_attr("type", "list-multi")
            .with_attr("var", "types")
            .with_attr("label", lang.say(Label::SearchKinds))
            .with_child(text("value", SERVICE))
            .with_child(option),
    )
}

impl Search {
    /// Reads a request (§4.2.2). What is not known is ignored, what is missing is as the form has
    /// it.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn of(payload: &Element) -> Result<Self, Refusal> {
        let form = payload
            .child("x", ns::DATA_FORMS)
            .ok_or(Refusal::Value(Denial::SearchForm))?;
        let answers = form::answers(form);
        if answers
            .get("FORM_TYPE")
            .is_some_and(|it| it != ns::CHANNEL_SEARCH_PARAMS)
        {
            return Err(Refusal::Value(Denial::SearchFormOther));
        }
        let key = answers.get("key").filter(|key| !key.is_empty());
        let order = match key {
            None => Order::Users,
            Some(key) => {
                let mut all = Order::ALL.iter();
                let known = all.find(|(_, value, _)| value == key);
                known.map(|(order, ..)| *order).ok_or(Refusal::SortKey)?
            }
        };
        let min_users = match answers.get("min_users").map(|it| it.trim()) {
            None | Some("") => 0,
            Some(number) => number
                .parse()
                .map_err(|_| Refusal::Value(Denial::SearchUsers))?,
        };
        let words = words(&answers)?;
        let kinds = answers.get("types").filter(|kinds| !kinds.is_empty());
        let search = Self {
            in_name: flag(&answers, "sinname", true)?,
            in_subject: flag(&answers, "sindescription", true)?,
            // The table of the specification has one name for it, its example the other.
            in_address: flag(&answers, "sinaddress", true)? && flag(&answers, "sinaddr", true)?,
            min_users,
            rooms: kinds.is_none_or(|kinds| kinds.lines().any(|kind| kind == SERVICE)),
            order,
            words,
        };
        let nowhere = !(search.in_name || search.in_subject || search.in_address);
        match nowhere && !search.words.is_empty() {
            true => Err(Refusal::Nothing),
            false => Ok(search),
        }
    }

    /// What is found, in order.
    pub(crate) fn of_list<'l>(&self, list: &'l [Listed]) -> Vec<&'l Listed> {
        let mut found: Vec<&Listed> = list.iter().filter(|room| self.finds(room)).collect();
        // The list is in order of addresses.
        if self.order == Order::Users {
            found.sort_by_key(|room| std::cmp::Reverse(room.occupants));
        }
        found
    }

    fn finds(&self, room: &Listed) -> bool {
        if !self.rooms || room.occupants.unwrap_or(0) < self.min_users {
            return false;
        }
        let texts = [
            (self.in_name, &room.name),
            (self.in_subject, &room.subject),
            (self.in_address, &room.jid),
        ];
        let texts = texts.iter().filter(|(chosen, _)| *chosen);
        let texts: Vec<String> = texts.map(|(_, text)| text.to_lowercase()).collect();
        self.words
            .iter()
            .all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }
}

fn words(answers: &Answers) -> Result<Vec<String>, Refusal> {
    let all = flag(answers, "all", false)?;
    let q = answers.get("q").filter(|q| !q.is_empty());
    match (q, all) {
        (Some(_), true) => Err(Refusal::Conflict),
        (None, true) => Ok(Vec::new()),
        (None, false) => Err(Refusal::Nothing),
        (Some(q), false) => {
            let words = q.split_whitespace().take(MOST_WORDS);
            let words: Vec<String> = words.map(str::to_lowercase).collect();
            Some(words)
                .filter(|words| !words.is_empty())
                .ok_or(Refusal::Terms)
        }
    }
}

fn flag(answers: &Answers, name: &str, unset: bool) -> Result<bool, Refusal> {
    match answers.get(name).map(|it| it.trim()) {
        None | Some("") => Ok(unset),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(Refusal::Value(Denial::YesNo)),
    }
}

/// Writes what was found of one room (§5.2).
pub(crate) fn write_item(xml: &mut Xml<'_>, room: &Listed) {
    xml.start("item").attr("address", &room.jid);
    xml.text_element("name", &room.name);
    if !room.subject.is_empty() {
        xml.text_element("description", &room.subject);
    }
    if let Some(occupants) = room.occupants {
        xml.text_element("nusers", &occupants.to_string());
    }
    xml.text_element("service-type", SERVICE);
    xml.text_element("anonymity-mode", "muc_semianonymous");
    xml.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&str, &str)]) -> Result<Search, Refusal> {
        let mut form = Element::new("x", ns::DATA_FORMS).with_attr("type", "submit");
        for (name, value) in fields {
            let field = Element::new("field", ns::DATA_FORMS).with_attr("var", name);
            let value = Element::new("value", ns::DATA_FORMS).with_text(value);
            form = form.with_child(field.with_child(value));
        }
        Search::of(&Element::new("search", ns::CHANNEL_SEARCH).with_child(form))
    }

    fn found(fields: &[(&str, &str)]) -> Vec<String> {
        let room = |name: &str, occupants, subject: &str| Listed {
            jid: format!("{name}@loop.example.org"),
            name: name.to_owned(),
            occupants,
            subject: subject.to_owned(),
        };
        let list = [
            room("#garden", Some(3), "Roses and herbs"),
            room("#house", Some(9), "The garden behind it"),
            room("#void", None, ""),
        ];
        let search = asked(fields).expect("a search");
        let found = search.of_list(&list).into_iter();
        found.map(|room| room.name.clone()).collect()
    }

    #[test]
    fn every_word_is_found_somewhere_and_the_fullest_room_comes_first() {
        assert_eq!(found(&[("q", "GARDEN")]), ["#house", "#garden"]);
        assert_eq!(found(&[("q", "garden roses")]), ["#garden"]);
        assert_eq!(
            found(&[("q", "garden"), ("sindescription", "0")]),
            ["#garden"]
        );
        let address = ("key", "{urn:xmpp:channel-search:0:order}address");
        assert_eq!(found(&[("q", "garden"), address]), ["#garden", "#house"]);
        assert_eq!(found(&[("all", "1"), ("min_users", "4")]), ["#house"]);
        assert!(found(&[("all", "1"), ("types", "xep-0369")]).is_empty());
    }

    #[test]
    fn what_makes_no_search_is_refused_by_its_name() {
        assert_eq!(asked(&[]), Err(Refusal::Nothing));
        assert_eq!(asked(&[("q", " ")]), Err(Refusal::Terms));
        assert_eq!(
            asked(&[("q", "a"), ("all", "true")]),
            Err(Refusal::Conflict)
        );
        assert_eq!(asked(&[("q", "a"), ("key", "name")]), Err(Refusal::SortKey));
    }
}
