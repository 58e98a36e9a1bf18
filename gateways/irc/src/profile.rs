//! What holds for one user on one network: the operator's configuration, and within its bounds
//! what the user has set.
//!
//! The bounds are those of the tables (`setting`), kept here again: a value may have been set
//! before the operator changed his mind.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use isthmus_gateway::{Fault, FaultKind, User, words};
use isthmus_kit::settings::{HostPort, host_port};
use isthmus_kit::{Reach, Trust};

use crate::config::{Config, Hosts, Network, Secret, TlsMode};
use crate::gateway::{PLAIN_PORT, TLS_PORT};
use crate::setting;
use crate::translate::{Encodings, Login, Notices, Own, Settings};
use crate::transport::{Candidate, Route};

type Set = isthmus_gateway::Settings;

/// Lines that are sent after connecting, at most.
const MOST_COMMANDS: usize = 100;

/// One user on one network.
pub(crate) struct Profile {
    pub(crate) config: Arc<Config>,
    pub(crate) user: User,
    pub(crate) network: String,
    /// What is said to a network that believes us who our users are.
    pub(crate) webirc: Option<Secret>,
}

impl Profile {
    fn named(&self) -> Option<&Network> {
        self.config.named(&self.network)
    }

    fn is_fixed(&self) -> bool {
        self.config.network.as_deref() == Some(&self.network)
    }

    /// What is set of this network and no other: any server a user names could ask for what he set
    /// for all. With one network for all, its settings are the gateway's.
    fn own<'a>(&self, set: &'a Set, key: &str) -> Option<&'a str> {
        let values = match self.is_fixed() {
            true => &set.gateway,
            false => &set.network,
        };
        let value = values.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// What the conversation is to know.
    pub(crate) fn settings(&self, set: &Set) -> Settings {
        let (config, network) = (&self.config, self.named());
        let own = |key: &str| self.own(set, key).map(str::to_owned);
        let set_nick = own("nick");
        let nick = set_nick.clone();
        let nick = nick.or_else(|| network.and_then(|network| network.nick.clone()));
        let nick = nick.unwrap_or_else(|| self.user.local.clone());
        let username = own("username").or_else(|| config.username.clone());
        let password = own("pass").map(Secret);
        let login = own("sasl_password").map(|password| Login {
            user: own("sasl_user").unwrap_or_default(),
            password: Some(Secret(password)),
        });
        let burst = own("throttle_limit").and_then(|limit| limit.parse().ok());
        let most = config.throttle_burst;
        Settings {
            network: self.network.clone(),
            username: ident(username.as_deref().unwrap_or(&self.user.local)),
            nick,
            set_nick,
            realname: own("realname").or_else(|| config.realname.clone()),
            password: password.or_else(|| network.and_then(|network| network.password.clone())),
            webirc: self.webirc.clone(),
            login,
            after_connect: commands(self.own(set, "after_connect_commands").unwrap_or_default()),
            bot: self.own(set, "bot") == Some("true"),
            notices: match self.own(set, "server_notices") {
                Some("important") => Notices::Important,
                Some("none") => Notices::Nothing,
                _ => Notices::All,
            },
            encodings: self.encodings(set),
            throttle_burst: burst.map_or(most, |burst: u32| burst.clamp(1, most)),
            throttle_rate: config.throttle_rate,
            queue: usize::try_from(config.queue).unwrap_or(usize::MAX),
            ping_after: Duration::from_secs(config.ping_after.into()),
            ping_timeout: Duration::from_secs(config.ping_timeout.into()),
            epoch: (Instant::now(), SystemTime::now()),
        }
    }

    fn encodings(&self, set: &Set) -> Encodings {
        let of = |label: &str| encoding_rs::Encoding::for_label(label.as_bytes());
        let network = |key: &str| self.own(set, key).and_then(of);
        let named = self.named().map(|network| network.encoding);
        let rooms = set.rooms.iter().map(|(room, values)| {
            let own = |key: &str| values.get(key).and_then(|label| of(label));
            let (reads, writes) = (own("encoding_in"), own("encoding_out"));
            (room.clone(), Own { reads, writes })
        });
        Encodings {
            reads: network("encoding_in").unwrap_or(named.unwrap_or(self.config.encoding)),
            writes: network("encoding_out").unwrap_or(encoding_rs::UTF_8),
            rooms: rooms.filter(|(_, own)| *own != Own::default()).collect(),
        }
    }

    /// Where the network's servers are.
    ///
    /// # Errors
    /// Why the user may not go there.
    pub(crate) fn route(&self, set: &Set) -> Result<Route, Fault> {
        let named = self.named();
        let hosts = self.hosts(set, named)?;
        let mode = named.map_or(self.config.tls, |network| network.tls);
        let wish = match self.own(set, "tls") {
            Some("required") => TlsMode::Required,
            Some("preferred") => TlsMode::Preferred,
            Some("off") => TlsMode::Off,
            _ => mode,
        };
        let mode = if setting::may(mode, wish) { wish } else { mode };
        let ports = |key: &str, tls: bool| {
            let ports = numbers(self.own(set, key).unwrap_or_default());
            let known = named.map(|network| setting::known_ports(network, tls));
            let open = |port: &u16| known.as_ref().is_none_or(|known| known.contains(port));
            ports.into_iter().filter(open).collect::<Vec<u16>>()
        };
        // What the operator wrote down may be private; what a user types may not.
        let reach = match &self.config.hosts {
            _ if named.is_some() || self.is_fixed() => Reach::Any,
            Hosts::Listed(_) => Reach::Any,
            _ => Reach::Public,
        };
        Ok(Route {
            candidates: candidates(
                &hosts,
                mode,
                &ports("tls_ports", true),
                &ports("ports", false),
            ),
            reach,
            trust: self.trust(set, named),
        })
    }

    fn hosts(&self, set: &Set, named: Option<&Network>) -> Result<Vec<HostPort>, Fault> {
        let address = self.own(set, "address");
        if let Some(network) = named {
            let is_it = |host: &&HostPort| Some(host.host.as_str()) == address;
            let one: Vec<HostPort> = network.hosts.iter().filter(is_it).cloned().collect();
            return Ok(match one.is_empty() {
                true => network.hosts.clone(),
                false => one,
            });
        }
        let name = match &self.config.hosts {
            // With one network for all, its server is the operator's.
            Hosts::Any if self.is_fixed() => &self.network,
            Hosts::Named => &self.network,
            Hosts::Any | Hosts::Listed(_) => address.unwrap_or(&self.network),
        };
        let allowed = match &self.config.hosts {
            Hosts::Any => true,
            Hosts::Named => self.is_fixed(),
            Hosts::Listed(hosts) => hosts.iter().any(|host| host.eq_ignore_ascii_case(name)),
        };
        if !allowed {
            let words = words!(
                "this gateway does not serve {name}",
                "此网关不服务于 {name}"
            );
            return Err(Fault::new(FaultKind::NotAllowed, words));
        }
        match host_port(name) {
            Some(host) => Ok(vec![host]),
            None => {
                let words = words!(
                    "{name} is not the name of a server",
                    "{name} 不是服务器名称"
                );
                Err(Fault::new(FaultKind::NoSuchNetwork, words))
            }
        }
    }

    fn trust(&self, set: &Set, named: Option<&Network>) -> Trust {
        let trust = named.map_or(Trust::Native, |network| network.trust);
        let mut digest = [0; 32];
        let pin = self.own(set, "fingerprint").unwrap_or_default();
        if hex::decode_to_slice(pin.replace(':', ""), &mut digest).is_ok() {
            return Trust::Pin(digest);
        }
        match self.own(set, "verify_cert") {
            Some("false") if self.config.unverified => Trust::Insecure,
            Some("true") if trust == Trust::Insecure => Trust::Native,
            _ => trust,
        }
    }
}

