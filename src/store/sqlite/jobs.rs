//! The statements behind [`Jobs`]. Each function is one thing a caller wants, inside whatever
//! transaction is open.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use super::sql::{self, gateway_id, user_id};
use super::{SqliteStore, lanes, recalls, references, reports};
use crate::store::jobs::{
    CHANGED, CopyState, Inward, Jobs, LanePage, Lanes, MakeReport, NewJob, Next, Numbered, OpenJob,
    Recall, Reference, Reported, Returned, Sweep,
};
use crate::store::{Later, StoreFault};

pub(super) type Sql<T> = rusqlite::Result<T>;

fn add(db: &Connection, job: &NewJob) -> Sql<u64> {
    let user = user_id(db, &job.user)?;
    let gateway = gateway_id(db, &job.gateway)?;
    number(db, user, job.number)?;
    db.prepare_cached(
        "INSERT INTO job (user, gateway, stanza_id, lane, origin, message, due, created, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
    )?
    .execute(params![
        user,
        gateway,
        job.stanza_id,
        job.lane,
        job.origin,
        job.message,
        job.now,
        job.expires
    ])?;
    let id = db.last_insert_rowid();
    let mut copy = db.prepare_cached(
        "INSERT INTO copy (job, number, address, state, since) VALUES (?1, ?2, ?3, 0, ?4)",
    )?;
    for (number, address) in job.to.iter().enumerate() {
        copy.execute(params![id, number as i64, address, job.now])?;
    }
    Ok(id as u64)
}

fn number(db: &Connection, user: i64, number: i64) -> Sql<()> {
    db.prepare_cached("INSERT OR IGNORE INTO user_number (number, user) VALUES (?1, ?2)")?
        .execute([number, user])?;
    Ok(())
}

/// Gives a user his number.
pub(super) fn add_user(db: &Connection, user: &str, of: i64) -> Result<(), StoreFault> {
    let add = || number(db, user_id(db, user)?, of);
    add().map_err(|error| sql::fault(&error))
}

const OPEN: &str = "SELECT j.id, u.jid, j.lane, j.stanza_id, j.origin, j.message, j.attempt, \
     j.due, j.created, j.expires, j.kept, j.user, j.gateway, j.fault \
     FROM job j JOIN user u ON u.id = j.user";

/// A copy `c` of a job `j` that was handed out and not reported on since.
pub(super) const TURN: &str =
    "(c.state = 1 OR (c.state = 0 AND c.due <= j.due AND c.tried < j.attempt))";

fn open_job(db: &Connection, row: &SqlRow<'_>) -> Sql<OpenJob> {
    let id: i64 = row.get(0)?;
    let copies = db
        .prepare_cached("SELECT address, state FROM copy WHERE job = ?1 ORDER BY number")?
        .query_map([id], |row| Ok((row.get(0)?, state(row.get(1)?))))?
        .collect::<Sql<Vec<(String, CopyState)>>>()?;
    let turn = format!(
        "SELECT c.number FROM copy c JOIN job j ON j.id = c.job WHERE c.job = ?1 AND {TURN} \
         ORDER BY c.number"
    );
    let turn = db
        .prepare_cached(&turn)?
        .query_map([id], |row| row.get(0))?
        .collect::<Sql<Vec<u16>>>()?;
    let (user, gateway): (i64, i64) = (row.get(11)?, row.get(12)?);
    let peer_kept = match copies.first() {
        Some((address, _)) => peer_kept(db, user, gateway, address)?,
        None => None,
    };
    Ok(OpenJob {
        id: id as u64,
        user: row.get(1)?,
        lane: row.get(2)?,
        stanza_id: row.get(3)?,
        origin: row.get(4)?,
        message: row.get(5)?,
        copies,
        attempt: row.get::<_, i64>(6)?.try_into().unwrap_or(u16::MAX),
        due: row.get(7)?,
        created: row.get(8)?,
        expires: row.get(9)?,
        kept: row.get(10)?,
        peer_kept,
        turn,
        fault: row.get(13)?,
    })
}

