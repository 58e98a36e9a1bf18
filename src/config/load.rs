//! Merges the layers and hands the tree to the check.

use std::fs;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::reader::{ENVIRONMENT, Notes};
use super::{Config, GatewayKind, Problem, Problems, check, keys};

/// What variables begin with; two underscores between the levels.
const PREFIX: &str = "ISTHMUS__";

/// Reads the file, lays `environment` over it (only variables that begin with `ISTHMUS__`
/// count) and checks all of it. Opens no socket and makes no file.
///
/// # Errors
///
/// Everything that is wrong, in one go; a file that is no TOML is one problem.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    kinds: &[GatewayKind],
) -> Result<Config, Problems> {
    let file = path.display().to_string();
    let alone = |key: String, text: String| {
        Problems(vec![Problem {
            file: file.clone(),
            key,
            text,
        }])
    };
    // Read here first, because figment's words for a missing file name no reason.
    fs::read_to_string(path).map_err(|e| {
        alone(
            String::new(),
            format!("cannot be read: {e}; expected a TOML file"),
        )
    })?;
    let figment = Figment::from(Toml::string(&keys::defaults()))
        .merge(Toml::file_exact(path))
        .merge(Environment::new(environment));
    let tree: Value = figment.extract().map_err(|e| {
        let (place, what) = place(&e.to_string());
        alone(place, what)
    })?;
    let tree = tree.into_dict().unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new(""));
    check::check(&tree, Notes::new(&file, figment), folder, kinds)
}

/// The environment as a layer whose leaves are all text.
struct Environment(Dict);

impl Environment {
    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut tree = Dict::new();
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(PREFIX) else {
                continue;
            };
            lay(&mut tree, &key.to_ascii_lowercase(), value);
        }
        Self(tree)
    }
}

/// Lays a leaf where its path says. A level between single underscores is one: STANZA_LIMIT.
fn lay(tree: &mut Dict, path: &str, text: String) {
    let Some((first, rest)) = path.split_once("__") else {
        tree.insert(path.to_owned(), Value::from(text));
        return;
    };
    let below = tree
        .entry(first.to_owned())
        .or_insert_with(|| Value::from(Dict::new()));
    match below {
        Value::Dict(_, below) => lay(below, rest, text),
        // Both A and A__B are set: the deeper one stands.
        other => {
            let mut dict = Dict::new();
            lay(&mut dict, rest, text);
            *other = Value::from(dict);
        }
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

/// The place and the words of a syntax error, out of the parser's picture of it: a first line
/// that ends in "line 3, column 9", the source with a caret, then the words.
fn place(told: &str) -> (String, String) {
    let mut lines = told.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let place = first
        .find("line ")
        .map_or("", |at| first[at..].trim_end_matches([':', ' ']));
    let words: Vec<&str> = lines
        .filter(|line| !line.contains('|'))
        .map(str::trim)
        .collect();
    if words.is_empty() {
        return (place.to_owned(), first.to_owned());
    }
    // figment appends "in FILE TOML file" to the words.
    let words = words.join(", ");
    let end = words
        .rfind(" in ")
        .filter(|_| words.ends_with(" TOML file"));
    (
        place.to_owned(),
        words[..end.unwrap_or(words.len())]
            .trim_end_matches([',', ' '])
            .to_owned(),
    )
}
