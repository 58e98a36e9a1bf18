//! Whole messages to the users of the line they were sent to.

use std::time::{Duration, Instant};

use isthmus_gateway::{Address, Delivery, Handle, Message, Place, Refusal, Stored, UserId, Who};

use super::{Inward, Waiting, answer, now};
use crate::address::{self, Peer};
use crate::translate::concat::Whole;
use crate::translate::repeat::Looks;
use crate::translate::smpp::Status;

/// When a message that was answered already and could not be stored is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A message that must still be stored.
pub(super) struct Again {
    pub(super) whole: Whole<Waiting>,
    pub(super) due: Instant,
}

/// A message and for whom it is.
struct Addressed {
    whole: Whole<Waiting>,
    looks: Looks,
    users: usize,
}

/// Stores messages, all of them at once, and answers the carrier.
pub(super) async fn deliver(inward: &mut Inward, messages: Vec<Whole<Waiting>>) {
    let mut addressed = Vec::new();
    let mut batch = Vec::new();
    for whole in messages {
        match deliveries(inward, &whole).await {
            Ok((looks, deliveries)) => {
                addressed.push(Addressed {
                    whole,
                    looks,
                    users: deliveries.len(),
                });
                batch.extend(deliveries);
            }
            Err(status) => settle(inward, whole, None, status),
        }
    }
    if batch.is_empty() {
        return;
    }
    let mut results = inward.up.deliver(batch, false).await.into_iter();
    for message in addressed {
        let own: Vec<_> = results.by_ref().take(message.users).collect();
        let status = status(&own, message.users);
        settle(inward, message.whole, Some(&message.looks), status);
    }
}

/// One delivery for each user of the line; or what to tell the carrier.
async fn deliveries(
    inward: &mut Inward,
    whole: &Whole<Waiting>,
) -> Result<(Looks, Vec<Delivery<'static>>), Status> {
    let carrier = &inward.name;
    let config = inward.config.clone();
    let Some((number, line)) = config.line(&whole.destination) else {
        let number = &whole.destination;
        tracing::warn!(
            carrier,
            number,
            "a message to a number that is not configured"
        );
        return Err(Status::RECEIVER_PERMANENT);
    };
    let region = inward.region(number);
    let first = whole.tokens.first();
    let ton = first.map_or(0, |waiting| waiting.ton);
    let peer = address::from_carrier(ton, &whole.source, &region);
    let from = peer.address();
    let mut handles: Vec<Handle> = line.users.iter().map(handle).collect();
    if line.open {
        handles.push(Handle::Line(number.to_owned()));
    }
    let users = find(inward, handles, &from).await?;
    if users.is_empty() {
        tracing::warn!(carrier, number, "a message to a number that nobody has");
        return Err(Status::RECEIVER_PERMANENT);
    }
    let looks = Looks {
        source: whole.source.clone(),
        destination: whole.destination.clone(),
        reference: first
            .is_some_and(|it| it.multipart)
            .then_some(whole.reference),
        text: whole.text.clone(),
    };
    let bind = first.map_or(0, |waiting| waiting.ticket.bind);
    let dedup = format!("{carrier}-{}", inward.repeats.key(&looks, bind));
    let delivery = |user: &UserId| Delivery {
        user: *user,
        dedup: dedup.clone(),
        peer: from.clone(),
        message: message(&peer, &from, &whole.text),
        peer_kept: Some(number.as_bytes().to_vec()),
    };
    Ok((looks, users.iter().map(delivery).collect()))
}

fn handle(user: &(String, String)) -> Handle {
    Handle::Jid {
        local: user.0.clone(),
        domain: user.1.clone(),
    }
}

fn message(peer: &Peer, from: &Address, text: &str) -> Message<'static> {
    let mut who = Who::nick(from.id.clone());
    if !matches!(peer, Peer::Number(_)) {
        who.name = Some(peer.nick().to_owned().into());
    }
    Message::text(Place::Contact(from.id.clone().into()), who, text.to_owned())
}

/// The users behind handles, each once.
async fn find(
    inward: &Inward,
    handles: Vec<Handle>,
    from: &Address,
) -> Result<Vec<UserId>, Status> {
    let mut users = Vec::new();
    for handle in handles {
        match inward.up.find(handle, from).await {
            Ok(found) => users.extend(found),
            Err(Refusal::Later(_)) => return Err(Status::RECEIVER_TEMPORARY),
            Err(Refusal::Unknown | Refusal::Unwanted(_)) => {}
        }
    }
    users.sort();
    users.dedup();
    Ok(users)
}

/// Taken if somebody has it and nobody must be tried again: those who have it will not get it
/// twice.
fn status(results: &[Result<Stored, Refusal>], users: usize) -> Status {
    let later = |result: &Result<_, _>| matches!(result, Err(Refusal::Later(_)));
    if results.len() < users || results.iter().any(later) {
        Status::RECEIVER_TEMPORARY
    } else if results.iter().any(Result::is_ok) {
        Status::OK
    } else {
        Status::RECEIVER_PERMANENT
    }
}

/// Answers what was not answered yet. A message of which a part was taken already is ours: it is
/// tried again here.
fn settle(inward: &mut Inward, whole: Whole<Waiting>, looks: Option<&Looks>, status: Status) {
    let ours = whole.tokens.iter().any(|waiting| waiting.answered);
    let again = status == Status::RECEIVER_TEMPORARY;
    if let Some(looks) = looks {
        let now = now();
        inward.repeats.answered(looks, !again, now);
    }
    let told = if ours { Status::OK } else { status };
    let mut whole = whole;
    for waiting in &mut whole.tokens {
        if !waiting.answered {
            waiting.answered = true;
            answer(&inward.commands, waiting.ticket, told);
        }
    }
    if ours && again {
        let due = now() + AGAIN;
        inward.again.push(Again { whole, due });
    }
}
