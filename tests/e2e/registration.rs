//! Accounts with a gateway (XEP-0077, XEP-0100 §4) and addresses that are typed (XEP-0100 §6), on
//! every server, with every kind of gateway that users meet.
//!
//! No network is there: neither needs one.

use isthmus_test_support::node::escape;
use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Stanza, XmppClient, paths};

use crate::world::{World, error_text, features, register_form};

const IRC: &str = "irc.localhost";
const MAIL: &str = "mail.localhost";
const SMS: &str = "sms.localhost";
const DICT: &str = "dict.localhost";
const ALL: [&str; 4] = [IRC, MAIL, SMS, DICT];

const REGISTER: &str = "jabber:iq:register";
const GATEWAY: &str = "jabber:iq:gateway";
const ASK: &str = "<query xmlns='jabber:iq:register'/>";
const REMOVE: &str = "<query xmlns='jabber:iq:register'><remove/></query>";

/// Nothing listens there.
const NOBODY: &str = "127.0.0.1:1";

fn gateways() -> String {
    format!(
        r#"
[gateway.irc]
domain = "{IRC}"
hosts = "named"
allow = ["juliet@localhost"]

[gateway.irc.networks.local]
hosts = ["{NOBODY}"]

[gateway.mail]
kind = "smtp"
domain = "{MAIL}"
allow = ["juliet@localhost"]
smarthost = "{NOBODY}"

[gateway.sms]
domain = "{SMS}"
allow = ["juliet@localhost"]
region = "CA"

[gateway.sms.carriers.one]
host = "127.0.0.1"
port = 1
system_id = "isthmus"
password = "secret"

[gateway.sms.lines."+15551230000"]
open = true

[gateway.sms.lines."+15551230001"]
open = true

[gateway.dict]
kind = "exec"
domain = "{DICT}"
allow = ["juliet@localhost"]
exec = ["{python}", "{examples}/dict.py"]
"#,
        python = paths::need("usr/bin/python3").display(),
        examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plugins"),
    )
}

async fn register(kind: Kind) {
    let world = World::serving(kind, &ALL, &gateways());
    let juliet = world.user("juliet").await;
    for gateway in ALL {
        world.attached(&juliet, gateway).await;
    }
    prompts(&juliet).await;
    by_legacy_fields(&juliet).await;
    by_form(&juliet).await;
    changed_from_another_resource(&world).await;
    refused(&juliet).await;
    a_choice(&juliet).await;
    removed(&juliet).await;
    nothing_to_register(&juliet).await;
    not_admitted(&world).await;
    let ended = world.isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", world.isthmus.log());
}

#[tokio::test]
async fn registration_and_prompts_on_prosody() {
    register(Kind::Prosody).await;
}

#[tokio::test]
async fn registration_and_prompts_on_ejabberd() {
    register(Kind::Ejabberd).await;
}

#[tokio::test]
async fn registration_and_prompts_on_jabberd2() {
    register(Kind::Jabberd2).await;
}

/// Each gateway says what to type, and makes a JID of it or says what is wrong.
async fn prompts(juliet: &XmppClient) {
    for (gateway, words, typed, jid) in [
        (
            IRC,
            "channel or nickname",
            "#Rust%Local",
            "#rust%local@irc.localhost",
        ),
        (
            MAIL,
            "mail address",
            " mailto:Alice@Peer.Example",
            r"alice\40peer.example@mail.localhost",
        ),
        (
            SMS,
            "phone number",
            "(416) 993-8000",
            "+14169938000@sms.localhost",
        ),
        (DICT, "look up words", "Webster", "webster@dict.localhost"),
    ] {
        assert!(
            features(juliet, gateway)
                .await
                .iter()
                .any(|it| it == GATEWAY),
            "{gateway}"
        );
        let asked = juliet
            .iq("get", gateway, "<query xmlns='jabber:iq:gateway'/>")
            .await;
        let query = asked.find("query", GATEWAY);
        let query = query.unwrap_or_else(|| panic!("{asked:?}"));
        assert!(query.text_of("desc").contains(words), "{asked:?}");
        assert_eq!(query.text_of("prompt"), "Address", "{asked:?}");
        let answer = juliet.iq("set", gateway, &prompt(typed)).await;
        assert_eq!(answer.type_(), "result", "{answer:?}");
        let made = answer.find("jid", GATEWAY);
        assert_eq!(made.map(|made| made.text.as_str()), Some(jid), "{answer:?}");
        let nothing = juliet.iq("set", gateway, &prompt(" ")).await;
        assert_eq!(nothing.error_condition(), "bad-request", "{nothing:?}");
    }
    for (gateway, typed) in [(IRC, "#rust"), (MAIL, "alice"), (SMS, "a phone")] {
        let refused = juliet.iq("set", gateway, &prompt(typed)).await;
        assert_eq!(refused.error_condition(), "item-not-found", "{refused:?}");
        assert!(!error_text(&refused).is_empty(), "{refused:?}");
    }
}

