//! From the merged tree to a [`Config`], noting everything that is wrong on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::{Dict, Value};
use serde_json::Value as Json;
use tracing_subscriber::EnvFilter;

use super::reader::{Notes, Reader, found, kind, quoted, split};
use super::{
    Allowed, ArchiveConfig, Config, GatewayConfig, GatewayKind, Key, Limits, LogConfig, LogFormat,
    Problems, ServerConfig, ServerTls, Settings, StoreConfig, address, told, web,
};
use crate::secret::Secret;
use crate::xmpp::BareJid;

const DOMAIN: &str = "a domain such as \"irc.example.org\"";
const ENDPOINT: &str = "host:port such as \"127.0.0.1:5347\"";

pub(super) fn check(
    tree: &Dict,
    notes: Notes,
    folder: &Path,
    kinds: &[GatewayKind],
) -> Result<Config, Problems> {
    let config = Check {
        notes: &notes,
        folder,
        kinds,
    }
    .root(tree);
    let problems = notes.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems(problems)),
    }
}

struct Check<'a> {
    notes: &'a Notes,
    folder: &'a Path,
    kinds: &'a [GatewayKind],
}

/// `[component]`, before the gateways say what they have of their own.
struct Shared {
    server: Option<(String, u16)>,
    secret: Option<Secret>,
    server_domain: Option<String>,
    tls: bool,
    tls_name: Option<String>,
    ca_file: Option<PathBuf>,
    stanza_limit: usize,
}

/// `[gateway.NAME]`, before server_domain is known.
struct Draft {
    name: String,
    kind: Option<&'static str>,
    domain: Option<String>,
    allow: Option<Vec<Allowed>>,
    admins: Vec<BareJid>,
    archive: bool,
    persistent: bool,
    show_avatar: bool,
    told: super::Told,
    server: Option<(String, u16)>,
    secret: Option<Secret>,
    settings: Json,
}

