//! Settings from the environment.

use super::*;

#[test]
fn the_environment_beats_the_file_and_the_file_beats_the_defaults() {
    let toml = format!("{MINIMAL}[limits]\nhistory = 7\ninbox = 99\n[log]\nlevel = \"warn\"");
    let config = good(
        &toml,
        &[
            ("ISTHMUS__LIMITS__INBOX", "100"),
            ("ISTHMUS__COMPONENT__TLS", "true"),
            ("HOME", "/"),
        ],
    );
    let limits = &config.limits;
    assert_eq!(
        (limits.sessions, limits.history, limits.inbox),
        (20_000, 7, 100)
    );
    assert_eq!(config.log.level, "warn");
    let tls = config.gateways[0].component.tls.as_ref().expect("on");
    assert_eq!(tls.name, "127.0.0.1");
}

#[test]
fn secrets_from_the_environment_stay_the_texts_they_are() {
    for text in [
        "0123",
        "123456",
        "true",
        "[a]",
        "{x=1}",
        "1.50",
        " spaced ",
        "a,b",
        "\"quoted\"",
    ] {
        let toml = format!("{MINIMAL}[gateway.plain]\ndomain = \"plain.example.org\"");
        let config = good(
            &toml,
            &[
                ("ISTHMUS__COMPONENT__SECRET", text),
                ("ISTHMUS__GATEWAY__GARDEN__SECRET", &format!("{text}9")),
                ("ISTHMUS__GATEWAY__GARDEN__BEDS__ROSES__PASSWORD", text),
            ],
        );
        let [garden, plain] = &config.gateways[..] else {
            panic!("two gateways")
        };
        assert_eq!(plain.component.secret.expose(), text);
        assert_eq!(garden.component.secret.expose(), format!("{text}9"));
        assert_eq!(
            garden.settings.0,
            json!({"beds": {"roses": {"password": text}}})
        );
    }
}

#[test]
fn a_kinds_keys_from_the_environment_get_their_documented_types() {
    let settings = |name: &str, text: &str| {
        let name = format!("ISTHMUS__GATEWAY__GARDEN__{name}");
        good(MINIMAL, &[(&name, text)]).gateways[0]
            .settings
            .0
            .clone()
    };
    assert_eq!(settings("LINES", "7"), json!({"lines": 7}));
    assert_eq!(settings("HOSTS", "any"), json!({"hosts": "any"}));
    assert_eq!(
        settings("HOSTS", "[\"a.org\"]"),
        json!({"hosts": ["a.org"]})
    );
    let verify = json!({"beds": {"roses": {"verify": false}}});
    assert_eq!(settings("BEDS__ROSES__VERIFY", "false"), verify);
}

#[test]
fn a_list_from_the_environment_is_written_with_commas_or_brackets() {
    for text in ["a.org, ann@b.org", "[\"a.org\", \"ann@b.org\"]"] {
        let config = good(MINIMAL, &[("ISTHMUS__GATEWAY__GARDEN__ALLOW", text)]);
        let access = access(&config.gateways[0]);
        assert!(
            access.admits(&jid("x@a.org")) && access.admits(&jid("ann@b.org")),
            "{text}"
        );
        assert!(!access.admits(&jid("x@b.org")), "{text}");
    }
}
