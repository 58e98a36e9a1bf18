//! The statements behind a report on a copy, inside whatever transaction is open.

use rusqlite::{Connection, OptionalExtension, params};

use super::jobs::{Sql, TURN, close, inbound_add, job, keep_peer, refer, state};
use crate::store::jobs::{CHANGED, CopyReport, CopyState, MakeReport, Next, Reported, Told};

/// Reads the message, takes the report made of it, and tells how the message stands then: one
/// question, for each would wait for the disk behind those of others.
pub(super) fn report_on(db: &Connection, id: u64, make: MakeReport) -> Sql<(Reported, Next)> {
    let Some(before) = job(db, id)? else {
        return Ok((Reported::Unknown, Next::Same));
    };
    let Some(of) = make(&before) else {
        return Ok((Reported::Unknown, Next::Same));
    };
    // Only what was out can be handed out again by this.
    let out = !before.turn.is_empty() || of.state == CopyState::Queued;
    let reported = report(db, &of)?;
    let next = match reported {
        Reported::Changed(_) => next(db, id as i64, out)?,
        Reported::Stale | Reported::Unknown => Next::Same,
    };
    Ok((reported, next))
}

fn next(db: &Connection, job: i64, out: bool) -> Sql<Next> {
    let sql = format!(
        "SELECT j.due, EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id AND c.state <= 1), \
         EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id AND {TURN}) FROM job j WHERE j.id = ?1"
    );
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (due, open, still_out): (i64, bool, bool) =
        db.prepare_cached(&sql)?.query_row([job], row)?;
    Ok(match (open, out && !still_out) {
        (false, _) => Next::Over,
        (true, true) => Next::Waits(due),
        (true, false) => Next::Same,
    })
}

fn report(db: &Connection, report: &CopyReport) -> Sql<Reported> {
    let (job, copy) = (report.job as i64, report.copy);
    let found = db
        .prepare_cached(
            "SELECT c.state, c.told, c.address, j.user, j.gateway, \
             (SELECT coalesce(max(o.told), 0) FROM copy o WHERE o.job = j.id AND o.state <> 7) \
             FROM copy c \
             JOIN job j ON j.id = c.job WHERE c.job = ?1 AND c.number = ?2",
        )?
        .query_row(params![job, copy], |row| {
            let address: String = row.get(2)?;
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                address,
                row.get(3)?,
                row.get(4)?,
                row.get::<_, i64>(5)?,
            ))
        })
        .optional()?;
    let Some((before, told, address, user, gateway, told_of_all)) = found else {
        return Ok(Reported::Unknown);
    };
    // Ids of a copy may come with any report, late ones too.
    refer(db, report.job, copy, &report.keys, report.until)?;
    let moves = state(before).may_become(report.state);
    // The same state once more may bring news for the gateway alone: one part of several arrived.
    if let Some(kept) = &report.kept
        && (moves || state(before) == report.state)
    {
        db.prepare_cached("UPDATE job SET kept = ?2 WHERE id = ?1")?
            .execute(params![job, kept])?;
    }
    if !moves {
        return Ok(Reported::Stale);
    }
    db.prepare_cached("UPDATE copy SET state = ?3, since = ?4 WHERE job = ?1 AND number = ?2")?
        .execute(params![job, copy, report.state as i64, report.now])?;
    if report.state == CopyState::Queued {
        wait(db, report)?;
    } else if state(before) <= CopyState::Begun {
        close(db, job)?;
    }
    next_turn(db, job)?;
    if let Some(kept) = &report.peer_kept {
        keep_peer(db, user, gateway, &address, kept)?;
    }
    // An arrival is told of all copies at once, of whichever of them.
    let known = |now: &Told| match now {
        Told::Arrived | Told::Read => told_of_all,
        Told::Failed | Told::Unknown => told,
    };
    let tell = report.tell.as_ref();
    let Some((told, stanza)) = tell.filter(|(now, _)| *now as i64 > known(now)) else {
        return Ok(Reported::Changed(None));
    };
    db.prepare_cached("UPDATE copy SET told = ?3 WHERE job = ?1 AND number = ?2")?
        .execute(params![job, copy, *told as i64])?;
    Ok(Reported::Changed(Some(inbound_add(db, gateway, stanza)?)))
}

/// A copy is tried again later.
fn wait(db: &Connection, report: &CopyReport) -> Sql<()> {
    let job = report.job as i64;
    db.prepare_cached(
        "UPDATE copy SET due = ?3, tried = (SELECT attempt FROM job WHERE id = ?1) \
         WHERE job = ?1 AND number = ?2",
    )?
    .execute(params![job, report.copy, report.due])?;
    db.prepare_cached("UPDATE job SET fault = ?2 WHERE id = ?1")?
        .execute(params![job, report.fault])?;
    Ok(())
}

/// When no copy is out any more, the message waits for the first that is due.
fn next_turn(db: &Connection, job: i64) -> Sql<()> {
    let sql = format!(
        "UPDATE job AS j SET due = (SELECT min(c.due) FROM copy c WHERE c.job = j.id \
         AND c.state = 0) WHERE j.id = ?1 AND j.due <> {CHANGED} \
         AND EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id AND c.state = 0 AND c.due > 0) \
         AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id AND {TURN})"
    );
    db.prepare_cached(&sql)?.execute([job])?;
    Ok(())
}

#[cfg(test)]
impl super::SqliteStore {
    /// Takes a report that is the same however the message stands.
    pub(super) fn copy_report(
        &self,
        of: CopyReport,
    ) -> crate::store::Later<Result<Reported, crate::store::StoreFault>> {
        self.jobs(move |db| report(db, &of))
    }
}
