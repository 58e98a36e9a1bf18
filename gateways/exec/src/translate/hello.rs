//! The handshake: `initialize`, and what the plugin says of itself.

use isthmus_gateway::{Caps, Field, Identity, Manifest, Offered, SettingTables, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::address::{Spelled, Templates};

/// The one version of the wire.
const PROTOCOL: u32 = 1;

/// What the plugin is told first.
#[derive(Serialize)]
pub(crate) struct Initialize<'a> {
    pub(crate) protocol: [u32; 1],
    pub(crate) domain: &'a str,
    pub(crate) config: &'a Map<String, Value>,
    pub(crate) spool: &'a str,
    pub(crate) lang: &'a str,
    pub(crate) limits: Limits,
}

/// What holds between host and plugin.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Limits {
    /// Longest line in bytes.
    pub(crate) line: usize,
    /// Requests that may be open at once, in each direction.
    pub(crate) window: usize,
    /// Events of one session that may be sent ahead.
    pub(crate) credit: u32,
    /// Seconds in which a request must be answered.
    pub(crate) timeout: u64,
}

impl<'a> Initialize<'a> {
    pub(crate) fn new(
        domain: &'a str,
        config: &'a Map<String, Value>,
        spool: &'a str,
        lang: &'a str,
        limits: Limits,
    ) -> Self {
        Self {
            protocol: [PROTOCOL],
            domain,
            config,
            spool,
            lang,
            limits,
        }
    }
}

/// What a plugin is, for as long as the gateway is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) manifest: Manifest,
    pub(crate) templates: Templates,
    /// It takes jobs.
    pub(crate) courier: bool,
}

#[derive(Deserialize)]
struct Said {
    protocol: u32,
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    identities: Vec<Identity>,
    #[serde(default)]
    caps: Caps,
    address: Value,
    #[serde(default)]
    register: Vec<Field>,
    #[serde(default)]
    prompt: Words,
    #[serde(default)]
    idempotent: bool,
    #[serde(default)]
    settings: SettingTables,
    #[serde(default)]
    commands: Vec<Offered>,
    #[serde(default)]
    courier: bool,
}

/// Reads the answer to `initialize`; what is wrong with it, in words.
pub(crate) fn read(result: &str) -> Result<Hello, String> {
    let said: Said = serde_json::from_str(result)
        .map_err(|error| format!("its answer to initialize makes no sense: {error}"))?;
    if said.protocol != PROTOCOL {
        let found = said.protocol;
        return Err(format!("it speaks protocol {found}, expected {PROTOCOL}"));
    }
    if said.address == "call" {
        // Addresses are read for every stanza and never wait for a program.
        return Err("address \"call\" is not supported: expected templates".into());
    }
    let spelled = Spelled::deserialize(&said.address)
        .map_err(|error| format!("its address templates make no sense: {error}"))?;
    let templates = Templates::read(&spelled)?;
    let identities = match said.identities.is_empty() {
        false => said.identities,
        true => vec![Identity {
            category: "gateway".into(),
            kind: said.name.clone(),
            name: said.name.clone(),
        }],
    };
    Ok(Hello {
        manifest: Manifest {
            name: said.name,
            version: said.version,
            identities,
            caps: said.caps,
            register: said.register,
            prompt: said.prompt,
            idempotent: said.idempotent,
            settings: said.settings,
            commands: said.commands,
        },
        templates,
        courier: said.courier,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_enough() {
        let hello = read(r##"{"protocol":1,"name":"echo","address":{"contact":"{id}"}}"##);
        let hello = hello.expect("a good answer");
        assert_eq!(hello.manifest.name, "echo");
        assert_eq!(hello.manifest.identities[0].category, "gateway");
        assert!(!hello.courier && !hello.manifest.idempotent);
    }

    #[test]
    fn what_cannot_be_served_is_said_in_words() {
        let why = |result: &str| read(result).expect_err("not to be served");
        let address = r#""address":{"contact":"{id}"}"#;
        assert!(why(&format!(r#"{{"protocol":2,"name":"x",{address}}}"#)).contains("protocol 2"));
        assert!(why(r#"{"protocol":1,"name":"x","address":"call"}"#).contains("templates"));
        assert!(why(r#"{"protocol":1,"name":"x"}"#).contains("address"));
        assert!(why("null").contains("no sense"));
        let both = r#"{"protocol":1,"name":"x","address":{"contact":"{id}","room":"{id}"}}"#;
        assert!(why(both).contains("same template"));
    }
}
