//! The annotated sample, printed from the documentation of the keys.

use super::{GatewayKind, Key, keys};

/// Keys that have to be set; all others stand in the sample as comments.
const REQUIRED: &[&str] = &["component.secret", "gateway.irc.domain"];

const HEAD: &str = "\
# The configuration of Isthmus: every key, with its default or an example.
# `isthmus check --config FILE` tells everything that is wrong with a file.
#
# Every key can also be set by the environment, two underscores between the levels:
# ISTHMUS__COMPONENT__SECRET, ISTHMUS__GATEWAY__IRC__DOMAIN.
";

/// A file with every key of the program and of these gateway kinds.
pub fn sample(kinds: &[GatewayKind]) -> String {
    let mut out = HEAD.to_owned();
    for (table, docs) in keys::TABLES {
        out.push_str(&format!("\n[{table}]\n"));
        docs.iter()
            .for_each(|doc| key(&mut out, table, doc, doc.key));
    }
    for kind in kinds {
        gateway(&mut out, kind);
    }
    out
}

fn gateway(out: &mut String, kind: &GatewayKind) {
    let table = format!("gateway.{}", kind.name);
    let is_on = REQUIRED.iter().any(|required| required.starts_with(&table));
    let mut part = format!("\n{}[{table}]\n", if is_on { "" } else { "#" });
    for doc in keys::GATEWAY {
        key(&mut part, &table, doc, doc.key);
    }
    let mut below = "";
    for doc in kind.keys {
        let (parent, name) = doc.key.rsplit_once('.').unwrap_or(("", doc.key));
        if parent != below {
            below = parent;
            part.push_str(&format!("\n#[{table}.{parent}]\n"));
        }
        key(&mut part, &table, doc, name);
    }
    out.push_str(&part.replace("KIND", kind.name));
}

fn key(out: &mut String, table: &str, doc: &Key, name: &str) {
    // The first key of a table stands right below its name.
    let last = out.lines().last().unwrap_or_default();
    if !last.trim_start_matches('#').starts_with('[') {
        out.push('\n');
    }
    doc.doc
        .lines()
        .for_each(|line| out.push_str(&format!("# {line}\n")));
    let mark = if REQUIRED.contains(&format!("{table}.{}", doc.key).as_str()) {
        ""
    } else {
        "#"
    };
    let default = format!("{name} = {}", doc.default);
    if doc.default.is_empty() {
        out.push_str(&format!("{mark}{}\n", doc.example));
        return;
    }
    if doc.example != default {
        out.push_str(&format!("# For example: {}\n", doc.example));
    }
    out.push_str(&format!("{mark}{default}\n"));
}
