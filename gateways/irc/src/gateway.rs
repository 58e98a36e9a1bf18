//! The gateway as the host sees it: what it is, what its addresses mean, and its sessions.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use isthmus_gateway::{
    Account, Address, AddressFault, Dialog, Fault, FaultKind, Field, Gateway, Identity, Kind,
    Later, Manifest, Parsed, Session, Step, Uplink, User,
};
use isthmus_kit::{Dial, Path};

use crate::address;
use crate::command;
use crate::config::{Config, Secret};
use crate::identd::Book;
use crate::profile::Profile;
use crate::setting;
use crate::translate::caps;
use crate::transport::{Common, Connector, IrcSession};

/// IRC behind one domain.
pub struct Irc {
    config: Arc<Config>,
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
            dial,
            common: Arc::new(common),
            up: OnceLock::new(),
            manifest: Manifest {
                name: "irc".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                identities: vec![identity, gateway],
                caps: caps(),
                register: Vec::new(),
                prompt: (
                    "channel or nickname with its network, such as #rust%irc.libera.chat",
                    "频道或昵称及其网络，例如 #rust%irc.libera.chat",
                )
                    .into(),
                idempotent: false,
                settings: setting::tables(&config),
                commands: command::offered(config.network.is_some()),
            },
            config: Arc::new(config),
            random: RandomState::new(),
        }
    }

    fn fixed(&self) -> Option<&str> {
        self.config.network.as_deref()
    }
}

impl Irc {
    /// What is said to a network that believes us who our users are. A user's address is not
    /// known here: he is given one of his own, that never changes (RFC 4193).
    fn webirc(&self, user: &User, network: &str) -> Option<Secret> {
        let password = self.config.named(network)?.webirc.as_ref()?;
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

    fn settings(&self, at: &Address) -> Vec<Field> {
        match at.kind {
            Kind::Network => setting::network(&self.config, &at.network),
            kind => self.manifest.settings.of(kind).to_vec(),
        }
    }

    fn spell(&self, field: &str, value: &str) -> Option<String> {
        setting::spell(field, value)
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
        _account: Option<&Account>,
        network: &str,
        settings: &isthmus_gateway::Settings,
        kept: Option<&[u8]>,
    ) -> Box<dyn Session> {
        let name = match self.fixed() {
            Some(fixed) => fixed,
            None => network,
        };
        let profile = Profile {
            config: Arc::clone(&self.config),
            user: user.clone(),
            network: name.to_owned(),
            webirc: self.webirc(user, name),
        };
        let ours = profile.settings(settings);
        let connector = Connector {
            dial: Arc::clone(&self.dial),
            common: Arc::clone(&self.common),
            user: user.id,
            network: name.to_owned(),
            ident: ours.username.clone(),
        };
        let seed = self.random.hash_one((user.id, name));
        let session = IrcSession::new(ours, profile.route(settings), connector, seed);
        Box::new(session.following(profile).remembering(kept))
    }

    fn dialog(&self, user: &User, step: Dialog) -> Later<Result<Step, Fault>> {
        if step.name == command::CERTIFICATE {
            let (common, user) = (Arc::clone(&self.common), user.id);
            let at = step.at.as_ref().map(|at| at.network.as_str());
            let network = self.fixed().or(at).unwrap_or_default().to_owned();
            return Box::pin(async move {
                Ok(command::certificate(&common.vault, user, &network, &step).await)
            });
        }
        let step = command::step(user.id, self.fixed(), &self.common.ledger, &step);
        Box::pin(std::future::ready(step))
    }

    fn forget(&self, _user: &User) -> Later<Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn drain(&self, _until: Instant) {}
}

/// The usual port with TLS (RFC 7194).
pub(crate) const TLS_PORT: u16 = 6697;
/// The usual port without.
pub(crate) const PLAIN_PORT: u16 = 6667;

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv6Addr;

    use isthmus_gateway::UserId;
    use isthmus_kit::dial::DialFn;
    use isthmus_kit::{BoxedStream, Reach};
    use serde_json::json;

    use super::*;
    use crate::testing::Shelf;

    /// Behind which address a network is told that this user is.
    fn address(irc: &Irc, user: i64, network: &str) -> Option<Ipv6Addr> {
        let user = User {
            id: UserId(user),
            local: "juliet".to_owned(),
            domain: "example.org".to_owned(),
            lang: String::new(),
            region: String::new(),
        };
        let line = irc.webirc(&user, network)?.0;
        let words: Vec<&str> = line.split(' ').collect();
        let ["WEBIRC", "swan", "isthmus", host, ip] = words[..] else {
            panic!("{line}");
        };
        assert_eq!(host, ip);
        Some(ip.parse().expect("an address"))
    }

    #[test]
    fn each_user_has_an_address_of_his_own_that_stays() {
        let start = || {
            let networks = json!({
                "one": { "hosts": ["one.example"], "webirc": "swan" },
                "two": { "hosts": ["two.example"], "webirc": "swan" },
                "none": { "hosts": ["none.example"] },
            });
            let config = Config::from_value(&json!({ "networks": networks })).expect("sound");
            let refuse = |_: &str, _: u16, _: Reach| -> io::Result<BoxedStream> {
                Err(io::ErrorKind::ConnectionRefused.into())
            };
            let irc = Irc::new(config, Arc::new(DialFn(refuse)));
            let _ = irc.up.set(Arc::new(Shelf::default()));
            irc
        };
        let irc = start();
        let juliet = address(&irc, 1, "one");
        assert!(
            juliet.is_some_and(|it| it.octets()[0] == 0xfd),
            "{juliet:?}"
        );
        assert_eq!(juliet, address(&irc, 1, "two"));
        assert_eq!(juliet, address(&start(), 1, "one"), "after a restart too");
        let others: std::collections::BTreeSet<_> =
            (1..=1000).map(|user| address(&irc, user, "one")).collect();
        assert_eq!(others.len(), 1000);
        assert_eq!(address(&irc, 1, "none"), None);
    }
}
