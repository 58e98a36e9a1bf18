//! The typed settings of the SMS gateway: the keys of `[gateway.sms]` that the host does not use
//! itself.
//!
//! Read from a tree of values, so that this package needs no configuration library; every problem
//! is found in one pass. [`KEYS`] documents each key for the generated sample.

mod keys;
mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use isthmus_kit::Trust;
use serde_json::Value;

pub use self::keys::KEYS;
use crate::address;
use crate::translate::text::Alphabet;
pub use isthmus_kit::settings::{Key, Problem, Secret};

/// A carrier that is reached by SMPP.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who we are.
    pub system_id: String,
    /// How we prove it.
    pub password: Secret,
    /// What kind of system we are, where the carrier asks for it.
    pub system_type: String,
    /// Submissions without a response, at most.
    pub window: u32,
    /// Submissions a second; 0: no limit.
    pub rate: f64,
    /// `None`: no TLS.
    pub tls: Option<Trust>,
    /// What data coding 0 means.
    pub alphabet: Alphabet,
    /// Write numbers with a plus sign.
    pub plus: bool,
    /// Where the numbers of the carrier's own country belong to; empty: where the line does.
    pub region: String,
    /// Silence after which the carrier is asked whether it is there.
    pub keep_alive: Duration,
    /// How long a response may take.
    pub response_timeout: Duration,
}

/// One of our own numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Through which carrier.
    pub carrier: String,
    /// Whose it is: names and servers.
    pub users: Vec<(String, String)>,
    /// Whoever may use the gateway can register with it.
    pub open: bool,
}

/// The settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// By name.
    pub carriers: BTreeMap<String, Carrier>,
    /// By number.
    pub lines: BTreeMap<String, Line>,
    /// For national numbers of users who have set no region of their own; empty: none.
    pub region: String,
    /// Parts of one message, at most.
    pub max_parts: u8,
    /// How long the parts of a message are waited for.
    pub join_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            carriers: BTreeMap::new(),
            lines: BTreeMap::new(),
            region: String::new(),
            max_parts: 10,
            join_timeout: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// Reads the keys below `[gateway.sms]`. All problems are told at once.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Problem>> {
        read::config(value)
    }

    /// The line a carrier means by `number`.
    pub fn line(&self, number: &str) -> Option<(&str, &Line)> {
        let bare = number.trim().trim_start_matches('+');
        let found = self
            .lines
            .iter()
            .find(|(line, _)| line.trim_start_matches('+') == bare);
        let found = found.or_else(|| {
            // A carrier that writes numbers of its own country without the country code.
            let mut carriers = self
                .carriers
                .values()
                .map(|carrier| carrier.region.as_str());
            let line = carriers.find_map(|region| address::line(bare, region))?;
            self.lines.get_key_value(&line)
        });
        found.map(|(number, line)| (number.as_str(), line))
    }
}

#[cfg(test)]
mod tests;