fn prompt(typed: &str) -> String {
    let typed = escape(typed);
    format!("<query xmlns='jabber:iq:gateway'><prompt>{typed}</prompt></query>")
}

/// What the gateway asks: its answer, and whether it knows the account.
async fn asked(juliet: &XmppClient, gateway: &str) -> (Stanza, bool) {
    let asked = juliet.iq("get", gateway, ASK).await;
    assert_eq!(asked.type_(), "result", "{asked:?}");
    let known = asked.find("registered", REGISTER).is_some();
    (asked, known)
}

/// What the form has for this field.
fn shown<'a>(form: &'a Stanza, name: &str) -> &'a str {
    let form = form.find("x", "jabber:x:data").expect("there is a form");
    let mut fields = form.children_named("field");
    let field = fields.find(|field| field.attr("var") == name);
    field.expect("the form has the field").text_of("value")
}

async fn by_legacy_fields(juliet: &XmppClient) {
    assert!(features(juliet, MAIL).await.iter().any(|it| it == REGISTER));
    let (before, known) = asked(juliet, MAIL).await;
    assert!(!known, "{before:?}");
    assert!(before.find("name", REGISTER).is_some(), "{before:?}");
    assert!(
        before.find("instructions", REGISTER).is_some(),
        "{before:?}"
    );
    let fields = "<query xmlns='jabber:iq:register'><name>Juliet Capulet</name></query>";
    let done = juliet.iq("set", MAIL, fields).await;
    assert_eq!(done.type_(), "result", "{done:?}");
    juliet.expect(|s| told(s, "subscribe")).await;
    let (after, known) = asked(juliet, MAIL).await;
    assert!(known, "{after:?}");
    let name = after.find("name", REGISTER);
    assert_eq!(
        name.map(|it| it.text.as_str()),
        Some("Juliet Capulet"),
        "{after:?}"
    );
    assert_eq!(shown(&after, "name"), "Juliet Capulet");
}

fn told(stanza: &Stanza, kind: &str) -> bool {
    stanza.kind() == "presence" && stanza.from() == MAIL && stanza.type_() == kind
}

/// A change: no second subscription.
async fn by_form(juliet: &XmppClient) {
    let form = register_form(&[("name", "J. <C> & R.")]);
    let done = juliet.iq("set", MAIL, &form).await;
    // The name must not look like a mail address.
    assert_eq!(done.error_condition(), "bad-request", "{done:?}");
    let form = register_form(&[("name", "J. Montague & Co")]);
    let done = juliet.iq("set", MAIL, &form).await;
    assert_eq!(done.type_(), "result", "{done:?}");
    let (after, known) = asked(juliet, MAIL).await;
    assert!(
        known && shown(&after, "name") == "J. Montague & Co",
        "{after:?}"
    );
    let since = juliet.collect(MAIL).await;
    assert!(!since.iter().any(|s| told(s, "subscribe")), "{since:?}");
}

async fn changed_from_another_resource(world: &World) {
    let two = world.resource("juliet", "two").await;
    let (before, known) = asked(&two, MAIL).await;
    assert!(
        known && shown(&before, "name") == "J. Montague & Co",
        "{before:?}"
    );
    let done = two
        .iq("set", MAIL, &register_form(&[("name", "Juliet")]))
        .await;
    assert_eq!(done.type_(), "result", "{done:?}");
    two.disconnect().await;
}