impl Check<'_> {
    /// `None` where too little is known to make a configuration; a problem says why.
    fn root(&self, tree: &Dict) -> Option<Config> {
        let mut root = Reader::new(self.notes, tree, "");
        let empty = Dict::new();
        let component = root.table("component").unwrap_or(&empty);
        let store = root.table("store").unwrap_or(&empty);
        let archive = root.table("archive").unwrap_or(&empty);
        let log = root.table("log").unwrap_or(&empty);
        let messages = root.table("messages").unwrap_or(&empty);
        let contact = root.table("contact").unwrap_or(&empty);
        let limits = root.table("limits").unwrap_or(&empty);
        let attachments = root.table("attachments").unwrap_or(&empty);
        let metrics = root.table("metrics").unwrap_or(&empty);
        let gateways = root.table("gateway");
        root.finish();
        let shared = self.component(component);
        let store = self.store(store);
        let archive = self.archive(archive);
        let log = self.log(log);
        let messages = told::messages(self.notes, messages);
        let contact = told::contact(self.notes, contact);
        let limits = self.limits(limits);
        let attachments = web::attachments(self.notes, attachments);
        let metrics = web::metrics(self.notes, metrics);
        let drafts = self.gateways(gateways);
        self.secrets(&shared, &drafts);
        let server_domain = self.server_domain(&shared, &drafts)?;
        let (corrections, language) = messages?;
        let gateways = drafts
            .into_iter()
            .map(|draft| gateway(draft, &shared, &server_domain))
            .collect::<Option<_>>()?;
        Some(Config {
            server_domain,
            store: store?,
            archive,
            log: log?,
            corrections,
            language,
            contact,
            limits,
            attachments,
            metrics,
            gateways,
        })
    }

    fn component(&self, dict: &Dict) -> Shared {
        let mut reader = Reader::new(self.notes, dict, "component");
        let server = reader.parsed("server", ENDPOINT, address::endpoint);
        let secret = self.secret(&mut reader);
        let server_domain = reader.parsed("server_domain", DOMAIN, address::domain);
        let tls = reader.boolean("tls");
        let tls_name = reader.parsed("tls_name", DOMAIN, address::domain);
        let ca_file = self.ca_file(&mut reader);
        let stanza_limit = reader.number("stanza_limit", 10_000..=1_048_576) as usize;
        reader.finish();
        Shared {
            server,
            secret,
            server_domain,
            tls,
            tls_name,
            ca_file,
            stanza_limit,
        }
    }

    fn ca_file(&self, reader: &mut Reader<'_>) -> Option<PathBuf> {
        let expected = "a readable file of certificates (PEM)";
        let path = self.folder.join(reader.text("ca_file", expected)?);
        if let Err(error) = fs::File::open(&path) {
            let shown = quoted(&path.display().to_string());
            reader.note(
                "ca_file",
                format!("found {shown}: {error}; expected {expected}"),
            );
        }
        Some(path)
    }

    /// `secret` or `secret_file`. One from the environment beats the other from the file.
    fn secret(&self, reader: &mut Reader<'_>) -> Option<Secret> {
        let text = reader.value("secret");
        let file = reader.value("secret_file");
        let is_env =
            |value: Option<&Value>| value.is_some_and(|value| self.notes.is_env(value.tag()));
        match (text, file) {
            (Some(_), Some(_)) if is_env(text) == is_env(file) => {
                reader.note(
                    "secret_file",
                    "found besides secret, expected only one of the two",
                );
                None
            }
            (Some(text), file) if file.is_none() || is_env(Some(text)) => match text {
                Value::String(_, text) if !text.is_empty() => Some(Secret::new(text.as_str())),
                Value::String(..) => {
                    reader.note("secret", "found an empty text, expected a secret");
                    None
                }
                other => {
                    let what = kind(other);
                    reader.note("secret", format!("found {what}, expected a text in quotes"));
                    None
                }
            },
            (_, Some(file)) => self.secret_file(reader, file),
            _ => None,
        }
    }

    fn secret_file(&self, reader: &Reader<'_>, value: &Value) -> Option<Secret> {
        let expected = "a readable file that holds the secret";
        let Some(name) = value.as_str() else {
            reader.note(
                "secret_file",
                format!("found {}, expected {expected}", found(value)),
            );
            return None;
        };
        let path = self.folder.join(name);
        let shown = quoted(&path.display().to_string());
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => {
                reader.note(
                    "secret_file",
                    format!("found {shown}: empty; expected {expected}"),
                );
                None
            }
            // Editors and echo leave an end of line that is no part of the secret.
            Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']))),
            Err(error) => {
                reader.note(
                    "secret_file",
                    format!("found {shown}: {error}; expected {expected}"),
                );
                None
            }
        }
    }

    fn store(&self, dict: &Dict) -> Option<StoreConfig> {
        let mut reader = Reader::new(self.notes, dict, "store");
        let path = reader.parsed("path", "the path of a file", |text| {
            (!text.is_empty()).then(|| self.folder.join(text))
        });
        reader.finish();
        path.map(|path| StoreConfig { path })
    }

    fn archive(&self, dict: &Dict) -> ArchiveConfig {
        let mut reader = Reader::new(self.notes, dict, "archive");
        let archive = ArchiveConfig {
            age: Duration::from_secs(86_400 * reader.number("days", 0..=36_500)),
            rows: reader.number("rows", 0..=1_000_000_000),
        };
        reader.finish();
        archive
    }

    fn log(&self, dict: &Dict) -> Option<LogConfig> {
        let mut reader = Reader::new(self.notes, dict, "log");
        let format = reader.parsed("format", "\"human\" or \"json\"", |text| match text {
            "human" => Some(LogFormat::Human),
            "json" => Some(LogFormat::Json),
            _ => None,
        });
        let expected = "error, warn, info, debug, trace, or a filter such as \
                        \"info,isthmus::component=debug\"";
        let level = reader.parsed("level", expected, |text| {
            let is_filter = !text.trim().is_empty() && EnvFilter::try_new(text).is_ok();
            // EnvFilter takes any word for the name of a module.
            let is_word = text.split(',').all(|part| is_directive(part.trim()));
            (is_filter && is_word).then(|| text.to_owned())
        });
        reader.finish();
        Some(LogConfig {
            format: format?,
            level: level?,
        })
    }

    fn limits(&self, dict: &Dict) -> Limits {
        let mut reader = Reader::new(self.notes, dict, "limits");
        let limits = Limits {
            networks_per_user: reader.number("networks_per_user", 1..=10_000) as usize,
            rooms_per_user: reader.number("rooms_per_user", 1..=100_000) as usize,
            sessions: reader.number("sessions", 1..=10_000_000) as usize,
            received_stanza: reader.number("received_stanza", 10_000..=16_777_216) as usize,
            history: reader.number("history", 0..=1000) as usize,
            inbox: reader.number("inbox", 16..=65_536) as usize,
            stanzas_per_second: reader.number("stanzas_per_second", 1..=100_000) as u32,
            stanzas_burst: reader.number("stanzas_burst", 10..=1_000_000) as u32,
            attachment: reader.number("attachment", 1024..=1_073_741_824),
            attachments_total: reader.number("attachments_total", 0..=1_125_899_906_842_624),
            attachments_per_user: reader.number("attachments_per_user", 0..=1_125_899_906_842_624),
            attachment_age: Duration::from_secs(
                86_400 * reader.number("attachment_days", 0..=36_500),
            ),
            receipt_timeout: Duration::from_secs(
                3600 * reader.number("receipt_timeout_hours", 1..=4_320),
            ),
        };
        reader.finish();
        limits
    }

    fn gateways(&self, dict: Option<&Dict>) -> Vec<Draft> {
        let tables = dict.into_iter().flatten();
        let mut drafts: Vec<Draft> = Vec::new();
        for (name, value) in tables {
            let path = format!("gateway.{name}");
            match value {
                Value::Dict(_, dict) => drafts.push(self.gateway(name, &path, dict)),
                other => {
                    let text = format!("found {}, expected a table", found(other));
                    self.notes.note_at(other.tag(), &path, text);
                }
            }
        }
        if dict.is_none_or(Dict::is_empty) {
            let example = self.kinds.first().map_or("irc", |kind| kind.name);
            let text = format!("found no gateway, expected a table such as [gateway.{example}]");
            self.notes.note("gateway", text);
        }
        self.duplicates(&drafts);
        drafts
    }

    fn duplicates(&self, drafts: &[Draft]) {
        let mut taken = BTreeMap::new();
        for draft in drafts {
            let Some(domain) = &draft.domain else {
                continue;
            };
            if let Some(first) = taken.insert(domain, &draft.name) {
                let key = format!("gateway.{}.domain", draft.name);
                let text = format!(
                    "found {domain:?}, which gateway.{first} has; expected a domain of its own"
                );
                self.notes.note(&key, text);
            }
        }
    }

    fn gateway(&self, name: &str, path: &str, dict: &Dict) -> Draft {
        let mut reader = Reader::new(self.notes, dict, path);
        let domain = reader.parsed("domain", DOMAIN, address::domain);
        if !dict.contains_key("domain") {
            reader.note("domain", format!("found nothing, expected {DOMAIN}"));
        }
        let kind = self.kind(name, &mut reader);
        let allow = reader.list(
            "allow",
            "a domain or a JID without resource",
            Allowed::parse,
        );
        let admins = reader.list("admins", "a JID without resource", address::bare_jid);
        let archive = !dict.contains_key("archive") || reader.boolean("archive");
        let persistent = dict.contains_key("persistent") && reader.boolean("persistent");
        let show_avatar = dict.contains_key("show_avatar") && reader.boolean("show_avatar");
        let told = told::gateway(&mut reader, self.folder);
        let server = reader.parsed("server", ENDPOINT, address::endpoint);
        let secret = self.secret(&mut reader);
        let rest = reader.rest().map(|(key, value)| (key.clone(), value));
        let settings = self.settings(kind, rest.collect());
        if let Some(kind) = kind {
            for (key, text) in (kind.check)(&settings) {
                let value = find(dict, &key);
                let first = key.split('.').next().unwrap_or_default();
                let tag = value
                    .or(dict.get(first))
                    .map(Value::tag)
                    .unwrap_or_default();
                let text = with_found(&key, value, text);
                self.notes.note_at(tag, &format!("{path}.{key}"), text);
            }
        }
        Draft {
            name: name.to_owned(),
            kind: kind.map(|kind| kind.name),
            domain,
            allow,
            admins: admins.unwrap_or_default(),
            archive,
            persistent,
            show_avatar,
            told,
            server,
            secret,
            settings,
        }
    }

    fn kind(&self, name: &str, reader: &mut Reader<'_>) -> Option<&GatewayKind> {
        let known: Vec<&str> = self.kinds.iter().map(|kind| kind.name).collect();
        let expected = format!("one of: {}", known.join(", "));
        let by_name = |name: &str| self.kinds.iter().find(|kind| kind.name == name);
        if reader.value("kind").is_some() {
            return reader.parsed("kind", &expected, by_name);
        }
        // A program of one's own needs no word for its kind: the key that names it is one.
        let kind = by_name(name).or_else(|| reader.value("exec").and(by_name("exec")));
        if kind.is_none() {
            let text = format!("found nothing, and {name:?} is no kind; expected {expected}");
            reader.note("kind", text);
        }
        kind
    }

    /// The keys of the kind, as JSON; from the environment with the types the kind documents.
    fn settings(&self, kind: Option<&GatewayKind>, rest: Vec<(String, &Value)>) -> Json {
        let convert = |(key, value): (String, &Value)| {
            let json = self.json(kind, &mut vec![key.clone()], value);
            (key, json)
        };
        Json::Object(rest.into_iter().map(convert).collect())
    }

    fn json(&self, kind: Option<&GatewayKind>, path: &mut Vec<String>, value: &Value) -> Json {
        match value {
            Value::Dict(_, dict) => {
                let fields = dict.iter().map(|(key, value)| {
                    path.push(key.clone());
                    let json = self.json(kind, path, value);
                    path.pop();
                    (key.clone(), json)
                });
                Json::Object(fields.collect())
            }
            Value::String(tag, text) if self.notes.is_env(*tag) => {
                let parts: Vec<&str> = path.iter().map(String::as_str).collect();
                from_environment(kind.and_then(|kind| kind.doc(&parts)), text)
            }
            other => serde_json::to_value(other).unwrap_or(Json::Null),
        }
    }

    /// A shared secret is wanted as soon as one gateway has none of its own.
    fn secrets(&self, shared: &Shared, drafts: &[Draft]) {
        let lacking = drafts.iter().find(|draft| draft.secret.is_none());
        let told = self.notes.has("component.secret")
            || self.notes.has("component.secret_file")
            || lacking.is_some_and(|draft| {
                let path = format!("gateway.{}.secret", draft.name);
                self.notes.has(&path) || self.notes.has(&format!("{path}_file"))
            });
        if let (None, Some(draft), false) = (&shared.secret, lacking, told) {
            let text = format!(
                "found nothing, expected the secret that the XMPP server has for gateway.{}",
                draft.name
            );
            self.notes.note("component.secret", text);
        }
    }

    fn server_domain(&self, shared: &Shared, drafts: &[Draft]) -> Option<String> {
        let first = drafts.iter().find_map(|draft| draft.domain.as_deref());
        let given = shared.server_domain.clone();
        let domain = given.or_else(|| first.and_then(address::parent));
        if domain.is_none() && first.is_some() && !self.notes.has("component.server_domain") {
            let text = "found nothing, expected the XMPP server's own domain";
            self.notes.note("component.server_domain", text);
        }
        for draft in drafts
            .iter()
            .filter(|draft| domain.is_some() && draft.domain == domain)
        {
            let key = format!("gateway.{}.domain", draft.name);
            let text = format!(
                "found {:?}, which is the XMPP server's own; expected a domain of its own",
                domain.as_deref().unwrap_or_default()
            );
            self.notes.note(&key, text);
        }
        domain
    }
}

