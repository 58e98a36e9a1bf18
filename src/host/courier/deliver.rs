//! What comes from a store-and-forward network: each delivery becomes its stanzas, and all of a
//! batch are on disk before the network is told that they were taken.

use isthmus_gateway::{Delivery, Key, Message, Refusal, Stored, Time};

use super::CourierHost;
use crate::host::archive::Filing;
use crate::host::attachment::split;
use crate::host::chat::{Beside, LATE_MS, Quoted, REMEMBER_MS, Spoken, write_message};
use crate::host::ids::Ids;
use crate::host::shared::now_ms;
use crate::store::jobs::Inward;
use crate::xmpp::escape::escape;
use crate::xmpp::write::{self, Head, STANZA_MAX, StanzaName, Written};

/// A delivery for the archive.
struct File {
    user: String,
    peer: String,
    id: String,
    at: i64,
    stanza: Vec<u8>,
}

impl File {
    fn put(&self, host: &CourierHost) {
        let filing = Filing {
            shared: &host.shared,
            domain: host.outbox.domain(),
            user: &self.user,
            peer: &self.peer,
        };
        filing.file(&self.id, self.at, self.stanza.clone());
    }
}

/// From whom a delivery is and to whom, as XMPP has it.
struct Way {
    /// The user's number and bare JID.
    number: i64,
    user: String,
    /// The localpart of the sender, escaped, and his JID.
    local: String,
    by: String,
}

impl CourierHost {
    /// Takes a batch; an answer for each delivery, in order.
    pub(super) async fn deliver(
        &self,
        batch: Vec<Delivery<'static>>,
        all_or_none: bool,
    ) -> Vec<Result<Stored, Refusal>> {
        // How many stanzas each of them is, if it can be taken.
        let mut counts = Vec::with_capacity(batch.len());
        let mut rows = Vec::with_capacity(batch.len());
        for delivery in batch {
            let prepared = self.inward(delivery).await;
            counts.push(prepared.as_ref().map(Vec::len).map_err(Clone::clone));
            rows.extend(prepared.unwrap_or_default());
        }
        let refusal = counts.iter().find_map(|count| count.as_ref().err());
        if let Some(refusal) = refusal.filter(|_| all_or_none) {
            return counts.iter().map(|_| Err(refusal.clone())).collect();
        }
        let (inward, files): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let store = &self.shared.store;
        let taken = store.deliver(self.outbox.domain(), inward).await;
        let taken = match taken {
            Ok(taken) => taken.iter().map(Option::is_some).collect::<Vec<_>>(),
            Err(fault) => {
                tracing::error!(%fault, "messages from the network are refused for now");
                let later = Refusal::Later("the store does not take messages now".into());
                let refused = |count: Result<usize, _>| Err(count.err().unwrap_or(later.clone()));
                return counts.into_iter().map(refused).collect();
            }
        };
        for (_, file) in taken.iter().zip(&files).filter(|(fresh, _)| **fresh) {
            file.put(self);
        }
        let results = stored(counts, &taken);
        let fresh = results.iter().filter(|it| matches!(it, Ok(Stored::Fresh)));
        self.tally.delivered(fresh.count());
        self.inwards.added();
        results
    }

    /// The stanzas of a delivery: its text, and each of its files.
    async fn inward(
        &self,
        mut delivery: Delivery<'static>,
    ) -> Result<Vec<(Inward, File)>, Refusal> {
        let way = self.way(&delivery).await?;
        let contact = way.by.split('@').next().unwrap_or_default();
        let blocked = self.is_blocked(&way.user, contact).await;
        if blocked.map_err(|fault| Refusal::Later(fault.to_string()))? {
            // Taken, and nothing comes of it: who is blocked is not told.
            return Ok(Vec::new());
        }
        let sums = self.show_files(&way.user, &way.local, &mut delivery.message);
        let sums = sums.await;
        let answered = self.answered(&way, &delivery.message).await;
        let parts = split(&delivery.message, self.language_of(&way.user));
        let mut rows = Vec::with_capacity(parts.len());
        for (part, message) in parts.iter().enumerate() {
            let reply = answered.as_ref().filter(|_| part == 0);
            let url = message.blobs.first().map(|file| file.url.as_ref());
            let beside = Beside {
                reply: reply.map(|(id, author)| Quoted {
                    id,
                    to: author,
                    who: None,
                }),
                sha256: url.and_then(|url| sums.get(url)),
                // Read is what was said, not each of its files.
                markable: part == 0 && self.gateway.manifest().caps.read && message.key.is_some(),
                ..Beside::default()
            };
            rows.push(self.row(&way, &delivery, (part, message), &beside)?);
        }
        Ok(rows)
    }

