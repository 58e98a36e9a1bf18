//! Whole messages to the users of the line they were sent to.

use isthmus_gateway::{
    Address, Delivery, Handle, Key, Message, Place, Refusal, Stored, UserId, Who,
};

use super::{AGAIN, Inward, TIDY, Waiting, answer, now};
use crate::address::{self, Peer};
use crate::translate::concat::Whole;
use crate::translate::repeat::Looks;
use crate::translate::smpp::Status;

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
    let mut ended = Vec::new();
    for whole in messages {
        let some = whole.parts.len() < usize::from(whole.key.total);
        if some && inward.journal.is_again(&whole.key, &whole.parts) {
            ended.push((whole, Status::OK));
            continue;
        }
        match deliveries(inward, &whole).await {
            Ok((looks, deliveries)) => {
                addressed.push(Addressed {
                    whole,
                    looks,
                    users: deliveries.len(),
                });
                batch.extend(deliveries);
            }
            Err(status) => ended.push((whole, status)),
        }
    }
    if !batch.is_empty() {
        // In this order on disk: a message that is stored can be told from a new one.
        let changed = inward.repeats.changed(now());
        inward.tidy.get_or_insert_with(|| now() + TIDY);
        let recorded = inward.journal.seen(changed);
        let mut results = inward.up.deliver(batch, false).await.into_iter();
        for recorded in recorded {
            if let Err(refusal) = recorded.await {
                let carrier = &inward.name;
                tracing::warn!(
                    carrier,
                    ?refusal,
                    "a message may come twice after a restart"
                );
            }
        }
        for message in addressed {
            let own: Vec<_> = results.by_ref().take(message.users).collect();
            let status = status(&own, message.users);
            let taken = status != Status::RECEIVER_TEMPORARY;
            inward.repeats.answered(&message.looks, taken, now());
            ended.push((message.whole, status));
        }
    }
    settle(inward, ended).await;
}

/// One delivery for each user of the line; or what to tell the carrier.
async fn deliveries(
    inward: &mut Inward,
    whole: &Whole<Waiting>,
) -> Result<(Looks, Vec<Delivery<'static>>), Status> {
    let carrier = &inward.name;
    let config = inward.config.clone();
    let Some((number, line)) = config.line(&whole.key.destination) else {
        let number = &whole.key.destination;
        tracing::warn!(
            carrier,
            number,
            "a message to a number that is not configured"
        );
        return Err(Status::RECEIVER_PERMANENT);
    };
    let region = inward.region(number);
    let peer = address::from_carrier(whole.key.ton, &whole.key.source, &region);
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
        source: whole.key.source.clone(),
        destination: whole.key.destination.clone(),
        reference: (whole.key.total > 0).then_some(whole.key.reference),
        text: whole.text.clone(),
    };
    // None: all of it was taken up from an earlier run.
    let bind = whole.tokens.first().map(|waiting| waiting.ticket.bind);
    let dedup = format!("{carrier}-{}", inward.repeats.key(&looks, bind, now()));
    let delivery = |user: &UserId| Delivery {
        user: *user,
        dedup: dedup.clone(),
        peer: from.clone(),
        message: Message {
            // Carriers name none; a message that comes back is known by it.
            key: Some(Key(dedup.clone().into())),
            ..message(&peer, &from, &whole.text)
        },
        peer_kept: Some(number.as_bytes().to_vec()),
        returns: None,
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

/// Answers what was not answered yet, and keeps no longer what is stored.
async fn settle(inward: &mut Inward, messages: Vec<(Whole<Waiting>, Status)>) {
    let done = messages
        .iter()
        .filter(|(whole, status)| whole.key.total > 0 && *status != Status::RECEIVER_TEMPORARY);
    let done: Vec<_> = done
        .map(|(whole, _)| (whole.key.clone(), whole.parts.clone()))
        .collect();
    if !done.is_empty() {
        inward.journal.done(done).await;
    }
    for (whole, status) in messages {
        // A message of which a part was taken is ours: there is nobody to whom it could be
        // refused for good any more.
        let ours = whole.tokens.iter().any(|waiting| waiting.answered);
        let again = status == Status::RECEIVER_TEMPORARY;
        let told = if ours && !again { Status::OK } else { status };
        for waiting in whole.tokens.iter().filter(|waiting| !waiting.answered) {
            answer(&inward.commands, waiting.ticket, told);
        }
        if again {
            again_later(inward, &whole);
        }
    }
}

/// What is kept of a message is tried again; the carrier sends the rest again.
fn again_later(inward: &mut Inward, whole: &Whole<Waiting>) {
    let kept = inward.journal.parts(&whole.key);
    if kept.is_empty() {
        return;
    }
    let wait = if kept.len() == whole.parts.len() {
        AGAIN
    } else {
        inward.config.join_timeout
    };
    inward.joiner.restore(whole.key.clone(), kept, now() + wait);
}