fn gateway(draft: Draft, shared: &Shared, server_domain: &str) -> Option<GatewayConfig> {
    let (host, port) = draft.server.or_else(|| shared.server.clone())?;
    let name = || shared.tls_name.clone().unwrap_or_else(|| host.clone());
    let tls = shared.tls.then(|| ServerTls {
        name: name(),
        ca_file: shared.ca_file.clone(),
    });
    let everyone = || vec![Allowed::Domain(server_domain.to_owned())];
    Some(GatewayConfig {
        name: draft.name,
        kind: draft.kind?.to_owned(),
        domain: draft.domain?,
        allow: draft.allow.unwrap_or_else(everyone),
        admins: draft.admins,
        archive: draft.archive,
        persistent: draft.persistent,
        show_avatar: draft.show_avatar,
        told: draft.told,
        component: ServerConfig {
            host,
            port,
            secret: draft.secret.or_else(|| shared.secret.clone())?,
            tls,
            stanza_limit: shared.stanza_limit,
        },
        settings: Settings(draft.settings),
    })
}

/// A variable becomes what its key is documented to be; an unknown key stays text.
fn from_environment(doc: Option<&Key>, text: &str) -> Json {
    let Some(doc) = doc else {
        return Json::from(text);
    };
    let is_list = super::kind::takes(doc, '[')
        && (!super::kind::takes(doc, '"') || text.trim_start().starts_with('['));
    if is_list {
        return serde_json::to_value(split(text)).unwrap_or(Json::Null);
    }
    if super::kind::takes(doc, '"') {
        return Json::from(text);
    }
    serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
}

/// A kind may leave it to us to say what was found.
fn with_found(key: &str, value: Option<&Value>, text: String) -> String {
    if !text.starts_with("expected") {
        return text;
    }
    let is_secret = ["pass", "secret", "key"]
        .iter()
        .any(|word| key.contains(word));
    match value {
        Some(value) if is_secret => format!("found {}, {text}", kind(value)),
        Some(value) => format!("found {}, {text}", found(value)),
        None => format!("found nothing, {text}"),
    }
}

fn find<'a>(dict: &'a Dict, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = dict.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_dict()?.get(part))
}

/// `info`, `isthmus=debug`, `isthmus[span]=trace`; a bare word must be a level.
fn is_directive(text: &str) -> bool {
    let level = text.rsplit_once('=').map_or(text, |(_, level)| level);
    ["off", "error", "warn", "info", "debug", "trace"]
        .iter()
        .any(|known| level.eq_ignore_ascii_case(known))
}
