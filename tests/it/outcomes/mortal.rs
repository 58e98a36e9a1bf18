//! A store that dies with its program at a given commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use isthmus::secret::Secret;
use isthmus::store::KeptValue;
use isthmus::store::archives::{Archives, Bounds, Filed, Kept, Looked, Stretch};
use isthmus::store::contacts::{Contact, Contacts, Item};
use isthmus::store::jobs::{
    Inward, Jobs, LanePage, Lanes, MakeReport, NewJob, Next, Numbered, OpenJob, Recall, Reference,
    Reported, Returned, Sweep,
};
use isthmus::store::{
    Conversation, ConversationId, Known, Later, NewReference, Page, Row, SpoolEntry, SqliteStore,
    Store, StoreFault,
};

/// When the program dies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// With which commit, from 1.
    pub(super) at: usize,
    /// Whether that one is done: nobody hears of it.
    pub(super) done: bool,
}

/// See the module's words.
pub(super) struct Mortal {
    store: Arc<SqliteStore>,
    death: Option<Death>,
    commits: AtomicUsize,
}

impl Mortal {
    pub(super) fn new(store: Arc<SqliteStore>, death: Option<Death>) -> Self {
        Self {
            store,
            death,
            commits: AtomicUsize::new(0),
        }
    }

    /// Whether it is to die at all.
    pub(super) fn mortal(&self) -> bool {
        self.death.is_some()
    }

    pub(super) fn is_dead(&self) -> bool {
        let commits = self.commits.load(Ordering::SeqCst);
        self.death.is_some_and(|death| commits >= death.at)
    }

    fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&SqliteStore) -> Later<Result<T, StoreFault>>,
    ) -> Later<Result<T, StoreFault>> {
        match self.is_dead() {
            true => Box::pin(std::future::pending()),
            false => ask(&self.store),
        }
    }

    fn commit<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&SqliteStore) -> Later<Result<T, StoreFault>>,
    ) -> Later<Result<T, StoreFault>> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        match self.death {
            Some(death) if number > death.at => {}
            Some(death) if number == death.at => {
                if death.done {
                    // It counts from when it is asked, heard or not.
                    drop(ask(&self.store));
                }
            }
            _ => return ask(&self.store),
        }
        Box::pin(std::future::pending())
    }

    fn write(&self, write: impl FnOnce(&SqliteStore)) {
        if !self.is_dead() {
            write(&self.store);
        }
    }
}

impl Jobs for Mortal {
    fn job_add(&self, job: NewJob) -> Later<Result<u64, StoreFault>> {
        self.commit(|store| store.job_add(job))
    }

    fn lanes_open(&self, gateway: &str, sweep: Sweep) -> Later<Result<Lanes, StoreFault>> {
        self.read(|store| store.lanes_open(gateway, sweep))
    }

    fn lane_fronts(
        &self,
        gateway: &str,
        lanes: Vec<(String, usize)>,
    ) -> Later<Result<Vec<LanePage>, StoreFault>> {
        self.read(|store| store.lane_fronts(gateway, lanes))
    }

    fn job(&self, id: u64) -> Later<Result<Option<OpenJob>, StoreFault>> {
        self.read(|store| store.job(id))
    }

