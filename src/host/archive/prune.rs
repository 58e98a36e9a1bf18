//! Archives are kept within `archive.days` and `archive.rows`: an hour apart, a few rows at a time,
//! while nothing else waits for the disk. Attachments past their age go in the same round, and what
//! else has a time to be forgotten at, whatever gateway keeps it: what foreign ids refer to, finished
//! messages of a queue.

use std::sync::Weak;
use std::time::Duration;

use crate::host::domain::Domain;
use crate::host::shared::now_ms;
use crate::store::archives::Bounds;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(3600);
/// Between two steps.
const PAUSE: Duration = Duration::from_millis(50);
/// Rows that go in one step.
const STEP: usize = 500;

/// Prunes the archives of a gateway for as long as it is served.
pub(crate) async fn keep_small(domain: Weak<Domain>) {
    loop {
        let Some(served) = domain.upgrade() else {
            return;
        };
        if let Some((shared, _)) = served.archives()
            && let Err(fault) = shared.store.forget_past(now_ms()).await
        {
            tracing::warn!(%fault, "what is past its time stays for now");
        }
        drop(served);
        let mut from = Some(0);
        while let Some(at) = from {
            let Some(served) = domain.upgrade() else {
                return;
            };
            from = step(&served, at).await;
            drop(served);
            if from.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let Some(served) = domain.upgrade() else {
            return;
        };
        if let Some((shared, _)) = served.archives()
            && let Some(attachments) = shared.attachments()
        {
            attachments.tidy(shared.limits().attachment_age).await;
        }
        drop(served);
        tokio::time::sleep(ROUND).await;
    }
}

/// One step, from a conversation on; where the next begins.
async fn step(domain: &Domain, from: i64) -> Option<i64> {
    let (shared, gateway) = domain.archives()?;
    let kept = shared.archiving();
    let age = i64::try_from(kept.age.as_millis()).unwrap_or(i64::MAX);
    let bounds = Bounds {
        before: (age > 0).then(|| now_ms().saturating_sub(age)),
        rows: (kept.rows > 0).then(|| i64::try_from(kept.rows).unwrap_or(i64::MAX)),
        step: STEP,
    };
    if bounds.before.is_none() && bounds.rows.is_none() {
        return None;
    }
    if shared.store.backlog() > 0 {
        return Some(from);
    }
    match shared.store.prune(gateway, from, bounds).await {
        Ok(next) => next,
        Err(fault) => {
            tracing::warn!(%fault, gateway, "archives stay as large as they are for now");
            None
        }
    }
}
