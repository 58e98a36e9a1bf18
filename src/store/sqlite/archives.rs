//! The statements behind [`Archives`].

use rusqlite::{Connection, OptionalExtension, params};

use super::queue::Write;
use super::sql::{self, ARCHIVED, archived, gateway_id, user_id};
use super::{SqliteStore, references};
use crate::store::archives::{Archives, Bounds, COUNTED, Filed, Kept, Looked, Stretch};
use crate::store::{ConversationId, Later, Row, StoreFault};

type Sql<T> = rusqlite::Result<T>;

/// Conversations that one step of pruning looks at.
const CONVERSATIONS: usize = 64;

pub(super) fn file(db: &Connection, filed: &Filed) -> Sql<()> {
    let row = &filed.row;
    // One step for all but the first message of a conversation.
    let known = db
        .prepare_cached(
            "INSERT INTO message (conversation, number, stanza_id, at, nick, stanza, key) \
             SELECT c.id, 1 + coalesce((SELECT max(number) FROM message \
                 WHERE conversation = c.id), 0), ?4, ?5, ?6, ?7, ?8 \
             FROM conversation c WHERE c.user = (SELECT id FROM user WHERE jid = ?1) \
             AND c.peer = (SELECT p.id FROM peer p WHERE p.address = ?3 \
                 AND p.gateway = (SELECT id FROM gateway WHERE domain = ?2))",
        )?
        .execute(params![
            filed.user,
            filed.gateway,
            filed.peer,
            row.id,
            row.at,
            row.nick,
            row.stanza,
            row.key
        ])?;
    if known == 1 {
        return Ok(());
    }
    let conversation = sql::conversation(db, &filed.user, &filed.gateway, &filed.peer)?;
    let row = Row {
        number: conversation.last + 1,
        ..filed.row.clone()
    };
    sql::append(db, conversation.id, &row)
}

pub(super) fn bury(
    db: &Connection,
    (user, gateway, peer): (&str, &str, &str),
    id: &str,
    stanza: &[u8],
) -> Sql<()> {
    match archives(db, user, gateway, Some(peer))?.first() {
        Some(kept) => references::rewrite(db, kept.id, id, stanza),
        None => Ok(()),
    }
}

fn archives(db: &Connection, user: &str, gateway: &str, peer: Option<&str>) -> Sql<Vec<Kept>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    db.prepare_cached(
        "SELECT p.address, c.id FROM conversation c JOIN peer p ON p.id = c.peer \
         WHERE c.user = ?1 AND p.gateway = ?2 AND (?3 IS NULL OR p.address = ?3) \
         ORDER BY c.id",
    )?
    .query_map(params![user, gateway, peer], |row| {
        Ok(Kept {
            peer: row.get(0)?,
            id: ConversationId(row.get(1)?),
        })
    })?
    .collect()
}

/// One step in an index for each conversation tells when its last message was said.
pub(super) const LATELY: &str = "SELECT p.address, c.id FROM conversation c \
     JOIN peer p ON p.id = c.peer WHERE c.user = ?1 AND p.gateway = ?2 \
     ORDER BY (SELECT max(at) FROM message INDEXED BY message_at WHERE conversation = c.id) DESC";

fn lately(db: &Connection, user: &str, gateway: &str) -> Sql<Vec<Kept>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    db.prepare_cached(LATELY)?
        .query_map(params![user, gateway], |row| {
            Ok(Kept {
                peer: row.get(0)?,
                id: ConversationId(row.get(1)?),
            })
        })?
        .collect()
}

/// Times mostly rise with numbers: the first and the last number of a time cut off the rest.
fn narrowed(db: &Connection, id: ConversationId, stretch: Stretch) -> Sql<Option<Stretch>> {
    let mut narrow = stretch;
    if let Some(since) = stretch.since {
        let first: Option<i64> = db
            .prepare_cached(
                "SELECT min(number) FROM message INDEXED BY message_at \
                 WHERE conversation = ?1 AND at >= ?2",
            )?
            .query_row([id.0, since], |row| row.get(0))?;
        let Some(first) = first else { return Ok(None) };
        narrow.after = narrow.after.max(first - 1);
    }
    if let Some(until) = stretch.until {
        let last: Option<i64> = db
            .prepare_cached(
                "SELECT max(number) FROM message INDEXED BY message_at \
                 WHERE conversation = ?1 AND at <= ?2",
            )?
            .query_row([id.0, until], |row| row.get(0))?;
        let Some(last) = last else { return Ok(None) };
        narrow.before = narrow.before.min(last + 1);
    }
    Ok(Some(narrow))
}

