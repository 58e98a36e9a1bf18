//! The state machine between the contract and the lines of a plugin: no I/O, no clock.
//!
//! Sessions put commands in and take events out, the transport puts lines in and takes lines out.
//! A process may end and another begin at any time; the sessions stay.
//!
//! ```text
//!            up()                         answer {}
//!  Waiting ────────► Opening ──────────────────────► Open
//!     ▲                 │ error                        │ more than its credit
//!     │ down()          ▼                              ▼
//!     └────────────── Closed (again later, or never) ◄─┘
//! ```
//!
//! What is bounded: requests to the plugin ([`WINDOW`] unanswered, [`QUEUE`] waiting; one more is
//! refused), its requests to us ([`WINDOW`]; one more is refused), events of a session (credit and
//! bytes; one more closes the session), lines it does not read (bytes; then it is killed).

mod ask;
mod event;
mod fault;
mod hello;
mod jobs;
mod live;
mod own;
pub(crate) mod rpc;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use isthmus_gateway::{Fault, FaultKind, JobId, Tag};
use serde::Serialize;
use tokio::sync::oneshot;

pub(crate) use self::ask::{Ask, Question, Ticket};
pub(crate) use self::fault::{fault, refusal};
pub(crate) use self::hello::{Hello, Initialize, Limits, read as read_hello};
use self::jobs::Jobs;
use self::live::Live;
pub(crate) use self::live::SessionId;
use self::rpc::{Incoming, WireError};

/// Requests that may be unanswered, in each direction.
pub(crate) const WINDOW: usize = 256;
/// Requests that may wait for the window.
const QUEUE: usize = 1024;
/// Bytes that the plugin may leave unread.
const UNREAD: usize = 16 << 20;

/// How a call to the plugin ended: JSON, or its error.
pub(crate) type Called = Result<String, WireError>;

/// All there is between one gateway and its plugin.
pub(crate) struct Machine {
    credit: u32,
    timeout: Duration,
    idempotent: bool,
    phase: Phase,
    /// Counts processes: what an earlier one asked is not answered to a later one.
    generation: u64,
    /// Numbers requests and sessions.
    last: u64,
    live: BTreeMap<SessionId, Live>,
    /// The sessions as the present process knows them.
    wires: BTreeMap<u64, SessionId>,
    pending: BTreeMap<u64, Pending>,
    /// How many of them have been sent and use the window.
    inflight: usize,
    /// Lines that wait for nothing: answers, credit, pings.
    urgent: VecDeque<String>,
    /// Lines that wait for the window.
    requests: VecDeque<(u64, String)>,
    unread: usize,
    asks: VecDeque<Ask>,
    /// What the present process has asked and not been answered.
    asking: usize,
    jobs: Jobs,
    pub(crate) counts: Counts,
    /// To be woken when the lock is free again.
    pub(crate) wake: Vec<Waker>,
}

/// What the plugin did that made no sense, over all its processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Lines that could not be read.
    pub(crate) malformed: u64,
    /// Methods and events there are not.
    pub(crate) unknown: u64,
    /// Answers to nothing, events of sessions that are over.
    pub(crate) late: u64,
}

enum Phase {
    Up,
    Down {
        fault: Fault,
        until: Option<Instant>,
    },
}

struct Pending {
    what: What,
    until: Instant,
    sent: bool,
}

enum What {
    Command {
        session: SessionId,
        tag: Tag,
        /// It shows something to others, rather than asking for something.
        message: bool,
    },
    Open {
        session: SessionId,
        wire: u64,
    },
    Close,
    Call(oneshot::Sender<Called>),
    Job(JobId),
    Ping,
}

impl Machine {
    pub(crate) fn new(credit: u32, timeout: Duration, idempotent: bool) -> Self {
        let fault = Fault::new(
            FaultKind::NetworkDown,
            ("the gateway's program has not started", "网关程序尚未启动"),
        );
        Self {
            credit: credit.max(1),
            timeout,
            idempotent,
            phase: Phase::Down { fault, until: None },
            generation: 0,
            last: 0,
            live: BTreeMap::new(),
            wires: BTreeMap::new(),
            pending: BTreeMap::new(),
            inflight: 0,
            urgent: VecDeque::new(),
            requests: VecDeque::new(),
            unread: 0,
            asks: VecDeque::new(),
            asking: 0,
            jobs: Jobs::default(),
            counts: Counts::default(),
            wake: Vec::new(),
        }
    }

    /// A process is ready.
    pub(crate) fn up(&mut self, now: Instant) {
        self.phase = Phase::Up;
        let sessions: Vec<SessionId> = self.live.keys().copied().collect();
        for session in sessions {
            self.reopen(session, now);
        }
    }

    /// The process has ended; another is tried after `retry`, or never.
    pub(crate) fn down(&mut self, fault: &Fault, retry: Option<Duration>, now: Instant) {
        self.phase = Phase::Down {
            fault: fault.clone(),
            until: retry.and_then(|retry| now.checked_add(retry)),
        };
        self.generation += 1;
        self.urgent.clear();
        self.requests.clear();
        self.unread = 0;
        self.inflight = 0;
        self.wires.clear();
        for (_, pending) in std::mem::take(&mut self.pending) {
            if let What::Call(call) = pending.what {
                // Who asked may be gone.
                let _ = call.send(Err(WireError::new(0, fault.text.clone())));
            }
        }
        let sessions: Vec<SessionId> = self.live.keys().copied().collect();
        for session in sessions {
            self.break_off(session, fault, retry);
        }
        self.drop_asks();
        self.jobs_down(fault, retry);
    }

