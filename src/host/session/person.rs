//! What is known of somebody, as it is read: one fact a line, or as the fields of a form, which keep
//! the network's own values for programs.
//!
//! Labels of the contract's look-up have words of ours; others stand as the network spells them.

use crate::host::words::{Lang, fact, fact_line};
use crate::xmpp::element::Element;
use crate::xmpp::ns;

/// Facts: labels and values, of one label perhaps several.
pub(super) type Facts = [(String, String)];

/// Facts that are sentences by themselves.
const SENTENCES: [&str; 5] = ["operator", "secure", "bot", "certificate", "note"];
/// Facts of several names, in one value.
const NAMES: &str = "channels";

/// All in words: who it is, then one fact a line.
pub(super) fn told(found: &Facts, lang: Lang) -> String {
    let value = |label: &str| values(found, label).next();
    let mut lines = Vec::new();
    let head = ["nick", "user", "host"];
    let mut rest: &[&str] = &[];
    if let Some(nick) = value("nick") {
        lines.push(match (value("user"), value("host")) {
            (Some(user), Some(host)) => format!("{nick} [{user}@{host}]"),
            (None, Some(host)) => format!("{nick} [{host}]"),
            (Some(user), None) => format!("{nick} [{user}]"),
            (None, None) => nick.to_owned(),
        });
        rest = &head;
    }
    lines.extend(facts(found, rest, lang));
    lines.join("\n")
}

/// One fact a line, but for those that are told elsewhere.
pub(super) fn facts(found: &Facts, without: &[&str], lang: Lang) -> Vec<String> {
    let labels = labels(found).into_iter();
    let labels = labels.filter(|label| !without.contains(label));
    labels
        .flat_map(|label| match label {
            NAMES => {
                let names: Vec<&str> = values(found, label).collect();
                vec![fact_line(label, &names.join(" "), lang)]
            }
            _ => values(found, label)
                .map(|value| line(label, value, lang))
                .collect(),
        })
        .collect()
}

/// The fields of a form. Of several values, each is one of its own.
pub(super) fn form(found: &Facts, lang: Lang) -> Element {
    let form = Element::new("x", ns::DATA_FORMS).with_attr("type", "result");
    labels(found).into_iter().fold(form, |form, label| {
        let all: Vec<&str> = match label {
            NAMES => values(found, label)
                .flat_map(str::split_whitespace)
                .collect(),
            _ => values(found, label).collect(),
        };
        let mut field = Element::new("field", ns::DATA_FORMS).with_attr("var", label);
        if all.len() > 1 {
            // XEP-0004 §3.3
            field = field.with_attr("type", "text-multi");
        }
        let field = field.with_attr("label", fact(label, lang));
        form.with_child(all.into_iter().fold(field, |field, value| {
            field.with_child(Element::new("value", ns::DATA_FORMS).with_text(value))
        }))
    })
}

/// Labels as they come, each once.
fn labels(found: &Facts) -> Vec<&str> {
    let mut labels: Vec<&str> = Vec::new();
    for (label, _) in found {
        if !labels.contains(&label.as_str()) {
            labels.push(label);
        }
    }
    labels
}

fn values<'f>(found: &'f Facts, label: &str) -> impl Iterator<Item = &'f str> {
    let found = found.iter().filter(move |it| it.0 == label);
    found.map(|it| it.1.as_str())
}

fn line(label: &str, value: &str, lang: Lang) -> String {
    if SENTENCES.contains(&label) {
        return value.to_owned();
    }
    let value = match label {
        "idle" => value.parse().map_or(value.to_owned(), duration),
        "since" => moment(value),
        _ => value.to_owned(),
    };
    fact_line(label, &value, lang)
}

/// Seconds as people say them: `2 d 3 h`, `5 min 12 s`. No more than two units.
fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = rest / length;
        rest %= length;
        match (count, parts.len()) {
            (_, 2) => break,
            (0, 0) => {}
            // Units that do not follow each other say nothing together.
            (0, _) => break,
            _ => parts.push(format!("{count} {name}")),
        }
    }
    match parts.is_empty() {
        true => "0 s".to_owned(),
        false => parts.join(" "),
    }
}

/// A time of XEP-0082 to the minute: `2026-01-01 10:00 UTC`.
fn moment(stamp: &str) -> String {
    let split = stamp.split_once('T');
    let parts = split.and_then(|(day, time)| Some((day, time.strip_suffix('Z')?.get(..5)?)));
    match parts {
        Some((day, time)) => format!("{day} {time} UTC"),
        None => stamp.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(facts: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |&(label, value): &(&str, &str)| (label.to_owned(), value.to_owned());
        facts.iter().map(own).collect()
    }

    #[test]
    fn somebody_is_told_as_people_read_it_one_fact_a_line() {
        let alice = found(&[
            ("nick", "alice"),
            ("user", "a"),
            ("host", "host"),
            ("name", "Alice A"),
            ("channels", "@#garden"),
            ("channels", "+#rust"),
            ("secure", "is using a secure connection"),
            ("idle", "312"),
            ("since", "2026-01-01T10:00:07Z"),
            ("shoe size", "38"),
        ]);
        let expected = "alice [a@host]\nname: Alice A\nchannels: @#garden +#rust\n\
                        is using a secure connection\nidle: 5 min 12 s\n\
                        since: 2026-01-01 10:00 UTC\nshoe size: 38";
        assert_eq!(told(&alice, Lang::En), expected);
        let unknown = found(&[("account", "ally")]);
        assert_eq!(told(&unknown, Lang::En), "account: ally");
    }

    #[test]
    fn a_form_has_each_label_once_and_each_name_by_itself() {
        let alice = found(&[
            ("channels", "@#garden +#rust"),
            ("note", "a"),
            ("note", "b"),
        ]);
        let form = form(&alice, Lang::En);
        let fields: Vec<_> = form.children().collect();
        assert_eq!(fields.len(), 2);
        let values = |at: usize| fields[at].children().map(|it| it.text().to_string());
        assert_eq!(values(0).collect::<Vec<_>>(), ["@#garden", "+#rust"]);
        assert_eq!(values(1).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_duration_is_said_in_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3600, "1 h"),
            (3601, "1 h"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
