//! Reading a gateway's own settings: from a tree of values, so that no gateway needs a
//! configuration library, and with every problem told in one pass.
//!
//! What the keys mean, and which combinations make sense, is the gateway's matter.

use std::fmt;

use serde_json::{Map, Value};

/// A table of settings.
pub type Table = Map<String, Value>;

/// One documented key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its path below the gateway's table; `NAME` stands for a name the operator chooses.
    pub key: &'static str,
    /// What holds without it, as TOML; empty: it has no fixed default.
    pub default: &'static str,
    /// What it does, in a line or two.
    pub doc: &'static str,
    /// An example: a whole line of TOML.
    pub example: &'static str,
}

impl Key {
    /// A key of these parts.
    pub const fn new(
        key: &'static str,
        default: &'static str,
        doc: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            key,
            default,
            doc,
            example,
        }
    }
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the key below the gateway's table; empty: the table itself.
    pub key: String,
    /// What is wrong, or what was expected.
    pub text: String,
}

/// Text that is not shown: `Debug` prints `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A host and, where it is not the usual one, a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address.
    pub host: String,
    /// `None`: the usual port.
    pub port: Option<u16>,
}

/// Collects problems while it reads. A value that is not there is `None` and no problem.
#[derive(Debug, Default)]
pub struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    /// Notes a problem with a key.
    pub fn problem(&mut self, key: &str, text: &str) {
        let (key, text) = (key.to_owned(), text.to_owned());
        self.problems.push(Problem { key, text });
    }

    /// What was read, if nothing was wrong.
    pub fn finish<T>(self, read: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(read)
        } else {
            Err(self.problems)
        }
    }

    /// The gateway's table; nothing set is an empty one.
    pub fn table(&mut self, value: &Value) -> Table {
        match value {
            Value::Object(table) => table.clone(),
            Value::Null => Table::new(),
            _ => {
                self.problem("", "expected a table");
                Table::new()
            }
        }
    }

    /// Notes the keys of a table that `known` does not know; `path` is empty or the table's path.
    pub fn unknown_keys(&mut self, table: &Table, path: &str, known: impl Fn(&str) -> bool) {
        for key in table.keys().filter(|key| !known(key)) {
            let path = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            self.problem(&path, "there is no such key");
        }
    }

    /// One line of text, not empty.
    pub fn text(&mut self, key: &str, value: Option<&Value>) -> Option<String> {
        self.line(key, value, |text| !text.is_empty())
    }

    /// One line of text, perhaps empty.
    pub fn text_or_empty(&mut self, key: &str, value: Option<&Value>) -> Option<String> {
        self.line(key, value, |_| true)
    }

    fn line(
        &mut self,
        key: &str,
        value: Option<&Value>,
        fits: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let fits = |text: &&str| !text.contains(['\r', '\n', '\0']) && fits(text);
        let text = value?.as_str().filter(fits);
        if text.is_none() {
            self.problem(key, "expected text of one line");
        }
        text.map(str::to_owned)
    }

    /// Yes or no.
    pub fn flag(&mut self, key: &str, value: Option<&Value>) -> Option<bool> {
        let flag = value?.as_bool();
        if flag.is_none() {
            self.problem(key, "expected true or false");
        }
        flag
    }

    /// A whole number within bounds.
    pub fn number(&mut self, key: &str, value: Option<&Value>, low: u32, high: u32) -> Option<u32> {
        let number = value?
            .as_u64()
            .and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (low..=high).contains(number));
        if number.is_none() {
            self.problem(key, &format!("expected a number from {low} to {high}"));
        }
        number
    }

    /// A list of texts; nothing set is an empty one.
    pub fn strings(&mut self, key: &str, value: Option<&Value>) -> Vec<String> {
        let Some(value) = value else {
            return Vec::new();
        };
        let texts = value.as_array().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        texts.unwrap_or_else(|| {
            self.problem(key, "expected a list of texts");
            Vec::new()
        })
    }
}

/// Reads `host`, `host:port`, `[address]` or `[address]:port`; an IPv6 address may stand bare.
pub fn host_port(text: &str) -> Option<HostPort> {
    let place = |host: &str, port| HostPort {
        host: host.to_owned(),
        port,
    };
    let port = |digits: &str| digits.parse::<u16>().ok().filter(|&port| port > 0);
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(place(text, None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest {
            "" => Some(place(host, None)),
            rest => Some(place(host, Some(port(rest.strip_prefix(':')?)?))),
        };
    }
    let (host, number) = match text.split_once(':') {
        Some((host, digits)) => (host, Some(port(digits)?)),
        None => (text, None),
    };
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_host = !host.is_empty() && host.len() <= 253 && host.chars().all(good);
    is_host.then(|| place(host, number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (text, host, port) in [
            ("irc.example.net", "irc.example.net", None),
            ("irc.example.net:6697", "irc.example.net", Some(6697)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:25", "::1", Some(25)),
        ] {
            let host = host.to_owned();
            assert_eq!(host_port(text), Some(HostPort { host, port }), "{text}");
        }
        for text in [
            "",
            "a b",
            "host:",
            "host:0",
            "host:70000",
            "[::1",
            "[host]:1",
            "::1]:1",
        ] {
            assert_eq!(host_port(text), None, "{text}");
        }
    }

    #[test]
    fn each_problem_is_told_with_its_key_and_the_rest_is_read() {
        let table = json!({ "a": 1, "b": "x\ny", "c": 0, "d": [1], "e": "fine" });
        let mut reader = Reader::default();
        let table = reader.table(&table);
        reader.flag("a", table.get("a"));
        reader.text("b", table.get("b"));
        reader.number("c", table.get("c"), 1, 5);
        reader.strings("d", table.get("d"));
        assert_eq!(reader.text("e", table.get("e")).as_deref(), Some("fine"));
        assert_eq!(reader.text("f", table.get("f")), None);
        reader.unknown_keys(&table, "net", |key| key != "a");
        let problems = reader.finish(()).expect_err("much is wrong");
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(keys, ["a", "b", "c", "d", "net.a"]);
    }
}
