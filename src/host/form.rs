//! XEP-0004 data forms: questions of the contract as a form, answers read and checked, and tables.
//!
//! Nothing a client sends is believed: what a field asks for is checked here, whatever the client
//! was shown (§3.4). An absent field is an empty one.

use std::collections::BTreeMap;

use isthmus_gateway::{Fault, FaultKind, Field, FieldKind};

use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// Longest answer, in bytes.
const LONGEST: usize = 4096;

/// Answers by field name.
pub(crate) type Answers = BTreeMap<String, String>;

/// A form to fill in. `about`: its `FORM_TYPE` (XEP-0068). Values of secrets are left out.
pub(crate) fn ask(title: &str, words: &str, about: Option<&str>, fields: &[Field]) -> Element {
    let mut form = Element::new("x", ns::DATA_FORMS)
        .with_attr("type", "form")
        .with_child(said("title", title));
    if !words.is_empty() {
        form = form.with_child(said("instructions", words));
    }
    if let Some(about) = about {
        form = form.with_child(hidden(about));
    }
    fields
        .iter()
        .fold(form, |form, it| form.with_child(field(it)))
}

fn field(asked: &Field) -> Element {
    let kind = match asked.kind {
        FieldKind::Text | FieldKind::Number if !asked.options.is_empty() => "list-single",
        FieldKind::Text | FieldKind::Number => "text-single",
        FieldKind::Secret => "text-private",
        FieldKind::Bool => "boolean",
        FieldKind::Choice => "list-single",
        FieldKind::Note => "fixed",
    };
    let mut field = Element::new("field", ns::DATA_FORMS)
        .with_attr("type", kind)
        .with_attr("var", &asked.name)
        .with_attr("label", &asked.label);
    if asked.required {
        field = field.with_child(Element::new("required", ns::DATA_FORMS));
    }
    match (&asked.value, asked.kind) {
        (None, FieldKind::Note) => field = field.with_child(said("value", &asked.label)),
        (None, _) | (_, FieldKind::Secret) => {}
        (Some(value), _) => field = field.with_child(said("value", value)),
    }
    for (value, label) in &asked.options {
        let option = Element::new("option", ns::DATA_FORMS).with_attr("label", label);
        field = field.with_child(option.with_child(said("value", value)));
    }
    field
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

/// The answers in a form that was filled in.
pub(crate) fn answers(form: &Element) -> Answers {
    let fields = form.children().filter(|it| it.is("field", ns::DATA_FORMS));
    let answer = |field: &Element| {
        let name = field.attr("var")?.to_owned();
        let value = field.child("value", ns::DATA_FORMS);
        Some((
            name,
            value.map(|it| it.text().into_owned()).unwrap_or_default(),
        ))
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
) -> Result<Vec<Field>, Fault> {
    let asked = asked.iter().filter(|field| field.kind != FieldKind::Note);
    asked
        .map(|field| {
            let value = answers.get(&field.name).map(|value| value.trim());
            let value = value.filter(|value| !value.is_empty());
            let value = match (field.kind, value) {
                (FieldKind::Secret, None) => stored
                    .and_then(|stored| stored.get(&field.name))
                    .map(String::as_str),
                _ => value,
            };
            let value = match value {
                Some(value) => Some(check_value(field, value)?),
                None if field.required => return Err(refusal(field, "is missing")),
                None => None,
            };
            Ok(Field {
                value,
                ..field.clone()
            })
        })
        .collect()
}

fn check_value(field: &Field, value: &str) -> Result<String, Fault> {
    if value.len() > LONGEST {
        return Err(refusal(field, "is too long"));
    }
    if value.chars().any(char::is_control) {
        return Err(refusal(field, "holds control characters"));
    }
    match field.kind {
        FieldKind::Number if value.parse::<i64>().is_err() => {
            Err(refusal(field, "is not a whole number"))
        }
        FieldKind::Bool => match value {
            "1" | "true" => Ok("true".to_owned()),
            "0" | "false" => Ok("false".to_owned()),
            _ => Err(refusal(field, "is neither yes nor no")),
        },
        FieldKind::Choice if !field.options.iter().any(|(option, _)| option == value) => {
            Err(refusal(field, "is none of what there is to choose from"))
        }
        _ => Ok(value.to_owned()),
    }
}

fn refusal(field: &Field, what: &str) -> Fault {
    let text = format!("\u{201c}{}\u{201d} ({}) {what}", field.label, field.name);
    Fault::new(FaultKind::NotExpressible, text)
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
    fn a_required_field_that_is_absent_or_blank_is_missing() {
        let field = [asked("t", FieldKind::Text, true)];
        for answers in [Answers::new(), given("t", " ")] {
            let fault = check(&field, &answers, None).expect_err("missing");
            assert_eq!(fault.kind, FaultKind::NotExpressible);
        }
    }

    #[test]
    fn an_empty_secret_keeps_the_one_that_holds() {
        let field = [asked("s", FieldKind::Secret, true)];
        let fields = check(&field, &given("s", ""), Some(&given("s", "old"))).expect("kept");
        assert_eq!(fields[0].value.as_deref(), Some("old"));
        assert!(check(&field, &given("s", ""), None).is_err());
    }

    #[test]
    fn a_secret_is_never_shown() {
        let mut secret = asked("s", FieldKind::Secret, true);
        secret.value = Some("hunter2".into());
        let form = format!("{:?}", ask("", "", None, &[secret]));
        assert!(!form.contains("hunter2"));
    }
}
