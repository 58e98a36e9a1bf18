//! The gateway as the host sees it: what it is, what its addresses mean, and its sessions.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use isthmus_gateway::{
    Account, Address, AddressFault, Dialog, Fault, FaultKind, Gateway, Identity, Later, Manifest,
    Parsed, Session, Step, Uplink, User,
};
use isthmus_kit::settings::host_port;
use isthmus_kit::{Dial, Path, Reach, Trust};

use crate::address;
use crate::config::{Config, HostPort, Hosts, Network, Secret, TlsMode};
use crate::identd::Book;
use crate::translate::{Login, Settings, caps};
use crate::transport::{Candidate, Common, Connector, IrcSession, Route};

/// IRC behind one domain.
pub struct Irc {
    config: Config,
    dial: Arc<dyn Dial>,
    common: Arc<Common>,
    manifest: Manifest,
    up: OnceLock<Arc<dyn Uplink>>,
    /// Makes the jitter of two sessions differ.
    random: RandomState,
}

impl Irc {
    /// The gateway with these settings, connecting through `dial`.
    pub fn new(config: Config, dial: Arc<dyn Dial>) -> Self {
        let identity = Identity {
            category: "conference".to_owned(),
            kind: "irc".to_owned(),
            name: "IRC".to_owned(),
        };
        let gateway = Identity {
            category: "gateway".to_owned(),
            ..identity.clone()
        };
        let path = Path {
            bind: config.bind,
            proxy: config.proxy.clone(),
            opened: None,
        };
        let book = config.identd.is_some().then(Book::default);
        let common = Common {
            path,
            book,
            ..Common::default()
        };
        Self {
            config,
            dial,
            common: Arc::new(common),
            up: OnceLock::new(),
            manifest: Manifest {
                name: "irc".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                identities: vec![identity, gateway],
                caps: caps(),
                register: Vec::new(),
                prompt: "channel or nickname with its network, such as #rust%irc.libera.chat"
                    .to_owned(),
                idempotent: false,
                ..Manifest::default()
            },
            random: RandomState::new(),
        }
    }

    fn fixed(&self) -> Option<&str> {
        self.config.network.as_deref()
    }

    /// Where a network's servers are, or why users may not go there.
    fn route(&self, name: &str) -> Result<Route, Fault> {
        if let Some(network) = self.config.named(name) {
            return Ok(self.named_route(network));
        }
        let allowed = match &self.config.hosts {
            Hosts::Any => true,
            Hosts::Named => self.fixed() == Some(name),
            Hosts::Listed(hosts) => hosts.iter().any(|host| host.eq_ignore_ascii_case(name)),
        };
        if !allowed {
            let words = format!("this gateway does not serve {name}");
            return Err(Fault::new(FaultKind::NotAllowed, words));
        }
        let Some(host) = host_port(name) else {
            let words = format!("{name} is not the name of a server");
            return Err(Fault::new(FaultKind::NoSuchNetwork, words));
        };
        // What the operator wrote down may be private; what a user types may not.
        let reach = match &self.config.hosts {
            Hosts::Listed(_) => Reach::Any,
            _ if self.fixed() == Some(name) => Reach::Any,
            _ => Reach::Public,
        };
        Ok(Route {
            candidates: candidates(&[host], self.config.tls),
            reach,
            trust: Trust::Native,
            encoding: self.config.encoding,
        })
    }

    fn named_route(&self, network: &Network) -> Route {
        Route {
            candidates: candidates(&network.hosts, network.tls),
            reach: Reach::Any,
            trust: network.trust,
            encoding: network.encoding,
        }
    }

    fn settings(&self, user: &User, account: Option<&Account>, name: &str) -> Settings {
        let network = self.config.named(name);
        let field = |key: &str| {
            let value = account.and_then(|account| account.fields.get(key));
            value.filter(|value| !value.is_empty()).cloned()
        };
        let nick = field("nick").or_else(|| network.and_then(|network| network.nick.clone()));
        let nick = nick.unwrap_or_else(|| user.local.clone());
        let own = |key: &str| self.own_field(account, name, key);
        let username = field("username").or_else(|| self.config.username.clone());
        let password = own("pass").map(Secret);
        let login = own("sasl_password").map(|password| Login {
            user: own("sasl_user").unwrap_or_else(|| nick.clone()),
            password: Some(Secret(password)),
        });
        let after_connect = own("after_connect_commands").unwrap_or_default();
        Settings {
            network: name.to_owned(),
            username: ident(username.as_deref().unwrap_or(&user.local)),
            nick,
            realname: field("realname").or_else(|| self.config.realname.clone()),
            password: password.or_else(|| network.and_then(|network| network.password.clone())),
            webirc: self.webirc(user, network),
            login,
            after_connect: commands(&after_connect),
            bot: false,
            throttle_burst: self.config.throttle_burst,
            throttle_rate: self.config.throttle_rate,
            queue: usize::try_from(self.config.queue).unwrap_or(usize::MAX),
            ping_after: Duration::from_secs(self.config.ping_after.into()),
            ping_timeout: Duration::from_secs(self.config.ping_timeout.into()),
            epoch: (Instant::now(), SystemTime::now()),
        }
    }
}

