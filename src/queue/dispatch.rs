//! Hands out messages: one task a gateway. What is due is leased many at a time, in one commit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Tuning;
use super::schedule::{Bounds, Schedule, Wanted, Windows};
use crate::store::jobs::{CopyState, Jobs, OpenJob};
use crate::store::{Later, StoreFault};

/// Messages leased at a time: their contents are in memory at once.
const LEASES: usize = 256;
/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// What takes the messages.
pub trait Courier: Send + Sync {
    /// Takes a leased message: it ends in a call of [`Dispatch::again`] or [`Dispatch::done`].
    fn take(&self, job: OpenJob) -> Later<()>;
    /// A message was not reported on in time, or is past its time.
    fn overdue(&self, job: OpenJob, expired: bool) -> Later<()>;
}

struct State {
    schedule: Schedule,
    leases: Leases,
}

/// Messages that are handed out, and until when a report is waited for.
#[derive(Default)]
struct Leases {
    until: HashMap<u64, i64>,
    ends: BTreeSet<(i64, u64)>,
}

impl Leases {
    fn begin(&mut self, id: u64, until: i64) {
        self.end(id);
        self.until.insert(id, until);
        self.ends.insert((until, id));
    }

    fn end(&mut self, id: u64) {
        if let Some(until) = self.until.remove(&id) {
            self.ends.remove(&(until, id));
        }
    }

    fn late(&self, now: i64) -> Vec<u64> {
        let ends = self.ends.iter();
        let late = ends.take_while(|(until, _)| *until <= now);
        late.map(|&(_, id)| id).collect()
    }
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
    pub fn new(
        gateway: &str,
        store: Arc<dyn Jobs>,
        tuning: Tuning,
        windows: Windows,
        now: fn() -> i64,
    ) -> Self {
        let state = State {
            schedule: Schedule::new(Bounds::new(tuning.window), windows),
            leases: Leases::default(),
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
        self.state().schedule.add(id, lane, due);
        self.stirred.notify_one();
    }

    /// A leased message waits again until `due`.
    pub fn again(&self, id: u64, due: i64) {
        let mut state = self.state();
        state.leases.end(id);
        state.schedule.again(id, due);
        drop(state);
        self.stirred.notify_one();
    }

    /// Something has become of a message that is handed out: its courier works on it, and has the
    /// whole time again. Copies may be sent one after another.
    pub fn forward(&self, id: u64) {
        let until = (self.now)() + self.tuning.lease;
        let mut state = self.state();
        if state.leases.until.contains_key(&id) {
            state.leases.begin(id, until);
        }
    }

    /// A message needs no more handing out.
    pub fn done(&self, id: u64) {
        let mut state = self.state();
        state.leases.end(id);
        state.schedule.remove(id);
        drop(state);
        self.stirred.notify_one();
    }

    /// Hands out messages until told to stop.
    pub async fn run(&self, courier: Arc<dyn Courier>, mut stop: watch::Receiver<bool>) {
        loop {
            let wait = match self.round(&*courier, &stop).await {
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
    async fn round(
        &self,
        courier: &dyn Courier,
        stop: &watch::Receiver<bool>,
    ) -> Result<Duration, StoreFault> {
        while !*stop.borrow() {
            // Each has its share, however much there is of the others.
            let lanes = self.read(true).await?;
            let fronts = self.read(false).await?;
            self.end_leases(courier, (self.now)()).await?;
            let handed = self.hand_out(courier).await?;
            if !lanes && !fronts && !handed {
                break;
            }
        }
        let mut state = self.state();
        let lease = state.leases.ends.first().map(|&(until, _)| until);
        let next = [state.schedule.deadline(), lease]
            .into_iter()
            .flatten()
            .min();
        let wait = next.map_or(60_000, |at| {
            at.saturating_sub((self.now)()).clamp(0, 60_000)
        });
        Ok(Duration::from_millis(wait.unsigned_abs().max(1)))
    }

    /// Hands out what is due, as much as is leased at a time; false: nothing.
    async fn hand_out(&self, courier: &dyn Courier) -> Result<bool, StoreFault> {
        // The store may be slow: a lease begins when it is given.
        let (ids, now) = self.lease();
        if ids.is_empty() {
            return Ok(false);
        }
        let jobs = match self.store.jobs_lease(ids.clone()).await {
            Ok(jobs) => jobs,
            Err(fault) => {
                let mut state = self.state();
                for id in ids {
                    state.leases.end(id);
                    state.schedule.again(id, now);
                }
                return Err(fault);
            }
        };
        let open: HashSet<u64> = jobs.iter().map(|job| job.id).collect();
        for id in ids {
            if !open.contains(&id) {
                // Taken back meanwhile.
                self.done(id);
            }
        }
        for job in jobs {
            if job.expires <= now {
                courier.overdue(job, true).await;
            } else {
                courier.take(job).await;
            }
        }
        Ok(true)
    }

    fn lease(&self) -> (Vec<u64>, i64) {
        let now = (self.now)();
        let mut state = self.state();
        let mut ids = Vec::new();
        while ids.len() < LEASES
            && let Some(id) = state.schedule.lease(now)
        {
            state.leases.begin(id, now + self.tuning.lease);
            ids.push(id);
        }
        (ids, now)
    }

    /// Reads numbers of messages that wait on disk: of lanes not known, or of those that are;
    /// false: there is nothing to read, or no room.
    async fn read(&self, sweep: bool) -> Result<bool, StoreFault> {
        let wanted = self.state().schedule.wants((self.now)(), sweep);
        match wanted {
            None => return Ok(false),
            Some(Wanted::Lanes(sweep)) => {
                let lanes = self.store.lanes_open(&self.gateway, sweep).await?;
                self.state().schedule.listed(lanes);
            }
            Some(Wanted::Fronts(fronts)) => {
                let read = self.store.lane_fronts(&self.gateway, fronts.clone());
                match read.await {
                    Ok(pages) => self.state().schedule.read(pages),
                    Err(fault) => {
                        self.state().schedule.unread(fronts);
                        return Err(fault);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Messages the courier has kept too long.
    async fn end_leases(&self, courier: &dyn Courier, now: i64) -> Result<(), StoreFault> {
        let late = self.state().leases.late(now);
        for id in late {
            {
                // Looked at again later, should the store fail now.
                let mut state = self.state();
                if !state.leases.until.contains_key(&id) {
                    continue;
                }
                state.leases.begin(id, now + self.tuning.lease);
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
