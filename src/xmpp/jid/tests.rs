use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn parts(text: &str) -> (Option<String>, String, Option<String>) {
    let jid = Jid::parse(text).unwrap();
    (
        jid.local().map(str::to_owned),
        jid.domain().to_owned(),
        jid.resource().map(str::to_owned),
    )
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn parts_are_cut_at_the_first_slash_then_at_the_first_at() {
    assert_eq!(parts("a@b/c"), (some("a"), "b".into(), some("c")));
    assert_eq!(parts("b/c@d/e"), (None, "b".into(), some("c@d/e")));
    assert_eq!(parts("b"), (None, "b".into(), None));
    assert_eq!(
        parts("#Foo%Irc.Test@GW."),
        (some("#foo%irc.test"), "gw".into(), None)
    );
    assert_eq!(parts("ＡÉ@ÉX"), (some("aé"), "éx".into(), None));
    assert_eq!(parts("😀@b/😀 x"), (some("😀"), "b".into(), some("😀 x")));
}

#[test]
fn malformed_addresses_name_the_part() {
    let long = "a".repeat(1024);
    for (text, fault) in [
        ("".to_owned(), JidFault::Domain),
        ("@b".into(), JidFault::Local),
        ("a@".into(), JidFault::Domain),
        ("a@.".into(), JidFault::Domain),
        ("a@b..".into(), JidFault::Domain),
        ("a@b@c".into(), JidFault::Domain),
        ("a@b/".into(), JidFault::Resource),
        ("/r".into(), JidFault::Domain),
        ("a＠c@b".into(), JidFault::Local),
        ("a@b\u{2100}".into(), JidFault::Domain),
        ("a\n@b".into(), JidFault::Local),
        ("a@b c".into(), JidFault::Domain),
        ("a@b/c\u{7}".into(), JidFault::Resource),
        (format!("{long}@b"), JidFault::Local),
        (format!("a@{long}"), JidFault::Domain),
        (format!("a@b/{long}"), JidFault::Resource),
    ] {
        assert_eq!(Jid::parse(&text), Err(fault), "{text:?}");
    }
    let most = "a".repeat(1023);
    assert!(Jid::parse(&format!("{most}@{most}/{most}")).is_ok());
}

#[test]
fn bare_of_a_full_jid_equals_and_hashes_as_the_bare_one() {
    let full = FullJid::parse("a@b/c").unwrap();
    let bare = BareJid::new(Some("A"), "B").unwrap();
    assert_eq!(full.bare(), bare);
    assert_eq!(full.bare().to_string(), "a@b");
    let table = HashMap::from([(full.bare(), 1)]);
    assert_eq!(table.get(&bare), Some(&1));
    assert_eq!(table.get("a@b"), Some(&1));
}

#[test]
fn generated_localpart_must_be_escaped() {
    assert_eq!(BareJid::new(Some("a b"), "c"), Err(JidFault::Local));
    assert_eq!(BareJid::new(Some("a:b"), "c"), Err(JidFault::Local));
    assert_eq!(
        BareJid::new(Some(r"a\20b"), "c").unwrap().as_str(),
        r"a\20b@c"
    );
    assert_eq!(BareJid::new(None, "c").unwrap().local(), None);
}

#[test]
fn nicknames_become_resources_that_old_servers_accept() {
    for (nick, resource) in [
        ("alice", "alice"),
        ("[a]^`|", "[a]^`|"),
        ("a/b@c", "a/b@c"),
        ("Zoë", "Zoë"),
        ("a\u{3}4b\u{7f}", "a_4b_"),
        ("a\u{fffe}", "aufffe"),
        ("a\u{202e}b", "au202eb"),
        ("😀", "u1f600"),
        ("a\u{200d}b", "ab"),
        ("e\u{200b}\u{301}", "é"),
        ("", "_"),
        ("\u{200d}", "_"),
    ] {
        assert_eq!(resource_from_nick(nick), resource, "{nick:?}");
    }
    assert_eq!(resource_from_nick(&"é".repeat(600)).len(), 1022);
}

proptest! {
    #[test]
    fn parsed_jid_parses_to_itself(text in "\\PC{0,12}@?\\PC{1,12}/?\\PC{0,12}") {
        if let Ok(jid) = Jid::parse(&text) {
            prop_assert_eq!(Jid::parse(jid.as_str()), Ok(jid.clone()));
            prop_assert_eq!(Jid::parse(jid.bare().as_str()), Ok(Jid::Bare(jid.bare())));
            if let Some(resource) = jid.resource() {
                prop_assert_eq!(jid.bare().with_resource(resource).ok(), jid.to_full());
            }
        }
    }

    #[test]
    fn every_nickname_becomes_a_stable_resource(nick in any::<String>()) {
        let resource = resource_from_nick(&nick).into_owned();
        let jid = BareJid::new(None, "b").unwrap().with_resource(&resource);
        prop_assert!(jid.is_ok());
        prop_assert_eq!(resource_from_nick(&resource), resource.as_str());
    }
}