fn numbers(text: &str) -> Vec<u16> {
    let parts = text.split(|c: char| matches!(c, ';' | ',') || c.is_whitespace());
    let ports = parts.filter_map(|part| part.parse().ok());
    ports.filter(|&port| port > 0).collect()
}

/// What to try, in order: every host with TLS before any without.
fn candidates(hosts: &[HostPort], mode: TlsMode, tls: &[u16], plain: &[u16]) -> Vec<Candidate> {
    let with = |tls_on: bool| {
        let (usual, set) = if tls_on {
            (TLS_PORT, tls)
        } else {
            (PLAIN_PORT, plain)
        };
        hosts.iter().flat_map(move |host| {
            let own = [host.port.unwrap_or(usual)];
            let ports = if set.is_empty() { &own[..] } else { set };
            let one = |&port: &u16| Candidate {
                host: host.host.clone(),
                port,
                tls: tls_on,
            };
            ports.iter().map(one).collect::<Vec<_>>()
        })
    };
    match mode {
        TlsMode::Required => with(true).collect(),
        TlsMode::Preferred => with(true).chain(with(false)).collect(),
        TlsMode::Off => with(false).collect(),
    }
}

/// The lines of a setting, as far as they can be sent.
fn commands(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().trim_start_matches('/'));
    let good = |line: &&str| !line.is_empty() && line.len() <= 510 && !line.contains('\0');
    lines
        .filter(good)
        .take(MOST_COMMANDS)
        .map(str::to_owned)
        .collect()
}

/// A user name no server refuses.
fn ident(wish: &str) -> String {
    let good = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let tidy: String = wish.chars().filter(good).take(10).collect();
    if tidy.is_empty() {
        "xmpp".to_owned()
    } else {
        tidy
    }
}

#[cfg(test)]
mod tests;
