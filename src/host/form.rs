//! XEP-0004 data forms: questions of the contract as a form, answers read and checked, and tables.
//!
//! Nothing a client sends is believed: what a field asks for is checked here, whatever the client
//! was shown (§3.4; XEP-0122 §4). An absent field is an empty one.

use std::collections::BTreeMap;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};
use regex::RegexBuilder;

use crate::host::fault;
use crate::host::words::{Lang, Phrase, Text};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// Longest answer, in bytes.
const LONGEST: usize = 4096;
/// Largest compiled pattern, in bytes.
const PATTERN_MAX: usize = 1 << 20;

/// Answers by field name.
pub(crate) type Answers = BTreeMap<String, String>;

/// A form to fill in. `about`: its `FORM_TYPE` (XEP-0068). Values of secrets are left out.
pub(crate) fn ask(
    title: &str,
    words: &str,
    about: Option<&str>,
    fields: &[Field],
    lang: Lang,
) -> Element {
    let mut form = Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "form")
        .with_child(said("title", title));
    if !words.is_empty() {
        form = form.with_child(said("instructions", words));
    }
    if let Some(about) = about {
        form = form.with_child(hidden(about));
    }
    with(form, fields, lang)
}

/// A form with more questions.
pub(crate) fn with(form: Element, fields: &[Field], lang: Lang) -> Element {
    fields
        .iter()
        .fold(form, |form, it| form.with_child(field(it, lang)))
}

fn field(asked: &Field, lang: Lang) -> Element {
    let kind = match asked.kind {
        FieldKind::Text | FieldKind::Number if !asked.options.is_empty() => "list-single",
        // XEP-0133 names its fields so.
        FieldKind::Text if asked.name.ends_with("jid") => "jid-single",
        FieldKind::Text | FieldKind::Number => "text-single",
        FieldKind::Secret => "text-private",
        FieldKind::Lines if !asked.options.is_empty() => "list-multi",
        FieldKind::Lines if asked.name.ends_with("jids") => "jid-multi",
        FieldKind::Lines | FieldKind::SecretLines => "text-multi",
        FieldKind::Bool => "boolean",
        FieldKind::Choice => "list-single",
        FieldKind::Note => "fixed",
    };
    let mut field = Element::new("field", ns::DATA_FORMS)
        .with_attr("type", kind)
        .with_attr("var", &asked.name)
        .with_attr("label", lang.pick(&asked.label));
    if asked.required {
        field = field.with_child(Element::new("required", ns::DATA_FORMS));
    }
    field = validated(field, asked);
    match (&asked.value, asked.kind) {
        (Some(lines), FieldKind::Lines) => {
            for line in lines.lines() {
                field = field.with_child(said("value", line));
            }
        }
        (None, FieldKind::Note) => field = field.with_child(said("value", lang.pick(&asked.label))),
        (None, _) => {}
        (_, kind) if kind.is_secret() => {}
        (Some(value), _) => field = field.with_child(said("value", value)),
    }
    for (value, label) in &asked.options {
        let option = Element::new("option", ns::DATA_FORMS).with_attr("label", lang.pick(label));
        field = field.with_child(option.with_child(said("value", value)));
    }
    field
}

/// XEP-0122 §3: what a value has to be like.
fn validated(field: Element, asked: &Field) -> Element {
    let validate =
        |datatype| Element::new("validate", ns::VALIDATE).with_attr("datatype", datatype);
    let rule = |name| Element::new(name, ns::VALIDATE);
    match asked.kind {
        FieldKind::Number if asked.min.is_some() || asked.max.is_some() => {
            let mut range = rule("range");
            for (name, bound) in [("min", asked.min), ("max", asked.max)] {
                if let Some(bound) = bound {
                    range = range.with_attr(name, &bound.to_string());
                }
            }
            field.with_child(validate("xs:integer").with_child(range))
        }
        FieldKind::Number if asked.options.is_empty() => {
            field.with_child(validate("xs:integer").with_child(rule("basic")))
        }
        FieldKind::Text | FieldKind::Secret if !asked.pattern.is_empty() => {
            let regex = rule("regex").with_text(&asked.pattern);
            field.with_child(validate("xs:string").with_child(regex))
        }
        _ => field,
    }
}

