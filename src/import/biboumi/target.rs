//! What stands here for what biboumi keeps. The only file that knows how settings are kept here.
//!
//! Settings have biboumi's names. They are one sealed document for each user: what he has set for
//! all, for each network and for each room, without what equals biboumi's default. What is set
//! here already is never changed.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::source::{Channel, Global, Line, Server};
use crate::config::GatewayConfig;
use crate::import::{ImportFault, Report};
use crate::secret::Secret;
use crate::store::{Row, SqliteStore, Store};
use crate::xmpp::escape::escape;
use crate::xmpp::jid::{BareJid, resource_from_nick};
use crate::xmpp::ns;
use crate::xmpp::write::{self, Head, Sender, StanzaName, Written};

/// The name under which the document is sealed.
const SETTINGS: &str = "settings";

/// biboumi's defaults, which are not written down.
const PORTS: &str = "6667";
const TLS_PORTS: &str = "6697;6670";
const HISTORY: i64 = 20;
const THROTTLE: i64 = 10;

/// Where things go.
pub(super) struct Place {
    /// The gateway's domain.
    pub(super) domain: String,
    /// The one network it serves, if it serves one.
    fixed: Option<String>,
}

impl Place {
    pub(super) fn of(gateway: &GatewayConfig) -> Self {
        let fixed = gateway.settings.0.get("network").and_then(Value::as_str);
        Self {
            domain: gateway.domain.clone(),
            fixed: fixed.map(str::to_owned),
        }
    }

    /// How sessions call a server's network; `None`: it is not served.
    fn network<'a>(&self, server: &'a str) -> Option<&'a str> {
        match &self.fixed {
            Some(fixed) => fixed.eq_ignore_ascii_case(server).then_some(""),
            None => Some(server).filter(|server| !server.is_empty()),
        }
    }

    /// The escaped localpart of an address that a user has subscribed to.
    pub(super) fn contact(&self, jid: &str) -> Option<String> {
        let jid = BareJid::parse(jid).ok()?;
        let local = jid.local().unwrap_or_default();
        (jid.domain() == self.domain).then(|| local.to_owned())
    }

    /// The address of a channel, as archives know it.
    pub(super) fn peer(&self, channel: &str, server: &str) -> Option<String> {
        let local = match self.network(server)? {
            "" => channel.to_owned(),
            network => format!("{channel}%{network}"),
        };
        let jid = BareJid::new(Some(&escape(&local)), &self.domain).ok()?;
        Some(jid.to_string())
    }
}

/// Why a channel is not taken over.
pub(super) fn no_address(channel: &str, server: &str) -> String {
    format!("{channel} on {server}: this gateway has no address for it")
}

/// An archived line; `None`: nothing was said.
pub(super) fn row(line: &Line, peer: &str, user: &str) -> Option<Row> {
    if line.body.is_empty() || line.uuid.is_empty() {
        return None;
    }
    let (local, domain) = peer.split_once('@')?;
    let nick = resource_from_nick(&line.nick);
    let head = Head {
        name: StanzaName::Message,
        domain,
        from: Sender {
            local: Some(local),
            resource: Some(nick.as_ref()).filter(|nick| !nick.is_empty()),
        },
        to: user,
        kind: Some("groupchat"),
        id: Some(&line.uuid),
    };
    let mut stanza = Vec::with_capacity(256);
    let written = write::stanza(&mut stanza, write::STANZA_MAX, head, |xml| {
        xml.text_element("body", &line.body);
        // Clients know it by biboumi's id: where they were in the archive holds.
        xml.start_ns("stanza-id", ns::STANZA_ID)
            .attr("id", &line.uuid)
            .attr("by", peer)
            .end();
    });
    (written != Written::Nothing).then(|| Row {
        number: 0,
        id: line.uuid.clone(),
        at: line.date.saturating_mul(1000),
        nick: nick.into_owned(),
        stanza,
        key: None,
    })
}

/// One value, and where it belongs: the document's path.
type Setting = (Vec<String>, String, String);

