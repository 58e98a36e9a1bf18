//! The store-and-forward face: jobs out to carriers.
//!
//! [`Courier::submit`] only puts the job into a channel; the future of `Gateway::start` works it
//! off, one task a recipient, and ends when drained. The host's queue bounds how many jobs are
//! leased at once, so the channel needs no bound of its own.

mod copy;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use isthmus_gateway::{
    Address, Courier, Fault, FaultKind, Job, JobId, Key, Kind, Later, Preview, Report, State,
    Uplink, User, words,
};
use isthmus_kit::Recalls;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::copy::Sending;
use crate::address::Peer;
use crate::config::{Carrier, Config};
use crate::gateway::Sms;
use crate::line;
use crate::track::{Table, lock};
use crate::translate::segments::{Segments, segments};
use crate::transport::Link;

/// The jobs at hand.
pub(crate) struct Jobs {
    submit: mpsc::UnboundedSender<Job<'static>>,
    /// Taken by the one `run`.
    submitted: Mutex<Option<mpsc::UnboundedReceiver<Job<'static>>>>,
    pub(crate) open: Recalls,
}

/// What jobs need of a carrier.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) link: Link,
    pub(crate) table: Arc<Table>,
}

impl Jobs {
    pub(crate) fn new() -> Self {
        let (submit, submitted) = mpsc::unbounded_channel();
        Self {
            submit,
            submitted: Mutex::new(Some(submitted)),
            open: Recalls::default(),
        }
    }

    /// Works jobs off until drained, and what has begun to its end: the carriers' links end in
    /// time.
    pub(crate) async fn run(
        &self,
        config: Arc<Config>,
        outlets: HashMap<String, Outlet>,
        up: Arc<dyn Uplink>,
        mut drained: watch::Receiver<Option<std::time::Instant>>,
    ) {
        let Some(mut submitted) = lock(&self.submitted).take() else {
            return;
        };
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                _ = drained.wait_for(Option::is_some) => break,
                Some(_) = tasks.join_next() => {}
                job = submitted.recv() => match job {
                    Some(job) => self.take(job, &config, &outlets, &up, &mut tasks),
                    None => break,
                },
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    fn take(
        &self,
        job: Job<'static>,
        config: &Arc<Config>,
        outlets: &HashMap<String, Outlet>,
        up: &Arc<dyn Uplink>,
        tasks: &mut JoinSet<()>,
    ) {
        let plan = Plan::of(config, &job);
        let plan = plan.and_then(|plan| match outlets.get(&plan.carrier) {
            Some(outlet) => Ok((plan, outlet.clone())),
            None => Err(Fault::new(
                FaultKind::Internal,
                ("the line has no carrier", "该线路没有运营商"),
            )),
        });
        let (open, up, config) = (self.open.clone(), up.clone(), config.clone());
        tasks.spawn(async move {
            match plan {
                Ok((plan, outlet)) => {
                    let sent = outlet
                        .table
                        .resumed(job.id, &plan.carrier, job.kept.as_deref());
                    let mut copies = JoinSet::new();
                    for (to, address) in (0u16..).zip(&job.to) {
                        let sending = Sending {
                            to,
                            peer: address.clone(),
                            attempt: job.attempt,
                            plan: plan.clone(),
                            config: config.clone(),
                            outlet: outlet.clone(),
                            sent: sent.clone(),
                            open: open.clone(),
                            up: up.clone(),
                        };
                        copies.spawn(sending.run());
                    }
                    while copies.join_next().await.is_some() {}
                }
                Err(_) if open.is_recalled(job.id) => {}
                Err(fault) => refuse(&job, &fault, &up).await,
            }
            open.ended(job.id);
        });
    }
}

/// Every copy of a job fails for the same reason.
async fn refuse(job: &Job<'static>, fault: &Fault, up: &Arc<dyn Uplink>) {
    for (to, _) in (0u16..).zip(&job.to) {
        let report = Report::new(job.id, to, State::Failed(fault.clone()));
        // A host that cannot take it hands the job out again.
        let _ = up.report(report).await;
    }
}

/// How a job goes out.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) line: String,
    pub(crate) carrier: String,
    pub(crate) segments: Arc<Segments>,
    /// Ties the parts together.
    pub(crate) reference: u8,
}

impl Plan {
    /// Pure.
    fn of(config: &Config, job: &Job<'_>) -> Result<Self, Fault> {
        let line = line::choose(config, job)?;
        let carrier = config.lines.get(line).map(|line| line.carrier.clone());
        let carrier = carrier.unwrap_or_default();
        let alphabet = config
            .carriers
            .get(&carrier)
            .map(|carrier| carrier.alphabet);
        let body = text(job);
        if body.is_empty() {
            return Err(Fault::new(
                FaultKind::BadRequest,
                ("there is nothing to send", "没有可发送的内容"),
            ));
        }
        let segments = segments(&body, alphabet.unwrap_or_default());
        let (parts, most) = (segments.parts.len(), usize::from(config.max_parts));
        if parts > most {
            let words = words!(
                "the message takes {parts} parts; no more than {most} are sent",
                "此消息需分为 {parts} 段；最多发送 {most} 段"
            );
            return Err(Fault::new(FaultKind::TooLarge, words));
        }
        Ok(Self {
            line: line.to_owned(),
            carrier,
            segments: Arc::new(segments),
            // Neighbours differ, and a job has the same one when it is handed out again.
            reference: job.id.0.to_le_bytes()[0],
        })
    }
}

