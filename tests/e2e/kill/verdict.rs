//! What came of a run: ids at both ends compared.
//!
//! Outward, a message is *taken* when it is on disk: no acknowledgement is known to a component
//! (XEP-0114), so what the program had read and not stored when it was killed ends in nothing, as
//! does what was in the socket. Such are counted as *cut*; they are the last ones before a kill.
//! What the server answers in the program's absence is *refused*.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use isthmus_test_support::Stanza;

use super::disk::{self, Disk};
use super::{Arrival, Books};

/// Numbers of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    sent: usize,
    taken: usize,
    refused: usize,
    cut: usize,
    arrived: usize,
    twice: usize,
    receipts: usize,
    errors: usize,
    unknown: usize,
    recalled: usize,
    written: usize,
    acknowledged: usize,
    heard: usize,
    again: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "out: {} sent, {} taken, {} refused, {} cut; of the taken {} arrived, {} of them more \
             than once, all begun at a kill; {} receipts, {} errors, {} unknown, {} recalled\n\
             in: {} written, {} acknowledged, {} heard, {} of them told again under the same id",
            self.sent,
            self.taken,
            self.refused,
            self.cut,
            self.arrived,
            self.twice,
            self.receipts,
            self.errors,
            self.unknown,
            self.recalled,
            self.written,
            self.acknowledged,
            self.heard,
            self.again
        )
    }
}

/// The message that a receipt (XEP-0184) is for.
pub(super) fn receipt_for(stanza: &Stanza) -> Option<String> {
    let received = stanza.find("received", "urn:xmpp:receipts")?;
    Some(received.attr("id").to_owned())
}

