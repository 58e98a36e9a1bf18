//! Bounds of what users may set.

use super::*;
use isthmus_gateway::{UserId, Values};
use serde_json::{Value, json};

fn profile(config: Value, network: &str) -> Profile {
    let config = Config::from_value(&config).expect("a good configuration");
    Profile {
        config: Arc::new(config),
        user: User {
            id: UserId(1),
            local: "crab".to_owned(),
            domain: "example.org".to_owned(),
            lang: String::new(),
            region: String::new(),
        },
        network: network.to_owned(),
        webirc: None,
    }
}

fn values(values: &[(&str, &str)]) -> Values {
    let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    values.iter().map(own).collect()
}

fn set(network: &[(&str, &str)]) -> Set {
    Set {
        network: values(network),
        ..Set::default()
    }
}

fn route(config: Value, network: &str) -> Result<Route, Fault> {
    profile(config, network).route(&Set::default())
}

fn tried(route: &Route) -> Vec<(&str, u16, bool)> {
    let candidates = route.candidates.iter();
    candidates
        .map(|candidate| (candidate.host.as_str(), candidate.port, candidate.tls))
        .collect()
}

#[test]
fn a_host_that_a_user_names_is_public_and_verified() {
    let config = json!({ "networks": { "libera": { "verify": false } } });
    let typed = route(config.clone(), "127.0.0.1").expect("any host is served");
    assert_eq!((typed.reach, typed.trust), (Reach::Public, Trust::Native));
    assert_eq!(tried(&typed), [("127.0.0.1", 6697, true)]);
    let named = route(config, "Libera").expect("named above");
    assert_eq!((named.reach, named.trust), (Reach::Any, Trust::Insecure));
}

#[test]
fn only_what_the_operator_allows_is_served() {
    let named = json!({ "hosts": "named", "networks": { "libera": {} } });
    assert!(route(named.clone(), "libera").is_ok());
    let fault = route(named, "irc.oftc.net").expect_err("not named");
    assert_eq!(fault.kind, FaultKind::NotAllowed);
    let listed = json!({ "hosts": ["irc.oftc.net"] });
    assert!(route(listed.clone(), "IRC.oftc.net").is_ok());
    assert!(route(listed, "irc.libera.chat").is_err());
    let fixed = json!({ "hosts": "named", "network": "irc.a.example" });
    assert!(route(fixed, "irc.a.example").is_ok());
}

#[test]
fn every_host_is_tried_with_tls_before_any_without() {
    let config = json!({ "networks": {
        "a": { "hosts": ["one.example", "two.example:7000"], "tls": "preferred" },
        "b": { "hosts": ["one.example"], "tls": "off" },
    } });
    assert_eq!(
        tried(&route(config.clone(), "a").expect("named above")),
        [
            ("one.example", 6697, true),
            ("two.example", 7000, true),
            ("one.example", 6667, false),
            ("two.example", 7000, false),
        ]
    );
    let plain = route(config, "b").expect("named above");
    assert_eq!(tried(&plain), [("one.example", 6667, false)]);
}

#[test]
fn a_user_chooses_server_and_ports_where_any_host_is_served() {
    let free = profile(json!({ "tls": "preferred" }), "libera");
    let chosen = set(&[
        ("address", "irc.libera.chat"),
        ("tls_ports", "6697;7000"),
        ("ports", "6665, 6667"),
    ]);
    let route = free.route(&chosen).expect("any host is served");
    assert_eq!(
        tried(&route),
        [
            ("irc.libera.chat", 6697, true),
            ("irc.libera.chat", 7000, true),
            ("irc.libera.chat", 6665, false),
            ("irc.libera.chat", 6667, false),
        ]
    );
    assert_eq!(route.reach, Reach::Public);
}

#[test]
fn a_named_network_stays_at_the_operators_servers_and_ports() {
    let config =
        json!({ "networks": { "libera": { "hosts": ["one.example", "two.example:7000"] } } });
    let libera = profile(config, "libera");
    let elsewhere = set(&[("address", "evil.example"), ("tls_ports", "25")]);
    let route = libera.route(&elsewhere).expect("named above");
    assert_eq!(
        tried(&route),
        [("one.example", 6697, true), ("two.example", 7000, true)]
    );
    let among = set(&[("address", "two.example"), ("tls_ports", "6697")]);
    let route = libera.route(&among).expect("named above");
    assert_eq!(tried(&route), [("two.example", 6697, true)]);
}

#[test]
fn nobody_goes_below_the_safety_the_operator_demands() {
    let unsafe_wish = set(&[("tls", "off"), ("verify_cert", "false")]);
    let strict = profile(json!({}), "irc.a.example");
    let route = strict.route(&unsafe_wish).expect("any host is served");
    assert_eq!(tried(&route), [("irc.a.example", 6697, true)]);
    assert_eq!(route.trust, Trust::Native);
    let lax = profile(
        json!({ "tls": "preferred", "unverified": true }),
        "irc.a.example",
    );
    let route = lax.route(&unsafe_wish).expect("any host is served");
    assert_eq!(tried(&route), [("irc.a.example", 6667, false)]);
    assert_eq!(route.trust, Trust::Insecure);
    let pinned = set(&[("fingerprint", &("AB:".repeat(31) + "ab"))]);
    let route = strict.route(&pinned).expect("any host is served");
    assert_eq!(route.trust, Trust::Pin([0xab; 32]));
}

#[test]
fn what_is_secret_goes_to_its_own_network_only() {
    let named = json!({ "networks": { "libera": {} } });
    let mine = set(&[
        ("sasl_password", "hunter2"),
        ("sasl_user", "ferris"),
        ("after_connect_commands", "/MSG NickServ x\n\n mode y "),
    ]);
    let settings = profile(named, "libera").settings(&mine);
    let login = settings.login.expect("set for it");
    assert_eq!(
        (login.user.as_str(), login.password),
        ("ferris", Some(Secret("hunter2".to_owned())))
    );
    assert_eq!(settings.after_connect, ["MSG NickServ x", "mode y"]);
    let everywhere = Set {
        gateway: values(&[("pass", "everywhere"), ("sasl_password", "everywhere")]),
        ..Set::default()
    };
    let evil = profile(json!({}), "irc.evil.example").settings(&everywhere);
    assert_eq!((evil.login, evil.password), (None, None));
    let fixed = profile(json!({ "network": "libera" }), "libera").settings(&everywhere);
    assert_eq!(fixed.password, Some(Secret("everywhere".to_owned())));
}

#[test]
fn a_users_throttle_is_at_most_the_operators() {
    let burst = |limit: &str| {
        let settings =
            profile(json!({}), "irc.a.example").settings(&set(&[("throttle_limit", limit)]));
        settings.throttle_burst
    };
    assert_eq!((burst("3"), burst("500"), burst("0")), (3, 10, 1));
}

#[test]
fn a_user_name_is_one_that_servers_take() {
    assert_eq!(ident("j\u{fc}rgen mustermann"), "jrgenmuste");
    assert_eq!(ident("\u{1f980}"), "xmpp");
}