/// What is told by values under their names, each as many as there are.
pub(crate) fn values(title: &str, about: &str, fields: &[(&str, Vec<String>)]) -> Element {
    let form = Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "result")
        .with_child(said("title", title))
        .with_child(hidden(about));
    fields.iter().fold(form, |form, (name, values)| {
        let field = Element::new("field", ns::DATA_FORMS).with_attr("var", name);
        let values = values.iter();
        form.with_child(values.fold(field, |field, it| field.with_child(said("value", it))))
    })
}

/// Rows below named columns: names and labels (§3.4).
pub(crate) fn table(title: &str, columns: &[(&str, &str)], rows: &[Vec<String>]) -> Element {
    let mut reported = Element::new("reported", ns::DATA_FORMS);
    for (name, label) in columns {
        let column = Element::new("field", ns::DATA_FORMS).with_attr("var", name);
        reported = reported.with_child(column.with_attr("label", label));
    }
    let form = Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "result")
        .with_child(said("title", title))
        .with_child(reported);
    rows.iter().fold(form, |form, row| {
        let mut item = Element::new("item", ns::DATA_FORMS);
        for ((name, _), value) in columns.iter().zip(row) {
            let cell = Element::new("field", ns::DATA_FORMS).with_attr("var", name);
            item = item.with_child(cell.with_child(said("value", value)));
        }
        form.with_child(item)
    })
}

/// The answers in a form that was filled in; several values are lines of one.
pub(crate) fn answers(form: &Element) -> Answers {
    let fields = form.children().filter(|it| it.is("field", ns::DATA_FORMS));
    let answer = |field: &Element| {
        let name = field.attr("var")?.to_owned();
        let values = field.children().filter(|it| it.is("value", ns::DATA_FORMS));
        let lines: Vec<_> = values.map(Element::text).collect();
        Some((name, lines.join("\n")))
    };
    fields.filter_map(answer).collect()
}

/// The questions with their answers, as far as they are what was asked for. An empty secret is
/// the one that holds already (`stored`).
///
/// # Errors
/// A fault for who answered: something required is missing, or a value is not of its kind.
pub(crate) fn check(
    asked: &[Field],
    answers: &Answers,
    stored: Option<&Answers>,
    lang: Lang,
) -> Result<Vec<Field>, Fault> {
    let asked = asked.iter().filter(|field| field.kind != FieldKind::Note);
    asked
        .map(|field| {
            let value = answers.get(&field.name).map(|value| value.trim());
            // What scripts say where they leave it to the level above.
            let unset =
                |value: &str| field.kind == FieldKind::Bool && value.eq_ignore_ascii_case("unset");
            let value = value.filter(|value| !value.is_empty() && !unset(value));
            let value = match (field.kind, value) {
                (kind, None) if kind.is_secret() => stored
                    .and_then(|stored| stored.get(&field.name))
                    .map(String::as_str),
                _ => value,
            };
            let value = match value {
                Some(value) => {
                    Some(check_value(field, value).map_err(|what| refusal(field, what, lang))?)
                }
                None if field.required => return Err(refusal(field, Text::IsMissing, lang)),
                None => None,
            };
            Ok(Field {
                value,
                ..field.clone()
            })
        })
        .collect()
}

/// The answers that were given, as far as they are what was asked for, each as it is kept.
///
/// # Errors
/// As of [`check`].
pub(crate) fn checked(asked: &[Field], answers: &Answers, lang: Lang) -> Result<Answers, Fault> {
    let fields = check(asked, answers, None, lang)?.into_iter();
    let given = fields.filter(|field| answers.contains_key(&field.name));
    Ok(given
        .map(|field| (field.name, field.value.unwrap_or_default()))
        .collect())
}

