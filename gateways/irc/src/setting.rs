//! What users may set: the tables of the gateway, its networks and its channels.
//!
//! The names are those that people's scripts know from other IRC gateways. What the operator has
//! decided bounds what can be chosen: where a network's servers are is a choice among his where he
//! named them, encryption is never less than he demands, and an unverified certificate is accepted
//! only if he lets users decide. With one network for all, its table stands at the gateway.

use isthmus_gateway::{Field, FieldKind, SettingTables, Words};

use crate::config::{Config, Hosts, Network, TlsMode};
use crate::gateway::{PLAIN_PORT, TLS_PORT};

/// Names of encodings that can be chosen. Left out are those in which ASCII is not ASCII, and those
/// that change state within a line.
const ENCODINGS: &[&str] = &[
    "UTF-8",
    "ISO-8859-1",
    "ISO-8859-2",
    "ISO-8859-3",
    "ISO-8859-4",
    "ISO-8859-5",
    "ISO-8859-6",
    "ISO-8859-7",
    "ISO-8859-8",
    "ISO-8859-10",
    "ISO-8859-13",
    "ISO-8859-14",
    "ISO-8859-15",
    "ISO-8859-16",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "KOI8-R",
    "KOI8-U",
    "IBM866",
    "macintosh",
    "Big5",
    "EUC-JP",
    "Shift_JIS",
    "EUC-KR",
    "GBK",
    "gb18030",
];

/// In English and Chinese.
type Label = (&'static str, &'static str);

/// The usual spelling of a value: of encodings the name among their many (WHATWG Encoding §4.2),
/// and among those that only differ in signs between letters (`latin-1`).
pub(crate) fn spell(field: &str, value: &str) -> Option<String> {
    if !matches!(field, "encoding_in" | "encoding_out") {
        return None;
    }
    let known = ENCODINGS
        .iter()
        .find(|name| name.eq_ignore_ascii_case(value));
    let named = |label: &str| Some(encoding_rs::Encoding::for_label(label.as_bytes())?.name());
    let bare = || named(&value.replace(['-', '_', ' '], ""));
    let known = known.copied().or_else(|| named(value)).or_else(bare);
    known.map(str::to_owned)
}

/// Nicknames that most networks take (RFC 2812 §2.3.1).
const NICK: &str = r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,29}";
/// Ports, with `;`, `,` or spaces between them; there may be several lines of them.
const PORTS: &str = r"[0-9]{1,5}([;,\s]+[0-9]{1,5}){0,7}";

/// The tables of a gateway with this configuration; of networks, as one that is not named has it.
pub(crate) fn tables(config: &Config) -> SettingTables {
    let fixed = config.network.as_deref();
    SettingTables {
        gateway: fixed.map(|name| network(config, name)).unwrap_or_default(),
        network: network(config, fixed.unwrap_or_default()),
        room: encodings("", ""),
    }
}

/// The table of one network.
pub(crate) fn network(config: &Config, name: &str) -> Vec<Field> {
    let named = config.named(name);
    let text = |name, label: Label| Field::new(name, label, FieldKind::Text);
    let secret = |name, label: Label| Field::new(name, label, FieldKind::Secret);
    let mut fields = reach(config, name, named);
    let hex = "([0-9A-Fa-f]{2}:?){32}";
    fields.push(
        text(
            "fingerprint",
            (
                "SHA-256 of the only certificate to accept",
                "唯一可接受证书的 SHA-256 指纹",
            ),
        )
        .pattern(hex),
    );
    fields.push(text(
        "sasl_user",
        (
            "Account to log in with; empty: the nickname",
            "登录账号；留空则用昵称",
        ),
    ));
    fields.push(secret(
        "sasl_password",
        ("Password of the account (SASL)", "账号密码（SASL）"),
    ));
    let nick = text(
        "nick",
        (
            "Nickname, whatever rooms are entered with",
            "昵称（无论以何名进入房间）",
        ),
    )
    .pattern(NICK);
    fields.push(nick);
    fields.push(secret("pass", ("Password of the server", "服务器密码")));
    fields.push(Field::new(
        "after_connect_commands",
        ("Lines to send after connecting", "连接后发送的命令行"),
        // They often hold a password of services.
        FieldKind::SecretLines,
    ));
    fields.push(
        text("username", ("User name (ident)", "用户名（ident）")).pattern("[A-Za-z0-9._-]{1,10}"),
    );
    fields.push(text("realname", ("Real name", "真实姓名")));
    let throttle = ("Lines that may go out at once", "可一次连续发送的行数");
    let burst = config.throttle_burst;
    let throttle = Field::new("throttle_limit", throttle, FieldKind::Number);
    fields.push(throttle.range(1, burst.into()).value(&burst.to_string()));
    let reads = named.map_or(config.encoding, |network| network.encoding);
    fields.extend(encodings(reads.name(), "UTF-8"));
    fields.push(server_notices());
    fields.push(Field::new("bot", ("I am a bot", "我是机器人"), FieldKind::Bool).value("false"));
    fields
}

