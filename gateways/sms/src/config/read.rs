//! Reading the settings.

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_kit::Trust;
use isthmus_kit::settings::{Problem, Reader, Secret, Table};
use serde_json::Value;

use super::{Carrier, Config, KEYS, Line};
use crate::address;
use crate::translate::text::Alphabet;

/// Reads all of it.
pub(super) fn config(value: &Value) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader::default();
    let table = &reader.table(value);
    let mut config = Config::default();
    unknown_keys(&mut reader, table, "");
    if let Some(code) = region(&mut reader, "region", table.get("region")) {
        config.region = code;
    }
    let parts = reader.number("max_parts", table.get("max_parts"), 1, 255);
    if let Some(parts) = parts.and_then(|parts| u8::try_from(parts).ok()) {
        config.max_parts = parts;
    }
    if let Some(seconds) = reader.number("join_timeout", table.get("join_timeout"), 5, 86_400) {
        config.join_timeout = Duration::from_secs(seconds.into());
    }
    let mut owners = BTreeMap::new();
    for (name, path, entry) in tables(&mut reader, "carriers", table) {
        let carrier = carrier(&mut reader, &path, entry);
        for line in lines(
            &mut reader,
            &format!("{path}.lines"),
            entry.get("lines"),
            &carrier.region,
        ) {
            if owners.insert(line.clone(), name.clone()).is_some() {
                let text = format!("{line} is the line of another carrier already");
                reader.problem(&format!("{path}.lines"), &text);
            }
        }
        config.carriers.insert(name, carrier);
    }
    for (name, path, entry) in tables(&mut reader, "lines", table) {
        let Some(number) = address::line(&name, "") else {
            reader.problem(&path, "expected a number such as \"+15551230000\"");
            continue;
        };
        let line = line(
            &mut reader,
            &path,
            entry,
            &mut owners,
            &number,
            &config.carriers,
        );
        config.lines.insert(number, line);
    }
    // A line that only its carrier names has no users.
    for (number, carrier) in owners {
        config.lines.entry(number).or_insert(Line {
            carrier,
            users: Vec::new(),
            open: false,
        });
    }
    reader.finish(config)
}

/// `path` is empty, or `carriers.NAME` or `lines.NUMBER`.
fn unknown_keys(reader: &mut Reader, table: &Table, path: &str) {
    let group = path.split('.').next().unwrap_or("");
    for key in table.keys() {
        let known = KEYS.iter().any(|known| {
            let mut parts = known.key.split('.');
            match (parts.next(), parts.nth(1)) {
                (Some(first), None) => path.is_empty() && first == key,
                (first, Some(last)) => first == Some(group) && last == key,
                (None, None) => false,
            }
        });
        let is_group = path.is_empty() && (key == "carriers" || key == "lines");
        if !known && !is_group {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            reader.problem(&path, "there is no such key");
        }
    }
}

/// The tables of a group, with their names and paths.
fn tables<'a>(
    reader: &mut Reader,
    group: &str,
    table: &'a Table,
) -> Vec<(String, String, &'a Table)> {
    let Some(value) = table.get(group) else {
        return Vec::new();
    };
    let Some(entries) = value.as_object() else {
        reader.problem(
            group,
            &format!("expected tables [gateway.sms.{group}.NAME]"),
        );
        return Vec::new();
    };
    let mut tables = Vec::new();
    for (name, value) in entries {
        let path = format!("{group}.{name}");
        match value.as_object() {
            Some(entry) => {
                unknown_keys(reader, entry, &path);
                tables.push((name.clone(), path, entry));
            }
            None => reader.problem(&path, "expected a table"),
        }
    }
    tables
}

