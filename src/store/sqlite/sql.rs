//! The statements. Each function is one thing a caller wants, inside whatever transaction is
//! open; none begins or ends one.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::queue::Write;
use super::{archives, contacts, references};
use crate::store::seal::Owner;
use crate::store::{Conversation, ConversationId, Page, Row, StoreFault};

/// SQLite's error with what an operator can do about it.
pub(super) fn fault(error: &rusqlite::Error) -> StoreFault {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free space on the disk that holds the database",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "let the user that isthmus runs as write the database and its folder"
        }
        Some(ErrorCode::CannotOpen) => "check store.path: the folder must exist and be writable",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds the database: stop it, or a second isthmus"
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            "stop isthmus, copy the file, then restore a backup or use sqlite3 .recover"
        }
        Some(ErrorCode::NotADatabase) => "store.path names a file that is no SQLite database",
        Some(ErrorCode::SystemIoFailure) => "check the disk and the system's log",
        _ => "this is unexpected: please report it",
    };
    StoreFault::Database {
        what: error.to_string(),
        advice,
    }
}

/// True when the same write would be refused again however often it is tried.
pub(super) fn is_hopeless(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
    )
}

pub(super) fn write(db: &Connection, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Append { conversation, row } => append(db, *conversation, row),
        Write::SpoolPut { lane, number, blob } => spool_put(db, lane, *number, blob),
        Write::SpoolRemove { lane, upto } => spool_remove(db, lane, *upto),
        Write::Keep { owner, value } => keep(db, owner, value.as_deref()),
        Write::Rewrite {
            conversation,
            id,
            stanza,
        } => references::rewrite(db, *conversation, id, stanza),
        Write::Refer(reference) => references::refer(db, reference),
        Write::File(filed) => archives::file(db, filed),
        Write::Bury { of, id, stanza } => {
            let [user, gateway, peer] = of;
            archives::bury(db, (user, gateway, peer), id, stanza)
        }
        Write::Contact(contact) => contacts::stand(db, contact),
    }
}

pub(super) fn conversation(
    db: &Connection,
    user: &str,
    gateway: &str,
    peer: &str,
) -> rusqlite::Result<Conversation> {
    let user = user_id(db, user)?;
    let gateway = gateway_id(db, gateway)?;
    let peer = id(
        db,
        "SELECT id FROM peer WHERE gateway = ?1 AND address = ?2",
        "INSERT INTO peer (gateway, address) VALUES (?1, ?2)",
        params![gateway, peer],
    )?;
    let id = id(
        db,
        "SELECT id FROM conversation WHERE user = ?1 AND peer = ?2",
        "INSERT INTO conversation (user, peer) VALUES (?1, ?2)",
        params![user, peer],
    )?;
    let last = db
        .prepare_cached("SELECT max(number) FROM message WHERE conversation = ?1")?
        .query_row([id], |row| row.get::<_, Option<i64>>(0))?;
    Ok(Conversation {
        id: ConversationId(id),
        last: last.unwrap_or(0),
    })
}

pub(super) fn append(
    db: &Connection,
    conversation: ConversationId,
    row: &Row,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO message (conversation, number, stanza_id, at, nick, stanza, key) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        conversation.0,
        row.number,
        row.id,
        row.at,
        row.nick,
        row.stanza,
        row.key
    ])?;
    Ok(())
}

/// Asks for messages of an archive; [`archived`] reads them.
pub(super) const ARCHIVED: &str = "SELECT number, stanza_id, at, nick, stanza, key FROM message";

pub(super) fn archived(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        number: row.get(0)?,
        id: row.get(1)?,
        at: row.get(2)?,
        nick: row.get(3)?,
        stanza: row.get(4)?,
        key: row.get(5)?,
    })
}

pub(super) fn rows(
    db: &Connection,
    conversation: ConversationId,
    page: Page,
) -> rusqlite::Result<Vec<Row>> {
    // Times mostly rise with numbers: the first number said since then cuts off the rest.
    let mut after = page.after;
    if let Some(since) = page.since {
        let first: Option<i64> = db
            .prepare_cached(
                "SELECT min(number) FROM message INDEXED BY message_at \
                 WHERE conversation = ?1 AND at >= ?2",
            )?
            .query_row([conversation.0, since], |row| row.get(0))?;
        match first {
            Some(first) => after = after.max(first.saturating_sub(1)),
            None => return Ok(Vec::new()),
        }
    }
    let newest = i64::try_from(page.newest).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(&format!(
        "{ARCHIVED} WHERE conversation = ?1 AND number > ?2 AND number <= ?3 AND at >= ?4 \
         ORDER BY number DESC LIMIT ?5"
    ))?;
    let (until, since) = (
        page.until.unwrap_or(i64::MAX),
        page.since.unwrap_or(i64::MIN),
    );
    let found = statement.query_map(
        params![conversation.0, after, until, since, newest],
        archived,
    )?;
    let mut rows = found.collect::<rusqlite::Result<Vec<Row>>>()?;
    rows.reverse();
    Ok(rows)
}

fn spool_put(db: &Connection, lane: &str, number: u64, blob: &[u8]) -> rusqlite::Result<()> {
    let lane = id(
        db,
        "SELECT id FROM lane WHERE name = ?1",
        "INSERT INTO lane (name) VALUES (?1)",
        params![lane],
    )?;
    db.prepare_cached("INSERT OR REPLACE INTO spool (lane, number, blob) VALUES (?1, ?2, ?3)")?
        .execute(params![lane, signed(number), blob])?;
    Ok(())
}

