//! The only file that names concrete gateways: one entry each, behind its cargo feature.

use std::sync::Arc;

use isthmus_gateway::Gateway;

use crate::config::{GatewayConfig, GatewayKind, KeyDoc};

/// Makes the gateway that a table of the configuration describes; what is wrong, in words.
pub fn build(config: &GatewayConfig) -> Result<Arc<dyn Gateway>, String> {
    let kind = KINDS.iter().find(|kind| kind.name == config.kind);
    let kind = kind.ok_or_else(|| format!("this build has no gateway of kind {}", config.kind))?;
    (kind.build)(&config.settings.0)
}

/// The gateway kinds of this build, in the order of the sample.
pub const KINDS: &[GatewayKind] = &[
    #[cfg(feature = "irc")]
    GatewayKind {
        name: "irc",
        keys: &IRC_KEYS,
        check: check_irc,
        build: build_irc,
    },
    #[cfg(feature = "loopback")]
    GatewayKind {
        name: "loopback",
        keys: LOOPBACK_KEYS,
        check: check_loopback,
        build: build_loopback,
    },
];

#[cfg(feature = "irc")]
const IRC_KEYS: [KeyDoc; isthmus_irc::KEYS.len()] = {
    const NONE: KeyDoc = KeyDoc {
        key: "",
        default: "",
        doc: "",
        example: "",
    };
    let mut keys = [NONE; isthmus_irc::KEYS.len()];
    let mut at = 0;
    while at < keys.len() {
        let isthmus_irc::Key {
            key,
            default,
            doc,
            example,
        } = isthmus_irc::KEYS[at];
        keys[at] = KeyDoc {
            key,
            default,
            doc,
            example,
        };
        at += 1;
    }
    keys
};

#[cfg(feature = "irc")]
fn check_irc(settings: &serde_json::Value) -> Vec<(String, String)> {
    let read = isthmus_irc::Config::from_value(settings);
    let problems = read.err().unwrap_or_default();
    problems
        .into_iter()
        .map(|problem| (problem.key, problem.text))
        .collect()
}

#[cfg(feature = "irc")]
fn build_irc(settings: &serde_json::Value) -> Result<Arc<dyn Gateway>, String> {
    let config = isthmus_irc::Config::from_value(settings).map_err(|problems| {
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.key, problem.text))
            .collect();
        problems.join("; ")
    })?;
    let dial = Arc::new(isthmus_kit::Tcp::default());
    Ok(Arc::new(isthmus_irc::Irc::new(config, dial)))
}

#[cfg(feature = "loopback")]
const LOOPBACK_KEYS: &[KeyDoc] = &[
    KeyDoc {
        key: "echo",
        default: "true",
        doc: "A resident of every room answers what is said.",
        example: "echo = true",
    },
    KeyDoc {
        key: "misbehave",
        default: "false",
        doc: "Some names stand for a gateway that breaks its contract.",
        example: "misbehave = false",
    },
    KeyDoc {
        key: "delay_ms",
        default: "1000",
        doc: "Milliseconds until what is late comes.",
        example: "delay_ms = 1000",
    },
    KeyDoc {
        key: "retry_ms",
        default: "1000",
        doc: "Milliseconds until a broken connection is tried again.",
        example: "retry_ms = 1000",
    },
    KeyDoc {
        key: "backlog",
        default: "100000",
        doc: "Events that may wait in one session.",
        example: "backlog = 100000",
    },
    KeyDoc {
        key: "rooms",
        default: "10000",
        doc: "Rooms on one network.",
        example: "rooms = 10000",
    },
    KeyDoc {
        key: "caps",
        default: "",
        doc: "What the network can express; what is left out is off.",
        example: "caps = { rooms = true, typing = true, max_text = 400 }",
    },
];

/// serde stops at its first problem, so each key is tried alone.
#[cfg(feature = "loopback")]
fn check_loopback(settings: &serde_json::Value) -> Vec<(String, String)> {
    let Some(settings) = settings.as_object() else {
        return Vec::new();
    };
    let tried = settings.iter().map(|(key, value)| {
        let alone = serde_json::json!({ key: value });
        (
            key,
            serde_json::from_value::<isthmus_loopback::Config>(alone),
        )
    });
    tried
        .filter_map(|(key, read)| Some((key.clone(), read.err()?.to_string())))
        .collect()
}

#[cfg(feature = "loopback")]
fn build_loopback(settings: &serde_json::Value) -> Result<Arc<dyn Gateway>, String> {
    let config = serde_json::from_value(settings.clone()).map_err(|error| error.to_string())?;
    Ok(Arc::new(isthmus_loopback::Loopback::new(config)))
}
