//! A store in memory whose answers take a random, virtual time.
//!
//! The real store's thread knows nothing of a paused clock: while it works, virtual time would
//! run away. What the real one does is tested with it, and in `pump`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use isthmus::secret::Secret;
use isthmus::store::KeptValue;
use isthmus::store::archives::{Archives, Bounds, Filed, Kept, Looked, Stretch};
use isthmus::store::contacts::{Contact, Contacts, Item};
use isthmus::store::jobs::{
    Inward, Jobs, LanePage, Lanes, MakeReport, NewJob, Next, Numbered, OpenJob, Recall, Reference,
    Reported, Returned, Sweep,
};
use isthmus::store::{
    Conversation, ConversationId, Known, Later, NewReference, Page, Row, SpoolEntry, Store,
    StoreFault,
};

use crate::dice::Dice;

#[derive(Default)]
struct State {
    conversations: Vec<(String, Vec<Row>)>,
    spool: BTreeMap<(String, u64), Vec<u8>>,
    kept: HashMap<String, Vec<u8>>,
}

/// See the module's words.
pub(crate) struct MemoryStore {
    state: Arc<Mutex<State>>,
    dice: Mutex<Dice>,
    /// An answer takes up to so many milliseconds.
    slow: u64,
}

impl MemoryStore {
    pub(crate) fn new(dice: Dice, slow: u64) -> Self {
        Self {
            state: Arc::default(),
            dice: Mutex::new(dice),
            slow,
        }
    }

    /// Everything archived of one user's conversation.
    pub(crate) fn archive(&self, user: &str, peer: &str) -> Vec<Row> {
        let state = self.state();
        let found = state
            .conversations
            .iter()
            .find(|(name, _)| name.starts_with(&format!("{user} ")) && name.ends_with(peer));
        found.map(|(_, rows)| rows.clone()).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    /// What holds now, told later: the order of calls counts, not that of answers.
    fn later<T: Send + 'static>(&self, answer: T) -> Later<T> {
        let wait = self.dice.lock().expect("as above").up_to_ms(self.slow);
        Box::pin(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            answer
        })
    }
}

/// Nobody asks for archives here: they are looked at by the test itself.
impl Archives for MemoryStore {
    fn file(&self, _filed: Filed) {}

    fn bury(&self, _user: &str, _gateway: &str, _peer: &str, _id: &str, _stanza: Vec<u8>) {}

    fn archives(
        &self,
        _user: &str,
        _gateway: &str,
        _peer: Option<&str>,
    ) -> Later<Result<Vec<Kept>, StoreFault>> {
        self.later(Ok(Vec::new()))
    }

    fn lately(&self, _user: &str, _gateway: &str) -> Later<Result<Vec<Kept>, StoreFault>> {
        self.later(Ok(Vec::new()))
    }

    fn stretch(
        &self,
        _id: ConversationId,
        _stretch: Stretch,
        _newest: bool,
        _most: usize,
    ) -> Later<Result<Vec<Row>, StoreFault>> {
        self.later(Ok(Vec::new()))
    }

    fn count(&self, _id: ConversationId, _of: Stretch) -> Later<Result<usize, StoreFault>> {
        self.later(Ok(0))
    }

    fn look(
        &self,
        _id: ConversationId,
        _ids: Vec<String>,
        _below: i64,
        _most: usize,
    ) -> Later<Result<Looked, StoreFault>> {
        self.later(Ok(Looked::default()))
    }

    fn prune(
        &self,
        _gateway: &str,
        _from: i64,
        _bounds: Bounds,
    ) -> Later<Result<Option<i64>, StoreFault>> {
        self.later(Ok(None))
    }

    fn erase(&self, _id: ConversationId, _most: usize) -> Later<Result<usize, StoreFault>> {
        self.later(Ok(0))
    }
}

