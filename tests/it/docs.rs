//! What the documents say is what the code does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use isthmus::xeps::{XEPS, doap};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|extension| extension == ending)
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn the_doap_file_is_made_from_the_table_of_extensions() {
    let path = root().join("docs/isthmus.doap");
    if env::var_os("ISTHMUS_BLESS").is_some() {
        fs::write(&path, doap()).expect("written");
    }
    let written = fs::read_to_string(&path).expect("docs/isthmus.doap");
    assert!(
        written == doap(),
        "docs/isthmus.doap is stale: run this test with ISTHMUS_BLESS=1"
    );
}

#[test]
fn every_listed_extension_is_cited_where_it_is_implemented() {
    for xep in XEPS {
        let path = root().join("src").join(xep.file);
        let code = fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("XEP-{:04} names no file: {}", xep.number, xep.file));
        let name = format!("XEP-{:04}", xep.number);
        assert!(code.contains(&name), "{} does not cite {name}", xep.file);
    }
    let sorted = XEPS.windows(2).all(|pair| pair[0].number < pair[1].number);
    assert!(sorted, "each extension once, by number");
}

#[test]
fn every_extension_a_host_file_is_about_is_listed() {
    let listed: BTreeSet<String> = XEPS
        .iter()
        .map(|xep| format!("XEP-{:04}", xep.number))
        .collect();
    for path in files("src/host", "rs") {
        let code = fs::read_to_string(&path).expect("readable");
        let first = code.lines().next().unwrap_or_default();
        for word in first.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
            if word.starts_with("XEP-") {
                assert!(
                    listed.contains(word),
                    "{} is about {word}, unlisted",
                    path.display()
                );
            }
        }
    }
}

/// The names of all tests: functions, fuzz targets, scenarios and their folders.
fn tests_there_are() -> BTreeSet<String> {
    let mut known = tests_in(&["src", "gateways", "tests", "xtask"]);
    let targets = files("fuzz/fuzz_targets", "rs");
    let targets = targets.iter().filter_map(|path| path.file_stem());
    known.extend(targets.map(|name| name.to_string_lossy().into_owned()));
    known.extend(scenarios());
    known.extend(scenarios().map(|file| folder_of(&file).to_owned()));
    known
}

/// The folder of a scenario, with its stroke.
fn folder_of(file: &str) -> &str {
    file.rfind('/').map_or("", |at| &file[..=at])
}

/// The names of all scenarios, by file.
fn scenarios() -> impl Iterator<Item = String> {
    let below = root().join("tests/scenarios");
    files("tests/scenarios", "txt")
        .into_iter()
        .map(move |path| {
            let path = path.strip_prefix(&below).expect("below");
            path.to_string_lossy().into_owned()
        })
}

/// Macros that make a test of each line `name: …;`.
const TABLES: [&str; 2] = ["pairs! {", "rules! {"];

/// The names of tests of code.
fn tests_in(folders: &[&str]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for path in folders.iter().flat_map(|folder| files(folder, "rs")) {
        let code = fs::read_to_string(&path).expect("readable");
        known.extend(test_functions(&code).map(str::to_owned));
        known.extend(rows_of_tables(&code).map(str::to_owned));
    }
    known
}

/// The functions that bear the attribute of a test.
fn test_functions(code: &str) -> impl Iterator<Item = &str> {
    let mut marked = false;
    code.lines().map(str::trim).filter_map(move |line| {
        marked |= line == "#[test]" || line.starts_with("#[tokio::test");
        let function = line.strip_prefix("async ").unwrap_or(line);
        let function = function.strip_prefix("fn ").filter(|_| marked)?;
        marked = false;
        let (name, _) = function.split_once('(')?;
        // One of a macro has no name yet.
        (!name.starts_with('$')).then_some(name)
    })
}

/// The rows of tables that a macro makes tests of.
fn rows_of_tables(code: &str) -> impl Iterator<Item = &str> {
    let mut within = false;
    code.lines().filter_map(move |line| {
        within = TABLES.contains(&line) || (within && line != "}");
        let row = line.trim().strip_suffix(';').filter(|_| within)?;
        row.split_once(": ").map(|(name, _)| name)
    })
}

