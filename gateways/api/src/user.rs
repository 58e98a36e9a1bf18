//! Who a session or a job belongs to. A gateway never sees a JID.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The host's number for a user; the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(pub i64);

/// A user as a gateway sees him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The host's number.
    pub id: UserId,
    /// His name at his server, unescaped: a default for nicknames and the like.
    pub local: String,
    /// His server.
    pub domain: String,
    /// The language he reads (BCP 47); empty: not known.
    pub lang: String,
    /// The region his national numbers belong to (ISO 3166); empty: not known.
    pub region: String,
}

/// The foreign credentials and settings of a user: field names and values. Values may be secret:
/// `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// By field name.
    pub fields: BTreeMap<String, String>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}
