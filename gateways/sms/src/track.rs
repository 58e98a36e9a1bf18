//! What is out and waits for receipts.
//!
//! A receipt names the carrier's id of a part. What is not remembered here, being pushed out or of
//! an earlier run, is asked for at the host ([`Uplink::resolve`]). A receipt may also come before
//! the answer that tells the id, so one that the host does not know either is held for a minute
//! while something is being submitted. It has been answered by then: if we are killed, so is the
//! submission, and what is sent once more has a receipt of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use isthmus_gateway::{JobId, Refusal, Report, State, Uplink};
use serde::{Deserialize, Serialize};

use crate::translate::outcome::Copy;
use crate::translate::receipt::{Receipt, other_forms, plain_form};

/// Ids remembered, at most.
const MOST: usize = 20_000;
/// Receipts held, at most.
const MOST_EARLY: usize = 10_000;
/// How long a receipt is held.
const HOLD: Duration = Duration::from_secs(60);
/// Between two tries of a report that the host cannot take yet.
const AGAIN: Duration = Duration::from_secs(1);

/// The key under which the host knows one of `parts` parts. It tells how many there are, because
/// in a later run it is all that is known.
pub(crate) fn key(carrier: &str, id: &str, parts: usize) -> String {
    let id = plain_form(id);
    if parts > 1 {
        format!("{carrier}:{id}/{parts}")
    } else {
        format!("{carrier}:{id}")
    }
}

/// What is kept with a job that has a copy of several parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    copies: BTreeMap<u16, Copy>,
}

/// A job and its copies.
pub(crate) struct Sent {
    pub(crate) job: JobId,
    carrier: String,
    copies: Mutex<BTreeMap<u16, Copy>>,
    /// It went out in an earlier run, and nothing was kept of it.
    recalled: bool,
    /// One report at a time, so that what is kept only moves forward.
    reporting: tokio::sync::Mutex<()>,
}

impl Sent {
    /// A job that is about to be sent, with what was kept of an earlier attempt.
    pub(crate) fn new(job: JobId, carrier: &str, kept: Option<&[u8]>) -> Arc<Self> {
        // What another version kept and this one cannot read is as good as nothing.
        let kept = kept.and_then(|kept| serde_json::from_slice::<Kept>(kept).ok());
        Arc::new(Self {
            job,
            carrier: carrier.to_owned(),
            copies: Mutex::new(kept.unwrap_or_default().copies),
            recalled: false,
            reporting: tokio::sync::Mutex::default(),
        })
    }

    /// A job that went out in an earlier run and of which nothing was kept.
    fn recalled(job: JobId, carrier: &str) -> Arc<Self> {
        Arc::new(Self {
            job,
            carrier: carrier.to_owned(),
            copies: Mutex::default(),
            recalled: true,
            reporting: tokio::sync::Mutex::default(),
        })
    }

    /// Makes the copy of a job of an earlier run, unless it is there.
    pub(crate) fn recall(&self, to: u16, parts: usize) {
        let mut copies = lock(&self.copies);
        copies.entry(to).or_insert_with(|| Copy::recalled(parts));
    }

    /// Works on one recipient's copy; it is made with `parts` parts if it is not there.
    pub(crate) fn with<T>(&self, to: u16, parts: usize, work: impl FnOnce(&mut Copy) -> T) -> T {
        let mut copies = lock(&self.copies);
        let copy = copies.entry(to).or_insert_with(|| Copy::new(parts));
        if copy.len() != parts.max(1) && parts > 0 {
            // Cut differently by another configuration: it begins again.
            *copy = Copy::new(parts);
        }
        work(copy)
    }

    /// Changes one recipient's copy and reports what comes of that, in order, again and again
    /// while the host is too busy. `Err`: it stayed so, and the copy is as it was.
    pub(crate) async fn report(
        &self,
        up: &Arc<dyn Uplink>,
        to: u16,
        parts: usize,
        tries: u32,
        change: impl FnOnce(&mut Copy) -> Vec<State>,
    ) -> Result<(), Refusal> {
        let _one = self.reporting.lock().await;
        let (before, states) = self.with(to, parts, |copy| (copy.clone(), change(copy)));
        for state in states {
            if let Err(refusal) = self.tell(up, to, &state, tries).await {
                self.with(to, parts, |copy| *copy = before);
                return Err(refusal);
            }
        }
        Ok(())
    }

    async fn tell(
        &self,
        up: &Arc<dyn Uplink>,
        to: u16,
        state: &State,
        tries: u32,
    ) -> Result<(), Refusal> {
        let mut last = Ok(());
        for attempt in 0..tries.max(1) {
            if attempt > 0 {
                tokio::time::sleep(AGAIN).await;
            }
            last = up.report(self.make(to, state)).await;
            match last {
                Err(Refusal::Later(_)) => {}
                // A job the host no longer knows needs no report.
                _ => return Ok(()),
            }
        }
        last
    }

    fn make(&self, to: u16, state: &State) -> Report {
        let mut report = Report::new(self.job, to, state.clone());
        if self.recalled {
            return report;
        }
        let copies = lock(&self.copies);
        if let Some(copy) = copies.get(&to) {
            let key = |id: &String| key(&self.carrier, id, copy.len());
            report.keys = copy.ids().iter().map(key).collect();
        }
        if copies.values().any(|copy| copy.len() > 1) {
            let kept = Kept {
                copies: copies.clone(),
            };
            report.kept = serde_json::to_vec(&kept).ok();
        }
        report
    }
}

/// One part of a job.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) sent: Arc<Sent>,
    pub(crate) to: u16,
    pub(crate) part: usize,
    /// The recipient's number, digits only.
    pub(crate) number: String,
}