    fn jobs_lease(&self, ids: Vec<u64>) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        self.commit(|store| store.jobs_lease(ids))
    }

    fn copy_begin(
        &self,
        job: u64,
        copy: u16,
        keys: Vec<String>,
        until: i64,
    ) -> Later<Result<bool, StoreFault>> {
        self.commit(|store| store.copy_begin(job, copy, keys, until))
    }

    fn report_on(&self, job: u64, make: MakeReport) -> Later<Result<(Reported, Next), StoreFault>> {
        self.commit(|store| store.report_on(job, make))
    }

    fn recall(
        &self,
        user: &str,
        gateway: &str,
        id: &str,
        to: Vec<String>,
    ) -> Later<Result<Recall, StoreFault>> {
        self.commit(|store| store.recall(user, gateway, id, to))
    }

    fn recall_job(&self, user: &str, gateway: &str, job: u64) -> Later<Result<Recall, StoreFault>> {
        self.commit(|store| store.recall_job(user, gateway, job))
    }

    fn change(
        &self,
        user: &str,
        gateway: &str,
        id: &str,
        to: Vec<String>,
        message: Vec<u8>,
    ) -> Later<Result<Recall, StoreFault>> {
        self.commit(|store| store.change(user, gateway, id, to, message))
    }

    fn jobs_of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> Later<Result<Vec<OpenJob>, StoreFault>> {
        self.read(|store| store.jobs_of(user, gateway, most))
    }

    fn deliver(
        &self,
        gateway: &str,
        batch: Vec<Inward>,
    ) -> Later<Result<Vec<Option<u64>>, StoreFault>> {
        self.commit(|store| store.deliver(gateway, batch))
    }

    fn inbound(
        &self,
        gateway: &str,
        after: u64,
        most: usize,
    ) -> Later<Result<Numbered, StoreFault>> {
        self.read(|store| store.inbound(gateway, after, most))
    }

    fn inbound_done(&self, ids: Vec<u64>) -> Later<Result<(), StoreFault>> {
        self.commit(|store| store.inbound_done(ids))
    }

    fn reference(&self, gateway: &str, key: &str) -> Later<Result<Option<Reference>, StoreFault>> {
        self.read(|store| store.reference(gateway, key))
    }

    fn keys_of(
        &self,
        user: &str,
        gateway: &str,
        id: &str,
    ) -> Later<Result<Vec<String>, StoreFault>> {
        self.read(|store| store.keys_of(user, gateway, id))
    }

    fn returned(
        &self,
        user: &str,
        gateway: &str,
        id: &str,
    ) -> Later<Result<Option<Returned>, StoreFault>> {
        self.commit(|store| store.returned(user, gateway, id))
    }

    fn user_add(&self, user: &str, number: i64) -> Later<Result<(), StoreFault>> {
        self.commit(|store| store.user_add(user, number))
    }

    fn user_of(&self, number: i64) -> Later<Result<Option<String>, StoreFault>> {
        self.read(|store| store.user_of(number))
    }

    fn end_silence(
        &self,
        gateway: &str,
        before: i64,
        now: i64,
    ) -> Later<Result<usize, StoreFault>> {
        self.commit(|store| store.end_silence(gateway, before, now))
    }

    fn forget_past(&self, now: i64) -> Later<Result<(), StoreFault>> {
        self.commit(|store| store.forget_past(now))
    }
}

impl Archives for Mortal {
    fn file(&self, filed: Filed) {
        self.write(|store| store.file(filed));
    }

    fn bury(&self, user: &str, gateway: &str, peer: &str, id: &str, stanza: Vec<u8>) {
        self.write(|store| store.bury(user, gateway, peer, id, stanza));
    }

    fn archives(
        &self,
        user: &str,
        gateway: &str,
        peer: Option<&str>,
    ) -> Later<Result<Vec<Kept>, StoreFault>> {
        self.read(|store| store.archives(user, gateway, peer))
    }

    fn lately(&self, user: &str, gateway: &str) -> Later<Result<Vec<Kept>, StoreFault>> {
        self.read(|store| store.lately(user, gateway))
    }

    fn stretch(
        &self,
        id: ConversationId,
        stretch: Stretch,
        newest: bool,
        most: usize,
    ) -> Later<Result<Vec<Row>, StoreFault>> {
        self.read(|store| store.stretch(id, stretch, newest, most))
    }

    fn count(&self, id: ConversationId, of: Stretch) -> Later<Result<usize, StoreFault>> {
        self.read(|store| store.count(id, of))
    }

    fn look(
        &self,
        id: ConversationId,
        ids: Vec<String>,
        below: i64,
        most: usize,
    ) -> Later<Result<Looked, StoreFault>> {
        self.read(|store| store.look(id, ids, below, most))
    }