impl Store for MemoryStore {
    fn conversation(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
    ) -> Later<Result<Conversation, StoreFault>> {
        let name = format!("{user} {gateway} {peer}");
        let mut state = self.state();
        let all = &mut state.conversations;
        let at = all.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            all.push((name, Vec::new()));
            all.len() - 1
        });
        let last = all[at].1.last().map_or(0, |row| row.number);
        let id = ConversationId(i64::try_from(at).expect("few"));
        drop(state);
        self.later(Ok(Conversation { id, last }))
    }

    fn append(&self, id: ConversationId, row: Row) {
        let mut state = self.state();
        let rows = &mut state.conversations[usize::try_from(id.0).expect("ours")].1;
        assert!(
            rows.last().is_none_or(|last| last.number < row.number),
            "row {} of conversation {} is appended after a later one",
            row.number,
            id.0
        );
        rows.push(row);
    }

    fn rows(&self, id: ConversationId, page: Page) -> Later<Result<Vec<Row>, StoreFault>> {
        let rows: Vec<Row> = {
            let state = self.state();
            let rows = &state.conversations[usize::try_from(id.0).expect("ours")].1;
            let fits = |row: &&Row| {
                row.number > page.after
                    && page.since.is_none_or(|since| row.at >= since)
                    && page.until.is_none_or(|until| row.number <= until)
            };
            rows.iter().filter(fits).cloned().collect()
        };
        let from = rows.len().saturating_sub(page.newest);
        self.later(Ok(rows[from..].to_vec()))
    }

    fn rewrite(&self, _id: ConversationId, _stanza_id: &str, _stanza: Vec<u8>) {}

    fn refer(&self, _reference: NewReference) {}

    fn known(
        &self,
        _user: &str,
        _gateway: &str,
        _peer: &str,
        _id: &str,
    ) -> Later<Result<Option<Known>, StoreFault>> {
        self.later(Ok(None))
    }

    fn known_by_key(
        &self,
        _user: &str,
        _gateway: &str,
        _peer: &str,
        _key: &str,
    ) -> Later<Result<Option<Known>, StoreFault>> {
        self.later(Ok(None))
    }

    fn backlog(&self) -> usize {
        0
    }

    fn lost(&self) -> u64 {
        0
    }

    fn synced(&self) -> Later<Result<(), StoreFault>> {
        self.later(Ok(()))
    }

    fn spool_put(&self, lane: &str, number: u64, blob: Vec<u8>) {
        self.state().spool.insert((lane.to_owned(), number), blob);
    }

    fn spool_next(&self, lane: &str, after: u64) -> Later<SpoolEntry> {
        let found = {
            let state = self.state();
            let range = (lane.to_owned(), after + 1)..=(lane.to_owned(), u64::MAX);
            let mut range = state.spool.range(range);
            range
                .next()
                .map(|((_, number), blob)| (*number, blob.clone()))
        };
        self.later(Ok(found))
    }

    fn spool_remove(&self, lane: &str, upto: u64) {
        let mut state = self.state();
        state
            .spool
            .retain(|(of, number), _| of != lane || *number > upto);
    }

    fn keep(&self, user: &str, gateway: &str, name: &str, value: Option<Vec<u8>>) {
        let key = format!("{user} {gateway} {name}");
        let mut state = self.state();
        match value {
            Some(value) => state.kept.insert(key, value),
            None => state.kept.remove(&key),
        };
    }

    fn kept(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Vec<u8>>, StoreFault>> {
        let key = format!("{user} {gateway} {name}");
        let value = self.state().kept.get(&key).cloned();
        self.later(Ok(value))
    }

    fn kept_under(&self, gateway: &str, prefix: &str) -> Later<Result<Vec<KeptValue>, StoreFault>> {
        let state = self.state();
        let kept = state.kept.iter().filter_map(|(key, value)| {
            let mut words = key.splitn(3, ' ');
            let (user, of, name) = (words.next()?, words.next()?, words.next()?);
            let fits = of == gateway && name.starts_with(prefix);
            fits.then(|| (user.to_owned(), name.to_owned(), value.clone()))
        });
        let kept = kept.collect();
        drop(state);
        self.later(Ok(kept))
    }

    fn seal(&self, _: &str, _: &str, _: &str, _: &Secret) -> Later<Result<(), StoreFault>> {
        self.later(Err(StoreFault::Closed))
    }

    fn unseal(&self, _: &str, _: &str, name: &str) -> Later<Result<Option<Secret>, StoreFault>> {
        // Networks keep and ask nothing here: the dice of a seed are thrown for what tests are about.
        match name.starts_with("session ") || name.starts_with("dialog ") {
            true => Box::pin(std::future::ready(Ok(None))),
            false => self.later(Ok(None)),
        }
    }

    fn instance_key(&self, _: &str) -> [u8; 32] {
        [7; 32]
    }
}