/// Why a filled form cannot be the answer to what was asked, if so: a field that must be there is
/// not, or all that is there was not asked for.
pub(crate) fn lacking(asked: &[Field], answers: &Answers, lang: Lang) -> Option<String> {
    let there = |field: &Field| {
        let answer = answers.get(&field.name).map(|answer| answer.trim());
        answer.is_some_and(|answer| !answer.is_empty())
    };
    let mut needed = asked
        .iter()
        .filter(|field| field.required && field.kind != FieldKind::Note && !field.kind.is_secret());
    if let Some(field) = needed.find(|field| !there(field)) {
        let label = lang.pick(&field.label);
        return Some(lang.tell(
            Text::BadField,
            &[label, &field.name, lang.say(Text::IsMissing)],
        ));
    }
    not_asked(asked, answers).map(|name| lang.tell(Text::NotAsked, &[name]))
}

/// The first name of answers none of which was asked for.
pub(crate) fn not_asked<'a>(asked: &[Field], answers: &'a Answers) -> Option<&'a str> {
    let known = asked.iter().any(|field| answers.contains_key(&field.name));
    let mut given = answers.keys().filter(|name| *name != "FORM_TYPE");
    given.next().filter(|_| !known).map(String::as_str)
}

/// A value as it is kept; or what is wrong with it.
fn check_value(field: &Field, value: &str) -> Result<String, Text> {
    if value.len() > LONGEST {
        return Err(Text::IsLong);
    }
    let lines = field.kind.has_lines();
    let control = |c: char| c.is_control() && !(lines && c == '\n');
    if value.chars().any(control) {
        return Err(Text::IsControl);
    }
    match field.kind {
        FieldKind::Number => {
            let number: i64 = value.parse().map_err(|_| Text::IsNoNumber)?;
            let small = field.min.is_some_and(|min| number < min);
            if small || field.max.is_some_and(|max| number > max) {
                return Err(Text::IsOutOfRange);
            }
            Ok(number.to_string())
        }
        FieldKind::Bool => match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok("true".to_owned()),
            "0" | "false" | "no" | "off" => Ok("false".to_owned()),
            _ => Err(Text::IsNeitherYesNor),
        },
        FieldKind::Choice => {
            let options = || field.options.iter().map(|(option, _)| option);
            let same = options().find(|option| *option == value);
            let like = || options().find(|option| option.eq_ignore_ascii_case(value));
            same.or_else(like).cloned().ok_or(Text::IsNoChoice)
        }
        _ if !fits(&field.pattern, value) => Err(Text::IsNotOfForm),
        _ => Ok(value.to_owned()),
    }
}

/// Whether each line matches a pattern as a whole. One that is no pattern lets everything pass:
/// who declared it has to know, not who answers.
fn fits(pattern: &str, value: &str) -> bool {
    if pattern.is_empty() {
        return true;
    }
    let whole = RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(PATTERN_MAX)
        .build();
    match whole {
        Ok(whole) => value.lines().all(|line| whole.is_match(line)),
        Err(error) => {
            tracing::warn!(%error, pattern, "a gateway asks for what is no pattern");
            true
        }
    }
}

fn refusal(field: &Field, what: Text, lang: Lang) -> Fault {
    let (label, what) = (lang.pick(&field.label), lang.say(what));
    let text = Text::BadField.with(&[label, &field.name, what]);
    fault::of(FaultKind::NotExpressible, text)
}

/// Whether a form is the one that was asked for: submitted, and of that `FORM_TYPE`, where it
/// names one (XEP-0068 §3).
pub(crate) fn is_of(form: &Element, about: Option<&str>) -> bool {
    let submitted = matches!(form.attr("type"), Some("submit") | None);
    let answers = answers(form);
    let named = answers.get("FORM_TYPE").map(String::as_str);
    submitted && (named.is_none() || named == about)
}

fn said(name: &str, text: &str) -> Element {
    Element::new(name, ns::DATA_FORMS).with_text(text)
}