    fn prune(
        &self,
        gateway: &str,
        from: i64,
        bounds: Bounds,
    ) -> Later<Result<Option<i64>, StoreFault>> {
        self.read(|store| store.prune(gateway, from, bounds))
    }

    fn erase(&self, id: ConversationId, most: usize) -> Later<Result<usize, StoreFault>> {
        self.commit(|store| store.erase(id, most))
    }
}

impl Contacts for Mortal {
    fn stand(&self, contact: Contact) {
        self.write(|store| store.stand(contact));
    }

    fn contacts(&self, gateway: &str) -> Later<Result<Vec<Contact>, StoreFault>> {
        self.read(|store| store.contacts(gateway))
    }

    fn all_of(
        &self,
        user: &str,
        gateway: &str,
        most: usize,
    ) -> Later<Result<Vec<Item>, StoreFault>> {
        self.read(|store| store.all_of(user, gateway, most))
    }

    fn forget(&self, user: &str, gateway: &str) -> Later<Result<(), StoreFault>> {
        self.commit(|store| store.forget(user, gateway))
    }
}

impl Store for Mortal {
    fn conversation(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
    ) -> Later<Result<Conversation, StoreFault>> {
        self.read(|store| store.conversation(user, gateway, peer))
    }

    fn rows(&self, id: ConversationId, page: Page) -> Later<Result<Vec<Row>, StoreFault>> {
        self.read(|store| store.rows(id, page))
    }

    fn synced(&self) -> Later<Result<(), StoreFault>> {
        self.read(|store| store.synced())
    }

    fn kept(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Vec<u8>>, StoreFault>> {
        self.read(|store| store.kept(user, gateway, name))
    }

    fn kept_under(&self, gateway: &str, prefix: &str) -> Later<Result<Vec<KeptValue>, StoreFault>> {
        self.read(|store| store.kept_under(gateway, prefix))
    }

    fn seal(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
        secret: &Secret,
    ) -> Later<Result<(), StoreFault>> {
        self.commit(|store| store.seal(user, gateway, name, secret))
    }

    fn unseal(
        &self,
        user: &str,
        gateway: &str,
        name: &str,
    ) -> Later<Result<Option<Secret>, StoreFault>> {
        self.read(|store| store.unseal(user, gateway, name))
    }

    fn append(&self, id: ConversationId, row: Row) {
        self.write(|store| store.append(id, row));
    }

    fn rewrite(&self, id: ConversationId, stanza_id: &str, stanza: Vec<u8>) {
        self.write(|store| store.rewrite(id, stanza_id, stanza));
    }

    fn refer(&self, reference: NewReference) {
        self.write(|store| store.refer(reference));
    }

    fn known(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
        id: &str,
    ) -> Later<Result<Option<Known>, StoreFault>> {
        self.read(|store| store.known(user, gateway, peer, id))
    }

    fn known_by_key(
        &self,
        user: &str,
        gateway: &str,
        peer: &str,
        key: &str,
    ) -> Later<Result<Option<Known>, StoreFault>> {
        self.read(|store| store.known_by_key(user, gateway, peer, key))
    }

    fn backlog(&self) -> usize {
        self.store.backlog()
    }

    fn lost(&self) -> u64 {
        self.store.lost()
    }

    fn spool_put(&self, lane: &str, number: u64, blob: Vec<u8>) {
        self.write(|store| store.spool_put(lane, number, blob));
    }

    fn spool_next(&self, lane: &str, after: u64) -> Later<SpoolEntry> {
        self.read(|store| store.spool_next(lane, after))
    }

    fn spool_remove(&self, lane: &str, upto: u64) {
        self.write(|store| store.spool_remove(lane, upto));
    }

    fn keep(&self, user: &str, gateway: &str, name: &str, value: Option<Vec<u8>>) {
        self.write(|store| store.keep(user, gateway, name, value));
    }

    fn instance_key(&self, label: &str) -> [u8; 32] {
        self.store.instance_key(label)
    }
}
