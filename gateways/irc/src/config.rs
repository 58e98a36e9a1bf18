//! The typed settings of the IRC gateway: the keys of `[gateway.irc]` that the host does not use
//! itself.
//!
//! Read from a tree of values, so that this package needs no configuration library; every problem
//! is found in one pass. [`KEYS`] documents each key for the generated sample.

mod keys;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use isthmus_kit::Trust;
use isthmus_kit::settings::{Reader, Table, host_port};
use isthmus_kit::socks::Proxy;
use serde_json::Value;

pub use self::keys::KEYS;
pub use isthmus_kit::settings::{HostPort, Key, Problem, Secret};

/// Which hosts users may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Any host with a public address.
    Any,
    /// Only the networks of this configuration.
    Named,
    /// These hosts as well as the networks of this configuration.
    Listed(Vec<String>),
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Always.
    Required,
    /// Where the server can, else plain text.
    Preferred,
    /// Never.
    Off,
}

/// A network the operator named.
#[derive(Clone, Debug)]
pub struct Network {
    /// Tried in this order.
    pub hosts: Vec<HostPort>,
    /// Whether to encrypt.
    pub tls: TlsMode,
    /// What makes a certificate good.
    pub trust: Trust,
    /// For incoming bytes that are not UTF-8.
    pub encoding: &'static encoding_rs::Encoding,
    /// The server password.
    pub password: Option<Secret>,
    /// The nickname of everybody who has not chosen one.
    pub nick: Option<String>,
    /// The password of WEBIRC.
    pub webirc: Option<Secret>,
}

/// The settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which hosts users may name.
    pub hosts: Hosts,
    /// Whether to encrypt, where the network's own setting does not say.
    pub tls: TlsMode,
    /// The one network of fixed-network mode.
    pub network: Option<String>,
    /// The networks the operator named.
    pub networks: BTreeMap<String, Network>,
    /// Incoming bytes that are not UTF-8, on hosts that users name.
    pub encoding: &'static encoding_rs::Encoding,
    /// The user name (ident) of everybody who has not chosen one; `None`: from the XMPP name.
    pub username: Option<String>,
    /// The real name of everybody who has not chosen one; `None`: the nickname.
    pub realname: Option<String>,
    /// Where connections begin.
    pub bind: Option<IpAddr>,
    /// Through which connections go.
    pub proxy: Option<Proxy>,
    /// Where servers may ask who a user is (RFC 1413).
    pub identd: Option<SocketAddr>,
    /// Users may switch the verification of certificates off.
    pub unverified: bool,
    /// Lines that go out at once.
    pub throttle_burst: u32,
    /// Lines a second after that.
    pub throttle_rate: f64,
    /// Lines that wait to go out, at most.
    pub queue: u32,
    /// Seconds of silence after which the server is pinged.
    pub ping_after: u32,
    /// Seconds after the ping in which it must have answered.
    pub ping_timeout: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hosts: Hosts::Any,
            tls: TlsMode::Required,
            network: None,
            networks: BTreeMap::new(),
            encoding: encoding_rs::WINDOWS_1252,
            username: None,
            realname: None,
            bind: None,
            proxy: None,
            identd: None,
            unverified: false,
            throttle_burst: 10,
            throttle_rate: 1.0,
            queue: 200,
            ping_after: 90,
            ping_timeout: 60,
        }
    }
}

