//! Contacts, and everything of one user.

use rusqlite::{Connection, params};

use super::SqliteStore;
use super::queue::Write;
use super::sql::{self, gateway_id, user_id};
use crate::store::contacts::{Contact, Contacts, Item, Standing};
use crate::store::{Later, StoreFault};

type Sql<T> = rusqlite::Result<T>;

/// What is shown of a user: the kind, the columns, and a query with them in that order for a user
/// (`?1`), a gateway (`?2`) and a number of rows (`?3`).
type Shown = (&'static str, &'static [&'static str], &'static str);

const SHOWN: [Shown; 5] = [
    (
        "contact",
        &["address", "standing"],
        "SELECT local, standing FROM contact WHERE user = ?1 AND gateway = ?2 LIMIT ?3",
    ),
    (
        "setting",
        &["name", "value"],
        "SELECT name, CAST(value AS TEXT) FROM kept WHERE user = ?1 AND gateway = ?2 LIMIT ?3",
    ),
    (
        "job",
        &["id", "created", "message"],
        "SELECT id, created, CAST(message AS TEXT) FROM job \
         WHERE user = ?1 AND gateway = ?2 ORDER BY id DESC LIMIT ?3",
    ),
    (
        "message",
        &["peer", "at", "nick", "stanza"],
        "SELECT p.address, m.at, m.nick, CAST(m.stanza AS TEXT) FROM message m \
         JOIN conversation c ON c.id = m.conversation JOIN peer p ON p.id = c.peer \
         WHERE c.user = ?1 AND p.gateway = ?2 ORDER BY m.at DESC LIMIT ?3",
    ),
    (
        "reference",
        &["peer", "key", "stanza", "until"],
        "SELECT peer, key, stanza, until FROM reference \
         WHERE user = ?1 AND gateway = ?2 ORDER BY until DESC LIMIT ?3",
    ),
];

/// What is removed of a user, in an order that no reference forbids.
const REMOVED: [&str; 9] = [
    "DELETE FROM message WHERE conversation IN (SELECT c.id FROM conversation c \
     JOIN peer p ON p.id = c.peer WHERE c.user = ?1 AND p.gateway = ?2)",
    "DELETE FROM conversation WHERE user = ?1 \
     AND peer IN (SELECT id FROM peer WHERE gateway = ?2)",
    "DELETE FROM peer_kept WHERE user = ?1 AND peer IN (SELECT id FROM peer WHERE gateway = ?2)",
    "DELETE FROM reference WHERE user = ?1 AND gateway = ?2",
    "DELETE FROM taken WHERE user = ?1 AND gateway = ?2",
    "DELETE FROM kept WHERE user = ?1 AND gateway = ?2",
    "DELETE FROM sealed WHERE user = ?1 AND gateway = ?2",
    "DELETE FROM contact WHERE user = ?1 AND gateway = ?2",
    "DELETE FROM job WHERE user = ?1 AND gateway = ?2 AND open = 0",
];

pub(super) fn stand(db: &Connection, it: &Contact) -> Sql<()> {
    let (user, gateway) = (user_id(db, &it.user)?, gateway_id(db, &it.gateway)?);
    if it.standing.is_nothing() {
        db.prepare_cached("DELETE FROM contact WHERE user = ?1 AND gateway = ?2 AND local = ?3")?
            .execute(params![user, gateway, it.local])?;
        return Ok(());
    }
    db.prepare_cached(
        "INSERT OR REPLACE INTO contact (user, gateway, local, standing) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![user, gateway, it.local, it.standing.to_number()])?;
    Ok(())
}

fn contacts(db: &Connection, gateway: &str) -> Sql<Vec<Contact>> {
    let id = gateway_id(db, gateway)?;
    let mut found = db.prepare_cached(
        "SELECT user.jid, contact.local, contact.standing FROM contact \
         JOIN user ON user.id = contact.user WHERE contact.gateway = ?1",
    )?;
    let rows = found.query_map([id], |row| {
        Ok(Contact {
            user: row.get(0)?,
            gateway: gateway.to_owned(),
            local: row.get(1)?,
            standing: Standing::from_number(row.get(2)?),
        })
    })?;
    rows.collect()
}

fn all_of(db: &Connection, user: &str, gateway: &str, most: usize) -> Sql<Vec<Item>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut all = Vec::new();
    for (kind, names, query) in SHOWN {
        let mut found = db.prepare_cached(query)?;
        let mut rows = found.query(params![user, gateway, most])?;
        while let Some(row) = rows.next()? {
            let mut columns = Vec::with_capacity(names.len());
            for (at, name) in names.iter().enumerate() {
                columns.push((*name, text(row.get_ref(at)?)));
            }
            all.push(Item { kind, columns });
        }
    }
    Ok(all)
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

fn forget(db: &Connection, user: &str, gateway: &str) -> Sql<()> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    for removed in REMOVED {
        db.execute(removed, params![user, gateway])?;
    }
    Ok(())
}

impl Contacts for SqliteStore {
    fn stand(&self, contact: Contact) {
        self.queue.write(Write::Contact(contact));
    }

    fn contacts(&self, gateway: &str) -> Later<Result<Vec<Contact>, StoreFault>> {
        let gateway = gateway.to_owned();
        self.ask(move |db| contacts(db, &gateway).map_err(|e| sql::fault(&e)))
    }

    fn all_of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> Later<Result<Vec<Item>, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        self.ask(move |db| all_of(db, &user, &gateway, most).map_err(|e| sql::fault(&e)))
    }

    fn forget(&self, user: &str, gateway: &str) -> Later<Result<(), StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        self.ask(move |db| forget(db, &user, &gateway).map_err(|e| sql::fault(&e)))
    }
}