pub(super) fn state(number: i64) -> CopyState {
    let known = usize::try_from(number)
        .ok()
        .and_then(|n| CopyState::ALL.get(n));
    // Only this program writes the column.
    known.copied().unwrap_or(CopyState::Failed)
}

fn jobs_of(db: &Connection, user: &str, gateway: &str, most: usize) -> Sql<Vec<OpenJob>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    let sql = format!(
        "{OPEN} WHERE EXISTS (SELECT 1 FROM copy c WHERE c.job = j.id AND c.state <= 2) \
         AND j.gateway = ?1 AND j.user = ?2 ORDER BY j.open DESC, j.id LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![gateway, user, most as i64])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(open_job(db, row)?);
    }
    Ok(jobs)
}

pub(super) fn job(db: &Connection, id: u64) -> Sql<Option<OpenJob>> {
    let sql = format!("{OPEN} WHERE j.id = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([id as i64])?;
    rows.next()?.map(|row| open_job(db, row)).transpose()
}

fn lease(db: &Connection, ids: &[u64]) -> Sql<Vec<OpenJob>> {
    let sql = format!(
        "UPDATE job SET attempt = attempt + 1, \
         due = CASE due WHEN {CHANGED} THEN created ELSE due END WHERE id = ?1 AND open = 1"
    );
    let mut lease = db.prepare_cached(&sql)?;
    let mut jobs = Vec::with_capacity(ids.len());
    for &id in ids {
        if lease.execute([id as i64])? == 1 {
            jobs.extend(job(db, id)?);
        }
    }
    Ok(jobs)
}

fn begin(db: &Connection, job: u64, copy: u16, keys: &[String], until: i64) -> Sql<bool> {
    // What was handed out before a change is the old text: it must not be sent.
    let begun = db
        .prepare_cached(
            // Nor may a copy that waits for a later attempt, nor one that has begun in this.
            "UPDATE copy SET state = 1, tried = (SELECT attempt FROM job WHERE id = ?1) \
             WHERE job = ?1 AND number = ?2 AND state <= 1 \
             AND EXISTS (SELECT 1 FROM job WHERE id = ?1 AND due <> ?3 AND copy.due <= job.due \
             AND (copy.state = 0 OR copy.tried < job.attempt))",
        )?
        .execute(params![job as i64, copy, CHANGED])?;
    if begun == 1 {
        refer(db, job, copy, keys, until)?;
    }
    Ok(begun == 1)
}

/// Keeps the foreign ids of a copy.
pub(super) fn refer(db: &Connection, job: u64, copy: u16, keys: &[String], until: i64) -> Sql<()> {
    let mut statement = db.prepare_cached(
        "INSERT OR REPLACE INTO reference (gateway, key, user, stanza, job, copy, part, until) \
         SELECT gateway, ?2, user, stanza_id, id, ?3, ?4, ?5 FROM job WHERE id = ?1",
    )?;
    for (part, key) in keys.iter().enumerate() {
        statement.execute(params![job as i64, key, copy, part as i64, until])?;
    }
    Ok(())
}

fn end_silence(db: &Connection, gateway: &str, before: i64, now: i64) -> Sql<usize> {
    let gateway = gateway_id(db, gateway)?;
    db.prepare_cached(
        "UPDATE copy SET state = 2, since = ?3 WHERE state = 3 AND since < ?2 \
         AND EXISTS (SELECT 1 FROM job WHERE job.id = copy.job AND job.gateway = ?1)",
    )?
    .execute([gateway, before, now])
}

/// Nothing of a message may be left to be sent: then it is not looked for any more.
pub(super) fn close(db: &Connection, job: i64) -> Sql<()> {
    db.prepare_cached(
        "UPDATE job SET open = 0 WHERE id = ?1 AND open = 1 \
         AND NOT EXISTS (SELECT 1 FROM copy WHERE job = ?1 AND state <= 1)",
    )?
    .execute([job])?;
    Ok(())
}

pub(super) fn inbound_add(db: &Connection, gateway: i64, stanza: &[u8]) -> Sql<u64> {
    db.prepare_cached("INSERT INTO inbound (gateway, stanza) VALUES (?1, ?2)")?
        .execute(params![gateway, stanza])?;
    Ok(db.last_insert_rowid() as u64)
}

fn peer_id(db: &Connection, gateway: i64, address: &str) -> Sql<i64> {
    sql::id(
        db,
        "SELECT id FROM peer WHERE gateway = ?1 AND address = ?2",
        "INSERT INTO peer (gateway, address) VALUES (?1, ?2)",
        params![gateway, address],
    )
}

pub(super) fn keep_peer(
    db: &Connection,
    user: i64,
    gateway: i64,
    address: &str,
    value: &[u8],
) -> Sql<()> {
    let peer = peer_id(db, gateway, address)?;
    db.prepare_cached("INSERT OR REPLACE INTO peer_kept (user, peer, value) VALUES (?1, ?2, ?3)")?
        .execute(params![user, peer, value])?;
    Ok(())
}

fn peer_kept(db: &Connection, user: i64, gateway: i64, address: &str) -> Sql<Option<Vec<u8>>> {
    db.prepare_cached(
        "SELECT k.value FROM peer_kept k JOIN peer p ON p.id = k.peer \
         WHERE k.user = ?1 AND p.gateway = ?2 AND p.address = ?3",
    )?
    .query_row(params![user, gateway, address], |row| row.get(0))
    .optional()
}

fn deliver(db: &Connection, gateway: &str, batch: &[Inward]) -> Sql<Vec<Option<u64>>> {
    let gateway = gateway_id(db, gateway)?;
    batch
        .iter()
        .map(|inward| deliver_one(db, gateway, inward))
        .collect()
}

fn deliver_one(db: &Connection, gateway: i64, inward: &Inward) -> Sql<Option<u64>> {
    let user: i64 = db
        .prepare_cached("SELECT user FROM user_number WHERE number = ?1")?
        .query_row([inward.number], |row| row.get(0))?;
    let fresh = db
        .prepare_cached(
            "INSERT OR IGNORE INTO taken (gateway, user, dedup, until) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![gateway, user, inward.dedup, inward.until])?;
    if fresh == 0 {
        return Ok(None);
    }
    if let Some(kept) = &inward.peer_kept {
        keep_peer(db, user, gateway, &inward.peer, kept)?;
    }
    if let Some(key) = &inward.key {
        db.prepare_cached(
            "INSERT OR REPLACE INTO reference \
             (gateway, key, user, stanza, job, copy, part, until, returns) \
             VALUES (?1, ?2, ?3, ?4, NULL, 0, 0, ?5, ?6)",
        )?
        .execute(params![
            gateway,
            key,
            user,
            inward.stanza_id,
            inward.until,
            inward.returns
        ])?;
    }
    inbound_add(db, gateway, &inward.stanza).map(Some)
}

fn inbound(db: &Connection, gateway: &str, after: u64, most: usize) -> Sql<Numbered> {
    let gateway = gateway_id(db, gateway)?;
    db.prepare_cached(
        "SELECT id, stanza FROM inbound WHERE gateway = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?
    .query_map(params![gateway, after as i64, most as i64], |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
    })?
    .collect()
}

fn inbound_done(db: &Connection, ids: &[u64]) -> Sql<()> {
    let mut statement = db.prepare_cached("DELETE FROM inbound WHERE id = ?1")?;
    for &id in ids {
        statement.execute([id as i64])?;
    }
    Ok(())
}

fn reference(db: &Connection, gateway: &str, key: &str) -> Sql<Option<Reference>> {
    let gateway = gateway_id(db, gateway)?;
    db.prepare_cached(
        "SELECT n.number, r.stanza, r.job, r.copy, r.part, j.kept FROM reference r \
         JOIN user_number n ON n.user = r.user LEFT JOIN job j ON j.id = r.job \
         WHERE r.gateway = ?1 AND r.key = ?2",
    )?
    .query_row(params![gateway, key], |row| {
        Ok(Reference {
            number: row.get(0)?,
            stanza: row.get(1)?,
            job: row.get::<_, Option<i64>>(2)?.map(|job| job as u64),
            copy: row.get(3)?,
            part: row.get(4)?,
            kept: row.get(5)?,
        })
    })
    .optional()
}

fn keys_of(db: &Connection, user: &str, gateway: &str, stanza_id: &str) -> Sql<Vec<String>> {
    let (user, gateway) = (user_id(db, user)?, gateway_id(db, gateway)?);
    db.prepare_cached(
        "SELECT key FROM reference WHERE gateway = ?1 AND user = ?2 AND stanza = ?3 \
         ORDER BY copy, part",
    )?
    .query_map(params![gateway, user, stanza_id], |row| row.get(0))?
    .collect()
}

fn user_of(db: &Connection, number: i64) -> Sql<Option<String>> {
    db.prepare_cached(
        "SELECT u.jid FROM user_number n JOIN user u ON u.id = n.user WHERE n.number = ?1",
    )?
    .query_row([number], |row| row.get(0))
    .optional()
}

fn forget_past(db: &Connection, now: i64) -> Sql<()> {
    db.execute("DELETE FROM taken WHERE until < ?1", [now])?;
    db.execute("DELETE FROM reference WHERE until < ?1", [now])?;
    // A finished message is kept as long as somebody may still report on it.
    db.execute(
        "DELETE FROM job WHERE expires < ?1 \
         AND open = 0 AND NOT EXISTS (SELECT 1 FROM reference r WHERE r.job = job.id)",
        [now],
    )?;
    Ok(())
}

/// Does all of it or nothing: other questions share the transaction.
fn whole<T>(db: &Connection, work: impl FnOnce(&Connection) -> Sql<T>) -> Sql<T> {
    db.prepare_cached("SAVEPOINT whole")?.execute([])?;
    let result = work(db);
    if result.is_err() {
        db.prepare_cached("ROLLBACK TO whole")?.execute([])?;
    }
    db.prepare_cached("RELEASE whole")?.execute([])?;
    result
}

impl SqliteStore {
    pub(super) fn jobs<T, F>(&self, work: F) -> Later<Result<T, StoreFault>>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Sql<T> + Send + 'static,
    {
        self.ask(move |db| whole(db, work).map_err(|error| sql::fault(&error)))
    }
}

impl Jobs for SqliteStore {
    fn job_add(&self, job: NewJob) -> Later<Result<u64, StoreFault>> {
        self.jobs(move |db| add(db, &job))
    }

    fn lanes_open(&self, gateway: &str, sweep: Sweep) -> Later<Result<Lanes, StoreFault>> {
        let gateway = gateway.to_owned();
        self.jobs(move |db| lanes::open(db, &gateway, &sweep))
    }

    fn lane_fronts(
        &self,
        gateway: &str,
        lanes: Vec<(String, usize)>,
    ) -> Later<Result<Vec<LanePage>, StoreFault>> {
        let gateway = gateway.to_owned();
        self.jobs(move |db| lanes::fronts(db, &gateway, lanes))
    }

    fn job(&self, id: u64) -> Later<Result<Option<OpenJob>, StoreFault>> {
        self.jobs(move |db| job(db, id))
    }

    fn jobs_lease(&self, ids: Vec<u64>) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        self.jobs(move |db| lease(db, &ids))
    }

    fn copy_begin(
        &self,
        job: u64,
        copy: u16,
        keys: Vec<String>,
        until: i64,
    ) -> Later<Result<bool, StoreFault>> {
        self.jobs(move |db| begin(db, job, copy, &keys, until))
    }

    fn report_on(&self, job: u64, make: MakeReport) -> Later<Result<(Reported, Next), StoreFault>> {
        self.jobs(move |db| reports::report_on(db, job, make))
    }

    fn recall(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
        to: Vec<String>,
    ) -> Later<Result<Recall, StoreFault>> {
        let (user, gateway, id) = (user.to_owned(), gateway.to_owned(), stanza_id.to_owned());
        self.jobs(move |db| recalls::recall(db, &user, &gateway, &id, &to))
    }

    fn recall_job(&self, user: &str, gateway: &str, job: u64) -> Later<Result<Recall, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        self.jobs(move |db| recalls::recall_job(db, &user, &gateway, job))
    }

    fn change(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
        to: Vec<String>,
        message: Vec<u8>,
    ) -> Later<Result<Recall, StoreFault>> {
        let (user, gateway, id) = (user.to_owned(), gateway.to_owned(), stanza_id.to_owned());
        self.jobs(move |db| recalls::change(db, &user, &gateway, &id, &to, &message))
    }

    fn queue_depth(&self, gateway: &str) -> Later<Result<crate::store::jobs::Depth, StoreFault>> {
        let gateway = gateway.to_owned();
        self.jobs(move |db| lanes::depth(db, &gateway))
    }

    fn jobs_of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        let (user, gateway) = (user.to_owned(), gateway.to_owned());
        self.jobs(move |db| jobs_of(db, &user, &gateway, most))
    }

    fn deliver(
        &self,
        gateway: &str,
        batch: Vec<Inward>,
    ) -> Later<Result<Vec<Option<u64>>, StoreFault>> {
        let gateway = gateway.to_owned();
        self.jobs(move |db| deliver(db, &gateway, &batch))
    }

    fn inbound(
        &self,
        gateway: &str,
        after: u64,
        most: usize,
    ) -> Later<Result<Numbered, StoreFault>> {
        let gateway = gateway.to_owned();
        self.jobs(move |db| inbound(db, &gateway, after, most))
    }

    fn inbound_done(&self, ids: Vec<u64>) -> Later<Result<(), StoreFault>> {
        self.jobs(move |db| inbound_done(db, &ids))
    }

    fn reference(&self, gateway: &str, key: &str) -> Later<Result<Option<Reference>, StoreFault>> {
        let (gateway, key) = (gateway.to_owned(), key.to_owned());
        self.jobs(move |db| reference(db, &gateway, &key))
    }

    fn keys_of(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
    ) -> Later<Result<Vec<String>, StoreFault>> {
        let (user, gateway, id) = (user.to_owned(), gateway.to_owned(), stanza_id.to_owned());
        self.jobs(move |db| keys_of(db, &user, &gateway, &id))
    }

    fn returned(
        &self,
        user: &str,
        gateway: &str,
        stanza_id: &str,
    ) -> Later<Result<Option<Returned>, StoreFault>> {
        let (user, gateway, id) = (user.to_owned(), gateway.to_owned(), stanza_id.to_owned());
        self.jobs(move |db| references::returned(db, &user, &gateway, &id))
    }

    fn user_add(&self, user: &str, of: i64) -> Later<Result<(), StoreFault>> {
        let user = user.to_owned();
        self.ask(move |db| add_user(db, &user, of))
    }

    fn user_of(&self, number: i64) -> Later<Result<Option<String>, StoreFault>> {
        self.jobs(move |db| user_of(db, number))
    }

    fn end_silence(
        &self,
        gateway: &str,
        before: i64,
        now: i64,
    ) -> Later<Result<usize, StoreFault>> {
        let gateway = gateway.to_owned();
        self.jobs(move |db| end_silence(db, &gateway, before, now))
    }

    fn forget_past(&self, now: i64) -> Later<Result<(), StoreFault>> {
        self.jobs(move |db| forget_past(db, now))
    }
}