fn stretch(
    db: &Connection,
    id: ConversationId,
    stretch: Stretch,
    newest: bool,
    most: usize,
) -> Sql<Vec<Row>> {
    let Some(stretch) = narrowed(db, id, stretch)? else {
        return Ok(Vec::new());
    };
    let order = if newest { "DESC" } else { "ASC" };
    let mut statement = db.prepare_cached(&format!(
        "{ARCHIVED} INDEXED BY message_number \
         WHERE conversation = ?1 AND number > ?2 AND number < ?3 AND at >= ?4 AND at <= ?5 \
         ORDER BY number {order} LIMIT ?6"
    ))?;
    let (since, until) = times(&stretch);
    let found = statement.query_map(
        params![
            id.0,
            stretch.after,
            stretch.before,
            since,
            until,
            signed(most)
        ],
        archived,
    )?;
    let mut rows = found.collect::<Sql<Vec<Row>>>()?;
    if newest {
        rows.reverse();
    }
    Ok(rows)
}

fn count(db: &Connection, id: ConversationId, stretch: Stretch) -> Sql<usize> {
    let (since, until) = times(&stretch);
    let timed = stretch.since.is_some() || stretch.until.is_some();
    // Each is answered from its index alone.
    let counted: i64 = if timed {
        db.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY message_at \
             WHERE conversation = ?1 AND at >= ?2 AND at <= ?3 AND number > ?4 AND number < ?5 \
             LIMIT ?6)",
        )?
        .query_row(
            params![
                id.0,
                since,
                until,
                stretch.after,
                stretch.before,
                signed(COUNTED + 1)
            ],
            |row| row.get(0),
        )?
    } else {
        db.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY message_number \
             WHERE conversation = ?1 AND number > ?2 AND number < ?3 LIMIT ?4)",
        )?
        .query_row(
            params![id.0, stretch.after, stretch.before, signed(COUNTED + 1)],
            |row| row.get(0),
        )?
    };
    Ok(usize::try_from(counted).unwrap_or(0))
}