/// The tests that use this store have no contacts.
impl Contacts for MemoryStore {
    fn stand(&self, _: Contact) {}

    fn contacts(&self, _: &str) -> Later<Result<Vec<Contact>, StoreFault>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn all_of(&self, _: &str, _: &str, _: usize) -> Later<Result<Vec<Item>, StoreFault>> {
        none()
    }

    fn forget(&self, _: &str, _: &str) -> Later<Result<(), StoreFault>> {
        none()
    }
}

/// The tests that use this store have live gateways only.
impl Jobs for MemoryStore {
    fn job_add(&self, _: NewJob) -> Later<Result<u64, StoreFault>> {
        none()
    }

    fn lanes_open(&self, _: &str, _: Sweep) -> Later<Result<Lanes, StoreFault>> {
        none()
    }

    fn lane_fronts(
        &self,
        _: &str,
        _: Vec<(String, usize)>,
    ) -> Later<Result<Vec<LanePage>, StoreFault>> {
        none()
    }

    fn job(&self, _: u64) -> Later<Result<Option<OpenJob>, StoreFault>> {
        none()
    }

    fn jobs_lease(&self, _: Vec<u64>) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        none()
    }

    fn copy_begin(
        &self,
        _: u64,
        _: u16,
        _: Vec<String>,
        _: i64,
    ) -> Later<Result<bool, StoreFault>> {
        none()
    }

    fn report_on(&self, _: u64, _: MakeReport) -> Later<Result<(Reported, Next), StoreFault>> {
        none()
    }

    fn recall(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: Vec<String>,
    ) -> Later<Result<Recall, StoreFault>> {
        none()
    }

    fn recall_job(&self, _: &str, _: &str, _: u64) -> Later<Result<Recall, StoreFault>> {
        none()
    }

    fn change(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: Vec<String>,
        _: Vec<u8>,
    ) -> Later<Result<Recall, StoreFault>> {
        none()
    }

    fn jobs_of(&self, _: &str, _: &str, _: usize) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        none()
    }

    fn deliver(&self, _: &str, _: Vec<Inward>) -> Later<Result<Vec<Option<u64>>, StoreFault>> {
        none()
    }

    fn inbound(&self, _: &str, _: u64, _: usize) -> Later<Result<Numbered, StoreFault>> {
        none()
    }

    fn inbound_done(&self, _: Vec<u64>) -> Later<Result<(), StoreFault>> {
        none()
    }

    fn reference(&self, _: &str, _: &str) -> Later<Result<Option<Reference>, StoreFault>> {
        none()
    }

    fn keys_of(&self, _: &str, _: &str, _: &str) -> Later<Result<Vec<String>, StoreFault>> {
        none()
    }

    fn returned(&self, _: &str, _: &str, _: &str) -> Later<Result<Option<Returned>, StoreFault>> {
        none()
    }

    fn user_add(&self, _: &str, _: i64) -> Later<Result<(), StoreFault>> {
        none()
    }

    fn user_of(&self, _: i64) -> Later<Result<Option<String>, StoreFault>> {
        none()
    }

    fn end_silence(&self, _: &str, _: i64, _: i64) -> Later<Result<usize, StoreFault>> {
        none()
    }

    fn forget_past(&self, _: i64) -> Later<Result<(), StoreFault>> {
        none()
    }
}

fn none<T: Send + 'static>() -> Later<Result<T, StoreFault>> {
    Box::pin(async { Err(StoreFault::Closed) })
}
