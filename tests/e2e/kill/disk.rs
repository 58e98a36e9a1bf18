//! What the program has on disk, read without touching it.

use std::collections::BTreeMap;
use std::path::Path;

use isthmus_test_support::Isthmus;
use rusqlite::{Connection, OpenFlags};

/// States of a copy, by number (`store::jobs`); the last one is a row on its way in.
pub(super) const QUEUED: i64 = 0;
pub(super) const BEGUN: i64 = 1;
pub(super) const UNKNOWN: i64 = 2;
pub(super) const ACCEPTED: i64 = 3;
pub(super) const DELIVERED: i64 = 4;
pub(super) const READ: i64 = 5;
pub(super) const FAILED: i64 = 6;
pub(super) const RECALLED: i64 = 7;
pub(super) const INBOUND: i64 = 8;

/// What a state is called.
pub(super) fn name(state: i64) -> &'static str {
    const NAMES: [&str; 9] = [
        "Queued",
        "Begun",
        "Unknown",
        "Accepted",
        "Delivered",
        "Read",
        "Failed",
        "Recalled",
        "inbound, not proven",
    ];
    let at = usize::try_from(state).ok();
    at.and_then(|at| NAMES.get(at)).copied().unwrap_or("?")
}

/// One recipient's copy.
#[derive(Debug)]
pub(super) struct Copy {
    /// The id of the stanza.
    pub(super) stanza: String,
    pub(super) state: i64,
    /// Its sender has been told something.
    told: bool,
}

/// All that is there.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) copies: Vec<Copy>,
    /// Rows on their way in.
    pub(super) inbound: u64,
}

impl Disk {
    /// Of a program that was killed: of a copy, because whoever opens a database recovers it, and
    /// that is for the program to do.
    pub(super) fn of_dead(isthmus: &Isthmus) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["isthmus.db", "isthmus.db-wal"] {
            // There is no log where everything was written back.
            let _ = std::fs::copy(isthmus.dir().join(name), dir.path().join(name));
        }
        let db = Connection::open(dir.path().join("isthmus.db")).expect("the database opens");
        Self::read(&db).expect("the database can be read")
    }

    /// Of a program that runs; `None` while it opens the database itself.
    pub(super) fn of_living(isthmus: &Isthmus) -> Option<Self> {
        let path: &Path = &isthmus.dir().join("isthmus.db");
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        Self::read(&db).ok()
    }

    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT j.stanza_id, c.state, c.told FROM copy c JOIN job j ON j.id = c.job \
                   ORDER BY j.id";
        let mut rows = db.prepare(sql)?;
        let copy = |row: &rusqlite::Row<'_>| {
            let told: i64 = row.get(2)?;
            Ok(Copy {
                stanza: row.get(0)?,
                state: row.get(1)?,
                told: told != 0,
            })
        };
        let copies = rows.query_map([], copy)?.collect::<Result<_, _>>()?;
        let count = "SELECT count(*) FROM inbound";
        let inbound: i64 = db.query_row(count, [], |row| row.get(0))?;
        Ok(Self {
            copies,
            inbound: inbound.unsigned_abs(),
        })
    }

    /// How many copies are to be sent, for those two states; or have come into a state since
    /// `last`, for the others.
    pub(super) fn count(&self, state: i64, last: &BTreeMap<String, i64>) -> u64 {
        if state == INBOUND {
            return self.inbound;
        }
        let new = |copy: &Copy| state <= BEGUN || last.get(&copy.stanza) != Some(&state);
        let fits = |copy: &&Copy| copy.state == state && new(copy);
        self.copies.iter().filter(fits).count() as u64
    }

    /// The copies that wait to be sent, or for something to tell their sender.
    pub(super) fn open(&self) -> Vec<&Copy> {
        let open = |copy: &&Copy| copy.state <= BEGUN || !copy.told;
        self.copies.iter().filter(open).collect()
    }
}