/// What one user has set.
#[derive(Default)]
pub(super) struct Settings(Vec<Setting>);

impl Settings {
    fn put(&mut self, at: &[&str], name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            let at = at.iter().map(|&part| part.to_owned()).collect();
            self.0.push((at, name.to_owned(), value));
        }
    }

    /// `persistent`: the operator had made all channels persistent.
    pub(super) fn global(&mut self, global: &Global, persistent: bool) {
        let at = ["gateway"];
        if let Some(most) = global.max_history.filter(|&most| most != HISTORY) {
            self.put(&at, "max_history_length", most.clamp(0, 1000).to_string());
        }
        if global.record == Some(false) {
            self.put(&at, "record_history", "false");
        }
        match global.persistent {
            // The operator's default is not his.
            Some(false) if persistent => self.put(&at, "persistent", "false"),
            Some(false) => {}
            Some(true) => self.put(&at, "persistent", "true"),
            None if persistent => self.put(&at, "persistent", "true"),
            None => {}
        }
    }

    pub(super) fn server(&mut self, place: &Place, server: &Server, report: &mut Report) {
        let Some(network) = place.network(&server.name) else {
            let name = &server.name;
            return report.leave(format!("settings for {name}: it is not served here"), 1);
        };
        let at = ["networks", network, "own"];
        for (name, value, default) in [
            ("ports", &server.ports, PORTS),
            ("tls_ports", &server.tls_ports, TLS_PORTS),
        ] {
            let value = value.as_deref().map(lines);
            let value = value.filter(|value| *value != lines(default));
            self.put(&at, name, value.unwrap_or_default());
        }
        if server.verify == Some(false) {
            self.put(&at, "verify_cert", "false");
        }
        if let Some(limit) = server
            .throttle
            .filter(|&limit| limit != THROTTLE && limit > 0)
        {
            self.put(&at, "throttle_limit", limit.to_string());
        }
        if !server.address.is_empty() && server.address != server.name {
            self.put(&at, "address", &*server.address);
        }
        for (name, value) in [
            ("nick", &server.nick),
            ("username", &server.username),
            ("realname", &server.realname),
            ("encoding_in", &encoding(&server.encoding_in)),
            ("pass", &server.pass),
            ("sasl_password", &server.sasl_password),
            ("after_connect_commands", &server.commands.join("\n")),
        ] {
            self.put(&at, name, value.as_str());
        }
        let said = |text: &str| u64::from(!text.is_empty());
        report.leave(
            "fingerprint of a certificate: biboumi's are SHA-1, which is not taken here; set \
             networks.NAME.pin (SHA-256)",
            said(&server.fingerprint),
        );
        report.leave(OUT, said(&server.encoding_out));
        let most = server
            .max_history
            .filter(|most| ![0, HISTORY].contains(most));
        report.leave(
            "max_history_length of a server: biboumi kept it and never used it",
            u64::from(most.is_some()),
        );
        let unlimited = server.throttle.is_some_and(|limit| limit <= 0);
        report.leave("throttle_limit -1: lines to a server are always throttled here, as throttle_burst and throttle_rate say", u64::from(unlimited));
    }

    pub(super) fn channel(&mut self, place: &Place, channel: &Channel, report: &mut Report) {
        let Some(network) = place.network(&channel.server) else {
            return report.leave(no_address(&channel.name, &channel.server), 1);
        };
        let room = channel.name.to_lowercase();
        let at = ["networks", network, "rooms", &room];
        self.put(&at, "encoding_in", encoding(&channel.encoding_in));
        if channel.persistent == Some(true) {
            self.put(&at, "persistent", "true");
            report.count("persistent channels", 1, 0);
        }
        if let Some(record) = channel.record {
            self.put(&at, "record_history", record.to_string());
        }
        report.leave(OUT, u64::from(!channel.encoding_out.is_empty()));
    }

    /// The document with all of it beside what was set here; nothing if nothing is new.
    pub(super) async fn merge(
        self,
        store: &SqliteStore,
        user: &BareJid,
        place: &Place,
        report: &mut Report,
    ) -> Result<Vec<(String, Secret)>, ImportFault> {
        let kept = store.unseal(user.as_str(), &place.domain, SETTINGS).await?;
        let mut document = match &kept {
            None => Value::Object(Map::new()),
            Some(kept) => serde_json::from_str(kept.expose()).map_err(|_| {
                let problem = format!("the settings of {user} cannot be read");
                ImportFault::Gateway(problem)
            })?,
        };
        let mut fresh = 0;
        for (at, name, value) in self.0 {
            let kind = match name.as_str() {
                "pass" | "sasl_password" => "passwords (sealed)",
                _ => "settings",
            };
            let new = set(&mut document, &at, &name, value);
            fresh += u64::from(new);
            report.count(kind, u64::from(new), u64::from(!new));
        }
        if fresh == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![(
            SETTINGS.to_owned(),
            Secret::new(document.to_string()),
        )])
    }
}

