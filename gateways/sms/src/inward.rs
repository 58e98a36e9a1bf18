//! What a carrier delivers: receipts to jobs, messages to users.
//!
//! The carrier gets its answer after the host has stored the message. Parts of a message are
//! answered with it if they come within a moment; a carrier that sends one at a time would wait
//! for ever otherwise, so after that they are answered alone.

mod deliver;

use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_gateway::{Key, State, Uplink};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use self::deliver::{Again, deliver};
use crate::address;
use crate::config::{Carrier, Config};
use crate::track::{Match, Part, Table, key};
use crate::translate::concat::{Joiner, Whole, piece};
use crate::translate::outcome::Copy;
use crate::translate::receipt::{Receipt, receipt};
use crate::translate::repeat::Repeats;
use crate::translate::smpp::{Sm, Status};
use crate::translate::text::{self, Alphabet};
use crate::transport::{Command, Inbound, Ticket};

/// Taken at once.
const BATCH: usize = 64;
/// How long parts wait to be answered together with the whole.
const TOGETHER: Duration = Duration::from_millis(300);
/// Receipts worked on at once.
const RECEIPTS: usize = 64;

/// Where a message came from, beyond its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    since: Instant,
    pub(super) answered: bool,
    ton: u8,
    multipart: bool,
}

/// The task of one carrier's deliveries.
pub(crate) struct Inward {
    name: String,
    alphabet: Alphabet,
    region: String,
    config: Arc<Config>,
    commands: mpsc::UnboundedSender<Command>,
    table: Arc<Table>,
    up: Arc<dyn Uplink>,
    joiner: Joiner<Waiting>,
    repeats: Repeats,
    again: Vec<Again>,
    receipts: JoinSet<()>,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Inward {
    pub(crate) fn new(
        name: &str,
        carrier: &Carrier,
        config: Arc<Config>,
        commands: mpsc::UnboundedSender<Command>,
        table: Arc<Table>,
        up: Arc<dyn Uplink>,
        run: u64,
    ) -> Self {
        Self {
            name: name.to_owned(),
            alphabet: carrier.alphabet,
            region: carrier.region.clone(),
            joiner: Joiner::new(carrier.alphabet, config.join_timeout),
            config,
            commands,
            table,
            up,
            repeats: Repeats::new(run),
            again: Vec::new(),
            receipts: JoinSet::new(),
        }
    }

    /// Works until the transport has ended.
    pub(crate) async fn run(mut self, mut inbound: mpsc::Receiver<Inbound>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let far = now() + Duration::from_secs(3600);
            let deadline = self.deadline().unwrap_or(far);
            tokio::select! {
                count = inbound.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    let whole = self.take(batch.drain(..)).await;
                    self.deliver(whole).await;
                }
                () = sleep_until(deadline.into()) => self.tick().await,
                Some(_) = self.receipts.join_next() => {}
            }
        }
        self.end().await;
        while self.receipts.join_next().await.is_some() {}
    }

    fn deadline(&mut self) -> Option<Instant> {
        let waiting = self.joiner.tokens().filter(|waiting| !waiting.answered);
        let together = waiting.map(|waiting| waiting.since + TOGETHER).min();
        let again = self.again.iter().map(|again| again.due).min();
        let expired = self.joiner.deadline();
        [together, again, expired].into_iter().flatten().min()
    }

    /// Receipts are on their way when this returns; messages that are whole are returned.
    async fn take(&mut self, batch: impl Iterator<Item = Inbound>) -> Vec<Whole<Waiting>> {
        let mut whole = Vec::new();
        for inbound in batch {
            match inbound {
                Inbound::Ended => self.repeats.ended(now()),
                Inbound::Delivered(ticket, sm) => match receipt(&sm) {
                    Some(receipt) => self.receipt(ticket, receipt, &sm).await,
                    None => whole.extend(self.message(ticket, &sm)),
                },
            }
        }
        whole
    }

    fn message(&mut self, ticket: Ticket, sm: &Sm) -> Option<Whole<Waiting>> {
        let piece = piece(sm);
        let mut waiting = Waiting {
            ticket,
            since: now(),
            answered: false,
            ton: sm.source.ton,
            multipart: false,
        };
        let (source, destination) = (&sm.source.number, &sm.destination.number);
        if let Some(part) = piece.part {
            waiting.multipart = true;
            let now = now();
            return self
                .joiner
                .add(source, destination, piece, part, waiting, now);
        }
        Some(Whole {
            source: source.clone(),
            destination: destination.clone(),
            reference: 0,
            text: text::decode(&piece.bytes, piece.data_coding, self.alphabet),
            tokens: vec![waiting],
        })
    }

    async fn receipt(&mut self, ticket: Ticket, receipt: Receipt, sm: &Sm) {
        if self.receipts.len() >= RECEIPTS {
            self.receipts.join_next().await;
        }
        let numbers = [sm.source.number.as_str(), &sm.destination.number];
        let found = self.table.find(&receipt, numbers, now());
        let job = Receipted {
            carrier: self.name.clone(),
            receipt,
            ticket,
            max_parts: self.config.max_parts,
            table: Arc::clone(&self.table),
            up: Arc::clone(&self.up),
            commands: self.commands.clone(),
        };
        self.receipts.spawn(job.run(found));
    }

    async fn tick(&mut self) {
        let now = now();
        let mut due = Vec::new();
        while let Some(whole) = self.joiner.expired(now) {
            due.push(whole);
        }
        for waiting in self.joiner.tokens() {
            if !waiting.answered && waiting.since + TOGETHER <= now {
                waiting.answered = true;
                answer(&self.commands, waiting.ticket, Status::OK);
            }
        }
        self.deliver(due).await;
        let (ready, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.again)
            .into_iter()
            .partition(|again| again.due <= now);
        self.again = later;
        self.deliver(ready.into_iter().map(|again| again.whole).collect())
            .await;
    }

    /// What was answered and is not stored must be stored now, as far as it has come.
    async fn end(&mut self) {
        let mut rest: Vec<_> = std::mem::take(&mut self.again)
            .into_iter()
            .map(|again| again.whole)
            .collect();
        while let Some(whole) = self.joiner.any() {
            if whole.tokens.iter().any(|waiting| waiting.answered) {
                rest.push(whole);
            }
        }
        self.deliver(rest).await;
        if !self.again.is_empty() {
            let count = self.again.len();
            tracing::error!(carrier = self.name, count, "messages could not be stored");
        }
    }

    async fn deliver(&mut self, whole: Vec<Whole<Waiting>>) {
        if !whole.is_empty() {
            deliver(self, whole).await;
        }
    }

    /// Where the carrier's national numbers belong to, on this line.
    fn region(&self, line: &str) -> String {
        if self.region.is_empty() {
            address::region(line)
        } else {
            self.region.clone()
        }
    }
}

