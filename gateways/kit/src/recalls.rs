//! Which jobs can still be taken back (`Courier::recall`), and which are past that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isthmus_gateway::JobId;

/// The jobs at hand, from `Courier::submit` to their last report; clones share them.
///
/// Taking back and beginning exclude each other: of [`recall`](Self::recall) and
/// [`begin`](Self::begin) whichever comes second is told no.
#[derive(Clone, Debug, Default)]
pub struct Recalls(Arc<Mutex<BTreeMap<JobId, Phase>>>);

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Can be taken back.
    Waiting,
    /// Was taken back.
    Recalled,
    /// Some recipient's copy is past the point of no return.
    Begun,
}

impl Recalls {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, Phase>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job was submitted: it waits, also where it was taken back before.
    pub fn submitted(&self, job: JobId) {
        self.jobs().insert(job, Phase::Waiting);
    }

    /// Takes a job back. Whether it could be: false for one that has begun or is not at hand.
    pub fn recall(&self, job: JobId) -> bool {
        match self.jobs().get_mut(&job) {
            Some(phase @ (Phase::Waiting | Phase::Recalled)) => {
                *phase = Phase::Recalled;
                true
            }
            Some(Phase::Begun) | None => false,
        }
    }

    /// A copy of the job passes the point of no return; false: it must not, the job was taken back.
    #[must_use]
    pub fn begin(&self, job: JobId) -> bool {
        let mut jobs = self.jobs();
        let may = jobs.get(&job) != Some(&Phase::Recalled);
        if may {
            jobs.insert(job, Phase::Begun);
        }
        may
    }

    /// Whether a job was taken back.
    pub fn is_recalled(&self, job: JobId) -> bool {
        self.jobs().get(&job) == Some(&Phase::Recalled)
    }

    /// The jobs that were taken back and have not ended.
    pub fn recalled(&self) -> Vec<JobId> {
        let jobs = self.jobs();
        let recalled = jobs.iter().filter(|(_, phase)| **phase == Phase::Recalled);
        recalled.map(|(&job, _)| job).collect()
    }

    /// A job is done with.
    pub fn ended(&self, job: JobId) {
        self.jobs().remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId(7);

    #[test]
    fn what_was_taken_back_does_not_begin() {
        let recalls = Recalls::default();
        recalls.submitted(JOB);
        assert!(recalls.recall(JOB) && recalls.recall(JOB));
        assert!(!recalls.begin(JOB) && recalls.is_recalled(JOB));
        assert_eq!(recalls.recalled(), [JOB]);
    }

    #[test]
    fn what_has_begun_is_not_taken_back() {
        let recalls = Recalls::default();
        recalls.submitted(JOB);
        assert!(recalls.begin(JOB) && recalls.begin(JOB), "each copy begins");
        assert!(!recalls.recall(JOB) && !recalls.is_recalled(JOB));
    }

    #[test]
    fn what_has_ended_is_not_at_hand() {
        let recalls = Recalls::default();
        recalls.submitted(JOB);
        recalls.ended(JOB);
        assert!(!recalls.recall(JOB));
    }

    #[test]
    fn what_is_handed_out_anew_waits_anew() {
        let recalls = Recalls::default();
        recalls.submitted(JOB);
        recalls.recall(JOB);
        recalls.submitted(JOB);
        assert!(recalls.begin(JOB));
    }
}
