//! The messages of a user that still wait: `queue` lists them, `queue cancel` takes one back.

use std::sync::Arc;

use isthmus_gateway::{Address, Fault, FaultKind, Field, FieldKind, Later};

use super::{Asked, Asker, Command, Ended, Page, Told, Work};
use crate::host::courier::late_words;
use crate::host::desk::{Desk, store_fault};
use crate::host::fault;
use crate::host::form::Answers;
use crate::host::shared::now_ms;
use crate::host::words::{Lang, Phrase, Said, Text};
use crate::store::jobs::{CopyState, OpenJob, Recall};
use crate::xmpp::escape::escape;
use crate::xmpp::jid::BareJid;

/// Messages shown at a time.
const SHOWN: usize = 50;

/// Both commands.
pub(super) fn commands(lang: Lang) -> [Command; 2] {
    let (all, cancelling) = (lang.say(Text::Queue), lang.say(Text::QueueCancel));
    [
        Command::new(
            "queue",
            all,
            "queue",
            Work::Plain(|desk, asker, _| list(desk, asker)),
        ),
        Command::new(
            "queue-cancel",
            cancelling,
            "queue cancel",
            Work::Asking(which, cancel),
        )
        .more(lang.say(Text::MoreNumber)),
    ]
}

const COLUMNS: [(&str, Text); 6] = [
    ("id", Text::ColumnNumber),
    ("to", Text::ColumnTo),
    ("state", Text::ColumnState),
    ("attempts", Text::ColumnAttempts),
    ("next", Text::ColumnNext),
    ("why", Text::ColumnWhy),
];

fn jobs(desk: &Arc<Desk>, user: &BareJid) -> Later<Result<Vec<OpenJob>, Fault>> {
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    let jobs = store.jobs_of(user.as_str(), domain, SHOWN + 1);
    Box::pin(async move { jobs.await.map_err(|fault| store_fault(&fault)) })
}

fn list(desk: &Arc<Desk>, asker: &Asker) -> Ended {
    let (jobs, desk, lang) = (jobs(desk, &asker.user), Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let mut jobs = jobs.await?;
        let more = jobs.len() > SHOWN;
        jobs.truncate(SHOWN);
        let now = now_ms();
        let open = jobs.iter().filter(|job| state(job) != Standing::Unknown);
        let open = open.count();
        let mut text = match open {
            0 => lang.say(Text::QueueEmpty).to_owned(),
            _ if more => lang.tell(Text::QueueFirst, &[&SHOWN.to_string()]),
            1 => lang.say(Text::QueueOne).to_owned(),
            count => lang.tell(Text::QueueFew, &[&count.to_string()]),
        };
        if open < jobs.len() {
            let unknown = jobs.len() - open;
            text.push_str(&lang.tell(Text::QueueUnknown, &[&unknown.to_string()]));
        }
        Ok(Told {
            text,
            columns: COLUMNS.map(|(name, text)| (name, lang.say(text))).to_vec(),
            rows: jobs.iter().map(|job| row(&desk, job, now, lang)).collect(),
            ..Told::default()
        })
    })
}

fn row(desk: &Desk, job: &OpenJob, now: i64, lang: Lang) -> Vec<String> {
    let (state, next) = match state(job) {
        Standing::Waits => (Text::QueueWaits, when(job.due.saturating_sub(now), lang)),
        Standing::Begun => (Text::QueueBegun, "-".to_owned()),
        Standing::Unknown => (Text::QueueUnknownState, "-".to_owned()),
    };
    vec![
        job.id.to_string(),
        recipients(desk, job),
        lang.say(state).to_owned(),
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
fn when(ms: i64, lang: Lang) -> String {
    let seconds = (ms + 999) / 1000;
    let (text, number) = match seconds {
        ..=0 => (Text::TimeNow, 0),
        1..=119 => (Text::TimeSeconds, seconds),
        120..=7199 => (Text::TimeMinutes, seconds / 60),
        _ => (Text::TimeHours, seconds / 3600),
    };
    lang.tell(text, &[&number.to_string()])
}

/// Which message is to be taken back: those that can be.
fn which(desk: &Arc<Desk>, asker: &Asker) -> Asked {
    let (jobs, desk, lang) = (jobs(desk, &asker.user), Arc::clone(desk), asker.lang);
    Box::pin(async move {
        let jobs = jobs.await?;
        let jobs = jobs.iter().filter(|job| state(job) == Standing::Waits);
        let jobs = jobs.take(SHOWN);
        let option = |job: &OpenJob| {
            let id = job.id.to_string();
            let label = format!("{id}: {}", recipients(&desk, job));
            (id, label.into())
        };
        // What is not listed any more has an answer of its own, in words.
        let id = Field::new("id", lang.say(Text::QueueWhich), FieldKind::Number);
        Ok(Page {
            fields: vec![Field {
                options: jobs.map(option).collect(),
                required: true,
                ..id
            }],
            ..Page::default()
        })
    })
}

fn cancel(desk: &Arc<Desk>, asker: &Asker, answers: Answers) -> Ended {
    let (user, lang) = (&asker.user, asker.lang);
    let id = answers.get("id").and_then(|id| id.parse::<u64>().ok());
    let (store, domain) = (&desk.shared.store, desk.outbox.domain());
    let recalled = id.map(|id| (id, store.recall_job(user.as_str(), domain, id)));
    let courier = desk.courier.clone();
    Box::pin(async move {
        let Some((id, recalled)) = recalled else {
            let text = Text::QueueNumbers;
            return Err(fault::of(FaultKind::NotExpressible, text));
        };
        let fault = |kind, text: Said| Err(fault::of(kind, text));
        let taken = lang.tell(Text::QueueTaken, &[&id.to_string()]);
        match recalled.await.map_err(|fault| store_fault(&fault))? {
            Recall::Done(job) => {
                if let Some(courier) = courier {
                    courier.recalled(job).await;
                }
                Ok(Told::words(taken))
            }
            Recall::Partly(job, late) => {
                if let Some(courier) = courier {
                    courier.recalled(job).await;
                }
                Ok(Told::words(taken + &late_words(&late, lang)))
            }
            Recall::TooLate => {
                let text = Text::QueueTooLate.with(&[&id.to_string()]);
                fault(FaultKind::NotExpressible, text)
            }
            Recall::Unknown => fault(
                FaultKind::NoSuchTarget,
                Text::QueueNoSuch.with(&[&id.to_string()]),
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Lang, when};

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        assert_eq!(when(-5, Lang::En), "now");
        assert_eq!(when(1, Lang::En), "in 1 s");
        assert_eq!(when(90_000, Lang::En), "in 90 s");
        assert_eq!(when(3_600_000, Lang::En), "in 60 min");
        assert_eq!(when(86_400_000, Lang::En), "in 24 h");
    }
}
