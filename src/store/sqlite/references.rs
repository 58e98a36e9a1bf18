//! Messages that are known on both sides: foreign ids and the ids that clients use.
//!
//! What others say in rooms is found in the archive, which has it anyway; what the user himself
//! says, and all that is said privately, has a row in `reference`.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::sql::{gateway_id, user_id};
use crate::store::jobs::Returned;
use crate::store::{ConversationId, Known, NewReference};
use crate::xmpp::tombstone::entombed;

type Sql<T> = rusqlite::Result<T>;

/// Messages of a room, from the newest, among which an id is looked for: they have no index by id,
/// which each message would pay for.
const NEWEST: i64 = 50_000;

pub(super) fn refer(db: &Connection, it: &NewReference) -> Sql<()> {
    let (user, gateway) = (user_id(db, &it.user)?, gateway_id(db, &it.gateway)?);
    db.prepare_cached(
        "INSERT OR REPLACE INTO reference \
         (gateway, key, user, stanza, job, copy, part, until, peer, mine) \
         VALUES (?1, ?2, ?3, ?4, NULL, 0, 0, ?5, ?6, ?7)",
    )?
    .execute(params![
        gateway, it.key, user, it.stanza, it.until, it.peer, it.mine
    ])?;
    Ok(())
}

pub(super) fn rewrite(db: &Connection, of: ConversationId, id: &str, stone: &[u8]) -> Sql<()> {
    let found: Option<(i64, Vec<u8>)> = db
        .prepare_cached(
            "SELECT number, stanza FROM message \
             WHERE conversation = ?1 AND stanza_id = ?2 AND number > \
             (SELECT max(number) FROM message WHERE conversation = ?1) - ?3 \
             ORDER BY number DESC LIMIT 1",
        )?
        .query_row(params![of.0, id, NEWEST], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((number, stanza)) = found else {
        return Ok(());
    };
    db.prepare_cached("UPDATE message SET stanza = ?3 WHERE conversation = ?1 AND number = ?2")?
        .execute(params![of.0, number, entombed(&stanza, stone)])?;
    Ok(())
}

pub(super) fn known(
    db: &Connection,
    user: &str,
    gateway: &str,
    peer: &str,
    id: &str,
) -> Sql<Option<Known>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    let referred = db
        .prepare_cached(
            "SELECT key, stanza, mine FROM reference \
             WHERE gateway = ?1 AND user = ?2 AND stanza = ?3 AND peer = ?4 ORDER BY copy, part",
        )?
        .query_row(params![gateway, user, id, peer], private)
        .optional()?;
    if referred.is_some() {
        return Ok(referred);
    }
    db.prepare_cached(
        "SELECT m.key, m.nick, r.stanza FROM message m \
         LEFT JOIN reference r ON r.gateway = ?1 AND r.key = m.key AND r.user = ?2 AND r.mine = 1 \
         WHERE m.conversation = (SELECT c.id FROM conversation c JOIN peer p ON p.id = c.peer \
             WHERE c.user = ?2 AND p.gateway = ?1 AND p.address = ?3) \
         AND m.stanza_id = ?4 AND m.key IS NOT NULL AND m.number > \
             (SELECT max(number) FROM message WHERE conversation = m.conversation) - ?5 \
         ORDER BY m.number DESC LIMIT 1",
    )?
    .query_row(params![gateway, user, peer, id, NEWEST], |row| {
        let own: Option<String> = row.get(2)?;
        Ok(Known {
            key: row.get(0)?,
            mine: own.is_some(),
            stanza: own.unwrap_or_else(|| id.to_owned()),
            nick: row.get(1)?,
        })
    })
    .optional()
}

pub(super) fn known_by_key(
    db: &Connection,
    user: &str,
    gateway: &str,
    peer: &str,
    key: &str,
) -> Sql<Option<Known>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    db.prepare_cached(
        "SELECT key, stanza, mine FROM reference \
         WHERE gateway = ?1 AND key = ?2 AND user = ?3 AND peer = ?4",
    )?
    .query_row(params![gateway, key, user, peer], private)
    .optional()
}

pub(super) fn returned(
    db: &Connection,
    user: &str,
    gateway: &str,
    stanza: &str,
) -> Sql<Option<Returned>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    let found = db
        .prepare_cached(
            "SELECT key, returns FROM reference \
             WHERE gateway = ?1 AND user = ?2 AND stanza = ?3 AND returns IS NOT NULL",
        )?
        .query_row(params![gateway, user, stanza], |row| {
            Ok(Returned {
                key: row.get(0)?,
                to: row.get(1)?,
            })
        })
        .optional()?;
    if let Some(found) = &found {
        db.prepare_cached(
            "UPDATE reference SET returns = NULL WHERE gateway = ?1 AND key = ?2 AND user = ?3",
        )?
        .execute(params![gateway, found.key, user])?;
    }
    Ok(found)
}

fn private(row: &Row<'_>) -> Sql<Known> {
    Ok(Known {
        key: row.get(0)?,
        stanza: row.get(1)?,
        mine: row.get(2)?,
        nick: None,
    })
}
