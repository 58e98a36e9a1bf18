use serde_json::json;

use super::*;

fn sample() -> Value {
    json!({
        "region": "us",
        "carriers": {
            "one": {
                "host": "smpp.example", "system_id": "isthmus", "password": "hunter2",
                "lines": ["+1 555 123 0000"], "rate": 5, "tls": true, "verify": false,
            },
            "two": { "host": "127.0.0.1", "system_id": "i", "password": "" },
        },
        "lines": {
            "+15551230000": { "users": ["Juliet@Example.org"], "open": true },
        },
    })
}

#[test]
fn carriers_and_lines_are_read() {
    let config = Config::from_value(&sample()).expect("a sound configuration");
    assert_eq!(config.region, "US");
    let one = &config.carriers["one"];
    assert_eq!((one.port, one.window, one.rate), (2775, 10, 5.0));
    assert_eq!(one.tls, Some(Trust::Insecure));
    assert!(!format!("{config:?}").contains("hunter2"));
    let line = &config.lines["+15551230000"];
    assert_eq!((line.carrier.as_str(), line.open), ("one", true));
}

#[test]
fn a_line_is_known_however_the_carrier_writes_it() {
    let mut value = sample();
    value["carriers"]["one"]["region"] = json!("US");
    let config = Config::from_value(&value).expect("a sound configuration");
    for written in ["+15551230000", "15551230000", " 15551230000", "5551230000"] {
        let line = config.line(written).map(|(number, _)| number);
        assert_eq!(line, Some("+15551230000"), "{written}");
    }
    assert!(config.line("15557654321").is_none());
}

#[test]
fn every_problem_is_told_at_once() {
    let value = json!({
        "regoin": "US",
        "max_parts": 0,
        "carriers": {
            "one": {
                "system_id": "i", "password": "p", "lines": ["one"], "tls": "yes", "rate": -1,
                "prot": 7,
            },
            "two": 7,
            "three": {
                "host": "a", "system_id": "i", "password": "p", "alphabet": "ebcdic", "pin": "7",
            },
        },
        "lines": {
            "15": {},
            "+15551230000": { "users": ["juliet"] },
        },
    });
    let problems = Config::from_value(&value).expect_err("nothing of it is right");
    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    for key in [
        "regoin",
        "max_parts",
        "carriers.one.host",
        "carriers.one.lines",
        "carriers.one.tls",
        "carriers.one.rate",
        "carriers.one.prot",
        "carriers.two",
        "carriers.three.alphabet",
        "carriers.three.pin",
        "lines.15",
        "lines.+15551230000",
        "lines.+15551230000.users",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
    }
}

#[test]
fn one_number_has_one_carrier() {
    let mut value = sample();
    value["carriers"]["two"]["lines"] = json!(["+15551230000"]);
    let problems = Config::from_value(&value).expect_err("two carriers have it");
    assert_eq!(problems[0].key, "carriers.two.lines");
    assert_eq!(problems.len(), 1);
}

#[test]
fn keys_stand_once() {
    for (at, key) in KEYS.iter().enumerate() {
        assert!(KEYS[..at].iter().all(|other| other.key != key.key));
        assert!(!key.doc.is_empty() && !key.example.is_empty());
    }
}
