//! Settings: what a user may change of how a gateway serves him.
//!
//! A gateway declares tables of [`Field`]s, one for each [`Kind`] of address that can have
//! settings: the gateway itself (for the user as a whole), a network, a room. That is all it has to
//! do to be configured: the host shows a table as the ad-hoc command `configure` of that address,
//! a room's also in its `muc#owner` form, and takes `set`, `get` and `unset` in a chat with the
//! address. It checks every value against its field, keeps values sealed, never shows a secret
//! again, and hands a session what was set: to [`Gateway::open`](crate::Gateway::open) at first, to
//! [`Session::settings`](crate::Session::settings) whenever it changes.
//!
//! # How to declare
//!
//! ```
//! use isthmus_gateway::{Field, FieldKind, SettingTables};
//!
//! let tables = SettingTables {
//!     network: vec![
//!         // A default is the value of the field. What equals it is not kept.
//!         Field::new("port", "Port", FieldKind::Number).range(1, 65_535).value("6697"),
//!         // XEP-0122 regex: a POSIX extended regular expression that the whole value matches.
//!         Field::new("nick", "Nickname", FieldKind::Text).pattern("[^ ,:#&][^ ,]*"),
//!         // Never shown again; who leaves it empty in a form keeps the one that holds.
//!         Field::new("pass", "Password", FieldKind::Secret),
//!         // Several lines, joined by "\n" in the value.
//!         Field::new("after_connect_commands", "After connecting", FieldKind::Lines),
//!     ],
//!     ..SettingTables::default()
//! };
//! assert!(tables.room.is_empty());
//! ```
//!
//! A table whose defaults depend on the address (an operator's own networks) is the answer of
//! [`Gateway::settings`](crate::Gateway::settings) instead of the manifest's.
//!
//! Names are the words of `set`: lower case, digits, `_`. They must not change, users' scripts
//! know them. `language`, `record_history`, `max_history_length` and `persistent` are the host's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Field, Kind, Words};

/// Values by the names of their fields.
pub type Values = BTreeMap<String, String>;

/// What can be set, by the kind of address that has the setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingTables {
    /// Of the gateway: for the user, on all networks.
    pub gateway: Vec<Field>,
    /// Of each network.
    pub network: Vec<Field>,
    /// Of each room.
    pub room: Vec<Field>,
}

impl SettingTables {
    /// The table for a kind of address; empty where there is none.
    pub fn of(&self, kind: Kind) -> &[Field] {
        match kind {
            Kind::Gateway => &self.gateway,
            Kind::Network => &self.network,
            Kind::Room | Kind::Group => &self.room,
            Kind::Contact | Kind::Pattern => &[],
        }
    }
}

/// What a user has set, as far as it concerns one network: the defaults are not in it. Values may
/// be secret: `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// On all networks.
    pub gateway: Values,
    /// On this network.
    pub network: Values,
    /// In its rooms, by the room's id in lower case.
    pub rooms: BTreeMap<String, Values>,
}

impl Settings {
    /// What is set of `key` on the network, else for all networks.
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = self.network.get(key).or_else(|| self.gateway.get(key));
        value.map(String::as_str)
    }

    /// What is set of `key` in a room, else on the network, else for all networks.
    pub fn in_room(&self, room: &str, key: &str) -> Option<&str> {
        let own = match self.rooms.is_empty() {
            true => None,
            false => self.rooms.get(&room.to_lowercase()),
        };
        let value = own.and_then(|own| own.get(key)).map(String::as_str);
        value.or_else(|| self.get(key))
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |values: &Values| values.keys().cloned().collect::<Vec<_>>();
        let rooms = self.rooms.iter();
        f.debug_struct("Settings")
            .field("gateway", &names(&self.gateway))
            .field("network", &names(&self.network))
            .field(
                "rooms",
                &rooms.map(|(id, it)| (id, names(it))).collect::<Vec<_>>(),
            )
            .finish()
    }
}

/// A command of the gateway's own. The host lists it, and asks what the gateway wants to be asked:
/// each step is a [`Gateway::dialog`](crate::Gateway::dialog) of that name, the first one without
/// fields and with the address in [`Dialog::at`](crate::Dialog::at).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Its node (XEP-0050), and the name of its dialogs.
    pub node: String,
    /// Its name for people.
    pub name: Words,
    /// The words that call it in a chat; empty: the node, with spaces for `-`.
    #[serde(default)]
    pub words: String,
    /// Which addresses have it: the gateway, networks or rooms.
    pub on: Kind,
    /// Only those who run the gateway see it, and may use it.
    #[serde(default)]
    pub admin: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_that_sets_a_value_wins() {
        let one = |value: &str| Values::from([("encoding".to_owned(), value.to_owned())]);
        let mut settings = Settings {
            gateway: one("utf-8"),
            ..Settings::default()
        };
        assert_eq!(settings.in_room("#Garden", "encoding"), Some("utf-8"));
        settings.network = one("latin1");
        assert_eq!(settings.get("encoding"), Some("latin1"));
        settings.rooms.insert("#garden".into(), one("koi8-r"));
        assert_eq!(settings.in_room("#Garden", "encoding"), Some("koi8-r"));
        assert_eq!(settings.in_room("#other", "encoding"), Some("latin1"));
        assert_eq!(settings.get("other"), None);
    }

    #[test]
    fn settings_show_no_values_when_debugged() {
        let mut settings = Settings::default();
        settings.network.insert("pass".into(), "hunter2".into());
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("pass") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
