//! What a carrier delivers: receipts to jobs, messages to users.
//!
//! The carrier gets its answer after the host has stored the message. Parts of a message are
//! answered with it if they come within a moment; a carrier that sends one at a time would wait
//! for ever otherwise, so after that they are kept in the `journal` and answered alone. A drain
//! leaves them there.

mod deliver;
mod journal;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isthmus_gateway::{Key, Ref, Refusal, State, Uplink};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use self::deliver::deliver;
use self::journal::Journal;
use crate::address;
use crate::config::{Carrier, Config};
use crate::track::{Part, Table, key};
use crate::translate::concat::{Joiner, Key as Parted, Parts, Whole, piece};
use crate::translate::outcome::Copy;
use crate::translate::receipt::{Receipt, plain_form, receipt};
use crate::translate::repeat::Repeats;
use crate::translate::smpp::{Sm, Status};
use crate::translate::text::{self, Alphabet};
use crate::transport::{Command, Inbound, Ticket};

/// Taken at once.
const BATCH: usize = 64;
/// How long parts wait to be answered together with the whole.
const TOGETHER: Duration = Duration::from_millis(300);
/// Between two tries of reading what was kept, or of storing it.
const AGAIN: Duration = Duration::from_secs(2);
/// How often records of what may come again are tidied.
const TIDY: Duration = Duration::from_secs(61);
/// Receipts worked on at once.
const RECEIPTS: usize = 64;

