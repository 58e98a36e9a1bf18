//! Reads one table of the merged tree and notes every problem on the way instead of stopping.
//!
//! Values from the environment arrive as text (`0123` and `true` may be secrets) and become
//! numbers, booleans or lists only where the key wants one.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use figment::Figment;
use figment::value::{Dict, Tag, Value};

use super::Problem;

/// The name of the provider that reads the environment.
pub(super) const ENVIRONMENT: &str = "environment";

/// Where problems are collected.
pub(super) struct Notes {
    file: String,
    figment: Figment,
    problems: RefCell<Vec<Problem>>,
}

impl Notes {
    pub(super) fn new(file: &str, figment: Figment) -> Self {
        Self {
            file: file.to_owned(),
            figment,
            problems: RefCell::default(),
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Notes a problem with a key that is not there, or is there by the file.
    pub(super) fn note(&self, key: &str, text: impl Into<String>) {
        self.push(&self.file, key, text.into());
    }

    /// Notes a problem with a value, blaming the environment where it came from there.
    pub(super) fn note_at(&self, tag: Tag, key: &str, text: impl Into<String>) {
        let file = if self.is_env(tag) {
            ENVIRONMENT
        } else {
            &self.file
        };
        self.push(file, key, text.into());
    }

    /// True when something was noted for exactly this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.problems
            .borrow()
            .iter()
            .any(|problem| problem.key == key)
    }

    pub(super) fn is_env(&self, tag: Tag) -> bool {
        self.figment
            .get_metadata(tag)
            .is_some_and(|source| source.name == ENVIRONMENT)
    }

    fn push(&self, file: &str, key: &str, text: String) {
        let (file, key) = (file.to_owned(), key.to_owned());
        self.problems.borrow_mut().push(Problem { file, key, text });
    }
}

/// One table. [`Reader::finish`] refuses the keys that nobody asked for.
pub(super) struct Reader<'a> {
    notes: &'a Notes,
    dict: &'a Dict,
    path: String,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// `path` is the table's own path, empty for the root.
    pub(super) fn new(notes: &'a Notes, dict: &'a Dict, path: &str) -> Self {
        Self {
            notes,
            dict,
            path: path.to_owned(),
            known: Vec::new(),
        }
    }

    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Notes what is wrong with a key.
    pub(super) fn note(&self, key: &str, text: impl Into<String>) {
        let path = self.path(key);
        match self.dict.get(key) {
            Some(value) => self.notes.note_at(value.tag(), &path, text),
            None => self.notes.note(&path, text),
        }
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.dict.get(key)
    }

    /// A table below this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<&'a Dict> {
        match self.value(key)? {
            Value::Dict(_, dict) => Some(dict),
            other => {
                self.note(key, format!("found {}, expected a table", found(other)));
                None
            }
        }
    }

    pub(super) fn text(&mut self, key: &'static str, expected: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(_, text) => Some(text.clone()),
            other => {
                self.note(key, format!("found {}, expected {expected}", found(other)));
                None
            }
        }
    }

    /// A text that must pass `parse`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key, expected)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.note(key, format!("found {}, expected {expected}", quoted(&text)));
        }
        parsed
    }

    /// A whole number; the range's start after a problem, which ends the loading anyway.
    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        let number = match self.value(key) {
            Some(Value::String(tag, text)) if self.notes.is_env(*tag) => text.parse().ok(),
            Some(value) => value
                .to_i128()
                .and_then(|number| u64::try_from(number).ok()),
            None => None,
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        let what = self.dict.get(key).map_or("nothing".to_owned(), found);
        let (low, high) = (range.start(), range.end());
        self.note(
            key,
            format!("found {what}, expected a whole number from {low} to {high}"),
        );
        *low
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> bool {
        let value = match self.value(key) {
            Some(Value::Bool(_, value)) => Some(*value),
            Some(Value::String(tag, text)) if self.notes.is_env(*tag) => text.parse().ok(),
            _ => None,
        };
        value.unwrap_or_else(|| {
            let what = self.dict.get(key).map_or("nothing".to_owned(), found);
            self.note(key, format!("found {what}, expected true or false"));
            false
        })
    }

    /// A list of texts, each of which must pass `parse`. From the environment also as
    /// `a, b`.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let items: Vec<Value> = match value {
            Value::Array(_, items) => items.clone(),
            Value::String(tag, text) if self.notes.is_env(*tag) => split(text),
            other => {
                self.note(
                    key,
                    format!(
                        "found {}, expected a list, each item {expected}",
                        found(other)
                    ),
                );
                return None;
            }
        };
        let mut parsed = Vec::with_capacity(items.len());
        for item in &items {
            match item.as_str().and_then(&parse) {
                Some(item) => parsed.push(item),
                None => self.note(key, format!("found {}, expected {expected}", found(item))),
            }
        }
        Some(parsed)
    }

    /// The keys that nobody asked for.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + '_ {
        self.dict
            .iter()
            .filter(|(key, _)| !self.known.contains(&key.as_str()))
    }

    /// Refuses the keys that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in self.rest() {
            self.note(
                key,
                format!("no such key, expected one of: {}", self.known.join(", ")),
            );
        }
    }
}

/// A list as the environment writes it: `["a", "b"]` or `a, b`.
pub(super) fn split(text: &str) -> Vec<Value> {
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(_, items)) = text.parse()
    {
        return items;
    }
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(Value::from)
        .collect()
}

/// A value in words, for a problem. Not for secrets.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, c) => quoted(&c.to_string()),
        Value::Bool(_, value) => value.to_string(),
        Value::Num(_, num) => match (num.to_i128(), num.to_u128_lossy(), num.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, _, Some(number)) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            _ => "a number".to_owned(),
        },
        other => kind(other).to_owned(),
    }
}

/// The kind of a value, for problems with secrets.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "a boolean",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

/// A text as it stands, cut when long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?} and more", &text[..end]),
        None => format!("{text:?}"),
    }
}
