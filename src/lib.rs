//! Isthmus: an XMPP gateway that attaches to any XMPP server as an external component
//! (XEP-0114) and hosts gateways to other networks.
//!
//! This file is the table of contents; `docs/architecture.md` is the map.

pub mod component;
pub mod config;
pub mod host;
pub mod registry;
pub mod secret;
pub mod store;
pub mod xmpp;

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::store::{SqliteStore, StoreFault};

/// Why the program ends other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The store cannot be opened.
    #[error("store: {0}")]
    Store(#[from] StoreFault),
}

/// Serves until `shutdown` becomes true (or its sender goes away). `reload` carries later
/// configurations, of which only the live parts have changed.
///
/// # Errors
///
/// What keeps it from serving at all; a lost connection is not an error but is made again.
pub async fn run(
    config: Config,
    mut shutdown: watch::Receiver<bool>,
    _reload: watch::Receiver<Arc<Config>>,
) -> Result<(), RunFault> {
    let path = config.store.path.clone();
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path))
        .await
        .unwrap_or(Err(StoreFault::Closed))?;
    // A sender that went away means shutdown as well.
    let _ = shutdown.wait_for(|down| *down).await;
    // Dropping the store blocks until what is queued is written.
    let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    Ok(())
}
