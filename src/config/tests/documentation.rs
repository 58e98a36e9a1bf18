//! The documentation of the keys against what is accepted.

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
            let default = format!(
                "{} = {}",
                doc.key.rsplit('.').next().unwrap_or(""),
                doc.default
            );
            let lines = [
                Some(doc.example),
                (!doc.default.is_empty()).then_some(&*default),
            ];
            for line in lines.into_iter().flatten() {
                accepts(&table, doc, line);
            }
        }
    }
}

fn accepts(table: &str, doc: &KeyDoc, line: &str) {
    let folder = Folder::new();
    for (name, text) in [("component.secret", "x"), ("authorities.pem", "")] {
        folder.file(name, text);
    }
    let parent = doc
        .key
        .rsplit_once('.')
        .map_or(String::new(), |(parent, _)| format!(".{parent}"));
    let kind = table.strip_prefix("gateway.").unwrap_or("loopback");
    let given = format!("gateway.{kind}.domain={kind}.example.org");
    let mut environment = vec![variable(&given)];
    if !["secret", "secret_file"].contains(&doc.key) {
        environment.push(variable("component.secret=x"));
    }
    let path = folder.file("isthmus.toml", &format!("[{table}{parent}]\n{line}\n"));
    if let Err(problems) = load(&path, environment, registry::KINDS) {
        panic!("[{table}{parent}] {line}\n{problems}");
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