fn hidden(about: &str) -> Element {
    Element::new("field", ns::DATA_FORMS)
        .with_attr("type", "hidden")
        .with_attr("var", "FORM_TYPE")
        .with_child(said("value", about))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, kind: FieldKind, required: bool) -> Field {
        Field {
            name: name.into(),
            kind,
            required,
            ..Field::default()
        }
    }

    fn given(name: &str, value: &str) -> Answers {
        Answers::from([(name.to_owned(), value.to_owned())])
    }

    fn checked(field: &Field, value: &str) -> Option<String> {
        let fields = check(
            std::slice::from_ref(field),
            &given(&field.name, value),
            None,
            Lang::En,
        );
        fields.ok()?.remove(0).value
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused() {
        assert_eq!(
            checked(&asked("n", FieldKind::Number, false), "-7").as_deref(),
            Some("-7")
        );
        assert_eq!(checked(&asked("n", FieldKind::Number, false), "7a"), None);
        assert_eq!(
            checked(&asked("b", FieldKind::Bool, false), "1").as_deref(),
            Some("true")
        );
        assert_eq!(checked(&asked("b", FieldKind::Bool, false), "maybe"), None);
        assert_eq!(
            checked(&asked("t", FieldKind::Text, false), "a\rQUIT"),
            None
        );
        let mut choice = asked("c", FieldKind::Choice, false);
        choice.options = vec![("red".into(), "Red".into())];
        assert_eq!(checked(&choice, "red").as_deref(), Some("red"));
        assert_eq!(checked(&choice, "blue"), None);
    }

    #[test]
    fn a_value_outside_of_what_is_asked_for_is_refused_by_the_name_of_its_field() {
        let port = Field::new("port", "Port", FieldKind::Number).range(1, 65_535);
        assert_eq!(checked(&port, "65535").as_deref(), Some("65535"));
        let word = Field::new("word", "Word", FieldKind::Text).pattern("[a-z]+|[0-9]");
        assert_eq!(checked(&word, "swan").as_deref(), Some("swan"));
        // The alternatives do not run into the anchors.
        assert_eq!(checked(&word, "7 of 9"), None);
        let lines = Field::new("lines", "Lines", FieldKind::Lines).pattern("[a-z]+");
        assert_eq!(checked(&lines, "a\nb").as_deref(), Some("a\nb"));
        assert_eq!(checked(&lines, "a\n7"), None);
        assert_eq!(checked(&lines, "a\rb"), None);
        for (field, value) in [(&port, "0"), (&port, "65536"), (&word, "Swan")] {
            let asked = std::slice::from_ref(field);
            let fault = check(asked, &given(&field.name, value), None, Lang::En);
            let fault = fault.expect_err("out of bounds");
            assert!(fault.text.contains(&field.name), "{}", fault.text);
        }
    }

    #[test]
    fn a_form_tells_what_its_values_have_to_be_like() {
        let port = Field::new("port", "Port", FieldKind::Number).range(1, 9);
        let form = ask("", "", None, &[port], Lang::En);
        let field = form.child("field", ns::DATA_FORMS).expect("a field");
        let validate = field.child("validate", ns::VALIDATE).expect("validated");
        assert_eq!(validate.attr("datatype"), Some("xs:integer"));
        let range = validate.child("range", ns::VALIDATE).expect("a range");
        assert_eq!(
            (range.attr("min"), range.attr("max")),
            (Some("1"), Some("9"))
        );
    }

    #[test]
    fn a_required_field_that_is_absent_or_blank_is_missing() {
        let field = [asked("t", FieldKind::Text, true)];
        for answers in [Answers::new(), given("t", " ")] {
            let fault = check(&field, &answers, None, Lang::En).expect_err("missing");
            assert_eq!(fault.kind, FaultKind::NotExpressible);
        }
    }

    #[test]
    fn an_empty_secret_keeps_the_one_that_holds() {
        let field = [asked("s", FieldKind::Secret, true)];
        let fields =
            check(&field, &given("s", ""), Some(&given("s", "old")), Lang::En).expect("kept");
        assert_eq!(fields[0].value.as_deref(), Some("old"));
        assert!(check(&field, &given("s", ""), None, Lang::En).is_err());
    }

    #[test]
    fn a_secret_is_never_shown() {
        let mut secret = asked("s", FieldKind::Secret, true);
        secret.value = Some("hunter2".into());
        let mut lines = secret.clone();
        lines.kind = FieldKind::SecretLines;
        let form = format!("{:?}", ask("", "", None, &[secret, lines], Lang::En));
        assert!(!form.contains("hunter2"));
    }
}
