//! IRC names and the localparts that stand for them. Pure.
//!
//! `#channel%network`, `nick%network` and `network` as biboumi spells them; with one fixed
//! network `#channel` and `nick`. The host has unescaped and prepared the localpart
//! (RFC 7622, XEP-0106) and compares names by the network's own case mapping.

use isthmus_gateway::{Address, AddressFault, Kind, Parsed, words};

/// What a channel's name may begin with (RFC 2811 §2.1). A network's own CHANTYPES is not known
/// before there is a connection, and an address must mean the same before and after.
pub const CHANNEL_SIGNS: [char; 4] = ['#', '&', '+', '!'];

/// Whether `name` is that of a channel.
pub fn is_channel(name: &str) -> bool {
    name.starts_with(CHANNEL_SIGNS)
}

/// The part of a localpart that names the network; empty in fixed-network mode and where a
/// channel stands alone.
pub fn network(localpart: &str, fixed: bool) -> &str {
    if fixed {
        return "";
    }
    match localpart.rsplit_once('%') {
        Some((_, network)) => network,
        None if is_channel(localpart) => "",
        None => localpart,
    }
}

/// Reads a localpart. `fixed` is the one network of fixed-network mode.
pub fn parse(localpart: &str, fixed: Option<&str>) -> Result<Parsed, AddressFault> {
    if localpart.is_empty() {
        let address = Address::new(Kind::Gateway, "", "");
        return Ok(Parsed::Canonical(address));
    }
    if let Some(named) = of_uri(localpart) {
        let address = named?;
        return Ok(Parsed::Moved(format(&address, fixed)?));
    }
    let (name, network) = match fixed {
        Some(network) => (Some(localpart), network),
        None => match localpart.rsplit_once('%') {
            Some((name, network)) => (Some(name), network),
            None if is_channel(localpart) => {
                return Err(AddressFault::new(words!(
                    "{localpart} on which network? write {localpart}%irc.example.org",
                    "{localpart} 在哪个网络？请写作 {localpart}%irc.example.org"
                )));
            }
            None => (None, localpart),
        },
    };
    check_network(network)?;
    let address = match name {
        None => Address::new(Kind::Network, "", network),
        Some(name) if is_channel(name) => {
            check_name(name)?;
            Address::new(Kind::Room, name, network)
        }
        Some(name) => {
            check_name(name)?;
            Address::new(Kind::Contact, name, network)
        }
    };
    Ok(Parsed::Canonical(address))
}

/// Writes the localpart of an address.
///
/// A contact without a name is `%network`: the name is then the resource, for nicknames whose
/// spelling fits no localpart.
pub fn format(address: &Address, fixed: Option<&str>) -> Result<String, AddressFault> {
    let id = address.id.as_str();
    match address.kind {
        Kind::Gateway => return Ok(String::new()),
        Kind::Network => {
            if let Some(fixed) = fixed {
                return if address.network == fixed {
                    Ok(String::new())
                } else {
                    Err(other_network(fixed))
                };
            }
            check_network(&address.network)?;
            return Ok(address.network.clone());
        }
        Kind::Room if !is_channel(id) => {
            return Err(AddressFault::new(words!(
                "{id} is not the name of a channel",
                "{id} 不是频道名称"
            )));
        }
        Kind::Contact if is_channel(id) => {
            return Err(AddressFault::new(words!(
                "{id} is a channel, not a nickname",
                "{id} 是频道，不是昵称"
            )));
        }
        Kind::Room | Kind::Contact => check_name(id)?,
        Kind::Group | Kind::Pattern => {
            return Err(AddressFault::new((
                "IRC has no address for this",
                "IRC 没有此类地址",
            )));
        }
    }
    match fixed {
        Some(fixed) if address.network != fixed => Err(other_network(fixed)),
        Some(_) if id.is_empty() => Err(AddressFault::new(("a nickname is missing", "缺少昵称"))),
        Some(fixed) => {
            check_network(fixed)?;
            Ok(id.to_owned())
        }
        None => {
            check_network(&address.network)?;
            Ok(format!("{id}%{}", address.network))
        }
    }
}

/// The address an `irc:` URI stands for, if it is one: `irc://host[:port]/target[,flags]`, as the
/// expired draft-butcher-irc-url-04 has it, its escapes already taken away. A port says only how to
/// connect, which is a setting of the network.
fn of_uri(localpart: &str) -> Option<Result<Address, AddressFault>> {
    let (scheme, rest) = localpart.split_once("://")?;
    if !matches!(scheme, "irc" | "ircs" | "irc6") {
        return None;
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    };
    let mut words = path.split(',');
    let target = words.next().unwrap_or_default();
    let flags: Vec<&str> = words.collect();
    let address = if target.is_empty() || flags.contains(&"isserver") {
        Address::new(Kind::Network, "", host)
    } else if flags.contains(&"isnick") || flags.contains(&"isuser") {
        // A person may be named with his user name and host.
        let nick = target.split('!').next().unwrap_or_default();
        Address::new(Kind::Contact, nick, host)
    } else if is_channel(target) {
        Address::new(Kind::Room, target, host)
    } else {
        // Browsers cut a channel's sign off as a fragment: the name without one is a channel's.
        Address::new(Kind::Room, format!("#{target}"), host)
    };
    let checked = check_network(host).and_then(|()| check_name(&address.id));
    Some(checked.map(|()| address))
}

fn other_network(fixed: &str) -> AddressFault {
    AddressFault::new(words!(
        "this gateway serves {fixed} only",
        "此网关只服务于 {fixed}"
    ))
}

