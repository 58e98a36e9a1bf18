//! The store-and-forward face: which jobs the plugin has, and how far they have come.
//!
//! ```text
//!             host.begin            true
//!   Waiting ─────────────► Beginning ────► Begun ──► reported
//!      │                       │ the process ends      │ the process ends
//!      ▼ the process ends      ▼                       ▼
//!    Retry                  Orphan ─► Retry      Retry if idempotent, else Unknown
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use isthmus_gateway::{Fault, FaultKind, Job, JobId, Report, State};

use super::rpc::{self, WireError};
use super::{Machine, Phase, What, fault, millis};

/// Jobs the plugin may have at once.
const MOST: usize = 1024;
/// Milliseconds after which a job is tried again that could not be handed out.
const SOON: u64 = 1000;

/// How far one recipient's copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copy {
    Waiting,
    /// The host is being asked.
    Beginning,
    Begun,
    /// The host is being asked, for a process that is gone.
    Orphan,
    Reported,
}

/// The jobs the plugin has.
#[derive(Default)]
pub(super) struct Jobs(BTreeMap<JobId, Vec<Copy>>);

impl Jobs {
    fn copy(&mut self, job: JobId, to: u16) -> Option<&mut Copy> {
        self.0.get_mut(&job)?.get_mut(usize::from(to))
    }

    /// Forgets a job of which everything is known.
    fn tidy(&mut self, job: JobId) {
        let over = |copies: &Vec<Copy>| copies.iter().all(|copy| *copy == Copy::Reported);
        if self.0.get(&job).is_some_and(over) {
            self.0.remove(&job);
        }
    }
}

impl Machine {
    /// Hands a job to the plugin, or reports that it cannot.
    pub(crate) fn submit(&mut self, job: &Job<'_>, now: Instant) {
        let copies = u16::try_from(job.to.len()).unwrap_or(u16::MAX);
        let full = self.jobs.0.len() >= MOST;
        let sent = match full {
            true => Err(Fault::new(
                FaultKind::Full,
                ("the gateway's program is too busy", "网关程序过于繁忙"),
            )),
            false => self.request("job", job, What::Job(job.id), now).map(drop),
        };
        match sent {
            Ok(()) => {
                let copies = vec![Copy::Waiting; copies.into()];
                self.jobs.0.insert(job.id, copies);
            }
            Err(fault) => {
                let state = match fault.kind {
                    FaultKind::TooLarge => State::Failed(fault),
                    _ => State::Retry {
                        after: self.wait(now),
                        fault,
                    },
                };
                for to in 0..copies {
                    self.ask_report(Report::new(job.id, to, state.clone()));
                }
            }
        }
    }

    fn wait(&self, now: Instant) -> u64 {
        match &self.phase {
            Phase::Down { until, .. } => {
                let left = until.map(|until| until.saturating_duration_since(now));
                millis(left.unwrap_or_default()).max(SOON)
            }
            Phase::Up => SOON,
        }
    }

    /// Whether no copy of a job is on its way.
    pub(crate) fn can_recall(&self, job: JobId) -> bool {
        let waits = |copies: &Vec<Copy>| copies.iter().all(|copy| *copy == Copy::Waiting);
        self.jobs.0.get(&job).is_some_and(waits)
    }

    /// Tells the plugin of a message inward that came back from the user's server.
    pub(crate) fn undeliverable(&mut self, params: &serde_json::Value) {
        if matches!(self.phase, Phase::Up) {
            self.push_urgent(rpc::notice("undeliverable", params));
        } else {
            tracing::warn!("a message came back and the program that could be told is down");
        }
    }

    /// Tells the plugin of a message inward that was read. To one that is down it is no loss.
    pub(crate) fn read(&mut self, params: &serde_json::Value) {
        if matches!(self.phase, Phase::Up) {
            self.push_urgent(rpc::notice("read", params));
        }
    }

    /// The plugin has taken a job back.
    pub(crate) fn recalled(&mut self, job: JobId) {
        self.jobs.0.remove(&job);
    }

    /// The plugin has taken a job, or not.
    pub(super) fn job_answered(&mut self, job: JobId, result: Result<(), WireError>) {
        let Err(error) = result else { return };
        let copies = self.jobs.0.remove(&job).unwrap_or_default();
        for (to, copy) in (0u16..).zip(copies) {
            let fault = fault(&error);
            let state = match (copy, super::fault::after(&error)) {
                (Copy::Reported, _) => continue,
                (Copy::Waiting, Some(after)) => State::Retry { after, fault },
                (Copy::Waiting, None) => State::Failed(fault),
                _ => State::Unknown,
            };
            self.ask_report(Report::new(job, to, state));
        }
    }

    pub(super) fn beginning(&mut self, job: JobId, to: u16) {
        if let Some(copy @ Copy::Waiting) = self.jobs.copy(job, to) {
            *copy = Copy::Beginning;
        }
    }

    /// A question that was never put.
    pub(super) fn not_begun(&mut self, job: JobId, to: u16) {
        if let Some(copy @ Copy::Beginning) = self.jobs.copy(job, to) {
            *copy = Copy::Waiting;
        }
    }

    /// The host has passed the point of no return, or the job was taken back in time.
    pub(super) fn begin_answered(&mut self, job: JobId, to: u16, begun: bool, current: bool) {
        let Some(copy) = self.jobs.copy(job, to) else {
            return;
        };
        match (*copy, begun) {
            (Copy::Beginning, true) if current => *copy = Copy::Begun,
            // The plugin has never heard the answer: nothing was sent.
            (Copy::Orphan, true) => {
                *copy = Copy::Reported;
                let text = ("the gateway's program has ended", "网关程序已结束");
                let fault = Fault::new(FaultKind::NetworkDown, text);
                let state = State::Retry { after: SOON, fault };
                self.ask_report(Report::new(job, to, state));
            }
            (Copy::Beginning | Copy::Orphan, false) => *copy = Copy::Reported,
            _ => {}
        }
        self.jobs.tidy(job);
    }

    pub(super) fn reported(&mut self, report: &Report) {
        if let Some(copy) = self.jobs.copy(report.job, report.to) {
            *copy = Copy::Reported;
        }
        self.jobs.tidy(report.job);
    }

    /// The process has ended with jobs in its hands.
    pub(super) fn jobs_down(&mut self, fault: &Fault, retry: Option<Duration>) {
        let again = State::Retry {
            after: millis(retry.unwrap_or_default()).max(SOON),
            fault: fault.clone(),
        };
        let begun = match self.idempotent {
            true => again.clone(),
            false => State::Unknown,
        };
        let mut reports = Vec::new();
        for (job, copies) in &mut self.jobs.0 {
            for (to, copy) in (0u16..).zip(copies) {
                match copy {
                    Copy::Waiting => reports.push(Report::new(*job, to, again.clone())),
                    Copy::Begun => reports.push(Report::new(*job, to, begun.clone())),
                    Copy::Beginning => *copy = Copy::Orphan,
                    Copy::Orphan | Copy::Reported => {}
                }
                if matches!(copy, Copy::Waiting | Copy::Begun) {
                    *copy = Copy::Reported;
                }
            }
        }
        let unknown = |copies: &Vec<Copy>| copies.contains(&Copy::Orphan);
        self.jobs.0.retain(|_, copies| unknown(copies));
        for report in reports {
            self.ask_report(report);
        }
    }
}