fn carrier(reader: &mut Reader, path: &str, table: &Table) -> Carrier {
    let key = |key: &str| format!("{path}.{key}");
    let mut text = |name: &str, required: bool| {
        let value = table.get(name);
        if required && value.is_none() {
            reader.problem(&key(name), "is missing");
        }
        reader.text_or_empty(&key(name), value).unwrap_or_default()
    };
    let host = text("host", true);
    let system_id = text("system_id", true);
    let password = Secret(text("password", true));
    let system_type = text("system_type", false);
    let mut number = |name: &str, low: u32, high: u32, default: u32| {
        let number = reader.number(&key(name), table.get(name), low, high);
        number.unwrap_or(default)
    };
    let port = number("port", 1, 65_535, 2775);
    let window = number("window", 1, 1000, 10);
    let keep_alive = number("keep_alive", 5, 3600, 30);
    let response_timeout = number("response_timeout", 1, 600, 30);
    Carrier {
        host,
        port: u16::try_from(port).unwrap_or(2775),
        system_id,
        password,
        system_type,
        window,
        rate: rate(reader, &key("rate"), table.get("rate")),
        tls: tls(reader, path, table),
        alphabet: alphabet(reader, &key("alphabet"), table.get("alphabet")),
        plus: reader
            .flag(&key("plus"), table.get("plus"))
            .unwrap_or(false),
        region: region(reader, &key("region"), table.get("region")).unwrap_or_default(),
        keep_alive: Duration::from_secs(keep_alive.into()),
        response_timeout: Duration::from_secs(response_timeout.into()),
    }
}

fn line(
    reader: &mut Reader,
    path: &str,
    table: &Table,
    owners: &mut BTreeMap<String, String>,
    number: &str,
    carriers: &BTreeMap<String, Carrier>,
) -> Line {
    let carrier = match (owners.remove(number), carriers.len()) {
        (Some(carrier), _) => carrier,
        (None, 1) => carriers.keys().next().cloned().unwrap_or_default(),
        (None, _) => {
            reader.problem(path, "no carrier has this number among its lines");
            String::new()
        }
    };
    let users = reader.strings(&format!("{path}.users"), table.get("users"));
    let mut pairs = Vec::new();
    for user in users {
        match user.split_once('@') {
            Some((local, domain))
                if !local.is_empty() && !domain.is_empty() && !domain.contains(['/', '@']) =>
            {
                pairs.push((local.to_lowercase(), domain.to_lowercase()));
            }
            _ => reader.problem(
                &format!("{path}.users"),
                "expected names such as \"juliet@example.org\"",
            ),
        }
    }
    Line {
        carrier,
        users: pairs,
        open: reader
            .flag(&format!("{path}.open"), table.get("open"))
            .unwrap_or(false),
    }
}

fn lines(reader: &mut Reader, key: &str, value: Option<&Value>, region: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for text in reader.strings(key, value) {
        match address::line(&text, region) {
            Some(line) => lines.push(line),
            None => reader.problem(key, &format!("{text} is not a phone number")),
        }
    }
    lines
}

fn tls(reader: &mut Reader, path: &str, table: &Table) -> Option<Trust> {
    let mut trust = Trust::Native;
    if !reader
        .flag(&format!("{path}.verify"), table.get("verify"))
        .unwrap_or(true)
    {
        trust = Trust::Insecure;
    }
    let key = format!("{path}.pin");
    if let Some(pin) = reader.text(&key, table.get("pin")) {
        let mut digest = [0; 32];
        if hex::decode_to_slice(pin.replace(':', ""), &mut digest).is_ok() {
            trust = Trust::Pin(digest);
        } else {
            reader.problem(&key, "expected a SHA-256 digest, 64 hexadecimal digits");
        }
    }
    let tls = reader
        .flag(&format!("{path}.tls"), table.get("tls"))
        .unwrap_or(false);
    tls.then_some(trust)
}

fn alphabet(reader: &mut Reader, key: &str, value: Option<&Value>) -> Alphabet {
    match value.map(Value::as_str) {
        None | Some(Some("gsm7")) => Alphabet::Gsm7,
        Some(Some("latin1")) => Alphabet::Latin1,
        Some(Some("utf-8")) => Alphabet::Utf8,
        Some(_) => {
            reader.problem(key, "expected \"gsm7\", \"latin1\" or \"utf-8\"");
            Alphabet::Gsm7
        }
    }
}

fn rate(reader: &mut Reader, key: &str, value: Option<&Value>) -> f64 {
    match value.map(Value::as_f64) {
        None => 0.0,
        Some(Some(rate)) if (0.0..=100_000.0).contains(&rate) => rate,
        Some(_) => {
            reader.problem(key, "expected a number from 0 to 100000");
            0.0
        }
    }
}

fn region(reader: &mut Reader, key: &str, value: Option<&Value>) -> Option<String> {
    let text = reader.text(key, Some(value?))?.to_ascii_uppercase();
    let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    if !good {
        reader.problem(key, "expected a country such as \"US\"");
    }
    good.then_some(text)
}
