//! What the archive tells of private messages when a session begins: up to when there was one before
//! it, and which of the newest are known.
//!
//! The times in the archive are of our clock, the network's of its own: what was said shortly before
//! the last message is asked for again, and known by its id.

use std::collections::HashSet;
use std::sync::Arc;

use isthmus_gateway::{Gateway, Key, Kind, Parsed};

use super::Base;
use super::gap::MOST_PEOPLE;
use crate::host::ids::Ids;
use crate::store::archives::Stretch;
use crate::store::{Later, Store, StoreFault};
use crate::xmpp::escape::unescape;

/// How far the clocks of a network and ours may be apart, in milliseconds.
const APART: i64 = 10_000;
/// The newest messages of one conversation that are looked at.
const NEWEST: usize = 20;
/// What was missed longer ago is not asked for: thirty days, in milliseconds.
const LONGEST: i64 = 30 * 24 * 60 * 60 * 1000;

/// What the archive tells; `None`: nothing.
pub(super) type Reading = Later<Option<Before>>;

/// What was told before the session.
pub(super) struct Before {
    /// When the last message was told.
    last: i64,
    /// The ids of the newest.
    ids: HashSet<String>,
}

impl Before {
    /// Since when something may have been missed.
    pub(super) fn since(&self, now: i64) -> i64 {
        (self.last - APART).max(now - LONGEST)
    }

    /// Whether a message was told. Of one without a name only its time says so.
    pub(super) fn has(&self, ids: &mut Ids, key: Option<&Key<'_>>, time: i64) -> bool {
        match key {
            Some(Key(key)) => self.ids.contains(ids.next(Some(key), &mut String::new())),
            None => time <= self.last,
        }
    }
}

/// Reads what the archive has of people on the session's network.
pub(super) fn before(base: &Base) -> Reading {
    let (store, gateway) = (base.shared.store(), Arc::clone(&base.gateway));
    let (user, domain) = (base.user.to_string(), base.outbox.domain().to_owned());
    let network = base.network.clone();
    Box::pin(async move {
        let rows = newest(&*store, (&user, &domain), |peer| {
            is_person(&*gateway, &network, peer)
        });
        let rows = rows.await.unwrap_or_else(|fault| {
            tracing::error!(%fault, "private messages told before cannot be read");
            Vec::new()
        });
        let last = rows.iter().map(|&(at, _)| at).max()?;
        let late = rows.into_iter().filter(|&(at, _)| at >= last - 2 * APART);
        let ids = late.map(|(_, id)| id).collect();
        Some(Before { last, ids })
    })
}

/// The times and ids of the newest messages with each of those people, of many with those of the
/// latest.
async fn newest(
    store: &dyn Store,
    (user, domain): (&str, &str),
    is_person: impl Fn(&str) -> bool,
) -> Result<Vec<(i64, String)>, StoreFault> {
    let kept = store.lately(user, domain).await?;
    let people = kept.into_iter().filter(|it| is_person(&it.peer));
    let mut found = Vec::new();
    for kept in people.take(MOST_PEOPLE) {
        let rows = store.stretch(kept.id, Stretch::ALL, true, NEWEST).await?;
        found.extend(rows.into_iter().map(|row| (row.at, row.id)));
    }
    Ok(found)
}

/// Whether that is the address of somebody on the network.
fn is_person(gateway: &dyn Gateway, network: &str, peer: &str) -> bool {
    let local = peer.rsplit_once('@').map_or("", |(local, _)| local);
    let local = unescape(local);
    let parsed = gateway.parse(&local, "");
    let person = matches!(parsed, Ok(Parsed::Canonical(it)) if it.kind == Kind::Contact);
    person && gateway.network(&local) == network
}
