//! The sessions of users who stay in rooms, opened again when the program starts (see
//! `session::lasting`).

use std::sync::Weak;
use std::time::Duration;

use super::Domain;
use crate::host::session::lasting::LASTING;
use crate::xmpp::jid::BareJid;

/// Between two sessions: networks do not like to be rushed at.
const PACE: Duration = Duration::from_millis(50);

/// Opens them, one after the other.
pub(super) async fn restore(domain: Weak<Domain>) {
    let Some((name, store)) = domain.upgrade().and_then(|it| {
        let name = it.outbox.get()?.domain().to_owned();
        Some((name, it.shared.store()))
    }) else {
        return;
    };
    let kept = store.kept_under(&name, LASTING).await;
    let kept = kept.unwrap_or_else(|fault| {
        tracing::error!(%fault, "whose rooms last cannot be read");
        Vec::new()
    });
    for (user, document, _) in kept {
        let network = document.strip_prefix(LASTING).unwrap_or_default();
        let (Some(domain), Ok(user)) = (domain.upgrade(), BareJid::parse(&user)) else {
            continue;
        };
        domain.wake(&user, network);
        drop(domain);
        tokio::time::sleep(PACE).await;
    }
}