/// Where a message came from, beyond its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    since: Instant,
    pub(super) answered: bool,
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
    journal: Journal,
    tidy: Option<Instant>,
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
            journal: Journal::new(name, Arc::clone(&up), config.join_timeout),
            config,
            commands,
            table,
            up,
            repeats: Repeats::new(run),
            tidy: None,
            receipts: JoinSet::new(),
        }
    }

    /// Works until the transport has ended.
    pub(crate) async fn run(mut self, mut inbound: mpsc::Receiver<Inbound>) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Err(refusal) = self.load().await {
            let carrier = &self.name;
            tracing::warn!(carrier, ?refusal, "what was kept cannot be read yet");
            if inbound.is_closed() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
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
        while self.receipts.join_next().await.is_some() {}
    }

    fn deadline(&mut self) -> Option<Instant> {
        let waiting = self
            .joiner
            .waiting()
            .flat_map(|(_, _, tokens)| tokens.iter());
        let waiting = waiting.filter(|waiting| !waiting.answered);
        let together = waiting.map(|waiting| waiting.since + TOGETHER).min();
        let expired = self.joiner.deadline();
        [together, expired, self.tidy].into_iter().flatten().min()
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
        let waiting = Waiting {
            ticket,
            since: now(),
            answered: false,
        };
        let (source, destination) = (&sm.source.number, &sm.destination.number);
        let ton = sm.source.ton;
        if let Some(part) = piece.part {
            let now = now();
            return self
                .joiner
                .add((ton, source), destination, piece, part, waiting, now);
        }
        Some(Whole {
            key: Parted {
                ton,
                source: source.clone(),
                destination: destination.clone(),
                ..Parted::default()
            },
            parts: Parts::new(),
            text: text::decode(&piece.bytes, piece.data_coding, self.alphabet),
            tokens: vec![waiting],
        })
    }

    async fn receipt(&mut self, ticket: Ticket, receipt: Receipt, sm: &Sm) {
        if self.receipts.len() >= RECEIPTS {
            self.receipts.join_next().await;
        }
        let numbers = [&sm.source.number, &sm.destination.number].map(String::clone);
        let job = Receipted {
            carrier: self.name.clone(),
            receipt,
            numbers,
            ticket,
            max_parts: self.config.max_parts,
            table: Arc::clone(&self.table),
            up: Arc::clone(&self.up),
            commands: self.commands.clone(),
        };
        let found = job.known();
        self.receipts.spawn(job.run(found));
    }

    /// Takes up what an earlier run has left: its parts are waited for as long as new ones.
    async fn load(&mut self) -> Result<(), Refusal> {
        let (open, of_late) = self.journal.load().await?;
        let now = now();
        for (key, parts) in open {
            let whole = parts.len() >= usize::from(key.total);
            let wait = if whole {
                Duration::ZERO
            } else {
                self.config.join_timeout
            };
            self.joiner.restore(key, parts, now + wait);
        }
        if !of_late.is_empty() {
            self.tidy = Some(now + TIDY);
            self.repeats.restore(of_late, now);
        }
        Ok(())
    }

    async fn tick(&mut self) {
        let now = now();
        let mut due = Vec::new();
        while let Some(whole) = self.joiner.expired(now) {
            due.push(whole);
        }
        self.answer_alone(now).await;
        self.deliver(due).await;
        if self.tidy.is_some_and(|tidy| tidy <= now) {
            let past = self.repeats.past(now);
            for kept in self.journal.seen(past) {
                // What stays longer than it should is only remembered longer.
                let _ = kept.await;
            }
            self.tidy = self.repeats.is_recorded().then_some(now + TIDY);
        }
    }

    /// Parts that have waited long enough are kept and answered.
    async fn answer_alone(&mut self, now: Instant) {
        let late = |waiting: &Waiting| !waiting.answered && waiting.since + TOGETHER <= now;
        let waiting = self.joiner.waiting();
        let due = waiting.filter(|(_, _, tokens)| tokens.iter().any(late));
        let due: Vec<_> = due
            .map(|(key, parts, _)| (key.clone(), parts.clone()))
            .collect();
        if due.is_empty() {
            return;
        }
        let keys: BTreeSet<_> = due.iter().map(|(key, _)| key.clone()).collect();
        let status = match self.journal.put(due).await {
            Ok(()) => Status::OK,
            Err(_) => Status::RECEIVER_TEMPORARY,
        };
        for (key, _, tokens) in self.joiner.waiting() {
            if !keys.contains(key) {
                continue;
            }
            for waiting in tokens.iter_mut().filter(|waiting| !waiting.answered) {
                waiting.answered = true;
                answer(&self.commands, waiting.ticket, status);
            }
        }
        if status != Status::OK {
            // The carrier sends again what is not kept.
            for key in keys {
                let kept = self.journal.parts(&key);
                self.joiner.reduce(&key, kept);
            }
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
    /// The numbers it names.
    numbers: [String; 2],
    ticket: Ticket,
    max_parts: u8,
    table: Arc<Table>,
    up: Arc<dyn Uplink>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Receipted {
    /// The part that it belongs to, if that is remembered.
    fn known(&self) -> Option<Part> {
        self.table.find(&self.receipt, self.numbers())
    }

    fn numbers(&self) -> [&str; 2] {
        self.numbers.each_ref().map(String::as_str)
    }

    async fn run(self, known: Option<Part>) {
        let part = match known {
            Some(part) => Some(part),
            // The host first: what it knows of an earlier run must not be held for a submission.
            None => match self.recall().await {
                Some(part) => Some(part),
                None => self.table.hold(&self.receipt, self.numbers(), now()),
            },
        };
        let status = match part {
            Some(part) => self.report(part).await,
            None => Status::OK,
        };
        answer(&self.commands, self.ticket, status);
    }

    /// The part of a job that went out in an earlier run.
    async fn recall(&self) -> Option<Part> {
        for id in &self.receipt.ids {
            for parts in 1..=usize::from(self.max_parts) {
                let key = key(&self.carrier, id, parts);
                let found = self.up.resolve(None, Key(key.into())).await;
                if let Some(part) = found.and_then(|found| self.recalled(&found, id, parts)) {
                    return Some(part);
                }
            }
        }
        let ids = self.receipt.ids.join(" ");
        tracing::debug!(
            carrier = self.carrier,
            ids,
            "a receipt of nothing that has been reported"
        );
        None
    }

    fn recalled(&self, found: &Ref, id: &str, parts: usize) -> Option<Part> {
        let kept = found.kept.as_deref();
        let sent = self.table.recalled(found.job?, &self.carrier, kept);
        sent.recall(found.recipient, parts);
        let known = sent.with(found.recipient, 0, |copy| {
            copy.find(&plain_form(id), plain_form)
        });
        Some(Part {
            sent,
            to: found.recipient,
            part: known.unwrap_or(usize::from(found.part)),
            number: String::new(),
        })
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