#[test]
fn only_what_is_a_test_counts_as_one() {
    let code = "/// About a_word.\nfn helper() {}\n#[test]\nfn shows() {}\nfn other() {}\n\
                #[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn waits() {\n    \
                let x: u8 = 1;\n}\nproptest! {\n    #[test]\n    fn holds(x in 0..1) {}\n}\n\
                #[tokio::test]\nasync fn $name() {}\npairs! {\n    one: A, B;\n}\n\
                struct S {\n    field: u8;\n}\nmod two;\n";
    let found: Vec<&str> = test_functions(code).collect();
    assert_eq!(found, ["shows", "waits", "holds"]);
    assert_eq!(rows_of_tables(code).collect::<Vec<_>>(), ["one"]);
}

/// `docs/verification.md` has one row for each promise; its last cell names tests, each in
/// backquotes as `function_name` or as a scenario's file name.
#[test]
fn every_test_named_in_the_verification_page_exists() {
    let page = fs::read_to_string(root().join("docs/verification.md")).expect("the page");
    let known = tests_there_are();
    let mut named = 0;
    for row in page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
    {
        let cell = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        if cell == "shown by" {
            continue;
        }
        let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "a promise without a test: {row}");
        for test in tests {
            assert!(
                known.contains(test),
                "the page names {test}, which does not exist"
            );
            named += 1;
        }
    }
    assert!(named > 20, "the page names only {named} tests");
}

#[test]
fn every_scenario_shows_something_that_is_promised() {
    let page = fs::read_to_string(root().join("docs/verification.md")).expect("the page");
    let left: Vec<String> = scenarios()
        .filter(|file| !file.starts_with("include/"))
        .filter(|file| {
            let named = |name: &str| page.contains(&format!("`{name}`"));
            !named(file) && !named(folder_of(file))
        })
        .collect();
    assert!(left.is_empty(), "the page leaves out {left:?}");
}

/// `docs/mapping/irc-rows.txt` lists what users of IRC gateways know and ask for; the page says of
/// each, once, what becomes of it, and what shows that.
#[test]
fn everything_known_of_irc_gateways_is_done_or_refused() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect(path);
    let listed = read("docs/mapping/irc-rows.txt");
    let page = read("docs/mapping/irc.md");
    let (_, table) = page
        .split_once("\n## Beside other gateways\n")
        .expect("the section");
    let rows: Vec<Vec<&str>> = rows_of(table).skip(1).collect();
    let keys: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(keys, listed.lines().collect::<Vec<_>>());
    assert!(keys.len() >= 100, "only {} rows", keys.len());
    for row in rows {
        let [key, verdict, _, _] = row[..] else {
            panic!("not four cells: {row:?}");
        };
        assert!(
            matches!(verdict, "the same" | "better" | "refused"),
            "{key}: {verdict} is no answer"
        );
    }
}

/// Rows of tables, with their cells.
fn rows_of(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

/// Each line of each table of the page names in its last cell what shows it on the whole program: a
/// scenario, or a test of `tests/it` or `tests/e2e` for what no scenario can (TLS, certificates,
/// proxies, processes).
#[test]
fn every_line_of_the_mapping_of_irc_is_shown_on_the_whole_program() {
    let page = fs::read_to_string(root().join("docs/mapping/irc.md")).expect("the page");
    let known = tests_there_are();
    let mut whole = tests_in(&["tests/it", "tests/e2e"]);
    whole.extend(scenarios());
    let mut shown = 0;
    let mut faults = Vec::new();
    for table in page.split("\n## ").skip(1) {
        for row in rows_of(table).skip(1) {
            let about = row[..row.len() - 1].join(" | ");
            let cell = row.last().copied().unwrap_or_default();
            let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            let missing = tests.iter().filter(|test| !known.contains(**test));
            faults.extend(missing.map(|test| format!("{about}: {test} does not exist")));
            if !tests.iter().any(|test| whole.contains(*test)) {
                faults.push(format!("{about}: nothing shows it on the whole program"));
            }
            shown += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(shown > 200, "only {shown} lines");
}
