//! Hands out messages: one task a gateway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Tuning;
use super::schedule::Schedule;
use crate::store::jobs::{CopyState, Jobs, OpenJob};
use crate::store::{Later, StoreFault};

/// Messages known in memory at most; others wait on disk alone.
const KNOWN: usize = 20_000;
/// Messages read at a time.
const PAGE: usize = 1_000;
/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// What takes the messages.
pub trait Courier: Send + Sync {
    /// Takes a leased message: it ends in a call of [`Dispatch::again`] or [`Dispatch::done`].
    fn take(&self, job: OpenJob) -> Later<()>;
    /// A message was not reported on in time, or is past its time.
    fn overdue(&self, job: OpenJob, expired: bool) -> Later<()>;
}

/// A message that is handed out.
#[derive(Clone, Copy, Debug)]
pub struct Leased {
    until: i64,
}

struct State {
    schedule: Schedule,
    leased: HashMap<u64, Leased>,
    /// The highest number read from disk.
    read: u64,
    /// Everything on disk has been read.
    caught_up: bool,
    /// A page is being read.
    reading: bool,
}

/// The queue of one gateway.
pub struct Dispatch {
    gateway: String,
    store: Arc<dyn Jobs>,
    tuning: Tuning,
    state: Mutex<State>,
    stirred: Notify,
    now: fn() -> i64,
}

impl Dispatch {
    /// The queue of the gateway with that domain; nothing is handed out until [`Dispatch::run`].
    pub fn new(gateway: &str, store: Arc<dyn Jobs>, tuning: Tuning, now: fn() -> i64) -> Self {
        let state = State {
            schedule: Schedule::new(tuning.window),
            leased: HashMap::new(),
            read: 0,
            caught_up: false,
            reading: false,
        };
        Self {
            gateway: gateway.to_owned(),
            store,
            tuning,
            state: Mutex::new(state),
            stirred: Notify::new(),
            now,
        }
    }

    /// How it works.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// How many messages are known in memory.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.state().schedule.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers only: a panic elsewhere leaves at worst a lease that times out.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message was taken and is on disk.
    pub fn added(&self, id: u64, lane: &str, due: i64) {
        let mut state = self.state();
        // Before everything has been read it is found where it stands, in its order.
        if state.caught_up && state.schedule.len() < KNOWN {
            state.schedule.add(id, lane, due);
            if !state.reading {
                state.read = state.read.max(id);
            }
            drop(state);
            self.stirred.notify_one();
        } else {
            // Calls come in any order: a later one may have moved the mark past this one.
            state.read = state.read.min(id.saturating_sub(1));
            state.caught_up = false;
        }
    }

    /// A leased message waits again until `due`.
    pub fn again(&self, id: u64, due: i64) {
        let mut state = self.state();
        state.leased.remove(&id);
        state.schedule.again(id, due);
        drop(state);
        self.stirred.notify_one();
    }

    /// A message needs no more handing out.
    pub fn done(&self, id: u64) {
        let mut state = self.state();
        state.leased.remove(&id);
        state.schedule.remove(id);
        drop(state);
        self.stirred.notify_one();
    }

    /// Hands out messages until told to stop.
    pub async fn run(&self, courier: Arc<dyn Courier>, mut stop: watch::Receiver<bool>) {
        loop {
            let wait = match self.round(&*courier).await {
                Ok(wait) => wait,
                Err(fault) => {
                    tracing::error!(%fault, gateway = self.gateway, "messages wait");
                    PAUSE
                }
            };
            tokio::select! {
                () = self.stirred.notified() => {}
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Hands out what is due; returns how long nothing will be.
    async fn round(&self, courier: &dyn Courier) -> Result<Duration, StoreFault> {
        self.read().await?;
        self.end_leases(courier, (self.now)()).await?;
        // The store may be slow: a lease begins when it is given.
        while let Some((id, now)) = self.lease() {
            let job = match self.store.job_lease(id).await {
                Ok(Some(job)) => job,
                Ok(None) => {
                    // Taken back meanwhile.
                    self.done(id);
                    continue;
                }
                Err(fault) => {
                    let mut state = self.state();
                    state.leased.remove(&id);
                    state.schedule.again(id, now);
                    return Err(fault);
                }
            };
            if job.expires <= now {
                courier.overdue(job, true).await;
            } else {
                courier.take(job).await;
            }
        }
        let state = self.state();
        let leases = state.leased.values().map(|lease| lease.until).min();
        let next = [state.schedule.deadline(), leases]
            .into_iter()
            .flatten()
            .min();
        let wait = next.map_or(60_000, |at| (at - (self.now)()).clamp(0, 60_000));
        Ok(Duration::from_millis(wait.unsigned_abs().max(1)))
    }

    fn lease(&self) -> Option<(u64, i64)> {
        let now = (self.now)();
        let mut state = self.state();
        let id = state.schedule.lease(now)?;
        state.leased.insert(
            id,
            Leased {
                until: now + self.tuning.lease,
            },
        );
        Some((id, now))
    }

    /// Reads numbers of messages that wait on disk.
    async fn read(&self) -> Result<(), StoreFault> {
        loop {
            let after = {
                let state = self.state();
                if state.caught_up || state.schedule.len() + PAGE > KNOWN {
                    return Ok(());
                }
                state.read
            };
            // From here on additions are added at once, or read below: never neither.
            self.set_reading(true, true);
            let page = self.store.jobs_open(&self.gateway, after, PAGE).await;
            self.set_reading(false, page.is_ok());
            let page = page?;
            let mut state = self.state();
            for job in &page {
                state.schedule.add(job.id, &job.lane, job.due);
                state.read = state.read.max(job.id);
            }
            if page.len() == PAGE {
                state.caught_up = false;
            }
        }
    }

    fn set_reading(&self, reading: bool, caught_up: bool) {
        let mut state = self.state();
        state.reading = reading;
        state.caught_up &= caught_up;
        if reading {
            state.caught_up = true;
        }
    }

    /// Messages the courier has kept too long.
    async fn end_leases(&self, courier: &dyn Courier, now: i64) -> Result<(), StoreFault> {
        let late: Vec<u64> = {
            let state = self.state();
            let leased = state.leased.iter();
            leased
                .filter(|(_, lease)| lease.until <= now)
                .map(|(&id, _)| id)
                .collect()
        };
        for id in late {
            // Looked at again later, should the store fail now.
            match self.state().leased.get_mut(&id) {
                Some(lease) => lease.until = now + self.tuning.lease,
                None => continue,
            }
            let open = |job: &OpenJob| {
                let mut copies = job.copies.iter();
                copies.any(|(_, state)| matches!(state, CopyState::Queued | CopyState::Begun))
            };
            match self.store.job(id).await?.filter(open) {
                Some(job) => courier.overdue(job, false).await,
                // Taken back after it was handed out.
                None => self.done(id),
            }
        }
        Ok(())
    }
}
