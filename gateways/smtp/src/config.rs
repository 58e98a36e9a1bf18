//! The typed settings of the email gateway: the keys of `[gateway.smtp]` that the host does not
//! use itself.
//!
//! Read from a tree of values, so that this package needs no configuration library; every problem
//! is found in one pass. [`KEYS`] documents each key for the generated sample.

mod keys;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use isthmus_kit::settings::{HostPort, Reader, Table, host_port};
use serde_json::Value;

pub use self::keys::KEYS;
pub use isthmus_kit::settings::{Key, Problem, Secret};

/// Whether the connection to the smarthost is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// From the first byte (RFC 8314 §3.3).
    Implicit,
    /// Always, by STARTTLS (RFC 3207).
    Required,
    /// Where the smarthost offers it, else plain text.
    Preferred,
    /// Never.
    Off,
}

/// The server that takes outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smarthost {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether to encrypt.
    pub tls: TlsMode,
    /// Whether its certificate must be good.
    pub verify: bool,
    /// A file of further authorities that make it good (PEM).
    pub authority: Option<PathBuf>,
    /// Name and password, where it asks for them.
    pub login: Option<(String, Secret)>,
}

/// The certificate shown to those who send us mail (PEM files).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The chain.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where SMTP is listened for.
    pub listen: Vec<SocketAddr>,
    /// Where LMTP (RFC 2033) is listened for.
    pub lmtp: Vec<SocketAddr>,
    /// For STARTTLS at the listeners.
    pub certificate: Option<Certificate>,
    /// Who gets mail for postmaster and abuse: name and server.
    pub postmaster: Option<(String, String)>,
    /// Where outgoing mail goes; `None`: nothing can be sent.
    pub smarthost: Option<Smarthost>,
    /// Largest mail taken, in bytes.
    pub max_size: usize,
    /// Recipients of one incoming mail, at most.
    pub max_recipients: usize,
    /// Connections to the listeners, at most.
    pub max_connections: usize,
    /// Longest text of one mail that is passed on, in bytes.
    pub max_text: usize,
    /// How long a peer may be silent.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            lmtp: Vec::new(),
            certificate: None,
            postmaster: None,
            smarthost: None,
            max_size: 20_971_520,
            max_recipients: 50,
            max_connections: 50,
            max_text: 32_768,
            timeout: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// Reads the keys below `[gateway.smtp]`. All problems are told at once.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let table = reader.table(value);
        let known = |key: &str| KEYS.iter().any(|known| known.key == key);
        reader.unknown_keys(&table, "", known);
        let mut config = Self::default();
        config.read_listeners(&table, &mut reader);
        config.smarthost = read_smarthost(&table, &mut reader);
        config.read_limits(&table, &mut reader);
        reader.finish(config)
    }

    fn read_listeners(&mut self, table: &Table, reader: &mut Reader) {
        self.listen = sockets(reader, "listen", table.get("listen"));
        self.lmtp = sockets(reader, "lmtp", table.get("lmtp"));
        let chain = reader.text("certificate", table.get("certificate"));
        let key = reader.text("key", table.get("key"));
        match (chain, key) {
            (Some(chain), Some(key)) => {
                self.certificate = Some(Certificate {
                    chain: chain.into(),
                    key: key.into(),
                });
            }
            (None, None) => {}
            (Some(_), None) => reader.problem("key", "expected the certificate's private key"),
            (None, Some(_)) => reader.problem("certificate", "expected the key's certificate"),
        }
        if let Some(jid) = reader.text("postmaster", table.get("postmaster")) {
            match jid.split_once('@') {
                Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                    self.postmaster = Some((local.to_owned(), domain.to_owned()));
                }
                _ => reader.problem("postmaster", "expected a JID such as \"admin@example.org\""),
            }
        }
    }

    fn read_limits(&mut self, table: &Table, reader: &mut Reader) {
        let mut number = |key: &str, low, high| reader.number(key, table.get(key), low, high);
        let mut size = |key: &str, low, high, to: &mut usize| {
            if let Some(n) = number(key, low, high).and_then(|n| usize::try_from(n).ok()) {
                *to = n;
            }
        };
        size("max_size", 65_536, 1_073_741_824, &mut self.max_size);
        size("max_recipients", 1, 1000, &mut self.max_recipients);
        size("max_connections", 1, 100_000, &mut self.max_connections);
        size("max_text", 1024, 1_048_576, &mut self.max_text);
        if let Some(n) = number("timeout", 5, 3600) {
            self.timeout = Duration::from_secs(n.into());
        }
    }
}