/// The transport ends first only where there is nobody left to answer.
fn answer(commands: &mpsc::UnboundedSender<Command>, ticket: Ticket, status: Status) {
    let _ = commands.send(Command::Answer(ticket, status));
}

/// A receipt on its way to its job.
struct Receipted {
    carrier: String,
    receipt: Receipt,
    ticket: Ticket,
    max_parts: u8,
    table: Arc<Table>,
    up: Arc<dyn Uplink>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Receipted {
    async fn run(self, found: Match) {
        let part = match found {
            Match::Part(part) => Some(part),
            // If we end before its submission does, the outcome of that is unknown anyway.
            Match::Held => None,
            Match::None => self.recall().await,
        };
        let status = match part {
            Some(part) => self.report(part).await,
            None => Status::OK,
        };
        answer(&self.commands, self.ticket, status);
    }

    /// The part of a job that went out in an earlier run. Of a message in several parts the host
    /// cannot tell which were delivered then: it counts as delivered when all are, in this run.
    async fn recall(&self) -> Option<Part> {
        for id in &self.receipt.ids {
            for parts in 1..=usize::from(self.max_parts) {
                let key = key(&self.carrier, id, parts);
                let found = self.up.resolve(None, Key(key.into())).await;
                let Some((found, job)) = found.and_then(|found| found.job.map(|job| (found, job)))
                else {
                    continue;
                };
                let sent = self.table.recalled(job, &self.carrier);
                sent.recall(found.recipient, parts);
                return Some(Part {
                    sent,
                    to: found.recipient,
                    part: usize::from(found.part),
                    number: String::new(),
                });
            }
        }
        let ids = self.receipt.ids.join(" ");
        tracing::debug!(
            carrier = self.carrier,
            ids,
            "a receipt of nothing that is known"
        );
        None
    }

    async fn report(&self, part: Part) -> Status {
        let change = |copy: &mut Copy| {
            let before = copy.clone();
            match copy.receipt(part.part, &self.receipt) {
                Some(state) => vec![state],
                // Nothing new to tell, but to keep: the next receipt may come in another run.
                None if copy.is_sent() && *copy != before => vec![State::Accepted],
                None => Vec::new(),
            }
        };
        match part.sent.report(&self.up, part.to, 0, 1, change).await {
            Ok(()) => Status::OK,
            Err(_) => Status::RECEIVER_TEMPORARY,
        }
    }
}