/// biboumi shows this field in its forms and ignores it.
const OUT: &str = "encoding_out: biboumi kept it and never used it, what went out was UTF-8; here it \
                   holds: set it where others cannot read UTF-8";

/// The name of an encoding as the gateway knows it, where iconv has another for it.
fn encoding(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    let latin = lower.strip_prefix("latin");
    let latin = latin.map(|rest| rest.trim_start_matches(['-', '_']));
    match (latin, lower.strip_prefix("cp")) {
        (Some(number @ ("1" | "2" | "3" | "4")), _) => format!("ISO-8859-{number}"),
        (Some("9"), _) => "ISO-8859-15".to_owned(),
        (_, Some(page)) if page.starts_with("125") => format!("windows-{page}"),
        _ => name.to_owned(),
    }
}

/// Sets what is not set; whether it did.
fn set(document: &mut Value, at: &[String], name: &str, value: String) -> bool {
    let mut here = document;
    for part in at {
        let Some(table) = here.as_object_mut() else {
            return false;
        };
        here = table
            .entry(part.clone())
            .or_insert_with(|| Value::Object(Map::new()));
    }
    let Some(table) = here.as_object_mut() else {
        return false;
    };
    let free = !table.contains_key(name);
    if free {
        table.insert(name.to_owned(), Value::String(value));
    }
    free
}

/// Whether the operator has to name a server for users to reach it as they did.
pub(super) fn is_special(server: &Server) -> bool {
    let private = |name: &str| name == "localhost" || name.parse::<IpAddr>().is_ok();
    server.verify == Some(false)
        || server.tls_ports.as_deref() == Some("")
        || private(&server.name)
        || (!server.address.is_empty() && server.address != server.name)
}

/// The table that names a server.
pub(super) fn network_keys(gateway: &str, server: &Server) -> Vec<String> {
    let host = match server.address.as_str() {
        "" => &server.name,
        address => address,
    };
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let list = |ports: &Option<String>, default: &str| -> Vec<String> {
        let ports = ports.as_deref().unwrap_or(default).split(';');
        let ports = ports.filter(|port| port.parse::<u16>().is_ok());
        ports
            .map(|port| quoted(&format!("{host}:{port}")))
            .collect()
    };
    let (tls, plain) = (
        list(&server.tls_ports, TLS_PORTS),
        list(&server.ports, PORTS),
    );
    let (mode, hosts) = match tls.is_empty() {
        true => ("off", plain),
        false => ("required", tls),
    };
    let mut keys = vec![
        String::new(),
        format!("[gateway.{gateway}.networks.{}]", quoted(&server.name)),
        format!("hosts = [{}]", hosts.join(", ")),
        format!("tls = \"{mode}\""),
    ];
    if server.verify == Some(false) && mode != "off" {
        keys.push("verify = false".to_owned());
    }
    keys
}

/// A string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A list as settings have it: an entry a line.
fn lines(list: &str) -> String {
    let entries = list.split(';').filter(|it| !it.is_empty());
    entries.collect::<Vec<_>>().join("\n")
}
