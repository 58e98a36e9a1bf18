//! The messages of a user that still wait: `queue` lists them, `queue cancel` takes one back.

use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Field, FieldKind, Later};

use super::{Command, Told, Work};
use crate::host::desk::{Desk, store_fault};
use crate::host::form::Answers;
use crate::host::shared::now_ms;
use crate::store::jobs::{CopyState, OpenJob, Recall};
use crate::xmpp::escape::escape;
use crate::xmpp::jid::BareJid;

/// Messages shown at a time.
const SHOWN: usize = 50;

/// Both commands.
pub(super) static COMMANDS: [Command; 2] = [
    Command {
        node: "queue",
        name: "Messages that wait",
        words: "queue",
        more: "",
        work: Work::Plain(|desk, user, _| list(desk, user)),
    },
    Command {
        node: "queue-cancel",
        name: "Take a message back",
        words: "queue cancel",
        more: " NUMBER",
        work: Work::Asking(which, cancel),
    },
];

const COLUMNS: [(&str, &str); 6] = [
    ("id", "Number"),
    ("to", "To"),
    ("state", "State"),
    ("attempts", "Attempts"),
    ("next", "Next attempt"),
    ("why", "Why"),
];

fn jobs(desk: &Arc<Desk>, user: &BareJid) -> Later<Result<Vec<OpenJob>, Fault>> {
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    let jobs = store.jobs_of(user.as_str(), domain, SHOWN + 1);
    Box::pin(async move { jobs.await.map_err(|fault| store_fault(&fault)) })
}

fn list(desk: &Arc<Desk>, user: &BareJid) -> Later<Result<Told, Fault>> {
    let (jobs, desk) = (jobs(desk, user), Arc::clone(desk));
    Box::pin(async move {
        let mut jobs = jobs.await?;
        let more = jobs.len() > SHOWN;
        jobs.truncate(SHOWN);
        let now = now_ms();
        let open = jobs.iter().filter(|job| state(job) != Standing::Unknown);
        let open = open.count();
        let mut text = match open {
            0 => "no message waits".to_owned(),
            _ if more => format!("the {SHOWN} oldest messages that wait"),
            1 => "1 message waits".to_owned(),
            count => format!("{count} messages wait"),
        };
        if open < jobs.len() {
            let unknown = jobs.len() - open;
            text.push_str(&format!(
                "; of {unknown} it is not known whether they arrived"
            ));
        }
        Ok(Told {
            text,
            columns: COLUMNS.to_vec(),
            rows: jobs.iter().map(|job| row(&desk, job, now)).collect(),
        })
    })
}

fn row(desk: &Desk, job: &OpenJob, now: i64) -> Vec<String> {
    let (state, next) = match state(job) {
        Standing::Waits => ("waits", when(job.due.saturating_sub(now))),
        Standing::Begun => ("being sent", "-".to_owned()),
        Standing::Unknown => ("outcome not known", "-".to_owned()),
    };
    vec![
        job.id.to_string(),
        recipients(desk, job),
        state.to_owned(),
        job.attempt.to_string(),
        next,
        job.fault.clone(),
    ]
}

/// How a message stands, all copies considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Some copy can be taken back.
    Waits,
    /// It is beyond recall.
    Begun,
    /// It is not to be sent any more, and it is not known whether it arrived.
    Unknown,
}

fn state(job: &OpenJob) -> Standing {
    let has = |wanted| job.copies.iter().any(|(_, state)| *state == wanted);
    if has(CopyState::Queued) {
        Standing::Waits
    } else if has(CopyState::Begun) {
        Standing::Begun
    } else {
        Standing::Unknown
    }
}

fn recipients(desk: &Desk, job: &OpenJob) -> String {
    let recipient = |(address, _): &(String, CopyState)| {
        let address: Address = serde_json::from_str(address).ok()?;
        let local = desk.gateway.format(&address).ok()?;
        Some(format!("{}@{}", escape(&local), desk.outbox.domain()))
    };
    let all: Vec<String> = job.copies.iter().filter_map(recipient).collect();
    all.join(", ")
}

/// A time that is `ms` milliseconds away.
fn when(ms: i64) -> String {
    let seconds = (ms + 999) / 1000;
    match seconds {
        ..=0 => "now".to_owned(),
        1..=119 => format!("in {seconds} s"),
        120..=7199 => format!("in {} min", seconds / 60),
        _ => format!("in {} h", seconds / 3600),
    }
}

/// Which message is to be taken back: those that can be.
fn which(desk: &Arc<Desk>, user: &BareJid) -> Later<Result<Vec<Field>, Fault>> {
    let (jobs, desk) = (jobs(desk, user), Arc::clone(desk));
    Box::pin(async move {
        let jobs = jobs.await?;
        let jobs = jobs.iter().filter(|job| state(job) == Standing::Waits);
        let jobs = jobs.take(SHOWN);
        let option = |job: &OpenJob| {
            let id = job.id.to_string();
            let label = format!("{id}: {}", recipients(&desk, job));
            (id, label)
        };
        Ok(vec![Field {
            name: "id".to_owned(),
            label: "Number of the message".to_owned(),
            // What is not listed any more has an answer of its own, in words.
            kind: FieldKind::Number,
            options: jobs.map(option).collect(),
            required: true,
            ..Field::default()
        }])
    })
}

fn cancel(desk: &Arc<Desk>, user: &BareJid, answers: Answers) -> Later<Result<Told, Fault>> {
    let id = answers.get("id").and_then(|id| id.parse::<u64>().ok());
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    let recalled = id.map(|id| (id, store.recall_job(user.as_str(), domain, id)));
    let courier = desk.courier.clone();
    Box::pin(async move {
        let Some((id, recalled)) = recalled else {
            let text = "messages have numbers; \u{201c}queue\u{201d} lists them";
            return Err(Fault::new(FaultKind::NotExpressible, text));
        };
        let fault = |kind, text| Err(Fault::new(kind, text));
        match recalled.await.map_err(|fault| store_fault(&fault))? {
            Recall::Done(job) => {
                if let Some(courier) = courier {
                    courier.recalled(job).await;
                }
                Ok(Told {
                    text: format!("message {id} was taken back: it will not be sent"),
                    ..Told::default()
                })
            }
            Recall::TooLate => {
                let text = format!("message {id} is on its way: it cannot be taken back any more");
                fault(FaultKind::NotExpressible, text)
            }
            Recall::Unknown => fault(
                FaultKind::NoSuchTarget,
                format!("no message {id} of yours waits"),
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::when;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        assert_eq!(when(-5), "now");
        assert_eq!(when(1), "in 1 s");
        assert_eq!(when(90_000), "in 90 s");
        assert_eq!(when(3_600_000), "in 60 min");
        assert_eq!(when(86_400_000), "in 24 h");
    }
}
