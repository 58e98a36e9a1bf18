//! What must survive a restart of what a carrier delivers.
//!
//! * Parts that are answered before their message is whole are on disk before the answer.
//! * Of a message that was stored, the marks of its parts are kept for a while: a carrier that
//!   did not read the last answer sends that part again, and it must not look like the beginning
//!   of another message.
//! * The keys under which messages of the last minute were stored ([`Repeats`]).
//!
//! Values are spread over [`BUCKETS`] names, so that one part does not write all the others
//! again.
//!
//! [`Repeats`]: crate::translate::repeat::Repeats

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isthmus_gateway::{Later, Refusal, Uplink};
use serde::{Deserialize, Serialize};

use crate::translate::concat::{Key, Parts};
use crate::translate::repeat::{BUCKETS, Record, fingerprint};

/// Messages of one bucket whose marks are kept, at most.
const MOST_DONE: usize = 64;
/// How long marks are kept beyond the time that parts are waited for.
const MARKED: Duration = Duration::from_secs(600);

/// What is known of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    parts: Parts,
    done: Option<Done>,
}

/// The message that was stored under this key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    /// When, in milliseconds since 1970.
    at: u64,
    marks: BTreeSet<(u8, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    ton: u8,
    source: String,
    destination: String,
    reference: u16,
    total: u8,
    /// Number, data coding, octets in hexadecimal digits.
    parts: Vec<(u8, u8, String)>,
    done: Option<Done>,
}

/// What one carrier's deliveries keep.
pub(super) struct Journal {
    carrier: String,
    up: Arc<dyn Uplink>,
    marked: Duration,
    entries: BTreeMap<Key, Entry>,
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn bucket(key: &Key) -> u64 {
    let reference = key.reference.to_be_bytes();
    let (source, destination) = (key.source.as_bytes(), key.destination.as_bytes());
    fingerprint(&[source, destination, &reference]) % BUCKETS
}

fn mark(number: u8, part: &(Vec<u8>, u8)) -> (u8, u64) {
    (number, fingerprint(&[&part.0, &[part.1]]))
}

fn marks(parts: &Parts) -> BTreeSet<(u8, u64)> {
    parts.iter().map(|(n, part)| mark(*n, part)).collect()
}

fn read<T: for<'a> Deserialize<'a>>(value: Option<Vec<u8>>) -> Vec<T> {
    // What another version kept and this one cannot read is as good as nothing.
    value
        .and_then(|value| serde_json::from_slice(&value).ok())
        .unwrap_or_default()
}

fn written<T: Serialize>(rows: &[T]) -> Option<Vec<u8>> {
    if rows.is_empty() {
        return None;
    }
    serde_json::to_vec(rows).ok()
}

impl Journal {
    pub(super) fn new(carrier: &str, up: Arc<dyn Uplink>, timeout: Duration) -> Self {
        Self {
            carrier: carrier.to_owned(),
            up,
            marked: timeout + MARKED,
            entries: BTreeMap::new(),
        }
    }

    /// Reads what is there: incomplete messages, and the keys of messages of late.
    pub(super) async fn load(&mut self) -> Result<(Vec<(Key, Parts)>, Vec<Record>), Refusal> {
        let kept = |kind: &str, at: u64| self.up.kept(&format!("{kind} {} {at}", self.carrier));
        let all: Vec<_> = (0..BUCKETS)
            .map(|at| (kept("parts", at), kept("seen", at)))
            .collect();
        let mut seen = Vec::new();
        let mut entries = BTreeMap::new();
        for (parts, of_late) in all {
            entries.extend(read::<Row>(parts.await?).into_iter().filter_map(entry));
            seen.extend(read::<Record>(of_late.await?));
        }
        self.entries = entries;
        let open = self.entries.iter().filter(|(_, it)| !it.parts.is_empty());
        let open = open.map(|(key, entry)| (key.clone(), entry.parts.clone()));
        Ok((open.collect(), seen))
    }

    /// The parts of a message that are on disk.
    pub(super) fn parts(&self, key: &Key) -> Parts {
        let entry = self.entries.get(key);
        entry.map(|entry| entry.parts.clone()).unwrap_or_default()
    }

    /// Resolves when these are on disk. `Err`: they may or may not be.
    pub(super) async fn put(&mut self, messages: Vec<(Key, Parts)>) -> Result<(), Refusal> {
        let mut before = Vec::new();
        for (key, parts) in messages {
            let entry = self.entries.entry(key.clone()).or_default();
            if entry.parts != parts {
                before.push((key, std::mem::replace(&mut entry.parts, parts)));
            }
        }
        let result = self.write(before.iter().map(|(key, _)| bucket(key))).await;
        if result.is_err() {
            for (key, parts) in before {
                self.entries.entry(key).or_default().parts = parts;
            }
        }
        result
    }

