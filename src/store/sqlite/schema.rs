//! Opening the file and bringing its tables up to date.
//!
//! A migration is a file; its place in the list is its version, kept in `PRAGMA user_version`.
//! Each one runs in a transaction with the change of the version. There is no way down.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::{Tuning, sql};
use crate::store::StoreFault;

/// In order; never changed once released, only added to.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_archive.sql"),
    include_str!("../migrations/0002_spool_kept_sealed.sql"),
    include_str!("../migrations/0003_jobs.sql"),
    include_str!("../migrations/0004_references.sql"),
    include_str!("../migrations/0005_copies.sql"),
    include_str!("../migrations/0006_open_jobs.sql"),
    include_str!("../migrations/0007_contacts.sql"),
    include_str!("../migrations/0008_returns.sql"),
];

pub(super) fn open(path: &Path, tuning: Tuning) -> Result<Connection, StoreFault> {
    // SQLite would make it readable by all; its WAL files take the mode of the database.
    // A failure is left to SQLite to report.
    let _ = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let db = Connection::open(path).map_err(|e| sql::fault(&e))?;
    settle(&db, tuning).map_err(|e| sql::fault(&e))?;
    Ok(db)
}

pub(super) fn upgrade(db: &mut Connection, path: &Path) -> Result<(), StoreFault> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = db
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|e| sql::fault(&e))?;
    if !(0..=known).contains(&found) {
        return Err(StoreFault::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for (migration, version) in MIGRATIONS.iter().zip(1..).skip(found as usize) {
        step(db, migration, version).map_err(|e| sql::fault(&e))?;
        tracing::info!(version, "database schema brought up to date");
    }
    Ok(())
}

fn settle(db: &Connection, tuning: Tuning) -> rusqlite::Result<()> {
    db.busy_timeout(tuning.busy)?;
    if tuning.alone {
        // Before the first look at the file: in WAL mode nobody else can have it open then.
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    db.set_prepared_statement_cache_capacity(64);
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -16384;
         PRAGMA temp_store = MEMORY;",
    )?;
    db.query_row("PRAGMA wal_autocheckpoint = 8000", [], |_| Ok(()))
}

fn step(db: &mut Connection, migration: &str, version: i64) -> rusqlite::Result<()> {
    let change = db.transaction()?;
    change.execute_batch(migration)?;
    change.pragma_update(None, "user_version", version)?;
    change.commit()
}
