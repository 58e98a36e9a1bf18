//! Keeps texts for people out of the rest of the host: a literal of several words there is said in
//! one language only, and so is a label of one word, or what is asked of a table in a language that
//! the code has chosen. In gateways, which have no tables, what is said in English is said in
//! Chinese beside it. What is no text for people (logs, words of a protocol, names of commands) is
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
    "\"Isthmus\"",
];

/// Gateways whose texts are looked at. What the loopback says plays a network's words.
const GATEWAYS: [&str; 5] = ["exec", "irc", "kit", "sms", "smtp"];

/// Files of gateways that talk to machines and to the operator.
const OTHER_GATEWAYS: &[&str] = &[
    "config.rs",
    "/config/",
    "exec/src/supervise",
    "exec/src/translate/ask.rs",
    "exec/src/translate/event.rs",
    "exec/src/translate/hello.rs",
    "exec/src/translate/rpc.rs",
    "exec/src/transport.rs",
    "kit/src/settings.rs",
    "smtp/src/translate/inward.rs",
    "smtp/src/translate/mime",
    "smtp/src/translate/server.rs",
    "smtp/src/transport/keep.rs",
    "smtp/src/transport/listen.rs",
];

/// What a line of a gateway holds that says nothing to users: words of a protocol and to those on
/// the other side, names of keys and in the store.
const HARMLESS_GATEWAYS: &[&str] = &[
    "\"CAP ",
    "\"CHATHISTORY ",
    "\"CLIENTINFO\"",
    "\"ERRMSG DCC",
    "\"VERSION\"",
    ".close(\"",
    ".secret(\"",
    "Close::",
    "Err(\"an address needs a template",
    "Err(\"contacts and rooms have",
    "Err(\"either every template",
    "Mail Delivery System",
    "Self::Withheld(_)",
    "b\"",
    "const SECRET",
    "expect(\"",
    "identd cannot listen",
    "let wrong = ||",
    "not authori",
    "reason = \"",
    "nobody can be told",
    "quote = Some",
    "serving mail",
    "the report is not ASCII",
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

fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// Whether a literal of the line holds two words, one behind the other.
fn talks(line: &str) -> bool {
    let word = |it: &str| it.len() > 1 && it.chars().all(|c| c.is_ascii_alphabetic());
    literals(line).any(|literal| {
        let words: Vec<&str> = literal
            .split(' ')
            .map(|it| it.trim_end_matches([',', ':', ';', '.']))
            .collect();
        words.windows(2).any(|two| word(two[0]) && word(two[1]))
    })
}

/// Whether a literal of the line is one word written as labels are: `Users`.
fn labels(line: &str) -> bool {
    literals(line).any(|literal| {
        let mut letters = literal.chars();
        let capital = letters.next().is_some_and(|c| c.is_ascii_uppercase());
        let small = letters.clone().all(|c| c.is_ascii_lowercase());
        capital && small && letters.next().is_some()
    })
}

/// Whether the line gives what people read as it stands here: `.with_attr("label", "users")`.
fn shows(line: &str) -> bool {
    let shown = ["label", "title", "instructions", "desc", "body", "text"];
    shown.iter().any(|name| {
        let (_, value) = line
            .split_once(&format!("(\"{name}\", \""))
            .unwrap_or_default();
        value.starts_with(|c: char| c.is_alphabetic())
    })
}

fn speaks_chinese(line: &str) -> bool {
    line.contains(|c: char| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Whether the line speaks one language whatever the user's is; what only counts may, and logs.
fn chooses(line: &str) -> bool {
    let of_no_user = [
        "is_empty()",
        "let known = |kind| fields(",
        "let why = why.within(",
    ];
    let chosen = line.contains("Lang::En") || line.contains("Lang::Zh");
    chosen && !of_no_user.iter().any(|it| line.contains(it))
}

fn every_file(root: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(root, &mut files);
    let named = files.into_iter().map(|file| {
        let name = file.strip_prefix(root).unwrap_or(&file);
        let source = fs::read_to_string(&file).expect("a source");
        (name.to_string_lossy().into_owned(), source)
    });
    named.collect()
}

#[test]
fn nothing_is_said_to_people_outside_of_the_tables() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host");
    let mut said = Vec::new();
    for (name, source) in every_file(&root) {
        if OTHERS.contains(&name.as_str()) {
            continue;
        }
        for line in code(&source) {
            let bad = [talks, labels, shows, speaks_chinese, chooses];
            let harmless = HARMLESS.iter().any(|harmless| line.contains(harmless));
            if !harmless && bad.iter().any(|is_bad| is_bad(line)) {
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

/// Lines of code that say something in English and not in Chinese within the next few.
fn in_english_only(source: &str) -> Vec<String> {
    let lines = code(source);
    let alone = lines.iter().enumerate().filter(|(at, line)| {
        let near = &lines[*at..lines.len().min(at + 8)];
        talks(line)
            && !HARMLESS_GATEWAYS.iter().any(|it| line.contains(it))
            && !near.iter().any(|line| speaks_chinese(line))
    });
    alone.map(|(_, line)| line.trim().to_owned()).collect()
}

#[test]
fn what_gateways_say_in_english_they_say_in_chinese() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateways");
    let mut said = Vec::new();
    for (name, source) in every_file(&root) {
        let ours = GATEWAYS
            .iter()
            .any(|it| name.starts_with(&format!("{it}/src/")));
        let mut others = OTHER_GATEWAYS.iter().chain(&["/tests/", "testing.rs"]);
        if ours && !others.any(|other| name.contains(other)) {
            let lines = in_english_only(&source).into_iter();
            said.extend(lines.map(|line| format!("{name}: {line}")));
        }
    }
    assert!(said.is_empty(), "in English only:\n{}", said.join("\n"));
}

#[test]
fn a_text_is_told_from_what_is_none() {
    assert!(talks("    let text = \"you are not here\";"));
    assert!(talks("    Err(format!(\"{nick} is not here\"))"));
    assert!(labels("    (Self::Users, \"nusers\", \"Users\"),"));
    assert!(shows("    .with_attr(\"label\", \"users\")"));
    assert!(shows("    xml.text_element(\"body\", \"gone\");"));
    assert!(speaks_chinese("    let text = \"您不在此处\";"));
    assert!(chooses(
        "    xml.attr(\"name\", Lang::En.say(Text::Whois));"
    ));
    assert!(!chooses(
        "    !table(gateway, kind, false, Lang::En).is_empty()"
    ));
    for line in [
        "    (\"chat\", \"error\")",
        "    ns(\"urn:x:y z1\")",
        "    let a = \"b\";",
        "    .with_attr(\"label\", lang.say(label))",
        "    text(\"value\", \"\")",
    ] {
        let said = talks(line) || labels(line) || shows(line) || speaks_chinese(line);
        assert!(!said, "{line}");
    }
    let source =
        "tracing::warn!(\n    \"it is lost\"\n);\nlet text = \"it is lost\";\n// it is lost\n";
    assert_eq!(code(source), ["let text = \"it is lost\";"]);
    assert_eq!(in_english_only(source), ["let text = \"it is lost\";"]);
    let both = "let text = (\n    \"it is lost\",\n    \"已丢失\",\n);\n";
    assert!(in_english_only(both).is_empty());
}