/// RFC 2812 §2.3.1: what may stand in neither a channel's name nor a nickname, because it ends a
/// parameter or separates targets.
fn check_name(name: &str) -> Result<(), AddressFault> {
    let bad = |c: char| matches!(c, '\0' | '\u{7}' | '\r' | '\n' | ' ' | ',');
    if name.contains(bad) {
        return Err(AddressFault::new((
            "an IRC name holds neither spaces nor commas",
            "IRC 名称不得含有空格或逗号",
        )));
    }
    if name.starts_with(':') {
        return Err(AddressFault::new((
            "an IRC name does not begin with a colon",
            "IRC 名称不得以冒号开头",
        )));
    }
    Ok(())
}

/// A network is a host name, an address or a name given by the operator.
fn check_network(network: &str) -> Result<(), AddressFault> {
    let good = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '%' | '/' | '@');
    if network.is_empty() {
        return Err(AddressFault::new((
            "the network is missing behind the %",
            "% 之后缺少网络",
        )));
    }
    if network.len() > 255 || !network.chars().all(good) || is_channel(network) {
        return Err(AddressFault::new(words!(
            "{network} is not the name of a network",
            "{network} 不是网络名称"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(localpart: &str, fixed: Option<&str>) -> Address {
        match parse(localpart, fixed) {
            Ok(Parsed::Canonical(address)) => address,
            other => panic!("{localpart}: {other:?}"),
        }
    }

    #[test]
    fn links_lead_to_the_place_they_name() {
        for (link, place) in [
            ("irc://irc.a.example/#rust", "#rust%irc.a.example"),
            ("ircs://irc.a.example:6697/rust", "#rust%irc.a.example"),
            ("irc://irc.a.example/#rust,needkey", "#rust%irc.a.example"),
            (
                "irc6://irc.a.example/alice!a@b,isnick",
                "alice%irc.a.example",
            ),
            ("irc://irc.a.example", "irc.a.example"),
            ("irc://irc.a.example/,isserver", "irc.a.example"),
        ] {
            let place = Parsed::Moved(place.to_owned());
            assert_eq!(parse(link, None), Ok(place), "{link}");
        }
        let fixed = Some("irc.a.example");
        let place = Parsed::Moved("#rust".to_owned());
        assert_eq!(parse("irc://irc.a.example/#rust", fixed), Ok(place));
        assert!(parse("irc://irc.b.example/#rust", fixed).is_err());
        assert!(parse("irc:///#rust", None).is_err());
        assert!(parse("irc://irc.a.example/a b", None).is_err());
    }

    #[test]
    fn each_form_names_its_kind() {
        for (localpart, kind, id, network) in [
            (
                "#rust%irc.libera.chat",
                Kind::Room,
                "#rust",
                "irc.libera.chat",
            ),
            (
                "&local%irc.a.example",
                Kind::Room,
                "&local",
                "irc.a.example",
            ),
            ("+m%irc.a.example", Kind::Room, "+m", "irc.a.example"),
            (
                "!12345x%irc.a.example",
                Kind::Room,
                "!12345x",
                "irc.a.example",
            ),
            ("#50%off%libera", Kind::Room, "#50%off", "libera"),
            (
                "ferris%irc.libera.chat",
                Kind::Contact,
                "ferris",
                "irc.libera.chat",
            ),
            ("%irc.libera.chat", Kind::Contact, "", "irc.libera.chat"),
            ("irc.libera.chat", Kind::Network, "", "irc.libera.chat"),
            ("", Kind::Gateway, "", ""),
        ] {
            assert_eq!(canonical(localpart, None), Address::new(kind, id, network));
        }
        for localpart in ["#rust", "#rust%", "#a b%net", "#a,b%net", "a%b c", ":a%net"] {
            assert!(parse(localpart, None).is_err(), "{localpart}");
        }
    }

    #[test]
    fn with_a_fixed_network_the_percent_sign_is_ordinary() {
        let address = canonical("#50%off", Some("irc.a.example"));
        assert_eq!(
            address,
            Address::new(Kind::Room, "#50%off", "irc.a.example")
        );
        assert_eq!(network("#50%off", true), "");
        let elsewhere = Address::new(Kind::Room, "#c", "irc.b.example");
        assert!(format(&elsewhere, Some("irc.a.example")).is_err());
    }

    #[test]
    fn the_network_is_a_slice_of_the_localpart() {
        assert_eq!(network("#a%b%irc.a.example", false), "irc.a.example");
        assert_eq!(network("irc.a.example", false), "irc.a.example");
        assert_eq!(network("#a", false), "");
    }

    proptest! {
        #[test]
        fn a_localpart_that_is_read_is_written_the_same(
            localpart in "[#&+!]?[a-zA-Z0-9\\[\\]{}|^_%. \\PC-]{0,20}(%[a-z0-9.-]{1,20})?"
        ) {
            if let Ok(Parsed::Canonical(address)) = parse(&localpart, None) {
                prop_assert_eq!(network(&localpart, false), address.network.as_str());
                prop_assert_eq!(format(&address, None), Ok(localpart));
            }
        }

        #[test]
        fn an_address_that_is_written_is_read_the_same(
            id in "\\PC{0,12}", net in "\\PC{1,12}", room in any::<bool>(), fixed in any::<bool>()
        ) {
            let kind = if room { Kind::Room } else { Kind::Contact };
            let id = if room { format!("#{id}") } else { id };
            let address = Address::new(kind, id, net.clone());
            let fixed = fixed.then_some(net.as_str());
            if let Ok(localpart) = format(&address, fixed) {
                prop_assert_eq!(parse(&localpart, fixed), Ok(Parsed::Canonical(address)));
            }
        }
    }
}
