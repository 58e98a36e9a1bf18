//! The statements that take messages back or change them, inside whatever transaction is open.

use rusqlite::{Connection, OptionalExtension, params};

use super::jobs::{Sql, close};
use super::sql::{gateway_id, user_id};
use crate::store::jobs::{CHANGED, Recall};

/// The newest message of a stanza id to these recipients, and whether any of its copies has begun.
fn by_stanza(
    db: &Connection,
    user: i64,
    gateway: i64,
    stanza_id: &str,
    to: &[String],
) -> Sql<Option<(i64, bool)>> {
    // Messages without an id have none in common.
    if stanza_id.is_empty() {
        return Ok(None);
    }
    // Neither these nor a message's are named twice.
    let number = to.len() as i64;
    let to = serde_json::Value::from(to).to_string();
    db.prepare_cached(
        "SELECT j.id, EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id AND c.state <> 0) \
         FROM job j WHERE j.gateway = ?1 AND j.user = ?2 AND j.stanza_id = ?3 \
         AND (SELECT count(*) FROM copy c WHERE c.job = j.id) = ?4 \
         AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id \
         AND c.address NOT IN (SELECT value FROM json_each(?5))) \
         ORDER BY j.id DESC LIMIT 1",
    )?
    .query_row(params![gateway, user, stanza_id, number, to], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
    .optional()
}

pub(super) fn recall(
    db: &Connection,
    user: &str,
    gateway: &str,
    stanza_id: &str,
    to: &[String],
) -> Sql<Recall> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    match by_stanza(db, user, gateway, stanza_id, to)? {
        Some((job, _)) => take_back(db, job),
        None => Ok(Recall::Unknown),
    }
}

pub(super) fn recall_job(db: &Connection, user: &str, gateway: &str, job: u64) -> Sql<Recall> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    let sql = "SELECT 1 FROM job WHERE id = ?1 AND user = ?2 AND gateway = ?3";
    let job = job as i64;
    match db
        .prepare_cached(sql)?
        .exists(params![job, user, gateway])?
    {
        true => take_back(db, job),
        false => Ok(Recall::Unknown),
    }
}

fn take_back(db: &Connection, job: i64) -> Sql<Recall> {
    let recalled = db
        .prepare_cached("UPDATE copy SET state = 7, told = 2 WHERE job = ?1 AND state = 0")?
        .execute([job])?;
    close(db, job)?;
    if recalled == 0 {
        return Ok(Recall::TooLate);
    }
    // Whom it does not reach anyway it need not be taken back from.
    let late = db
        .prepare_cached(
            "SELECT address FROM copy WHERE job = ?1 AND state BETWEEN 1 AND 5 ORDER BY number",
        )?
        .query_map([job], |row| row.get(0))?
        .collect::<Sql<Vec<String>>>()?;
    Ok(if late.is_empty() {
        Recall::Done(job as u64)
    } else {
        Recall::Partly(job as u64, late)
    })
}

pub(super) fn change(
    db: &Connection,
    user: &str,
    gateway: &str,
    stanza_id: &str,
    to: &[String],
    message: &[u8],
) -> Sql<Recall> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    match by_stanza(db, user, gateway, stanza_id, to)? {
        None => Ok(Recall::Unknown),
        Some((_, true)) => Ok(Recall::TooLate),
        Some((job, false)) => {
            db.prepare_cached("UPDATE job SET message = ?2, due = ?3 WHERE id = ?1")?
                .execute(params![job, message, CHANGED])?;
            db.prepare_cached("UPDATE copy SET due = 0 WHERE job = ?1")?
                .execute([job])?;
            Ok(Recall::Done(job as u64))
        }
    }
}