impl Irc {
    /// What is said to a network that believes us who our users are. A user's address is not
    /// known here: he is given one of his own, that never changes (RFC 4193).
    fn webirc(&self, user: &User, network: Option<&Network>) -> Option<Secret> {
        let password = network?.webirc.as_ref()?;
        let key = self.up.get()?.secret("irc webirc");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        let digest = ring::hmac::sign(&key, &user.id.0.to_be_bytes());
        let mut octets = [0; 16];
        octets.copy_from_slice(&digest.as_ref()[..16]);
        octets[0] = 0xfd;
        let ip = std::net::Ipv6Addr::from(octets);
        let password = &password.0;
        Some(Secret(format!("WEBIRC {password} isthmus {ip} {ip}")))
    }

    /// What a user has set for one network: `key@network`. What is secret is never taken from
    /// another network's settings, or any server a user names could ask for it.
    fn own_field(&self, account: Option<&Account>, network: &str, key: &str) -> Option<String> {
        let fields = &account?.fields;
        let own = fields.iter().find(|(name, _)| {
            let parts = name.split_once('@');
            parts.is_some_and(|(name, of)| name == key && of.eq_ignore_ascii_case(network))
        });
        let own = own.map(|(_, value)| value);
        // With one network for all, there is no other to take it from.
        let only = fields.get(key).filter(|_| self.fixed() == Some(network));
        own.or(only).filter(|value| !value.is_empty()).cloned()
    }
}

impl Gateway for Irc {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn network<'a>(&self, localpart: &'a str) -> &'a str {
        address::network(localpart, self.fixed().is_some())
    }

    fn home(&self) -> Option<&str> {
        self.fixed().map(|_| "")
    }

    fn parse(&self, localpart: &str, _region: &str) -> Result<Parsed, AddressFault> {
        address::parse(localpart, self.fixed())
    }

    fn format(&self, address: &Address) -> Result<String, AddressFault> {
        address::format(address, self.fixed())
    }

    fn start(self: Arc<Self>, up: Arc<dyn Uplink>) -> Later<Result<(), Fault>> {
        let _ = self.up.set(Arc::clone(&up));
        self.common.vault.attach(Arc::clone(&up));
        Box::pin(async move {
            self.common.policies.attach(up).await;
            let (Some(at), Some(book)) = (self.config.identd, self.common.book.clone()) else {
                return Ok(());
            };
            let listener = tokio::net::TcpListener::bind(at).await.map_err(|fault| {
                Fault::new(
                    FaultKind::Internal,
                    format!("identd cannot listen on {at}: {fault}"),
                )
            })?;
            tracing::info!(%at, "identd listens");
            book.serve(listener).await;
            Ok(())
        })
    }

    fn open(
        &self,
        user: &User,
        account: Option<&Account>,
        network: &str,
        _settings: &isthmus_gateway::Settings,
        _kept: Option<&[u8]>,
    ) -> Box<dyn Session> {
        let name = match self.fixed() {
            Some(fixed) => fixed,
            None => network,
        };
        let settings = self.settings(user, account, name);
        let connector = Connector {
            dial: Arc::clone(&self.dial),
            common: Arc::clone(&self.common),
            user: user.id,
            network: name.to_owned(),
            ident: settings.username.clone(),
        };
        Box::new(IrcSession::new(
            settings,
            self.route(name),
            connector,
            self.random.hash_one((user.id, name)),
        ))
    }

    fn dialog(&self, _user: &User, _step: Dialog) -> Later<Result<Step, Fault>> {
        let fault = Fault::new(FaultKind::Unsupported, "the IRC gateway asks nothing");
        Box::pin(std::future::ready(Err(fault)))
    }

    fn forget(&self, _user: &User) -> Later<Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn drain(&self, _until: Instant) {}
}

/// The usual port with TLS (RFC 7194).
const TLS_PORT: u16 = 6697;
/// The usual port without.
const PLAIN_PORT: u16 = 6667;