fn server_notices() -> Field {
    let notices = Field::new(
        "server_notices",
        ("What the server says by itself", "服务器自发的消息"),
        FieldKind::Choice,
    );
    let options = [
        ("all", ("All of it", "全部")),
        (
            "important",
            ("Refusals and what is said to me", "拒绝信息和对我说的话"),
        ),
        ("none", ("Nothing", "无")),
    ];
    notices.options(&options).value("all")
}

/// Where a network's servers are, and how sure one wants to be of them.
fn reach(config: &Config, name: &str, named: Option<&Network>) -> Vec<Field> {
    let text = |name, label: Label| Field::new(name, label, FieldKind::Text);
    let hosts: Option<Vec<&str>> = match (named, &config.hosts) {
        (Some(network), _) => Some(network.hosts.iter().map(|it| it.host.as_str()).collect()),
        (None, Hosts::Listed(hosts)) => Some(hosts.iter().map(String::as_str).collect()),
        (None, Hosts::Any) if config.network.as_deref() != Some(name) => None,
        (None, _) => Some(vec![name]),
    };
    let mut fields = Vec::new();
    let address = (
        "Server; empty: as the network's address says",
        "服务器；留空则按网络地址",
    );
    fields.push(match hosts {
        Some(hosts) => {
            let options: Vec<_> = hosts.iter().map(|&host| (host, host)).collect();
            Field::new("address", address, FieldKind::Choice).options(&options)
        }
        None => text("address", address).pattern(r"[^ /@%?#]{1,253}"),
    });
    let ports = |key: &str, label: Label, tls: bool| {
        let field = Field::new(key, label, FieldKind::Lines);
        match named {
            None => field.pattern(PORTS),
            Some(network) => {
                let known = known_ports(network, tls).into_iter();
                let known: Vec<String> = known.map(|port| port.to_string()).collect();
                let known = known.join("|");
                field.pattern(&format!(r"({known})([;,\s]+({known})){{0,7}}"))
            }
        }
    };
    fields.push(ports(
        "tls_ports",
        ("Ports with TLS", "使用 TLS 的端口"),
        true,
    ));
    fields.push(ports(
        "ports",
        ("Ports without TLS", "不使用 TLS 的端口"),
        false,
    ));
    fields.push(encryption(named.map_or(config.tls, |network| network.tls)));
    if config.unverified {
        let verify = ("Verify the server's certificate", "验证服务器证书");
        let holds = named.is_none_or(|it| it.trust != isthmus_kit::Trust::Insecure);
        let verify = Field::new("verify_cert", verify, FieldKind::Bool);
        fields.push(verify.value(if holds { "true" } else { "false" }));
    }
    fields
}

/// What the operator's `mode` leaves to choose from.
fn encryption(mode: TlsMode) -> Field {
    let choices = [
        ("required", ("Always", "始终"), TlsMode::Required),
        (
            "preferred",
            ("Where the server can", "服务器支持时"),
            TlsMode::Preferred,
        ),
        ("off", ("Never", "从不"), TlsMode::Off),
    ];
    let of = |mode: TlsMode| choices.iter().find(|it| it.2 == mode).map_or("", |it| it.0);
    let open = choices.iter().filter(|it| may(mode, it.2));
    let open: Vec<_> = open.map(|it| (it.0, it.1)).collect();
    let tls = Field::new("tls", ("Encryption", "加密"), FieldKind::Choice);
    tls.options(&open).value(of(mode))
}

/// Whether a user may choose `wish` where the operator has said `mode`.
pub(crate) fn may(mode: TlsMode, wish: TlsMode) -> bool {
    mode != TlsMode::Required || wish == TlsMode::Required
}

/// The ports of a network the operator named.
pub(crate) fn known_ports(network: &Network, tls: bool) -> Vec<u16> {
    let usual = if tls { TLS_PORT } else { PLAIN_PORT };
    let own = network.hosts.iter().filter_map(|host| host.port);
    let mut known: Vec<u16> = own.chain([usual]).collect();
    known.sort_unstable();
    known.dedup();
    known
}

/// The encodings of a network or a channel, with these defaults.
fn encodings(reads: &str, writes: &str) -> Vec<Field> {
    let names = ENCODINGS.iter().map(|&name| (name, Words::from(name)));
    let mut options: Vec<_> = names.collect();
    if writes.is_empty() {
        options.insert(0, ("", ("As the network", "与网络相同").into()));
    }
    let field = |name, label: Label, value: &str| {
        let field = Field::new(name, label, FieldKind::Choice).options(&options);
        match value {
            "" => field,
            value => field.value(value),
        }
    };
    vec![
        field(
            "encoding_out",
            ("Encoding of what I write", "我所写内容的编码"),
            writes,
        ),
        field(
            "encoding_in",
            ("Encoding of what is not UTF-8", "非 UTF-8 内容的编码"),
            reads,
        ),
    ]
}
