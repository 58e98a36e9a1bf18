//! One recipient's copy of a job on its way to the carrier.
//!
//! Parts go out one after the other: where one is refused, those behind it are not paid for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_gateway::{Address, Fault, FaultKind, State, Uplink};
use isthmus_kit::Recalls;

use super::{Outlet, Plan, refused};
use crate::address::Peer;
use crate::config::Config;
use crate::track::{Part, Sent, digits};
use crate::translate::outcome::Copy;
use crate::translate::segments::header;
use crate::translate::smpp::pdu::Party;
use crate::translate::smpp::status::Class;
use crate::translate::smpp::{Sm, Status};
use crate::transport::Verdict;

/// How long a bind is waited for before the host is asked to try again.
const PATIENCE: Duration = Duration::from_secs(5);
/// When to try again where there was none.
const DOWN_RETRY: Duration = Duration::from_secs(15);
/// When to try again what the carrier cannot take now.
const TEMPORARY_RETRY: Duration = Duration::from_secs(30);
/// When to try again first after too much at once; doubled with every attempt.
const THROTTLED_RETRY: Duration = Duration::from_secs(1);
/// Longest such wait.
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// Tries of a part that is not the first, before the rest goes back to the queue.
const TRIES: u32 = 5;
/// Tries of a report.
const REPORTS: u32 = 60;

pub(super) struct Sending {
    pub(super) to: u16,
    pub(super) peer: Address,
    pub(super) attempt: u16,
    pub(super) plan: Plan,
    pub(super) config: Arc<Config>,
    pub(super) outlet: Outlet,
    pub(super) sent: Arc<Sent>,
    pub(super) open: Recalls,
    pub(super) up: Arc<dyn Uplink>,
}

/// Why a copy is not with the carrier.
enum Stop {
    /// To be tried again after a while.
    Again(Duration, Fault),
    /// The carrier refused it.
    Refused(Fault),
    /// No answer came.
    Unknown,
}

impl Sending {
    pub(super) async fn run(mut self) {
        if self.is_recalled() {
            return;
        }
        if let Some(fault) = refused(&self.peer) {
            return self.report(|_| vec![State::Failed(fault)]).await;
        }
        if !self.outlet.link.up(PATIENCE).await && !self.is_recalled() {
            return self.again(DOWN_RETRY, down()).await;
        }
        if !self.begin().await {
            return;
        }
        match self.parts().await {
            Ok(()) => {
                self.report(|copy| vec![copy.sent()]).await;
            }
            Err(Stop::Again(after, fault)) => self.again(after, fault).await,
            Err(Stop::Refused(fault)) => {
                self.report(|copy| vec![copy.refused(fault)]).await;
            }
            Err(Stop::Unknown) => self.report(|_| vec![State::Unknown]).await,
        }
    }

    fn is_recalled(&self) -> bool {
        self.open.is_recalled(self.sent.job)
    }

    /// Passes the point of no return; false: it was taken back in time.
    async fn begin(&self) -> bool {
        if !self.open.begin(self.sent.job) {
            return false;
        }
        // The ids are the carrier's and not known yet.
        self.up.begin(self.sent.job, self.to, Vec::new()).await
    }

