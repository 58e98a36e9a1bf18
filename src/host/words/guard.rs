//! Keeps texts for people out of the rest of the host: a literal of several words there is said in
//! one language only. What is no text for people (logs, words of a protocol, names of commands) is
//! known by where it stands, or listed.

use std::fs;
use std::path::{Path, PathBuf};

/// Files that talk to machines and to the operator.
const OTHERS: &[&str] = &[
    "access.rs",
    "attachment/http.rs",
    "attachment/serve.rs",
    "attachment/upload.rs",
    "courier/blob.rs",
    "courier/blob/kept.rs",
    "courier/deliver.rs",
    "own.rs",
];

/// What a line holds that says nothing to users: logs, commands' own words, names in the store,
/// the names of encryption.
const HARMLESS: &[&str] = &[
    "/me ",
    "\"archive delete\"",
    "\"archive show\"",
    "\"count ",
    "\"delete user\"",
    "\"dialog chat\"",
    "\"dialog command\"",
    "\"dialog network {network}\"",
    "\"disconnect user\"",
    "\"end session\"",
    "\"end-to-end encryption\"",
    "\"file encryption (aesgcm, XEP-0448)\"",
    "\"job {job}\"",
    "\"last login\"",
    "\"list ",
    "\"queue cancel\"",
    "MODE {",
    "NOTICE {",
    "no stanza is called",
    "reason = \"",
    "expect(\"",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "words" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "scene.rs" {
            found.push(path);
        }
    }
}

/// The code of a file without comments, log messages and unit tests, line by line.
fn code(source: &str) -> Vec<&str> {
    let source = source.split("#[cfg(test)]\nmod tests").next();
    let (mut lines, mut logs) = (Vec::new(), false);
    for line in source.unwrap_or_default().lines() {
        let bare = line.trim();
        logs |= ["tracing::", "warn!(", "error!(", "info!(", "debug!("]
            .iter()
            .any(|log| bare.contains(log));
        if !logs && !bare.starts_with("//") {
            lines.push(line);
        }
        logs &= !(bare.ends_with(';') || bare.ends_with(',') && bare.contains(")"));
        logs &= bare != "}" && bare != "});";
    }
    lines
}

/// Whether a literal of the line holds two words, one behind the other.
fn talks(line: &str) -> bool {
    let literals = line.split('"').skip(1).step_by(2);
    let word = |it: &str| it.len() > 1 && it.chars().all(|c| c.is_ascii_alphabetic());
    literals.into_iter().any(|literal| {
        let words: Vec<&str> = literal
            .split(' ')
            .map(|it| it.trim_end_matches([',', ':', ';', '.']))
            .collect();
        words.windows(2).any(|two| word(two[0]) && word(two[1]))
    })
}

#[test]
fn nothing_is_said_to_people_outside_of_the_tables() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut said = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy();
        if OTHERS.contains(&name.as_ref()) {
            continue;
        }
        let source = fs::read_to_string(&file).expect("a source");
        for line in code(&source) {
            if talks(line) && !HARMLESS.iter().any(|harmless| line.contains(harmless)) {
                said.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    assert!(
        said.is_empty(),
        "belongs in host/words:\n{}",
        said.join("\n")
    );
}

#[test]
fn a_text_is_told_from_what_is_none() {
    assert!(talks("    let text = \"you are not here\";"));
    assert!(talks("    Err(format!(\"{nick} is not here\"))"));
    for line in [
        "    (\"chat\", \"error\")",
        "    ns(\"urn:x:y z1\")",
        "    let a = \"b\";",
    ] {
        assert!(!talks(line), "{line}");
    }
    let source =
        "tracing::warn!(\n    \"it is lost\"\n);\nlet text = \"it is lost\";\n// it is lost\n";
    assert_eq!(code(source), ["let text = \"it is lost\";"]);
}
