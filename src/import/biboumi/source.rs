//! biboumi 9's SQLite database, as it is read. Never written: it is opened read-only, and the
//! tables have to be those of version 9.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row, params};

use crate::import::ImportFault;

/// Tables with the columns that are read. An older biboumi lacks some, a newer one may have more.
const TABLES: [(&str, &[&str]); 6] = [
    (
        "muclogline_",
        &[
            "id_",
            "uuid_",
            "owner_",
            "ircchanname_",
            "ircservername_",
            "date_",
            "body_",
            "nick_",
        ],
    ),
    (
        "globaloptions_",
        &[
            "owner_",
            "maxhistorylength_",
            "recordhistory_",
            "persistent_",
        ],
    ),
    (
        "ircserveroptions_",
        &[
            "id_",
            "owner_",
            "server_",
            "pass_",
            "tlsports_",
            "ports_",
            "username_",
            "realname_",
            "verifycert_",
            "trustedfingerprint_",
            "encodingout_",
            "encodingin_",
            "maxhistorylength_",
            "address_",
            "nick_",
            "saslpassword_",
            "throttlelimit_",
        ],
    ),
    (
        "ircchanneloptions_",
        &[
            "owner_",
            "server_",
            "channel_",
            "encodingout_",
            "encodingin_",
            "maxhistorylength_",
            "persistent_",
            "recordhistory_",
        ],
    ),
    ("roster", &["local", "remote"]),
    (
        "after_connection_commands_",
        &["id_", "fk_", "afterconnectioncommand_"],
    ),
];

/// What a user has set for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Global {
    pub(super) max_history: Option<i64>,
    pub(super) record: Option<bool>,
    pub(super) persistent: Option<bool>,
}

/// What a user has set for one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) pass: String,
    pub(super) sasl_password: String,
    pub(super) tls_ports: Option<String>,
    pub(super) ports: Option<String>,
    pub(super) username: String,
    pub(super) realname: String,
    pub(super) verify: Option<bool>,
    pub(super) fingerprint: String,
    pub(super) encoding_out: String,
    pub(super) encoding_in: String,
    pub(super) max_history: Option<i64>,
    pub(super) address: String,
    pub(super) nick: String,
    pub(super) throttle: Option<i64>,
    pub(super) commands: Vec<String>,
}

/// What a user has set for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) server: String,
    pub(super) name: String,
    pub(super) encoding_out: String,
    pub(super) encoding_in: String,
    pub(super) max_history: Option<i64>,
    pub(super) persistent: Option<bool>,
    /// 0: as for all; 1: yes; 2: no, as biboumi writes an `OptionalBool`.
    pub(super) record: Option<bool>,
}

/// One line of a channel, as one user saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) uuid: String,
    /// Seconds since the Unix epoch.
    pub(super) date: i64,
    pub(super) body: String,
    pub(super) nick: String,
}

/// The database.
pub(super) struct Source {
    db: Connection,
    path: PathBuf,
}

