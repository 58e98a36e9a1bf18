//! Puts to the host what the plugin asks.

use std::sync::Arc;
use std::time::Duration;

use isthmus_gateway::{Refusal, Uplink};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::translate::rpc::{WireError, json};
use crate::translate::{Ask, Question, Ticket, refusal};

/// How often a report of ours is tried that the host cannot take yet.
const TRIES: u32 = 5;
/// Between two of these tries.
const AGAIN: Duration = Duration::from_secs(1);

/// What the host said, and to whom it goes.
pub(crate) type Answer = (Ticket, Result<String, WireError>);

/// The next answer of the host; never, while nothing is asked.
pub(super) async fn next_answer(asked: &mut JoinSet<Answer>) -> Answer {
    loop {
        match asked.join_next().await {
            Some(Ok(answer)) => return answer,
            // A question of which the host made a panic: the plugin's own deadline ends it.
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}

/// Puts one question to the host.
pub(super) async fn put(ask: Ask, up: Arc<dyn Uplink>) -> Answer {
    let result = match ask.question {
        Question::Deliver { batch, all_or_none } => {
            let results = up.deliver(batch, all_or_none).await;
            let results = results.iter().map(|result| match result {
                Ok(stored) => serde_json::json!({ "stored": stored }),
                Err(refusal) => serde_json::json!({ "refused": refusal }),
            });
            Ok(json(&results.collect::<Vec<_>>()))
        }
        Question::Begin { job, to, keys } => Ok(json(&up.begin(job, to, keys).await)),
        Question::Find { handle, from } => {
            let found = up.find(handle, &from).await;
            found.map(|users| json(&users)).map_err(|it| refusal(&it))
        }
        Question::Resolve { user, key } => Ok(json(&up.resolve(user, key).await)),
        Question::Report(report) => {
            let mut result = up.report(report.clone()).await;
            for _ in 1..TRIES {
                if !matches!(result, Err(Refusal::Later(_))) {
                    break;
                }
                sleep(AGAIN).await;
                result = up.report(report.clone()).await;
            }
            let done = result.map(|()| "{}".to_owned());
            done.map_err(|it| refusal(&it))
        }
    };
    (ask.ticket, result)
}