    /// Who it is from, and to whom.
    async fn way(&self, delivery: &Delivery<'_>) -> Result<Way, Refusal> {
        let number = delivery.user.0;
        let user = match self.known_user(number) {
            Some(user) => user,
            None => {
                let user = self.shared.store.user_of(number).await;
                let user = user.map_err(|fault| Refusal::Later(fault.to_string()))?;
                let user = user.ok_or(Refusal::Unknown)?;
                self.know_user(number, &user);
                user
            }
        };
        let local = self.gateway.format(&delivery.peer).map_err(|fault| {
            Refusal::Unwanted(format!("the sender's address cannot be shown: {fault}"))
        })?;
        let local = escape(&local).into_owned();
        let by = self.address_of(&delivery.peer);
        let by = by.unwrap_or_else(|| format!("{local}@{}", self.outbox.domain()));
        Ok(Way {
            number,
            user,
            local,
            by,
        })
    }

    /// One stanza of a delivery, for the store and for the archive.
    fn row(
        &self,
        way: &Way,
        delivery: &Delivery<'_>,
        (part, message): (usize, &Message<'_>),
        beside: &Beside<'_>,
    ) -> Result<(Inward, File), Refusal> {
        let dedup = match part {
            0 => delivery.dedup.clone(),
            _ => format!("{} file {part}", delivery.dedup),
        };
        let peer = serde_json::to_string(&delivery.peer)
            .map_err(|error| Refusal::Unwanted(error.to_string()))?;
        let (stanza, id) = self.write_inward(way, &dedup, message, beside)?;
        let file = File {
            user: way.user.clone(),
            at: message.time.map_or_else(now_ms, |Time(ms)| ms),
            id: id.clone(),
            stanza: stanza.clone(),
            peer: way.by.clone(),
        };
        let inward = Inward {
            number: way.number,
            dedup,
            until: now_ms() + REMEMBER_MS,
            stanza,
            stanza_id: id,
            key: message.key.as_ref().map(|Key(key)| key.to_string()),
            peer,
            peer_kept: delivery.peer_kept.clone().filter(|_| part == 0),
            returns: returns(delivery)?,
        };
        Ok((inward, file))
    }

    /// The stanza of a message, and its id.
    fn write_inward(
        &self,
        way: &Way,
        dedup: &str,
        message: &Message<'_>,
        beside: &Beside<'_>,
    ) -> Result<(Vec<u8>, String), Refusal> {
        let mut id = String::new();
        let conversation = format!("{} {}", way.user, way.by);
        Ids::new(&self.shared.message_key, &conversation, 0).next(Some(dedup), &mut id);
        let at = message
            .time
            .map(|Time(ms)| ms)
            .filter(|ms| (now_ms() - ms).abs() > LATE_MS);
        let spoken = Spoken {
            id: &id,
            by: &way.by,
            at,
        };
        let kind = if message.subject.is_some() {
            None
        } else {
            Some("chat")
        };
        let head = Head {
            name: StanzaName::Message,
            domain: self.outbox.domain(),
            from: write::Sender {
                local: Some(&way.local),
                resource: None,
            },
            to: &way.user,
            kind,
            id: Some(&id),
        };
        let mut stanza = Vec::with_capacity(512);
        let written = write::stanza(&mut stanza, STANZA_MAX, head, |xml| {
            write_message(xml, message, &spoken, beside);
        });
        if written == Written::Nothing {
            return Err(Refusal::Unwanted(
                "the sender's address cannot be shown".into(),
            ));
        }
        Ok((stanza, id))
    }

    /// The id of the stanza that a message answers, and its author (XEP-0461 §3); `None` if it
    /// answers nothing this user has seen.
    async fn answered(&self, way: &Way, message: &Message<'_>) -> Option<(String, String)> {
        let Key(key) = &message.reply.as_ref()?.key;
        let store = self.shared.store();
        let found = store.reference(self.outbox.domain(), key).await;
        let found = found.inspect_err(|fault| {
            // The message arrives all the same, as one that answers nothing.
            tracing::warn!(%fault, "what a message answers cannot be looked up");
        });
        let found = found.ok().flatten()?;
        let own = found.number == way.number && !found.stanza.is_empty();
        let author = if found.job.is_some() {
            &way.user
        } else {
            &way.by
        };
        own.then(|| (found.stanza, author.clone()))
    }
}

/// Whom to tell if a delivery comes back: nobody, where no person wrote it.
fn returns(delivery: &Delivery<'_>) -> Result<Option<String>, Refusal> {
    if delivery.message.auto {
        return Ok(None);
    }
    let whom = delivery.returns.as_ref().unwrap_or(&delivery.peer);
    let whom = serde_json::to_string(whom).map_err(|fault| Refusal::Unwanted(fault.to_string()))?;
    Ok(Some(whom))
}

/// What became of each delivery: how many stanzas it is, or why it was refused; and which of all
/// the stanzas are new. The first of a delivery stands for all of it.
fn stored(counts: Vec<Result<usize, Refusal>>, fresh: &[bool]) -> Vec<Result<Stored, Refusal>> {
    let mut next = 0;
    let mut of_one = |count: usize| {
        let first = fresh.get(next).copied().unwrap_or_default();
        next += count;
        match count == 0 || first {
            true => Stored::Fresh,
            false => Stored::Again,
        }
    };
    counts
        .into_iter()
        .map(|count| count.map(&mut of_one))
        .collect()
}
