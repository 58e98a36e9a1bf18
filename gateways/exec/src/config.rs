//! What the operator sets: the keys of `[gateway.NAME]` that the host does not use itself.
//!
//! Read from a tree of values, so that this package needs no configuration library; every problem
//! is found in one pass. [`KEYS`] documents each key for the generated sample.

mod keys;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use isthmus_kit::settings::{Reader, Table};
use serde_json::{Map, Value};

pub use self::keys::KEYS;
pub use isthmus_kit::settings::{Key, Problem};

/// Settings that may hold secrets and are not shown.
#[derive(Clone, Default, PartialEq)]
pub struct Secret(pub Map<String, Value>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The program and its arguments.
    pub exec: Vec<String>,
    /// Its working directory, where it is not the host's choice.
    pub dir: Option<PathBuf>,
    /// Where it leaves files, where that is not in its working directory.
    pub spool: Option<PathBuf>,
    /// The language of what it says of itself (BCP 47).
    pub lang: String,
    /// Its environment, beside what every plugin gets.
    pub env: BTreeMap<String, String>,
    /// The plugin's own settings.
    pub config: Secret,
    /// How long it may take to answer a request.
    pub timeout: Duration,
    /// Events of one session that it may send ahead.
    pub credit: u32,
    /// Failures in a row after which it is given a rest.
    pub restart_limit: u32,
    /// That rest.
    pub restart_pause: Duration,
}

impl Config {
    /// Settings that run this program and leave all else at its default.
    pub fn new(exec: Vec<String>) -> Self {
        Self {
            exec,
            dir: None,
            spool: None,
            lang: "en".to_owned(),
            env: BTreeMap::new(),
            config: Secret::default(),
            timeout: Duration::from_secs(60),
            credit: 256,
            restart_limit: 5,
            restart_pause: Duration::from_secs(300),
        }
    }

    /// Reads the keys below `[gateway.NAME]`. All problems are told at once.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let table = &reader.table(value);
        let known = |key: &str| KEYS.iter().any(|it| it.key.split('.').next() == Some(key));
        reader.unknown_keys(table, "", known);
        let mut config = Self::new(exec(&mut reader, table));
        config.dir = path(&mut reader, table, "dir");
        config.spool = path(&mut reader, table, "spool");
        if let Some(lang) = reader.text("lang", table.get("lang")) {
            config.lang = lang;
        }
        config.env = env(&mut reader, table);
        config.config = Secret(own(&mut reader, table));
        let mut seconds = |key, high, to: &mut Duration| {
            if let Some(number) = reader.number(key, table.get(key), 1, high) {
                *to = Duration::from_secs(number.into());
            }
        };
        seconds("timeout", 3600, &mut config.timeout);
        seconds("restart_pause", 86_400, &mut config.restart_pause);
        config.credit = reader
            .number("credit", table.get("credit"), 1, 10_000)
            .unwrap_or(config.credit);
        config.restart_limit = reader
            .number("restart_limit", table.get("restart_limit"), 1, 100)
            .unwrap_or(config.restart_limit);
        reader.finish(config)
    }
}

fn exec(reader: &mut Reader, table: &Table) -> Vec<String> {
    let items = table.get("exec").and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let words = items.iter().map(|item| item.as_str().filter(is_clean));
    let words: Option<Vec<String>> = words.map(|word| word.map(str::to_owned)).collect();
    let words = words.unwrap_or_default();
    match words.first() {
        None => reader.problem("exec", "expected a list: a program and its arguments"),
        // It runs in a directory of its own: what is relative would be looked for there.
        Some(program)
            if program.is_empty()
                || (program.contains('/') && !Path::new(program).is_absolute()) =>
        {
            reader.problem("exec", "expected the program's name or its whole path");
        }
        Some(_) => {}
    }
    words
}

fn path(reader: &mut Reader, table: &Table, key: &str) -> Option<PathBuf> {
    let path = PathBuf::from(reader.text(key, table.get(key))?);
    if !path.is_absolute() {
        reader.problem(key, "expected a whole path, beginning with /");
    }
    Some(path)
}

fn own(reader: &mut Reader, table: &Table) -> Map<String, Value> {
    match table.get("config") {
        None => Map::new(),
        Some(Value::Object(table)) => table.clone(),
        Some(_) => {
            reader.problem("config", "expected a table [gateway.NAME.config]");
            Map::new()
        }
    }
}

fn env(reader: &mut Reader, table: &Table) -> BTreeMap<String, String> {
    let table = match table.get("env") {
        None => return BTreeMap::new(),
        Some(Value::Object(table)) => table.clone(),
        Some(_) => {
            reader.problem("env", "expected a table [gateway.NAME.env]");
            return BTreeMap::new();
        }
    };
    let mut env = BTreeMap::new();
    for (name, value) in table {
        let good = !name.is_empty() && !name.contains(['=', '\0']);
        match value.as_str().filter(is_clean) {
            Some(value) if good => drop(env.insert(name, value.to_owned())),
            _ => reader.problem(&format!("env.{name}"), "expected text"),
        }
    }
    env
}

/// Whether the system takes it as an argument.
fn is_clean(text: &&str) -> bool {
    !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_program_is_all_that_is_needed() {
        let config = Config::from_value(&json!({ "exec": ["python3", "/x/dict.py"] }));
        let expected = Config::new(vec!["python3".into(), "/x/dict.py".into()]);
        assert_eq!(config, Ok(expected));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = Config::from_value(&json!({
            "exec": ["./dict.py"],
            "dir": "var",
            "env": { "A=B": "x", "C": 1 },
            "config": 3,
            "credit": 0,
            "timeout": "long",
            "colour": "red",
        }));
        let keys = problems.expect_err("nothing in it is right");
        let mut keys: Vec<_> = keys.iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "colour", "config", "credit", "dir", "env.A=B", "env.C", "exec", "timeout"
            ]
        );
        assert!(Config::from_value(&Value::Null).is_err());
    }

    #[test]
    fn the_plugins_own_settings_are_not_shown() {
        let config = json!({ "exec": ["x"], "config": { "password": "hunter2" } });
        let config = Config::from_value(&config).expect("a good configuration");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.config.0["password"], "hunter2");
    }

    #[test]
    fn every_documented_default_is_the_real_one() {
        let config = Config::new(Vec::new());
        let real = [
            ("lang", format!("{:?}", config.lang)),
            ("timeout", config.timeout.as_secs().to_string()),
            ("credit", config.credit.to_string()),
            ("restart_limit", config.restart_limit.to_string()),
            ("restart_pause", config.restart_pause.as_secs().to_string()),
        ];
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let found = real.iter().find(|(name, _)| *name == key.key);
            assert_eq!(found.map(|(_, it)| it.as_str()), Some(key.default));
        }
    }
}
