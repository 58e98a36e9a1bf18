//! Whole configurations, each in a folder of its own.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::*;
use crate::run::access;

mod documentation;
mod environment;

/// Two kinds: one with keys of every type, one without any.
const KINDS: &[GatewayKind] = &[
    GatewayKind {
        name: "garden",
        keys: GARDEN,
        check: check_garden,
        build: |_, _| Box::pin(async { Err(String::new()) }),
    },
    GatewayKind {
        name: "plain",
        keys: &[],
        check: check_plain,
        build: |_, _| Box::pin(async { Err(String::new()) }),
    },
];

const GARDEN: &[Key] = &[
    Key {
        key: "tls",
        default: "\"on\"",
        doc: "",
        example: "tls = \"on\"",
    },
    Key {
        key: "lines",
        default: "5",
        doc: "",
        example: "lines = 5",
    },
    Key {
        key: "hosts",
        default: "\"any\"",
        doc: "",
        example: "hosts = [\"a.example\"]",
    },
    Key {
        key: "beds.NAME.password",
        default: "",
        doc: "",
        example: "password = \"x\"",
    },
    Key {
        key: "beds.NAME.verify",
        default: "true",
        doc: "",
        example: "verify = true",
    },
];

fn check_garden(settings: &Json) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let known = ["tls", "lines", "hosts", "beds"];
    for (key, value) in settings.as_object().into_iter().flatten() {
        if !known.contains(&key.as_str()) {
            problems.push((key.clone(), "no such key".to_owned()));
        }
        if key == "tls" && value != "on" && value != "off" {
            problems.push((key.clone(), "expected \"on\" or \"off\"".to_owned()));
        }
    }
    for (name, bed) in settings["beds"].as_object().into_iter().flatten() {
        if bed
            .get("password")
            .is_some_and(|password| !password.is_string())
        {
            problems.push((
                format!("beds.{name}.password"),
                "expected a text".to_owned(),
            ));
        }
    }
    problems
}

fn check_plain(settings: &Json) -> Vec<(String, String)> {
    let keys = settings.as_object().into_iter().flatten();
    keys.map(|(key, _)| (key.clone(), "no such key".to_owned()))
        .collect()
}

const MINIMAL: &str = "
    [component]
    secret = \"open sesame\"
    [gateway.garden]
    domain = \"garden.example.org\"
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    fn load(&self, toml: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
        let path = self.file("isthmus.toml", toml);
        let pairs = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        load(&path, pairs, KINDS)
    }
}

fn good(toml: &str, environment: &[(&str, &str)]) -> Config {
    Folder::new()
        .load(toml, environment)
        .expect("a good configuration")
}

/// The problems as `key: text`, without the file.
fn bad(toml: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let problems = Folder::new()
        .load(toml, environment)
        .expect_err("a bad configuration");
    problems
        .0
        .iter()
        .map(|problem| format!("{}: {}", problem.key, problem.text))
        .collect()
}

fn jid(text: &str) -> BareJid {
    BareJid::parse(text).expect("a JID")
}