impl Source {
    /// Opens it and looks whether it is what it should be.
    pub(super) fn open(path: &Path) -> Result<Self, ImportFault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags);
        let db = opened.map_err(|error| at(path, error.to_string()))?;
        let this = Self {
            db,
            path: path.to_owned(),
        };
        // One view of it, whatever happens meanwhile.
        this.ask(|db| db.execute_batch("PRAGMA query_only = ON; BEGIN"))?;
        this.check()?;
        Ok(this)
    }

    fn check(&self) -> Result<(), ImportFault> {
        for (table, columns) in TABLES {
            let found: BTreeSet<String> = self.ask(|db| {
                let mut info = db.prepare("SELECT lower(name) FROM pragma_table_info(?1)")?;
                info.query_map([table], |row| row.get(0))?.collect()
            })?;
            let missing = match found.is_empty() {
                true => Some(format!("table {table}")),
                false => columns
                    .iter()
                    .find(|column| !found.contains(**column))
                    .map(|column| format!("column {column} of table {table}")),
            };
            if let Some(missing) = missing {
                let words = format!(
                    "this is no database of biboumi 9: {missing} is missing; start biboumi 9 \
                     with it once, it brings older databases up to date"
                );
                return Err(at(&self.path, words));
            }
        }
        Ok(())
    }

    /// Everybody it knows, as written there.
    pub(super) fn owners(&self) -> Result<Vec<String>, ImportFault> {
        self.ask(|db| {
            let sql = "SELECT owner_ FROM globaloptions_ UNION SELECT owner_ FROM ircserveroptions_ \
                       UNION SELECT owner_ FROM ircchanneloptions_ \
                       UNION SELECT DISTINCT owner_ FROM muclogline_ \
                       UNION SELECT remote FROM roster ORDER BY 1";
            let mut owners = db.prepare(sql)?;
            let found = owners.query_map([], |row| text(row, 0))?;
            found.collect()
        })
    }

    pub(super) fn global(&self, owner: &str) -> Result<Option<Global>, ImportFault> {
        let sql = "SELECT maxhistorylength_, recordhistory_, persistent_ FROM globaloptions_ \
                   WHERE owner_ = ?1 ORDER BY id_ DESC LIMIT 1";
        let found = self.rows(sql, owner, |row| {
            Ok(Global {
                max_history: row.get(0)?,
                record: row.get(1)?,
                persistent: row.get(2)?,
            })
        })?;
        Ok(found.into_iter().next())
    }

    pub(super) fn servers(&self, owner: &str) -> Result<Vec<Server>, ImportFault> {
        let sql = "SELECT id_, server_, pass_, saslpassword_, tlsports_, ports_, username_, \
                   realname_, verifycert_, trustedfingerprint_, encodingout_, encodingin_, \
                   maxhistorylength_, address_, nick_, throttlelimit_ FROM ircserveroptions_ \
                   WHERE owner_ = ?1 ORDER BY id_";
        let found = self.rows(sql, owner, |row| {
            let server = Server {
                name: text(row, 1)?,
                pass: text(row, 2)?,
                sasl_password: text(row, 3)?,
                tls_ports: row.get(4)?,
                ports: row.get(5)?,
                username: text(row, 6)?,
                realname: text(row, 7)?,
                verify: row.get(8)?,
                fingerprint: text(row, 9)?,
                encoding_out: text(row, 10)?,
                encoding_in: text(row, 11)?,
                max_history: row.get(12)?,
                address: text(row, 13)?,
                nick: text(row, 14)?,
                throttle: row.get(15)?,
                commands: Vec::new(),
            };
            Ok((row.get::<_, i64>(0)?, server))
        })?;
        let mut servers = Vec::new();
        for (id, mut server) in found {
            server.commands = self.ask(|db| {
                let sql = "SELECT afterconnectioncommand_ FROM after_connection_commands_ \
                           WHERE fk_ = ?1 ORDER BY id_";
                let mut commands = db.prepare_cached(sql)?;
                commands.query_map([id], |row| text(row, 0))?.collect()
            })?;
            servers.push(server);
        }
        Ok(servers)
    }

    pub(super) fn channels(&self, owner: &str) -> Result<Vec<Channel>, ImportFault> {
        let sql = "SELECT server_, channel_, encodingout_, encodingin_, maxhistorylength_, \
                   persistent_, recordhistory_ FROM ircchanneloptions_ WHERE owner_ = ?1 \
                   ORDER BY id_";
        self.rows(sql, owner, |row| {
            Ok(Channel {
                server: text(row, 0)?,
                name: text(row, 1)?,
                encoding_out: text(row, 2)?,
                encoding_in: text(row, 3)?,
                max_history: row.get(4)?,
                persistent: row.get(5)?,
                record: match row.get::<_, Option<i64>>(6)? {
                    Some(RECORD_YES) => Some(true),
                    Some(RECORD_NO) => Some(false),
                    _ => None,
                },
            })
        })
    }

    /// Addresses of the gateway that a user has a subscription with.
    pub(super) fn roster(&self, owner: &str) -> Result<Vec<String>, ImportFault> {
        let sql = "SELECT DISTINCT local FROM roster WHERE remote = ?1 ORDER BY local";
        self.rows(sql, owner, |row| text(row, 0))
    }

    /// Channels and servers of which lines of a user are kept.
    pub(super) fn logs(&self, owner: &str) -> Result<Vec<(String, String)>, ImportFault> {
        let sql = "SELECT DISTINCT ircchanname_, ircservername_ FROM muclogline_ \
                   WHERE owner_ = ?1 ORDER BY 2, 1";
        self.rows(sql, owner, |row| Ok((text(row, 0)?, text(row, 1)?)))
    }

    /// Hands over the lines of a channel, in their order, until `each` fails.
    pub(super) fn lines<E: From<ImportFault>>(
        &self,
        owner: &str,
        (channel, server): &(String, String),
        mut each: impl FnMut(Line) -> Result<(), E>,
    ) -> Result<(), E> {
        let fault = |error: rusqlite::Error| E::from(at(&self.path, error.to_string()));
        let sql = "SELECT uuid_, date_, body_, nick_ FROM muclogline_ WHERE owner_ = ?1 \
                   AND ircchanname_ = ?2 AND ircservername_ = ?3 ORDER BY id_";
        let mut statement = self.db.prepare_cached(sql).map_err(fault)?;
        let mut rows = statement
            .query(params![owner, channel, server])
            .map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let line = || {
                Ok(Line {
                    uuid: text(row, 0)?,
                    date: row.get::<_, Option<i64>>(1)?.unwrap_or(0),
                    body: text(row, 2)?,
                    nick: text(row, 3)?,
                })
            };
            each(line().map_err(fault)?)?;
        }
        Ok(())
    }

    fn rows<T>(
        &self,
        sql: &str,
        owner: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ImportFault> {
        self.ask(|db| db.prepare_cached(sql)?.query_map([owner], read)?.collect())
    }

    fn ask<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ImportFault> {
        ask(&self.db).map_err(|error| at(&self.path, error.to_string()))
    }
}

/// What biboumi keeps where a channel's own setting says yes.
const RECORD_YES: i64 = 1;
/// And where it says no. 0: as for all channels.
const RECORD_NO: i64 = -1;

/// SQLite keeps any bytes as text; what is no UTF-8 among them is shown as such.
fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    let value = row.get_ref(at)?;
    let bytes = value.as_bytes_or_null().unwrap_or(None).unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn at(path: &Path, problem: String) -> ImportFault {
    ImportFault::Source {
        path: path.to_owned(),
        problem,
    }
}