/// What is no answer to the question changes nothing, and is told in words.
async fn refused(juliet: &XmppClient) {
    let long = "x".repeat(101);
    let longer = "x".repeat(5000);
    for (name, condition, words) in [
        (
            "ceo@bank.example",
            "bad-request",
            "must not look like a mail address",
        ),
        (long.as_str(), "bad-request", "too long"),
        (longer.as_str(), "not-acceptable", "too long"),
        ("two\nlines", "not-acceptable", "control characters"),
    ] {
        let refused = juliet
            .iq("set", MAIL, &register_form(&[("name", name)]))
            .await;
        assert_eq!(refused.error_condition(), condition, "{refused:?}");
        assert!(error_text(&refused).contains(words), "{refused:?}");
    }
    let cancel =
        "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='cancel'/></query>";
    assert_eq!(juliet.iq("set", MAIL, cancel).await.type_(), "result");
    let (after, known) = asked(juliet, MAIL).await;
    assert!(known && shown(&after, "name") == "Juliet", "{after:?}");
}

/// A number among those that there are.
async fn a_choice(juliet: &XmppClient) {
    let (form, known) = asked(juliet, SMS).await;
    assert!(!known, "{form:?}");
    let field = form.find("field", "jabber:x:data").is_some();
    assert!(field && form.xml.contains("list-single"), "{form:?}");
    for (line, condition) in [
        ("", "not-acceptable"),
        ("+15551239999", "not-allowed"),
        ("nothing", "jid-malformed"),
    ] {
        let refused = juliet
            .iq("set", SMS, &register_form(&[("line", line)]))
            .await;
        assert_eq!(refused.error_condition(), condition, "{line}: {refused:?}");
        assert!(!error_text(&refused).is_empty(), "{refused:?}");
    }
    for line in ["+15551230000", "+15551230001"] {
        let done = juliet
            .iq("set", SMS, &register_form(&[("line", line)]))
            .await;
        assert_eq!(done.type_(), "result", "{done:?}");
        let (after, known) = asked(juliet, SMS).await;
        assert!(known && shown(&after, "line") == line, "{after:?}");
    }
}

async fn removed(juliet: &XmppClient) {
    let both = "<query xmlns='jabber:iq:register'><remove/><name>x</name></query>";
    let refused = juliet.iq("set", MAIL, both).await;
    assert_eq!(refused.error_condition(), "bad-request", "{refused:?}");
    let done = juliet.iq("set", MAIL, REMOVE).await;
    assert_eq!(done.type_(), "result", "{done:?}");
    let (after, known) = asked(juliet, MAIL).await;
    assert!(!known && shown(&after, "name").is_empty(), "{after:?}");
    let again = juliet.iq("set", MAIL, REMOVE).await;
    assert_eq!(
        again.error_condition(),
        "registration-required",
        "{again:?}"
    );
    assert_eq!(
        error_text(&again),
        "you are not registered with this gateway"
    );
}

/// IRC and the dictionary know whom they serve without asking.
async fn nothing_to_register(juliet: &XmppClient) {
    for gateway in [IRC, DICT] {
        assert!(
            !features(juliet, gateway)
                .await
                .iter()
                .any(|it| it == REGISTER),
            "{gateway}"
        );
        for (kind, query) in [("get", ASK), ("set", REMOVE)] {
            let refused = juliet.iq(kind, gateway, query).await;
            assert_eq!(
                refused.error_condition(),
                "service-unavailable",
                "{refused:?}"
            );
        }
    }
}

/// Whom the operator does not admit is told so, whatever he asks for.
async fn not_admitted(world: &World) {
    let tybalt = world.user("tybalt").await;
    let words = "the operator of this gateway does not admit you";
    for gateway in ALL {
        for (kind, query) in [
            ("get", ASK),
            ("set", &register_form(&[("name", "Tybalt")])),
            ("get", "<query xmlns='jabber:iq:gateway'/>"),
        ] {
            let refused = tybalt.iq(kind, gateway, query).await;
            assert_eq!(refused.error_condition(), "not-allowed", "{refused:?}");
            assert_eq!(error_text(&refused), words);
        }
        let id = tybalt.chat(&format!("somebody@{gateway}"), "peace?");
        let error = tybalt
            .expect(|s| s.id() == id && s.type_() == "error")
            .await;
        assert_eq!(error.error_condition(), "not-allowed", "{error:?}");
        assert_eq!(error_text(&error), words);
    }
}