    /// These are stored: of their parts only marks are kept.
    pub(super) async fn done(&mut self, messages: Vec<(Key, Parts)>) {
        let mut buckets = Vec::new();
        for (key, parts) in messages {
            buckets.push(bucket(&key));
            let entry = self.entries.entry(key).or_default();
            entry.parts.clear();
            let done = entry.done.get_or_insert_with(|| Done {
                at: 0,
                marks: BTreeSet::new(),
            });
            let marks = marks(&parts);
            // Less than is marked already comes of the same message.
            if !marks.is_subset(&done.marks) {
                done.marks = marks;
            }
            done.at = now_ms();
        }
        if let Err(refusal) = self.write(buckets.into_iter()).await {
            let carrier = &self.carrier;
            tracing::warn!(carrier, ?refusal, "parts that were stored are still kept");
        }
    }

    /// Whether all these are parts of the message that was stored under this key before.
    pub(super) fn is_again(&self, key: &Key, parts: &Parts) -> bool {
        let done = self.entries.get(key).and_then(|it| it.done.as_ref());
        done.is_some_and(|done| marks(parts).is_subset(&done.marks))
    }

    /// Keeps the keys of messages of late; in order with what is asked of the host afterwards.
    pub(super) fn seen(&self, buckets: Vec<(u64, Vec<Record>)>) -> Vec<Later<Result<(), Refusal>>> {
        let keep = |(at, records): (u64, Vec<Record>)| {
            let name = format!("seen {} {at}", self.carrier);
            self.up.keep(&name, written(&records))
        };
        buckets.into_iter().map(keep).collect()
    }

    async fn write(&mut self, buckets: impl Iterator<Item = u64>) -> Result<(), Refusal> {
        let mut rows: BTreeMap<u64, Vec<Row>> = buckets.map(|at| (at, Vec::new())).collect();
        self.forget(&rows);
        for (key, entry) in &self.entries {
            if let Some(rows) = rows.get_mut(&bucket(key)) {
                rows.push(row(key, entry));
            }
        }
        let keep = |(at, rows): (u64, Vec<Row>)| {
            let name = format!("parts {} {at}", self.carrier);
            self.up.keep(&name, written(&rows))
        };
        let kept: Vec<_> = rows.into_iter().map(keep).collect();
        let mut result = Ok(());
        for kept in kept {
            result = result.and(kept.await);
        }
        result
    }

    /// Drops the marks that are too old or too many in these buckets.
    fn forget(&mut self, buckets: &BTreeMap<u64, Vec<Row>>) {
        let marked = u64::try_from(self.marked.as_millis()).unwrap_or(u64::MAX);
        let oldest = now_ms().saturating_sub(marked);
        let mut done: BTreeMap<u64, Vec<(u64, Key)>> = BTreeMap::new();
        self.entries.retain(|key, entry| {
            let at = bucket(key);
            if !buckets.contains_key(&at) {
                return true;
            }
            entry.done = entry.done.take().filter(|done| done.at >= oldest);
            if let Some(marked) = &entry.done {
                done.entry(at).or_default().push((marked.at, key.clone()));
            }
            entry.done.is_some() || !entry.parts.is_empty()
        });
        for mut done in done.into_values() {
            done.sort();
            let surplus = done.len().saturating_sub(MOST_DONE);
            for (_, key) in done.drain(..surplus) {
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.done = None;
                }
            }
        }
    }
}

fn row(key: &Key, entry: &Entry) -> Row {
    let part = |(n, (octets, coding)): (&u8, &(Vec<u8>, u8))| (*n, *coding, hex::encode(octets));
    Row {
        ton: key.ton,
        source: key.source.clone(),
        destination: key.destination.clone(),
        reference: key.reference,
        total: key.total,
        parts: entry.parts.iter().map(part).collect(),
        done: entry.done.clone(),
    }
}

fn entry(row: Row) -> Option<(Key, Entry)> {
    let key = Key {
        ton: row.ton,
        source: row.source,
        destination: row.destination,
        reference: row.reference,
        total: row.total,
    };
    let part =
        |(n, coding, octets): (u8, u8, String)| Some((n, (hex::decode(octets).ok()?, coding)));
    let parts = row.parts.into_iter().map(part).collect::<Option<Parts>>()?;
    let done = row.done;
    Some((key, Entry { parts, done }))
}
