//! What waits in which lane. Answered from the index `job_open` alone, so that neither finished
//! messages nor contents are looked at; a lane costs one step, however much waits in it.

use rusqlite::{Connection, OptionalExtension, params};

use super::sql::gateway_id;
use crate::store::jobs::{Depth, LanePage, Lanes, Sweep, Waits};

type Sql<T> = rusqlite::Result<T>;

/// Looks at lanes from a name on.
pub(super) fn open(db: &Connection, gateway: &str, sweep: &Sweep) -> Sql<Lanes> {
    let gateway = gateway_id(db, gateway)?;
    let mut first = db.prepare_cached(
        "SELECT lane, due FROM job WHERE open = 1 AND gateway = ?1 AND lane >= ?2 \
         ORDER BY lane, due LIMIT 1",
    )?;
    let (mut lanes, mut read, mut from) = (Lanes::default(), 0, sweep.from.clone());
    for _ in 0..sweep.lanes {
        let found: Option<(String, i64)> = first
            .query_row(params![gateway, from], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((lane, due)) = found else {
            return Ok(lanes);
        };
        // The next name there can be.
        from.clone_from(&lane);
        from.push('\0');
        if due <= sweep.now {
            let page = front(db, gateway, lane, sweep.page)?;
            read += page.waits.len();
            lanes.due.push(page);
        } else {
            lanes.later = Some(lanes.later.map_or(due, |later| later.min(due)));
        }
        if read >= sweep.most {
            break;
        }
    }
    lanes.next = Some(from);
    Ok(lanes)
}

/// What waits first in each of these lanes.
pub(super) fn fronts(
    db: &Connection,
    gateway: &str,
    lanes: Vec<(String, usize)>,
) -> Sql<Vec<LanePage>> {
    let gateway = gateway_id(db, gateway)?;
    let pages = lanes.into_iter();
    pages
        .map(|(lane, most)| front(db, gateway, lane, most))
        .collect()
}

fn front(db: &Connection, gateway: i64, lane: String, most: usize) -> Sql<LanePage> {
    let waits = db
        .prepare_cached(
            "SELECT id, due FROM job WHERE open = 1 AND gateway = ?1 AND lane = ?2 \
             ORDER BY due, id LIMIT ?3",
        )?
        .query_map(params![gateway, lane, most as i64], |row| {
            Ok(Waits {
                id: row.get::<_, i64>(0)? as u64,
                due: row.get(1)?,
            })
        })?
        .collect::<Sql<Vec<Waits>>>()?;
    Ok(LanePage {
        lane,
        more: waits.len() == most,
        waits,
    })
}

/// How much of a gateway's waits.
pub(super) fn depth(db: &Connection, gateway: &str) -> Sql<Depth> {
    let gateway = gateway_id(db, gateway)?;
    let mut depth = Depth::default();
    let mut statement = db.prepare_cached(
        "SELECT c.state, COUNT(*) FROM copy c JOIN job j ON j.id = c.job \
         WHERE c.state <= 1 AND j.gateway = ?1 GROUP BY c.state",
    )?;
    let mut rows = statement.query([gateway])?;
    while let Some(row) = rows.next()? {
        let (state, count): (i64, i64) = (row.get(0)?, row.get(1)?);
        match state {
            0 => depth.queued = count.unsigned_abs(),
            _ => depth.begun = count.unsigned_abs(),
        }
    }
    let mut inbound = db.prepare_cached("SELECT COUNT(*) FROM inbound WHERE gateway = ?1")?;
    let count: i64 = inbound.query_row([gateway], |row| row.get(0))?;
    depth.inbound = count.unsigned_abs();
    Ok(depth)
}