/// What to try, in order: every host with TLS before any without.
fn candidates(hosts: &[HostPort], mode: TlsMode) -> Vec<Candidate> {
    let with = |tls: bool| {
        let usual = if tls { TLS_PORT } else { PLAIN_PORT };
        hosts.iter().map(move |host| Candidate {
            host: host.host.clone(),
            port: host.port.unwrap_or(usual),
            tls,
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

/// Lines that are sent after connecting, at most.
const MOST_COMMANDS: usize = 20;

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
mod tests {
    use super::*;
    use isthmus_kit::{BoxedStream, dial::DialFn};
    use serde_json::{Value, json};

    fn gateway(config: Value) -> Irc {
        let dial = DialFn(
            |_: &str, _: u16, _: Reach| -> std::io::Result<BoxedStream> {
                Err(std::io::ErrorKind::ConnectionRefused.into())
            },
        );
        let config = Config::from_value(&config).expect("a good configuration");
        Irc::new(config, Arc::new(dial))
    }

    fn tried(route: &Route) -> Vec<(&str, u16, bool)> {
        let candidates = route.candidates.iter();
        candidates
            .map(|candidate| (candidate.host.as_str(), candidate.port, candidate.tls))
            .collect()
    }

    #[test]
    fn a_host_that_a_user_names_is_public_and_verified() {
        let irc = gateway(json!({ "networks": { "libera": { "verify": false } } }));
        let route = irc.route("127.0.0.1").expect("any host is served");
        assert_eq!((route.reach, route.trust), (Reach::Public, Trust::Native));
        assert_eq!(tried(&route), [("127.0.0.1", 6697, true)]);
        let named = irc.route("Libera").expect("named above");
        assert_eq!((named.reach, named.trust), (Reach::Any, Trust::Insecure));
    }

    #[test]
    fn only_what_the_operator_allows_is_served() {
        let named = gateway(json!({ "hosts": "named", "networks": { "libera": {} } }));
        assert!(named.route("libera").is_ok());
        let fault = named.route("irc.oftc.net").expect_err("not named");
        assert_eq!(fault.kind, FaultKind::NotAllowed);
        let listed = gateway(json!({ "hosts": ["irc.oftc.net"] }));
        assert!(listed.route("IRC.oftc.net").is_ok());
        assert!(listed.route("irc.libera.chat").is_err());
        let fixed = gateway(json!({ "hosts": "named", "network": "irc.a.example" }));
        assert!(fixed.route("irc.a.example").is_ok());
    }

    #[test]
    fn every_host_is_tried_with_tls_before_any_without() {
        let irc = gateway(json!({ "networks": {
            "a": { "hosts": ["one.example", "two.example:7000"], "tls": "preferred" },
            "b": { "hosts": ["one.example"], "tls": "off" },
        } }));
        assert_eq!(
            tried(&irc.route("a").expect("named above")),
            [
                ("one.example", 6697, true),
                ("two.example", 7000, true),
                ("one.example", 6667, false),
                ("two.example", 7000, false),
            ]
        );
        let plain = irc.route("b").expect("named above");
        assert_eq!(tried(&plain), [("one.example", 6667, false)]);
    }

    #[test]
    fn what_is_secret_goes_to_its_own_network_only() {
        let user = User {
            id: isthmus_gateway::UserId(1),
            local: "crab".to_owned(),
            domain: "example.org".to_owned(),
            lang: String::new(),
            region: String::new(),
        };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [
            field("sasl_password@Libera", "hunter2"),
            field("sasl_user@libera", "ferris"),
            field("pass", "everywhere"),
            field("after_connect_commands@oftc", "/MSG NickServ x\n\n mode y "),
        ];
        let account = Account {
            fields: fields.into_iter().collect(),
        };
        let irc = gateway(json!({ "networks": { "libera": {} } }));
        let settings = |name: &str| irc.settings(&user, Some(&account), name);
        let login = settings("libera").login.expect("set for it");
        assert_eq!(
            (login.user.as_str(), login.password),
            ("ferris", Some(Secret("hunter2".to_owned())))
        );
        let evil = settings("irc.evil.example");
        assert_eq!((evil.login, evil.password), (None, None));
        assert_eq!(settings("oftc").after_connect, ["MSG NickServ x", "mode y"]);
        let fixed = gateway(json!({ "network": "libera" }));
        let own = fixed.settings(&user, Some(&account), "libera");
        assert_eq!(own.password, Some(Secret("everywhere".to_owned())));
    }

    #[test]
    fn a_user_name_is_one_that_servers_take() {
        assert_eq!(ident("j\u{fc}rgen mustermann"), "jrgenmuste");
        assert_eq!(ident("\u{1f980}"), "xmpp");
    }
}