fn look(
    db: &Connection,
    id: ConversationId,
    ids: &[String],
    below: i64,
    most: usize,
) -> Sql<Looked> {
    let mut statement = db.prepare_cached(
        "SELECT number, stanza_id FROM message INDEXED BY message_number \
         WHERE conversation = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![id.0, below, signed(most)])?;
    let (mut looked, mut seen) = (Looked::default(), 0);
    let mut last = below;
    while let Some(row) = rows.next()? {
        let stanza_id = row.get_ref(1)?.as_str()?;
        last = row.get(0)?;
        seen += 1;
        if let Some(found) = ids.iter().find(|id| *id == stanza_id) {
            looked.found.push((last, found.clone()));
        }
    }
    looked.below = (seen == most).then_some(last);
    Ok(looked)
}

fn prune(db: &Connection, gateway: &str, from: i64, bounds: Bounds) -> Sql<Option<i64>> {
    let gateway = gateway_id(db, gateway)?;
    let mut next = db.prepare_cached(
        "SELECT c.id FROM conversation c JOIN peer p ON p.id = c.peer \
         WHERE c.id >= ?1 AND p.gateway = ?2 ORDER BY c.id LIMIT 1",
    )?;
    let (mut from, mut left) = (from, bounds.step);
    for _ in 0..CONVERSATIONS {
        let found: Option<i64> = next
            .query_row([from, gateway], |row| row.get(0))
            .optional()?;
        let Some(id) = found else { return Ok(None) };
        from = id;
        left = left.saturating_sub(prune_one(db, id, bounds, left)?);
        if left == 0 {
            // There may be more of it.
            return Ok(Some(from));
        }
        from += 1;
    }
    Ok(Some(from))
}

fn prune_one(db: &Connection, id: i64, bounds: Bounds, most: usize) -> Sql<usize> {
    let mut gone = 0;
    if let Some(before) = bounds.before {
        gone += db
            .prepare_cached(
                "DELETE FROM message WHERE id IN (SELECT id FROM message INDEXED BY message_at \
                 WHERE conversation = ?1 AND at < ?2 ORDER BY at LIMIT ?3)",
            )?
            .execute(params![id, before, signed(most)])?;
    }
    if let Some(rows) = bounds.rows {
        gone += db
            .prepare_cached(
                "DELETE FROM message WHERE id IN (SELECT id FROM message INDEXED BY message_number \
                 WHERE conversation = ?1 AND number <= (SELECT max(number) FROM message \
                 WHERE conversation = ?1) - ?2 ORDER BY number LIMIT ?3)",
            )?
            .execute(params![id, rows, signed(most.saturating_sub(gone))])?;
    }
    Ok(gone)
}

fn erase(db: &Connection, id: ConversationId, most: usize) -> Sql<usize> {
    db.prepare_cached(
        "DELETE FROM message WHERE id IN (SELECT id FROM message INDEXED BY message_number \
         WHERE conversation = ?1 ORDER BY number LIMIT ?2)",
    )?
    .execute(params![id.0, signed(most)])
}

fn times(stretch: &Stretch) -> (i64, i64) {
    let since = stretch.since.unwrap_or(i64::MIN);
    (since, stretch.until.unwrap_or(i64::MAX))
}

fn signed(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

impl Archives for SqliteStore {
    fn file(&self, filed: Filed) {
        self.queue.write(Write::File(filed));
    }

    fn bury(&self, user: &str, gateway: &str, peer: &str, stanza_id: &str, stanza: Vec<u8>) {
        self.queue.write(Write::Bury {
            of: [user.to_owned(), gateway.to_owned(), peer.to_owned()],
            id: stanza_id.to_owned(),
            stanza,
        });
    }

    fn archives(
        &self,
        user: &str,
        gateway: &str,
        peer: Option<&str>,
    ) -> Later<Result<Vec<Kept>, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        let peer = peer.map(str::to_owned);
        self.ask(move |db| {
            archives(db, &user, &gateway, peer.as_deref()).map_err(|e| sql::fault(&e))
        })
    }

    fn lately(&self, user: &str, gateway: &str) -> Later<Result<Vec<Kept>, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        self.ask(move |db| lately(db, &user, &gateway).map_err(|e| sql::fault(&e)))
    }

    fn stretch(
        &self,
        id: ConversationId,
        of: Stretch,
        newest: bool,
        most: usize,
    ) -> Later<Result<Vec<Row>, StoreFault>> {
        self.ask(move |db| stretch(db, id, of, newest, most).map_err(|e| sql::fault(&e)))
    }

    fn count(&self, id: ConversationId, of: Stretch) -> Later<Result<usize, StoreFault>> {
        self.ask(move |db| count(db, id, of).map_err(|e| sql::fault(&e)))
    }

    fn look(
        &self,
        id: ConversationId,
        ids: Vec<String>,
        below: i64,
        most: usize,
    ) -> Later<Result<Looked, StoreFault>> {
        self.ask(move |db| look(db, id, &ids, below, most).map_err(|e| sql::fault(&e)))
    }

    fn prune(
        &self,
        gateway: &str,
        from: i64,
        bounds: Bounds,
    ) -> Later<Result<Option<i64>, StoreFault>> {
        let gateway = gateway.to_owned();
        self.ask(move |db| prune(db, &gateway, from, bounds).map_err(|e| sql::fault(&e)))
    }

    fn erase(&self, id: ConversationId, most: usize) -> Later<Result<usize, StoreFault>> {
        self.ask(move |db| erase(db, id, most).map_err(|e| sql::fault(&e)))
    }
}