impl Config {
    /// Reads the keys below `[gateway.irc]`. All problems are told at once.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let table = reader.table(value);
        let mut config = Self::default();
        reader.unknown_keys(&table, "", |key| key == "networks" || is_key(key, false));
        config.read_policy(&table, &mut reader);
        config.read_limits(&table, &mut reader);
        if let Some(value) = table.get("networks") {
            config.read_networks(value, &mut reader);
        }
        reader.finish(config)
    }

    /// The network the operator named so, compared without regard to ASCII case.
    pub fn named(&self, name: &str) -> Option<&Network> {
        let found = self
            .networks
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, network)| network)
    }

    fn read_policy(&mut self, table: &Table, reader: &mut Reader) {
        if let Some(value) = table.get("hosts") {
            self.hosts = hosts(reader, "hosts", value).unwrap_or(Hosts::Named);
        }
        if let Some(tls) = tls(reader, "tls", table.get("tls")) {
            self.tls = tls;
        }
        let unverified = reader.flag("unverified", table.get("unverified"));
        self.unverified = unverified.unwrap_or(false);
        self.network = reader.text("network", table.get("network"));
        if let Some(network) = &self.network
            && crate::address::parse(network, None).is_err()
        {
            reader.problem("network", "expected a host name or a name from networks");
        }
        if let Some(encoding) = encoding(reader, "encoding", table.get("encoding")) {
            self.encoding = encoding;
        }
        self.username = reader.text("username", table.get("username"));
        self.realname = reader.text("realname", table.get("realname"));
        self.read_paths(table, reader);
    }

    fn read_paths(&mut self, table: &Table, reader: &mut Reader) {
        if let Some(text) = reader.text("bind", table.get("bind")) {
            self.bind = text.parse().ok();
            if self.bind.is_none() {
                reader.problem("bind", "expected an address");
            }
        }
        if let Some(text) = reader.text("proxy", table.get("proxy")) {
            self.proxy = Proxy::parse(&text);
            if self.proxy.is_none() {
                let words = "expected \"host:port\" or \"name:password@host:port\"";
                reader.problem("proxy", words);
            }
        }
        if let Some(text) = reader.text("identd", table.get("identd")) {
            self.identd = text.parse().ok();
            if self.identd.is_none() {
                reader.problem("identd", "expected an address and a port");
            }
        }
    }

    fn read_limits(&mut self, table: &Table, reader: &mut Reader) {
        let mut number = |key: &str, low: u32, high: u32, to: &mut u32| {
            *to = reader.number(key, table.get(key), low, high).unwrap_or(*to);
        };
        number("throttle_burst", 1, 1000, &mut self.throttle_burst);
        number("queue", 10, 10_000, &mut self.queue);
        number("ping_after", 10, 3600, &mut self.ping_after);
        number("ping_timeout", 5, 3600, &mut self.ping_timeout);
        if let Some(value) = table.get("throttle_rate") {
            match value.as_f64() {
                Some(rate) if (0.01..=1_000_000.0).contains(&rate) => self.throttle_rate = rate,
                _ => reader.problem("throttle_rate", "expected a number from 0.01 to 1000000"),
            }
        }
    }

    fn read_networks(&mut self, value: &Value, reader: &mut Reader) {
        let Some(table) = value.as_object() else {
            reader.problem("networks", "expected tables [gateway.irc.networks.NAME]");
            return;
        };
        for (name, value) in table {
            let path = format!("networks.{name}");
            let bad_name = name.contains('%') || crate::address::parse(name, None).is_err();
            let Some(entry) = value.as_object().filter(|_| !bad_name) else {
                reader.problem(&path, "expected a table with the name of a network");
                continue;
            };
            reader.unknown_keys(entry, &path, |key| is_key(key, true));
            let network = self.read_network(name, &path, entry, reader);
            self.networks.insert(name.clone(), network);
        }
    }

    fn read_network(&self, name: &str, path: &str, table: &Table, reader: &mut Reader) -> Network {
        let key = |key: &str| format!("{path}.{key}");
        let hosts = match table.get("hosts") {
            Some(value) => host_ports(reader, &key("hosts"), value),
            None => host_port(name).into_iter().collect(),
        };
        let mut trust = Trust::Native;
        if reader.flag(&key("verify"), table.get("verify")) == Some(false) {
            trust = Trust::Insecure;
        }
        if let Some(pin) = reader.text(&key("pin"), table.get("pin")) {
            let mut digest = [0; 32];
            if hex::decode_to_slice(pin.replace(':', ""), &mut digest).is_ok() {
                trust = Trust::Pin(digest);
            } else {
                reader.problem(
                    &key("pin"),
                    "expected a SHA-256 digest, 64 hexadecimal digits",
                );
            }
        }
        Network {
            hosts,
            tls: tls(reader, &key("tls"), table.get("tls")).unwrap_or(self.tls),
            trust,
            encoding: encoding(reader, &key("encoding"), table.get("encoding"))
                .unwrap_or(self.encoding),
            password: reader
                .text(&key("password"), table.get("password"))
                .map(Secret),
            nick: reader.text(&key("nick"), table.get("nick")),
            webirc: reader.text(&key("webirc"), table.get("webirc")).map(Secret),
        }
    }
}

/// Whether a key is documented: of a network, or of the gateway's own table.
fn is_key(key: &str, of_network: bool) -> bool {
    KEYS.iter().any(|known| match known.key.rsplit_once('.') {
        Some((_, last)) => of_network && last == key,
        None => !of_network && known.key == key,
    })
}

fn tls(reader: &mut Reader, key: &str, value: Option<&Value>) -> Option<TlsMode> {
    match value?.as_str() {
        Some("required") => Some(TlsMode::Required),
        Some("preferred") => Some(TlsMode::Preferred),
        Some("off") => Some(TlsMode::Off),
        _ => {
            reader.problem(key, "expected \"required\", \"preferred\" or \"off\"");
            None
        }
    }
}