/// What juliet was told and heard.
#[derive(Debug, Default)]
struct Heard {
    /// Ids of receipts, by the message they are for.
    receipts: BTreeMap<String, BTreeSet<String>>,
    /// Conditions of errors, by the message they are for.
    errors: BTreeMap<String, BTreeSet<String>>,
    /// Ids of messages, and how often each came, by text.
    texts: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Heard {
    fn of(log: &[Stanza]) -> Self {
        let mut heard = Self::default();
        for stanza in log.iter().filter(|stanza| stanza.kind() == "message") {
            let id = stanza.id().to_owned();
            if stanza.type_() == "error" {
                let condition = stanza.error_condition().to_owned();
                heard.errors.entry(id).or_default().insert(condition);
            } else if let Some(of) = receipt_for(stanza) {
                heard.receipts.entry(of).or_default().insert(id);
            } else if !stanza.body().is_empty() {
                let ids = heard.texts.entry(stanza.body().to_owned()).or_default();
                *ids.entry(id).or_default() += 1;
            }
        }
        heard
    }
}

/// Compares both ends.
///
/// # Panics
///
/// With the first message that was lost, came twice without excuse, or ended wrongly.
pub(super) fn judge(
    books: &Books,
    disk: &Disk,
    log: &[Stanza],
    arrived: Option<&[Arrival]>,
    acknowledged: &BTreeSet<String>,
) -> Tally {
    let heard = Heard::of(log);
    let mut tally = Tally::default();
    let taken: BTreeMap<&str, i64> = disk
        .copies
        .iter()
        .map(|copy| (copy.stanza.as_str(), copy.state))
        .collect();
    assert_eq!(taken.len(), disk.copies.len(), "a message was taken twice");
    outcomes(books, &taken, &heard, &mut tally);
    if let Some(arrived) = arrived {
        outward(books, &taken, arrived, &mut tally);
    }
    inward(books, &heard, acknowledged, &mut tally);
    tally
}

/// Each message ends in one of receipt, error and unknown, or never was ours.
fn outcomes(books: &Books, taken: &BTreeMap<&str, i64>, heard: &Heard, tally: &mut Tally) {
    let none = BTreeSet::new();
    for round in &books.rounds {
        let mut missed = None;
        for sent in round {
            tally.sent += 1;
            let receipts = heard.receipts.get(&sent.id).unwrap_or(&none);
            let errors = heard.errors.get(&sent.id).unwrap_or(&none);
            match taken.get(sent.id.as_str()) {
                Some(state) => {
                    tally.taken += 1;
                    // The store takes them in their order.
                    assert_eq!(missed, None, "not taken, and {sent:?} after it was");
                    ended(&sent.id, *state, receipts, errors, tally);
                }
                None => {
                    missed = Some((sent.id.as_str(), errors));
                    assert!(
                        receipts.is_empty(),
                        "a receipt for what was not taken: {sent:?}"
                    );
                    tally.refused += usize::from(!errors.is_empty());
                    tally.cut += usize::from(errors.is_empty());
                }
            }
        }
    }
}

/// What was taken ends as its state says. That the outcome is not known may have been told before.
fn ended(
    id: &str,
    state: i64,
    receipts: &BTreeSet<String>,
    errors: &BTreeSet<String>,
    tally: &mut Tally,
) {
    let told = format!("{id}: {}: {receipts:?} {errors:?}", disk::name(state));
    let unknown = "remote-server-timeout";
    let failed = errors.iter().filter(|condition| *condition != unknown);
    let failed = failed.count();
    assert!(receipts.len() <= 1, "several receipts: {told}");
    match state {
        disk::ACCEPTED | disk::DELIVERED | disk::READ => {
            assert_eq!((receipts.len(), failed), (1, 0), "{told}");
            tally.receipts += 1;
        }
        // A receipt from the next station may stand before it.
        disk::FAILED => {
            assert_eq!(failed, 1, "{told}");
            tally.errors += 1;
        }
        disk::UNKNOWN => {
            let one = receipts.is_empty() && failed == 0 && errors.contains(unknown);
            assert!(one, "{told}");
            tally.unknown += 1;
        }
        disk::RECALLED => {
            assert!(receipts.is_empty() && errors.is_empty(), "{told}");
            tally.recalled += 1;
        }
        _ => panic!("it has not ended: {told}"),
    }
}

/// What was taken arrives, and twice only if a kill came between its beginning and its report.
fn outward(books: &Books, taken: &BTreeMap<&str, i64>, arrived: &[Arrival], tally: &mut Tally) {
    let mut found: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    for arrival in arrived {
        let identities = found.entry(&arrival.text).or_default();
        identities.push(arrival.identity.as_deref());
    }
    for sent in books.rounds.iter().flatten() {
        let identities = found.remove(sent.text.as_str()).unwrap_or_default();
        let times = identities.len();
        let state = taken.get(sent.id.as_str()).copied();
        match state {
            Some(disk::ACCEPTED | disk::DELIVERED | disk::READ) => {
                assert!(times > 0, "{sent:?} was lost");
            }
            Some(disk::UNKNOWN | disk::FAILED) => {}
            _ => assert_eq!(times, 0, "{sent:?} is {state:?} and went out"),
        }
        let kills = books.begun.get(&sent.id).copied().unwrap_or_default();
        assert!(
            times <= 1 + kills,
            "{sent:?} arrived {times} times and was begun at {kills} kills"
        );
        let one: BTreeSet<_> = identities.iter().collect();
        assert!(
            one.len() <= 1,
            "{sent:?} arrived under several ids: {identities:?}"
        );
        tally.arrived += times.min(1);
        tally.twice += usize::from(times > 1);
    }
    assert!(found.is_empty(), "nobody sent {found:?}");
}

/// What was acknowledged is heard, under one id.
fn inward(books: &Books, heard: &Heard, acknowledged: &BTreeSet<String>, tally: &mut Tally) {
    for text in acknowledged {
        assert!(
            heard.texts.contains_key(text),
            "{text:?} was acknowledged and lost"
        );
    }
    for (text, ids) in &heard.texts {
        assert_eq!(ids.len(), 1, "{text:?} came under several ids: {ids:?}");
    }
    for text in &books.written {
        let times = heard.texts.get(text).map_or(0, |ids| ids.values().sum());
        // The far end is quiet: it has been answered for each.
        assert!(times > 0, "{text:?} was never heard");
        tally.again += usize::from(times > 1);
        tally.heard += 1;
    }
    tally.written = books.written.len();
    tally.acknowledged = acknowledged.len();
}
