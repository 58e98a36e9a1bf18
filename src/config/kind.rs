//! What the configuration must know of a gateway kind: its keys and how to check them.

use std::path::Path;
use std::sync::Arc;

use isthmus_gateway::{Gateway, Later};
pub use isthmus_kit::Key;
use serde_json::Value;

/// A kind of gateway, as far as the configuration goes.
#[derive(Clone, Copy, Debug)]
pub struct GatewayKind {
    /// What `kind` says; also the default name of the table.
    pub name: &'static str,
    /// The keys that only this kind has.
    pub keys: &'static [Key],
    /// Checks those keys: the path below the table and what was found and expected, for each
    /// problem.
    pub check: fn(&Value) -> Vec<(String, String)>,
    /// Makes the gateway from those keys; what is wrong, in words.
    pub build: fn(&Place<'_>, &Value) -> Later<Built>,
}

/// A gateway that was made, or what is wrong, in words.
pub type Built = Result<Arc<dyn Gateway>, String>;

/// Where a gateway is served.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its name in the configuration.
    pub name: &'a str,
    /// The domain it serves.
    pub domain: &'a str,
    /// The folder of what is kept on disk.
    pub folder: &'a Path,
}

impl GatewayKind {
    /// The documentation of a key, by its path; names chosen by the operator match `NAME`.
    pub(super) fn doc(&self, path: &[&str]) -> Option<&'static Key> {
        self.keys.iter().find(|doc| {
            let mut parts = doc.key.split('.');
            let same = path.iter().all(|part| {
                parts
                    .next()
                    .is_some_and(|known| known == "NAME" || known == *part)
            });
            same && parts.next().is_none()
        })
    }
}

/// True when the default or the example of a key is a value that begins so.
pub(super) fn takes(doc: &Key, begin: char) -> bool {
    let example = doc
        .example
        .split_once('=')
        .map_or("", |(_, value)| value.trim_start());
    doc.default.starts_with(begin) || example.starts_with(begin)
}