fn encoding(
    reader: &mut Reader,
    key: &str,
    value: Option<&Value>,
) -> Option<&'static encoding_rs::Encoding> {
    let label = value?.as_str().unwrap_or("");
    let found = encoding_rs::Encoding::for_label(label.as_bytes());
    if found.is_none() {
        reader.problem(key, "expected an encoding such as \"windows-1252\"");
    }
    found
}

fn hosts(reader: &mut Reader, key: &str, value: &Value) -> Option<Hosts> {
    let names = || -> Option<Vec<String>> {
        let names = value.as_array()?.iter();
        names.map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let hosts = match value.as_str() {
        Some("any") => Some(Hosts::Any),
        Some("named") => Some(Hosts::Named),
        _ => names().map(Hosts::Listed),
    };
    if hosts.is_none() {
        reader.problem(key, "expected \"any\", \"named\" or a list of host names");
    }
    hosts
}

fn host_ports(reader: &mut Reader, key: &str, value: &Value) -> Vec<HostPort> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let hosts: Vec<HostPort> = items
        .iter()
        .filter_map(|item| host_port(item.as_str()?))
        .collect();
    if hosts.is_empty() || hosts.len() != items.len() {
        reader.problem(key, "expected a list of \"host\" or \"host:port\"");
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_set_is_a_sound_configuration() {
        let config = Config::from_value(&Value::Null).expect("defaults hold");
        assert_eq!(config.hosts, Hosts::Any);
        assert_eq!(config.tls, TlsMode::Required);
    }

    #[test]
    fn a_network_takes_what_it_does_not_say_from_above() {
        let config = Config::from_value(&json!({
            "tls": "preferred",
            "networks": {
                "libera": { "hosts": ["irc.libera.chat", "[::1]:6667"], "pin": "ab".repeat(32) },
                "irc.a.example": { "tls": "off", "password": "hunter2", "verify": false },
            }
        }))
        .expect("all of it is right");
        let libera = config.named("LIBERA").expect("named above");
        assert_eq!(libera.tls, TlsMode::Preferred);
        assert_eq!(libera.trust, Trust::Pin([0xab; 32]));
        assert_eq!(libera.hosts[1].port, Some(6667));
        let other = config.named("irc.a.example").expect("named above");
        assert_eq!(other.hosts[0].host, "irc.a.example");
        assert_eq!((other.tls, other.trust), (TlsMode::Off, Trust::Insecure));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_paths_of_connections_are_read() {
        let config = Config::from_value(&json!({
            "bind": "192.0.2.1", "proxy": "me:pw@localhost:9050", "identd": "[::]:113",
            "networks": { "libera": { "webirc": "hunter2" } }
        }))
        .expect("all of it is right");
        assert!(config.bind.is_some() && config.identd.is_some());
        assert_eq!(
            config.proxy.as_ref().and_then(|proxy| proxy.at.port),
            Some(9050)
        );
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("pw"));
        let bad = json!({ "bind": "here", "proxy": "a b", "identd": "113" });
        assert_eq!(
            Config::from_value(&bad)
                .map_err(|problems| problems.len())
                .err(),
            Some(3)
        );
    }

    #[test]
    fn all_problems_are_told_with_their_keys() {
        let problems = Config::from_value(&json!({
            "hosts": "all", "tls": "maybe", "throttle_burst": 0, "throttel_rate": 1,
            "networks": { "libera": { "hosts": ["a:b"], "pin": "ab", "colour": 1 } }
        }))
        .expect_err("much is wrong");
        let mut keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "hosts",
                "networks.libera.colour",
                "networks.libera.hosts",
                "networks.libera.pin",
                "throttel_rate",
                "throttle_burst",
                "tls",
            ]
        );
    }

    #[test]
    fn every_documented_default_is_the_real_one() {
        let config = Config::default();
        let default = |name: &str| {
            KEYS.iter()
                .find(|key| key.key == name)
                .map(|key| key.default)
        };
        assert_eq!(
            default("throttle_burst"),
            Some(config.throttle_burst.to_string().as_str())
        );
        assert_eq!(default("queue"), Some(config.queue.to_string().as_str()));
        assert_eq!(
            default("ping_after"),
            Some(config.ping_after.to_string().as_str())
        );
        assert_eq!(
            default("ping_timeout"),
            Some(config.ping_timeout.to_string().as_str())
        );
        assert_eq!(default("throttle_rate"), Some("1.0"));
    }
}
