//! One bind as a state machine: bytes and the clock in, bytes and events out.
//!
//! ```text
//! Binding --bind_transceiver_resp--> Bound --unbind--> Unbinding --> Closed
//! ```
//!
//! Every state goes to `Closed` when the carrier refuses, falls silent, or sends what cannot be
//! cut into PDUs. Submissions wait for the window and the rate; what is in flight when the bind
//! closes ends as `Lost`.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use isthmus_kit::Bucket;

use super::status::Class;
use super::{Body, Frame, Framer, Pdu, Sm, Status, command};

/// How a bind behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we are.
    pub system_id: String,
    /// How we prove it.
    pub password: String,
    /// What kind of system we are; mostly empty.
    pub system_type: String,
    /// Submissions without a response, at most.
    pub window: usize,
    /// Submissions a second; 0: no limit.
    pub rate: f64,
    /// Silence after which the carrier is asked whether it is there.
    pub keep_alive: Duration,
    /// How long a response may take.
    pub response_timeout: Duration,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The bind stands; who the carrier says it is.
    Bound(String),
    /// A submission was answered.
    Answered {
        /// As passed to [`Session::submit`].
        token: u64,
        /// The carrier's status.
        status: Status,
        /// The carrier's id of the message; empty where it tells none.
        id: String,
    },
    /// A submission got no answer: whether the carrier took it is not known.
    Lost(u64),
    /// A message or receipt. Must be answered with [`Session::answer`].
    Delivered {
        /// For the answer.
        request: Request,
        /// What it says.
        sm: Box<Sm>,
    },
    /// It is over, with the reason in words. Nothing follows.
    Closed(String),
}

/// A request of the carrier that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    command: u32,
    sequence: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Binding,
    Bound,
    Unbinding,
    Closed,
}

/// What a response in flight belongs to.
#[derive(Clone, Copy, Debug)]
enum Open {
    Bind,
    Submit(u64),
    Enquire,
    Unbind,
}

/// One bind.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    phase: Phase,
    framer: Framer,
    out: Vec<u8>,
    events: VecDeque<Event>,
    sequence: u32,
    /// By sequence number, with the time at which the response is late.
    open: BTreeMap<u32, (Open, Instant)>,
    in_flight: usize,
    /// Deliveries that wait for their answer.
    owed: usize,
    waiting: VecDeque<(u64, Box<Sm>)>,
    bucket: Option<Bucket>,
    /// After the carrier has asked for it, nothing is submitted until then.
    paused_until: Option<Instant>,
    pause: Duration,
    heard: Instant,
    enquiring: bool,
}

/// First pause after the carrier asked to slow down; doubled each time it asks again.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Highest sequence number (§3.2).
const LAST_SEQUENCE: u32 = 0x7fff_ffff;