/// All parts of a carrier that wait for receipts.
#[derive(Default)]
pub(crate) struct Table {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    parts: HashMap<String, Part>,
    order: VecDeque<String>,
    early: VecDeque<(Instant, Receipt)>,
    /// Jobs of earlier runs whose receipts come now.
    recalled: HashMap<JobId, Arc<Sent>>,
    /// Submissions under way.
    submitting: usize,
}

impl Table {
    /// A submission begins.
    pub(crate) fn submitting(&self) {
        lock(&self.inner).submitting += 1;
    }

    /// A submission ended; with the id, if the carrier took it. Returns what came before.
    pub(crate) fn submitted(&self, taken: Option<(&str, Part)>, now: Instant) -> Vec<Receipt> {
        let mut inner = lock(&self.inner);
        inner.submitting = inner.submitting.saturating_sub(1);
        let Some((id, part)) = taken.filter(|(id, _)| !id.is_empty()) else {
            return Vec::new();
        };
        let id = plain_form(id);
        inner.early.retain(|(at, _)| now.duration_since(*at) < HOLD);
        let (mine, others) = std::mem::take(&mut inner.early)
            .into_iter()
            .partition(|(_, receipt)| receipt.ids.iter().any(|other| fits(other, &id)));
        inner.early = others;
        if inner.parts.insert(id.clone(), part).is_none() {
            inner.order.push_back(id);
        }
        if inner.order.len() > MOST
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.parts.remove(&oldest);
        }
        let mine: VecDeque<(Instant, Receipt)> = mine;
        mine.into_iter().map(|(_, receipt)| receipt).collect()
    }

    /// The job of an earlier run, with what was kept of it.
    pub(crate) fn recalled(&self, job: JobId, carrier: &str, kept: Option<&[u8]>) -> Arc<Sent> {
        let mut inner = lock(&self.inner);
        if inner.recalled.len() >= MOST_EARLY {
            inner.recalled.clear();
        }
        let sent = inner.recalled.entry(job);
        let made = sent.or_insert_with(|| match kept {
            Some(_) => Sent::new(job, carrier, kept),
            None => Sent::recalled(job, carrier),
        });
        made.clone()
    }

    /// A job that is sent on: with what receipts have told of its parts since it was handed out.
    pub(crate) fn resumed(&self, job: JobId, carrier: &str, kept: Option<&[u8]>) -> Arc<Sent> {
        let known = lock(&self.inner).recalled.remove(&job);
        let known = known.filter(|known| !known.recalled && kept.is_some());
        known.unwrap_or_else(|| Sent::new(job, carrier, kept))
    }

    /// What a receipt belongs to. `numbers` are those it names, of which one is the recipient's.
    pub(crate) fn find(&self, receipt: &Receipt, numbers: [&str; 2]) -> Option<Part> {
        lock(&self.inner).find(receipt, numbers)
    }

    /// The same for one that the host does not know either: if it is not known here by now, it is
    /// held while something is being submitted.
    pub(crate) fn hold(&self, receipt: &Receipt, numbers: [&str; 2], now: Instant) -> Option<Part> {
        let mut inner = lock(&self.inner);
        let found = inner.find(receipt, numbers);
        if found.is_none() && !receipt.ids.is_empty() && inner.submitting > 0 {
            if inner.early.len() >= MOST_EARLY {
                inner.early.pop_front();
            }
            inner.early.push_back((now, receipt.clone()));
        }
        found
    }
}

impl Inner {
    fn find(&self, receipt: &Receipt, numbers: [&str; 2]) -> Option<Part> {
        for id in &receipt.ids {
            if let Some(part) = self.parts.get(&plain_form(id)) {
                return Some(part.clone());
            }
        }
        // In another base an id may be that of another message: the number must fit as well.
        for id in &receipt.ids {
            for form in other_forms(id) {
                let part = self.parts.get(&form);
                let part = part.filter(|part| numbers.iter().any(|n| digits(n) == part.number));
                if let Some(part) = part {
                    return Some(part.clone());
                }
            }
        }
        None
    }
}

fn fits(receipted: &str, id: &str) -> bool {
    plain_form(receipted) == id || other_forms(receipted).iter().any(|form| form == id)
}

/// The digits of a number.
pub(crate) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::receipt::Fate;

    fn part(number: &str) -> Part {
        Part {
            sent: Sent::new(JobId(1), "one", None),
            to: 0,
            part: 0,
            number: number.into(),
        }
    }

    fn receipt(id: &str) -> Receipt {
        Receipt {
            ids: vec![id.into()],
            fate: Fate::Delivered,
            error: None,
        }
    }

    fn found(table: &Table, id: &str, number: &str) -> bool {
        table.find(&receipt(id), [number, ""]).is_some()
    }

    #[test]
    fn ids_in_another_base_are_found_where_the_number_fits() {
        let table = Table::default();
        table.submitting();
        table.submitted(Some(("00FF", part("15551230000"))), Instant::now());
        assert!(found(&table, "ff", ""));
        assert!(found(&table, "255", "+15551230000"));
        assert!(!found(&table, "255", "+15557654321"));
    }

    #[test]
    fn an_early_receipt_waits_for_its_submission_and_not_for_ever() {
        let table = Table::default();
        let now = Instant::now();
        let hold = |id| table.hold(&receipt(id), ["", ""], now).is_none();
        assert!(hold("7"));
        table.submitting();
        assert!(hold("7") && hold("8"));
        assert_eq!(table.submitted(Some(("7", part("1"))), now), [receipt("7")]);
        table.submitting();
        assert!(
            table
                .submitted(Some(("8", part("1"))), now + HOLD)
                .is_empty()
        );
    }
}
