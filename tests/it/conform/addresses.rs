//! Addresses are pure and round-trip; what is odd is refused in words or has a canonical spelling.

use std::fmt::Debug;

use isthmus_gateway::{Address, Gateway, Kind, Parsed};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::bench::Bench;
use super::rules;

rules! {
    irc_addresses_round_trip: Irc, addresses_round_trip;
    fixed_irc_addresses_round_trip: IrcFixed, addresses_round_trip;
    smtp_addresses_round_trip: Smtp, addresses_round_trip;
    sms_addresses_round_trip: Sms, addresses_round_trip;
    exec_addresses_round_trip: Exec, addresses_round_trip;
    loopback_addresses_round_trip: Loopback, addresses_round_trip;

    irc_reads_any_localpart: Irc, any_localpart_is_read;
    fixed_irc_reads_any_localpart: IrcFixed, any_localpart_is_read;
    smtp_reads_any_localpart: Smtp, any_localpart_is_read;
    sms_reads_any_localpart: Sms, any_localpart_is_read;
    exec_reads_any_localpart: Exec, any_localpart_is_read;
    loopback_reads_any_localpart: Loopback, any_localpart_is_read;

    irc_writes_what_it_reads_back: Irc, what_is_written_is_read_back;
    fixed_irc_writes_what_it_reads_back: IrcFixed, what_is_written_is_read_back;
    smtp_writes_what_it_reads_back: Smtp, what_is_written_is_read_back;
    sms_writes_what_it_reads_back: Sms, what_is_written_is_read_back;
    exec_writes_what_it_reads_back: Exec, what_is_written_is_read_back;
    loopback_writes_what_it_reads_back: Loopback, what_is_written_is_read_back;
}

async fn addresses_round_trip<B: Bench>() {
    let bench = B::start().await;
    let gateway = bench.gateway();
    for address in B::addresses() {
        let text = gateway.format(&address).expect("it is canonical");
        let read = gateway.parse(&text, B::REGION);
        assert_eq!(read, Ok(Parsed::Canonical(address.clone())), "{text}");
        let network = gateway.network(&text);
        assert!(network.is_empty() || network == address.network, "{text}");
    }
}

async fn any_localpart_is_read<B: Bench>() {
    let bench = B::start().await;
    let gateway = &*bench.gateway();
    let known: Vec<String> = B::addresses()
        .iter()
        .map(|address| gateway.format(address).expect("it is canonical"))
        .collect();
    let known = proptest::sample::select(known);
    let signs = "[a-zA-Z0-9#&+!%@+;,:=. ~\"'<>/\\\\-]{0,24}";
    let texts = prop_oneof![
        "\\PC{0,24}",
        ".{0,12}",
        signs,
        (known, "\\PC{0,4}", any::<prop::sample::Index>()).prop_map(|(known, odd, at)| {
            let ends: Vec<usize> = known.char_indices().map(|(at, _)| at).collect();
            let at = ends.get(at.index(ends.len() + 1)).copied();
            let (head, tail) = known.split_at(at.unwrap_or(known.len()));
            format!("{head}{odd}{tail}")
        }),
    ];
    hold(texts, |text| settles(gateway, B::REGION, &text));
}

/// A localpart is canonical, moves in one step to one that is, or is refused in words.
fn settles(gateway: &dyn Gateway, region: &str, text: &str) {
    let network = gateway.network(text);
    assert!(text.contains(network), "{network} is no part of it");
    match gateway.parse(text, region) {
        Ok(Parsed::Canonical(address)) => {
            let written = gateway.format(&address);
            assert_eq!(written.as_deref(), Ok(text), "{address:?}");
            assert!(
                network.is_empty() || network == address.network,
                "{address:?}"
            );
        }
        Ok(Parsed::Moved(proper)) => {
            assert_ne!(proper, text, "it moves to itself");
            let read = gateway.parse(&proper, region);
            assert!(
                matches!(read, Ok(Parsed::Canonical(_))),
                "{proper}: {read:?}"
            );
        }
        Err(fault) => assert!(!fault.text.is_empty(), "no words"),
    }
}

async fn what_is_written_is_read_back<B: Bench>() {
    let bench = B::start().await;
    let gateway = &*bench.gateway();
    let kinds = [
        Kind::Contact,
        Kind::Room,
        Kind::Group,
        Kind::Pattern,
        Kind::Network,
    ];
    let kinds = proptest::sample::select(kinds.to_vec());
    let known: Vec<Address> = B::addresses();
    let ids: Vec<String> = known.iter().map(|address| address.id.clone()).collect();
    let ids = prop_oneof![
        "[a-z0-9#%@+;,=. -]{0,16}",
        "\\PC{0,12}",
        proptest::sample::select(ids)
    ];
    let network = known.last().map(|address| address.network.clone());
    let networks = prop_oneof![
        Just(network.unwrap_or_default()),
        Just(String::new()),
        "[a-z%.]{0,8}"
    ];
    hold((kinds, ids, networks), |(kind, id, network)| {
        // A network has no name beside that of the network.
        let id = if kind == Kind::Network {
            String::new()
        } else {
            id
        };
        let address = Address::new(kind, id, network);
        match gateway.format(&address) {
            // Where there is one network, its address is the domain.
            Ok(text) if text.is_empty() => assert_eq!(kind, Kind::Network),
            Ok(text) => {
                let read = gateway.parse(&text, B::REGION);
                let Ok(Parsed::Canonical(read)) = read else {
                    panic!("{text:?} is read as {read:?}");
                };
                let same = read == address || (B::AMBIGUOUS && read.kind == kind);
                assert!(same, "{text:?} is read as {read:?}");
                assert_eq!(gateway.format(&read), Ok(text));
            }
            Err(fault) => assert!(!fault.text.is_empty(), "no words"),
        }
    });
}

fn hold<S: Strategy>(values: S, rule: impl Fn(S::Value))
where
    S::Value: Debug,
{
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(2000)
    };
    let held = TestRunner::new(config).run(&values, |value| {
        rule(value);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}