impl Session {
    /// Begins with the bind request.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let burst = settings.window.clamp(1, 10);
        let burst = u32::try_from(burst).unwrap_or(1);
        let bucket = (settings.rate > 0.0).then(|| Bucket::new(burst, settings.rate));
        let mut session = Self {
            phase: Phase::Binding,
            framer: Framer::default(),
            out: Vec::new(),
            events: VecDeque::new(),
            sequence: 0,
            open: BTreeMap::new(),
            in_flight: 0,
            owed: 0,
            waiting: VecDeque::new(),
            bucket,
            paused_until: None,
            pause: PAUSE,
            heard: now,
            enquiring: false,
            settings,
        };
        let body = Body::Bind {
            system_id: session.settings.system_id.clone(),
            password: session.settings.password.clone(),
            system_type: session.settings.system_type.clone(),
        };
        session.request(command::BIND_TRANSCEIVER, body, Open::Bind, now);
        session
    }

    /// Whether submissions go out.
    pub fn is_bound(&self) -> bool {
        self.phase == Phase::Bound
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether nobody waits for an answer, here or there.
    pub fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.owed == 0 && self.waiting.is_empty()
    }

    /// What is to be written.
    pub fn out(&self) -> &[u8] {
        &self.out
    }

    /// So many bytes of it have been written.
    pub fn written(&mut self, count: usize) {
        self.out.drain(..count.min(self.out.len()));
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`tick`](Self::tick) must be called at the latest.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        let late = self.open.values().map(|(_, late)| *late).min();
        let silent = (!self.enquiring).then(|| self.heard + self.settings.keep_alive);
        let resume = (!self.waiting.is_empty() && self.has_room())
            .then(|| self.ready(now))
            .filter(|_| self.is_bound());
        [late, silent, resume].into_iter().flatten().min()
    }

    /// Submits a message as soon as window and rate allow; ends in `Answered` or `Lost`.
    pub fn submit(&mut self, token: u64, sm: Sm, now: Instant) {
        if self.phase == Phase::Closed {
            self.events.push_back(Event::Lost(token));
            return;
        }
        self.waiting.push_back((token, Box::new(sm)));
        self.pump(now);
    }

    /// Answers a delivery.
    pub fn answer(&mut self, request: Request, status: Status) {
        if self.phase == Phase::Closed {
            return;
        }
        self.owed = self.owed.saturating_sub(1);
        self.put(&Pdu {
            command: request.command | command::RESPONSE,
            status: status.0,
            sequence: request.sequence,
            body: Body::DeliverResp,
        });
    }

    /// Takes what was read.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.framer.extend(bytes);
        self.heard = now;
        while self.phase != Phase::Closed
            && let Some(frame) = self.framer.next_frame()
        {
            match frame {
                Frame::Pdu(bytes) => self.pdu(Pdu::read(&bytes), now),
                Frame::Oversized(header) => {
                    let pdu = Pdu::read(&header);
                    self.nack(&pdu, Status::INVALID_LENGTH);
                }
                Frame::Broken => self.close("the carrier sent a length that cannot be"),
            }
        }
        self.pump(now);
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) {
        let late: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, (_, late))| *late <= now)
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in late {
            match self.open.remove(&sequence) {
                Some((Open::Submit(token), _)) => {
                    self.in_flight -= 1;
                    self.events.push_back(Event::Lost(token));
                }
                Some((Open::Unbind, _)) => self.close("the carrier did not answer the unbind"),
                Some(_) => self.close("the carrier does not answer"),
                None => {}
            }
        }
        let silent = self.heard + self.settings.keep_alive <= now;
        if silent && !self.enquiring && self.is_bound() {
            self.enquiring = true;
            self.request(command::ENQUIRE_LINK, Body::Other, Open::Enquire, now);
        }
        self.pump(now);
    }

    /// Says goodbye; ends in `Closed`. What waits is lost, what is in flight may still be
    /// answered.
    pub fn unbind(&mut self, now: Instant) {
        match self.phase {
            Phase::Bound => {
                self.phase = Phase::Unbinding;
                while let Some((token, _)) = self.waiting.pop_front() {
                    self.events.push_back(Event::Lost(token));
                }
                self.request(command::UNBIND, Body::Other, Open::Unbind, now);
            }
            Phase::Binding => self.close("ended before the bind stood"),
            Phase::Unbinding | Phase::Closed => {}
        }
    }

    /// Ends it: the connection is gone, or nobody needs it.
    pub fn close(&mut self, why: &str) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        for (open, _) in std::mem::take(&mut self.open).into_values() {
            if let Open::Submit(token) = open {
                self.events.push_back(Event::Lost(token));
            }
        }
        while let Some((token, _)) = self.waiting.pop_front() {
            self.events.push_back(Event::Lost(token));
        }
        self.in_flight = 0;
        self.events.push_back(Event::Closed(why.to_owned()));
    }

    fn pdu(&mut self, pdu: Pdu, now: Instant) {
        if pdu.command & command::RESPONSE != 0 {
            return self.response(pdu, now);
        }
        match (pdu.command, pdu.body) {
            (command, Body::Deliver(sm)) => {
                let request = Request {
                    command,
                    sequence: pdu.sequence,
                };
                self.owed += 1;
                self.events.push_back(Event::Delivered { request, sm });
            }
            (command::ENQUIRE_LINK, _) => self.respond(pdu.command, pdu.sequence),
            (command::UNBIND, _) => {
                self.respond(pdu.command, pdu.sequence);
                self.close("the carrier ended the bind");
            }
            // These have no response (§4.1.7, §4.12).
            (command::OUTBIND | command::ALERT_NOTIFICATION, _) => {}
            (command, body) => {
                let pdu = Pdu {
                    command,
                    status: 0,
                    sequence: pdu.sequence,
                    body,
                };
                self.nack(&pdu, Status::INVALID_COMMAND);
            }
        }
    }

    fn response(&mut self, pdu: Pdu, now: Instant) {
        let Some((open, _)) = self.open.remove(&pdu.sequence) else {
            return;
        };
        let status = Status(pdu.status);
        match open {
            Open::Bind if status == Status::OK => {
                let name = match pdu.body {
                    Body::BindResp(name) => name,
                    _ => String::new(),
                };
                self.phase = Phase::Bound;
                self.events.push_back(Event::Bound(name));
            }
            Open::Bind => self.close(&status.words()),
            Open::Submit(token) => {
                self.in_flight -= 1;
                self.pace(status, now);
                // A nack says no whatever its status says.
                let status = match (pdu.command, status) {
                    (command::GENERIC_NACK, Status::OK) => Status::INVALID_COMMAND,
                    _ => status,
                };
                let id = match pdu.body {
                    Body::SubmitResp(id) => id,
                    _ => String::new(),
                };
                self.events.push_back(Event::Answered { token, status, id });
            }
            // A carrier that does not know the request is there all the same.
            Open::Enquire => self.enquiring = false,
            Open::Unbind => self.close("unbound"),
        }
    }

    /// Slows down when asked to, and forgets that with the first success.
    fn pace(&mut self, status: Status, now: Instant) {
        match status.class() {
            Class::Throttled => {
                if self.paused_until.is_none_or(|until| until <= now) {
                    self.paused_until = Some(now + self.pause);
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
            Class::Done => self.pause = PAUSE,
            Class::Temporary | Class::Permanent(_) => {}
        }
    }

    fn has_room(&self) -> bool {
        self.in_flight < self.settings.window
    }

    /// When the next submission may go out.
    fn ready(&self, now: Instant) -> Instant {
        let rate = self.bucket.as_ref().map_or(now, |bucket| bucket.ready(now));
        self.paused_until.map_or(rate, |until| until.max(rate))
    }

    fn pump(&mut self, now: Instant) {
        while self.is_bound() && self.has_room() && self.ready(now) <= now {
            let Some((token, sm)) = self.waiting.pop_front() else {
                return;
            };
            if let Some(bucket) = &mut self.bucket {
                bucket.debit(now);
            }
            self.in_flight += 1;
            let body = Body::Submit(sm);
            self.request(command::SUBMIT_SM, body, Open::Submit(token), now);
        }
    }

    fn request(&mut self, command: u32, body: Body, open: Open, now: Instant) {
        self.sequence = self.sequence % LAST_SEQUENCE + 1;
        let sequence = self.sequence;
        let late = now + self.settings.response_timeout;
        self.open.insert(sequence, (open, late));
        self.put(&Pdu {
            command,
            status: 0,
            sequence,
            body,
        });
    }

    fn respond(&mut self, request: u32, sequence: u32) {
        self.put(&Pdu::empty(request | command::RESPONSE, 0, sequence));
    }

    /// Never in answer to a response.
    fn nack(&mut self, pdu: &Pdu, status: Status) {
        if pdu.command & command::RESPONSE == 0 {
            self.put(&Pdu::empty(command::GENERIC_NACK, status.0, pdu.sequence));
        }
    }

    fn put(&mut self, pdu: &Pdu) {
        pdu.write(&mut self.out);
    }
}

#[cfg(test)]
mod tests;
