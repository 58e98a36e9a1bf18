//! The documentation of the keys against what is accepted.

use std::collections::BTreeMap;

use super::*;
use crate::registry;

#[test]
fn the_sample_in_the_repository_is_the_one_that_is_printed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/isthmus.toml");
    let kept = fs::read_to_string(path).expect("the sample");
    let printed = sample(registry::KINDS);
    // Not assert_eq!, which would print both in one line each.
    let differing = kept
        .lines()
        .zip(printed.lines())
        .find(|(kept, printed)| kept != printed);
    assert!(
        kept == printed,
        "run isthmus config > config/isthmus.toml; first difference: {differing:?}"
    );
}

#[test]
fn the_sample_is_a_good_configuration_with_the_defaults() {
    let folder = Folder::new();
    let path = folder.file("isthmus.toml", &sample(registry::KINDS));
    let config = load(&path, Vec::new(), registry::KINDS).expect("good");
    assert_eq!(config.gateways.len(), 1);
    assert_eq!(config.limits, good(MINIMAL, &[]).limits);
}

#[test]
fn every_documented_default_and_example_is_accepted() {
    let kinds = registry::KINDS;
    let own = keys::TABLES
        .iter()
        .map(|(table, docs)| (table.to_string(), *docs));
    let gateways = kinds
        .iter()
        .map(|kind| (format!("gateway.{}", kind.name), kind.keys));
    for (table, docs) in own.chain(gateways) {
        for doc in docs {
            let default = format!("{} = {}", last(doc), doc.default);
            let lines = [
                Some(doc.example),
                (!doc.default.is_empty()).then_some(&*default),
            ];
            for line in lines.into_iter().flatten() {
                accepts(&table, docs, doc, line);
            }
        }
    }
}

/// The last part of a key.
fn last(doc: &Key) -> &'static str {
    doc.key.rsplit('.').next().unwrap_or("")
}

/// The table a key stands in, below its own; names an operator chooses are chosen.
fn parent(doc: &Key) -> String {
    let parent = doc.key.rsplit_once('.').map_or("", |(parent, _)| parent);
    match parent {
        "" => String::new(),
        "lines.NAME" => ".lines.\"+15551230000\"".to_owned(),
        other => format!(".{}", other.replace("NAME", "name")),
    }
}

/// The examples of a gateway, and those of attachments, belong together: one is tried among all others.
fn accepts(table: &str, docs: &[Key], doc: &Key, line: &str) {
    let folder = Folder::new();
    for (name, text) in [("component.secret", "x"), ("authorities.pem", "")] {
        folder.file(name, text);
    }
    let kind = table.strip_prefix("gateway.");
    let together = kind.is_some() || table == "attachments";
    let mut tables = BTreeMap::from([(parent(doc), vec![line])]);
    for other in docs.iter().filter(|other| together && other.key != doc.key) {
        tables.entry(parent(other)).or_default().push(other.example);
    }
    let kind = kind.unwrap_or("loopback");
    let mut environment = vec![variable(&format!(
        "gateway.{kind}.domain={kind}.example.org"
    ))];
    if !["secret", "secret_file"].contains(&doc.key) {
        environment.push(variable("component.secret=x"));
    }
    let tables = tables
        .iter()
        .map(|(parent, lines)| format!("[{table}{parent}]\n{}\n", lines.join("\n")));
    let path = folder.file("isthmus.toml", &tables.collect::<String>());
    if let Err(problems) = load(&path, environment, registry::KINDS) {
        panic!("[{table}{}] {line}\n{problems}", parent(doc));
    }
}

/// `a.b=c` as a variable.
fn variable(pair: &str) -> (String, String) {
    let (key, value) = pair.split_once('=').expect("a pair");
    (
        format!("ISTHMUS__{}", key.replace('.', "__").to_uppercase()),
        value.to_owned(),
    )
}