#[test]
fn a_minimal_file_gets_the_documented_defaults() {
    let folder = Folder::new();
    let config = folder.load(MINIMAL, &[]).expect("good");
    assert_eq!(config.server_domain, "example.org");
    assert_eq!(config.store.path, folder.0.path().join("isthmus.db"));
    assert_eq!(
        config.log,
        LogConfig {
            format: LogFormat::Human,
            level: "info".to_owned()
        }
    );
    assert_eq!(config.limits.networks_per_user, 20);
    assert_eq!(config.limits.received_stanza, 262_144);
    let [gateway] = &config.gateways[..] else {
        panic!("one gateway")
    };
    assert_eq!(
        (gateway.name.as_str(), gateway.kind.as_str()),
        ("garden", "garden")
    );
    assert_eq!(gateway.domain, "garden.example.org");
    assert_eq!(gateway.allow, [Allowed::Domain("example.org".to_owned())]);
    let component = &gateway.component;
    assert_eq!(
        (component.host.as_str(), component.port),
        ("127.0.0.1", 5347)
    );
    assert_eq!(component.secret.expose(), "open sesame");
    assert_eq!(
        (component.tls.clone(), component.stanza_limit),
        (None, 65_536)
    );
    let access = access(gateway);
    assert!(access.admits(&jid("ann@example.org")));
    assert!(!access.admits(&jid("ann@example.net")));
    assert!(!access.is_run_by(&jid("ann@example.org")));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let problems = bad(
        "
        [component]
        server = \"localhost\"
        secret_file = \"nowhere\"
        speling = 1
        [store]
        path = 5
        [gateway.garden]
        domain = \"garden.example.org\"
        allow = [\"ann@example.org/home\"]
        tls = \"perhaps\"
        [gateway.plain]
        domain = \"garden.example.org\"
        [gateway.shed]
        domain = \"the shed\"
        ",
        &[("ISTHMUS__LIMITS__HISTORY", "many")],
    );
    let keys: Vec<&str> = problems
        .iter()
        .filter_map(|problem| Some(problem.split_once(": ")?.0))
        .collect();
    assert_eq!(
        keys,
        [
            "component.server",
            "component.secret_file",
            "component.speling",
            "store.path",
            "limits.history",
            "gateway.garden.allow",
            "gateway.garden.tls",
            "gateway.shed.domain",
            "gateway.shed.kind",
            "gateway.plain.domain",
        ],
        "{problems:#?}"
    );
}

#[test]
fn each_bad_value_is_answered_with_what_was_found_and_expected() {
    let garden = "[gateway.garden]\ndomain = \"garden.example.org\"\n";
    for (toml, expected) in [
        (
            "[log]\nformat = \"xml\"",
            "log.format: found \"xml\", expected \"human\" or \"json\"",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "log.level: found \"loud\", expected error, warn",
        ),
        (
            "[log]\nlevel = \"isthmus=loud\"",
            "log.level: found \"isthmus=loud\", expected error",
        ),
        (
            "[messages]\ncorrections = \"loud\"",
            "messages.corrections: found \"loud\", expected \"short\"",
        ),
        (
            "[limits]\nhistory = -1",
            "limits.history: found -1, expected a whole number from 0 to",
        ),
        (
            "[limits]\nhistory = 1.5",
            "limits.history: found 1.5, expected a whole number",
        ),
        (
            "[limits]\nhistory = \"9\"",
            "limits.history: found \"9\", expected a whole number",
        ),
        (
            "[attachments]\nlisten = \"127.0.0.1:1\"",
            "attachments.public_url: found nothing beside listen, expected a URL",
        ),
        (
            "[attachments]\npublic_url = \"https://f.example\"",
            "attachments.listen: found nothing beside public_url, expected an address",
        ),
        (
            "[attachments]\npublic_url = \"f.example\"\nlisten = \"127.0.0.1:1\"",
            "attachments.public_url: found \"f.example\", expected a URL such as",
        ),
        (
            "[attachments]\ntypes = [\"image\"]",
            "attachments.types: found \"image\", expected a media type such as",
        ),
        (
            "[attachments]\ntrusted = [\"https://f.example\"]",
            "attachments.trusted: found \"https://f.example\", expected a host such as",
        ),
        (
            "[limits]\ninbox = 1",
            "limits.inbox: found 1, expected a whole number from 16 to",
        ),
        (
            "[store]\npath = \"\"",
            "store.path: found \"\", expected the path of a file",
        ),
        ("store = 5", "store: found 5, expected a table"),
        (
            "[shop]\nx = 1",
            "shop: no such key, expected one of: component, store, archive, log",
        ),
        (
            "[limits]\nroms = 1",
            "limits.roms: no such key, expected one of: networks_per_user",
        ),
        (
            "[gateway.plain]\nx = 1\ndomain = \"p.example.org\"",
            "gateway.plain.x: no such key",
        ),
        (
            "[gateway.plain]",
            "gateway.plain.domain: found nothing, expected a domain such as",
        ),
        (
            "[gateway]\nplain = 1",
            "gateway.plain: found 1, expected a table",
        ),
        (
            "[gateway.x]\nkind = \"icq\"\ndomain = \"x.example.org\"",
            "gateway.x.kind: found \"icq\", expected one of: garden, plain",
        ),
        (
            "[gateway.plain]\ndomain = \"p.example.org\"\nadmins = [\"example.org\", 3]",
            "gateway.plain.admins: found \"example.org\", expected a JID without resource",
        ),
        (
            "[gateway.plain]\ndomain = \"p.example.org\"\nallow = \"example.org\"",
            "gateway.plain.allow: found \"example.org\", expected a list",
        ),
        (
            "[gateway.plain]\ndomain = \"p.example.org\"\nserver = \"x:y\"",
            "gateway.plain.server: found \"x:y\", expected host:port",
        ),
    ] {
        // Bare keys must come before the first table.
        let toml = format!("{toml}\n[component]\nsecret = \"x\"\n");
        let toml = if toml.contains("[gateway]") {
            toml
        } else {
            format!("{toml}{garden}")
        };
        let problems = bad(&toml, &[]);
        assert!(problems[0].starts_with(expected), "{toml}\n{problems:#?}");
    }
}

#[test]
fn a_problem_names_the_file_or_the_environment() {
    let folder = Folder::new();
    let toml = format!("{MINIMAL}tls = \"perhaps\"\n[log]\nformat = \"xml\"");
    let environment = [
        ("ISTHMUS__LIMITS__HISTORY", "many"),
        ("ISTHMUS__GATEWAY__GARDEN__SHED", "x"),
    ];
    let problems = folder
        .load(&toml, &environment)
        .expect_err("bad")
        .to_string();
    let file = folder.0.path().join("isthmus.toml").display().to_string();
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(
        lines,
        [
            &format!("{file}: log.format: found \"xml\", expected \"human\" or \"json\"")[..],
            "environment: limits.history: found \"many\", expected a whole number from 0 to 1000",
            "environment: gateway.garden.shed: no such key",
            &format!("{file}: gateway.garden.tls: found \"perhaps\", expected \"on\" or \"off\""),
        ]
    );
}

#[test]
fn a_syntax_error_is_placed_by_line_and_column() {
    let problems = bad("[component]\nsecret = \"x\"\nserver = = 1\n", &[]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("line 3, column 10: "),
        "{problems:?}"
    );
    assert!(!problems[0].contains("TOML file"), "{problems:?}");
}

#[test]
fn a_file_that_is_not_there_is_told_and_nothing_is_made() {
    let folder = Folder::new();
    let problems = load(&folder.0.path().join("no.toml"), Vec::new(), KINDS)
        .expect_err("no file")
        .to_string();
    assert!(
        problems.contains("no.toml: cannot be read: No such file"),
        "{problems}"
    );
    folder.load(MINIMAL, &[]).expect("good");
    assert_eq!(fs::read_dir(folder.0.path()).expect("a folder").count(), 1);
}

#[test]
fn a_secret_comes_from_a_file_without_its_end_of_line() {
    let folder = Folder::new();
    folder.file("secret", "open sesame \n");
    folder.file("empty", "\n");
    let toml = |keys: &str| {
        format!("[component]\n{keys}\n[gateway.garden]\ndomain = \"garden.example.org\"")
    };
    let config = folder
        .load(&toml("secret_file = \"secret\""), &[])
        .expect("good");
    assert_eq!(config.gateways[0].component.secret.expose(), "open sesame ");
    // A secret from the environment takes the place of a file named in the file.
    let environment = [("ISTHMUS__COMPONENT__SECRET", "other")];
    let config = folder
        .load(&toml("secret_file = \"nowhere\""), &environment)
        .expect("good");
    assert_eq!(config.gateways[0].component.secret.expose(), "other");
    for (keys, expected) in [
        ("secret_file = \"nowhere\"", "component.secret_file: found"),
        (
            "secret_file = \"empty\"",
            "expected a readable file that holds the secret",
        ),
        (
            "secret_file = 5",
            "component.secret_file: found 5, expected a readable file",
        ),
        (
            "secret = \"a\"\nsecret_file = \"secret\"",
            "expected only one of the two",
        ),
        ("secret = \"\"", "component.secret: found an empty text"),
        (
            "",
            "component.secret: found nothing, expected the secret that the XMPP server has",
        ),
    ] {
        let problems = folder.load(&toml(keys), &[]).expect_err("bad");
        assert_eq!(problems.0.len(), 1, "{keys}: {problems}");
        assert!(
            problems.to_string().contains(expected),
            "{keys}: {problems}"
        );
    }
}

#[test]
fn an_avatar_is_a_file_with_a_picture_that_can_be_shown() {
    let folder = Folder::new();
    folder.file("garden.gif", "GIF89a...");
    folder.file("words", "roses");
    folder.file("large.gif", &format!("GIF89a{}", ".".repeat(45_000)));
    let toml = |keys: &str| format!("{MINIMAL}\n{keys}");
    let config = folder.load(
        &toml("avatar = \"garden.gif\"\ntitle = \" Our garden \""),
        &[],
    );
    let told = config.expect("good").gateways[0].told.clone();
    assert_eq!(told.title.as_deref(), Some("Our garden"));
    assert_eq!(
        told.avatar.map(|it| it.0.to_vec()),
        Some(b"GIF89a...".to_vec())
    );
    let expected = "expected a readable file with a picture (PNG, JPEG, GIF or WebP) of at most \
                    45000 bytes";
    for (keys, found) in [
        ("avatar = \"nowhere.png\"", "nowhere.png"),
        ("avatar = \"words\"", "no such picture"),
        ("avatar = \"large.gif\"", "more than 45000 bytes"),
        ("avatar = 5", "found 5"),
    ] {
        let problems = folder.load(&toml(keys), &[]).expect_err("bad").to_string();
        let all = ["gateway.garden.avatar", "isthmus.toml", found, expected];
        assert!(
            all.iter().all(|it| problems.contains(it)),
            "{keys}: {problems}"
        );
    }
    for keys in ["title = \"\"", "title = \"a\\nb\""] {
        let problems = folder.load(&toml(keys), &[]).expect_err("bad").to_string();
        assert!(problems.contains("gateway.garden.title"), "{problems}");
    }
}

#[test]
fn a_shared_secret_is_not_wanted_when_each_gateway_has_its_own() {
    let config = good(
        "[gateway.garden]\ndomain = \"garden.example.org\"\nsecret = \"hers\"
         server = \"[::1]:9\"",
        &[],
    );
    let component = &config.gateways[0].component;
    assert_eq!(component.secret.expose(), "hers");
    assert_eq!((component.host.as_str(), component.port), ("::1", 9));
}

#[test]
fn no_secret_is_shown_by_debug_summary_or_problems() {
    let toml = format!("{MINIMAL}secret = \"swordfish\"\nbeds.roses.password = \"swordfish\"");
    let config = good(&toml, &[]);
    let shown = format!("{config:?}{config:#?}{}", summary(&config));
    assert!(
        !shown.contains("swordfish") && !shown.contains("open sesame"),
        "{shown}"
    );
    let problems = bad(
        "[component]\nsecret = 90125\n[gateway.garden]\ndomain = \"g.example.org\"
         beds.roses.password = 90125",
        &[],
    );
    assert_eq!(
        problems,
        [
            "component.secret: found a number, expected a text in quotes",
            "gateway.garden.beds.roses.password: found a number, expected a text",
        ]
    );
}

#[test]
fn the_servers_domain_is_derived_or_asked_for() {
    let of = |domain: &str, keys: &str| {
        format!("[component]\nsecret = \"x\"\n{keys}\n[gateway.garden]\ndomain = \"{domain}\"")
    };
    assert_eq!(
        good(&of("irc.localhost", ""), &[]).server_domain,
        "localhost"
    );
    let given = of("irc.localhost", "server_domain = \"Example.ORG\"");
    assert_eq!(good(&given, &[]).server_domain, "example.org");
    let asked = "component.server_domain: found nothing, expected the XMPP server's own domain";
    assert_eq!(bad(&of("localhost", ""), &[]), [asked]);
    let own = bad(&of("example.org", "server_domain = \"example.org\""), &[]);
    assert!(own[0].contains("which is the XMPP server's own"), "{own:?}");
}

#[test]
fn a_file_without_gateways_serves_nothing_and_is_refused() {
    for toml in ["", "[component]\nsecret = \"x\"", "[gateway]"] {
        let problems = bad(toml, &[]);
        assert_eq!(
            problems,
            ["gateway: found no gateway, expected a table such as [gateway.garden]"]
        );
    }
}

#[test]
fn the_summary_says_what_is_served_and_what_is_off() {
    let toml = format!("{MINIMAL}allow = [\"example.org\", \"ann@example.net\"]");
    let words = summary(&good(&toml, &[]));
    for line in [
        "server_domain: example.org",
        "gateway.garden: garden serves garden.example.org through 127.0.0.1:5347, \
         allowed: example.org, ann@example.net",
        "off: TLS to the XMPP server for gateway.garden",
        "off: administration of gateway.garden (no admins)",
    ] {
        assert!(words.lines().any(|found| found == line), "{line}\n{words}");
    }
}

#[test]
fn a_reload_takes_what_is_live_and_names_what_waits_for_a_restart() {
    let folder = Folder::new();
    let old = folder.load(MINIMAL, &[]).expect("good");
    assert_eq!(changes(&old, &old), []);
    let toml = MINIMAL.replace("open sesame", "changed").replace(
        "[gateway",
        "
        server_domain = \"example.com\"
        [log]\nlevel = \"debug\"\n[limits]\nhistory = 3
        [gateway.plain]\ndomain = \"plain.example.org\"
        [gateway",
    );
    let toml = format!(
        "{toml}admins = [\"ann@example.org\"]\nlines = 6\npersistent = true\nshow_avatar = true"
    );
    let new = folder.load(&toml, &[]).expect("good");
    let found = changes(&old, &new);
    let keys = |live: bool| {
        let found = found.iter().filter(|change| change.live == live);
        found.map(|change| change.key.as_str()).collect::<Vec<_>>()
    };
    let live = [
        "log.level",
        "limits",
        "gateway.garden.allow",
        "gateway.garden.admins",
        "gateway.garden.persistent",
        "gateway.garden.show_avatar",
    ];
    assert_eq!(keys(true), live);
    let restart = [
        "component.server_domain",
        "gateway.garden.secret",
        "gateway.garden (keys of the kind)",
        "gateway.plain",
    ];
    assert_eq!(keys(false), restart);
    let applied = applied(&old, &new);
    assert_eq!(
        (applied.log.level.as_str(), applied.limits.history),
        ("debug", 3)
    );
    assert!(applied.gateways[0].persistent && applied.gateways[0].show_avatar);
    assert!(access(&applied.gateways[0]).is_run_by(&jid("ann@example.org")));
    assert_eq!(applied.gateways[0].component, old.gateways[0].component);
    assert_eq!(applied.server_domain, "example.org");
}
