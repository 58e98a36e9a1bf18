use proptest::prelude::*;

use super::*;

fn canonical(localpart: &str) -> Address {
    match parse(localpart, "") {
        Ok(Parsed::Canonical(address)) => address,
        other => panic!("{localpart}: {other:?}"),
    }
}

fn moved(typed: &str, region: &str) -> String {
    match parse(typed, region) {
        Ok(Parsed::Moved(to)) => to,
        other => panic!("{typed}: {other:?}"),
    }
}

#[test]
fn the_localparts_clients_know_are_canonical() {
    for (localpart, peer) in [
        ("+14169938000", Peer::Number("+14169938000".into())),
        ("+15551230000", Peer::Number("+15551230000".into())),
        (
            "33733;phone-context=ca-us.phone-context.soprani.ca",
            Peer::Short {
                code: "33733".into(),
                context: "ca-us.phone-context.soprani.ca".into(),
            },
        ),
        (
            "33733;phone-context=+44",
            Peer::Short {
                code: "33733".into(),
                context: "+44".into(),
            },
        ),
        (
            "479136678077;phone-context=alphanumeric.phone-context.soprani.ca",
            Peer::Name("MyBank".into()),
        ),
        (
            "13;phone-context=anonymous.phone-context.soprani.ca",
            Peer::Withheld("13".into()),
        ),
    ] {
        let address = canonical(localpart);
        assert_eq!(Peer::of(&address), peer);
        assert_eq!(peer.address(), address);
        assert_eq!(format(&address).as_deref(), Ok(localpart));
    }
    assert_eq!(canonical("").kind, Kind::Gateway);
    let group = canonical("+14169938000,+14169938001");
    assert_eq!(group.kind, Kind::Group);
}

#[test]
fn what_people_type_moves_to_the_number() {
    let number = "+14169938000";
    for (typed, region) in [
        ("4169938000", "US"),
        ("(416) 993-8000", "ca"),
        ("+1 416 993 8000", ""),
        ("tel:+1-416-993-8000", ""),
        ("tel:9938000;phone-context=+1416", ""),
        ("sms:+14169938000?body=hello", ""),
        ("SMS:4169938000", "US"),
        ("smsto://+14169938000", ""),
        ("\u{ff0b}\u{661}4169938000", ""),
    ] {
        assert_eq!(moved(typed, region), number, "{typed}");
    }
    assert_eq!(moved("+4402079460958", ""), "+442079460958");
    assert_eq!(canonical("+43000000").id, "+43000000");
    assert_eq!(moved("020 7946 0958", "GB"), "+442079460958");
    assert_eq!(moved("33733", "US"), format!("33733{CONTEXT}{CA_US}"));
    assert_eq!(moved("33733", "GB"), format!("33733{CONTEXT}+44"));
    assert_eq!(
        moved("33733;phone-context=+1", ""),
        format!("33733{CONTEXT}{CA_US}")
    );
    let unsorted = "+14169938001,+14169938000,+14169938001";
    assert_eq!(moved(unsorted, ""), "+14169938000,+14169938001");
}

#[test]
fn what_is_no_number_says_what_to_write() {
    for (typed, region) in [
        ("4169938000", ""),
        ("33733", ""),
        ("alice", "US"),
        ("+1555", ""),
        ("+1", ""),
        ("1;phone-context=alphanumeric.phone-context.soprani.ca", ""),
        ("99;phone-context=anonymous.phone-context.soprani.ca", ""),
        ("33733;phone-context=+0", ""),
        ("+14169938000,alice", ""),
        (",", ""),
    ] {
        let fault = parse(typed, region).expect_err(typed);
        assert!(!fault.text.is_empty());
    }
}

#[test]
fn senders_are_read_by_their_type_of_number() {
    let number = |digits: &str| Peer::Number(digits.into());
    for (ton, text, region, peer) in [
        (1, "15551230000", "", number("+15551230000")),
        (1, "+15551230000", "", number("+15551230000")),
        (0, "+15551230000", "", number("+15551230000")),
        (0, "14169938000", "GB", number("+14169938000")),
        (2, "4169938000", "US", number("+14169938000")),
        (0, "4169938000", "US", number("+14169938000")),
        (0, "33733", "GB", short("33733", "GB").expect("known")),
        (3, "33733", "US", short("33733", "US").expect("known")),
        (0, "33733", "", Peer::Name("33733".into())),
        (5, "MyBank", "", Peer::Name("MyBank".into())),
        (0, "", "", Peer::Withheld("13".into())),
    ] {
        assert_eq!(from_carrier(ton, text, region), peer, "{ton} {text}");
    }
}

#[test]
fn a_name_with_spaces_is_read_by_its_likeliest_cut() {
    for name in ["My Bank", "INFO", "DHL-Paket", "O2 24", "Mom&Pop"] {
        let address = Peer::Name(name.into()).address();
        let localpart = format(&address).expect("a name");
        assert_eq!(canonical(&localpart).id, name);
    }
}

proptest! {
    #[test]
    fn a_number_is_read_as_it_is_written(digits in "[1-9][0-9]{6,14}") {
        let address = Address::new(Kind::Contact, format!("+{digits}"), "");
        let localpart = format(&address).expect("a number");
        // Not every number of that form is one of its country.
        if let Ok(Parsed::Canonical(read)) = parse(&localpart, "US") {
            prop_assert_eq!(read, address);
        }
    }

    #[test]
    fn a_localpart_that_is_read_is_written_the_same(
        localpart in "(\\+?[0-9]{3,15}|[0-9]{2,12};phone-context=(\\+[0-9]{1,3}|ca-us\
            \\.phone-context\\.soprani\\.ca|alphanumeric\\.phone-context\\.soprani\\.ca))"
    ) {
        match parse(&localpart, "US") {
            Ok(Parsed::Canonical(address)) => prop_assert_eq!(format(&address), Ok(localpart)),
            // Once is enough: what it moved to is canonical.
            Ok(Parsed::Moved(to)) => prop_assert!(
                matches!(parse(&to, "US"), Ok(Parsed::Canonical(_))), "{} moved to {}", localpart, to
            ),
            Err(_) => {}
        }
    }

    #[test]
    fn whatever_a_carrier_says_has_an_address(ton in any::<u8>(), text in "\\PC{0,20}") {
        let peer = from_carrier(ton, &text, "US");
        let address = peer.address();
        prop_assert!(format(&address).is_ok(), "{:?}", address);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = parse(&text, "GB");
    }
}

#[test]
fn who_is_only_a_name_or_withheld_says_that_nobody_reads_it() {
    let deaf = |peer: Peer| peer.is_deaf();
    assert!(deaf(from_carrier(5, "Bank", "CA")) && deaf(from_carrier(0, "", "CA")));
    assert!(!deaf(from_carrier(1, "14169938000", "CA")) && !deaf(from_carrier(3, "12345", "CA")));
}