/// The text of a job: what SMS cannot say otherwise stands in it as words.
fn text(job: &Job<'_>) -> String {
    let message = &job.message;
    let mut text = String::new();
    if let Some(subject) = message.subject.as_deref().filter(|it| !it.is_empty()) {
        text += subject;
        text.push('\n');
    }
    if message.action {
        text += "* ";
    }
    text += &message.body;
    for blob in &message.blobs {
        if !text.contains(blob.url.as_ref()) {
            if !text.is_empty() {
                text.push('\n');
            }
            text += &blob.url;
        }
    }
    text
}

/// Jobs of a line at once, whatever its carrier's window.
const LEAST: usize = 32;
/// Seconds that a job may wait for the carrier's rate: the host takes it back after some minutes.
const LONGEST_WAIT: f64 = 60.0;

fn lane_window(carrier: &Carrier) -> usize {
    let twice = usize::try_from(carrier.window)
        .unwrap_or(LEAST)
        .saturating_mul(2);
    let most = match carrier.rate > 0.0 {
        // Rounds down; the setting is bounded.
        true => (carrier.rate * LONGEST_WAIT) as usize,
        false => usize::MAX,
    };
    twice.min(most).max(LEAST)
}

/// Why nothing can go to this recipient at all.
pub(crate) fn refused(to: &Address) -> Option<Fault> {
    match to.kind {
        Kind::Contact => match Peer::of(to) {
            Peer::Number(_) | Peer::Short { .. } => None,
            Peer::Name(_) | Peer::Withheld(_) => Some(Fault::new(
                FaultKind::NotAllowed,
                (
                    "this sender cannot receive messages",
                    "此发送者无法接收消息",
                ),
            )),
        },
        Kind::Group => Some(Fault::new(
            FaultKind::Unsupported,
            (
                "this gateway does not carry group texts",
                "此网关不支持群发短信",
            ),
        )),
        _ => Some(Fault::new(
            FaultKind::BadAddress,
            ("this is not a phone number", "这不是电话号码"),
        )),
    }
}

impl Courier for Sms {
    /// One lane per carrier and line.
    fn lane(&self, job: &Job<'_>) -> String {
        let line = line::choose(&self.config, job).unwrap_or_default();
        let carrier = self
            .config
            .lines
            .get(line)
            .map(|line| line.carrier.as_str());
        format!("{}/{line}", carrier.unwrap_or_default())
    }

    /// What fills the bind's window, and as much again that is on its way to disk and back.
    fn window(&self, lane: &str) -> Option<usize> {
        let (carrier, _) = lane.rsplit_once('/')?;
        self.config.carriers.get(carrier).map(lane_window)
    }

    fn preview(&self, job: &Job<'_>) -> Result<Preview, Fault> {
        if let Some(fault) = job.to.iter().find_map(refused) {
            return Err(fault);
        }
        let plan = Plan::of(&self.config, job)?;
        Ok(Preview {
            parts: u16::try_from(plan.segments.parts.len()).unwrap_or(u16::MAX),
            encoding: plan.segments.encoding.name().to_owned(),
            price: None,
        })
    }

    fn submit(&self, job: Job<'static>, _up: Arc<dyn Uplink>) {
        self.jobs.open.submitted(job.id);
        // Nobody listens only after a drain; the host hands the job out again at its next start.
        let _ = self.jobs.submit.send(job);
    }

    fn recall(&self, job: JobId) -> Later<bool> {
        Box::pin(std::future::ready(self.jobs.open.recall(job)))
    }

    /// The carrier was told that it is delivered and cannot be told otherwise: the operator is.
    fn undeliverable(
        &self,
        user: User,
        _peer: &Address,
        key: Key<'static>,
        fault: Fault,
        _up: Arc<dyn Uplink>,
    ) {
        let returned = self.returned.fetch_add(1, Ordering::Relaxed) + 1;
        let user = format!("{}@{}", user.local, user.domain);
        let (key, why) = (key.0.as_ref(), fault.text.as_str());
        tracing::warn!(
            user,
            key,
            why,
            returned,
            "a user's server returned a message"
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lane_is_as_wide_as_its_carriers_window_and_rate_allow() {
        for (window, rate, expected) in [
            (10, 0.0, 32),
            (100, 0.0, 200),
            (1000, 0.0, 2000),
            (1000, 5.0, 300),
            (1000, 0.1, 32),
        ] {
            let config = Config::from_value(&json!({
                "region": "US",
                "carriers": { "a/b": {
                    "host": "smpp.example", "system_id": "i", "password": "p",
                    "window": window, "rate": rate,
                }},
                "lines": { "+15551230000": { "users": ["juliet@example.org"] } },
            }));
            let sms = Sms::new(config.expect("a sound configuration"));
            let lane = "a/b/+15551230000";
            assert_eq!(sms.window(lane), Some(expected), "{window} at {rate}/s");
            assert_eq!(sms.window("other/+15551230000"), None);
        }
    }
}
