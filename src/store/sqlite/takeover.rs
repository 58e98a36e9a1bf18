//! What another program kept, taken over in one step for each user.
//!
//! The database is held alone meanwhile ([`SqliteStore::open_alone`]): rows may get other numbers.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{SqliteStore, Tuning, jobs, owner, sql};
use crate::secret::Secret;
use crate::store::contacts::Standing;
use crate::store::{Later, Row, StoreFault};

/// Takes one archived message of a conversation: the peer's address, and the row (its number is
/// not looked at).
pub type TakeRow<'a> = dyn FnMut(&str, Row) -> Result<(), StoreFault> + 'a;

/// Tells all messages, conversation by conversation, each in its own order.
pub type Tell = Box<dyn FnOnce(&mut TakeRow<'_>) -> Result<(), StoreFault> + Send>;

/// What is taken over of one user.
pub struct TakeOver {
    /// Who: a bare JID.
    pub user: String,
    /// His number, the same in every run.
    pub number: i64,
    /// The gateway's domain.
    pub gateway: String,
    /// Secrets that are sealed for him, by name.
    pub sealed: Vec<(String, Secret)>,
    /// Addresses of the gateway whose presence he has: escaped localparts.
    pub contacts: Vec<String>,
    /// His messages.
    pub rows: Tell,
}

/// What was taken over of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Messages that are new here.
    pub rows: u64,
    /// Messages that were here already.
    pub known: u64,
    /// Subscriptions that are new here.
    pub contacts: u64,
}

/// The conversation that rows are being taken for.
struct Open {
    peer: String,
    id: i64,
    known: HashSet<String>,
    /// The lowest number so far: new rows go below what was there, in their order.
    first: i64,
    /// There were rows before.
    mixed: bool,
    added: i64,
}

impl SqliteStore {
    /// As [`Self::open`], for a program that is alone with the database as long as it has it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and when another program has it open.
    pub fn open_alone(path: &std::path::Path) -> Result<Self, StoreFault> {
        let tuning = Tuning {
            alone: true,
            busy: std::time::Duration::from_millis(500),
            ..Tuning::default()
        };
        Self::open_tuned(path, tuning)
    }

    /// Takes over what another program kept for a user: all of it, or nothing. What is there
    /// already (by its stanza-id) is not taken twice; rows stand in the order of their times.
    pub fn take_over(&self, from: TakeOver) -> Later<Result<TakenOver, StoreFault>> {
        let key = Arc::clone(&self.key);
        self.ask(move |db| {
            let mut boxes = Vec::new();
            for (name, secret) in &from.sealed {
                let owner = owner(&from.user, &from.gateway, name);
                let sealed = key.seal(&owner, secret)?;
                boxes.push((owner, sealed));
            }
            savepoint(db, |db| {
                jobs::add_user(db, &from.user, from.number)?;
                for (owner, sealed) in &boxes {
                    sql::set_sealed(db, owner, Some(sealed)).map_err(|e| sql::fault(&e))?;
                }
                let contacts = take_contacts(db, &from).map_err(|e| sql::fault(&e))?;
                let taken = take_rows(db, &from.user, &from.gateway, from.rows)?;
                Ok(TakenOver { contacts, ..taken })
            })
        })
    }
}

/// Undoes all of it when it fails, whatever else stands in the transaction.
fn savepoint<T>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreFault>,
) -> Result<T, StoreFault> {
    let say = |words| db.execute_batch(words).map_err(|e| sql::fault(&e));
    say("SAVEPOINT takeover")?;
    let done = work(db);
    if done.is_err() {
        say("ROLLBACK TO takeover")?;
    }
    say("RELEASE takeover")?;
    done
}

/// Subscriptions that are known here stay as they are.
fn take_contacts(db: &Connection, from: &TakeOver) -> rusqlite::Result<u64> {
    let (user, gateway) = (
        sql::user_id(db, &from.user)?,
        sql::gateway_id(db, &from.gateway)?,
    );
    let standing = Standing {
        to: true,
        ..Standing::default()
    };
    let mut taken = 0;
    for local in &from.contacts {
        taken += db
            .prepare_cached(
                "INSERT OR IGNORE INTO contact (user, gateway, local, standing) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![user, gateway, local, standing.to_number()])?;
    }
    Ok(taken as u64)
}

fn take_rows(
    db: &Connection,
    user: &str,
    gateway: &str,
    rows: Tell,
) -> Result<TakenOver, StoreFault> {
    let mut taken = TakenOver::default();
    let mut at: Option<Open> = None;
    let mut take = |peer: &str, row: Row| {
        if at.as_ref().is_none_or(|open| open.peer != peer) {
            if let Some(done) = at.take() {
                done.close(db)?;
            }
            at = Some(Open::begin(db, user, gateway, peer)?);
        }
        match &mut at {
            Some(open) if open.known.contains(&row.id) => taken.known += 1,
            Some(open) => {
                open.put(db, &row)?;
                open.known.insert(row.id);
                taken.rows += 1;
            }
            None => {}
        }
        Ok(())
    };
    rows(&mut take)?;
    if let Some(done) = at {
        done.close(db)?;
    }
    Ok(taken)
}

impl Open {
    fn begin(db: &Connection, user: &str, gateway: &str, peer: &str) -> Result<Self, StoreFault> {
        let begin = || -> rusqlite::Result<Self> {
            let conversation = sql::conversation(db, user, gateway, peer)?;
            let mut ids =
                db.prepare_cached("SELECT stanza_id FROM message WHERE conversation = ?1")?;
            let known = ids.query_map([conversation.id.0], |row| row.get(0))?;
            let known: HashSet<String> = known.collect::<rusqlite::Result<_>>()?;
            Ok(Self {
                peer: peer.to_owned(),
                id: conversation.id.0,
                mixed: !known.is_empty(),
                known,
                first: conversation.last,
                added: 0,
            })
        };
        begin().map_err(|e| sql::fault(&e))
    }

    fn put(&mut self, db: &Connection, row: &Row) -> Result<(), StoreFault> {
        self.added += 1;
        let number = self.first + self.added;
        let row = Row {
            number,
            ..row.clone()
        };
        let id = crate::store::ConversationId(self.id);
        sql::append(db, id, &row).map_err(|e| sql::fault(&e))
    }

    /// Numbers all rows anew where the new ones came behind rows that may have been said later.
    fn close(self, db: &Connection) -> Result<(), StoreFault> {
        if !self.mixed || self.added == 0 {
            return Ok(());
        }
        // A number is never given to two rows, not even for a moment: hence by way of negative
        // ones. Rows of one time keep their order, what was taken over stands first.
        let renumber = || -> rusqlite::Result<()> {
            db.execute(
                "UPDATE message SET number = -place FROM (SELECT id AS row, row_number() OVER \
                 (ORDER BY at, number <= ?2, number) AS place FROM message \
                 WHERE conversation = ?1) WHERE message.id = row",
                params![self.id, self.first],
            )?;
            db.execute(
                "UPDATE message SET number = -number WHERE conversation = ?1 AND number < 0",
                params![self.id],
            )?;
            Ok(())
        };
        renumber().map_err(|e| sql::fault(&e))
    }
}
