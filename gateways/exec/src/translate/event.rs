//! Events: what the plugin tells sessions, and how much of it.

use std::collections::BTreeSet;
use std::task::Waker;
use std::time::{Duration, Instant};

use isthmus_gateway::{Credit, Event, Fault, FaultKind, Tag};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::live::{Live, Stage};
use super::{Machine, SessionId, rpc};

/// Bytes of events that may wait in one session.
const BACKLOG: usize = 4 << 20;
/// After this long a session that was closed for saying too much is opened again.
const AGAIN: Duration = Duration::from_secs(30);
/// Ranks that fit into the contract's bits.
const RANKS: usize = 8;

/// Something a session is to be told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) what: Saying,
    tag: Option<Tag>,
    ends: bool,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Saying {
    /// An event as the plugin wrote it; it has been read once and is sound.
    Line(Box<str>),
    /// An event of our own.
    Own(Box<Event<'static>>),
}

impl Told {
    /// Hands the event on.
    pub(crate) fn tell(self, sink: &mut dyn isthmus_gateway::Sink) {
        match self.what {
            Saying::Own(event) => sink.event(*event),
            Saying::Line(line) => {
                if let Ok(event) = serde_json::from_str::<Event<'_>>(&line) {
                    sink.event(event);
                }
            }
        }
    }

    fn len(&self) -> usize {
        match &self.what {
            Saying::Line(line) => line.len(),
            Saying::Own(_) => 0,
        }
    }
}

#[derive(Deserialize)]
struct Happened<'a> {
    session: u64,
    #[serde(borrow)]
    ev: &'a RawValue,
}

impl Machine {
    /// The plugin tells an event.
    pub(super) fn event(&mut self, params: &str, now: Instant) -> Result<(), String> {
        let happened: Happened<'_> =
            serde_json::from_str(params).map_err(|error| format!("an event: {error}"))?;
        let Some(&id) = self.wires.get(&happened.session) else {
            self.counts.late += 1;
            return Ok(());
        };
        let line = happened.ev.get();
        let event = match serde_json::from_str::<Event<'_>>(line) {
            Ok(event) => event,
            Err(error) if error.to_string().starts_with("unknown variant") => {
                self.counts.unknown += 1;
                return Ok(());
            }
            Err(error) => return Err(format!("an event: {error}")),
        };
        let (tag, ends) = (event.tag(), ends_a_command(&event));
        let open = |live: &Live| tag.is_none_or(|tag| live.open.contains_key(&tag));
        match &event {
            Event::Done { .. } => return Err("a command is ended by its answer".into()),
            Event::Online(facts) if facts.ranks.len() > RANKS => {
                return Err(format!("more than {RANKS} ranks"));
            }
            Event::Echo { .. } | Event::Found { .. } | Event::Past { .. }
                if !self.live.get(&id).is_some_and(open) =>
            {
                self.counts.late += 1;
                return Ok(());
            }
            Event::Offline { fault, .. } => self.end_all(id, &fault.clone()),
            Event::Keep { state } => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.kept = Some(state.clone());
                }
            }
            _ => {}
        }
        let what = Saying::Line(line.into());
        self.push(id, Told { what, tag, ends });
        self.check_backlog(id, now);
        Ok(())
    }

    /// Twice its credit is what a session may say before it is closed.
    fn check_backlog(&mut self, id: SessionId, now: Instant) {
        let most = usize::try_from(self.credit).map_or(usize::MAX, |credit| credit * 2);
        let over = |live: &Live| live.queue.len() > most + live.open.len() || live.bytes > BACKLOG;
        if self.live.get(&id).is_some_and(over) {
            let text = (
                "the gateway's program said more than could be taken",
                "网关程序发送的内容过多",
            );
            self.shut(id, &Fault::new(FaultKind::Full, text), Some(AGAIN), now);
        }
    }

    pub(super) fn push_own(&mut self, id: SessionId, event: Event<'static>) {
        let (tag, ends) = (event.tag(), ends_a_command(&event));
        let what = Saying::Own(Box::new(event));
        self.push(id, Told { what, tag, ends });
    }

    fn push(&mut self, id: SessionId, told: Told) {
        if let Some(live) = self.live.get_mut(&id) {
            live.bytes += told.len();
            live.queue.push_back(told);
            self.wake.extend(live.waker.take());
        }
    }

    /// Takes what the host can take now, and grants the plugin credit for it.
    pub(crate) fn take(&mut self, id: SessionId, credit: Credit, waker: &Waker) -> Vec<Told> {
        let window = self.credit;
        let Some(live) = self.live.get_mut(&id) else {
            return Vec::new();
        };
        live.waker = Some(waker.clone());
        let told = match credit {
            Credit::Events(most) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                live.queue.drain(..most.min(live.queue.len())).collect()
            }
            Credit::Hold => live.take_ends(),
        };
        for told in &told {
            live.bytes -= told.len();
            live.taken += u32::from(matches!(told.what, Saying::Line(_)));
        }
        let (Stage::Opening(wire) | Stage::Open(wire)) = live.stage else {
            return told;
        };
        if live.taken >= window.div_ceil(2) {
            let params = serde_json::json!({ "session": wire, "events": live.taken });
            live.taken = 0;
            self.push_urgent(rpc::notice("session.credit", &params));
        }
        told
    }
}

impl Machine {
    /// Takes what ends commands of a closed session, and drops what else was to be told: nobody
    /// asks again.
    pub(crate) fn take_last(&mut self, id: SessionId) -> Vec<Told> {
        let Some(live) = self.live.get_mut(&id) else {
            return Vec::new();
        };
        live.bytes = 0;
        live.queue.drain(..).filter(|told| told.ends).collect()
    }
}

impl Live {
    /// Takes what ends commands, unless something of the same command is held before it.
    fn take_ends(&mut self) -> Vec<Told> {
        let mut taken = Vec::new();
        let mut held = BTreeSet::new();
        for told in std::mem::take(&mut self.queue) {
            if told.ends && !told.tag.is_some_and(|tag| held.contains(&tag)) {
                taken.push(told);
            } else {
                held.extend(told.tag);
                self.queue.push_back(told);
            }
        }
        taken
    }
}

/// Whether an event ends a command; the echo of a message belongs to its end.
fn ends_a_command(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Done { .. } | Event::Failed { .. } | Event::Echo { .. }
    )
}
