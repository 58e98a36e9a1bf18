//! Merges the layers and hands the tree to the check.

use std::fs;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::util::nest;
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
        let mut figment = Figment::new();
        for (name, value) in variables {
            // A level between single underscores stays as it is: STANZA_LIMIT.
            let Some(key) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let key = key.to_ascii_lowercase().replace("__", ".");
            if let Value::Dict(_, dict) = nest(&key, Value::from(value)) {
                figment = figment.merge(Self(dict));
            }
        }
        Self(figment.extract().unwrap_or_default())
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
    (place.to_owned(), words.join(", "))
}
