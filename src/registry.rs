//! The only file that names concrete gateways: one entry each, behind its cargo feature.

use std::sync::Arc;

use isthmus_gateway::{Gateway, Later};

use crate::config::{Built, GatewayConfig, GatewayKind, Place};

/// The gateway kinds of this build, in the order of the sample.
pub const KINDS: &[GatewayKind] = &[
    #[cfg(feature = "irc")]
    GatewayKind {
        name: "irc",
        keys: isthmus_irc::KEYS,
        check: irc::check,
        build: irc::build,
    },
    #[cfg(feature = "smtp")]
    GatewayKind {
        name: "smtp",
        keys: isthmus_smtp::KEYS,
        check: smtp::check,
        build: smtp::build,
    },
    #[cfg(feature = "sms")]
    GatewayKind {
        name: "sms",
        keys: isthmus_sms::KEYS,
        check: sms::check,
        build: sms::build,
    },
    #[cfg(feature = "exec")]
    GatewayKind {
        name: "exec",
        keys: isthmus_exec::KEYS,
        check: exec::check,
        build: exec::build,
    },
    #[cfg(feature = "loopback")]
    GatewayKind {
        name: "loopback",
        keys: loopback::KEYS,
        check: loopback::check,
        build: loopback::build,
    },
];

/// Makes the gateway that a table of the configuration describes; what is wrong, in words.
pub fn build(config: &GatewayConfig, folder: &std::path::Path) -> Later<Built> {
    let place = Place {
        name: &config.name,
        domain: &config.domain,
        folder,
    };
    match KINDS.iter().find(|kind| kind.name == config.kind) {
        Some(kind) => (kind.build)(&place, &config.settings.0),
        None => {
            let text = format!("this build has no gateway of kind {}", config.kind);
            Box::pin(async { Err(text) })
        }
    }
}

/// A gateway that is made at once.
#[allow(dead_code, reason = "a build may have no gateway of these")]
fn ready(made: Result<impl Gateway + 'static, String>) -> Later<Built> {
    let made = made.map(|gateway| Arc::new(gateway) as Arc<dyn Gateway>);
    Box::pin(async { made })
}

/// What a gateway's package says of its keys and of its settings, in the words used here.
#[allow(unused_macros, reason = "a build may have no gateway of these")]
macro_rules! kind {
    ($package:ident) => {
        pub(super) fn check(settings: &Value) -> Vec<(String, String)> {
            let problems = $package::Config::from_value(settings)
                .err()
                .unwrap_or_default();
            let told = problems
                .into_iter()
                .map(|problem| (problem.key, problem.text));
            told.collect()
        }

        fn settings(settings: &Value) -> Result<$package::Config, String> {
            $package::Config::from_value(settings).map_err(|problems| {
                let told = problems
                    .iter()
                    .map(|problem| format!("{}: {}", problem.key, problem.text));
                told.collect::<Vec<_>>().join("; ")
            })
        }
    };
}

#[cfg(feature = "irc")]
mod irc {
    use serde_json::Value;

    use super::*;

    kind!(isthmus_irc);

    pub(super) fn build(_: &Place<'_>, keys: &Value) -> Later<Built> {
        let dial = Arc::new(isthmus_kit::Tcp::default());
        ready(settings(keys).map(|config| isthmus_irc::Irc::new(config, dial)))
    }
}

#[cfg(feature = "smtp")]
mod smtp {
    use serde_json::Value;

    use super::*;

    kind!(isthmus_smtp);

    pub(super) fn build(place: &Place<'_>, keys: &Value) -> Later<Built> {
        ready(settings(keys).map(|config| isthmus_smtp::Smtp::new(config, place.domain)))
    }
}

#[cfg(feature = "sms")]
mod sms {
    use serde_json::Value;

    use super::*;

    kind!(isthmus_sms);

    pub(super) fn build(_: &Place<'_>, keys: &Value) -> Later<Built> {
        ready(settings(keys).map(isthmus_sms::Sms::new))
    }
}

#[cfg(feature = "exec")]
mod exec {
    use serde_json::Value;

    use super::*;

    kind!(isthmus_exec);

    pub(super) fn build(place: &Place<'_>, keys: &Value) -> Later<Built> {
        let place = isthmus_exec::Place {
            name: place.name.to_owned(),
            domain: place.domain.to_owned(),
            dir: place.folder.join("plugins").join(place.name),
        };
        let config = settings(keys);
        Box::pin(async move {
            let exec = isthmus_exec::Exec::start_plugin(place, config?).await?;
            Ok(Arc::new(exec) as Arc<dyn Gateway>)
        })
    }
}

#[cfg(feature = "loopback")]
mod loopback {
    use serde_json::Value;

    use super::*;
    use crate::config::Key;

    pub(super) const KEYS: &[Key] = &[
        Key::new(
            "echo",
            "true",
            "A resident of every room answers what is said.",
            "echo = true",
        ),
        Key::new(
            "misbehave",
            "false",
            "Some names stand for a gateway that breaks its contract.",
            "misbehave = false",
        ),
        Key::new(
            "delay_ms",
            "1000",
            "Milliseconds until what is late comes.",
            "delay_ms = 1000",
        ),
        Key::new(
            "retry_ms",
            "1000",
            "Milliseconds until a broken connection is tried again.",
            "retry_ms = 1000",
        ),
        Key::new(
            "backlog",
            "100000",
            "Events that may wait in one session.",
            "backlog = 100000",
        ),
        Key::new("rooms", "10000", "Rooms on one network.", "rooms = 10000"),
        Key::new(
            "caps",
            "",
            "What the network can express; what is left out is off.",
            "caps = { rooms = true, typing = true, max_text = 400 }",
        ),
    ];

    /// serde stops at its first problem, so each key is tried alone.
    pub(super) fn check(settings: &Value) -> Vec<(String, String)> {
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

    pub(super) fn build(_: &Place<'_>, keys: &Value) -> Later<Built> {
        let config = serde_json::from_value(keys.clone()).map_err(|error| error.to_string());
        ready(config.map(isthmus_loopback::Loopback::new))
    }
}
