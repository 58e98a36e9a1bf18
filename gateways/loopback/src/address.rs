//! Foreign addresses and localparts: `#room%network`, `name%network`, `%network`; `a,b%network` is
//! the group of these people, `a*%network` a pattern of names.
//!
//! Pure. The last `%` divides; without one the network is the nameless one. The empty localpart is
//! the gateway. Escaping (XEP-0106) is the host's business.

use isthmus_gateway::{Address, AddressFault, Kind, Parsed};

/// Longest localpart in bytes (RFC 7622 §3.3 allows 1023; the host escapes what it must).
const LONGEST: usize = 512;

/// The network a localpart names; empty for the nameless one.
pub fn network(localpart: &str) -> &str {
    localpart
        .rsplit_once('%')
        .map_or("", |(_, network)| network)
}

/// Reads an unescaped localpart. A needless `%` at its end is [`Parsed::Moved`].
pub fn parse(localpart: &str) -> Result<Parsed, AddressFault> {
    let (id, network) = localpart.rsplit_once('%').unwrap_or((localpart, ""));
    let kind = match (id, network) {
        ("", "") => Kind::Gateway,
        ("", _) => Kind::Network,
        _ if id.starts_with('#') => Kind::Room,
        _ if id.contains(',') => Kind::Group,
        _ if id.contains('*') => Kind::Pattern,
        _ => Kind::Contact,
    };
    let address = Address::new(kind, id, network);
    let proper = format(&address)?;
    Ok(if proper == localpart {
        Parsed::Canonical(address)
    } else {
        Parsed::Moved(proper)
    })
}

/// Writes the unescaped localpart of an address.
pub fn format(address: &Address) -> Result<String, AddressFault> {
    let Address {
        kind,
        id,
        network,
        via,
    } = address;
    let fits = match kind {
        Kind::Gateway => id.is_empty() && network.is_empty(),
        Kind::Network => id.is_empty() && !network.is_empty(),
        Kind::Contact => !id.is_empty() && !id.starts_with('#') && !id.contains([',', '*']),
        Kind::Room => id.len() > 1 && id.starts_with('#'),
        Kind::Group => {
            let named = |member: &str| !member.is_empty() && !member.contains('*');
            !id.starts_with('#') && id.contains(',') && id.split(',').all(named)
        }
        Kind::Pattern => !id.starts_with('#') && id.contains('*') && !id.contains(','),
    };
    if !fits || via.is_some() || network.contains('%') {
        return Err(AddressFault::new((
            "this network knows #room%network, name%network and %network",
            "此网络的地址形如 #room%network、name%network 和 %network",
        )));
    }
    // A name that holds a `%` needs one behind it, or its tail would be read as the network.
    let text = if network.is_empty() && !id.contains('%') {
        id.clone()
    } else {
        format!("{id}%{network}")
    };
    if text.len() > LONGEST {
        return Err(AddressFault::new(("this name is too long", "此名称过长")));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(AddressFault::new((
            "a name cannot hold spaces",
            "名称不得含有空格",
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(kind: Kind, id: &str, network: &str) -> Result<Parsed, AddressFault> {
        Ok(Parsed::Canonical(Address::new(kind, id, network)))
    }

    #[test]
    fn the_last_percent_divides_name_and_network() {
        assert_eq!(parse("#a%b%net"), canonical(Kind::Room, "#a%b", "net"));
        assert_eq!(parse("alice"), canonical(Kind::Contact, "alice", ""));
        assert_eq!(parse("%net"), canonical(Kind::Network, "", "net"));
        assert_eq!(parse(""), canonical(Kind::Gateway, "", ""));
        assert_eq!(network("#a%b%net"), "net");
        assert_eq!(network("alice"), "");
    }

    #[test]
    fn a_needless_percent_moves_to_the_plain_name() {
        assert_eq!(parse("alice%"), Ok(Parsed::Moved("alice".into())));
    }

    #[test]
    fn a_sign_alone_names_no_room() {
        assert!(parse("#%net").is_err());
        assert!(parse("a b").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            room in any::<bool>(),
            id in "[a-z%#é-]{1,12}",
            on in "[a-z.#]{0,8}",
        ) {
            let kind = if room { Kind::Room } else { Kind::Contact };
            let address = Address::new(kind, id, on);
            if let Ok(text) = format(&address) {
                prop_assert_eq!(network(&text), address.network.as_str());
                prop_assert_eq!(parse(&text), Ok(Parsed::Canonical(address)));
            }
        }

        #[test]
        fn any_localpart_is_refused_or_settles_in_one_move(text in "\\PC{0,20}") {
            let settled = match parse(&text) {
                Ok(Parsed::Canonical(address)) => format(&address) == Ok(text),
                Ok(Parsed::Moved(proper)) => matches!(parse(&proper), Ok(Parsed::Canonical(_))),
                Err(_) => true,
            };
            prop_assert!(settled);
        }
    }
}
