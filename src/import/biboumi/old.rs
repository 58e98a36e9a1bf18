//! biboumi's configuration file, and the keys that do the same here.
//!
//! Lines of `option=value`. Secrets are never shown: the operator is told where they were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::target::quoted;
use crate::import::ImportFault;

/// The options.
#[derive(Default)]
pub(super) struct Old {
    options: BTreeMap<String, String>,
    /// Channels were persistent unless a user said otherwise.
    pub(super) persistent: bool,
}

/// Options that have no key here, and why.
const GONE: [(&str, &str); 6] = [
    (
        "log_file",
        "the log goes to standard error: let the service manager keep it",
    ),
    (
        "ca_file",
        "the system's authorities are trusted; a network's own certificate is set by networks.NAME.pin",
    ),
    (
        "policy_directory",
        "TLS is required unless tls or networks.NAME.tls say otherwise",
    ),
    (
        "db_name",
        "the database is store.path; PostgreSQL is not read by this import",
    ),
    (
        "realname_customization",
        "a user sets his real name by \u{201c}set realname\u{201d}",
    ),
    (
        "realname_from_jid",
        "the real name is the nickname, unless realname is set; it never shows the address",
    ),
];

impl Old {
    /// Reads it.
    pub(super) fn read(path: &Path) -> Result<Self, ImportFault> {
        let text = std::fs::read(path).map_err(|error| ImportFault::Source {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let options: BTreeMap<String, String> = lines
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let persistent = options
            .get("persistent_by_default")
            .is_some_and(|it| it == "true");
        Self {
            options,
            persistent,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Keys for the gateway of this name, in the notation of the configuration.
    pub(super) fn keys(&self, gateway: &str, strangers: &BTreeSet<String>) -> Vec<String> {
        let mut table = Vec::new();
        let list = |items: &mut dyn Iterator<Item = &str>| {
            items.map(quoted).collect::<Vec<_>>().join(", ")
        };
        let mut key = |name: &str, value: String| table.push(format!("{name} = {value}"));
        if let Some(domain) = self.get("hostname") {
            key("domain", quoted(domain));
        }
        let port = self.get("port").unwrap_or("5347");
        if let Some(host) = self.get("xmpp_server_ip") {
            key("server", quoted(&format!("{host}:{port}")));
        }
        if let Some(admins) = self.get("admin") {
            let mut admins = admins.split(':').filter(|admin| !admin.is_empty());
            key("admins", format!("[{}]", list(&mut admins)));
        }
        if !strangers.is_empty() {
            let mut domains = strangers.iter().map(String::as_str);
            key("allow", format!("[{}]", list(&mut domains)));
        }
        if self.persistent {
            key("persistent", "true".to_owned());
        }
        if let Some(network) = self.get("fixed_irc_server") {
            key("network", quoted(network));
        }
        if let Some(address) = self.get("outgoing_bind") {
            key("bind", quoted(address));
        }
        if let Some(port) = self.get("identd_port").filter(|port| *port != "0") {
            key("identd", quoted(&format!("0.0.0.0:{port}")));
        }
        if table.is_empty() {
            return table;
        }
        table.insert(0, format!("[gateway.{gateway}]"));
        table.splice(0..0, self.level());
        table
    }

    fn level(&self) -> Vec<String> {
        let level = match self.get("log_level") {
            Some("0") => "debug",
            Some("1") => "info",
            Some("2") => "warn",
            Some(_) => "error",
            None => return Vec::new(),
        };
        vec![
            "[log]".to_owned(),
            format!("level = {}", quoted(level)),
            String::new(),
        ]
    }

    /// What else is to be done.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.get("password").is_some() {
            notes.push(
                "password of biboumi.cfg: set component.secret (or secret_file) to it".to_owned(),
            );
        }
        if self.get("webirc_password").is_some() {
            let words = "webirc_password of biboumi.cfg: set networks.NAME.webirc to it for each \
                         network that believes it";
            notes.push(words.to_owned());
        }
        if self.persistent {
            let words = "persistent_by_default: set for each user that was taken over; for others \
                         set persistent = true";
            notes.push(words.to_owned());
        }
        for (name, words) in GONE {
            if let Some(value) = self.get(name).filter(|value| *value != "false") {
                notes.push(format!("{name} = {value}: {words}"));
            }
        }
        notes
    }
}