fn read_smarthost(table: &Table, reader: &mut Reader) -> Option<Smarthost> {
    let named = reader.text("smarthost", table.get("smarthost"));
    let place = named.as_deref().map(host_port);
    let tls = tls_mode(reader, "tls", table.get("tls"));
    let verify = reader.flag("verify", table.get("verify")).unwrap_or(true);
    let authority = reader.text("authority", table.get("authority"));
    let user = reader.text("user", table.get("user"));
    let password = reader.text("password", table.get("password"));
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, Secret(password))),
        (None, None) => None,
        (Some(_), None) => {
            reader.problem("password", "expected the user's password");
            None
        }
        (None, Some(_)) => {
            reader.problem("user", "expected the name that belongs to the password");
            None
        }
    };
    let HostPort { host, port } = match place? {
        Some(place) => place,
        None => {
            reader.problem("smarthost", "expected \"host\" or \"host:port\"");
            return None;
        }
    };
    let port = port.unwrap_or(if tls == Some(TlsMode::Implicit) {
        465
    } else {
        587
    });
    // RFC 8314 §7.3: on that port nothing is ever said in plain text.
    let usual = if port == 465 {
        TlsMode::Implicit
    } else {
        TlsMode::Required
    };
    let tls = tls.unwrap_or(usual);
    if tls == TlsMode::Off && login.is_some() {
        reader.problem("tls", "expected encryption where a password is sent");
    }
    Some(Smarthost {
        host,
        port,
        tls,
        verify,
        authority: authority.map(PathBuf::from),
        login,
    })
}

fn tls_mode(reader: &mut Reader, key: &str, value: Option<&Value>) -> Option<TlsMode> {
    match value?.as_str() {
        Some("implicit") => Some(TlsMode::Implicit),
        Some("required") => Some(TlsMode::Required),
        Some("preferred") => Some(TlsMode::Preferred),
        Some("off") => Some(TlsMode::Off),
        _ => {
            let words = "expected \"implicit\", \"required\", \"preferred\" or \"off\"";
            reader.problem(key, words);
            None
        }
    }
}

fn sockets(reader: &mut Reader, key: &str, value: Option<&Value>) -> Vec<SocketAddr> {
    let Some(value) = value else {
        return Vec::new();
    };
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let read: Vec<SocketAddr> = items
        .iter()
        .filter_map(|item| item.as_str()?.parse().ok())
        .collect();
    if read.len() != items.len() || !value.is_array() {
        reader.problem(
            key,
            "expected a list of addresses such as \"127.0.0.1:2525\"",
        );
    }
    read
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_smarthost_is_read_with_its_usual_port_and_encryption() {
        for (settings, port, tls) in [
            (
                json!({"smarthost": "mx.example.org"}),
                587,
                TlsMode::Required,
            ),
            (
                json!({"smarthost": "mx.example.org:465"}),
                465,
                TlsMode::Implicit,
            ),
            (
                json!({"smarthost": "mx.example.org", "tls": "implicit"}),
                465,
                TlsMode::Implicit,
            ),
            (
                json!({"smarthost": "[::1]:25", "tls": "off"}),
                25,
                TlsMode::Off,
            ),
        ] {
            let config = Config::from_value(&settings).expect("good settings");
            let smarthost = config.smarthost.expect("one is named");
            assert_eq!((smarthost.port, smarthost.tls), (port, tls), "{settings}");
        }
        assert!(
            Config::from_value(&Value::Null)
                .expect("all defaults")
                .smarthost
                .is_none()
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let settings = json!({
            "listen": "127.0.0.1:25", "lmtp": ["localhost"], "certificate": "a.pem",
            "postmaster": "nobody", "smarthost": "a b", "tls": "maybe", "verify": 1,
            "user": "me", "max_size": 1, "timeout": "long", "colour": "red",
        });
        let problems = Config::from_value(&settings).expect_err("all wrong");
        let mut keys: Vec<&str> = problems.iter().map(|it| it.key.as_str()).collect();
        keys.sort_unstable();
        let expected = [
            "colour",
            "key",
            "listen",
            "lmtp",
            "max_size",
            "password",
            "postmaster",
            "smarthost",
            "timeout",
            "tls",
            "verify",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_password_is_neither_sent_in_the_clear_nor_shown() {
        let mut settings =
            json!({"smarthost": "mx.example.org", "user": "me", "password": "hunter2"});
        let config = Config::from_value(&settings).expect("good settings");
        assert!(!format!("{config:?}").contains("hunter2"));
        settings["tls"] = json!("off");
        assert!(Config::from_value(&settings).is_err());
    }

    #[test]
    fn every_documented_default_is_the_one_that_holds() {
        let defaults = Config::default();
        let default = |key: &str| KEYS.iter().find(|it| it.key == key).map(|it| it.default);
        assert_eq!(
            default("max_size"),
            Some(defaults.max_size.to_string().as_str())
        );
        assert_eq!(
            default("max_text"),
            Some(defaults.max_text.to_string().as_str())
        );
        assert_eq!(default("max_recipients"), Some("50"));
        assert_eq!(default("max_connections"), Some("50"));
        assert_eq!(
            default("timeout"),
            Some(defaults.timeout.as_secs().to_string().as_str())
        );
    }
}