    async fn parts(&self) -> Result<(), Stop> {
        let mut tries = 0;
        while let Some(part) = self.copy(|copy| copy.next()) {
            match self.submit(part).await {
                Ok(()) => tries = 0,
                // The link pauses by itself before it sends again.
                Err(Stop::Again(_, fault))
                    if fault.kind == FaultKind::TooFast && part > 0 && tries < TRIES =>
                {
                    tries += 1;
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Submits one part and waits for the carrier's answer.
    async fn submit(&self, part: usize) -> Result<(), Stop> {
        self.outlet.table.submitting();
        let verdict = self.outlet.link.submit(self.sm(part)).await;
        let now = Instant::now();
        let (status, id) = match verdict {
            Verdict::Answered { status, id } => (status, id),
            other => {
                self.outlet.table.submitted(None, now);
                return Err(match other {
                    Verdict::Down => Stop::Again(DOWN_RETRY, down()),
                    _ => Stop::Unknown,
                });
            }
        };
        if status.class() != Class::Done {
            self.outlet.table.submitted(None, now);
            return Err(self.not_taken(status));
        }
        self.copy(|copy| copy.accepted(part, id.clone()));
        let entry = Part {
            sent: self.sent.clone(),
            to: self.to,
            part,
            number: digits(&self.peer.id),
        };
        for receipt in self.outlet.table.submitted(Some((&id, entry)), now) {
            // Nothing to report before all parts are sent.
            self.copy(|copy| copy.receipt(part, &receipt));
        }
        Ok(())
    }

    fn not_taken(&self, status: Status) -> Stop {
        let fault = status.fault();
        match status.class() {
            Class::Throttled => {
                let doubled = 2u32.saturating_pow(self.attempt.into());
                let after = THROTTLED_RETRY.saturating_mul(doubled);
                Stop::Again(after.min(LONGEST_RETRY), fault)
            }
            Class::Temporary => Stop::Again(TEMPORARY_RETRY, fault),
            Class::Done | Class::Permanent(_) => Stop::Refused(fault),
        }
    }

    fn sm(&self, part: usize) -> Sm {
        let segments = &self.plan.segments;
        let plus = self
            .config
            .carriers
            .get(&self.plan.carrier)
            .is_some_and(|carrier| carrier.plus);
        let text = segments.parts.get(part).map_or(&[][..], Vec::as_slice);
        let total = u8::try_from(segments.parts.len()).unwrap_or(u8::MAX);
        let (esm_class, short_message) = if total > 1 {
            let number = u8::try_from(part + 1).unwrap_or(u8::MAX);
            let header = header(self.plan.reference, total, number);
            (0x40, [&header[..], text].concat())
        } else {
            (0, text.to_vec())
        };
        let to = match Peer::of(&self.peer) {
            Peer::Short { code, .. } => code,
            _ => self.peer.id.clone(),
        };
        Sm {
            source: party(&self.plan.line, plus),
            destination: party(&to, plus),
            esm_class,
            registered_delivery: 1,
            data_coding: segments.encoding.data_coding(),
            short_message,
            tlvs: Vec::new(),
        }
    }

    fn copy<T>(&self, work: impl FnOnce(&mut Copy) -> T) -> T {
        let parts = self.plan.segments.parts.len();
        self.sent.with(self.to, parts, work)
    }

    async fn again(&self, after: Duration, fault: Fault) {
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let again = |copy: &mut Copy| {
            let parts_sent = copy.taken();
            let fault = Fault {
                parts_sent,
                ..fault
            };
            vec![State::Retry { after, fault }]
        };
        self.report(again).await;
    }

    async fn report(&self, change: impl FnOnce(&mut Copy) -> Vec<State>) {
        let parts = self.plan.segments.parts.len();
        let reported = self.sent.report(&self.up, self.to, parts, REPORTS, change);
        if reported.await.is_err() {
            let job = self.sent.job.0;
            tracing::warn!(job, "the host does not take the report of a job");
        }
    }
}

fn down() -> Fault {
    Fault::new(
        FaultKind::NetworkDown,
        ("the carrier cannot be reached", "无法连接运营商"),
    )
}

/// A number with its type and plan (SMPP 3.4 §5.2.5, §5.2.6): E.164 is international, ISDN; short
/// codes are left to the carrier.
fn party(number: &str, plus: bool) -> Party {
    match number.strip_prefix('+') {
        Some(digits) => Party {
            ton: 1,
            npi: 1,
            number: if plus { number } else { digits }.to_owned(),
        },
        None => Party {
            ton: 0,
            npi: 1,
            number: number.to_owned(),
        },
    }
}