    /// Takes a line of the plugin; what is wrong with it, in words.
    pub(crate) fn line(&mut self, line: &[u8], now: Instant) -> Result<(), String> {
        let result = match rpc::read(line) {
            Ok(Incoming::Answer { id, result }) => self.answered(id, result, now),
            Ok(Incoming::Request { id, method, params }) => {
                self.asked(id, &method, params);
                Ok(())
            }
            Ok(Incoming::Notice { method, params }) => match method.as_str() {
                "event" => self.event(params, now),
                _ => {
                    self.counts.unknown += 1;
                    Ok(())
                }
            },
            Err(why) => Err(why),
        };
        if result.is_err() {
            self.counts.malformed += 1;
        }
        result
    }

    /// The next line to write, without its end.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        let line = match self.urgent.pop_front() {
            Some(line) => line,
            None => self.next_request()?,
        };
        self.unread = self.unread.saturating_sub(line.len());
        Some(line)
    }

    fn next_request(&mut self) -> Option<String> {
        while self.inflight < WINDOW {
            let (id, line) = self.requests.pop_front()?;
            if let Some(pending) = self.pending.get_mut(&id) {
                pending.sent = true;
                self.inflight += 1;
                return Some(line);
            }
            // It was given up while it waited.
            self.unread = self.unread.saturating_sub(line.len());
        }
        None
    }

    /// Whether there is something to write or to ask.
    pub(crate) fn has_work(&self) -> bool {
        let can_write = !self.requests.is_empty() && self.inflight < WINDOW;
        can_write || !self.urgent.is_empty() || !self.asks.is_empty()
    }

    /// Whether the plugin leaves more unread than can be kept for it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.unread > UNREAD
    }

    /// Gives up what was not answered in time, and opens again what is to be.
    pub(crate) fn tick(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .pending
            .iter()
            // A job that waits here may still be handed out: nobody else keeps it.
            .filter(|(_, it)| it.until <= now && (it.sent || !matches!(it.what, What::Job(_))))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.expire(id, now);
        }
        self.reopen_due(now);
    }

    fn expire(&mut self, id: u64, now: Instant) {
        let Some(pending) = self.remove(id) else {
            return;
        };
        let fault = Fault::new(
            FaultKind::TimedOut,
            (
                "the gateway's program does not answer",
                "网关的程序没有应答",
            ),
        );
        match pending.what {
            What::Command { session, tag, .. } => self.end(session, tag, Err(fault)),
            What::Open { session, .. } => self.shut(session, &fault, Some(self.timeout), now),
            What::Call(call) => drop(call.send(Err(WireError::new(0, fault.text)))),
            // It ends by its reports, or with the process.
            What::Close | What::Job(_) | What::Ping => {}
        }
    }

    /// Asks the plugin whether it is alive.
    pub(crate) fn ping(&mut self, now: Instant) {
        self.tell_request("ping", What::Ping, now);
    }

    /// Asks it to end.
    pub(crate) fn shutdown(&mut self, now: Instant) {
        self.tell_request("shutdown", What::Close, now);
    }

    fn tell_request(&mut self, method: &str, what: What, now: Instant) {
        let id = self.number();
        let until = now + self.timeout;
        let sent = false;
        self.pending.insert(id, Pending { what, until, sent });
        self.push_urgent(rpc::request(id, method, &serde_json::Map::new()));
    }

    /// Calls the plugin.
    pub(crate) fn call<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
        now: Instant,
    ) -> Result<oneshot::Receiver<Called>, Fault> {
        let (answer, answered) = oneshot::channel();
        self.request(method, params, What::Call(answer), now)?;
        Ok(answered)
    }

    /// Queues a request, unless it is too large or too many wait.
    fn request<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
        what: What,
        now: Instant,
    ) -> Result<u64, Fault> {
        if let Phase::Down { fault, .. } = &self.phase {
            return Err(fault.clone());
        }
        let id = self.number();
        let line = rpc::request(id, method, params);
        if line.len() > rpc::LONGEST {
            let text = "this is more than the gateway's program takes";
            return Err(Fault::new(FaultKind::TooLarge, text));
        }
        // Sessions are opened and closed however much waits: the host bounds how many there are.
        let must = matches!(what, What::Open { .. } | What::Close);
        if !must && (self.requests.len() >= QUEUE || self.unread > UNREAD / 2) {
            return Err(Fault::new(
                FaultKind::Full,
                "the gateway's program is too busy",
            ));
        }
        self.unread += line.len();
        self.requests.push_back((id, line));
        let pending = Pending {
            what,
            until: now + self.timeout,
            sent: false,
        };
        self.pending.insert(id, pending);
        Ok(id)
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn push_urgent(&mut self, line: String) {
        self.unread += line.len();
        self.urgent.push_back(line);
    }

    fn remove(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if pending.sent {
            self.inflight -= 1;
        }
        Some(pending)
    }

    fn answered(
        &mut self,
        id: u64,
        result: Result<&str, WireError>,
        now: Instant,
    ) -> Result<(), String> {
        let Some(pending) = self.remove(id) else {
            self.counts.late += 1;
            return Ok(());
        };
        match pending.what {
            What::Command {
                session,
                tag,
                message,
            } => return self.command_ended(session, tag, message, result),
            What::Open { session, wire } => self.opened(session, wire, result.map(drop), now),
            What::Call(call) => drop(call.send(result.map(str::to_owned))),
            What::Job(job) => self.job_answered(job, result.map(drop)),
            What::Close | What::Ping => {}
        }
        Ok(())
    }
}

/// What is left of an outage, in milliseconds.
fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