pub(super) fn spool_next(
    db: &Connection,
    lane: &str,
    after: u64,
) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
    db.prepare_cached(
        "SELECT number, blob FROM spool \
         WHERE lane = (SELECT id FROM lane WHERE name = ?1) AND number > ?2 \
         ORDER BY number LIMIT 1",
    )?
    .query_row(params![lane, signed(after)], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
    })
    .optional()
}

fn spool_remove(db: &Connection, lane: &str, upto: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM spool \
         WHERE lane = (SELECT id FROM lane WHERE name = ?1) AND number <= ?2",
    )?
    .execute(params![lane, signed(upto)])?;
    Ok(())
}

fn keep(db: &Connection, owner: &Owner, value: Option<&[u8]>) -> rusqlite::Result<()> {
    set(
        db,
        owner,
        value,
        "INSERT OR REPLACE INTO kept (user, gateway, name, value) VALUES (?1, ?2, ?3, ?4)",
        "DELETE FROM kept WHERE user = ?1 AND gateway = ?2 AND name = ?3",
    )
}

pub(super) fn kept(db: &Connection, owner: &Owner) -> rusqlite::Result<Option<Vec<u8>>> {
    get(
        db,
        owner,
        "SELECT value FROM kept JOIN user ON user.id = kept.user \
         JOIN gateway ON gateway.id = kept.gateway \
         WHERE user.jid = ?1 AND gateway.domain = ?2 AND kept.name = ?3",
    )
}

/// Users who registered or set something: what is sealed besides is not of their saying.
pub(super) fn users(db: &Connection, gateway: &str) -> rusqlite::Result<Vec<String>> {
    let mut users = db.prepare_cached(
        "SELECT DISTINCT user.jid FROM sealed JOIN user ON user.id = sealed.user \
         JOIN gateway ON gateway.id = sealed.gateway \
         WHERE gateway.domain = ?1 AND user.jid <> '' \
         AND sealed.name IN ('account', 'settings') \
         ORDER BY user.jid",
    )?;
    let users = users.query_map([gateway], |row| row.get(0))?;
    users.collect()
}

pub(super) fn kept_under(
    db: &Connection,
    gateway: &str,
    prefix: &str,
) -> rusqlite::Result<Vec<crate::store::KeptValue>> {
    let mut select = db.prepare_cached(
        "SELECT user.jid, kept.name, kept.value FROM kept JOIN user ON user.id = kept.user \
         JOIN gateway ON gateway.id = kept.gateway \
         WHERE gateway.domain = ?1 AND substr(kept.name, 1, length(?2)) = ?2 \
         ORDER BY user.jid, kept.name",
    )?;
    let rows = select.query_map([gateway, prefix], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    rows.collect()
}

pub(super) fn set_sealed(
    db: &Connection,
    owner: &Owner,
    sealed: Option<&[u8]>,
) -> rusqlite::Result<()> {
    set(
        db,
        owner,
        sealed,
        "INSERT OR REPLACE INTO sealed (user, gateway, name, box) VALUES (?1, ?2, ?3, ?4)",
        "DELETE FROM sealed WHERE user = ?1 AND gateway = ?2 AND name = ?3",
    )
}

pub(super) fn sealed(db: &Connection, owner: &Owner) -> rusqlite::Result<Option<Vec<u8>>> {
    get(
        db,
        owner,
        "SELECT box FROM sealed JOIN user ON user.id = sealed.user \
         JOIN gateway ON gateway.id = sealed.gateway \
         WHERE user.jid = ?1 AND gateway.domain = ?2 AND sealed.name = ?3",
    )
}

pub(super) fn sealed_count(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT count(*) FROM sealed", [], |row| row.get(0))
}

fn set(
    db: &Connection,
    owner: &Owner,
    value: Option<&[u8]>,
    insert: &str,
    delete: &str,
) -> rusqlite::Result<()> {
    let (user, gateway) = (user_id(db, &owner.user)?, gateway_id(db, &owner.gateway)?);
    match value {
        Some(value) => db
            .prepare_cached(insert)?
            .execute(params![user, gateway, owner.name, value])?,
        None => db
            .prepare_cached(delete)?
            .execute(params![user, gateway, owner.name])?,
    };
    Ok(())
}

fn get(db: &Connection, owner: &Owner, select: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(select)?
        .query_row([&owner.user, &owner.gateway, &owner.name], |row| row.get(0))
        .optional()
}

pub(super) fn user_id(db: &Connection, jid: &str) -> rusqlite::Result<i64> {
    id(
        db,
        "SELECT id FROM user WHERE jid = ?1",
        "INSERT INTO user (jid) VALUES (?1)",
        params![jid],
    )
}

pub(super) fn gateway_id(db: &Connection, domain: &str) -> rusqlite::Result<i64> {
    id(
        db,
        "SELECT id FROM gateway WHERE domain = ?1",
        "INSERT INTO gateway (domain) VALUES (?1)",
        params![domain],
    )
}

/// The number of a name, new when the name is.
pub(super) fn id(
    db: &Connection,
    select: &str,
    insert: &str,
    key: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<i64> {
    if let Some(id) = db
        .prepare_cached(select)?
        .query_row(key, |row| row.get(0))
        .optional()?
    {
        return Ok(id);
    }
    db.prepare_cached(insert)?.insert(key)
}

/// Spool numbers count stanzas: they never reach the half of u64 that SQLite lacks.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
